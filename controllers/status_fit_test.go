// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// An annotation may have 256 KiB, but status repeats at most 256 bytes of it.
func TestALongRequestIsHandledLikeAnyOther(t *testing.T) {
	for name, value := range map[string]string{
		"one more than fits": strings.Repeat("x", 257),
		"multi-byte":         strings.Repeat("像", 100),
		"very long":          strings.Repeat("long ", 40_000),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cloud.Put(region, newImages(1, 2)...)
			w.Create(newQuery("golden"))
			w.UntilSynced("golden")
			w.RequestPoll("golden", value)
			sum := sha256.Sum256([]byte(value))
			w.UntilQuery("golden", "the request is handled", func(q *imagev1alpha1.ImageQuery) bool {
				return q.Status.LastHandledReconcileAt == hex.EncodeToString(sum[:])
			})

			w.Patch("golden", `{"spec":{"match":{"excludeImageIDs":["`+newImage(2).ImageID+`"]}}}`)
			if query := w.UntilSynced("golden"); selectedNames(query) != "node-1" {
				t.Errorf("selected is %q after the edit", selectedNames(query))
			}

			// It was handled: neither this process nor the next one polls for it again.
			w.idle()
			w.cloud.ResetRequests()
			w.pass(5 * time.Second)
			w.restart()
			w.UntilQuery("golden", "it is looked at", func(*imagev1alpha1.ImageQuery) bool { return w.seriesOf("golden")["images"] == 1 })
			w.idle()
			if pages, _ := w.listings(); pages > 0 {
				t.Errorf("the same request was handled %d more times", pages)
			}
		})
	}
}

// Etcd accepts 1.5 MiB. Two thousand images in as many groups, each with the longest possible name, exceed that.
func TestAStatusOfManyLongNamesIsWritten(t *testing.T) {
	for name, letter := range map[string]string{"multi-byte": "𠀋", "escaped": "<"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			images := cvmtest.PrivateImages(13, 2000, cvmtest.DefaultCredential.UIN)
			for i := range images {
				family := fmt.Sprint("family-", i)
				images[i].ImageName, images[i].ImageFamily = fmt.Sprintf("%04d", i)+strings.Repeat(letter, 251), &family
				images[i].ImageState, images[i].ImageDeprecated = "NORMAL", nil
			}
			w.cloud.Put(region, images...)
			w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) {
				s.Selection.GroupBy = []imagev1alpha1.SelectionGroup{imagev1alpha1.GroupByImageFamily}
				s.CloudImages.Policy = imagev1alpha1.CloudImagesNone
			}))
			query := w.UntilSynced("golden")
			if len(query.Status.Selected) < 300 || len(query.Status.Images) < 100 {
				t.Errorf("status shows %d selected images and %d members, and has room for more", len(query.Status.Selected), len(query.Status.Images))
			}
			left := 2000 - len(query.Status.Selected)
			if message := kit.Ready(query).Message; !strings.Contains(message, fmt.Sprintf("%d more images qualify", left)) {
				t.Errorf("the message doesn't say that %d images find no room: %s", left, message)
			}
			revision := query.Status.Revision
			if query = w.Poll("golden"); query.Status.Revision != revision {
				t.Error("a poll without news found some")
			}
		})
	}
}
