// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"sync"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	sdk "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"
	"golang.org/x/sync/errgroup"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// atOnce is how many requests the floor has under way: beyond eight only latency grows.
const atOnce = 8

// floor is a bare loop: one request for each object, and nothing else.
func floor(b *bench, images []*imagev1alpha1.CloudImage, one func(*imagev1alpha1.CloudImage) error) {
	group := errgroup.Group{}
	group.SetLimit(atOnce)
	for _, image := range images {
		group.Go(func() error { return one(image) })
	}
	if err := group.Wait(); err != nil {
		b.Fatalf("the floor: %v", err)
	}
}

// post creates an object, and forgets what the API server made of it, so that it can be created again.
func (b *bench) post(image *imagev1alpha1.CloudImage) error {
	return b.operator.Create(b.Context(), image.DeepCopy())
}

// put changes an object by what the operator leaves alone.
func (b *bench) put(value string) func(*imagev1alpha1.CloudImage) error {
	return func(image *imagev1alpha1.CloudImage) error {
		// A foreign annotation would cost the operator a read of the object before its next write.
		image.Image.Description = value
		return b.operator.Update(b.Context(), image)
	}
}

// list pages through the cloud with the SDK alone, several pages at once: what whoever asks the cloud must pay.
func (b *bench) list() []*sdk.Image {
	p := profile.NewClientProfile()
	p.HttpProfile.Endpoint, p.HttpProfile.Scheme = trimScheme(b.cloud.Endpoint), "http"
	p.Language = "en-US"
	key := cvmtest.DefaultCredential
	c, err := sdk.NewClient(common.NewCredential(key.SecretID, key.SecretKey), region, p)
	if err != nil {
		b.Fatalf("%v", err)
	}
	var images []*sdk.Image
	page := func(offset uint64) (int64, []*sdk.Image, error) {
		request := sdk.NewDescribeImagesRequest()
		request.Offset, request.Limit = new(offset), new(uint64(100))
		response, err := c.DescribeImagesWithContext(b.Context(), request)
		if err != nil {
			return 0, nil, err
		}
		return *response.Response.TotalCount, response.Response.ImageSet, nil
	}
	total, images, err := page(0)
	if err != nil {
		b.Fatalf("listing: %v", err)
	}
	var mu sync.Mutex
	group := errgroup.Group{}
	group.SetLimit(atOnce)
	for offset := uint64(100); offset < uint64(total); offset += 100 {
		group.Go(func() error {
			_, more, err := page(offset)
			mu.Lock()
			defer mu.Unlock()
			images = append(images, more...)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatalf("listing: %v", err)
	}
	return images
}

// apply is what people do today: page through the cloud, turn the answer into objects, and have kubectl apply them. To be fair to it
// the objects are ready: it is only asked which of them the cloud lists.
func (b *bench) apply(ready map[string]*imagev1alpha1.CloudImage) {
	var documents bytes.Buffer
	encoder := json.NewEncoder(&documents)
	for _, image := range b.list() {
		if err := encoder.Encode(ready[*image.ImageId]); err != nil {
			b.Fatalf("%v", err)
		}
	}
	// It writes as the operator, since nobody else may, and with an administrator's rights, since the operator must not patch.
	b.Kubectl(documents.String(), "apply", "--server-side", "--as="+cluster.OperatorUser, "--as-group=system:masters", "-f", "-")
}

// byImageID is by the cloud's id what images are.
func byImageID(images []*imagev1alpha1.CloudImage) map[string]*imagev1alpha1.CloudImage {
	out := make(map[string]*imagev1alpha1.CloudImage, len(images))
	for _, image := range images {
		out[image.Image.ID] = image
	}
	return out
}
