// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"strings"
	"testing"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// untilMembers waits until a query has a number of CloudImages.
func (w *world) untilMembers(query string, want int) {
	w.t.Helper()
	w.Until("the CloudImages are there", func(context.Context) error {
		if got := len(w.Images(query)); got != want {
			return fmt.Errorf("%s has %d CloudImages, want %d", query, got, want)
		}
		return nil
	})
}

func TestFault63CloudImagesAreDeletedBySomebodyElse(t *testing.T) {
	w := synced(t, 63, 4)
	w.Patch(golden, `{"spec":{"interval":"168h"}}`)
	w.UntilSynced(golden)
	w.unguarded(func() {
		w.remove("cloudimage", region+"-"+w.cloudIDs()[0])
		w.untilMembers(golden, 4)
		w.stop()
		w.Kubectl("", "delete", "cloudimages", "--all")
		w.restart()
		w.untilMembers(golden, 4)
	})
	w.heals(golden)

	// The garbage collector removes the owner references, but not the objects.
	w.Kubectl("", "delete", "imagequery", golden, "--cascade=orphan")
	w.Until("the CloudImages without owners are marked", func(context.Context) error {
		objects := w.Images("")
		for name, object := range objects {
			if l := object.Lifecycle; l.Presence != imagev1alpha1.PresenceNotMatched || l.DeleteAfter == nil || len(object.OwnerReferences) > 0 {
				return fmt.Errorf("%s has owners %v and is %+v", name, object.OwnerReferences, l)
			}
		}
		if marked, of := len(objects)-len(w.Images(golden)), 4; marked != of {
			return fmt.Errorf("%d are marked, want %d", marked, of)
		}
		return nil
	})
	w.query(golden)
	w.UntilSynced(golden)
	w.heals(golden)
}

func TestFault64ManyQueriesMeetOnOneCloudImage(t *testing.T) {
	const holders, queries = 64, 66
	w := begin(t, 64)
	w.cloud.Put(region, cvmtest.PrivateImages(64, 1, cvmtest.DefaultCredential.UIN)...)
	w.start("--concurrent=16")
	for i := range queries {
		w.query(fmt.Sprintf("q%02d", i), fmt.Sprintf("cloudImages: {labels: {author-%02d: here, approved: by-%02d}}", i, i))
	}
	w.untilAllSynced(queries)
	var object imagev1alpha1.CloudImage
	for _, object = range w.Images("") {
	}
	if len(object.OwnerReferences) != holders {
		t.Errorf("%d queries own the object, want %d", len(object.OwnerReferences), holders)
	}
	for i := range queries {
		name := fmt.Sprintf("q%02d", i)
		query := w.Query(name)
		label := object.Labels[imagev1alpha1.LabelQueryPrefix+name]
		told := strings.Contains(kit.Ready(query).Message, "64 other queries")
		if len(query.Status.Selected) != 1 || (label == imagev1alpha1.QuerySelected) == told {
			t.Errorf("%s has selected %v, its label is %q, and Ready says %q", name, query.Status.Selected, label, kit.Ready(query).Message)
		}
	}
	w.heals("q00")
}
