// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"fmt"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// imageView is everything about one image.
type imageView struct {
	imageRow

	Description                     string
	Facts                           []fact
	Tags                            []imagev1alpha1.Tag
	Snapshots                       []imagev1alpha1.Snapshot
	Leaving                         []leavingRow
	FirstSeen, Changed, DeleteAfter *moment
	Commands                        []command
}

// leavingRow is a query that the image left, and until when it keeps the object.
type leavingRow struct {
	Query        string
	Since, Until *moment
	Replaced     bool
}

func (s scene) imageView(image *imagev1alpha1.CloudImage) imageView {
	i := &image.Image
	v := imageView{
		imageRow: s.imageRow(image, newVerdicts(s.Query)), Description: i.Description, Facts: imageFacts(i), Tags: i.Tags, Snapshots: i.Snapshots,
		FirstSeen: momentOf(&image.Lifecycle.FirstSeenTime, s.now), Changed: momentOf(&image.Lifecycle.LastChangeTime, s.now),
		Commands: []command{{"See all of it", "kubectl get cloudimage " + image.Name + " -o yaml"}},
	}
	if image.Lifecycle.Presence != imagev1alpha1.PresencePresent {
		v.DeleteAfter = momentOf(image.Lifecycle.DeleteAfter, s.now)
	}
	v.Verdicts, v.More = s.verdictsOn(image, newVerdicts(s.Query)), 0
	for _, leaving := range image.Lifecycle.Leaving {
		v.Leaving = append(v.Leaving, leavingRow{
			leaving.Query, momentAt(leaving.Since.Time, s.now), momentAt(leaving.DeleteAfter.Time, s.now), leaving.Replaced,
		})
	}
	return v
}

// imageFacts are what the cloud reports of an image.
func imageFacts(i *imagev1alpha1.Image) []fact {
	return given([]fact{
		{"Image id", i.ID, true}, {"Region", i.Region, true}, {"Credentials", cmp.Or(i.Credentials, "the operator's default"), i.Credentials != ""},
		{"State", i.State, true}, {"Architecture", i.Architecture, true}, {"Platform", i.Platform, false}, {"Operating system", i.OSName, false},
		{"Type", i.Type, true}, {"Source", i.Source, true}, {"Creator", i.Creator, true}, {"Family", i.Family, true},
		{"Size", fmt.Sprintf("%d GiB", i.SizeGiB), false}, {"cloud-init", yesNo(i.CloudInit), false}, {"License", i.LicenseType, false},
		{"Deprecated", yesNo(i.Deprecated), false},
	})
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
