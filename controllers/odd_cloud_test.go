// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// A query whose requests hang, fail or break off doesn't delay another query.
func TestAPoisonedQueryDelaysNoOther(t *testing.T) {
	body := func(s string) *string { return &s }
	for name, fault := range map[string]cvmtest.Fault{
		"its listing hangs":                 {Blackhole: true},
		"its answer drips":                  {Drip: time.Hour},
		"its answer makes the SDK panic":    {Body: body(`null`)},
		"its answer is nested without end":  {Body: body(strings.Repeat("[", 200_000))},
		"its answer is a flood":             {BigBody: 20 << 20},
		"its account is throttled for good": {Code: "RequestLimitExceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cloud.Put(region, newImage(1))
			// The failing queries have their own account, because the cloud counts by account.
			sick := cvmtest.Credential{SecretID: "AKIDsick", SecretKey: "s", UIN: "100000000002"}
			w.cloud.SetCredential(sick)
			w.SetCredentials("sick", sick)
			fault.SecretID = sick.SecretID
			w.cloud.Inject(fault)
			// Up to three of four workers may be blocked.
			for i, elsewhere := range []string{"ap-shanghai", "ap-beijing", "ap-tokyo"} {
				in := func(s *imagev1alpha1.ImageQuerySpec) { s.Region = elsewhere }
				w.Create(newQuery(fmt.Sprint("sick-", i), withCredentials("sick"), in))
			}
			w.Eventually(func() error {
				asked := map[string]bool{}
				for _, r := range w.cloud.Requests() {
					asked[r.Region] = r.SecretID == sick.SecretID
				}
				if len(asked) < 3 {
					return fmt.Errorf("the sick queries have asked in %d regions, waiting for 3", len(asked))
				}
				return nil
			})

			w.Create(newQuery("healthy"))
			w.UntilSynced("healthy")
			for range 3 {
				w.Poll("healthy")
			}
			query := w.UntilSynced("healthy")
			if got := ptr.Deref(query.Status.ImageCount, 0); got != 1 {
				t.Errorf("the healthy query has %d images, want 1", got)
			}
			for i := range 3 {
				if query := w.Query(fmt.Sprint("sick-", i)); query.Status.SyncedGeneration != 0 {
					t.Errorf("a sick query was synced, so this test shows nothing: %s", kit.Describe(query))
				}
			}
		})
	}
}

// Any fields of an image can be stored by the API server, and other images aren't delayed.
func TestOddFactsAreStored(t *testing.T) {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	w := newWorld(t)
	odd := []cvmtest.Image{
		{ImageID: "img-00000001", ImageName: "nul\x00 esc\x1b[31m bidi\u202e crlf\r\nend", ImageDescription: "\u2028\u2066"},
		{ImageID: "img-00000002", ImageName: strings.Repeat("镜", 64<<10/3), ImageDescription: strings.Repeat("x", 64<<10)},
		{ImageID: "img-00000003", Raw: map[string]json.RawMessage{"ImageName": raw("\"a\xff\xfeb\"")}},
		{
			ImageID: "img-00000004", ImageState: "EXPLODED", ImageType: "MARKET_IMAGE", Architecture: "riscv64", Platform: "镜 / OS",
			ImageSource: "?", LicenseType: "?",
		},
		{ImageID: "img-00000005", CreatedTime: new("yesterday")},
		{ImageID: "img-00000006", CreatedTime: new("2999-01-01T00:00:00Z")},
		{ImageID: "img-00000007", CreatedTime: new("9999-12-31T23:59:59-00:01")},
		{ImageID: "img-00000008", Raw: map[string]json.RawMessage{
			"ImageSize": raw("-9223372036854775808"), "SnapshotSet": raw(`[null,{}]`), "Tags": raw(`[null,{},{"Key":"k"}]`),
		}},
		{ImageID: "img-00000009", Absent: []string{
			"OsName", "ImageType", "CreatedTime", "ImageName", "ImageDescription", "ImageSize", "Architecture", "ImageState", "Platform",
			"ImageCreator", "ImageSource", "SyncPercent", "IsSupportCloudinit", "SnapshotSet", "Tags", "LicenseType", "ImageFamily",
			"ImageDeprecated",
		}},
		{ImageID: "img-unfit001", Raw: map[string]json.RawMessage{"ImageId": raw(`"../../etc/passwd"`)}},
		{ImageID: "img-unfit002", Raw: map[string]json.RawMessage{"ImageId": raw(`""`)}},
	}
	for n := range 1000 {
		odd[0].Tags = append(odd[0].Tags, cvmtest.Tag{Key: fmt.Sprintf("%d\u202e", n), Value: strings.Repeat("v", 300)})
	}
	for i := range odd {
		odd[i].Owner = cvmtest.DefaultCredential.UIN
	}
	w.cloud.Put(region, odd...)
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) { s.Filters = nil }))
	first := w.UntilSynced("golden").Status
	if got := len(w.Images("")); got != 9 {
		t.Errorf("%d CloudImages, want 9", got)
	}
	message := meta.FindStatusCondition(first.Conditions, imagev1alpha1.ConditionReady).Message
	if !strings.Contains(message, "2 entries without a valid image id were skipped") {
		t.Errorf("the message does not tell of the skipped entries: %s", message)
	}
	if got := w.Image("ap-guangzhou-img-00000001").Image.Name; got != "nul esc[31m bidi crlfend" {
		t.Errorf("the name is %q", got)
	}
	got := w.Image("ap-guangzhou-img-00000004").Image
	if got.State != "EXPLODED" || got.Type != "MARKET_IMAGE" || got.Architecture != "riscv64" {
		t.Errorf("unknown words were not kept: %+v", got)
	}
	if newest := first.Images[0].ImageID; newest != "img-00000006" {
		t.Errorf("the newest is %s", newest)
	}

	// Once stored, they stay unchanged: nothing is written again.
	w.writes.take()
	w.Poll("golden")
	if writes := w.writes.take(); slices.ContainsFunc(writes, func(s string) bool { return strings.Contains(s, "cloudimages") }) {
		t.Errorf("an unchanged poll wrote %v", writes)
	}
	if again := w.UntilSynced("golden").Status; again.Revision != first.Revision {
		t.Error("the revision moved although nothing changed")
	}
}

