// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/apiproxy"
)

// machine is a random life of one query, and what must be true of it at every moment.
type machine struct {
	*world
	made int

	// uids are the objects of images that have been in the cloud ever since.
	uids map[string]string
}

// Sequences that nobody thought of: the spec, the cloud, its faults, the API server's and the process change in any order. Of an image
// that is there all the time the object is never made anew; what was selected is never emptied; and healed, all agrees.
//
// What rapid finds is a file in testdata/rapid, which runs first from then on. -rapid.checks says how many lives.
func TestSearchLives(t *testing.T) {
	w := begin(t, 0)
	w.start()
	rapid.Check(t, func(rt *rapid.T) {
		w.cloud.Heal()
		w.api.Heal()
		w.cloud.Clear(region)
		w.clear()
		m := &machine{world: w, uids: map[string]string{}}
		for range 6 {
			m.add()
		}
		w.query(golden, "interval: 1m", "minImages: 0", "removal: {gracePeriod: 1s}")
		w.UntilSynced(golden)
		m.look(rt)
		for range rapid.IntRange(3, 8).Draw(rt, "steps") {
			m.step(rt)
			m.look(rt)
		}
		m.end(rt)
	})
}

func (m *machine) add() {
	m.made++
	id := fmt.Sprintf("img-life%04d", m.made)
	m.cloud.Put(region, image(id, fmt.Sprintf("node-v1.%d.0", m.made)))
}

func (m *machine) step(rt *rapid.T) {
	all := m.cloudIDs()
	steps := map[string]func(){
		"an image comes": m.add,
		"an image goes": func() {
			if len(all) > 1 {
				id := rapid.SampledFrom(all).Draw(rt, "id")
				m.cloud.Delete(region, id)
				delete(m.uids, region+"-"+id)
			}
		},
		"an image changes": func() {
			m.cloud.Update(region, rapid.SampledFrom(all).Draw(rt, "id"), func(i *cvmtest.Image) {
				i.ImageState = rapid.SampledFrom([]string{"NORMAL", "SYNCING", "CREATEFAILED"}).Draw(rt, "state")
			})
		},
		"the listing is wrong": func() {
			m.cloud.Inject(rapid.SampledFrom([]cvmtest.Fault{
				{Listing: true, DropImages: 2, TotalDelta: -2}, {Listing: true, TotalCount: new(int64(0)), DropImages: 100}, {Listing: true, TotalDelta: 3},
				{Code: "InternalError"}, {Body: new(`{}`)}, {Listing: true, DropImages: 1}, {ByID: true, Code: "InternalError"}, {Hangup: true},
			}).Draw(rt, "fault"))
		},
		"the cloud heals": m.cloud.Heal,
		"writes go wrong": func() {
			f := rapid.SampledFrom([]apiproxy.Fault{
				{Verb: "update", Resource: "cloudimages", Status: http.StatusConflict}, {Verb: "create", Resource: "cloudimages", DropReply: true},
				{Resource: "imagequeries/status", DropReply: true}, {Verb: "delete", Resource: "cloudimages", DropReply: true},
				{Verb: "update", Resource: "cloudimages", Status: http.StatusForbidden},
			}).Draw(rt, "fault")
			f.Times = 1
			m.api.Inject(f)
		},
		"the process is killed": func() {
			m.manager.Kill()
			m.api.Heal()
			m.restart()
		},
		"another selection": func() {
			m.patch(golden, fmt.Sprintf(`{"selection":{"limit":%d}}`, rapid.IntRange(1, 3).Draw(rt, "limit")))
		},
		"suspended and resumed": func() {
			m.patch(golden, `{"suspend":true}`)
			m.untilCondition(golden, imagev1alpha1.ConditionReady, "True", imagev1alpha1.ReasonSuspended)
			m.patch(golden, `{"suspend":false}`)
		},
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(steps))).Draw(rt, "what")
	steps[name]()
	m.Poll(golden)
}

