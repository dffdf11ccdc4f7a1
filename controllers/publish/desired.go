// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"cmp"
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// architectures are those that have a key, in the order of status.selected.
var architectures = []imagev1alpha1.Architecture{"amd64", "arm64", "386"}

// keys are the keys of a ConfigMap that the operator writes. Nothing else in it is the operator's.
var keys = []string{
	imagev1alpha1.KeyImageIDOf("amd64"), imagev1alpha1.KeyImageIDOf("arm64"), imagev1alpha1.KeyImageIDOf("386"), imagev1alpha1.KeyImageID,
	imagev1alpha1.KeyRevision, imagev1alpha1.KeySelectedJSON,
}

// desired is what a ConfigMap should have: its data, and the value of the annotation publish-state.
type desired struct {
	data  map[string]string
	state string
}

// desiredOf returns what a ConfigMap should have, given the query that its label names; nil if there is no such query.
func desiredOf(configMap *corev1.ConfigMap, query *imagev1alpha1.ImageQuery) desired {
	name, old := configMap.Labels[imagev1alpha1.LabelSelectionOf], recordIn(configMap.Data)
	if query == nil {
		return withoutQuery(configMap.Data, name, old)
	}
	next, kept := old.next(query)
	want, problem := valuesOf(next)
	switch {
	case len(next.Images) == 0 && old.Query == "":
		// Values from before the first selection are replaced by it, and not removed.
		return desired{data: configMap.Data, state: nothingSelected(query)}
	case len(next.Images) == 0:
		problem = nothingSelected(query)
	case next.String() == configMap.Data[imagev1alpha1.KeySelectedJSON]:
		want[imagev1alpha1.KeyRevision] = cmp.Or(configMap.Data[imagev1alpha1.KeyRevision], query.Status.Revision)
	default:
		want[imagev1alpha1.KeyRevision] = query.Status.Revision
	}
	state := imagev1alpha1.PublishCurrent
	if kept {
		state = imagev1alpha1.PublishKept
	}
	return within(configMap, want, cmp.Or(problem, state))
}

// withoutQuery keeps the data of a query that is gone.
func withoutQuery(data map[string]string, name string, old record) desired {
	if old.Query == name && len(old.Images) > 0 {
		return desired{data: data, state: imagev1alpha1.PublishKept}
	}
	return desired{data: data, state: fmt.Sprintf("There is no ImageQuery %q. Correct the label %s, or create the query; "+
		"until then the data stays as it is.", name, imagev1alpha1.LabelSelectionOf)}
}

func nothingSelected(query *imagev1alpha1.ImageQuery) string {
	if query.Spec.Suspend {
		return fmt.Sprintf("The ImageQuery %s selects no image, and it is suspended. Set its spec.suspend to false.", query.Name)
	}
	return fmt.Sprintf("The ImageQuery %s selects no image; its condition Selected has the reason. The keys appear with its first selection.",
		query.Name)
}

// valuesOf returns the values of the keys for a record's images, and a sentence about keys that are left out.
func valuesOf(r record) (values map[string]string, problem string) {
	values = map[string]string{}
	if len(r.Images) == 0 {
		return values, ""
	}
	values[imagev1alpha1.KeySelectedJSON] = r.String()
	if len(r.Images) == 1 {
		values[imagev1alpha1.KeyImageID] = r.Images[0].ImageID
	}
	var ambiguous []string
	for _, architecture := range architectures {
		switch ids := r.idsOf(architecture); len(ids) {
		case 0:
		case 1:
			values[imagev1alpha1.KeyImageIDOf(architecture)] = ids[0]
		default:
			ambiguous = append(ambiguous, imagev1alpha1.KeyImageIDOf(architecture))
		}
	}
	if len(ambiguous) > 0 {
		problem = fmt.Sprintf("Left out: %s, because the ImageQuery %s selects several images of that architecture. "+
			"Set its selection.limit to 1 and group by Architecture only, or read %s.", strings.Join(ambiguous, ", "), r.Query, imagev1alpha1.KeySelectedJSON)
	}
	return values, problem
}

// within fits the values into a ConfigMap, as far as they may be changed there.
func within(configMap *corev1.ConfigMap, values map[string]string, state string) desired {
	foreign := foreignKeys(configMap)
	data := map[string]string{}
	maps.Copy(data, configMap.Data)
	var left []string
	for _, key := range keys {
		value, wanted := values[key]
		switch old, found := data[key]; {
		case found == wanted && old == value:
		case foreign[key] != "":
			left = append(left, fmt.Sprintf("%s (applied by %s)", key, foreign[key]))
		case wanted:
			data[key] = value
		default:
			delete(data, key)
		}
	}
	switch {
	case ptr.Deref(configMap.Immutable, false) && !maps.Equal(data, configMap.Data):
		return desired{data: configMap.Data, state: "The ConfigMap is immutable, so its data can't follow the selection. " +
			"Delete it and create it again without immutable."}
	case len(left) > 0:
		state = "Not written: " + strings.Join(left, ", ") +
			". Take these keys out of the manifest that is applied; the operator fills them in then."
	}
	return desired{data: data, state: state}
}

// differs reports whether a ConfigMap has to be written.
func (d desired) differs(configMap *corev1.ConfigMap) bool {
	return configMap.Annotations[imagev1alpha1.AnnotationPublishState] != d.state || !maps.Equal(configMap.Data, d.data)
}
