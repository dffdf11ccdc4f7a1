// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package expiring has a map that drops entries which were not used for a while. It holds data per source of credentials,
// so that no one needs to track when the last query of a source is gone.
package expiring

import (
	"iter"
	"maps"
	"sync"
	"time"
)

// Idle is how long an entry stays after its last use, unless a Map overrides it. It is longer than the default interval
// of a query with its jitter, so that most entries survive until the next poll.
const Idle = 15 * time.Minute

// Map is safe for concurrent use. The zero Map is empty and ready.
type Map[K comparable, V any] struct {
	// Idle is how long an entry stays after its last use. Zero means the constant Idle. Set it before the first use.
	Idle time.Duration

	mu      sync.Mutex
	entries map[K]*entry[V]
}

type entry[V any] struct {
	value V
	used  time.Time
	timer *time.Timer
}

// Get returns the value of a key. It counts as a use.
func (m *Map[K, V]) Get(key K) (value V, found bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, found := m.entries[key]
	if !found {
		return value, false
	}
	e.used = time.Now()
	return e.value, true
}

// Set sets the value of a key.
func (m *Map[K, V]) Set(key K, value V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, found := m.entries[key]; found {
		old.timer.Stop()
	}
	if m.entries == nil {
		m.entries = map[K]*entry[V]{}
	}
	e := &entry[V]{value: value, used: time.Now()}
	e.timer = time.AfterFunc(m.idle(), func() { m.expire(key, e) })
	m.entries[key] = e
}

// All iterates over the entries in no particular order. It doesn't count as a use.
func (m *Map[K, V]) All() iter.Seq2[K, V] {
	m.mu.Lock()
	entries := maps.Clone(m.entries)
	m.mu.Unlock()
	return func(yield func(K, V) bool) {
		for key, e := range entries {
			if !yield(key, e.value) {
				return
			}
		}
	}
}

// Len returns the number of entries.
func (m *Map[K, V]) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries)
}

// expire removes an entry, or reschedules its expiry if it was used meanwhile.
func (m *Map[K, V]) expire(key K, e *entry[V]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries[key] != e {
		return
	}
	if left := m.idle() - time.Since(e.used); left > 0 {
		e.timer.Reset(left)
		return
	}
	delete(m.entries, key)
}

func (m *Map[K, V]) idle() time.Duration {
	if m.Idle == 0 {
		return Idle
	}
	return m.Idle
}
