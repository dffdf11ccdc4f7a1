// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

const (
	// overwriteEvery is the shortest time between two overwrites of one query's status. A client that keeps writing the status
	// must not make the operator flood the API server.
	overwriteEvery = time.Minute

	// leaseDuration is how long a former leader may be unaware that it lost the lease, e.g. because its process was paused. It
	// is the Lease's own duration. Until it has passed, a status with the operator's name may come from the other leader.
	leaseDuration = 15 * time.Second
)

// errForeignStatus means that another client wrote the status.
var errForeignStatus = errors.New("another client wrote the status meanwhile")

// reclaim replaces a status that another client wrote by ours. In the query this happens at once, so that no decision depends
// on the foreign status; in the cluster, at most once a minute. If it is too early, reclaim returns how long to wait.
func (r *Reconciler) reclaim(ctx context.Context, query *imagev1alpha1.ImageQuery) (time.Duration, error) {
	if !r.statuses.checked(query) {
		if err := r.checkStart(query); err != nil {
			return 0, err
		}
	}
	ours := r.statuses.instead(query)
	if ours == nil {
		return 0, nil
	}
	query.Status = *ours.DeepCopy()
	if wait, err := r.mayOverwrite(query); wait > 0 || err != nil {
		return wait, err
	}
	ctrl.LoggerFrom(ctx).Info("Overwriting a status written by another client")
	w := r.statusWriter()
	switch err := w.put(ctx, query, ours); {
	case apierrors.IsConflict(err):
		return 0, errForeignStatus // a newer version exists
	case w.dropped(ctx, err):
		return overwriteEvery, nil
	case err != nil:
		return 0, fmt.Errorf("writing the status: %w", err)
	}
	r.event(query, corev1.EventTypeWarning, imagev1alpha1.EventStatusOverwritten,
		"another client had written the status of this query; the operator has written its own again. "+
			"Only the operator may write imagequeries/status: the API server's audit log names the account that also does, "+
			"and an administrator should take that right away")
	return 0, nil
}

// mayOverwrite returns how long to wait before a foreign status is overwritten. 0 means now, and is recorded as an overwrite.
// The error is errForeignStatus while another leader may have written the status; the query must not be processed then.
func (r *Reconciler) mayOverwrite(query *imagev1alpha1.ImageQuery) (time.Duration, error) {
	now := r.Clock.Now()
	wait, doubted := r.statuses.heldBack(query, now)
	switch {
	case wait > 0 && doubted:
		return 0, errForeignStatus
	case wait > 0:
		return wait, nil
	case !doubted && len(foreignFields(query.ManagedFields)) == 0:
		r.statuses.holdBack(query, now.Add(leaseDuration), true)
		return 0, errForeignStatus
	}
	r.statuses.holdBack(query, now.Add(overwriteEvery), false)
	return 0, nil
}

// checkStart checks who wrote the status that was found at the start.
func (r *Reconciler) checkStart(query *imagev1alpha1.ImageQuery) error {
	foreign := foreignFields(query.ManagedFields)
	if len(foreign) == 0 {
		r.statuses.begin(query, nil)
		return nil
	}
	replacement, err := r.withoutForeign(query, foreign)
	if err == nil {
		r.statuses.begin(query, replacement)
	}
	return err
}

// foreignFields returns the names of the status fields that contain values of other writers.
func foreignFields(managers []metav1.ManagedFieldsEntry) []string {
	var out []string
	for _, entry := range managers {
		if entry.Subresource != "status" || entry.Manager == fieldOwner || entry.FieldsV1 == nil {
			continue
		}
		var fields struct {
			Status map[string]json.RawMessage `json:"f:status"`
		}
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
			return []string{"status"} // treat all fields as foreign
		}
		for name := range fields.Status {
			if name != "." {
				out = append(out, strings.TrimPrefix(name, "f:"))
			}
		}
	}
	return out
}

// foreignManagers returns one short entry with the status fields of other writers, or nil if there are none. It is what the cache
// keeps of managedFields.
func foreignManagers(managers []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	names := foreignFields(managers)
	if len(names) == 0 {
		return nil
	}
	for i, name := range names {
		names[i] = fmt.Sprintf(`%q:{}`, "f:"+name)
	}
	fields := fmt.Sprintf(`{"f:status":{%s}}`, strings.Join(names, ","))
	return []metav1.ManagedFieldsEntry{{Subresource: "status", FieldsV1: metav1.NewFieldsV1(fields)}}
}

// withoutForeign returns what remains of a status that another client wrote to. Conditions are rebuilt. If any other field is
// foreign, the whole status is discarded, and the selection is taken from the labels of CloudImages, which only the operator
// writes. The next poll, which is due at once, restores the rest.
func (r *Reconciler) withoutForeign(query *imagev1alpha1.ImageQuery, foreign []string) (*imagev1alpha1.ImageQueryStatus, error) {
	existing, err := r.images.OfQuery(query.Name)
	if err != nil {
		return nil, err
	}
	now, q := r.Clock.Now(), query.DeepCopy()
	h, m := cloudimage.OwnerOf(q), selection.Matcher{Match: &q.Spec.Match}
	if slices.ContainsFunc(foreign, func(field string) bool { return field != "conditions" }) {
		q.Status = imagev1alpha1.ImageQueryStatus{ObservedQuery: selection.ObservedQuery(q)}
		e := buildStatus(q, now)
		e.setSelected(selectedImages(labelled(h, m, existing)), imagev1alpha1.SelectedFirst)
		q.Status = *e.status
	}
	q.Status.Conditions, q.Status.SyncedGeneration = nil, 0
	known := cloudimage.KnownOf(h, existing, nil)
	if q.Spec.Suspend {
		return suspended(q, m, known, now), nil
	}
	return progressing(q, m, known, now), nil
}

// labelled returns the images that are labelled as selected and not excluded by the spec, in the order of their groups.
func labelled(h cloudimage.Owner, m selection.Matcher, existing map[string]*cloudimage.Entry) []catalog.Image {
	var out []catalog.Image
	for _, image := range existing {
		facts := cloudimage.FromRecord(&image.Image)
		isSelected := image.Labels[h.Label()] == imagev1alpha1.QuerySelected
		if h.InScope(image.CloudImage) && h.IsMember(image.CloudImage) && isSelected && !m.Distrusts(facts) {
			out = append(out, facts)
		}
	}
	c, err := selection.NewSelector(&h.Query.Spec)
	if err != nil {
		c = selection.Selector{Spec: &h.Query.Spec} // the next poll reports what is wrong with it
	}
	c.Arrange(out, nil)
	return out
}
