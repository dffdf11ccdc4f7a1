// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/streaming"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	restwatch "k8s.io/client-go/rest/watch"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/randfill"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// testCodecs returns the serializer under test, with client-go's in it.
func testCodecs(tb testing.TB) codecs {
	tb.Helper()
	scheme := runtime.NewScheme()
	if err := imagev1alpha1.AddToScheme(scheme); err != nil {
		tb.Fatal(err)
	}
	metav1.AddToGroupVersion(scheme, metav1.Unversioned)
	return newCodecs(scheme)
}

// decoder returns what client-go makes of a serializer when it watches.
func decoder(tb testing.TB, codecs runtime.NegotiatedSerializer, stream string) apiwatch.Decoder {
	tb.Helper()
	objects, events, framer, err := runtime.NewClientNegotiator(codecs, imagev1alpha1.GroupVersion).StreamDecoder(runtime.ContentTypeJSON, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return restwatch.NewDecoder(streaming.NewDecoder(framer.NewFrameReader(body(stream)), events), objects)
}

func body(stream string) io.ReadCloser { return io.NopCloser(strings.NewReader(stream)) }

// eventOf returns an event of a watch as the API server encodes it.
func eventOf(tb testing.TB, of apiwatch.EventType, object runtime.Object) string {
	tb.Helper()
	raw, err := json.Marshal(metav1.WatchEvent{Type: string(of), Object: runtime.RawExtension{Object: object}})
	if err != nil {
		tb.Fatal(err)
	}
	return string(raw) + "\n"
}

// filled returns a CloudImage all of whose fields are set at random.
func filled(seed int64) *imagev1alpha1.CloudImage {
	image := &imagev1alpha1.CloudImage{}
	randfill.NewWithSeed(seed).NilChance(.1).NumElements(1, 3).MaxDepth(30).Funcs(
		func(t *metav1.Time, c randfill.Continue) { *t = metav1.Unix(c.Int63n(4e9), 0) },
		func(f *metav1.FieldsV1, _ randfill.Continue) { f.SetRawBytes([]byte(`{"f:image":{}}`)) },
	).Fill(image)
	image.SetGroupVersionKind(kind)
	return image
}

// ends are the errors that client-go compares without unwrapping them.
var ends = []error{nil, io.EOF, io.ErrUnexpectedEOF}

// What the operator sees must not depend on who decodes it.
func TestDecodesLikeClientGo(t *testing.T) {
	expired := apierrors.NewResourceExpired("too old resource version: 1 (5)").Status()
	bookmark := filled(0)
	bookmark.ObjectMeta = metav1.ObjectMeta{ResourceVersion: "42", Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"}}
	large := filled(0)
	large.Image.Description = strings.Repeat("x", 17<<20)
	whole := eventOf(t, apiwatch.Added, filled(0))
	ofKind := func(apiVersion, kind, more string) string {
		return fmt.Sprintf(`{"type":"ADDED","object":{"apiVersion":%q,"kind":%q%s}}`, apiVersion, kind, more)
	}
	version := kind.GroupVersion().String()
	streams := map[string]string{
		"empty":                      "",
		"a bookmark":                 eventOf(t, apiwatch.Bookmark, bookmark),
		"a deletion":                 eventOf(t, apiwatch.Deleted, filled(0)),
		"an expired resourceVersion": eventOf(t, apiwatch.Error, &expired),
		"an error of no kind":        `{"type":"ERROR","object":{}}`,
		"an error that is null":      `{"type":"ERROR","object":null}`,
		"an error of another kind":   `{"type":"ERROR","object":{"apiVersion":"` + version + `","kind":"CloudImage"}}`,
		"nulls":                      ofKind(version, "CloudImage", `,"metadata":{"labels":null,"ownerReferences":[null]},"image":null`),
		"a field of a wrong type":    ofKind(version, "CloudImage", `,"metadata":{"labels":[]}`),
		"a name that is there twice": ofKind(version, "CloudImage", `,"image":{"tags":[{"key":"a"}],"name":"x"},"image":{"name":"y"}`),
		"bytes that are no text":     ofKind(version, "CloudImage", ",\"image\":{\"name\":\"\xff \\ud800\"}"),
		"an unknown field":           ofKind(version, "CloudImage", `,"NAME":"x","Metadata":{"name":"x"}`),
		"a list":                     ofKind(version, "CloudImageList", `,"items":[]`),
		"another kind":               ofKind(version, "ImageQuery", ""),
		"another version":            ofKind(kind.Group+"/v2", "CloudImage", ""),
		"no kind":                    `{"type":"ADDED","object":{}}`,
		"no object":                  `{"type":"ADDED"}`,
		"an unknown type":            `{"type":"SYNC","object":{}}`,
		"the object first":           `{"object":` + strings.TrimPrefix(ofKind(version, "CloudImage", ""), `{"type":"ADDED","object":`),
		"torn apart":                 whole + whole[:len(whole)/2],
		"without an end of line":     whole + strings.TrimSpace(whole),
		"too large":                  eventOf(t, apiwatch.Added, large) + whole,
		"no JSON":                    whole + "<html>",
	}
	for seed := range int64(100) {
		streams[fmt.Sprint("generated ", seed)] = eventOf(t, apiwatch.Added, filled(2*seed)) + eventOf(t, apiwatch.Modified, filled(2*seed+1))
	}
	serializer := testCodecs(t)
	for name, stream := range streams {
		ours, theirs := decoder(t, serializer, stream), decoder(t, serializer.NegotiatedSerializer, stream)
		for event := 1; ; event++ {
			gotType, got, gotErr := ours.Decode()
			wantType, want, wantErr := theirs.Decode()
			if image, ok := want.(*imagev1alpha1.CloudImage); ok {
				image.ManagedFields = nil // the cache drops them
			}
			if diff := cmp.Diff(want, got); gotType != wantType || diff != "" {
				t.Errorf("%s, event %d: got %q, want %q, %s", name, event, gotType, wantType, diff)
			}
			if slices.Index(ends, gotErr) != slices.Index(ends, wantErr) {
				t.Errorf("%s, event %d: got the error %v, want %v", name, event, gotErr, wantErr)
			}
			if wantErr != nil && !errors.Is(wantErr, streaming.ErrObjectTooLarge) {
				break
			}
		}
	}
}

// A selector would apply to lists and not to watches.
func TestRefusesSelectors(t *testing.T) {
	none, scheme := labels.Nothing(), runtime.NewScheme()
	for name, options := range map[string]ctrlcache.Options{
		"no scheme":             {},
		"labels of all kinds":   {Scheme: scheme, DefaultLabelSelector: none},
		"fields of all kinds":   {Scheme: scheme, DefaultFieldSelector: fields.Nothing()},
		"labels of CloudImages": {Scheme: scheme, ByObject: map[client.Object]ctrlcache.ByObject{&imagev1alpha1.CloudImage{}: {Label: none}}},
		"fields of CloudImages": {Scheme: scheme, ByObject: map[client.Object]ctrlcache.ByObject{&imagev1alpha1.CloudImage{}: {Field: fields.Nothing()}}},
	} {
		if _, err := NewCache(&rest.Config{}, options); err == nil || !strings.Contains(err.Error(), "takes no selector") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func BenchmarkWatch(b *testing.B) {
	stream := strings.Repeat(eventOf(b, apiwatch.Added, filled(1)), 100)
	ours := testCodecs(b)
	for name, serializer := range map[string]runtime.NegotiatedSerializer{"ours": ours, "client-go": ours.NegotiatedSerializer} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d, events := decoder(b, serializer, stream), 0
				for ; ; events++ {
					if _, _, err := d.Decode(); errors.Is(err, io.EOF) {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
				if events != 100 {
					b.Fatal(events, "events")
				}
			}
		})
	}
}
