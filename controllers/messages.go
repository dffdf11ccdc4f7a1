// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/ptr"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/polltime"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// approveCommand returns the command that approves a removal.
func approveCommand(query *imagev1alpha1.ImageQuery, token string) string {
	return fmt.Sprintf("kubectl annotate imagequery %s %s=%s --overwrite", query.Name, imagev1alpha1.AnnotationApproveRemoval, token)
}

// blockedNote explains the blocked removal in Ready's message.
func blockedNote(query *imagev1alpha1.ImageQuery, d selection.RemovalBatch) string {
	gone := 0
	for _, reason := range d.Leaving {
		if reason == imagev1alpha1.RemovedGone {
			gone++
		}
	}
	return fmt.Sprintf("; %d of %s would leave (%d no longer visible to these credentials, %d no longer matching), "+
		"and too few new ones replace them (removal.maxRemovedPercent is %d): "+
		"nothing is removed and no new image is selected until a person runs the command in the condition %s",
		len(d.Leaving), plural(d.Members, "image", "images"), gone, len(d.Leaving)-gone, query.Spec.Removal.GetMaxRemovedPercent(),
		imagev1alpha1.ConditionRemovalBlocked)
}

// removingNote counts in Ready's message the images in their grace period.
func removingNote(removing []imagev1alpha1.RemovingImage) string {
	if len(removing) == 0 {
		return ""
	}
	return "; " + plural(len(removing), "CloudImage of an image that left stays for its grace period",
		"CloudImages of images that left stay for their grace periods")
}

// leftOutNote lists in Ready's message what is missing on shared CloudImages, and what to do.
func leftOutNote(l cloudimage.LeftOut) string {
	var out string
	if len(l.Objects) > 0 {
		slices.Sort(l.Objects)
		out += fmt.Sprintf("; this query's label isn't on %s that %d other queries have, the most there may be "+
			"(selected doesn't depend on it; use one of those queries, or wait until one releases it): %s",
			plural(len(l.Objects), "CloudImage", "CloudImages"), cloudimage.MaxOwners, enumerate(l.Objects, 3))
	}
	if len(l.Labels) > 0 {
		out += fmt.Sprintf("; some CloudImages lack these labels of spec.cloudImages, "+
			"because older queries give them other values, or %d labels, the most there may be, are there already (choose "+
			"other keys): %s",
			cloudimage.MaxAskedLabels, enumerate(slices.Sorted(maps.Keys(l.Labels)), 3))
	}
	return out
}

