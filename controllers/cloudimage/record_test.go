// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

func TestARecordTellsAllOfAnImage(t *testing.T) {
	image := catalog.Image{
		ID: "img-00000001", Name: "n", Description: "d", Type: "PRIVATE_IMAGE", Source: "CREATE_IMAGE", Creator: "1", State: "NORMAL",
		OSName: "os", Platform: "Ubuntu", Architecture: "amd64", SizeGiB: 50, CloudInit: true, LicenseType: "BYOL", Family: "f",
		Deprecated: true, CreatedTime: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Tags:      []catalog.Tag{{Key: "k", Value: "v"}},
		Snapshots: []catalog.Snapshot{{ID: "snap-1", DiskUsage: "SYSTEM_DISK", DiskSizeGiB: 50}},
	}
	record := toRecord(image, selection.Scope{Credentials: "acct2", Region: "ap-guangzhou"})
	if diff := cmp.Diff(image, FromRecord(&record)); diff != "" {
		t.Errorf("there and back (-want +got):\n%s", diff)
	}
}

func TestObjectNames(t *testing.T) {
	for want, s := range map[string]selection.Scope{
		"ap-guangzhou-img-00000001":       {Region: "ap-guangzhou"},
		"acct2.ap-guangzhou-img-00000001": {Region: "ap-guangzhou", Credentials: "acct2"},
	} {
		if got := ObjectName(s, "img-00000001"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
