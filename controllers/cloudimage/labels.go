// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// MaxAskedLabels bounds the labels on one CloudImage that queries ask for.
const MaxAskedLabels = 64

// relabel sets the labels requested by the members' specs, and removes labels that none requests any more. All queries
// compute the same result, so that conflicting ones don't overwrite each other.
func (c Claim) relabel(image *imagev1alpha1.CloudImage, members []string) {
	queries := make([]*imagev1alpha1.ImageQuery, 0, len(members))
	for _, name := range members {
		query := c.Peers[name]
		if name == c.Query.Name {
			query = c.Query
		}
		if query == nil {
			return // unknown yet: keep the labels
		}
		queries = append(queries, query)
	}
	if len(queries) == 0 {
		return // in grace: keep the labels, so that selectors still match
	}
	wanted := askedLabels(image, queries)
	before := strings.Split(image.Annotations[imagev1alpha1.AnnotationLabelKeys], ",")
	image.Labels = withoutKeys(image.Labels, func(key string) bool {
		asked := isTagLabel(key) || !strings.HasPrefix(key, imagev1alpha1.LabelQueryPrefix) && slices.Contains(before, key)
		return asked && !hasKey(wanted, key)
	})
	image.Labels = merged(image.Labels, wanted)
	maps.DeleteFunc(wanted, func(key, _ string) bool { return isTagLabel(key) })
	image.Annotations = merged(image.Annotations, map[string]string{
		imagev1alpha1.AnnotationLabelKeys: strings.Join(slices.Sorted(maps.Keys(wanted)), ","),
	})
}

// askedLabels returns the labels requested by queries, up to MaxAskedLabels. Older queries take precedence, so that a
// new query can't change or displace another query's label.
func askedLabels(image *imagev1alpha1.CloudImage, queries []*imagev1alpha1.ImageQuery) map[string]string {
	slices.SortFunc(queries, func(a, b *imagev1alpha1.ImageQuery) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(string(a.UID), string(b.UID)))
	})
	all := map[string]string{}
	for _, query := range queries {
		asked := labelsAskedBy(query, image)
		for _, key := range slices.Sorted(maps.Keys(asked)) {
			if !hasKey(all, key) && len(all) < MaxAskedLabels {
				all[key] = asked[key]
			}
		}
	}
	return all
}

// labelsAskedBy returns the labels that one query requests on an image. Tag keys are sanitised like label values.
func labelsAskedBy(query *imagev1alpha1.ImageQuery, image *imagev1alpha1.CloudImage) map[string]string {
	spec := &query.Spec.CloudImages
	if len(spec.Labels)+len(spec.LabelTagKeys) == 0 {
		return nil
	}
	labels := make(map[string]string, len(spec.Labels)+len(spec.LabelTagKeys))
	for key, value := range spec.Labels {
		labels[key] = string(value)
	}
	for _, key := range spec.LabelTagKeys {
		name := labelValue(key)
		for _, tag := range image.Image.Tags {
			if value := labelValue(tag.Value); tag.Key == key && name != "" && value != "" {
				labels[imagev1alpha1.LabelTagPrefix+name] = value
			}
		}
	}
	return labels
}

func isTagLabel(key string) bool { return strings.HasPrefix(key, imagev1alpha1.LabelTagPrefix) }

// LeftOut is what a query lacks on shared objects because of bounds or older queries.
type LeftOut struct {
	// Objects are the CloudImages with the maximum number of owners.
	Objects []string

	// Labels are the requested labels that some of the query's CloudImages lack or have with another value.
	Labels map[string]bool
}

// Note records what the query lacks on one of its CloudImages.
func (l *LeftOut) Note(h Owner, image *imagev1alpha1.CloudImage) {
	switch {
	case image == nil:
		return
	case h.LeftOut(image):
		l.Objects = append(l.Objects, image.Name)
		return
	}
	for key, value := range labelsAskedBy(h.Query, image) {
		if image.Labels[key] != value {
			if l.Labels == nil {
				l.Labels = map[string]bool{}
			}
			l.Labels[key] = true
		}
	}
}
