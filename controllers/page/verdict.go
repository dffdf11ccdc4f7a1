// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// verdictChip is the look of a verdict, with the sentence that says why.
func verdictChip(query *imagev1alpha1.ImageQuery, verdict imagev1alpha1.SelectionVerdict) chip {
	s := &query.Spec.Selection
	switch verdict {
	case imagev1alpha1.VerdictSelected:
		return chip{toneOK, string(verdict), "It is in status.selected: consumers should use it."}
	case imagev1alpha1.VerdictMissing:
		return chip{toneBad, string(verdict), "The last listing lacks it, but removals are blocked, so it stays."}
	case imagev1alpha1.VerdictHeldBack:
		return chip{toneWarn, string(verdict), "It is new, and nothing new is selected while removals are blocked."}
	case imagev1alpha1.VerdictUntrustedCreator:
		return chip{toneWarn, string(verdict), "Another account shares it, and neither trustedCreators nor creators names that account, nor imageIDs the image."}
	case imagev1alpha1.VerdictNotNormal:
		return chip{toneWarn, string(verdict), "Its state isn't NORMAL, so it can't be booted."}
	case imagev1alpha1.VerdictNoVersion:
		return chip{toneIdle, string(verdict), "Its name has no version that selection.orderBy or extract finds."}
	case imagev1alpha1.VerdictOutOfRange:
		return chip{toneIdle, string(verdict), "Its version is outside selection.range " + s.Range + "."}
	case imagev1alpha1.VerdictNoCreationTime:
		return chip{toneIdle, string(verdict), "It has no creation time, so CreatedTime can't order it among several."}
	case imagev1alpha1.VerdictTooYoung:
		return chip{toneBusy, string(verdict), "It is younger than selection.minAge " + shortDuration(s.MinAge.Duration) + "."}
	case imagev1alpha1.VerdictSkipped:
		return chip{toneIdle, string(verdict), fmt.Sprintf("selection.skip leaves out the first %d of each group.", s.Skip)}
	case imagev1alpha1.VerdictNotNewest:
		return chip{toneIdle, string(verdict), fmt.Sprintf("Others of its group come first, and selection.limit is %d.", s.GetLimit())}
	}
	return chip{toneIdle, "Member", "status.images doesn't list it, because that list is cut."}
}

// shortDuration is a duration as a spec has it: 72h rather than 72h0m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	text = strings.TrimSuffix(text, "0s")
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return cmp.Or(text, "0s")
}

// soakedAt returns when an image passes the query's minAge; nil if nothing has to be waited for.
func soakedAt(query *imagev1alpha1.ImageQuery, verdict imagev1alpha1.SelectionVerdict, created *metav1.Time, now time.Time) *moment {
	if verdict != imagev1alpha1.VerdictTooYoung || created.IsZero() {
		return nil
	}
	return momentAt(created.Add(query.Spec.Selection.MinAge.Duration), now)
}

// presenceChip is the look of a CloudImage's presence and state; nil stands for an object that isn't there.
func presenceChip(image *imagev1alpha1.CloudImage, policy imagev1alpha1.CloudImageScope) chip {
	switch {
	case image == nil && policy == imagev1alpha1.CloudImagesNone:
		return chip{toneIdle, "No object", "cloudImages.policy is None, so only status lists the image."}
	case image == nil:
		return chip{toneWarn, "No object", "There is no CloudImage for it."}
	case image.Lifecycle.Presence == imagev1alpha1.PresenceGone:
		return chip{toneBad, "Gone", "It is not visible to these credentials any more, asked for by id either."}
	case image.Lifecycle.Presence == imagev1alpha1.PresenceNotMatched:
		return chip{toneWarn, "Not matched", "It exists in the cloud, but no query has it as a member any more."}
	case image.Image.State != string(imagev1alpha1.ImageStateNormal):
		return chip{toneWarn, cmp.Or(image.Image.State, "No state"), "It is there, but only an image in the state NORMAL can be booted."}
	case image.Image.Deprecated:
		return chip{toneWarn, "Deprecated", "It is there, but its owner advises against it."}
	}
	return chip{toneOK, "Present", "A query has it as a member, and its state is NORMAL."}
}

// verdicts are what the queries decided about their members, by query and image id. A query's list is read when it is asked for.
type verdicts struct {
	query func(name string) *imagev1alpha1.ImageQuery
	known map[string]map[string]imagev1alpha1.SelectionVerdict
}

func newVerdicts(query func(name string) *imagev1alpha1.ImageQuery) verdicts {
	return verdicts{query, map[string]map[string]imagev1alpha1.SelectionVerdict{}}
}

// of returns what a query decided about an image; empty if its status doesn't list it.
func (v verdicts) of(query, imageID string) imagev1alpha1.SelectionVerdict {
	byID, known := v.known[query]
	if !known {
		byID = map[string]imagev1alpha1.SelectionVerdict{}
		if q := v.query(query); q != nil {
			for i := range q.Status.Images {
				byID[q.Status.Images[i].ImageID] = q.Status.Images[i].Selection
			}
		}
		v.known[query] = byID
	}
	return byID[imageID]
}