// The Secret gets another account's keys between two pages. The running listing stays with the first account. The next
// one shows an account without these images, and their removal is blocked.
func TestKeysOfAnotherAccountBetweenTwoPagesRemoveNothing(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, cvmtest.PrivateImages(7, 150, cvmtest.DefaultCredential.UIN)...)
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")
	other := cvmtest.Credential{SecretID: "AKIDother", SecretKey: "o", UIN: "100000000002"}
	w.cloud.SetCredential(other)
	w.cloud.ResetRequests()
	w.writes.take()

	var once sync.Once
	w.cloud.OnRequest(func(r cvmtest.Request) {
		if r.Page == 1 {
			once.Do(func() { w.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, other) })
		}
	})
	w.Poll("golden")
	w.UntilQuery("golden", "the other account has been asked", func(q *imagev1alpha1.ImageQuery) bool {
		return strings.Contains(kit.Ready(q).Message, imagev1alpha1.ReasonTooFewImages)
	})
	if got := len(w.Images("")); got != 150 {
		t.Errorf("%d CloudImages are left of 150", got)
	}
	if writes := w.writes.take(); slices.ContainsFunc(writes, func(s string) bool { return strings.Contains(s, "cloudimages") }) {
		t.Errorf("CloudImages were written: %v", writes)
	}
	for i, r := range w.cloud.Requests() {
		if want := map[bool]string{true: cvmtest.DefaultCredential.SecretID, false: other.SecretID}[i < 2]; r.SecretID != want {
			t.Errorf("request %d, page %d, was made as %s, want %s", i, r.Page, r.SecretID, want)
		}
	}
}

// A query is suspended while the cloud is asked whether an image is gone. After that, nothing is requested, written or
// deleted.
func TestSuspendingDuringAPollEndsIt(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1), newImage(2))
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")
	w.cloud.Delete(region, newImage(1).ImageID)
	w.writes.take()
	w.cloud.OnRequest(func(r cvmtest.Request) {
		if len(r.ImageIDs) > 0 {
			w.Patch("golden", `{"spec":{"suspend":true}}`)
		}
	})
	w.Patch("golden", `{"metadata":{"annotations":{"imagecatalog.dev/requestedAt":"now"}}}`)
	w.UntilReady("golden", metav1.ConditionTrue, imagev1alpha1.ReasonSuspended)
	w.idle()
	if got := len(w.Images("")); got != 2 {
		t.Errorf("%d CloudImages are left of 2", got)
	}
	if writes := w.writes.take(); !slices.Equal(writes, []string{"PUT imagequeries/golden/status"}) {
		t.Errorf("writes: %v, want the one that says Suspended", writes)
	}
	if pages, byID := w.listings(); byID != 1 {
		t.Errorf("%d pages and %d requests by id, want none after the suspension", pages, byID)
	}
}

