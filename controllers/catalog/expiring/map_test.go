// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package expiring_test

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/expiring"
)

func TestAnEntryStaysAsLongAsItIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m expiring.Map[string, int]
		m.Set("used", 1)
		m.Set("idle", 2)
		m.Set("replaced", 3)
		for range 10 {
			<-time.After(expiring.Idle - time.Minute)
			if _, found := m.Get("used"); !found {
				t.Fatal("an entry went though it was used")
			}
			m.Set("replaced", 4)
		}
		if _, found := m.Get("idle"); found || m.Len() != 2 {
			t.Errorf("%d entries are left, the one that nobody used among them: %v", m.Len(), found)
		}
		got := maps.Collect(m.All())
		if want := map[string]int{"used": 1, "replaced": 4}; !maps.Equal(got, want) {
			t.Errorf("the entries are %v, want %v", got, want)
		}
		<-time.After(2 * expiring.Idle)
		if m.Len() != 0 {
			t.Errorf("%d entries are left that nobody used", m.Len())
		}
	})
}

func TestAMapMayKeepItsEntriesForLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := expiring.Map[string, int]{Idle: 2 * expiring.Idle}
		m.Set("a", 1)
		<-time.After(expiring.Idle + time.Minute)
		if m.Len() != 1 {
			t.Error("the entry went too early")
		}
		<-time.After(expiring.Idle)
		if m.Len() != 0 {
			t.Error("the entry is still there")
		}
	})
}
