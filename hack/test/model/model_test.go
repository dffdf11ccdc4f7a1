// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/image-catalog/image-catalog-operator/hack/test/model"
)

// private returns private images of one account with the numbers, which also are their ages: a larger one is newer.
func private(numbers ...int) []model.Image {
	var out []model.Image
	for _, n := range numbers {
		out = append(out, model.Image{
			ID: fmt.Sprintf("img-%d", n), Name: fmt.Sprintf("node-%d", n), Architecture: "amd64", Type: "PRIVATE_IMAGE",
			Creator: "1", State: "NORMAL", Created: int64(n),
		})
	}
	return out
}

func all(images []model.Image) model.Listing { return model.Listing{Shown: images, Exist: images} }

func changed(images []model.Image, change func(*model.Image)) []model.Image {
	out := slices.Clone(images)
	for i := range out {
		change(&out[i])
	}
	return out
}

func spec(change func(*model.Spec)) model.Spec {
	s := model.Spec{Region: "r", Limit: 1, Policy: "All", MaxRemovedPercent: 50}
	if change != nil {
		change(&s)
	}
	return s
}

// short formats a status: the selection, other members, and what leaves.
func short(s model.State) string {
	status := s.Status()
	out := []string{status.Ready + "/" + status.SelectedReason, strings.Join(status.Selected, "+")}
	for _, image := range status.Images {
		out = append(out, strings.TrimPrefix(image, "img-"))
	}
	if len(status.Removing) > 0 {
		out = append(out, "removing "+strings.Join(status.Removing, "+"))
	}
	return strings.ReplaceAll(strings.Join(out, ", "), "img-", "")
}