// Each first listing lacks an existing image.
func TestAFlappingImageMakesNoStorm(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1), newImage(2))
	w.Create(newQuery("golden"))
	before := w.UntilSynced("golden").Status
	w.writes.take()
	for range 5 {
		remove := w.cloud.Inject(cvmtest.Fault{Listing: true, DropImages: 1, TotalDelta: -1, Times: 1})
		w.Poll("golden")
		remove()
		w.Poll("golden")
	}
	for _, write := range w.writes.take() {
		if write != "PUT imagequeries/golden/status" { // the echo of the request
			t.Errorf("a flapping image caused %s", write)
		}
	}
	if after := w.UntilSynced("golden").Status; after.Revision != before.Revision {
		t.Error("the revision moved although nothing changed")
	}
}

// All listings of every second poll lack the image. It is in its grace period then, and no object is created or
// deleted.
func TestAnImageThatIsMissingInEverySecondPollIsNotCreatedAnew(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1), newImage(2))
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")
	uid := w.Image(objectName(1)).UID
	w.writes.take()
	for range 3 {
		remove := w.cloud.Inject(cvmtest.Fault{Listing: true, DropImages: 1, TotalDelta: -1})
		w.Poll("golden")
		remove()
		w.Poll("golden")
	}
	for _, write := range w.writes.take() {
		if strings.HasPrefix(write, "POST") || strings.HasPrefix(write, "DELETE") {
			t.Errorf("a flapping image caused %s", write)
		}
	}
	got := w.Image(objectName(1))
	if got.UID != uid || got.Lifecycle.Presence != imagev1alpha1.PresencePresent || got.Lifecycle.DeleteAfter != nil {
		t.Errorf("in the end it is %+v", got.Lifecycle)
	}
}

// Complete listings that lack many images, twice, and no images by id: this looks like an emptied or another account.
func TestImagesThatVanishTogetherStay(t *testing.T) {
	for name, left := range map[string]int{"all of them": 0, "most of them": 4} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			inventory := cvmtest.PrivateImages(7, 12, cvmtest.DefaultCredential.UIN)
			w.cloud.Put(region, inventory...)
			w.Create(newQuery("golden", withoutGrace, func(s *imagev1alpha1.ImageQuerySpec) { s.MinImages = ptr.To[int32](0) }))
			before := w.UntilSynced("golden").Status
			w.writes.take()
			w.cloud.Clear(region)
			w.cloud.Put(region, inventory[:left]...)
			for range 3 {
				w.Poll("golden")
			}
			query := w.UntilReady("golden", metav1.ConditionTrue, imagev1alpha1.ReasonRemovalBlocked)
			blocked := kit.Condition(query, imagev1alpha1.ConditionRemovalBlocked)
			if blocked.Status != metav1.ConditionTrue || len(query.Status.Images) != len(before.Images) {
				t.Errorf("nothing holds the removal back: %s", kit.Describe(query))
			}
			if got := len(w.Images("")); got != 12 {
				t.Errorf("%d CloudImages are left of 12", got)
			}
			if writes := w.writes.take(); slices.ContainsFunc(writes, func(s string) bool { return strings.HasPrefix(s, "DELETE") }) {
				t.Errorf("writes: %v", writes)
			}
		})
	}
}

// A listing with a count that disagrees with its images, twice, shows what exists, but not what doesn't: even an image
// that is really gone stays.
func TestAListingThatDoesNotAddUpRemovesNothing(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1), newImage(2))
	w.Create(newQuery("golden", withoutGrace))
	w.UntilSynced("golden")
	w.cloud.Delete(region, newImage(1).ImageID)
	w.cloud.Inject(cvmtest.Fault{Listing: true, TotalDelta: 1})
	query := w.Poll("golden")
	if got := len(w.Images("")); got != 2 || len(query.Status.Images) != 2 {
		t.Errorf("%d CloudImages and %d images in status are left of 2: %s", got, len(query.Status.Images), kit.Describe(query))
	}
}
