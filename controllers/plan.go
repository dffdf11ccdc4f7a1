// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// step brings one CloudImage to what a query wants of it.
type step struct {
	name string

	// current is the object as the cache has it, nil if there is none. It is shared with the cache: read only.
	current *imagev1alpha1.CloudImage

	// desire says what the object should be, given what it is (nil: there is none); nil means that it should not be.
	// It is asked again when the object turns out to be another than current.
	desire func(current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage
}

// plan is what to do, in order of names. What is let go comes after what is kept, so that a consumer always finds the
// new before the old goes.
type plan struct{ keep, release []step }

func (p plan) empty() bool { return len(p.keep)+len(p.release) == 0 }

// claim is one query's view on CloudImages at one time.
type claim struct {
	query *imagev1alpha1.ImageQuery
	scope scope
	now   time.Time

	// deleted are names of ImageQueries that are known not to exist; their labels are taken off.
	deleted map[string]bool
}

// makePlan compares members with what is there: the CloudImages of the query's scope and those it has anywhere.
func (c claim) makePlan(members []catalog.Image, existing map[string]*imagev1alpha1.CloudImage) plan {
	var p plan
	wanted := make(map[string]bool, len(members))
	for _, image := range members {
		name := c.scope.objectName(image.ID)
		wanted[name] = true
		record := toRecord(image, c.scope)
		p.keep = c.add(p.keep, name, existing[name], func(current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
			return c.keep(current, name, record)
		})
	}
	for name, current := range existing {
		if !wanted[name] && c.has(current) {
			p.release = c.add(p.release, name, current, c.release)
		}
	}
	slices.SortFunc(p.keep, byName)
	slices.SortFunc(p.release, byName)
	return p
}

// add appends a step unless nothing would change. An object on its way out counts as absent.
func (c claim) add(steps []step, name string, current *imagev1alpha1.CloudImage, desire func(*imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage) []step {
	if current != nil && current.DeletionTimestamp != nil {
		current = nil
	}
	if desired := desire(current); !sameObject(current, desired) {
		steps = append(steps, step{name: name, current: current, desire: desire})
	}
	return steps
}

// sameObject compares what we write of an object. Both may be nil.
func sameObject(a, b *imagev1alpha1.CloudImage) bool {
	if a == nil || b == nil {
		return a == b
	}
	return equality.Semantic.DeepEqual(a.Image, b.Image) &&
		equality.Semantic.DeepEqual(a.Lifecycle, b.Lifecycle) &&
		equality.Semantic.DeepEqual(a.Labels, b.Labels) &&
		equality.Semantic.DeepEqual(a.Annotations, b.Annotations) &&
		equality.Semantic.DeepEqual(a.OwnerReferences, b.OwnerReferences)
}

func (c claim) label() string { return imagev1alpha1.LabelQueryPrefix + c.query.Name }

// has says whether the query has anything on an object: its label or its owner reference.
func (c claim) has(current *imagev1alpha1.CloudImage) bool {
	_, labelled := current.Labels[c.label()]
	return labelled || c.owns(current)
}

func (c claim) owns(current *imagev1alpha1.CloudImage) bool {
	return slices.ContainsFunc(current.OwnerReferences, c.isOurs)
}

func (c claim) isOurs(ref metav1.OwnerReference) bool { return ref.UID == c.query.UID }

// isMember says whether an object is a member of the query: by its label and the owner reference together.
func (c claim) isMember(current *imagev1alpha1.CloudImage) bool {
	_, labelled := current.Labels[c.label()]
	return labelled && c.owns(current) && current.DeletionTimestamp == nil
}

// keep is an object as a member: what is there, with the facts, our labels and our owner reference merged in. What
// others put there stays.
func (c claim) keep(current *imagev1alpha1.CloudImage, name string, record imagev1alpha1.Image) *imagev1alpha1.CloudImage {
	desired := &imagev1alpha1.CloudImage{}
	if current != nil {
		desired = current.DeepCopy()
	}
	desired.Name = name
	if !equality.Semantic.DeepEqual(desired.Image, record) || desired.Lifecycle.Presence != imagev1alpha1.PresencePresent {
		desired.Image = record
		desired.Lifecycle.Presence = imagev1alpha1.PresencePresent
		desired.Lifecycle.LastChangeTime = metav1.NewTime(c.now.Truncate(time.Second))
	}
	if desired.Lifecycle.FirstSeenTime.IsZero() {
		desired.Lifecycle.FirstSeenTime = desired.Lifecycle.LastChangeTime
	}
	if !c.owns(desired) {
		desired.OwnerReferences = append(desired.OwnerReferences, metav1.OwnerReference{
			APIVersion: imagev1alpha1.GroupVersion.String(), Kind: "ImageQuery", Name: c.query.Name, UID: c.query.UID,
		})
	}
	c.dropDeleted(desired)
	labels := factLabels(desired)
	labels[c.label()] = imagev1alpha1.QueryMember
	desired.Labels = merged(desired.Labels, labels)
	desired.Annotations = merged(desired.Annotations, map[string]string{imagev1alpha1.AnnotationDisplayName: record.Name})
	return desired
}

// release is an object without the query; nothing is left of it once nobody else owns it.
func (c claim) release(current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	if current == nil || !c.has(current) {
		return current
	}
	desired := current.DeepCopy()
	delete(desired.Labels, c.label())
	desired.OwnerReferences = slices.DeleteFunc(desired.OwnerReferences, c.isOurs)
	if !slices.ContainsFunc(desired.OwnerReferences, isImageQuery) {
		return nil
	}
	c.dropDeleted(desired)
	return desired
}

// forgetPlan takes the label of a query that was deleted off what others own. What it alone owned is the garbage
// collector's.
func (c claim) forgetPlan(existing map[string]*imagev1alpha1.CloudImage) []step {
	var steps []step
	for name, current := range existing {
		if !slices.ContainsFunc(current.OwnerReferences, func(ref metav1.OwnerReference) bool { return isImageQuery(ref) && ref.Name != c.query.Name }) {
			continue
		}
		steps = c.add(steps, name, current, func(current *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
			if current == nil {
				return nil
			}
			desired := current.DeepCopy()
			c.dropDeleted(desired)
			return desired
		})
	}
	slices.SortFunc(steps, byName)
	return steps
}

func byName(a, b step) int { return strings.Compare(a.name, b.name) }

func isImageQuery(ref metav1.OwnerReference) bool {
	return ref.Kind == "ImageQuery" && strings.HasPrefix(ref.APIVersion, imagev1alpha1.Group+"/")
}

// dropDeleted takes off the labels of queries that don't exist any more; their owner references go by Kubernetes'
// garbage collector.
func (c claim) dropDeleted(image *imagev1alpha1.CloudImage) {
	maps.DeleteFunc(image.Labels, func(key, _ string) bool {
		name, ok := strings.CutPrefix(key, imagev1alpha1.LabelQueryPrefix)
		return ok && c.deleted[name]
	})
}

// merged is base with values set; an empty value takes its key off.
func merged(base, values map[string]string) map[string]string {
	out := maps.Clone(base)
	if out == nil {
		out = map[string]string{}
	}
	for key, value := range values {
		if value == "" {
			delete(out, key)
		} else {
			out[key] = value
		}
	}
	return out
}
