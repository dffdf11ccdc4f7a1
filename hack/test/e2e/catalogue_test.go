// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// An hour is longer than any run of these tests: without a shorter interval, only requested polls run.
const (
	private = `apiVersion: imagecatalog.dev/v1alpha1
kind: ImageQuery
metadata:
  name: private
spec:
  region: ap-guangzhou
  interval: 1h
  filters:
  - name: image-type
    values: [PRIVATE_IMAGE]
  removal:
    gracePeriod: 0s
`
	pinned = `apiVersion: imagecatalog.dev/v1alpha1
kind: ImageQuery
metadata:
  name: pinned
spec:
  region: ap-guangzhou
  interval: 1h
  imageIDs: [%s, %s]
`
	shanghai = `apiVersion: imagecatalog.dev/v1alpha1
kind: ImageQuery
metadata:
  name: shanghai
spec:
  region: ap-shanghai
  interval: 1h
`
	foreign = `apiVersion: imagecatalog.dev/v1alpha1
kind: ImageQuery
metadata:
  name: foreign
spec:
  region: ap-guangzhou
  interval: 1h
  credentialsRef:
    name: acct2
  filters:
  - name: image-type
    values: [PRIVATE_IMAGE]
`
	polledByItself = `apiVersion: imagecatalog.dev/v1alpha1
kind: ImageQuery
metadata:
  name: polled-by-itself-in-ap-beijing
spec:
  region: ap-beijing
  interval: 1m
`
)

func (s *suite) firstSync() {
	ids := s.own(region, cvmtest.DefaultCredential)
	writes := statusOf("private", 2) // progressing, and synced
	for _, id := range ids {
		writes = append(writes, write("create", "cloudimages", region+"-"+id, 201))
	}
	s.expect(func() {
		s.Apply(private)
		s.UntilSynced("private")
	}, pages("default", region, 408), writes)
	s.agrees("private", region+"-", ids)
}

func (s *suite) nothingNew() {
	s.expect(func() { s.Poll("private") }, pages("default", region, 408), statusOf("private", 1))
}

func (s *suite) change() {
	const name, description = "golden-2", "rebuilt"
	id := s.own(region, cvmtest.DefaultCredential)[17]
	before := s.Images("private")[region+"-"+id]
	s.cloud.Update(region, id, func(i *cvmtest.Image) { i.ImageName, i.ImageDescription = name, description })
	s.expect(func() { s.Poll("private") },
		pages("default", region, 408), append(statusOf("private", 1), write("update", "cloudimages", before.Name, 200)))
	after := s.Images("private")[before.Name]
	if after.Image.Name != name || after.Image.Description != description || after.UID != before.UID {
		s.t.Errorf("the record is %+v, want the new name and description in the same object", after.Image)
	}
	if got := after.Annotations[imagev1alpha1.AnnotationDisplayName]; got != name {
		s.t.Errorf("the display name is %q, want %q", got, name)
	}
}

// vanish removes images from the cloud, without a grace period.
func (s *suite) vanish() {
	selected := selectedIDs(s.Query("private"))
	ids := slices.DeleteFunc(s.own(region, cvmtest.DefaultCredential), func(id string) bool { return slices.Contains(selected, id) })
	id := ids[3]
	s.cloud.Delete(region, id)
	s.expect(func() { s.Poll("private") },
		append(pages("default", region, 407), byID(region, 1)...),
		append(statusOf("private", 1), write("delete", "cloudimages", region+"-"+id, 200)))
	s.agrees("private", region+"-", s.own(region, cvmtest.DefaultCredential))
}

func selectedIDs(q *imagev1alpha1.ImageQuery) []string {
	var ids []string
	for _, image := range q.Status.Selected {
		ids = append(ids, image.ImageID)
	}
	return ids
}

func (s *suite) share() {
	ids := s.own(region, cvmtest.DefaultCredential)[:2]
	before := s.Images("private")
	s.expect(func() {
		s.Apply(fmt.Sprintf(pinned, ids[0], ids[1]))
		s.UntilSynced("pinned")
	}, byID(region, 2), append(statusOf("pinned", 2),
		write("update", "cloudimages", region+"-"+ids[0], 200), write("update", "cloudimages", region+"-"+ids[1], 200)))
	s.agrees("pinned", region+"-", ids)
	for name, image := range s.Images("pinned") {
		if owners := ownersOf(&image); !slices.Equal(owners, []string{"pinned", "private"}) || image.UID != before[name].UID {
			s.t.Errorf("%s is owned by %q, want the same object owned by both", name, owners)
		}
	}

	s.Kubectl("", "delete", "imagequery", "pinned")
	s.Until("the objects are private's alone again", func(context.Context) error {
		for _, id := range ids {
			image, ok := s.Images("private")[region+"-"+id]
			_, labelled := image.Labels[imagev1alpha1.LabelQueryPrefix+"pinned"]
			if owners := ownersOf(&image); !ok || labelled || !slices.Equal(owners, []string{"private"}) {
				return fmt.Errorf("%s is there: %t, has pinned's label: %t, is owned by %q", id, ok, labelled, owners)
			}
		}
		return nil
	})
}

