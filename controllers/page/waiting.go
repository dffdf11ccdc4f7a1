// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"net/url"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// waitingView is the screen "waiting": removals that a person must approve, and images whose grace period runs.
type waitingView struct {
	Blocked []blockedRow
	Grace   []graceRow
	Pager   pager // of Grace
}

// blockedRow is one query whose removals are blocked.
type blockedRow struct {
	Name, Region string
	Since        *moment
	Why          string
	Command      string
	Leaving      []changeRow
	LeavingMore  bool // the status names no more than these
	Arriving     []changeRow
}

// changeRow is an image that leaves or arrives.
type changeRow struct {
	Name, ID, Object, Creator, Type, Architecture string
	Reason                                        string
	Created                                       *moment
}

// graceRow is an image that is no longer a member, and whose CloudImage stays for a time.
type graceRow struct {
	Query, Name, ID, Object string
	Reason                  string
	Since, Until            *moment
}

func (s scene) waitingView(values url.Values) waitingView {
	var v waitingView
	for _, query := range s.Queries() {
		if blocked := s.blockedRow(query); blocked != nil {
			v.Blocked = append(v.Blocked, *blocked)
		}
		for _, removing := range query.Status.Removing {
			v.Grace = append(v.Grace, s.graceRow(query, removing))
		}
	}
	v.Grace, v.Pager = paginate(v.Grace, pageIn(values), s.link.pageLink("waiting", values))
	return v
}

// waits says whether removals of a query wait for a person.
func waits(query *imagev1alpha1.ImageQuery) bool {
	return trueCondition(query.Status.Conditions, imagev1alpha1.ConditionRemovalBlocked) != nil
}

// blockedRow is what of a query waits for a person; nil if nothing does. The condition's message is the whole command.
func (s scene) blockedRow(query *imagev1alpha1.ImageQuery) *blockedRow {
	blocked := trueCondition(query.Status.Conditions, imagev1alpha1.ConditionRemovalBlocked)
	if blocked == nil {
		return nil
	}
	row := &blockedRow{
		Name: query.Name, Region: query.Spec.Region, Since: momentAt(blocked.LastTransitionTime.Time, s.now),
		Why: stateOf(query, s.now).Why, Command: blocked.Message, LeavingMore: len(query.Status.PendingRemoval) >= 100,
	}
	members := map[string]*imagev1alpha1.ImageSummary{}
	for i := range query.Status.Images {
		member := &query.Status.Images[i]
		members[member.ImageID] = member
		if member.Selection == imagev1alpha1.VerdictHeldBack {
			row.Arriving = append(row.Arriving, s.memberRow(query, member))
		}
	}
	for _, pending := range query.Status.PendingRemoval {
		leaving := changeRow{Name: pending.Name, ID: pending.ImageID}
		if member := members[pending.ImageID]; member != nil {
			leaving = s.memberRow(query, member)
		}
		leaving.Reason = reasonWord(pending.Reason)
		row.Leaving = append(row.Leaving, leaving)
	}
	return row
}

func (s scene) memberRow(query *imagev1alpha1.ImageQuery, member *imagev1alpha1.ImageSummary) changeRow {
	return changeRow{
		Name: member.Name, ID: member.ImageID, Object: s.objectIfThere(query, member.ImageID), Creator: member.Creator, Type: member.Type,
		Architecture: member.Architecture, Created: momentOf(member.CreatedTime, s.now),
	}
}

// objectIfThere is the name of an image's CloudImage; empty if there is none.
func (s scene) objectIfThere(query *imagev1alpha1.ImageQuery, imageID string) string {
	if image := s.Image(objectOf(query, imageID)); image != nil {
		return image.Name
	}
	return ""
}

func (s scene) graceRow(query *imagev1alpha1.ImageQuery, removing imagev1alpha1.RemovingImage) graceRow {
	row := graceRow{
		Query: query.Name, ID: removing.ImageID, Reason: reasonWord(removing.Reason),
		Since: momentAt(removing.Since.Time, s.now), Until: momentAt(removing.DeleteAfter.Time, s.now),
	}
	if image := s.Image(objectOf(query, removing.ImageID)); image != nil {
		row.Object, row.Name = image.Name, image.Image.Name
	}
	return row
}

// reasonWord is why an image is no longer a member.
func reasonWord(reason imagev1alpha1.RemovalReason) string {
	switch reason {
	case imagev1alpha1.RemovedGone:
		return "gone"
	case imagev1alpha1.RemovedNotMatched:
		return "no longer matching"
	}
	return string(reason)
}
