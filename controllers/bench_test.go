// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"fmt"
	"testing"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// manyImages is the number of images of a large account in a region.
const manyImages = 10_000

// listed returns that many private images, as in a listing.
func listed(b *testing.B) []catalog.Image {
	b.Helper()
	cloud, err := cvmtest.Start(cvmtest.Options{RateLimit: -1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(cloud.Close)
	cloud.Fill(cvmtest.Inventory{Private: manyImages})
	client, err := cvm.New(cvm.Options{Endpoint: cloud.URL(), QPS: 1e6, Burst: 1e6})
	if err != nil {
		b.Fatal(err)
	}
	key := cvmtest.DefaultCredential
	account := catalog.Account{Source: "bench", SecretID: catalog.Secret(key.SecretID), SecretKey: catalog.Secret(key.SecretKey)}
	listing, err := client.List(b.Context(), account, catalog.Query{Region: "ap-guangzhou"})
	if err != nil || len(listing.Images) != manyImages {
		b.Fatalf("%d images, %v", len(listing.Images), err)
	}
	return listing.Images
}

// inCache returns the objects of images as in the cache: decoded from JSON, sharing nothing with the images.
func inCache(b *testing.B, c cloudimage.Claim, images []catalog.Image) map[string]*cloudimage.Entry {
	b.Helper()
	existing := map[string]*cloudimage.Entry{}
	for _, step := range cloudimage.MakePlan(c, selection.Decision{Members: images}, nil).Keep {
		raw, err := json.Marshal(cloudimage.WithDerived(step.Desire(c, nil)))
		if err != nil {
			b.Fatal(err)
		}
		object := &imagev1alpha1.CloudImage{}
		if err := json.Unmarshal(raw, object); err != nil {
			b.Fatal(err)
		}
		existing[step.Name] = cloudimage.NewEntry(object)
	}
	return existing
}

// claimOfGolden returns the claim of a query.
func claimOfGolden() cloudimage.Claim {
	query := syncedQuery(0)
	query.Spec.Region = "ap-guangzhou"
	return cloudimage.NewClaim(query, catalogtest.Noon, nil)
}

func BenchmarkMatch(b *testing.B) {
	images := listed(b)
	m, bad := selection.NewMatcher(&imagev1alpha1.ImageMatch{NameRegex: `-[0-9]+$`, Architectures: []imagev1alpha1.Architecture{"amd64"}})
	if bad != nil {
		b.Fatal(bad.Error())
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(m.Members(images)) == 0 {
			b.Fatal("nothing matches")
		}
	}
}

func BenchmarkSelect(b *testing.B) {
	for _, order := range []imagev1alpha1.SelectionOrder{imagev1alpha1.OrderByCreatedTime, imagev1alpha1.OrderBySemVer} {
		b.Run(string(order), func(b *testing.B) {
			images := listed(b)
			for i := range images {
				images[i].Name = fmt.Sprintf("1.%d.%d", i%40, i%17)
			}
			q := syncedQuery(0)
			q.Spec.Selection.OrderBy = order
			rules, bad := selection.NewRules(&q.Spec)
			if bad != nil {
				b.Fatal(bad.Error())
			}
			b.ReportAllocs()
			for b.Loop() {
				if len(rules.Selector.Select(selection.Input{Members: images, Now: catalogtest.Noon}).Selected) == 0 {
					b.Fatal("nothing is selected")
				}
			}
		})
	}
}

// BenchmarkPlan plans for objects that are up to date, as almost every plan does.
func BenchmarkPlan(b *testing.B) {
	images := listed(b)
	c := claimOfGolden()
	existing := inCache(b, c, images)
	v := selection.Decision{Members: images}
	b.ReportAllocs()
	for b.Loop() {
		if p := cloudimage.MakePlan(c, v, existing); !p.Empty() {
			b.Fatalf("%d steps, want none", len(p.Keep)+len(p.Release))
		}
	}
}

// BenchmarkPoll computes everything between the listing and the status of an unchanged poll.
func BenchmarkPoll(b *testing.B) {
	images := listed(b)
	c := claimOfGolden()
	c.Query.Spec.CloudImages.MaxImages = 2 * manyImages
	existing := inCache(b, c, images)
	b.ReportAllocs()
	for b.Loop() {
		r, bad := selection.NewRules(&c.Query.Spec)
		if bad != nil {
			b.Fatal(bad.Error())
		}
		known := cloudimage.KnownOf(c.Owner, existing, nil)
		seen := selection.Observation{Listing: catalog.Listing{Images: images}, Matching: r.Matcher.Members(images)}
		o := &pollResult{began: catalogtest.Noon, published: true, Decision: r.Decide(c.Query, known, seen, catalogtest.Noon)}
		cloudimage.MakePlan(c, o.Decision, existing)
		statusAfterPoll(c.Query, o, &pollState{}, 500, catalogtest.Noon)
	}
}
