// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudimage

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// dropDerived removes the derived labels and annotations from an object. It reports whether all were present and
// correct.
func dropDerived(image *imagev1alpha1.CloudImage) bool {
	labels, annotations := derivedLabels(image), derivedAnnotations(image)
	intact := hasAll(image.Labels, labels) && hasAll(image.Annotations, annotations)
	image.Labels = withoutKeys(image.Labels, func(key string) bool { return hasKey(labels, key) })
	image.Annotations = withoutKeys(image.Annotations, func(key string) bool { return hasKey(annotations, key) })
	return intact
}

// WithDerived returns an object with its derived labels and annotations, as it is written.
func WithDerived(image *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	out := *image
	out.Labels = merged(image.Labels, derivedLabels(image))
	out.Annotations = merged(image.Annotations, derivedAnnotations(image))
	return &out
}

// derivedAnnotations returns the annotations computed from the record.
func derivedAnnotations(image *imagev1alpha1.CloudImage) map[string]string {
	return map[string]string{imagev1alpha1.AnnotationDisplayName: image.Image.Name}
}

// derivedLabels returns the labels computed from the record. An empty value means that the label must be absent.
func derivedLabels(image *imagev1alpha1.CloudImage) map[string]string {
	i := &image.Image
	return map[string]string{
		imagev1alpha1.LabelRegion:      labelValue(i.Region),
		imagev1alpha1.LabelCredentials: labelValue(i.Credentials),
		imagev1alpha1.LabelImageID:     labelValue(i.ID),
		imagev1alpha1.LabelType:        labelValue(i.Type),
		imagev1alpha1.LabelPlatform:    labelValue(i.Platform),
		imagev1alpha1.LabelState:       labelValue(i.State),
		imagev1alpha1.LabelPresence:    labelValue(string(image.Lifecycle.Presence)),
		imagev1alpha1.LabelDeprecated:  boolLabel(i.Deprecated),
		imagev1alpha1.LabelArch:        labelValue(i.Architecture),
		imagev1alpha1.LabelOS:          operatingSystem(i.Platform),
	}
}

// operatingSystem returns the value of kubernetes.io/os. All platforms of the API except two are Linux.
func operatingSystem(platform string) string {
	switch platform {
	case "":
		return ""
	case "Windows":
		return "windows"
	case "FreeBSD":
		return "freebsd"
	}
	return "linux"
}

func boolLabel(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// hasAll reports whether m has all values. An empty value means that the key must be absent.
func hasAll(m, values map[string]string) bool {
	for key, value := range values {
		if m[key] != value || value == "" && hasKey(m, key) {
			return false
		}
	}
	return true
}

func hasKey(m map[string]string, key string) bool {
	_, ok := m[key]
	return ok
}

// labelValue converts a string to a valid label value: invalid characters become '-', long values are cut, and the ends
// are trimmed to letters and digits.
func labelValue(s string) string {
	s = strings.Map(func(r rune) rune {
		if isAlphanumeric(r) || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, s)
	s = s[:min(len(s), validation.LabelValueMaxLength)]
	return strings.TrimFunc(s, func(r rune) bool { return !isAlphanumeric(r) })
}

func isAlphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