func (s *suite) regions() {
	ids := s.own(elsewhere, cvmtest.DefaultCredential)
	writes := statusOf("shanghai", 2)
	for _, id := range ids {
		writes = append(writes, write("create", "cloudimages", elsewhere+"-"+id, 201))
	}
	s.expect(func() {
		s.Apply(shanghai)
		s.UntilSynced("shanghai")
	}, pages("default", elsewhere, len(ids)), writes)
	s.agrees("shanghai", elsewhere+"-", ids)
}

func (s *suite) credentials() {
	ids := s.own(region, second)
	s.expect(func() {
		s.Apply(foreign)
		s.UntilReady("foreign", metav1.ConditionFalse, imagev1alpha1.ReasonCredentialsNotFound)
	}, nil, statusOf("foreign", 2))

	writes := statusOf("foreign", 1)
	for _, id := range ids {
		writes = append(writes, write("create", "cloudimages", "acct2."+region+"-"+id, 201))
	}
	s.expect(func() {
		s.SetCredentials("acct2", second)
		s.UntilSynced("foreign")
	}, pages("acct2", region, len(ids)), writes)
	s.agrees("foreign", "acct2."+region+"-", ids)
	for name, image := range s.Images("foreign") {
		if got := image.Labels[imagev1alpha1.LabelCredentials]; got != "acct2" {
			s.t.Errorf("%s has the credentials label %q", name, got)
		}
	}
}

// others writes an object as fast as it can while the operator changes it, until a conflict occurs. It uses the garbage
// collector's name, the only other one that the admission policy admits.
func (s *suite) others() {
	name := elsewhere + "-" + s.own(elsewhere, cvmtest.DefaultCredential)[0]
	collector := s.As("system:serviceaccount:kube-system:generic-garbage-collector")
	ctx, stop := context.WithCancel(s.Context())
	var written int
	var writing sync.WaitGroup
	writing.Go(func() {
		for ctx.Err() == nil {
			image := &imagev1alpha1.CloudImage{ObjectMeta: metav1.ObjectMeta{Name: name}}
			patch := fmt.Sprintf(`{"metadata":{"annotations":{"%s":"%d"}}}`, others, written+1)
			if err := collector.Patch(s.Context(), image, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
				s.t.Errorf("annotating %s: %v", name, err)
				return
			}
			written++
		}
	})
	var description string
	for polls := 1; !s.conflicted(name) && !s.t.Failed(); polls++ {
		if polls > 200 {
			s.t.Errorf("in 200 polls the operator never met another writer")
		}
		description = fmt.Sprint("rebuilt, poll ", polls)
		s.cloud.Update(elsewhere, strings.TrimPrefix(name, elsewhere+"-"), func(i *cvmtest.Image) { i.ImageDescription = description })
		s.Poll("shanghai")
	}
	stop()
	writing.Wait()
	s.Poll("shanghai") // in case the operator gave up on the object
	image := s.Images("shanghai")[name]
	if got, want := image.Annotations[others], fmt.Sprint(written); got != want || image.Image.Description != description {
		s.t.Errorf("the annotation of another is %q, want %q; the description %q, want %q", got, want, image.Image.Description, description)
	}
}

const others = "example.com/others"

// conflicted reports whether the operator had to read an object again before it could write it.
func (s *suite) conflicted(name string) bool {
	s.t.Helper()
	return slices.ContainsFunc(s.RequestsOf(cluster.OperatorUser), func(r cluster.Request) bool {
		return r.Name == name && r.Code == http.StatusConflict
	})
}

// own returns the ids of the private images that a key sees in a region.
func (s *suite) own(region string, key cvmtest.Credential) []string {
	var ids []string
	for _, image := range s.cloud.Images(region) {
		if image.Owner == key.UIN {
			ids = append(ids, image.ImageID)
		}
	}
	return ids
}

// agrees compares a query's status and its CloudImages with the ids of the cloud.
func (s *suite) agrees(query, prefix string, ids []string) {
	s.t.Helper()
	var inStatus, names []string
	q := s.Query(query)
	for _, image := range q.Status.Images {
		inStatus = append(inStatus, prefix+image.ImageID)
	}
	for _, id := range ids {
		names = append(names, prefix+id)
	}
	s.same("images in the status of "+query, inStatus, names)
	s.same("CloudImages of "+query, slices.Collect(maps.Keys(s.Images(query))), names)
	if q.Status.ImageCount == nil || int(*q.Status.ImageCount) != len(ids) {
		s.t.Errorf("status.imageCount of %s is %v, want %d", query, q.Status.ImageCount, len(ids))
	}
}

// ownersOf returns the names of an object's owners.
func ownersOf(image *imagev1alpha1.CloudImage) []string {
	var names []string
	for _, ref := range image.OwnerReferences {
		names = append(names, ref.Name)
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
