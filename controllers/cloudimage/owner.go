// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"iter"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// MaxOwners bounds the queries that own one CloudImage. Existing owners stay and later queries are left out. Otherwise
// authors of queries could grow an object that others need until it can't be written any more.
const MaxOwners = 64

// Owner is a query as a possible owner of CloudImages. Its methods read what an object has of the query.
type Owner struct {
	Query *imagev1alpha1.ImageQuery
	Scope selection.Scope
}

func OwnerOf(query *imagev1alpha1.ImageQuery) Owner {
	return Owner{Query: query, Scope: selection.ScopeOf(query)}
}

func (o Owner) Label() string { return imagev1alpha1.LabelQueryPrefix + o.Query.Name }

// InScope reports whether an object belongs to the query's account and region.
func (o Owner) InScope(image *imagev1alpha1.CloudImage) bool {
	return selection.Scope{Credentials: image.Image.Credentials, Region: image.Image.Region} == o.Scope
}

// has reports whether an object has the query's label or owner reference.
func (o Owner) has(current *imagev1alpha1.CloudImage) bool {
	_, labelled := current.Labels[o.Label()]
	return labelled || o.Owns(current)
}

func (o Owner) Owns(current *imagev1alpha1.CloudImage) bool {
	return slices.ContainsFunc(current.OwnerReferences, o.isOurs)
}

func (o Owner) isOurs(ref metav1.OwnerReference) bool { return ref.UID == o.Query.UID }

// LeftOut reports whether an object has the maximum number of owners, and the query is none of them.
func (o Owner) LeftOut(current *imagev1alpha1.CloudImage) bool {
	holders := 0
	for _, ref := range current.OwnerReferences {
		if isImageQuery(ref) {
			holders++
		}
	}
	return holders >= MaxOwners && !o.Owns(current)
}

// IsMember reports whether an object is a member of the query: it is owned by the query and not leaving. If another
// client removed the label or the owner reference, the image still counts as a member, since it must not leave
// unconfirmed.
func (o Owner) IsMember(current *imagev1alpha1.CloudImage) bool {
	return o.ours(current) && o.leaving(current) == nil && current.DeletionTimestamp == nil
}

// ours reports whether the query owns an object, or has its label on an object without an owner.
func (o Owner) ours(current *imagev1alpha1.CloudImage) bool {
	_, labelled := current.Labels[o.Label()]
	return o.Owns(current) || labelled && Ownerless(current)
}

// leaving returns the query's entry in lifecycle.leaving, or nil.
func (o Owner) leaving(image *imagev1alpha1.CloudImage) *imagev1alpha1.LeavingQuery {
	for i := range image.Lifecycle.Leaving {
		if image.Lifecycle.Leaving[i].Query == o.Query.Name {
			return &image.Lifecycle.Leaving[i]
		}
	}
	return nil
}

// MembersOf returns the owner references of the queries that have a label on the object.
func MembersOf(image *imagev1alpha1.CloudImage) []metav1.OwnerReference {
	var refs []metav1.OwnerReference
	for _, ref := range image.OwnerReferences {
		if isImageQuery(ref) && hasKey(image.Labels, imagev1alpha1.LabelQueryPrefix+ref.Name) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// Ownerless reports whether no ImageQuery is among an object's owners.
func Ownerless(image *imagev1alpha1.CloudImage) bool {
	return !slices.ContainsFunc(image.OwnerReferences, isImageQuery)
}

func isImageQuery(ref metav1.OwnerReference) bool {
	return ref.Kind == "ImageQuery" && strings.HasPrefix(ref.APIVersion, imagev1alpha1.Group+"/")
}

// NamesIn iterates over the names of the queries in an object's labels and lifecycle.leaving.
func NamesIn(image *imagev1alpha1.CloudImage) iter.Seq[string] {
	return func(yield func(string) bool) {
		for label := range image.Labels {
			if name, ok := strings.CutPrefix(label, imagev1alpha1.LabelQueryPrefix); ok && !yield(name) {
				return
			}
		}
		for _, leaving := range image.Lifecycle.Leaving {
			if !yield(leaving.Query) {
				return
			}
		}
	}
}

// QueriesIn returns the names of all queries in an object's labels, owner references and lifecycle.leaving.
func QueriesIn(image *imagev1alpha1.CloudImage) []string {
	names := slices.Collect(NamesIn(image))
	for _, ref := range image.OwnerReferences {
		if isImageQuery(ref) {
			names = append(names, ref.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
