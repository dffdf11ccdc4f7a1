// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// Why explains one image of a query. docs/preview.md describes its fields, which stay.
type Why struct {
	ImageID string `json:"imageID"`
	Name    string `json:"name,omitempty"`

	Member   bool                           `json:"member"`
	Selected bool                           `json:"selected"`
	Verdict  imagev1alpha1.SelectionVerdict `json:"verdict,omitempty"`

	// Sentence explains it to people.
	Sentence string `json:"sentence"`
}

// Explain explains an image of a query, with its CloudImage if there is one.
func Explain(ctx context.Context, cluster client.Reader, query *imagev1alpha1.ImageQuery, id string) (Why, error) {
	object := &imagev1alpha1.CloudImage{}
	key := client.ObjectKey{Name: cloudimage.ObjectName(selection.ScopeOf(query), id)}
	switch err := cluster.Get(ctx, key, object); {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		object = nil
	case err != nil:
		return Why{}, fmt.Errorf("reading the CloudImage %s: %w", key.Name, err)
	}
	return explain(query, id, object), nil
}

// explain returns why an image is selected, or isn't. The object may be nil.
func explain(query *imagev1alpha1.ImageQuery, id string, object *imagev1alpha1.CloudImage) Why {
	w := Why{ImageID: id, Selected: slices.Contains(selection.SelectedIDs(query.Status.Selected), id)}
	if object != nil {
		w.Name = object.Image.Name
	}
	for i := range query.Status.Images {
		if image := &query.Status.Images[i]; image.ImageID == id {
			w.Member, w.Name, w.Verdict = true, image.Name, image.Selection
			w.Sentence = memberSentence(query, i)
			return w
		}
	}
	w.Sentence = outsideSentence(query, id, object, w.Selected)
	return w
}

// memberSentence explains the member at a place in status.images.
func memberSentence(query *imagev1alpha1.ImageQuery, at int) string {
	status, image := &query.Status, &query.Status.Images[at]
	member := fmt.Sprintf("member (%d of %d)", ptr.Deref(status.ImageCount, 0), ptr.Deref(status.ListedCount, 0))
	selected := slices.Contains(selection.SelectedIDs(status.Selected), image.ImageID)
	because := because(query, at)
	switch {
	case selected && image.Selection == imagev1alpha1.VerdictSelected:
		return member + ", selected: " + because
	case selected:
		return fmt.Sprintf("%s, selected, though %s: %s", member, image.Selection, because)
	}
	return fmt.Sprintf("%s, not selected: %s; %s", member, image.Selection, because)
}

// because returns what the verdict of a member means.
func because(query *imagev1alpha1.ImageQuery, at int) string {
	s, image := &query.Spec.Selection, &query.Status.Images[at]
	switch image.Selection {
	case imagev1alpha1.VerdictSelected:
		return place(query, image)
	case imagev1alpha1.VerdictMissing:
		return "the last listing lacks it, and its removal waits for approval"
	case imagev1alpha1.VerdictHeldBack:
		return "it came while removals are blocked, and nothing new is selected until a person approves or the images are back"
	case imagev1alpha1.VerdictUntrustedCreator:
		return fmt.Sprintf("account %s shares it, and neither selection.trustedCreators nor match.creators names that account, "+
			"nor imageIDs the image", image.Creator)
	case imagev1alpha1.VerdictNotNormal:
		return "its state isn't NORMAL, so it can't be booted"
	case imagev1alpha1.VerdictNoVersion:
		return "its name has no version that selection.orderBy or extract finds"
	case imagev1alpha1.VerdictOutOfRange:
		return "its version is outside selection.range " + s.Range
	case imagev1alpha1.VerdictNoCreationTime:
		return "it has no creation time, so that CreatedTime can't order it among several; set selection.orderBy to SemVer or Name"
	case imagev1alpha1.VerdictTooYoung:
		return tooYoung(s.MinAge.Duration, image)
	case imagev1alpha1.VerdictSkipped:
		return fmt.Sprintf("selection.skip leaves out the newest %d of each group", s.Skip)
	case imagev1alpha1.VerdictNotNewest:
		return newer(query, at)
	}
	return "the operator has a verdict that this command doesn't know; use the operator's version of it"
}

