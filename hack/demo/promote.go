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
	moved := []struct {
		query string
		to    []string
	}{{"web", []string{"img-web00047"}}, {"promoted", []string{"img-node313x", "img-node313a"}}}
	for _, m := range moved {
		if err := cl.requestPoll(ctx, say, m.query); err != nil {
			return err
		}
		if err := cl.selects(ctx, m.query, m.to); err != nil {
			return err
		}
	}
	say.text("\nBoth selections moved by themselves, since as many images came as left. Every change has an event that says why:")
	for _, m := range moved {
		if err := cl.showEvents(ctx, say, m.query, m.to[0]); err != nil {
			return err
		}
	}
	return nil
}

// showEvents shows the changes of a query's selection, once there is an event with some text.
func (cl *cluster) showEvents(ctx context.Context, say *story, query, text string) error {
	events := []string{
		"get", "events", "--field-selector=reason=" + imagev1alpha1.EventSelectionChanged + ",involvedObject.name=" + query,
		"-o", "custom-columns=MESSAGE:.message",
	}
	if err := until(ctx, "the events of "+query+" are there", func(ctx context.Context) error {
		out, err := cl.kubectl(ctx, "", events...)
		if err == nil && !strings.Contains(out, text) {
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
	cloud.Put(region, cvmtest.WebRelease("img-web00047", "web-2026w47", time.Now().Add(-time.Hour), cvmtest.DefaultCredential.UIN))
}

// selects returns an error unless a query selects exactly some images.
func (cl *cluster) selects(ctx context.Context, query string, want []string) error {
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
