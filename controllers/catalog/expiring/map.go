// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package expiring has a map for what is kept for each source of credentials: an entry goes once nobody has used it for a
// while. So nobody has to know when the last query that uses a source is gone.
package expiring

import (
	"iter"
	"maps"
	"sync"
	"time"
)

// Idle is how long an entry stays after its last use, unless a Map says otherwise. It is longer than the default interval
// of a query with its jitter, so that what most queries use is there at the next poll.
const Idle = 15 * time.Minute

// Map is safe for concurrent use. The zero Map is empty and ready.
type Map[K comparable, V any] struct {
	// Idle is how long an entry stays after its last use; zero means the constant. It is set before the first use.
	Idle time.Duration

	mu      sync.Mutex
	entries map[K]*entry[V]
}

type entry[V any] struct {
	value V
	used  time.Time
	timer *time.Timer
}

// Get returns the value of a key, and counts as a use.
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

// Set puts a value in the place of a key's former one.
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

// All are the keys and values, in no order. Looking at them doesn't count as a use.
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

// Len is how many entries there are.
func (m *Map[K, V]) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries)
}

// expire removes an entry, or waits for the rest of its time if it was used meanwhile.
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
