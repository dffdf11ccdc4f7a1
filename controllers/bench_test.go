// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// manyImages is how many a large account has in a region.
const manyImages = 10_000

// listed are that many private images, as a listing brings them.
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

// inCache are the objects of images, as the cache has them: decoded from JSON, none of them shared with the images.
func allInCache(b *testing.B, c claim, images []catalog.Image) map[string]*entry {
	b.Helper()
	existing := map[string]*entry{}
	for _, image := range images {
		name := objectNameOf(c.scope, image.ID)
		raw, err := json.Marshal(c.keep(nil, name, toRecord(image, c.scope), imagev1alpha1.QueryMember))
		if err != nil {
			b.Fatal(err)
		}
		object := &imagev1alpha1.CloudImage{}
		if err := json.Unmarshal(raw, object); err != nil {
			b.Fatal(err)
		}
		existing[name] = inCache(object)
	}
	return existing
}

func BenchmarkConvert(b *testing.B) {
	images := listed(b)
	s := scope{region: "ap-guangzhou"}
	b.ReportAllocs()
	for b.Loop() {
		for _, image := range images {
			if toRecord(image, s).ID == "" {
				b.Fatal("no id")
			}
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	images := listed(b)
	m, bad := newMatcher(&imagev1alpha1.ImageMatch{NameRegex: `-[0-9]+$`, Architectures: []imagev1alpha1.Architecture{"amd64"}})
	if bad != nil {
		b.Fatal(bad.Error())
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(m.members(images)) == 0 {
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
			rules, bad := newRules(&q.Spec)
			if bad != nil {
				b.Fatal(bad.Error())
			}
			b.ReportAllocs()
			for b.Loop() {
				if len(rules.chooser.choose(ballot{members: images, now: catalogtest.Noon}).selected) == 0 {
					b.Fatal("nothing is selected")
				}
			}
		})
	}
}

// BenchmarkPlan is a plan for what is there already, as almost every one is.
func BenchmarkPlan(b *testing.B) {
	images := listed(b)
	c := claimOf("golden")
	existing := allInCache(b, c, images)
	v := verdict{members: images}
	b.ReportAllocs()
	for b.Loop() {
		if p := makePlan(c, v, existing); !p.empty() {
			b.Fatalf("%d steps, want none", len(p.keep)+len(p.release))
		}
	}
}

// BenchmarkPoll is all that an unchanged poll computes between the listing and the status.
func BenchmarkPoll(b *testing.B) {
	images := listed(b)
	c := claimOf("golden")
	c.query.Spec.CloudImages.MaxImages = 2 * manyImages
	existing := allInCache(b, c, images)
	b.ReportAllocs()
	for b.Loop() {
		r, bad := newRules(&c.query.Spec)
		if bad != nil {
			b.Fatal(bad.Error())
		}
		known := knowledgeOf(c.holder, existing, nil)
		seen := view{listing: catalog.Listing{Images: images}, matching: r.matcher.members(images)}
		o := &outcome{began: catalogtest.Noon, published: true, verdict: r.decide(c.query, known, seen, catalogtest.Noon)}
		makePlan(c, o.verdict, existing)
		finished(c.query, o, &memory{}, 500, catalogtest.Noon)
	}
}
