// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"encoding/json"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// stranger is an account that shares images with ours.
const stranger = "100000000777"

// sharedImages returns numbered images shared by the stranger.
func sharedImages(numbers ...int) []cvmtest.Image {
	images := newImages(numbers...)
	for i := range images {
		images[i].ImageType, images[i].Owner, images[i].ImageCreator = "SHARED_IMAGE", "", new(stranger)
	}
	return images
}

// allNodes selects images of all types.
func allNodes(s *imagev1alpha1.ImageQuerySpec) {
	s.Filters, s.Match.NameRegex = nil, "^node-"
}

func verdictOf(q *imagev1alpha1.ImageQuery, number int) imagev1alpha1.SelectionVerdict {
	for _, image := range q.Status.Images {
		if image.ImageID == newImage(number).ImageID {
			return image.Selection
		}
	}
	return ""
}

func TestOnlyTypesThatProveTheOwnerAreSelectedByThemselves(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	for i, imageType := range []string{`"MARKET_IMAGE"`, `"COMMUNITY_IMAGE"`, `"shared_image"`, `""`, `null`} {
		image := newImage(2 + i)
		image.ImageCreator = new(stranger)
		image.Raw = map[string]json.RawMessage{"ImageType": json.RawMessage(imageType)}
		w.cloud.Put(region, image)
	}
	w.cloud.Put(region, sharedImages(7)...)
	w.Create(newQuery("golden", allNodes))
	query := w.UntilSynced("golden")
	if selectedNames(query) != "node-1" {
		t.Errorf("selected is %q", selectedNames(query))
	}
	for number := 2; number <= 7; number++ {
		if verdict := verdictOf(query, number); verdict != imagev1alpha1.VerdictUntrustedCreator {
			t.Errorf("node-%d is %s", number, verdict)
		}
	}
	w.Patch("golden", `{"spec":{"selection":{"trustedCreators":["`+stranger+`"],"limit":9}}}`)
	query = w.UntilCurrent("golden")
	if selectedNames(query) != "node-7 node-6 node-5 node-4 node-3 node-2 node-1" {
		t.Errorf("with the trusted creator selected is %q", selectedNames(query))
	}
	if first := query.Status.Selected[0]; first.Type != "SHARED_IMAGE" || first.Creator != stranger {
		t.Errorf("the selected image is %+v", first)
	}
}

// Trust is derived from status: without objects, a restart neither loses nor restores it.
func TestTrustThatWasWithdrawnWhileNoOperatorRanIsGone(t *testing.T) {
	for name, tc := range map[string]struct{ given, withdrawn, want string }{
		"trustedCreators": {
			given: `{"spec":{"selection":{"trustedCreators":["` + stranger + `"]}}}`, withdrawn: `{"spec":{"selection":{"trustedCreators":null}}}`,
			want: "node-1",
		},
		"creators": {
			given:     `{"spec":{"match":{"creators":["` + stranger + `","` + cvmtest.DefaultCredential.UIN + `"]}}}`,
			withdrawn: `{"spec":{"match":{"creators":null}}}`,
		},
		"imageIDs": {
			given: `{"spec":{"imageIDs":["` + newImage(1).ImageID + `","` + newImage(2).ImageID + `"]}}`, withdrawn: `{"spec":{"imageIDs":null}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cloud.Put(region, newImage(1))
			w.cloud.Put(region, sharedImages(2)...)
			w.Create(newQuery("golden", allNodes, func(s *imagev1alpha1.ImageQuerySpec) {
				s.CloudImages = imagev1alpha1.CloudImagePolicy{Policy: imagev1alpha1.CloudImagesNone, MaxImages: 100}
			}))
			w.UntilSynced("golden")
			w.Patch("golden", tc.given)
			w.UntilQuery("golden", "the shared image is selected", func(q *imagev1alpha1.ImageQuery) bool { return selectedNames(q) == "node-2" })

			w.restart()
			if query := w.Poll("golden"); selectedNames(query) != "node-2" {
				t.Errorf("after a restart selected is %q", selectedNames(query))
			}
			w.restart(func() {
				w.cloud.Inject(cvmtest.Fault{Code: "InternalError"})
				w.Patch("golden", tc.withdrawn)
			})
			if query := w.UntilReady("golden", metav1.ConditionFalse, imagev1alpha1.ReasonUnavailable); selectedNames(query) != tc.want {
				t.Errorf("before the cloud has answered, selected is %q, want %q", selectedNames(query), tc.want)
			}
			w.cloud.Heal()
			if query := w.Poll("golden"); selectedNames(query) != "node-1" || verdictOf(query, 2) != imagev1alpha1.VerdictUntrustedCreator {
				t.Errorf("selected is %q, and the shared image is %s", selectedNames(query), verdictOf(query, 2))
			}
		})
	}
}

func TestWhoSharesImagesCannotBlockARemovalOrAFix(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2)...)
	shared := sharedImages(10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21)
	w.cloud.Put(region, shared...)
	w.Create(newQuery("golden", allNodes))
	w.UntilSynced("golden")
	for _, image := range shared {
		w.cloud.Delete(region, image.ImageID)
	}
	w.cloud.Put(region, newImage(3))
	query := w.Poll("golden")
	if kit.Ready(query).Reason != imagev1alpha1.ReasonSynced || selectedNames(query) != "node-3" || len(query.Status.Images) != 3 {
		t.Errorf("selected is %q of %d images: %s", selectedNames(query), len(query.Status.Images), kit.Describe(query))
	}
}

func TestWhoSharesImagesCannotExhaustMaxImages(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2)...)
	w.cloud.Put(region, sharedImages(20, 21)...)
	w.Create(newQuery("golden", allNodes, func(s *imagev1alpha1.ImageQuerySpec) { s.CloudImages.MaxImages = 4 }))
	w.UntilSynced("golden")
	want := []string{objectName(1), objectName(2), objectName(20), objectName(21)}
	objects := func(what string, want []string) {
		t.Helper()
		kit.Equal(t, what, want, w.ImageNames(""))
	}
	objects("all have room", want)

	// Images with an object keep it, although others have lower ids.
	w.cloud.Put(region, sharedImages(10, 11, 12)...)
	query := w.Poll("golden")
	objects("more are shared", want)
	message := kit.Ready(query).Message
	if !strings.Contains(message, "3 images that can't be selected for want of trust have no CloudImage") || len(query.Status.Images) != 7 {
		t.Errorf("%d images, and the message is %q", len(query.Status.Images), message)
	}

	// The account's own images take precedence.
	w.cloud.Put(region, newImage(3))
	query = w.Poll("golden")
	objects("one more of our own", []string{objectName(1), objectName(2), objectName(3), objectName(20)})
	if selectedNames(query) != "node-3" {
		t.Errorf("selected is %q", selectedNames(query))
	}
	w.cloud.Put(region, newImages(4, 5)...)
	w.Patch("golden", `{"metadata":{"annotations":{"imagecatalog.dev/requestedAt":"now"}}}`)
	query = w.UntilQuery("golden", "our own are too many", func(q *imagev1alpha1.ImageQuery) bool {
		return strings.Contains(kit.Ready(q).Message, "TooManyImages")
	})
	if message := kit.Ready(query).Message; !strings.Contains(message, "asks for 5 CloudImages") {
		t.Errorf("the message is %q", message)
	}
}
