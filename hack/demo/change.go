// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// privateQuery returns the sample that queries the account's own images.
func (cl *cluster) privateQuery(queries []imagev1alpha1.ImageQuery) (*imagev1alpha1.ImageQuery, error) {
	for i := range queries {
		for _, f := range queries[i].Spec.Filters {
			if f.Name == "image-type" && slices.Equal(f.Values, []string{cvmtest.TypePrivate}) && len(queries[i].Status.Images) > 1 {
				return &queries[i], nil
			}
		}
	}
	return nil, errors.New("config/samples has no query for private images that matches two or more")
}

// tagged returns the name of the query's newest CloudImage with tags, which is the best example.
func (cl *cluster) tagged(ctx context.Context, query *imagev1alpha1.ImageQuery) (string, error) {
	images, err := cl.images(ctx, query.Name)
	if err != nil {
		return "", err
	}
	for _, member := range query.Status.Images {
		if name := objectName(member.ImageID); len(images[name].Image.Tags) > 0 {
			return name, nil
		}
	}
	return "", fmt.Errorf("no CloudImage of ImageQuery %s has tags, although some of the simulated images have", query.Name)
}

// changeCloud adds an image to the cloud and removes another, and shows the effects in the cluster.
func changeCloud(ctx context.Context, cl *cluster, cloud *simulator, say *story, query *imagev1alpha1.ImageQuery) error {
	before, err := cl.images(ctx, "")
	if err != nil {
		return err
	}
	leaves, err := oldest(query)
	if err != nil {
		return err
	}
	comes := newImage()
	say.chapter("The cloud changes: somebody builds %s (%s) and deletes %s (%s)", comes.ImageName, comes.ImageID, leaves.Name, leaves.ImageID)
	if err := control(func() { //nolint:contextcheck // the simulator's client has methods without one
		cloud.Put(region, comes)
		cloud.Delete(region, leaves.ImageID)
	}); err != nil {
		return err
	}
	say.text("The next poll would find out by itself; asking for one now:")

	began := time.Now()
	if err := cl.requestPoll(ctx, say, query.Name); err != nil {
		return err
	}
	if err := until(ctx, "the CloudImages follow the cloud", func(ctx context.Context) error {
		return cl.followed(ctx, query, before, objectName(comes.ImageID), objectName(leaves.ImageID))
	}); err != nil {
		return err
	}
	say.text("")
	say.step("The catalogue followed %.1f s after the request; whatever is neither new, gone nor selected was not written", time.Since(began).Seconds())
	return cl.showChange(ctx, say, query.Name, objectName(comes.ImageID), objectName(leaves.ImageID))
}

// newImage returns an image as an image build of the account would create it.
func newImage() cvmtest.Image {
	return cvmtest.Image{
		ImageID: "img-demo0001", ImageName: "golden-node-v1.37.2", ImageDescription: "built while you watch",
		ImageType: cvmtest.TypePrivate, ImageState: "NORMAL", ImageSource: "CREATE_IMAGE",
		CreatedTime: new(time.Now().UTC().Format(time.RFC3339)), ImageCreator: &cvmtest.DefaultCredential.UIN,
		OSName: "TencentOS Server 4 for x86_64", Platform: "TencentOS", Architecture: "x86_64", ImageSize: 50,
		IsSupportCloudinit: new(true), LicenseType: "TencentCloud",
		SnapshotSet: []cvmtest.Snapshot{{SnapshotID: "snap-demo0001", DiskUsage: "SYSTEM_DISK", DiskSize: 50}},
		Tags:        []cvmtest.Tag{{Key: "role", Value: "k8s-node"}},
	}
}

// control converts a panic of the simulator's client, which is made for tests, to an error.
func control(f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("changing the simulated cloud: %v", r)
		}
	}()
	f()
	return nil
}

// requestPoll requests a poll and waits for its end.
func (cl *cluster) requestPoll(ctx context.Context, say *story, query string) error {
	token := time.Now().UTC().Format(time.RFC3339)
	if err := cl.show(ctx, say, 0, "annotate", "imagequery", query, imagev1alpha1.AnnotationRequestedAt+"="+token, "--overwrite"); err != nil {
		return err
	}
	return until(ctx, "the requested poll has ended", func(ctx context.Context) error {
		var q imagev1alpha1.ImageQuery
		if err := cl.Get(ctx, client.ObjectKey{Name: query}, &q); err != nil {
			return err
		}
		if q.Status.LastHandledReconcileAt != token {
			return fmt.Errorf("lastHandledReconcileAt of ImageQuery %s is %q", query, q.Status.LastHandledReconcileAt)
		}
		return synced(&q)
	})
}

// oldest returns the last member that isn't selected.
func oldest(query *imagev1alpha1.ImageQuery) (imagev1alpha1.ImageSummary, error) {
	for _, member := range slices.Backward(query.Status.Images) {
		if member.Selection != imagev1alpha1.VerdictSelected {
			return member, nil
		}
	}
	return imagev1alpha1.ImageSummary{}, fmt.Errorf("ImageQuery %s selects all of its images", query.Name)
}

// followed returns how the CloudImages differ from those before, except for the new image, the deleted one, and those
// that were selected until now.
func (cl *cluster) followed(ctx context.Context, query *imagev1alpha1.ImageQuery, before map[string]imagev1alpha1.CloudImage, comes, leaves string) error {
	now, err := cl.images(ctx, "")
	if err != nil {
		return err
	}
	if _, there := now[comes]; !there {
		return fmt.Errorf("CloudImage %s is not there yet", comes)
	}
	if presence := now[leaves].Lifecycle.Presence; presence != imagev1alpha1.PresenceGone {
		return fmt.Errorf("CloudImage %s is %q, not Gone", leaves, presence)
	}
	selected := map[string]bool{}
	for _, image := range query.Status.Selected {
		selected[objectName(image.ImageID)] = true
	}
	for name, image := range before {
		if name != leaves && !selected[name] && now[name].ResourceVersion != image.ResourceVersion {
			return permanentError{fmt.Errorf("CloudImage %s was changed or deleted, although its image in the cloud was not", name)}
		}
	}
	if len(now) != len(before)+1 {
		return permanentError{fmt.Errorf("there are %d CloudImages and there were %d, although one came and none goes before its grace period ends", len(now), len(before))}
	}
	return nil
}

func (cl *cluster) showChange(ctx context.Context, say *story, query, comes, leaves string) error {
	if err := cl.show(ctx, say, 0, "get", "cloudimage", comes, leaves); err != nil {
		return err
	}
	say.text("")
	say.text("The image that is gone keeps its object for removal.gracePeriod, so that whoever uses it can see why. What to boot now:")
	if err := cl.show(ctx, say, 0, "get", "imagequery", query); err != nil {
		return err
	}
	return cl.show(ctx, say, 0, "get", "imagequery", query, "-o", "jsonpath={.status.selected}")
}