// place returns why a selected image is selected.
func place(query *imagev1alpha1.ImageQuery, image *imagev1alpha1.ImageSummary) string {
	if slices.Contains(query.Spec.Selection.Pin, imagev1alpha1.ImageID(image.ImageID)) {
		return "selection.pin names it"
	}
	return fmt.Sprintf("the first of its group by %s", query.Spec.Selection.GetOrderBy())
}

func tooYoung(minAge time.Duration, image *imagev1alpha1.ImageSummary) string {
	if image.CreatedTime == nil {
		return "it has no creation time, so it never passes selection.minAge"
	}
	return fmt.Sprintf("old enough for selection.minAge from %s", image.CreatedTime.Add(minAge).UTC().Format(time.RFC3339))
}

// newer returns which images come before one. Status has the order by creation time and the architecture, no other order or group.
func newer(query *imagev1alpha1.ImageQuery, at int) string {
	status, image := &query.Status, query.Status.Images[at]
	by, groups := query.Spec.Selection.GetOrderBy(), query.Spec.Selection.GetGroupBy()
	selected := strings.Join(selection.SelectedIDs(status.Selected), ", ")
	if by != imagev1alpha1.OrderByCreatedTime || !slices.Equal(groups, []imagev1alpha1.SelectionGroup{imagev1alpha1.GroupByArchitecture}) {
		return fmt.Sprintf("others of its group come first by %s; selected are %s", by, selected)
	}
	var before []string
	for _, other := range status.Images[:at] {
		eligible := slices.Contains([]imagev1alpha1.SelectionVerdict{
			imagev1alpha1.VerdictSelected, imagev1alpha1.VerdictNotNewest, imagev1alpha1.VerdictSkipped,
		}, other.Selection)
		if other.Architecture == image.Architecture && eligible {
			before = append(before, other.ImageID)
		}
	}
	if len(before) == 0 {
		return "others of its group come first, since it is deprecated or they are pinned; selected are " + selected
	}
	return fmt.Sprintf("%d newer %s, the newest %s", len(before), image.Architecture, before[0])
}

// outsideSentence explains an image that status.images doesn't name.
func outsideSentence(query *imagev1alpha1.ImageQuery, id string, object *imagev1alpha1.CloudImage, selected bool) string {
	status := &query.Status
	for _, one := range status.Removing {
		if one.ImageID == id {
			return fmt.Sprintf("no longer a member: %s since %s; its CloudImage is deleted after %s", one.Reason,
				one.Since.UTC().Format(time.RFC3339), one.DeleteAfter.UTC().Format(time.RFC3339))
		}
	}
	switch {
	case selected:
		return "no longer a member, but still selected, since no other image of its group qualifies"
	case status.SyncedGeneration != query.Generation:
		return "not known yet: the present spec wasn't synced; ask again once Ready isn't Unknown"
	case object == nil && ptr.Deref(status.ImagesTruncated, false):
		return "not known: status.images is cut, and there is no CloudImage of it"
	case object == nil:
		return "no member: neither status nor a CloudImage knows it; the cloud doesn't show it to these credentials, or a filter leaves it out"
	}
	if _, member := object.Labels[imagev1alpha1.LabelQueryPrefix+query.Name]; member {
		return "member, but status.images is cut before it; kubectl get cloudimages -l " + imagev1alpha1.LabelQueryPrefix + query.Name +
			" shows all"
	}
	return "no member: " + excludedBy(query, object)
}

// excludedBy returns which part of a spec excludes an image that another query has.
func excludedBy(query *imagev1alpha1.ImageQuery, object *imagev1alpha1.CloudImage) string {
	matcher, err := selection.NewMatcher(&query.Spec.Match)
	if err != nil {
		return err.Error()
	}
	_, funnel := matcher.Split(catalog.Listing{Images: []catalog.Image{cloudimage.FromRecord(&object.Image)}})
	for field := range funnel.TurnedAway {
		return "match." + field + " excludes it"
	}
	if object.Lifecycle.Presence == imagev1alpha1.PresenceGone {
		return "it is gone"
	}
	return "its filters, imageIDs or instanceType leave it out, or it came after the last poll"
}
