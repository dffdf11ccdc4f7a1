// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package writer

import (
	"context"
	"fmt"

	json "github.com/go-json-experiment/json/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/lru"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
)

// maxDeleted bounds the remembered deletions of this process that the watch has not reported yet. It exceeds the objects
// of one query, since several queries may delete.
const maxDeleted = 32768

// Tracker is notified of successful writes.
type Tracker interface {
	Stored(resourceVersion string)
	Deleted(image *imagev1alpha1.CloudImage)
}

// Requests writes CloudImages and counts the writes. Unlike a client.Client it doesn't decode the answers, of which only
// the resourceVersion is needed: decoding was a sixth of the cost of a first sync.
type Requests struct {
	api rest.Interface

	// count is called for each write with its result.
	count func(operation string, err error)

	// Deleted has the UIDs of objects that this process deleted, until the watch reports the deletion.
	Deleted *lru.Cache

	queues *queues
}

func NewRequests(mgr ctrl.Manager, count func(operation string, err error)) (Requests, error) {
	kind := imagev1alpha1.GroupVersion.WithKind("CloudImage")
	api, err := apiutil.RESTClientForGVK(kind, false, false, mgr.GetConfig(), serializer.NewCodecFactory(mgr.GetScheme()), mgr.GetHTTPClient())
	if err != nil {
		return Requests{}, fmt.Errorf("preparing to write CloudImages: %w", err)
	}
	return Requests{api: api, count: count, Deleted: lru.New(maxDeleted), queues: newQueues()}, nil
}

// Gone is called with the name of each object that the watch reports as deleted.
func (w Requests) Gone(name string) { w.queues.latest.Remove(name) }

// Seen is called with each object that the watch reports.
func (w Requests) Seen(image *cloudimage.Entry) {
	if w.queues.newest(image.Name, image) == image {
		w.queues.latest.Remove(image.Name)
	}
}

// create creates an object, and returns it as stored.
func (w Requests) create(ctx context.Context, image *imagev1alpha1.CloudImage) (*imagev1alpha1.CloudImage, error) {
	return w.store(ctx, "create", w.api.Post(), image)
}

// update replaces an object, and returns it as stored.
func (w Requests) update(ctx context.Context, image *imagev1alpha1.CloudImage) (*imagev1alpha1.CloudImage, error) {
	return w.store(ctx, "update", w.api.Put().Name(image.Name), image)
}

// delete deletes the object unless it changed since it was read.
func (w Requests) delete(ctx context.Context, image *imagev1alpha1.CloudImage) error {
	asRead := &metav1.Preconditions{UID: &image.UID, ResourceVersion: &image.ResourceVersion}
	w.Deleted.Add(image.UID, nil)
	_, err := w.do(ctx, "delete", w.api.Delete().Name(image.Name).Body(&metav1.DeleteOptions{Preconditions: asRead}))
	if err != nil {
		w.Deleted.Remove(image.UID)
	}
	return err
}

func (w Requests) store(ctx context.Context, operation string, request *rest.Request, image *imagev1alpha1.CloudImage,
) (*imagev1alpha1.CloudImage, error) {
	answer, err := w.do(ctx, operation, request.Body(cloudimage.WithDerived(image)))
	if err != nil {
		return nil, err
	}
	var stored struct {
		Metadata struct {
			UID               types.UID   `json:"uid"`
			ResourceVersion   string      `json:"resourceVersion"`
			CreationTimestamp metav1.Time `json:"creationTimestamp"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(answer, &stored); err != nil {
		return nil, fmt.Errorf("reading the API server's answer: %w", err)
	}
	written, m := *image, stored.Metadata
	written.UID, written.ResourceVersion, written.CreationTimestamp = m.UID, m.ResourceVersion, m.CreationTimestamp
	return &written, nil
}

// do sends a request and returns the API server's raw answer.
func (w Requests) do(ctx context.Context, operation string, request *rest.Request) ([]byte, error) {
	result := request.Resource("cloudimages").Do(ctx)
	err := result.Error() // Raw's error lacks the reason
	w.count(operation, err)
	answer, _ := result.Raw()
	return answer, err
}
