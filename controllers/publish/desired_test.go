// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// queryThat returns a synced query that selects images, each given as id and architecture.
func queryThat(images ...[2]string) *imagev1alpha1.ImageQuery {
	query := &imagev1alpha1.ImageQuery{ObjectMeta: metav1.ObjectMeta{Name: "nodes"}}
	query.Spec.Region = "ap-guangzhou"
	for _, image := range images {
		query.Status.Selected = append(query.Status.Selected, imagev1alpha1.SelectedImage{
			ImageID: image[0], Name: "node-v1.30.4", Architecture: image[1], Type: "PRIVATE_IMAGE", Creator: "100000000001",
		})
	}
	query.Status.Revision, query.Status.ObservedQuery = "revision-1", selection.ObservedQuery(query)
	return query
}

// filled returns a labelled ConfigMap with what the operator writes for a query, and a key of another client.
func filled(query *imagev1alpha1.ImageQuery) *corev1.ConfigMap {
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{imagev1alpha1.LabelSelectionOf: "nodes"}}}
	configMap.Data = map[string]string{"mine": "1"}
	if query != nil {
		configMap.Data = desiredOf(configMap, query).data
	}
	return configMap
}

// shown returns the data without selected_json.
func shown(data map[string]string) map[string]string {
	data = maps.Clone(data)
	delete(data, imagev1alpha1.KeySelectedJSON)
	return data
}

var (
	amd64, arm64 = [2]string{"img-amd00001", "amd64"}, [2]string{"img-arm00001", "arm64"}
	newer        = [2]string{"img-amd00002", "amd64"}
)

