// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package watch watches CloudImages, and decodes the events in one pass.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// kind is the kind of the cached objects.
var kind = imagev1alpha1.GroupVersion.WithKind("CloudImage")

// NewCache returns a controller-runtime cache that decodes the watch of CloudImages in one pass. It implements
// controller-runtime's NewCacheFunc. client-go scans each event about eight times, which was a third of the operator's CPU
// time of a first sync (docs/scaling.md). Other kinds are watched as usual, and so is the list of API servers that don't
// begin a watch with one.
func NewCache(config *rest.Config, options ctrlcache.Options) (ctrlcache.Cache, error) {
	client := options.HTTPClient
	if client == nil {
		var err error
		if client, err = rest.HTTPClientFor(config); err != nil {
			return nil, fmt.Errorf("preparing to watch CloudImages: %w", err)
		}
	}
	api, err := apiutil.RESTClientForGVK(kind, false, false, config, serializer.NewCodecFactory(options.Scheme), client)
	if err != nil {
		return nil, fmt.Errorf("preparing to watch CloudImages: %w", err)
	}
	options.NewInformer = func(
		lw toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers,
	) toolscache.SharedIndexInformer {
		if _, ok := object.(*imagev1alpha1.CloudImage); ok {
			lw = watcher{toolscache.ToListerWatcherWithContext(lw), api}
		}
		return toolscache.NewSharedIndexInformer(lw, object, resync, indexers)
	}
	return ctrlcache.New(config, options) //nolint:wrapcheck // it is this function's caller who asked for it
}

// watcher lists CloudImages as client-go does, and watches them with the decoder of this package.
type watcher struct {
	toolscache.ListerWatcherWithContext
	api rest.Interface
}

// List implements client-go's ListerWatcher.
func (w watcher) List(options metav1.ListOptions) (runtime.Object, error) {
	return w.ListWithContext(context.Background(), options)
}

// Watch implements client-go's ListerWatcher.
func (w watcher) Watch(options metav1.ListOptions) (apiwatch.Interface, error) {
	return w.WatchWithContext(context.Background(), options)
}

// WatchWithContext implements client-go's ListerWatcherWithContext. Like client-go it returns an empty watch if the connection
// breaks, so that the watch is begun again where it ended.
func (w watcher) WatchWithContext(ctx context.Context, options metav1.ListOptions) (apiwatch.Interface, error) {
	options.Watch = true
	body, err := w.api.Get().Resource("cloudimages").VersionedParams(&options, metav1.ParameterCodec).Stream(ctx)
	switch {
	case err != nil && (utilnet.IsProbableEOF(err) || utilnet.IsTimeout(err)):
		return apiwatch.NewEmptyWatch(), nil
	case err != nil:
		return nil, err //nolint:wrapcheck // client-go looks at the error's type
	}
	reporter := apierrors.NewClientErrorReporter(500, "GET", "ClientWatchDecoding")
	return apiwatch.NewStreamWatcherWithLogger(klog.FromContext(ctx), newDecoder(body), reporter), nil
}

// decoder decodes the events of a watch. It implements apimachinery's watch.Decoder.
type decoder struct {
	body   io.ReadCloser
	stream *jsontext.Decoder
	event  event
}

// event is an event of a watch; the fields have the names of metav1.WatchEvent's.
type event struct {
	Type   apiwatch.EventType `json:"type"`
	Object jsontext.Value     `json:"object"`
}

// decoding has the options of the decoder: as lenient as Kubernetes' own, since the API server vouches for what it sends, and
// without the field managers, half of an object's bytes, which the cache would drop.
var decoding = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), json.WithUnmarshalers(
	json.UnmarshalFromFunc(func(d *jsontext.Decoder, _ *[]metav1.ManagedFieldsEntry) error { return d.SkipValue() })))

func newDecoder(body io.ReadCloser) *decoder {
	return &decoder{body: body, stream: jsontext.NewDecoder(body, decoding)}
}

// Decode returns the next event. The error is io.EOF at the end of the stream.
func (d *decoder) Decode() (apiwatch.EventType, runtime.Object, error) {
	d.event = event{Object: d.event.Object[:0]}
	if err := json.UnmarshalDecode(d.stream, &d.event); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.ErrUnexpectedEOF // client-go doesn't unwrap it
		}
		return "", nil, err //nolint:wrapcheck // client-go adds what it is about
	}
	switch d.event.Type {
	case apiwatch.Error:
		status := &metav1.Status{}
		if err := json.Unmarshal(d.event.Object, status, decoding); err != nil {
			return "", nil, fmt.Errorf("reading the error of a watch: %w", err)
		}
		return apiwatch.Error, status, nil
	case apiwatch.Added, apiwatch.Modified, apiwatch.Deleted, apiwatch.Bookmark:
		image := &imagev1alpha1.CloudImage{}
		if err := json.Unmarshal(d.event.Object, image, decoding); err != nil {
			return "", nil, fmt.Errorf("reading a CloudImage of a watch: %w", err)
		}
		if got := image.GroupVersionKind(); got != kind {
			return "", nil, fmt.Errorf("the watch of CloudImages delivered an object of the kind %q of %q", got.Kind, got.GroupVersion())
		}
		return d.event.Type, image, nil
	}
	return "", nil, fmt.Errorf("a watch has no events of type %q", d.event.Type)
}

// Close ends the stream, and with it a call of Decode.
func (d *decoder) Close() { _ = d.body.Close() }
