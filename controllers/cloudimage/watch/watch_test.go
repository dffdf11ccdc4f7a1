// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/streaming"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	restwatch "k8s.io/client-go/rest/watch"
	"sigs.k8s.io/randfill"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// clientGo returns client-go's decoder of a watch of CloudImages.
func clientGo(tb testing.TB, stream string) apiwatch.Decoder {
	tb.Helper()
	scheme := runtime.NewScheme()
	if err := imagev1alpha1.AddToScheme(scheme); err != nil {
		tb.Fatal(err)
	}
	metav1.AddToGroupVersion(scheme, metav1.Unversioned)
	codecs := serializer.WithoutConversionCodecFactory{CodecFactory: serializer.NewCodecFactory(scheme)}
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
		func(f *metav1.FieldsV1, _ randfill.Continue) { f.Raw = []byte(`{"f:image":{}}`) },
	).Fill(image)
	image.SetGroupVersionKind(kind)
	return image
}

// What the operator sees of an object must not depend on who decodes it.
func TestDecodesWhatClientGoDecodes(t *testing.T) {
	for seed := range int64(100) {
		stream := eventOf(t, apiwatch.Added, filled(2*seed)) + eventOf(t, apiwatch.Modified, filled(2*seed+1))
		ours, theirs := newDecoder(body(stream)), clientGo(t, stream)
		for {
			gotType, got, gotErr := ours.Decode()
			wantType, want, wantErr := theirs.Decode()
			if gotType != wantType || !errors.Is(gotErr, wantErr) {
				t.Fatalf("seed %d: got %q, %v, want %q, %v", seed, gotType, gotErr, wantType, wantErr)
			}
			if wantErr != nil {
				break
			}
			want.(*imagev1alpha1.CloudImage).ManagedFields = nil // the cache drops them
			want.GetObjectKind().SetGroupVersionKind(kind)       // as controller-runtime does
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d: client-go's, and ours:\n%s", seed, diff)
			}
		}
	}
}

// The end of the initial list is a bookmark with an annotation, whose object has nothing else.
func TestDecodesBookmarks(t *testing.T) {
	sent := &imagev1alpha1.CloudImage{}
	sent.SetGroupVersionKind(kind)
	sent.ResourceVersion, sent.Annotations = "42", map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	of, got, err := newDecoder(body(eventOf(t, apiwatch.Bookmark, sent))).Decode()
	if err != nil || of != apiwatch.Bookmark {
		t.Fatalf("got %q, %v", of, err)
	}
	if diff := cmp.Diff(sent, got); diff != "" {
		t.Error(diff)
	}
}

// The reflector lists anew when the API server no longer has the changes since its resourceVersion.
func TestDecodesErrors(t *testing.T) {
	expired := apierrors.NewResourceExpired("too old resource version: 1 (5)").Status()
	of, got, err := newDecoder(body(eventOf(t, apiwatch.Error, &expired))).Decode()
	if err != nil || of != apiwatch.Error {
		t.Fatalf("got %q, %v", of, err)
	}
	if found := apierrors.FromObject(got); !apierrors.IsResourceExpired(found) {
		t.Errorf("got %v, want a resource that expired", found)
	}
}

func TestEndsOfAWatch(t *testing.T) {
	whole := eventOf(t, apiwatch.Added, filled(1))
	for _, c := range []struct {
		name, stream string
		want         error
	}{
		{"after an event", "", io.EOF},
		{"within an event", whole[:len(whole)/2], io.ErrUnexpectedEOF},
	} {
		d := newDecoder(body(whole + c.stream))
		if _, _, err := d.Decode(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.Decode(); err != c.want { //nolint:errorlint // client-go compares it so
			t.Errorf("ends %s: got %v, want %v", c.name, err, c.want)
		}
	}
}

func TestRefusesWhatIsNoEventOfCloudImages(t *testing.T) {
	for _, c := range []struct{ stream, want string }{
		{`{"type":"ADDED","object":{"kind":"ImageQuery","apiVersion":"` + kind.GroupVersion().String() + `"}}`, `kind "ImageQuery"`},
		{`{"type":"ADDED","object":{"kind":"CloudImage","apiVersion":"` + kind.Group + `/v2"}}`, "/v2"},
		{`{"type":"ADDED","object":{}}`, `kind "" of ""`},
		{`{"type":"ADDED"}`, "reading a CloudImage"},
		{`{"type":"ADDED","object":{"metadata":{"labels":[]}}}`, "reading a CloudImage"},
		{`{"type":"ERROR","object":[]}`, "reading the error"},
		{`{"type":"SYNC","object":{}}`, `"SYNC"`},
		{`<html>`, "invalid character"},
	} {
		of, object, err := newDecoder(body(c.stream)).Decode()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q, %v, %v, want an error with %q", c.stream, of, object, err, c.want)
		}
	}
}

func BenchmarkWatch(b *testing.B) {
	stream := strings.Repeat(eventOf(b, apiwatch.Added, filled(1)), 100)
	for name, decoderOf := range map[string]func() apiwatch.Decoder{
		"one pass":  func() apiwatch.Decoder { return newDecoder(body(stream)) },
		"client-go": func() apiwatch.Decoder { return clientGo(b, stream) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d, events := decoderOf(), 0
				for ; ; events++ {
					if _, _, err := d.Decode(); errors.Is(err, io.EOF) {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
				if events != 100 {
					b.Fatal(fmt.Sprint(events, " events"))
				}
			}
		})
	}
}