func TestWhatAConfigMapHas(t *testing.T) {
	both := map[string]string{
		"mine": "1", "image_id_amd64": "img-amd00001", "image_id_arm64": "img-arm00001", "revision": "revision-1",
	}
	one := map[string]string{"mine": "1", "image_id": "img-amd00001", "image_id_amd64": "img-amd00001", "revision": "revision-1"}
	empty := map[string]string{"mine": "1"}
	edited := func(query *imagev1alpha1.ImageQuery, edit func(*imagev1alpha1.ImageQuery)) *imagev1alpha1.ImageQuery {
		edit(query)
		return query
	}
	for sentence, tc := range map[string]struct {
		before, now *imagev1alpha1.ImageQuery // what the data was made from, and what there is now
		edit        func(*corev1.ConfigMap)
		want        map[string]string
		state       string // how it begins
	}{
		"a key for each architecture": {now: queryThat(amd64, arm64), want: both, state: "Current"},
		"image_id for a single image": {now: queryThat(amd64), want: one, state: "Current"},
		"nothing new":                 {before: queryThat(amd64), now: queryThat(amd64), want: one, state: "Current"},
		"no key for several of one architecture": {
			now: queryThat(amd64, newer, arm64), state: "Left out: image_id_amd64,",
			want: map[string]string{"mine": "1", "image_id_arm64": "img-arm00001", "revision": "revision-1"},
		},
		"no key for an unknown architecture": {
			now:  queryThat([2]string{"img-riscv001", "riscv64"}),
			want: map[string]string{"mine": "1", "image_id": "img-riscv001", "revision": "revision-1"}, state: "Current",
		},
		"nothing is selected yet": {now: queryThat(), want: empty, state: "The ImageQuery nodes selects no image;"},
		"suspended before it selected any": {
			now:  edited(queryThat(), func(q *imagev1alpha1.ImageQuery) { q.Spec.Suspend = true }),
			want: empty, state: "The ImageQuery nodes selects no image, and it is suspended.",
		},
		"suspended with a selection": {
			now:  edited(queryThat(amd64), func(q *imagev1alpha1.ImageQuery) { q.Spec.Suspend = true }),
			want: one, state: "Current",
		},
		"a value from before the first selection stays until then": {
			now: queryThat(), edit: func(c *corev1.ConfigMap) { c.Data["image_id"] = "img-byhand01" },
			want: map[string]string{"mine": "1", "image_id": "img-byhand01"}, state: "The ImageQuery nodes selects no image;",
		},
		"no such query": {want: empty, state: `There is no ImageQuery "nodes".`},
		"the label names no query, and the data is another's": {
			before: queryThat(amd64), want: one, state: `There is no ImageQuery "others".`,
			edit: func(c *corev1.ConfigMap) { c.Labels[imagev1alpha1.LabelSelectionOf] = "others" },
		},
		"the query is gone": {before: queryThat(amd64), want: one, state: "Kept"},
		"the cloud lost all images": {
			before: queryThat(amd64, arm64), now: queryThat(), want: both, state: "Kept",
		},
		"the cloud lost those of one architecture": {
			before: queryThat(amd64, arm64), now: queryThat(amd64), want: both, state: "Kept",
		},
		"an edit excludes the last image": {
			before: queryThat(amd64),
			now: edited(queryThat(), func(q *imagev1alpha1.ImageQuery) {
				q.Spec.Match.ExcludeImageIDs = []imagev1alpha1.ImageID{"img-amd00001"}
			}),
			want: empty, state: "The ImageQuery nodes selects no image;",
		},
		"an edit excludes the image of one architecture": {
			before: queryThat(amd64, arm64),
			now: edited(queryThat(amd64), func(q *imagev1alpha1.ImageQuery) {
				q.Spec.Match.ExcludeImageIDs = []imagev1alpha1.ImageID{"img-arm00001"}
			}),
			want: one, state: "Current",
		},
		"an edit asks another region": {
			before: queryThat(amd64),
			now:    edited(queryThat(), func(q *imagev1alpha1.ImageQuery) { q.Spec.Region = "ap-shanghai" }),
			want:   empty, state: "The ImageQuery nodes selects no image;",
		},
		"an edit of the filters was answered with nothing": {
			before: queryThat(amd64),
			now: edited(queryThat(), func(q *imagev1alpha1.ImageQuery) {
				q.Spec.Filters = []imagev1alpha1.Filter{{Name: "platform", Values: []string{"Debian"}}}
				q.Status.ObservedQuery = selection.ObservedQuery(q)
			}),
			want: empty, state: "The ImageQuery nodes selects no image;",
		},
		"the query was deleted and made again, and isn't answered yet": {
			before: queryThat(amd64, arm64), now: edited(queryThat(), func(q *imagev1alpha1.ImageQuery) { q.Status = imagev1alpha1.ImageQueryStatus{} }),
			want: both, state: "Kept",
		},
		"the query was made again for another region, and isn't answered yet": {
			before: queryThat(amd64),
			now: edited(queryThat(), func(q *imagev1alpha1.ImageQuery) {
				q.Spec.Region, q.Status = "ap-shanghai", imagev1alpha1.ImageQueryStatus{}
			}),
			want: empty, state: "The ImageQuery nodes selects no image;",
		},
		"an edit of the filters isn't answered yet": {
			before: queryThat(amd64),
			now: edited(queryThat(), func(q *imagev1alpha1.ImageQuery) {
				q.Spec.Filters = []imagev1alpha1.Filter{{Name: "platform", Values: []string{"Debian"}}}
			}),
			want: one, state: "Kept",
		},
		"the label names another query, which selects nothing yet": {
			before: queryThat(amd64),
			now:    edited(queryThat(), func(q *imagev1alpha1.ImageQuery) { q.Name = "others" }),
			edit:   func(c *corev1.ConfigMap) { c.Labels[imagev1alpha1.LabelSelectionOf] = "others" },
			want:   empty, state: "The ImageQuery others selects no image;",
		},
		"the revision moves with the selection only": {
			before: queryThat(amd64),
			now:    edited(queryThat(amd64), func(q *imagev1alpha1.ImageQuery) { q.Status.Revision = "revision-2" }),
			want:   one, state: "Current",
		},
		"another image": {
			before: queryThat(amd64),
			now:    edited(queryThat(newer), func(q *imagev1alpha1.ImageQuery) { q.Status.Revision = "revision-2" }),
			want:   map[string]string{"mine": "1", "image_id": "img-amd00002", "image_id_amd64": "img-amd00002", "revision": "revision-2"},
			state:  "Current",
		},
		"immutable, with another selection": {
			before: queryThat(amd64), now: queryThat(newer), edit: func(c *corev1.ConfigMap) { c.Immutable = new(true) },
			want: one, state: "The ConfigMap is immutable,",
		},
		"immutable, with this selection": {
			before: queryThat(amd64), now: queryThat(amd64), edit: func(c *corev1.ConfigMap) { c.Immutable = new(true) },
			want: one, state: "Current",
		},
		"a key that a manifest has": {
			now: queryThat(amd64), state: "Not written: image_id (applied by kustomize-controller).",
			edit: func(c *corev1.ConfigMap) {
				c.Data["image_id"] = "img-ingit001"
				c.ManagedFields = []metav1.ManagedFieldsEntry{{
					Manager: "kustomize-controller", Operation: metav1.ManagedFieldsOperationApply,
					FieldsV1: metav1.NewFieldsV1(`{"f:data":{"f:image_id":{},"f:mine":{}}}`),
				}}
			},
			want: map[string]string{"mine": "1", "image_id": "img-ingit001", "image_id_amd64": "img-amd00001", "revision": "revision-1"},
		},
		"a key that kubectl apply brings": {
			now: queryThat(amd64), state: "Not written: image_id (applied by kubectl apply).",
			edit: func(c *corev1.ConfigMap) {
				c.Data["image_id"] = "img-ingit001"
				c.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: `{"data":{"image_id":"img-ingit001"}}`}
			},
			want: map[string]string{"mine": "1", "image_id": "img-ingit001", "image_id_amd64": "img-amd00001", "revision": "revision-1"},
		},
		"selected_json that isn't ours": {
			now: queryThat(amd64), edit: func(c *corev1.ConfigMap) { c.Data["selected_json"] = "{" }, want: one, state: "Current",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			configMap := filled(tc.before)
			if tc.edit != nil {
				tc.edit(configMap)
			}
			got := desiredOf(configMap, tc.now)
			if diff := cmp.Diff(tc.want, shown(got.data)); diff != "" {
				t.Errorf("the data (-want +got):\n%s", diff)
			}
			if !strings.HasPrefix(got.state, tc.state) {
				t.Errorf("the state is %q, want %q", got.state, tc.state)
			}
			again := &corev1.ConfigMap{ObjectMeta: configMap.ObjectMeta, Data: got.data, Immutable: configMap.Immutable}
			metav1.SetMetaDataAnnotation(&again.ObjectMeta, imagev1alpha1.AnnotationPublishState, got.state)
			if next := desiredOf(again, tc.now); next.differs(again) {
				t.Errorf("once it is written, it is to be written again, with the state %q:\n%s", next.state, cmp.Diff(again.Data, next.data))
			}
		})
	}
}

// What consumers parse.
func TestSelectedJSON(t *testing.T) {
	got := filled(queryThat(amd64)).Data[imagev1alpha1.KeySelectedJSON]
	want := `{"query":"nodes","region":"ap-guangzhou","observedQuery":"` + queryThat().Status.ObservedQuery + `",` +
		`"images":[{"imageID":"img-amd00001","name":"node-v1.30.4","architecture":"amd64","type":"PRIVATE_IMAGE","creator":"100000000001"}]}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParseNamespaces(t *testing.T) {
	got, err := ParseNamespaces("team-b, team-a,,team-b")
	if want := "team-a team-b"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
	for _, wrong := range []string{"Team", "a.b", "a b", "*", strings.Repeat("a", 64)} {
		if _, err := ParseNamespaces(wrong); err == nil || !strings.Contains(err.Error(), "is no namespace; write names such as") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}
