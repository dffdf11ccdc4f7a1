// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// The results of a poll with a faulty listing.
const (
	settles    = ""                                    // the second reading is complete
	nothing    = "nothing was removed"                 // both readings agree: additions only
	incomplete = imagev1alpha1.ReasonIncompleteListing // the listing is discarded
	fails      = imagev1alpha1.ReasonUnavailable
)

type spoilt struct {
	fault cvmtest.Fault
	want  string
}

// listings runs a row with faults that make the pages of a listing inconsistent. No image leaves.
func listings(t *testing.T, row, images int, cases map[string]spoilt) {
	t.Helper()
	w := synced(t, row, images)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := w.catalogue(golden)
			w.cloud.Inject(tc.fault)
			query := w.Poll(golden)
			if message := kit.Ready(query).Message; !strings.Contains(message, tc.want) {
				t.Errorf("the message doesn't say %q: %s", tc.want, message)
			}
			w.kept(golden, before)
			w.cloud.Heal()
		})
	}
	w.heals(golden)
}

func TestFault16APageFails(t *testing.T) {
	listings(t, 16, 310, map[string]spoilt{
		"the second":           {cvmtest.Fault{Page: 2, Code: "InternalError"}, fails},
		"the third, once":      {cvmtest.Fault{Page: 3, Times: 1, Code: "InternalError"}, fails},
		"the last is cut":      {cvmtest.Fault{Page: 4, CutAfter: 100}, fails},
		"the second is denied": {cvmtest.Fault{Page: 2, Times: 1, Code: "UnauthorizedOperation"}, imagev1alpha1.ReasonPermissionDenied},
		"the third is empty":   {cvmtest.Fault{Page: 3, Body: new(`{}`)}, incomplete},
	})
}

func TestFault17TheCountChangesBetweenPages(t *testing.T) {
	listings(t, 17, 310, map[string]spoilt{
		"once":                 {cvmtest.Fault{Page: 2, Times: 1, TotalDelta: 1}, settles},
		"for good":             {cvmtest.Fault{Page: 2, TotalDelta: 1}, nothing},
		"it is less, for good": {cvmtest.Fault{FromPage: 3, TotalDelta: -40}, incomplete},
	})
}

func TestFault18ImagesTwice(t *testing.T) {
	listings(t, 18, 310, map[string]spoilt{
		"on the second page":                   {cvmtest.Fault{Page: 2, DuplicateImages: 7}, settles},
		"instead of the last page's own, once": {cvmtest.Fault{Page: 4, DuplicateImages: 7, Times: 1}, settles},
		"within the first page":                {cvmtest.Fault{Page: 1, DuplicateImages: 7}, settles},
	})
}

func TestFault19AnImageIsSkippedBetweenPages(t *testing.T) {
	listings(t, 19, 310, map[string]spoilt{
		"one, once":           {cvmtest.Fault{Page: 1, DropImages: 1, Times: 1}, settles},
		"one, in each page":   {cvmtest.Fault{DropImages: 1}, settles},
		"three, for good":     {cvmtest.Fault{Page: 4, DropImages: 3}, settles},
		"all of a page":       {cvmtest.Fault{Page: 3, DropImages: 100, Times: 1}, settles},
		"and not counted":     {cvmtest.Fault{Page: 1, DropImages: 2, TotalDelta: -2, Times: 1}, settles},
		"a short list, whole": {cvmtest.Fault{Listing: true, TotalCount: new(int64(50))}, nothing},
	})
}

func TestFault20ShortPages(t *testing.T) {
	listings(t, 20, 210, map[string]spoilt{
		"all of them": {cvmtest.Fault{Short: 60}, settles},
		"one, once":   {cvmtest.Fault{Page: 2, Short: 60, Times: 1}, settles},
		"one image":   {cvmtest.Fault{Short: 1}, incomplete},
	})
}

func TestFault21OffsetIsIgnored(t *testing.T) {
	w := synced(t, 21, 310)
	before, asked := w.catalogue(golden), w.asked()
	w.cloud.Inject(cvmtest.Fault{Listing: true, IgnoreOffset: true})
	w.Poll(golden)
	w.kept(golden, before)
	// Four pages, read twice, with one more request for each reading that lacks images.
	if requests := w.asked() - asked; requests > 12 {
		t.Errorf("the poll asked %d times for a listing of 4 pages", requests)
	}
	w.heals(golden)
}

func TestFault22ImpossibleCountsAndSets(t *testing.T) {
	listings(t, 22, 3, map[string]spoilt{
		"TotalCount null":  {member("TotalCount", `null`), incomplete},
		"negative":         {member("TotalCount", `-1`), incomplete},
		"1e12":             {member("TotalCount", `1000000000000`), incomplete},
		"ImageSet null":    {member("ImageSet", `null`), incomplete},
		"an image is null": {cvmtest.Fault{NullImages: 1}, incomplete},
		"ImageSet [null]":  {member("ImageSet", `[null]`), incomplete},
	})
}

