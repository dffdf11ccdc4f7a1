// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/catalogtest"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/cloudimagetest"
	"github.com/image-catalog/image-catalog-operator/controllers/selection"
)

// coming is a change in the cloud just before a request is answered: an image is created or deleted. Ids aren't reused.
type coming struct {
	request int
	number  int
	what    string
}

// Images are created and deleted between the pages of listings, and objects are planned from the result of the
// production client. In any case, no object of an image that exists at the end is deleted, and selected never names an
// image that didn't exist during its listing.
func TestImagesThatComeAndGoBetweenPages(t *testing.T) {
	if testing.Short() {
		t.Skip("it lists a hundred times, and -short runs for each mutant")
	}
	cloud, client, account, pool := pagedCloud(t)
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(cloud, pool, rapid.IntRange(95, 215).Draw(t, "images"))
		for range rapid.IntRange(1, 3).Draw(t, "polls") {
			edits := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) coming {
				return coming{
					request: rapid.IntRange(0, 6).Draw(t, "request"),
					number:  rapid.IntRange(0, len(pool)-1).Draw(t, "image"),
					what:    rapid.SampledFrom([]string{"come", "go", "swap"}).Draw(t, "what"),
				}
			}), 0, 6).Draw(t, "edits")
			s.poll(t, client, account, edits)
		}
	})
}

// Both listings of a poll skip the same image, and both have as many images as the cloud says.
func TestAnImageThatBothListingsSkip(t *testing.T) {
	cloud, client, account, pool := pagedCloud(t)
	s := newStory(cloud, pool, 103)
	s.poll(t, client, account, nil)
	s.poll(t, client, account, []coming{
		{request: 1, number: 2, what: "go"}, {request: 2, number: 4, what: "swap"}, {request: 3, number: 7, what: "swap"},
		{request: 5, number: 139, what: "come"}, {request: 6, number: 18, what: "swap"},
	})
}

// pagedCloud returns a cloud, a client with its account, and images to put into the cloud.
func pagedCloud(t *testing.T) (*cvmtest.Server, catalog.Lister, catalog.Account, []cvmtest.Image) {
	t.Helper()
	cloud := cvmtest.NewServer(cvmtest.Options{RateLimit: -1})
	t.Cleanup(cloud.Close)
	client, err := cvm.New(cvm.Options{Endpoint: cloud.URL(), QPS: 1e6, Burst: 1e6})
	if err != nil {
		t.Fatal(err)
	}
	key := cvmtest.DefaultCredential
	account := catalog.Account{Source: "test", SecretID: catalog.Secret(key.SecretID), SecretKey: catalog.Secret(key.SecretKey)}
	pool := cvmtest.PrivateImages(3, 230, cvmtest.DefaultCredential.UIN)
	for i := range pool {
		created := catalogtest.Noon.Add(-time.Duration(i) * time.Hour).Format(time.RFC3339)
		pool[i].CreatedTime, pool[i].ImageState = &created, "NORMAL"
	}
	return cloud, client, account, pool
}

// story is a cloud and the objects of one query.
type story struct {
	cloud *cvmtest.Server
	pool  []cvmtest.Image

	mu      sync.Mutex
	exists  map[string]bool
	existed map[string]bool // at some time during the current poll
	left    map[string]bool

	public  []cvmtest.Image // to come
	query   *imagev1alpha1.ImageQuery
	objects map[string]*cloudimage.Entry
	now     time.Time
}

func newStory(cloud *cvmtest.Server, pool []cvmtest.Image, images int) *story {
	query := syncedQuery(0)
	query.Spec.Region = "ap-guangzhou"
	query.Spec.Removal.GracePeriod = &metav1.Duration{}
	query.Status.ObservedQuery = ""
	s := &story{
		cloud: cloud, pool: pool, query: query, public: cvmtest.PublicImages(), now: catalogtest.Noon,
		exists: map[string]bool{}, left: map[string]bool{}, objects: map[string]*cloudimage.Entry{},
	}
	cloud.OnRequest(nil)
	cloud.Clear("ap-guangzhou")
	cloud.Put("ap-guangzhou", pool[:images]...)
	for _, image := range pool[:images] {
		s.exists[image.ImageID] = true
	}
	return s
}

