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

// MaxOwners is how many queries own one CloudImage at the most. Who owns it stays; a query that comes later is left
// out. without a bound, authors of queries could grow an object that others need until nobody can write it any more.
const MaxOwners = 64

// Owner is one query as CloudImages know it. Its methods say what an object has of the query.
type Owner struct {
	Query *imagev1alpha1.ImageQuery
	Scope selection.Scope
}

func OwnerOf(query *imagev1alpha1.ImageQuery) Owner {
	return Owner{Query: query, Scope: selection.ScopeOf(query)}
}

func (h Owner) Label() string { return imagev1alpha1.LabelQueryPrefix + h.Query.Name }

// InScope says whether an object is of the query's account and region.
func (h Owner) InScope(image *imagev1alpha1.CloudImage) bool {
	return selection.Scope{Credentials: image.Image.Credentials, Region: image.Image.Region} == h.Scope
}

// has says whether the query has anything on an object: its label or its owner reference.
func (h Owner) has(current *imagev1alpha1.CloudImage) bool {
	_, labelled := current.Labels[h.Label()]
	return labelled || h.Owns(current)
}

func (h Owner) Owns(current *imagev1alpha1.CloudImage) bool {
	return slices.ContainsFunc(current.OwnerReferences, h.isOurs)
}

func (h Owner) isOurs(ref metav1.OwnerReference) bool { return ref.UID == h.Query.UID }

// LeftOut says whether an object has as many owners as it may, and the query is none of them.
func (h Owner) LeftOut(current *imagev1alpha1.CloudImage) bool {
	holders := 0
	for _, ref := range current.OwnerReferences {
		if isImageQuery(ref) {
			holders++
		}
	}
	return holders >= MaxOwners && !h.Owns(current)
}

// IsMember says whether an object is that of a member: the query owns it, and it did not leave. Where somebody took the
// label or the owner reference off, the image must not leave without being asked for all the same.
func (h Owner) IsMember(current *imagev1alpha1.CloudImage) bool {
	return h.ours(current) && h.leaving(current) == nil && current.DeletionTimestamp == nil
}

// ours says whether the query owns an object, or has its label on one that nobody owns.
func (h Owner) ours(current *imagev1alpha1.CloudImage) bool {
	_, labelled := current.Labels[h.Label()]
	return h.Owns(current) || labelled && Ownerless(current)
}

// leaving is what an object remembers of the query's leaving; nil if it didn't leave.
func (h Owner) leaving(image *imagev1alpha1.CloudImage) *imagev1alpha1.LeavingQuery {
	for i := range image.Lifecycle.Leaving {
		if image.Lifecycle.Leaving[i].Query == h.Query.Name {
			return &image.Lifecycle.Leaving[i]
		}
	}
	return nil
}

// MembersOf are the owner references of the queries whose label an object has.
func MembersOf(image *imagev1alpha1.CloudImage) []metav1.OwnerReference {
	var refs []metav1.OwnerReference
	for _, ref := range image.OwnerReferences {
		if isImageQuery(ref) && hasKey(image.Labels, imagev1alpha1.LabelQueryPrefix+ref.Name) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// Ownerless says whether no ImageQuery is among an object's owners.
func Ownerless(image *imagev1alpha1.CloudImage) bool {
	return !slices.ContainsFunc(image.OwnerReferences, isImageQuery)
}

func isImageQuery(ref metav1.OwnerReference) bool {
	return ref.Kind == "ImageQuery" && strings.HasPrefix(ref.APIVersion, imagev1alpha1.Group+"/")
}

// NamesIn are the names of the queries that an object mentions in labels and in what it remembers of leaving.
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

// QueriesIn are the names of all queries that have something of an object: a label, an owner reference, or an entry in
// leaving.
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
