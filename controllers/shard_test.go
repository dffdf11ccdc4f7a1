// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/event"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

func TestShardsAreReadFromText(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "",
		"ap-guangzhou":                          "ap-guangzhou",
		"ap-shanghai, ap-guangzhou,ap-shanghai": "ap-guangzhou ap-shanghai",
		"ap-guangzhou,,na-siliconvalley-2":      "ap-guangzhou na-siliconvalley-2",
		"guangzhou":                             `error: "guangzhou" is no region; write regions such as`,
		"ap-guangzhou;ap-shanghai":              `error: "ap-guangzhou;ap-shanghai" is no region`,
		"AP-Guangzhou":                          `error: "AP-Guangzhou" is no region`,
		",":                                     `error: "," names no region`,
	} {
		shard, err := ParseShard(text)
		got := strings.Join(shard, " ")
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want && (err == nil || !strings.HasPrefix(got, want)) {
			t.Errorf("ParseShard(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestEachShardHasALeaseOfItsOwn(t *testing.T) {
	many := Shard{}
	for range 30 {
		many = append(many, "ap-region-"+strings.Repeat("x", len(many)+1))
	}
	names := map[string]bool{}
	for _, shard := range []Shard{nil, {"ap-guangzhou"}, {"ap-shanghai"}, {"ap-guangzhou", "ap-shanghai"}, many, many[1:]} {
		name := shard.LeaseName("image-catalog-operator")
		if bad := validation.IsDNS1123Subdomain(name); len(bad) > 0 || names[name] {
			t.Errorf("the Lease of %v is %q: taken %t, %v", shard, name, names[name], bad)
		}
		names[name] = true
	}
	if got := (Shard{}).LeaseName("image-catalog-operator"); got != "image-catalog-operator" {
		t.Errorf("without regions the Lease is %q", got)
	}
}

func TestWhatConcernsAShard(t *testing.T) {
	query := func(region string) *imagev1alpha1.ImageQuery {
		q := &imagev1alpha1.ImageQuery{}
		q.Spec.Region = region
		return q
	}
	ours, theirs := query("ap-guangzhou"), query("ap-shanghai")
	p, all := Shard{"ap-guangzhou"}.concerns(), Shard(nil).concerns()
	got := []bool{
		p.Create(event.CreateEvent{Object: ours}), p.Create(event.CreateEvent{Object: theirs}),
		p.Delete(event.DeleteEvent{Object: ours}), p.Delete(event.DeleteEvent{Object: theirs}),
		p.Update(event.UpdateEvent{ObjectOld: ours, ObjectNew: ours}), p.Update(event.UpdateEvent{ObjectOld: theirs, ObjectNew: theirs}),
		p.Update(event.UpdateEvent{ObjectOld: ours, ObjectNew: theirs}), p.Update(event.UpdateEvent{ObjectOld: theirs, ObjectNew: ours}),
		all.Create(event.CreateEvent{Object: theirs}),
	}
	if want := []bool{true, false, true, false, true, false, true, true, true}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