// look compares what is there with what must be.
func (m *machine) look(rt *rapid.T) {
	objects := m.Images("")
	for name, uid := range m.uids {
		if now := string(objects[name].UID); now != uid {
			rt.Fatalf("the image of %s was there all the time, and its object was %s and is %q", name, uid, now)
		}
	}
	for _, id := range m.cloudIDs() {
		if object, ok := objects[region+"-"+id]; ok {
			m.uids[region+"-"+id] = string(object.UID)
		}
	}
	query := m.get(golden)
	if len(query.Status.Selected) == 0 {
		rt.Fatalf("nothing is selected any more")
	}
	for _, c := range query.Status.Conditions {
		if strings.Contains(c.Message, cvmtest.DefaultCredential.SecretKey) || len([]rune(c.Message)) > 1024 {
			rt.Fatalf("the message of %s is %q", c.Type, c.Message)
		}
	}
}

// end heals the world; a person approves what is held back; then all agrees.
func (m *machine) end(rt *rapid.T) {
	m.cloud.Heal()
	m.api.Heal()
	m.Until("all agrees", func(context.Context) error {
		query := m.Poll(golden)
		if blocked := condition(query, imagev1alpha1.ConditionRemovalBlocked); blocked.Status == metav1.ConditionTrue {
			m.approve(blocked.Message)
		}
		if got, want := statusIDs(query), m.cloudIDs(); !slices.Equal(got, want) {
			return fmt.Errorf("status: %s", difference(got, want))
		}
		return m.matches(m.t.Context())
	})
	m.look(rt)
}

// An edit that is taken back leaves no trace: a spec A, then B, then A ends as A.
func TestSearchThereAndBack(t *testing.T) {
	w := synced(t, 0, 8)
	spec := func(more string) string {
		return fmt.Sprintf(`{"apiVersion":"imagecatalog.dev/v1alpha1","kind":"ImageQuery","metadata":{"name":%q},"spec":{"region":%q,"minImages":0,"removal":{"gracePeriod":"0s","maxRemovedPercent":100}%s}}`, golden, region, more)
	}
	state := func() (out []string) {
		for _, object := range w.Images("") {
			object.ObjectMeta = metav1.ObjectMeta{Name: object.Name, Labels: object.Labels, Annotations: object.Annotations}
			out = append(out, plain(t, &object))
		}
		slices.Sort(out)
		query := w.get(golden)
		return append(out, plain(t, query.Status.Images), plain(t, query.Status.Selected), query.Status.Revision)
	}
	settle := func(edit string) {
		w.Apply(edit)
		w.UntilQuery(golden, func(q *imagev1alpha1.ImageQuery) error {
			if ready := condition(q, imagev1alpha1.ConditionReady); q.Status.ObservedGeneration != q.Generation ||
				q.Status.SyncedGeneration != q.Generation && ready.Reason != imagev1alpha1.ReasonSuspended {
				return errNotYet
			}
			return nil
		})
	}
	settle(spec(""))
	want := state()
	for _, more := range []string{
		`"suspend":true`, `"interval":"2h"`, `"selection":{"limit":3}`, `"selection":{"orderBy":"Name","skip":1}`, `"selection":{"groupBy":["Architecture","Platform"]}`,
		`"selection":{"minAge":"8760h"}`, `"selection":{"orderBy":"SemVer","range":">=1.0"}`, `"cloudImages":{"policy":"Selected","maxImages":100}`,
		`"cloudImages":{"policy":"None","maxImages":100}`, `"cloudImages":{"labels":{"team":"infra"},"labelTagKeys":["team"]}`, `"match":{"states":["CREATING"]}`,
		`"match":{"nameRegex":"^nothing$"}`, `"match":{"architectures":["arm64"]}`, `"match":{"creators":["1"]}`, `"filters":[{"name":"platform","values":["CentOS"]}]`,
		`"imageIDs":["img-00000000"]`, `"region":"` + elsewhere + `"`,
	} {
		t.Run(more, func(t *testing.T) {
			b := spec("," + more)
			if strings.HasPrefix(more, `"region"`) {
				b = strings.Replace(spec(""), region, elsewhere, 1)
			}
			settle(b)
			settle(spec(""))
			if got := state(); !slices.Equal(got, want) {
				t.Errorf("it ends otherwise:\n%s\nand was\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}