// plural returns a number with its noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// enumerate lists the first names and the number of others.
func enumerate(names []string, most int) string {
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

// objectlessNote counts in Ready's message the members without a CloudImage because of maxImages.
func objectlessNote(query *imagev1alpha1.ImageQuery, v selection.Decision) string {
	if len(v.WithoutObject) == 0 {
		return ""
	}
	return fmt.Sprintf("; %s no CloudImage, because with all of them there would be more than spec.cloudImages.maxImages (%d); "+
		"narrow filters or match if they aren't needed",
		plural(len(v.WithoutObject), "image that can't be selected for want of trust has",
			"images that can't be selected for want of trust have"),
		query.Spec.CloudImages.GetMaxImages())
}

// selectionNotes explains in Ready's message a selection that isn't simply the newest image.
func selectionNotes(query *imagev1alpha1.ImageQuery, d selection.Decision) string {
	var out string
	c := d.Selection
	if len(c.Retained) > 0 {
		out += "; " + keptNote(d)
	}
	if c.Omitted > 0 {
		out += fmt.Sprintf("; %s than status.selected has room for: use fewer groups or a lower selection.limit",
			plural(c.Omitted, "more image qualifies", "more images qualify"))
	}
	out += pinNote(query, c.IDs(), func(id string) string { return cmp.Or(string(c.Verdicts[id]), "no member") })
	if len(c.Selected) == 0 && len(c.Verdicts) > 0 {
		out += "; " + nothingSelected(maps.Values(c.Verdicts))
	}
	switch {
	case hasVerdict(c.Verdicts, imagev1alpha1.VerdictNoCreationTime):
		out += "; images that have no creation time, as public ones, are not selected where there are several, since by CreatedTime it can't be " +
			"told which is newer: set selection.orderBy to SemVer or Name"
	case query.Spec.Selection.MinAge.Duration > 0 && c.Next.IsZero() && hasVerdict(c.Verdicts, imagev1alpha1.VerdictTooYoung):
		out += "; images without a creation time, as public ones, never pass selection.minAge"
	}
	return out
}

// pinNote lists in Ready's message the pins that are not selected, with the reason.
func pinNote(query *imagev1alpha1.ImageQuery, selected []string, why func(id string) string) string {
	var out []string
	for _, pin := range query.Spec.Selection.Pin {
		if id := string(pin); !slices.Contains(selected, id) {
			out = append(out, fmt.Sprintf("%s (%s)", id, why(id)))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "; selection.pin names what is not selected: " + enumerate(out, 3)
}

// keptNote lists the retained images by reason.
func keptNote(d selection.Decision) string {
	listed, members := selection.IDsOf(d.Listing.Images), selection.IDsOf(d.Members)
	var reasons []string
	images := map[string][]string{}
	for _, image := range d.Selection.Retained {
		why := keptBecause(d, image, listed[image.ID], members[image.ID])
		if images[why] == nil {
			reasons = append(reasons, why)
		}
		images[why] = append(images[why], titleOf(image.Name, image.ID, image.Architecture))
	}
	notes := make([]string, len(reasons))
	for i, why := range reasons {
		stays := "stays"
		if len(images[why]) > 1 {
			stays = "stay"
		}
		notes[i] = fmt.Sprintf("the selected %s %s: %s", enumerate(images[why], 3), stays, why)
	}
	return strings.Join(notes, "; ")
}

// titleOf names an image. Builds for several architectures often have one name.
func titleOf(name, id, architecture string) string {
	title := cmp.Or(name, id)
	if architecture == "" {
		return title
	}
	return fmt.Sprintf("%s (%s)", title, architecture)
}

// keptBecause returns why an image is retained. listed is set if the listing has it, member if it is a member.
func keptBecause(d selection.Decision, image catalog.Image, listed, member bool) string {
	leaving := imagev1alpha1.RemovalReason("")
	if d.Blocked != nil {
		leaving = d.Blocked.Leaving[image.ID]
	}
	switch {
	case leaving == imagev1alpha1.RemovedGone:
		return "no longer visible to these credentials, and the removal waits for approval"
	case leaving != "":
		return "no longer matching, and the removal waits for approval"
	case !member:
		return "no longer matching, and no other image of the group qualifies"
	case !listed:
		return "the cloud's answers contradict each other on whether the image exists"
	case image.State != "" && image.State != string(imagev1alpha1.ImageStateNormal):
		return fmt.Sprintf("the state is %s, and no newer image of the group qualifies", image.State)
	}
	return "it no longer qualifies, and no other image of the group does"
}

// selectedMessage lists the selected images.
func selectedMessage(selected []imagev1alpha1.SelectedImage) string {
	names := make([]string, len(selected))
	for i, image := range selected {
		names[i] = titleOf(image.Name, image.ImageID, image.Architecture)
	}
	return fmt.Sprintf("%s selected: %s", plural(len(names), "image is", "images are"), enumerate(names, 3))
}

// nothingSelected counts the members by verdict.
func nothingSelected(verdicts iter.Seq[imagev1alpha1.SelectionVerdict]) string {
	counts := tally(verdicts)
	if counts == "" {
		return "there is no member to select from"
	}
	return "no member qualifies to be selected: " + counts
}

func verdictsOf(images []imagev1alpha1.ImageSummary) iter.Seq[imagev1alpha1.SelectionVerdict] {
	return func(yield func(imagev1alpha1.SelectionVerdict) bool) {
		for i := range images {
			if !yield(images[i].Selection) {
				return
			}
		}
	}
}

func hasVerdict(verdicts map[string]imagev1alpha1.SelectionVerdict, want imagev1alpha1.SelectionVerdict) bool {
	for _, verdict := range verdicts {
		if verdict == want {
			return true
		}
	}
	return false
}

// tally counts verdicts, sorted by name.
func tally(verdicts iter.Seq[imagev1alpha1.SelectionVerdict]) string {
	counts := map[imagev1alpha1.SelectionVerdict]int{}
	for verdict := range verdicts {
		counts[verdict]++
	}
	var out []string
	for _, verdict := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%d %s", counts[verdict], verdict))
	}
	return strings.Join(out, ", ")
}

// maxMessage bounds the message of a condition or event in bytes. It is the limit of Kubernetes for events.
const maxMessage = 1024

// nearestNote names the image that comes closest to spec.match.nameRegex.
func nearestNote(f selection.Funnel) string {
	if f.Nearest == "" {
		return ""
	}
	return "; the nearest name is " + f.Nearest
}

// listingNote explains oddities of a listing that was used nevertheless.
func listingNote(instanceType string, l catalog.Listing) string {
	var out string
	if l.TagKeyNotFound {
		out += "; the cloud knows no image with the tag key that is asked for, which counts as an empty list"
	}
	if l.Skipped > 0 {
		out += "; " + plural(l.Skipped, "entry without a valid image id was", "entries without a valid image id were") + " skipped"
	}
	if l.Inconsistent {
		out += "; the cloud's count and its list disagree, so nothing was removed"
		if instanceType != "" {
			out += " (if that stays, leave spec.instanceType out and name the images otherwise)"
		}
	}
	return out
}

// knownStill states in the message of a failed poll which images are still published. If only writes of CloudImages
// failed, these are the images of this listing.
func knownStill(status *imagev1alpha1.ImageQueryStatus, o *pollResult, success time.Time) string {
	n := int(ptr.Deref(status.ImageCount, 0))
	switch {
	case n > 0 && o.published:
		return fmt.Sprintf("The %s in status.", plural(n, "image of this listing is", "images of this listing are"))
	case n > 0 && success.IsZero():
		return fmt.Sprintf("The %s kept.", plural(n, "known image is", "known images are"))
	case n > 0:
		at := success.UTC().Format(time.RFC3339)
		return fmt.Sprintf("The %s kept.", plural(n, "image of "+at+" is", "images of "+at+" are"))
	case success.IsZero() && !o.published:
		return "No images are known yet."
	}
	return "No images are known."
}

func nextTry(query *imagev1alpha1.ImageQuery, f *failure) string {
	every := min(query.Spec.Interval.Duration, polltime.MaxRetry)
	if f.stalled {
		return fmt.Sprintf("A person must act: the operator tries again at once when the spec or the Secret changes, "+
			"and by itself within %s", duration.ShortHumanDuration(every))
	}
	return fmt.Sprintf("The operator tries again by itself within %s", duration.ShortHumanDuration(every))
}

// sentence capitalizes a message and adds a full stop. A leading name such as spec.suspend, arm64: or img-mmytdhbn isn't
// capitalized.
func sentence(s string) string {
	if s == "" {
		return s
	}
	if word, _, _ := strings.Cut(s, " "); !strings.ContainsAny(word, ".:") && !strings.HasPrefix(word, "img-") {
		first, size := utf8.DecodeRuneInString(s)
		s = string(unicode.ToUpper(first)) + s[size:]
	}
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// shorten cuts a message to maxMessage at a character boundary.
func shorten(s string) string {
	const tail = "…"
	if len(s) <= maxMessage {
		return s
	}
	end := maxMessage - len(tail)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + tail
}
