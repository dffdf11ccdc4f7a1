// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// replaceAndPromote replaces the only image of one query, and moves a tag that another query filters by. Both selections follow
// by themselves: as much arrives as leaves.
func replaceAndPromote(ctx context.Context, cl *cluster, cloud *simulator, say *story, releases []cvmtest.Image) error {
	const file = "hack/demo/queries.yaml"
	queries, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	say.chapter("A release: one query has a single image, the other one those with a tag")
	say.text("\n" + string(queries))
	for _, args := range [][]string{
		{"apply", "-f", file},
		{"wait", "--for=condition=Selected", "imagequery/web", "imagequery/promoted", "--timeout=60s"},
		{"get", "imagequeries", "web", "promoted"},
	} {
		if err := cl.show(ctx, say, 0, args...); err != nil {
			return err
		}
	}
	say.chapter("The pipeline deletes the only image of web and builds another, and moves the tag stage=prod to the next version")
	if err := control(func() { release(cloud, releases) }); err != nil { //nolint:contextcheck // the simulator's client has methods without one
		return err
	}
	for query, want := range map[string][]string{"web": {"img-web00047"}, "promoted": {"img-node313x", "img-node313a"}} {
		if err := cl.requestPoll(ctx, say, query); err != nil {
			return err
		}
		if err := cl.selects(ctx, query, want...); err != nil {
			return err
		}
	}
	say.text("\nBoth selections moved by themselves, since as many images came as left. Every change has an event that says why:")
	events := []string{
		"get", "events", "--field-selector=reason=" + imagev1alpha1.EventSelectionChanged,
		"-o", "custom-columns=QUERY:.involvedObject.name,MESSAGE:.message",
	}
	if err := until(ctx, "the events are there", func(ctx context.Context) error {
		out, err := cl.kubectl(ctx, "", events...)
		if err == nil && (!strings.Contains(out, "img-web00047") || !strings.Contains(out, "img-node313a (node-v1.31.3-arm): ")) {
			err = fmt.Errorf("kubectl shows\n%s", out)
		}
		return err
	}); err != nil {
		return err
	}
	return cl.show(ctx, say, 0, events...)
}

// release replaces the image of the web servers, and moves the tag of production.
func release(cloud *simulator, releases []cvmtest.Image) {
	for _, image := range releases {
		tags := map[string][]cvmtest.Tag{"prod": {}, "candidate": {{Key: "stage", Value: "prod"}}}
		if len(image.Tags) > 0 && image.Tags[0].Key == "stage" {
			cloud.Update(region, image.ImageID, func(i *cvmtest.Image) { i.Tags = tags[image.Tags[0].Value] })
		}
	}
	cloud.Delete(region, "img-web00046")
	cloud.Put(region, cvmtest.Release("img-web00047", "web-2026w47", "x86_64", time.Now(), cvmtest.DefaultCredential.UIN, cvmtest.Tag{Key: "role", Value: "web"}))
}

// selects returns an error unless a query selects exactly some images.
func (cl *cluster) selects(ctx context.Context, query string, want ...string) error {
	var q imagev1alpha1.ImageQuery
	if err := cl.Get(ctx, client.ObjectKey{Name: query}, &q); err != nil {
		return err
	}
	var got []string
	for _, image := range q.Status.Selected {
		got = append(got, image.ImageID)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("ImageQuery %s selects %v, not %v", query, got, want)
	}
	return nil
}