func TestLives(t *testing.T) {
	six := private(1, 2, 3, 4, 5, 6)
	none := func(*model.Spec) {}
	grace := func(s *model.Spec) { s.Grace = true }
	poll := func(l model.Listing) func(model.State) model.State {
		return func(s model.State) model.State { return s.Poll(l) }
	}
	edit := func(change func(*model.Spec)) func(model.State) model.State {
		return func(s model.State) model.State {
			next := s.Spec
			change(&next)
			return s.Edit(next)
		}
	}
	type events = []func(model.State) model.State
	for name, tc := range map[string]struct {
		spec   func(*model.Spec)
		events events
		want   string
	}{
		"the newest is selected": {none, events{poll(all(six[:2]))}, "Synced/Selected, 2, 2 Selected, 1 NotNewest"},
		"nothing matched":        {none, events{poll(all(nil))}, "NoImagesMatched/NothingSelected, "},
		"one of many leaves at once without a grace period": {
			none, events{poll(all(six[:3])), poll(all(six[1:3]))}, "Synced/Selected, 3, 3 Selected, 2 NotNewest",
		},
		"one of many leaves with a grace period": {
			grace, events{poll(all(six[:3])), poll(all(six[1:3]))}, "Synced/Selected, 3, 3 Selected, 2 NotNewest, removing 1",
		},
		"it comes back": {
			grace, events{poll(all(six[:2])), poll(all(six[1:2])), poll(all(six[:2]))}, "Synced/Selected, 2, 2 Selected, 1 NotNewest",
		},
		"all vanish": {
			none, events{poll(all(six[:2])), poll(all(nil))}, "RemovalBlocked/Kept, 2, 2 Missing, 1 Missing",
		},
		"all vanish, and a person approves": {
			none, events{poll(all(six[:2])), poll(all(nil)), model.State.Approve, poll(all(nil))}, "NoImagesMatched/NothingSelected, ",
		},
		"an approval is for what it names": {
			none, events{poll(all(six[:3])), poll(all(nil)), model.State.Approve, poll(all(six[:1]))}, "Synced/Selected, 1, 1 Selected",
		},
		"all are replaced": {
			none, events{poll(all(six[:3])), poll(all(six[3:]))}, "Synced/Selected, 6, 6 Selected, 5 NotNewest, 4 NotNewest",
		},
		"all are replaced by another creator's": {
			none,
			events{poll(all(six[:3])), poll(all(changed(six[3:], func(i *model.Image) { i.Creator = "2" })))},
			"RemovalBlocked/Kept, 3, 6 HeldBack, 5 HeldBack, 4 HeldBack, 3 Missing, 2 Missing, 1 Missing",
		},
		"four of six in small steps don't trip": {
			grace, events{poll(all(six)), poll(all(six[2:])), poll(all(six[4:]))},
			"Synced/Selected, 6, 6 Selected, 5 NotNewest, removing 1+2+3+4",
		},
		"five of six in small steps do": {
			grace, events{poll(all(six)), poll(all(six[2:])), poll(all(six[5:]))},
			"RemovalBlocked/Selected, 6, 6 Selected, 5 Missing, 4 Missing, 3 Missing, removing 1+2",
		},
		"maxRemovedPercent 100 is off": {
			func(s *model.Spec) { s.MaxRemovedPercent = 100 }, events{poll(all(six)), poll(all(nil))}, "NoImagesMatched/NothingSelected, ",
		},
		"a listing that contradicts itself removes nothing": {
			none, events{poll(all(six[:2])), poll(model.Listing{Shown: six[2:3], Exist: six, Unsettled: true})},
			"Synced/Kept, 2, 3 NotNewest, 2 Missing, 1 Missing",
		},
		"a selected image is no longer NORMAL": {
			none, events{poll(all(six[:2])), poll(all(append(changed(six[1:2], func(i *model.Image) { i.State = "SYNCING" }), six[0])))},
			"Synced/Kept, 2, 2 Selected, 1 NotNewest",
		},
		"a new image is not NORMAL": {
			none, events{poll(all(six[:1])), poll(all(append(changed(six[1:2], func(i *model.Image) { i.State = "SYNCING" }), six[0])))},
			"Synced/Selected, 1, 2 NotNormal, 1 Selected",
		},
		"shared images are not selected": {
			none, events{poll(all(changed(six[:1], func(i *model.Image) { i.Type = "SHARED_IMAGE" })))},
			"Synced/NothingSelected, , 1 UntrustedCreator",
		},
		"shared images of a trusted creator are": {
			func(s *model.Spec) { s.Trusted = []string{"1"} },
			events{poll(all(changed(six[:1], func(i *model.Image) { i.Type = "SHARED_IMAGE" })))}, "Synced/Selected, 1, 1 Selected",
		},
		"a pin": {
			func(s *model.Spec) { s.Pin = []string{"img-1"} }, events{poll(all(six[:2]))}, "Synced/Selected, 1, 2 NotNewest, 1 Selected",
		},
		"two of each architecture": {
			func(s *model.Spec) { s.Limit = 2 },
			events{poll(all(append(changed(six[:3], func(i *model.Image) { i.Architecture = "arm64" }), six[3:]...)))},
			"Synced/Selected, 6+5+3+2, 6 Selected, 5 Selected, 4 NotNewest, 3 Selected, 2 Selected, 1 NotNewest",
		},
		"an exclusion of a suspended query acts at once": {
			none, events{
				poll(all(six[:2])), edit(func(s *model.Spec) { s.Suspend = true }), edit(func(s *model.Spec) { s.Exclude = []string{"img-2"} }),
			},
			"Suspended/Selected, 1, 1 Selected",
		},
		"names that match no longer are approved by the edit": {
			none, events{poll(all(six)), edit(func(s *model.Spec) { s.NameRegex = "node-6" }), poll(all(six))},
			"Synced/Selected, 6, 6 Selected",
		},
		"another region is another catalogue": {
			grace, events{poll(all(six)), edit(func(s *model.Spec) { s.Region = "s" })}, "Progressing/Progressing, ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			state := model.NewState(spec(tc.spec), model.Record{})
			for _, event := range tc.events {
				state = event(state)
			}
			if got := short(state); got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

func TestObjects(t *testing.T) {
	first := model.NewState(spec(func(s *model.Spec) { s.Grace = true }), model.Record{}).Poll(all(private(1, 2))).Poll(all(private(2)))
	second := model.NewState(spec(func(s *model.Spec) { s.Policy = "Selected" }), model.Record{}).Poll(all(private(1)))
	guest := model.NewState(spec(func(s *model.Spec) { s.Account = "acct2" }), model.Record{}).Poll(all(private(1)))
	got := model.Objects(map[string]model.State{"first": first, "second": second, "guest": guest})
	want := map[string]string{
		"r-img-1": "map[second:selected] [first second] [first] true", "r-img-2": "map[first:selected] [first] [] true",
		"acct2.r-img-1": "map[guest:selected] [guest] [] true",
	}
	if len(got) != len(want) {
		t.Errorf("%d objects, want %d", len(got), len(want))
	}
	for name, o := range got {
		if is := fmt.Sprint(o.Labels, o.Owners, o.Leaving, o.Present); is != want[name] {
			t.Errorf("%s is %s, want %s", name, is, want[name])
		}
	}
}

func TestConfigMaps(t *testing.T) {
	arm := changed(private(2), func(i *model.Image) { i.Architecture = "arm64" })
	state := model.NewState(spec(nil), model.Record{}).Poll(all(append(private(1, 3), arm...)))
	lost := state.Poll(all(private(1, 3)))
	for name, tc := range map[string]struct {
		record model.Record
		exists bool
		want   string
	}{
		"one of each architecture": {state.Record, true, "map[image_id_amd64:img-3 image_id_arm64:img-2] Current"},
		"the cloud lost one":       {lost.Record, true, "map[image_id_amd64:img-3 image_id_arm64:img-2] Kept"},
		"the query was deleted":    {state.Record, false, "map[image_id_amd64:img-3 image_id_arm64:img-2] Kept"},
		"an edit ruled the lost one out": {
			lost.Edit(spec(func(s *model.Spec) { s.Exclude = []string{"img-2"} })).Record, true, "map[image_id:img-3 image_id_amd64:img-3] Current",
		},
		"nothing was ever selected": {model.Record{}, true, "map[] "},
	} {
		t.Run(name, func(t *testing.T) {
			got := tc.record.ConfigMap(tc.exists)
			if is := fmt.Sprint(got.Data, " ", got.State); is != tc.want {
				t.Errorf("got %s, want %s", is, tc.want)
			}
		})
	}
}
