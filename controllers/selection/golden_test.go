// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"testing"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
)

// Hashes in a cluster must survive an upgrade: another observedQuery would make every query look edited, and another
// revision or token would void approvals.
func TestHashesAreThoseOfEarlierVersions(t *testing.T) {
	query := &imagev1alpha1.ImageQuery{Spec: imagev1alpha1.ImageQuerySpec{
		Region: "ap-guangzhou", CredentialsRef: &imagev1alpha1.CredentialsReference{Name: "acct2"}, InstanceType: "SA5.MEDIUM2",
		Filters: []imagev1alpha1.Filter{{Name: "image-type", Values: []string{"PRIVATE_IMAGE"}}},
		Match: imagev1alpha1.ImageMatch{
			NameRegex: "^node-", States: []imagev1alpha1.ImageState{"NORMAL"}, Architectures: []imagev1alpha1.Architecture{"amd64"},
			Creators: []string{"3205597606"}, ExcludeImageIDs: []imagev1alpha1.ImageID{"img-bad00001"},
		},
	}}
	image := catalogtest.Image("node-v1.30.4", 1)
	image.Tags = []catalog.Tag{{Key: "role", Value: "node"}}
	image.Snapshots = []catalog.Snapshot{{ID: "snap-1", DiskUsage: "SYSTEM_DISK", DiskSizeGiB: 50}}
	revision := Hash(ScopeOf(query), []catalog.Image{image}, []string{image.ID})
	batch := RemovalBatch{Leaving: map[string]imagev1alpha1.RemovalReason{
		"img-b": imagev1alpha1.RemovedGone, "img-a": imagev1alpha1.RemovedNotMatched,
	}}
	for what, tc := range map[string]struct{ got, want string }{
		"observedQuery of an empty spec": {ObservedQuery(&imagev1alpha1.ImageQuery{}), "7f87d47329c7-afc60cce6be8"},
		"observedQuery":                  {ObservedQuery(query), "fb2d35c7a6c9-a1568cbb0ba3"},
		"revision":                       {revision, "3732fb1302c3"},
		"approval token":                 {batch.Token("9f2c51a07be4"), "a14967c93ed6"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s is %s, want %s", what, tc.got, tc.want)
		}
	}
}
