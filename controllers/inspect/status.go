// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
	"github.com/image-catalog/image-catalog-operator/controllers/terminal"
)

// Status is a query on one screen. docs/preview.md describes its fields, which stay.
type Status struct {
	Name        string             `json:"name"`
	Region      string             `json:"region"`
	Credentials string             `json:"credentials,omitempty"`
	Suspended   bool               `json:"suspended,omitempty"`
	Conditions  []metav1.Condition `json:"conditions,omitempty"`
	Images      int                `json:"images"`
	Listed      int                `json:"listed"`

	// Selected are the selected images. Waiting are those that are too young, by when they aren't any more.
	Selected []Selected `json:"selected,omitempty"`
	Waiting  []Waiting  `json:"waiting,omitempty"`

	// Pending is what an approval would remove, and Removing what has left.
	Pending  []imagev1alpha1.PendingRemoval `json:"pendingRemoval,omitempty"`
	Removing []imagev1alpha1.RemovingImage  `json:"removing,omitempty"`

	// LastWritten is when the operator last wrote that a poll succeeded; NextExpected by when the next poll is due.
	LastWritten  *metav1.Time `json:"lastWritten,omitempty"`
	NextExpected *metav1.Time `json:"nextExpected,omitempty"`

	// ApproveCommand removes what is pending, and PinCommand goes back to what was selected before.
	ApproveCommand string `json:"approveCommand,omitempty"`
	PinCommand     string `json:"pinCommand,omitempty"`
}

// Selected is a selected image. Exists is Present, NotMatched, Gone, or Unknown where there is no CloudImage.
type Selected struct {
	imagev1alpha1.SelectedImage `json:",inline"`

	Exists string `json:"exists"`
	State  string `json:"state,omitempty"`
}

// Waiting is a member that will be old enough.
type Waiting struct {
	ImageID        string      `json:"imageID"`
	Name           string      `json:"name,omitempty"`
	Architecture   string      `json:"architecture,omitempty"`
	SelectableFrom metav1.Time `json:"selectableFrom"`
}

// maxPins bounds spec.selection.pin, as the schema does.
const maxPins = 16

// unknown is said of an image without a CloudImage.
const unknown = "Unknown"

// ReadStatus reads a query and the CloudImages of what it selects.
func ReadStatus(ctx context.Context, cluster client.Reader, name string) (Status, error) {
	query, err := ReadQuery(ctx, cluster, name)
	if err != nil {
		return Status{}, err
	}
	s := statusOf(query)
	for _, image := range query.Status.Selected {
		one := Selected{SelectedImage: image, Exists: unknown}
		object := &imagev1alpha1.CloudImage{}
		key := client.ObjectKey{Name: cloudimage.ObjectName(selection.ScopeOf(query), image.ImageID)}
		switch err := cluster.Get(ctx, key, object); {
		case err == nil:
			one.Exists, one.State = string(object.Lifecycle.Presence), object.Image.State
		case !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err):
			return s, fmt.Errorf("reading the CloudImage %s: %w", key.Name, err)
		}
		s.Selected = append(s.Selected, one)
	}
	return s, nil
}

// ReadQuery reads a query.
func ReadQuery(ctx context.Context, cluster client.Reader, name string) (*imagev1alpha1.ImageQuery, error) {
	query := &imagev1alpha1.ImageQuery{}
	err := cluster.Get(ctx, client.ObjectKey{Name: name}, query)
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("there is no ImageQuery %s; kubectl get imagequeries shows those that there are", name)
	case err != nil:
		return nil, fmt.Errorf("reading the ImageQuery %s: %w", name, err)
	}
	return query, nil
}

func statusOf(query *imagev1alpha1.ImageQuery) Status {
	status, scope := &query.Status, selection.ScopeOf(query)
	s := Status{
		Name: query.Name, Region: scope.Region, Credentials: scope.Credentials, Suspended: query.Spec.Suspend, Conditions: status.Conditions,
		Images: int(ptr.Deref(status.ImageCount, 0)), Listed: int(ptr.Deref(status.ListedCount, 0)),
		Pending: status.PendingRemoval, Removing: status.Removing, LastWritten: status.LastSyncTime,
	}
	if status.LastSyncTime != nil && !query.Spec.Suspend {
		// Success is written once it is so old, and a poll comes an interval and a fifth after another at the latest.
		interval := query.Spec.Interval.Duration
		s.NextExpected = new(metav1.NewTime(status.LastSyncTime.Add(max(2*interval, 5*time.Minute) + interval*6/5)))
	}
	for _, image := range status.Images {
		if image.Selection == imagev1alpha1.VerdictTooYoung && image.CreatedTime != nil {
			s.Waiting = append(s.Waiting, Waiting{
				ImageID: image.ImageID, Name: image.Name, Architecture: image.Architecture,
				SelectableFrom: metav1.NewTime(image.CreatedTime.Add(query.Spec.Selection.MinAge.Duration)),
			})
		}
	}
	slices.SortStableFunc(s.Waiting, func(a, b Waiting) int { return a.SelectableFrom.Compare(b.SelectableFrom.Time) })
	if blocked := meta.FindStatusCondition(status.Conditions, imagev1alpha1.ConditionRemovalBlocked); blocked != nil {
		s.ApproveCommand = blocked.Message
	}
	s.PinCommand = pinCommand(query)
	return s
}

