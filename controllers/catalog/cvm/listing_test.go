// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// newer returns images other than private's, as if created while a listing is read.
func newer(n int) []cvmtest.Image {
	return cvmtest.PrivateImages(99, n, cvmtest.DefaultCredential.UIN)
}

func TestAListingTakesAsManyRequestsAsItHasPages(t *testing.T) {
	s := start(t, cvmtest.Options{})
	c := connect(t, s)
	for images, want := range map[int][]int64{
		0: {0}, 1: {0}, 99: {0}, 100: {0}, 101: {0, 100}, 200: {0, 100}, 201: {0, 100, 200}, 408: {0, 100, 200, 300, 400},
	} {
		s.Clear(region)
		s.Put(region, private(images)...)
		s.ResetRequests()
		got := mustList(t, c, everything)
		if len(got.Images) != images || got.Inconsistent || got.Skipped != 0 {
			t.Errorf("%d images, inconsistent %t, want %d", len(got.Images), got.Inconsistent, images)
		}
		if diff := cmp.Diff(want, offsets(s)); diff != "" {
			t.Errorf("offsets for %d images (-want +got):\n%s", images, diff)
		}
	}
}

// A listing is read at most twice: with concurrent pages, and page after page if the first reading is inconsistent.
func TestAListingIsCompleteOrAnError(t *testing.T) {
	// change returns a hook that changes the cloud on the given requests for a page, counted from 1.
	change := func(page int, calls []int, f func(s *cvmtest.Server, call int)) func(*cvmtest.Server) func(cvmtest.Request) {
		return func(s *cvmtest.Server) func(cvmtest.Request) {
			var mu sync.Mutex
			call := 0
			return func(r cvmtest.Request) {
				mu.Lock()
				defer mu.Unlock()
				if r.Page != page {
					return
				}
				if call++; slices.Contains(calls, call) {
					f(s, call)
				}
			}
		}
	}
	const consistent, inconsistent = false, true
	type result struct {
		images       int
		inconsistent bool
		kind         catalog.Kind
	}
	for name, tc := range map[string]struct {
		images int // 150 if not said
		faults []cvmtest.Fault
		hook   func(*cvmtest.Server) func(cvmtest.Request)
		want   result
		// offsets are the sorted offsets of all requests.
		offsets []int64
		message string
	}{
		"TotalCount drifts once": {
			faults:  []cvmtest.Fault{{Page: 2, Times: 1, TotalDelta: 1}},
			want:    result{150, consistent, ""},
			offsets: []int64{0, 0, 100, 100},
		},
		"TotalCount differs between pages for good, with the same images": {
			faults:  []cvmtest.Fault{{Page: 2, TotalDelta: 1}},
			want:    result{150, inconsistent, ""},
			offsets: []int64{0, 0, 100, 100, 150},
		},
		"an image is removed between two pages, once": {
			hook:    change(2, []int{1}, func(s *cvmtest.Server, _ int) { s.Delete(region, private(1)[0].ImageID) }),
			want:    result{149, consistent, ""},
			offsets: []int64{0, 0, 100, 100},
		},
		"an image is inserted between two pages, once": {
			hook:    change(2, []int{1}, func(s *cvmtest.Server, _ int) { s.Put(region, newer(1)...) }),
			want:    result{151, consistent, ""},
			offsets: []int64{0, 0, 100, 100},
		},
		"one image replaces another between two pages, once": {
			hook: change(2, []int{1}, func(s *cvmtest.Server, _ int) {
				s.Delete(region, private(150)[149].ImageID)
				s.Put(region, newer(1)...)
			}),
			want:    result{150, consistent, ""},
			offsets: []int64{0, 0, 100, 100},
		},
		"images are removed in both readings": {
			hook:    change(2, []int{1, 2}, func(s *cvmtest.Server, call int) { s.Delete(region, private(call)[call-1].ImageID) }),
			want:    result{kind: catalog.Incomplete},
			offsets: []int64{0, 0, 100, 100},
			message: "the cloud's list of images changed while it was read, twice in a row",
		},
		"images are inserted in both readings": {
			hook:    change(2, []int{1, 2}, func(s *cvmtest.Server, call int) { s.Put(region, newer(2)[call-1]) }),
			want:    result{kind: catalog.Incomplete},
			offsets: []int64{0, 0, 100, 100, 151},
			message: "the cloud's list of images changed while it was read, twice in a row",
		},
		"more is promised than listed, twice the same": {
			faults:  []cvmtest.Fault{{TotalCount: new(int64(153))}},
			want:    result{150, inconsistent, ""},
			offsets: []int64{0, 0, 100, 100, 150},
		},
		"more is promised than listed, once": {
			faults:  []cvmtest.Fault{{TotalCount: new(int64(153)), Times: 2}},
			want:    result{150, consistent, ""},
			offsets: []int64{0, 0, 100, 100},
		},
		"more is promised and nothing listed": {
			images:  -1,
			faults:  []cvmtest.Fault{{TotalCount: new(int64(3))}},
			want:    result{0, inconsistent, ""},
			offsets: []int64{0, 0},
		},
		"less is promised than listed, twice the same": {
			faults:  []cvmtest.Fault{{TotalCount: new(int64(50))}},
			want:    result{100, inconsistent, ""},
			offsets: []int64{0, 0},
		},
		"images are withheld from the first page, once": {
			faults:  []cvmtest.Fault{{Page: 1, DropImages: 3, Times: 1}},
			want:    result{150, consistent, ""},
			offsets: []int64{0, 0, 100, 100},
		},
		"the second reading is short of other images than the first": {
			faults:  []cvmtest.Fault{{Page: 1, Call: 1, DropImages: 3}, {Page: 2, Call: 2, DropImages: 3}, {Page: 2, Call: 3, DropImages: 3}},
			want:    result{kind: catalog.Incomplete},
			offsets: []int64{0, 0, 100, 100, 147},
			message: "the cloud's list of images changed while it was read, twice in a row",
		},
		"a page repeats what the one before ended with": {
			images:  250,
			faults:  []cvmtest.Fault{{Page: 2, DuplicateImages: 5}},
			want:    result{250, consistent, ""},
			offsets: []int64{0, 0, 100, 100, 195, 200},
		},
		"the last page repeats images in place of its own, once": {
			images:  200,
			faults:  []cvmtest.Fault{{Page: 2, DuplicateImages: 5, Times: 1}},
			want:    result{200, consistent, ""},
			offsets: []int64{0, 0, 100, 100},
		},
		"the first page repeats images in place of its own": {
			faults:  []cvmtest.Fault{{Page: 1, DuplicateImages: 5}},
			want:    result{150, consistent, ""}, // the second reading continues after the 95 known ids
			offsets: []int64{0, 0, 95, 100},
		},
		"pages are shorter than asked for": {
			faults:  []cvmtest.Fault{{Short: 60}},
			want:    result{150, consistent, ""},
			offsets: []int64{0, 0, 60, 100, 120},
		},
		"a short page before the end, once": {
			images:  250,
			faults:  []cvmtest.Fault{{Page: 2, Short: 60, Times: 1}},
			want:    result{250, consistent, ""},
			offsets: []int64{0, 0, 100, 100, 200, 200},
		},
		"Offset is ignored": {
			faults:  []cvmtest.Fault{{IgnoreOffset: true}},
			want:    result{100, inconsistent, ""},
			offsets: []int64{0, 0, 100, 100},
		},
		"Offset is ignored in the first reading": {
			faults:  []cvmtest.Fault{{IgnoreOffset: true, Times: 2}},
			want:    result{150, consistent, ""},
			offsets: []int64{0, 0, 100, 100},
		},
		"pages of one image do not go on for ever": {
			faults:  []cvmtest.Fault{{Short: 1}},
			want:    result{kind: catalog.Incomplete},
			offsets: []int64{0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 100},
			message: "the cloud's list of 150 images did not end after 15 pages",
		},
		// encoding/json, and thus the SDK, uses the last of several members with the same name, ignoring case.
		"TotalCount is there twice": {
			images:  1,
			faults:  []cvmtest.Fault{{Set: map[string]json.RawMessage{"totalcount": json.RawMessage("2")}}},
			want:    result{1, inconsistent, ""},
			offsets: []int64{0, 0, 1},
		},
		"ImageSet is there twice, and empty the second time": {
			images:  1,
			faults:  []cvmtest.Fault{{Set: map[string]json.RawMessage{"imageset": json.RawMessage("[]")}}},
			want:    result{0, inconsistent, ""},
			offsets: []int64{0, 0},
		},
		"page 2 fails": {
			faults:  []cvmtest.Fault{{Page: 2, Code: "InternalError"}},
			want:    result{kind: catalog.Unavailable},
			offsets: []int64{0, 100},
		},
		"page 2 fails once": {
			faults:  []cvmtest.Fault{{Page: 2, Code: "InternalError", Times: 1}},
			want:    result{kind: catalog.Unavailable},
			offsets: []int64{0, 100},
		},
		"page 2 is forbidden": {
			faults:  []cvmtest.Fault{{Page: 2, Code: "UnauthorizedOperation"}},
			want:    result{kind: catalog.Forbidden},
			offsets: []int64{0, 100},
		},
		"the second reading's first page fails": {
			faults:  []cvmtest.Fault{{Page: 2, Times: 1, TotalDelta: 1}, {Page: 1, Call: 2, Code: "InternalError"}},
			want:    result{kind: catalog.Unavailable},
			offsets: []int64{0, 0, 100},
		},
		"the second reading's second page fails": {
			faults:  []cvmtest.Fault{{Page: 2, Times: 1, TotalDelta: 1}, {Page: 2, Code: "InternalError"}},
			want:    result{kind: catalog.Unavailable},
			offsets: []int64{0, 0, 100, 100},
		},
		"the keys are withdrawn between two pages": {
			hook:    change(1, []int{1}, func(s *cvmtest.Server, _ int) { s.RemoveCredential(cvmtest.DefaultCredential.SecretID) }),
			want:    result{kind: catalog.Unauthenticated},
			offsets: []int64{0, 100},
		},
		"the cloud is emptied between two pages": {
			hook:    change(2, []int{1}, func(s *cvmtest.Server, _ int) { s.Clear(region) }),
			want:    result{0, consistent, ""},
			offsets: []int64{0, 0, 100},
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := tc.images
			if n == 0 {
				n = 150
			}
			s := start(t, cvmtest.Options{}, private(max(n, 0))...)
			for _, f := range tc.faults {
				s.Inject(f)
			}
			if tc.hook != nil {
				s.OnRequest(tc.hook(s))
			}
			c := connect(t, s)
			if tc.want.kind != "" {
				failure := mustFail(t, c, account, everything)
				if failure.Kind != tc.want.kind || (tc.message != "" && failure.Message != tc.message) {
					t.Errorf("%s: %s, want %s: %s", failure.Kind, failure.Message, tc.want.kind, tc.message)
				}
				wantConfidential(t, s, account, failure)
			} else {
				got := mustList(t, c, everything)
				if diff := cmp.Diff(tc.want, result{len(got.Images), got.Inconsistent, ""}, cmp.AllowUnexported(result{})); diff != "" {
					t.Errorf("listing (-want +got):\n%s", diff)
				}
				if there := idsAt(s); !got.Inconsistent && !slices.Equal(idsOf(got.Images), there) {
					t.Errorf("consistent with %d images, which are not the %d that are there", len(got.Images), len(there))
				}
			}
			if diff := cmp.Diff(tc.offsets, offsets(s)); diff != "" {
				t.Errorf("offsets of the requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEachPageOfALongListingCanFailIt(t *testing.T) {
	s := start(t, cvmtest.Options{}, private(408)...)
	c := connect(t, s)
	for page := 1; page <= 5; page++ {
		for name, f := range map[string]cvmtest.Fault{
			"an error": {Code: "InternalError"}, "a gateway's page": {Status: 502}, "a closed connection": {Hangup: true}, "{}": rawBody(`{}`),
			"null": rawBody(`null`),
		} {
			f.Page = page
			s.Inject(f)
			if listing, err := c.List(t.Context(), account, everything); err == nil || len(listing.Images) > 0 {
				t.Errorf("%s on page %d: %d images, %v", name, page, len(listing.Images), err)
			}
			s.Heal()
		}
	}
	if got := mustList(t, c, everything); len(got.Images) != 408 {
		t.Errorf("%d images after all was well again", len(got.Images))
	}
}

func TestPagesAreFetchedTogetherButNoMoreThanEight(t *testing.T) {
	const pages = 20
	s := start(t, cvmtest.Options{}, private(pages*100)...)
	// Each page but the first waits until eight, or all remaining ones, were requested. So eight are seen if eight are
	// sent.
	var mu sync.Mutex
	arrived, answered, most := 0, 0, 0
	changed := sync.NewCond(&mu)
	c := connect(t, s)
	c.transport = tap{next: c.transport, after: func([]byte) {
		mu.Lock()
		defer mu.Unlock()
		answered++
		changed.Broadcast()
	}}
	s.OnRequest(func(r cvmtest.Request) {
		mu.Lock()
		defer mu.Unlock()
		arrived++
		most = max(most, arrived-answered)
		changed.Broadcast()
		for r.Page > 1 && arrived < min(9, pages) {
			changed.Wait()
		}
	})
	if got := mustList(t, c, everything); len(got.Images) != pages*100 {
		t.Errorf("%d images", len(got.Images))
	}
	if most != 8 {
		t.Errorf("%d pages under way at once, want 8", most)
	}
}

func TestAnEmptiedCloudIsAnEmptyListing(t *testing.T) {
	s := start(t, cvmtest.Options{}, private(150)...)
	c := connect(t, s)
	mustList(t, c, everything)
	s.Clear(region)
	if got := mustList(t, c, everything); len(got.Images) != 0 || got.Inconsistent {
		t.Errorf("%+v, want an empty and consistent listing", got)
	}
}

// Counting can't detect this: an image before a page's edge is deleted and another one is added behind it, so the count
// stays the same and the image at the edge is missed. Therefore nothing may be removed because of one listing. The API
// lists new images first, so this doesn't happen for them.
func TestASwapAcrossAnEdgeIsBeyondWhatAListingCanKnow(t *testing.T) {
	s := start(t, cvmtest.Options{}, private(150)...)
	edge := s.Images(region)[100].ImageID
	s.OnRequest(func(r cvmtest.Request) {
		if r.Page == 2 {
			s.Delete(region, private(1)[0].ImageID)
			s.Put(region, cvmtest.PublicImages()[0]) // public ones come last
		}
	})
	got := mustList(t, connect(t, s), everything)
	if got.Inconsistent || slices.Contains(idsOf(got.Images), edge) {
		t.Error("the limit that this test describes is gone: say so in the comment of list")
	}
}

// If a listing counts as complete, it contains every image that existed throughout, and none that never existed,
// regardless of what is created and deleted while it is read.
func TestACompleteListingLacksNothingThatWasThereAllTheTime(t *testing.T) {
	s := start(t, cvmtest.Options{})
	c := connect(t, s)
	rapid.Check(t, func(t *rapid.T) {
		s.OnRequest(nil)
		s.Clear(region)
		s.Put(region, private(rapid.IntRange(95, 420).Draw(t, "images"))...)
		s.ResetRequests()
		ever := idsAt(s)
		lasting := map[string]bool{}
		for _, id := range ever {
			lasting[id] = true
		}
		// happening is what happens before the n-th answer: images at these places are deleted, and new ones are added.
		type happening struct {
			deletes []int
			inserts int
		}
		happenings := rapid.MapOfN(rapid.IntRange(1, 12), rapid.Custom(func(t *rapid.T) happening {
			h := happening{deletes: rapid.SliceOfN(rapid.IntRange(0, 500), 0, 3).Draw(t, "deletes")}
			// Usually the counts are equal, so that TotalCount doesn't change.
			h.inserts = len(h.deletes)
			if rapid.IntRange(0, 3).Draw(t, "other count") == 0 {
				h.inserts = rapid.IntRange(0, 3).Draw(t, "inserts")
			}
			return h
		}), 0, 4).Draw(t, "happenings")
		var mu sync.Mutex
		spare, call := newer(60), 0
		s.OnRequest(func(cvmtest.Request) {
			mu.Lock()
			defer mu.Unlock()
			call++
			h, ok := happenings[call]
			if !ok {
				return
			}
			there := s.Images(region)
			for _, at := range h.deletes {
				if at < len(there) {
					delete(lasting, there[at].ImageID)
					s.Delete(region, there[at].ImageID)
				}
			}
			for _, image := range spare[:h.inserts] {
				ever = append(ever, image.ImageID)
			}
			s.Put(region, spare[:h.inserts]...)
			spare = spare[h.inserts:]
		})
		listing, err := c.List(t.Context(), account, everything)
		s.OnRequest(nil)
		if err != nil || listing.Inconsistent {
			if kind := kindOf(err); err != nil && kind != catalog.Incomplete {
				t.Fatalf("%s: %v", kind, err)
			}
			return
		}
		got := map[string]bool{}
		for _, image := range listing.Images {
			if got[image.ID] {
				t.Fatalf("%s is there twice", image.ID)
			}
			got[image.ID] = true
			if !slices.Contains(ever, image.ID) {
				t.Fatalf("%s never existed", image.ID)
			}
		}
		for id := range lasting {
			if !got[id] {
				t.Fatalf("%s was there all the time and is not among the %d that are listed", id, len(got))
			}
		}
	})
}

func TestRequestsByIDArePagedTheSameWay(t *testing.T) {
	s := start(t, cvmtest.Options{}, private(100)...)
	ids := idsAt(s)
	got := mustList(t, connect(t, s), catalog.Query{Region: region, ImageIDs: ids})
	if len(got.Images) != 100 || got.Inconsistent {
		t.Errorf("%d images, inconsistent %t", len(got.Images), got.Inconsistent)
	}
	requests := s.Requests()
	if len(requests) != 1 || requests[0].Limit != 100 || strings.Join(requests[0].ImageIDs, ",") != strings.Join(ids, ",") {
		t.Errorf("requests: %+v", requests)
	}
}

// It is not known whether TotalCount counts before the filter by instance type. Both give a complete listing, with at
// most one more request.
func TestAnInstanceTypeMayBeCountedBeforeOrAfter(t *testing.T) {
	const fits, other = 120, 60
	images := private(fits + other)
	for i := range other {
		images[3*i].InstanceTypes = []string{"SR1.MEDIUM2"}
	}
	typed := catalog.Query{Region: region, InstanceType: "S5.MEDIUM2"}
	short := cvmtest.Fault{Page: 2, DropImages: 1}
	type result struct {
		images       int
		inconsistent bool
		requests     int
	}
	for name, tc := range map[string]struct {
		before bool
		faults []cvmtest.Fault
		want   result
	}{
		"counted after":                             {want: result{fits, false, 2}},
		"counted before":                            {before: true, want: result{fits, false, 3}},
		"an image is missing, once":                 {faults: []cvmtest.Fault{{Page: 2, DropImages: 1, Times: 1}}, want: result{fits, false, 5}},
		"an image is missing, twice":                {faults: []cvmtest.Fault{short}, want: result{fits - 1, true, 6}},
		"counted neither before nor after":          {faults: []cvmtest.Fault{{TotalDelta: 1}}, want: result{fits, true, 6}},
		"counted before, and the other count fails": {before: true, faults: []cvmtest.Fault{{Call: 3, Code: "InternalError"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, cvmtest.Options{CountBeforeInstanceType: tc.before}, images...)
			for _, f := range tc.faults {
				s.Inject(f)
			}
			c := connect(t, s)
			if tc.want == (result{}) {
				mustFail(t, c, account, typed)
				return
			}
			got := mustList(t, c, typed)
			if diff := cmp.Diff(tc.want, result{len(got.Images), got.Inconsistent, len(s.Requests())}, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, r := range s.Requests() {
				if (r.InstanceType == "") != (r.Limit == 1) {
					t.Errorf("limit %d with the instance type %q", r.Limit, r.InstanceType)
				}
			}
		})
	}
}

func TestAnIncompleteListingHintsAtTheInstanceType(t *testing.T) {
	s := start(t, cvmtest.Options{}, private(150)...)
	s.OnRequest(func(r cvmtest.Request) {
		if r.Page == 2 {
			s.Delete(region, s.Images(region)[0].ImageID)
		}
	})
	failure := mustFail(t, connect(t, s), account, catalog.Query{Region: region, InstanceType: "S5.MEDIUM2"})
	if failure.Kind != catalog.Incomplete || !strings.Contains(failure.Message, "spec.instanceType") {
		t.Errorf("%s: %v, want one that names spec.instanceType", failure.Kind, failure)
	}
}

// The API's page of DeleteImages has an id of nine characters.
func TestIDsMayBeLongerThanEight(t *testing.T) {
	image := private(1)[0]
	image.ImageID = "img-34vaef8fe"
	s := start(t, cvmtest.Options{}, image)
	c := connect(t, s)
	for name, query := range map[string]catalog.Query{
		"listed": everything, "by id": {Region: region, ImageIDs: []string{image.ImageID}},
		"by filter": {Region: region, Filters: []catalog.Filter{{Name: "image-id", Values: []string{image.ImageID}}}},
	} {
		if got := mustList(t, c, query); len(got.Images) != 1 || got.Skipped > 0 {
			t.Errorf("%s: %d images, %d skipped, want it", name, len(got.Images), got.Skipped)
		}
	}
}

func TestTheCreatorOfASharedImageIsReadWhateverItIs(t *testing.T) {
	const owner = cvmtest.StrangerUIN
	for mode, want := range map[cvmtest.SharedCreator]string{
		"": owner, cvmtest.CreatorAsShared: owner, cvmtest.CreatorSubAccount: cvmtest.SubAccount(owner), cvmtest.CreatorNull: "",
	} {
		s := start(t, cvmtest.Options{SharedCreator: mode},
			slices.Concat(private(1), cvmtest.SharedImages(2, 1, owner, cvmtest.DefaultCredential.UIN))...)
		got := map[string]string{}
		for _, image := range mustList(t, connect(t, s), everything).Images {
			got[image.Type] = image.Creator
		}
		if diff := cmp.Diff(map[string]string{cvmtest.TypePrivate: cvmtest.DefaultCredential.UIN, cvmtest.TypeShared: want}, got); diff != "" {
			t.Errorf("%q: creators (-want +got):\n%s", mode, diff)
		}
	}
}
