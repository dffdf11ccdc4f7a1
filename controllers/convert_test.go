// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

func TestARecordTellsAllOfAnImage(t *testing.T) {
	image := catalog.Image{
		ID: "img-00000001", Name: "n", Description: "d", Type: "PRIVATE_IMAGE", Source: "CREATE_IMAGE", Creator: "1", State: "NORMAL",
		OSName: "os", Platform: "Ubuntu", Architecture: "amd64", SizeGiB: 50, CloudInit: true, LicenseType: "BYOL", Family: "f",
		Deprecated: true, CreatedTime: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Tags:      []catalog.Tag{{Key: "k", Value: "v"}},
		Snapshots: []catalog.Snapshot{{ID: "snap-1", DiskUsage: "SYSTEM_DISK", DiskSizeGiB: 50}},
	}
	record := toRecord(image, scope{credentials: "acct2", region: "ap-guangzhou"})
	if diff := cmp.Diff(image, fromRecord(&record)); diff != "" {
		t.Errorf("there and back (-want +got):\n%s", diff)
	}
}

func TestObservedQueryChangesWithWhatIsAskedOnly(t *testing.T) {
	base := syncedQuery(0)
	base.Spec.Region = "ap-guangzhou"
	for name, tc := range map[string]struct {
		edit                func(*imagev1alpha1.ImageQuerySpec)
		wantSame, wantScope bool
	}{
		"interval":     {func(s *imagev1alpha1.ImageQuerySpec) { s.Interval.Duration = time.Hour }, true, true},
		"suspend":      {func(s *imagev1alpha1.ImageQuerySpec) { s.Suspend = true }, true, true},
		"match":        {func(s *imagev1alpha1.ImageQuerySpec) { s.Match.NameRegex = "x" }, false, true},
		"filters":      {func(s *imagev1alpha1.ImageQuerySpec) { s.Filters = []imagev1alpha1.Filter{{Name: "platform"}} }, false, true},
		"imageIDs":     {func(s *imagev1alpha1.ImageQuerySpec) { s.ImageIDs = []imagev1alpha1.ImageID{"img-1"} }, false, true},
		"instanceType": {func(s *imagev1alpha1.ImageQuerySpec) { s.InstanceType = "S5" }, false, true},
		"region":       {func(s *imagev1alpha1.ImageQuerySpec) { s.Region = "ap-shanghai" }, false, false},
		"credentials": {func(s *imagev1alpha1.ImageQuerySpec) {
			s.CredentialsRef = &imagev1alpha1.CredentialsReference{Name: "acct2"}
		}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			edited := base.DeepCopy()
			tc.edit(&edited.Spec)
			before, after := observedQuery(base), observedQuery(edited)
			if (before == after) != tc.wantSame || sameScope(before, after) != tc.wantScope {
				t.Errorf("%s became %s", before, after)
			}
		})
	}
}

func TestObjectNames(t *testing.T) {
	for want, s := range map[string]scope{
		"ap-guangzhou-img-00000001":       {region: "ap-guangzhou"},
		"acct2.ap-guangzhou-img-00000001": {region: "ap-guangzhou", credentials: "acct2"},
	} {
		if got := objectNameOf(s, "img-00000001"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Lists of a spec are taken whole, so that what Git says twice is admitted. It is no other question to the cloud.
func TestWhatAListSaysTwiceIsAskedOnce(t *testing.T) {
	once, twice := &imagev1alpha1.ImageQuery{}, &imagev1alpha1.ImageQuery{}
	fill := func(query *imagev1alpha1.ImageQuery, times int) {
		query.Spec.ImageIDs = slices.Repeat([]imagev1alpha1.ImageID{"img-1", "img-2"}, times)
		query.Spec.Filters = []imagev1alpha1.Filter{{Name: "platform", Values: slices.Repeat([]string{"a", "b"}, times)}}
		match := reflect.ValueOf(&query.Spec.Match).Elem()
		for _, field := range match.Fields() {
			if field.Kind() != reflect.Slice {
				continue
			}
			for range times {
				field.Set(reflect.Append(field, reflect.ValueOf("text").Convert(field.Type().Elem())))
			}
		}
	}
	fill(once, 1)
	fill(twice, 2)
	if a, b := observedQuery(once), observedQuery(twice); a != b {
		t.Errorf("%s and %s: add the list that is missing in observedQuery", a, b)
	}
	if diff := cmp.Diff(toQuery(&once.Spec), toQuery(&twice.Spec)); diff != "" {
		t.Errorf("the cloud is asked another question (-once +twice):\n%s", diff)
	}
	if twice.Spec.Filters[0].Values[2] != "a" {
		t.Error("the query itself was changed")
	}
}
