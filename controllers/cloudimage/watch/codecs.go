// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"errors"
	"io"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// codecs is client-go's serializer, but for the events of a watch and the CloudImages in them. client-go decodes what these
// decoders don't understand, so it is the judge of what is valid.
type codecs struct{ runtime.NegotiatedSerializer }

func newCodecs(scheme *runtime.Scheme) codecs {
	return codecs{serializer.WithoutConversionCodecFactory{CodecFactory: serializer.NewCodecFactory(scheme)}}
}

// SupportedMediaTypes implements runtime.NegotiatedSerializer.
func (c codecs) SupportedMediaTypes() []runtime.SerializerInfo {
	types := slices.Clone(c.NegotiatedSerializer.SupportedMediaTypes()) // all who use the scheme's codecs share it
	for i := range types {
		if types[i].MediaType == runtime.ContentTypeJSON && types[i].StreamSerializer != nil {
			stream := *types[i].StreamSerializer
			stream.Serializer = events{stream.Serializer}
			stream.Framer = framer{stream.Framer}
			types[i].StreamSerializer = &stream
		}
	}
	return types
}

// DecoderToVersion implements runtime.NegotiatedSerializer.
func (c codecs) DecoderToVersion(d runtime.Decoder, version runtime.GroupVersioner) runtime.Decoder {
	return objects{c.NegotiatedSerializer.DecoderToVersion(d, version)}
}

// decoding skips the field managers, half of an object's bytes, which the cache drops.
var decoding = json.WithUnmarshalers(json.UnmarshalFromFunc(
	func(d *jsontext.Decoder, _ *[]metav1.ManagedFieldsEntry) error { return d.SkipValue() }))

// objects decodes CloudImages, and all else as client-go does.
type objects struct{ runtime.Decoder }

// Decode implements runtime.Decoder. As from client-go, the object has no kind.
func (o objects) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	image := &imagev1alpha1.CloudImage{}
	if into != nil || json.Unmarshal(data, image, decoding) != nil || image.GroupVersionKind() != kind {
		return o.Decoder.Decode(data, defaults, into) //nolint:wrapcheck // client-go's own
	}
	image.TypeMeta = metav1.TypeMeta{}
	return image, new(kind), nil
}

// events decodes the events of a watch, with the object in them as it is.
type events struct{ runtime.Serializer }

// Decode implements runtime.Decoder.
func (e events) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	var event struct {
		Type   string         `json:"type"`
		Object jsontext.Value `json:"object"`
	}
	got, ok := into.(*metav1.WatchEvent)
	if !ok || json.Unmarshal(data, &event, decoding) != nil {
		return e.Serializer.Decode(data, defaults, into) //nolint:wrapcheck // client-go's own
	}
	got.Type, got.Object.Raw = event.Type, event.Object
	return got, nil, nil
}

// framer finds the end of each event, and leaves the rest of the syntax to the decoders.
type framer struct{ runtime.Framer }

// NewFrameReader implements runtime.Framer.
func (framer) NewFrameReader(r io.ReadCloser) io.ReadCloser {
	return &frames{Closer: r, stream: jsontext.NewDecoder(r, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
}

// frames returns one event at each Read.
type frames struct {
	io.Closer
	stream *jsontext.Decoder

	// left is the rest of an event that was larger than the buffer of the last Read.
	left []byte
}

// Read returns io.ErrShortBuffer if more of the same event follows.
func (f *frames) Read(p []byte) (int, error) {
	if len(f.left) == 0 {
		value, err := f.stream.ReadValue()
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, io.ErrUnexpectedEOF // client-go doesn't unwrap it
		}
		if err != nil {
			return 0, err //nolint:wrapcheck // client-go says what it is about
		}
		f.left = value
	}
	n := copy(p, f.left)
	if f.left = f.left[n:]; len(f.left) > 0 {
		return n, io.ErrShortBuffer
	}
	return n, nil
}
