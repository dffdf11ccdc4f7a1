// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// toQuery is what the cloud is asked for a spec.
func toQuery(spec *imagev1alpha1.ImageQuerySpec) catalog.Query {
	q := catalog.Query{Region: spec.Region, InstanceType: spec.InstanceType}
	for _, f := range spec.Filters {
		q.Filters = append(q.Filters, catalog.Filter{Name: f.Name, Values: f.Values})
	}
	for _, id := range spec.ImageIDs {
		q.ImageIDs = append(q.ImageIDs, string(id))
	}
	return q
}

// scope is where a query's images live: the same image seen by another account or in another region is another
// CloudImage.
type scope struct{ credentials, region string }

func scopeOf(query *imagev1alpha1.ImageQuery) scope {
	s := scope{region: query.Spec.Region}
	if ref := query.Spec.CredentialsRef; ref != nil {
		s.credentials = ref.Name
	}
	return s
}

// objectName is the name of an image's CloudImage. Neither credentials nor a region has a '.', so it is unambiguous.
func (s scope) objectName(imageID string) string {
	name := s.region + "-" + imageID
	if s.credentials != "" {
		name = s.credentials + "." + name
	}
	return name
}

// observedQuery is the hash of what is asked, in two parts: a change of the first means other images altogether.
func observedQuery(query *imagev1alpha1.ImageQuery) string {
	spec := &query.Spec
	return hash(scopeOf(query)) + "-" + hash(spec.Filters, spec.ImageIDs, spec.InstanceType, spec.Match)
}

// sameScope says whether two observed queries ask the same account in the same region.
func sameScope(a, b string) bool {
	a, _, _ = strings.Cut(a, "-")
	b, _, _ = strings.Cut(b, "-")
	return a == b
}

// hash is a short token for values that marshal to JSON deterministically.
func hash(values ...any) string {
	h := sha256.New()
	encoder := json.NewEncoder(h)
	for _, v := range values {
		if s, ok := v.(scope); ok {
			v = []string{s.credentials, s.region}
		}
		if err := encoder.Encode(v); err != nil {
			panic(err) // only types of ours without channels or functions come here
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// toRecord is an image as CloudImage stores it.
func toRecord(image catalog.Image, s scope) imagev1alpha1.Image {
	record := imagev1alpha1.Image{
		ID: image.ID, Region: s.region, Credentials: s.credentials,
		Name: image.Name, Description: image.Description, Type: image.Type, Source: image.Source, Creator: image.Creator,
		State: image.State, OSName: image.OSName, Platform: image.Platform, Architecture: image.Architecture,
		SizeGiB: image.SizeGiB, CloudInit: image.CloudInit, LicenseType: image.LicenseType, Family: image.Family,
		Deprecated: image.Deprecated, CreatedTime: optionalTime(image.CreatedTime),
	}
	for _, t := range image.Tags {
		record.Tags = append(record.Tags, imagev1alpha1.Tag{Key: t.Key, Value: t.Value})
	}
	for _, s := range image.Snapshots {
		record.Snapshots = append(record.Snapshots, imagev1alpha1.Snapshot{ID: s.ID, DiskUsage: s.DiskUsage, DiskSizeGiB: s.DiskSizeGiB})
	}
	return record
}

// fromRecord is toRecord's inverse, for images that stay although the last listing lacked them.
func fromRecord(record *imagev1alpha1.Image) catalog.Image {
	image := catalog.Image{
		ID: record.ID, Name: record.Name, Description: record.Description, Type: record.Type, Source: record.Source,
		Creator: record.Creator, State: record.State, OSName: record.OSName, Platform: record.Platform,
		Architecture: record.Architecture, SizeGiB: record.SizeGiB, CloudInit: record.CloudInit,
		LicenseType: record.LicenseType, Family: record.Family, Deprecated: record.Deprecated,
	}
	if record.CreatedTime != nil {
		image.CreatedTime = record.CreatedTime.UTC()
	}
	for _, t := range record.Tags {
		image.Tags = append(image.Tags, catalog.Tag{Key: t.Key, Value: t.Value})
	}
	for _, s := range record.Snapshots {
		image.Snapshots = append(image.Snapshots, catalog.Snapshot{ID: s.ID, DiskUsage: s.DiskUsage, DiskSizeGiB: s.DiskSizeGiB})
	}
	return image
}

// factsMark is a label that no object of the API server can have. It is on an object without facts and says whether those
// that it had were right.
const factsMark = "/facts"

var (
	factsRight = map[string]string{factsMark: "right"}
	factsWrong = map[string]string{factsMark: "wrong"}
)

// withoutFacts takes off an object what repeats its own facts: labels, and the annotation with the image's name. Plans are
// made without it, and it is put on when the object is written. So ten labels of every image needn't be kept in memory, nor
// made and compared at each poll. Done twice it is done once.
func withoutFacts(image *imagev1alpha1.CloudImage) {
	if hasKey(image.Labels, factsMark) {
		return
	}
	labels, annotations := factLabels(image), factAnnotations(image)
	mark := factsWrong
	if hasAll(image.Labels, labels) && hasAll(image.Annotations, annotations) {
		mark = factsRight
	}
	image.Labels = withoutKeys(image.Labels, func(key string) bool { return hasKey(labels, key) })
	image.Labels = merged(image.Labels, mark)
	image.Annotations = withoutKeys(image.Annotations, func(key string) bool { return hasKey(annotations, key) })
}

// withFacts is an object as it is written.
func withFacts(image *imagev1alpha1.CloudImage) *imagev1alpha1.CloudImage {
	out := *image
	out.Labels = withoutKeys(merged(image.Labels, factLabels(image)), func(key string) bool { return key == factsMark })
	out.Annotations = merged(image.Annotations, factAnnotations(image))
	return &out
}

// factAnnotations are the annotations that repeat facts of an image, as factLabels are the labels.
func factAnnotations(image *imagev1alpha1.CloudImage) map[string]string {
	return map[string]string{imagev1alpha1.AnnotationDisplayName: image.Image.Name}
}

// factLabels are the labels that repeat facts of an image. An empty value means that the label must be absent.
func factLabels(image *imagev1alpha1.CloudImage) map[string]string {
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

// operatingSystem is the platform in the words of kubernetes.io/os. All platforms of the API but two are Linux.
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

// hasAll says whether a map has these values; an empty one means that the key must be absent.
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

// labelValue makes a string fit for a label: other characters become '-', what is too long is cut, and a value begins
// and ends with a letter or digit.
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

func optionalTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t}
}