func (s *story) change(e coming) {
	image := s.pool[e.number]
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.what {
	case "come":
		s.put(image)
	case "go":
		s.remove(image)
	case "swap":
		// A private image is deleted and a public one, which is listed last, created: the count stays the same, and a
		// listing that has read the first page misses the image that moves up to it.
		if s.exists[image.ImageID] && len(s.public) > 0 {
			s.remove(image)
			s.put(s.public[0])
			s.public = s.public[1:]
		}
	}
}

func (s *story) put(image cvmtest.Image) {
	if s.exists[image.ImageID] || s.left[image.ImageID] {
		return
	}
	s.cloud.Put("ap-guangzhou", image)
	s.exists[image.ImageID], s.existed[image.ImageID] = true, true
}

func (s *story) remove(image cvmtest.Image) {
	s.cloud.Delete("ap-guangzhou", image.ImageID)
	s.exists[image.ImageID], s.left[image.ImageID] = false, true
}

// tester is what *testing.T and *rapid.T have in common here.
type tester interface {
	Context() context.Context
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// poll runs one poll without an API server: observe, decide, plan, and status.
func (s *story) poll(t tester, client catalog.Lister, account catalog.Account, edits []coming) {
	s.now = s.now.Add(10 * time.Minute)
	s.existed = map[string]bool{}
	maps.Copy(s.existed, s.exists)
	requests := 0
	var once sync.Mutex
	s.cloud.OnRequest(func(cvmtest.Request) {
		once.Lock()
		defer once.Unlock()
		for _, e := range edits {
			if e.request == requests {
				s.change(e)
			}
		}
		requests++
	})
	defer s.cloud.OnRequest(nil)

	r, _ := selection.NewRules(&s.query.Spec)
	c := cloudimage.NewClaim(s.query, s.now, nil)
	k := cloudimage.KnownOf(c.Owner, s.objects, nil)
	a := observer{lister: client, account: account, query: toQuery(&s.query.Spec)}
	v, bad := a.observe(t.Context(), r.Matcher, k, selection.SelectedIDs(s.query.Status.Selected), 1)
	o := &pollResult{began: s.now, failure: bad}
	if bad == nil {
		o.published, o.Decision = true, r.Decide(s.query, k, v, s.now)
		p := cloudimage.MakePlan(c, o.Decision, s.objects)
		for _, id := range carryOut(t, p, c, s.objects) {
			if s.exists[id] {
				t.Fatalf("the object of %s is deleted, and the image exists", id)
			}
		}
		for _, image := range o.Selection.Selected {
			if !s.existed[image.ID] && o.Blocked == nil {
				t.Fatalf("selected is %s, which did not exist during the poll", image.ID)
			}
		}
	}
	s.query.Status = *statusAfterPoll(s.query, o, &pollState{}, 500, s.now)
	if len(s.query.Status.Selected) == 0 && len(s.objects) > 0 {
		t.Fatal(fmt.Sprint("nothing is selected any more: ", s.query.Status.Conditions[0].Message))
	}
}

// carryOut applies a plan to objects, as in a cluster. It returns the ids of the images with deleted objects.
func carryOut(t tester, p cloudimage.Plan, c cloudimage.Claim, objects map[string]*cloudimage.Entry,
) (deleted []string) {
	for _, step := range slices.Concat(p.Keep, p.Release) {
		after := step.Desire(c, step.Current.Object())
		if after == nil {
			deleted = append(deleted, step.Current.Image.ID)
			delete(objects, step.Name)
			continue
		}
		written := cloudimage.WithDerived(after)
		if err := cloudimagetest.Validate(written); err != nil {
			t.Fatal(err)
		}
		objects[step.Name] = cloudimage.NewEntry(written)
	}
	return deleted
}