// pinCommand goes back to what was selected before; empty if nothing was, or its images are no longer members.
func pinCommand(query *imagev1alpha1.ImageQuery) string {
	history := query.Status.SelectedHistory
	if len(history) < 2 {
		return ""
	}
	var ids []string
	for _, image := range history[1].Images {
		member := slices.ContainsFunc(query.Status.Images, func(i imagev1alpha1.ImageSummary) bool { return i.ImageID == image.ImageID })
		now := slices.Contains(selection.SelectedIDs(query.Status.Selected), image.ImageID)
		if member && !now && len(ids) < maxPins {
			ids = append(ids, strconv.Quote(image.ImageID))
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return fmt.Sprintf(`kubectl patch imagequery %s --type merge -p '{"spec":{"selection":{"pin":[%s]}}}'`, query.Name, strings.Join(ids, ","))
}

// Print writes the status for people.
func (s Status) Print(p *terminal.Printer, now time.Time) {
	credentials := "default credentials"
	if s.Credentials != "" {
		credentials = "credentials " + s.Credentials
	}
	p.Line("%s: %s, %s, %d images of %d listed", p.In(terminal.Bold, s.Name), s.Region, credentials, s.Images, s.Listed)
	for _, c := range s.Conditions {
		if c.Type != imagev1alpha1.ConditionRemovalBlocked {
			p.Line("%s: %s %s for %s: %s", c.Type, p.In(colourOf(c), string(c.Status)), c.Reason, ago(c.LastTransitionTime, now),
				terminal.Clean(c.Message))
		}
	}
	p.Line("%s", s.polls(now))
	s.printSelected(p, now)
	s.printWaiting(p, now)
	s.printLeaving(p, now)
	if s.PinCommand != "" {
		p.Line("")
		p.Line("To go back to what was selected before:")
		p.Line("  %s", s.PinCommand)
	}
}

func colourOf(c metav1.Condition) terminal.Colour {
	bad := c.Type == imagev1alpha1.ConditionStalled
	switch {
	case c.Status == metav1.ConditionFalse || bad:
		return terminal.Bad
	case c.Status == metav1.ConditionUnknown || c.Reason == imagev1alpha1.ReasonRetrying || c.Reason == imagev1alpha1.ReasonKept:
		return terminal.Warn
	}
	return terminal.Good
}

// polls returns when the cloud was asked and will be.
func (s Status) polls(now time.Time) string {
	switch {
	case s.LastWritten == nil:
		return "Polls: none has succeeded yet"
	case s.NextExpected == nil:
		return fmt.Sprintf("Polls: the last success was written %s ago; suspended", ago(*s.LastWritten, now))
	case s.NextExpected.Time.Before(now):
		return fmt.Sprintf("Polls: the last success was written %s ago, and the next is overdue by %s",
			ago(*s.LastWritten, now), ago(*s.NextExpected, now))
	}
	return fmt.Sprintf("Polls: the last success was written %s ago, the next will be within %s", ago(*s.LastWritten, now),
		duration.HumanDuration(s.NextExpected.Sub(now)))
}

func (s Status) printSelected(p *terminal.Printer, now time.Time) {
	p.Line("")
	if len(s.Selected) == 0 {
		p.Line("%s", p.In(terminal.Bad, "Nothing is selected"))
		return
	}
	rows := [][]terminal.Cell{terminal.Row("ARCH", "SELECTED", "NAME", "AGE", "EXISTS", "NEXT")}
	for _, image := range s.Selected {
		exists := terminal.Cell{Text: strings.TrimSpace(image.Exists + " " + image.State), Colour: terminal.Good}
		if image.Exists != string(imagev1alpha1.PresencePresent) || image.State != string(imagev1alpha1.ImageStateNormal) {
			exists.Colour = terminal.Warn
		}
		row := terminal.Row(image.Architecture, image.ImageID, image.Name, age(image.CreatedTime, now))
		rows = append(rows, append(row, exists, terminal.Cell{Text: s.next(image.Architecture, now)}))
	}
	p.Table(rows)
}

// next is the first image of an architecture that will be old enough.
func (s Status) next(architecture string, now time.Time) string {
	for _, one := range s.Waiting {
		if one.Architecture == architecture {
			return one.ImageID + " in " + duration.HumanDuration(one.SelectableFrom.Sub(now))
		}
	}
	return ""
}

func (s Status) printWaiting(p *terminal.Printer, now time.Time) {
	if len(s.Waiting) == 0 {
		return
	}
	p.Line("")
	rows := [][]terminal.Cell{terminal.Row("ARCH", "TOO YOUNG", "NAME", "SELECTABLE IN")}
	for _, one := range s.Waiting {
		rows = append(rows, terminal.Row(one.Architecture, one.ImageID, one.Name, duration.HumanDuration(one.SelectableFrom.Sub(now))))
	}
	p.Table(rows)
}

func (s Status) printLeaving(p *terminal.Printer, now time.Time) {
	if len(s.Pending) > 0 {
		p.Line("")
		p.Line("%s: these would leave, and wait for a person", p.In(terminal.Bad, "RemovalBlocked"))
		rows := [][]terminal.Cell{}
		for _, one := range s.Pending {
			rows = append(rows, terminal.Row("  "+one.ImageID, string(one.Reason), one.Name))
		}
		p.Table(rows)
		p.Line("If that is right:")
		p.Line("  %s", terminal.Clean(s.ApproveCommand))
	}
	if len(s.Removing) > 0 {
		p.Line("")
		rows := [][]terminal.Cell{terminal.Row("LEAVES", "WHY", "CLOUDIMAGE DELETED IN")}
		for _, one := range s.Removing {
			rows = append(rows, terminal.Row(one.ImageID, string(one.Reason), duration.HumanDuration(max(0, one.DeleteAfter.Sub(now)))))
		}
		p.Table(rows)
	}
}

func age(created *metav1.Time, now time.Time) string {
	if created.IsZero() {
		return ""
	}
	return ago(*created, now)
}

func ago(t metav1.Time, now time.Time) string { return duration.HumanDuration(now.Sub(t.Time)) }