// blocked fails unless removals are blocked. The returned command approves them.
func (w *world) blocked(name string, before catalogue) string {
	w.t.Helper()
	query := w.Poll(name)
	w.kept(name, before)
	blocked := kit.Condition(query, imagev1alpha1.ConditionRemovalBlocked)
	if blocked.Status != metav1.ConditionTrue || !strings.HasPrefix(blocked.Message, "kubectl annotate imagequery "+name) {
		w.t.Fatalf("RemovalBlocked is %+v, want True, and the command that approves", blocked)
	}
	return blocked.Message
}

// approve runs the command in a message.
func (w *world) approve(command string) {
	w.t.Helper()
	w.Kubectl("", strings.Fields(command)[1:]...)
}

func TestFault23AnEmptyAnswerAfterManyImages(t *testing.T) {
	w := synced(t, 23, 12)
	before := w.catalogue(golden)
	inventory := w.cloud.Images(region)
	w.cloud.Clear(region)
	query := w.Poll(golden)
	w.kept(golden, before)
	if ready := kit.Ready(query); !strings.Contains(ready.Message, imagev1alpha1.ReasonTooFewImages) {
		t.Errorf("Ready is %+v", ready)
	}
	w.cloud.Put(region, inventory...)
	w.heals(golden)

	// With minImages 0 an empty list is complete, and the breaker blocks the removal.
	w.Patch(golden, `{"spec":{"minImages":0,"removal":{"gracePeriod":"0s"}}}`)
	w.UntilSynced(golden)
	before = w.catalogue(golden)
	w.cloud.Clear(region)
	command := w.blocked(golden, before)
	w.blocked(golden, before) // and stays blocked at the next listing
	w.approve(command)
	w.UntilReady(golden, metav1.ConditionTrue, imagev1alpha1.ReasonNoImagesMatched)
	if left := len(w.Images("")); left != 0 {
		t.Errorf("%d CloudImages are left after somebody approved", left)
	}
}

func TestFault24ManyImagesVanishAtOnce(t *testing.T) {
	w := synced(t, 24, 12)
	w.Patch(golden, `{"spec":{"removal":{"gracePeriod":"0s"}}}`)
	w.UntilSynced(golden)
	before := w.catalogue(golden)
	inventory := w.cloud.Images(region)
	ids := w.cloudIDs()
	w.cloud.Delete(region, ids[:7]...) // 58 %
	command := w.blocked(golden, before)

	// The images are back: the catalogue is unchanged.
	w.cloud.Put(region, inventory...)
	w.heals(golden)
	if c := kit.Condition(w.Query(golden), imagev1alpha1.ConditionRemovalBlocked); c.Type != "" {
		t.Errorf("RemovalBlocked stays: %+v", c)
	}
	// An approval covers only the images that it names, not later removals.
	w.cloud.Delete(region, ids[1:9]...)
	w.blocked(golden, w.catalogue(golden))
	w.approve(command)
	command = w.blocked(golden, w.catalogue(golden))
	w.approve(command)
	w.UntilSynced(golden)
	w.heals(golden)

	// Below the percentage, images leave without approval.
	w.cloud.Delete(region, w.cloudIDs()[0])
	w.heals(golden)
}

func TestFault25AnImageFlaps(t *testing.T) {
	w := synced(t, 25, 12)
	flapping := w.cloud.Images(region)[3]
	name := fmt.Sprintf("%s-%s", region, flapping.ImageID)
	uid := w.Images("")[name].UID
	for range 4 {
		w.cloud.Delete(region, flapping.ImageID)
		w.Poll(golden)
		w.cloud.Put(region, flapping)
		w.Poll(golden)
	}
	if now := w.Images("")[name].UID; now != uid {
		t.Errorf("the object was deleted and created anew: its uid was %s and is %s", uid, now)
	}
	for _, r := range w.api.Writes() {
		if r.Name == name && r.Verb == "delete" {
			t.Error("the object was deleted within its grace period")
		}
	}
	// What only one listing lacks, and the answer by id has, does not even change.
	before := w.catalogue(golden)
	for range 3 {
		w.cloud.Inject(cvmtest.Fault{Listing: true, DropImages: 1, TotalDelta: -1, Times: 1})
		w.Poll(golden)
		w.cloud.Heal()
	}
	w.kept(golden, before)
	if query := w.Query(golden); ptr.Deref(query.Status.ImageCount, 0) != 12 {
		t.Errorf("imageCount is %d", ptr.Deref(query.Status.ImageCount, 0))
	}
	w.heals(golden)
}
