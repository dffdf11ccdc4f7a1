// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// A script of turns: "a1?" asks for a turn of query 1 with source a, "a!" ends one of a's. Answers are yes, no, and who is told.
func TestTurns(t *testing.T) {
	for name, tc := range map[string]struct{ script, want string }{
		"as many as are allowed":                   {"a1? a2? a3?", "yes yes no"},
		"another source doesn't wait":              {"a1? a2? a3? b4? b5? b6?", "yes yes no yes yes no"},
		"who waits is told, in order":              {"a1? a2? a3? a4? a! a!", "yes yes no no 3 4"},
		"a source tells its own only":              {"a1? a2? a3? b1? b2? b3? b!", "yes yes no yes yes no 3"},
		"nobody waits":                             {"a1? a! a2?", "yes - yes"},
		"a new query is told first":                {"a1? a2? a3? aN? a! a!", "yes yes no no N 3"},
		"who asks twice waits once":                {"a1? a2? a3? a3? a! a!", "yes yes no no 3 -"},
		"who was told and takes it, waits no more": {"a1? a2? a3? a! a3? a! a!", "yes yes no 3 yes - -"},
		"who comes at the right time, too":         {"a1? a2? a3? a4? a! a4? a!", "yes yes no no 3 yes -"},
		"a turn that was not taken is told again":  {"a1? a2? a3? a4? a5? a! a!", "yes yes no no no 3 4,5"},
	} {
		t.Run(name, func(t *testing.T) {
			var turns turns
			var got []string
			for word := range strings.FieldsSeq(tc.script) {
				source, who := word[:1], word[1:len(word)-1]
				if who == "" {
					got = append(got, told(turns.give(source, 2)))
					continue
				}
				q := &imagev1alpha1.ImageQuery{}
				q.UID, q.Generation, q.Status.SyncedGeneration = types.UID(who), 1, 1
				if who == "N" {
					q.Status.SyncedGeneration = 0
				}
				got = append(got, map[bool]string{true: "yes", false: "no"}[turns.take(source, q, 2)])
			}
			if got := strings.Join(got, " "); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func told(queries []*imagev1alpha1.ImageQuery) string {
	var names []string
	for _, q := range queries {
		names = append(names, string(q.UID))
	}
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ",")
}
