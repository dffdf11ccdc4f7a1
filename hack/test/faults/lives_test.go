// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
	"github.com/image-catalog/image-catalog-operator/hack/test/apiproxy"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// twin requests the same images as golden, and part some of them by id.
const twin, part = "twin", "part"

// life is a random life of three queries over the same images. invariants_test.go has what must hold at any time. Only
// golden's selection is edited, so every image is its member.
type life struct {
	*world
	outer *world // restarts the manager, which outlives the life
	rt    *rapid.T

	made, polls int

	// hidden is the number of images, the newest first, that listings lack. dropped is set if they lack them
	// consistently, so that the images may leave.
	hidden  int
	dropped bool

	// watched is set once the number of requests while removals are blocked was checked.
	watched bool

	// judged is the number of checked writes.
	judged int

	// uids are the UIDs of golden's objects, by name, of images that have existed since. selected is its last
	// selection.
	uids     map[string]string
	selected []string

	// members are golden's members at that time, without held-back ones.
	members []string
}

// Unexpected sequences: specs, the cloud, its faults, those of the API server and the process change in any order, also several at
// once. After each step the invariants hold, and at the end everything agrees.
//
// rapid stores failures in testdata/rapid, and runs them first. -rapid.checks is the number of lives.
func TestSearchLives(t *testing.T) {
	w := begin(t, 0)
	w.start()
	rapid.Check(t, func(rt *rapid.T) {
		w.cloud.Heal()
		w.api.Heal()
		w.cloud.Clear(region)
		w.clear()
		bound := *w
		bound.Cluster = w.For(rt)
		l := &life{world: &bound, outer: w, rt: rt, uids: map[string]string{}, judged: len(w.api.Writes())}
		for range 8 {
			l.add()
		}
		l.create(golden)
		l.create(twin)
		l.create(part)
		l.pollAll("")
		l.look()
		for range rapid.IntRange(2, 6).Draw(rt, "steps") {
			l.step()
			l.look()
		}
		l.end()
	})
}

// deed is an event with a weight.
type deed struct {
	name   string
	weight int
	do     func()
}

// choose causes one of the events.
func (l *life) choose(kind string, deeds ...deed) {
	var names []string
	for _, d := range deeds {
		names = append(names, slices.Repeat([]string{d.name}, d.weight)...)
	}
	name := rapid.SampledFrom(names).Draw(l.rt, kind)
	deeds[slices.IndexFunc(deeds, func(d deed) bool { return d.name == name })].do()
}

// step causes several events, and waits for the polls after them.
func (l *life) step() {
	l.choose("the cloud",
		deed{"stays", 3, func() {}},
		deed{"has a new image", 2, l.add},
		deed{"loses an image", 1, l.remove},
		deed{"changes an image", 1, l.change},
		deed{"loses most images", 2, l.vanish},
		deed{"has all images rebuilt", 2, l.turnover},
	)
	l.choose("listings", l.listings()...)
	l.choose("writes", l.writes()...)
	l.choose("queries", l.edits()...)
	l.choose("the process",
		deed{"works", 6, func() {}},
		deed{"is killed", 1, l.kill},
		deed{"loses its watches", 1, func() { l.api.CutWatches("") }},
	)
	l.exempt()
	more := ""
	l.choose("the request", deed{"is short", 9, func() {}}, deed{"is long", 1, func() { more = strings.Repeat("x", 300) }})
	l.pollAll(more)
	blocked := func(q *imagev1alpha1.ImageQuery) bool { return approval(q) != "" }
	if !l.watched && slices.ContainsFunc(l.all(), blocked) {
		l.watched = true
		l.quiet()
	}
}

func (l *life) add() {
	l.made++
	l.cloud.Put(region, image(fmt.Sprintf("img-life%04d", l.made), fmt.Sprintf("node-v1.%d.0", l.made)))
}

func (l *life) remove() {
	if all := l.cloudIDs(); len(all) > 1 {
		l.cloud.Delete(region, rapid.SampledFrom(all).Draw(l.rt, "id"))
	}
}

// turnover replaces all images, like a rebuild under other ids.
func (l *life) turnover() {
	old := l.cloudIDs()
	for range old {
		l.add()
	}
	l.cloud.Delete(region, old...)
}

// vanish deletes all images but the oldest.
func (l *life) vanish() { l.cloud.Delete(region, l.cloudIDs()[1:]...) }

func (l *life) change() {
	l.cloud.Update(region, rapid.SampledFrom(l.cloudIDs()).Draw(l.rt, "id"), func(i *cvmtest.Image) {
		i.ImageState = rapid.SampledFrom([]string{"NORMAL", "SYNCING", "CREATEFAILED"}).Draw(l.rt, "state")
		i.ImageDescription = fmt.Sprint("changed ", l.polls)
	})
}

// listings are faults of the cloud's answers: one at a time, until it heals.
func (l *life) listings() []deed {
	wrong := func(name string, weight int, f cvmtest.Fault) deed {
		return deed{name, weight, func() {
			l.cloud.Heal()
			l.cloud.Inject(f)
			l.hidden, l.dropped = f.DropImages, f.TotalDelta < 0 || f.TotalCount != nil
		}}
	}
	return []deed{
		{"stay", 4, func() {}},
		{"heal", 2, func() { l.cloud.Heal(); l.hidden, l.dropped = 0, false }},
		wrong("lack an image that they count", 2, cvmtest.Fault{Listing: true, DropImages: 1}),
		wrong("lack images", 1, cvmtest.Fault{Listing: true, DropImages: 2, TotalDelta: -2}),
		wrong("are empty", 1, cvmtest.Fault{Listing: true, DropImages: 100, TotalCount: new(int64(0))}),
		wrong("count too many", 1, cvmtest.Fault{Listing: true, TotalDelta: 3}),
		wrong("fail", 1, cvmtest.Fault{Code: "InternalError"}),
		wrong("say nothing", 1, cvmtest.Fault{Body: new(`{}`)}),
		wrong("by id fail", 1, cvmtest.Fault{ByID: true, Code: "InternalError"}),
		wrong("break off", 1, cvmtest.Fault{Hangup: true}),
	}
}

// writes are faults of writes, and events that cause writes.
func (l *life) writes() []deed {
	wrong := func(name string, because func(), f apiproxy.Fault) deed {
		return deed{name, 1, func() { l.api.Inject(f); because() }}
	}
	return []deed{
		{"succeed", 4, func() {}},
		{"heal", 2, l.api.Heal},
		wrong("are stale", l.change, apiproxy.Fault{Verb: "update", Resource: "cloudimages", Status: http.StatusConflict, Times: 20}),
		wrong("of new objects are stale", l.add, apiproxy.Fault{Verb: "create", Resource: "cloudimages", Status: http.StatusConflict, Times: 20}),
		wrong("are refused", l.change, apiproxy.Fault{Verb: "update", Resource: "cloudimages", Status: http.StatusForbidden, Times: 2}),
		wrong("of new objects are refused", l.add,
			apiproxy.Fault{Verb: "create", Resource: "cloudimages", Status: http.StatusForbidden, Times: 2}),
		wrong("of status are stale", l.change, apiproxy.Fault{Resource: "imagequeries/status", Status: http.StatusConflict, Times: 3}),
		wrong("of status get no reply", l.change, apiproxy.Fault{Resource: "imagequeries/status", DropReply: true, Times: 1}),
		wrong("of new objects get no reply", l.add, apiproxy.Fault{Verb: "create", Resource: "cloudimages", DropReply: true, Times: 1}),
		wrong("get no reply", l.change, apiproxy.Fault{Verb: "update", Resource: "cloudimages", DropReply: true, Times: 1}),
		wrong("that delete get no reply", l.remove, apiproxy.Fault{Verb: "delete", Resource: "cloudimages", DropReply: true, Times: 1}),
	}
}

// edits are edits by users.
func (l *life) edits() []deed {
	toggle := func(name string) func() {
		return func() {
			if query := l.find(name); query == nil {
				l.create(name)
			} else {
				l.must(l.Client.Delete(l.rt.Context(), query))
			}
		}
	}
	return []deed{
		{"stay", 3, func() {}},
		{"select others", 1, func() {
			l.edit(golden, `{"spec":{"selection":{"limit":%d}}}`, rapid.IntRange(1, 3).Draw(l.rt, "limit"))
		}},
		{"want other objects", 2, func() { l.edit(twin, `{"spec":{"cloudImages":{"policy":%q,"maxImages":100}}}`, l.policy()) }},
		{"ask for others", 1, func() { l.edit(part, `{"spec":{"imageIDs":%s}}`, l.some()) }},
		{"twin comes or goes", 1, toggle(twin)},
		{"part comes or goes", 1, toggle(part)},
		{"are suspended or resumed", 2, func() {
			name := rapid.SampledFrom([]string{golden, twin, part}).Draw(l.rt, "query")
			if query := l.find(name); query != nil {
				l.edit(name, `{"spec":{"suspend":%t}}`, !query.Spec.Suspend)
			}
		}},
		{"lose their objects", 2, l.deleteObjects},
		{"are approved", 1, l.approveAll},
		{"stay for a while", 1, func() { l.pollAll(""); l.quiet() }},
	}
}

func (l *life) policy() string {
	return rapid.SampledFrom([]string{"All", "Selected", "None"}).Draw(l.rt, "policy")
}

// some returns ids of the cloud as JSON, always including the oldest.
func (l *life) some() string {
	ids := l.cloudIDs()
	encoded, err := json.Marshal(ids[:rapid.IntRange(1, len(ids)).Draw(l.rt, "ids")])
	l.must(err)
	return string(encoded)
}

func (l *life) create(name string) {
	grace := rapid.SampledFrom([]string{"1s", "0s", "1h"}).Draw(l.rt, "grace period of "+name)
	spec := fmt.Sprintf(`"region":%q,"interval":"1m","minImages":0,"removal":{"gracePeriod":%q}`, region, grace)
	switch name {
	case twin:
		spec += fmt.Sprintf(`,"cloudImages":{"policy":%q,"maxImages":100}`, l.policy())
	case part:
		spec += `,"imageIDs":` + l.some()
	}
	query := &imagev1alpha1.ImageQuery{}
	l.must(json.Unmarshal(fmt.Appendf(nil, `{"metadata":{"name":%q},"spec":{%s}}`, name, spec), query))
	l.must(l.Client.Create(l.rt.Context(), query))
}

// edit patches a query, if it exists.
func (l *life) edit(name, patch string, args ...any) {
	query := &imagev1alpha1.ImageQuery{}
	query.Name = name
	merge := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, patch, args...))
	l.must(client.IgnoreNotFound(l.Client.Patch(l.rt.Context(), query, merge)))
}

// deleteObjects deletes objects under the operator's name, the only one with the permission.
func (l *life) deleteObjects() {
	operator := l.As(cluster.OperatorUser)
	for _, object := range l.Images("") {
		l.must(client.IgnoreNotFound(operator.Delete(l.rt.Context(), &object)))
	}
	clear(l.uids)
}

func (l *life) approveAll() {
	for _, query := range l.all() {
		if token := approval(query); token != "" {
			l.edit(query.Name, `{"metadata":{"annotations":{%q:%q}}}`, imagev1alpha1.AnnotationApproveRemoval, token)
		}
	}
	clear(l.uids)
	l.selected = nil
}

// approval returns the token in RemovalBlocked, or "".
func approval(query *imagev1alpha1.ImageQuery) string {
	_, after, _ := strings.Cut(kit.Condition(query, imagev1alpha1.ConditionRemovalBlocked).Message, imagev1alpha1.AnnotationApproveRemoval+"=")
	token, _, _ := strings.Cut(after, " ")
	return token
}

func (l *life) kill() {
	l.outer.manager.Kill()
	l.api.Heal()
	l.outer.restart()
	l.manager = l.outer.manager
}

// pollAll requests polls of all queries that are not suspended, and waits for their ends. Each request is unique; more
// makes it longer.
func (l *life) pollAll(more string) {
	l.polls++
	token := fmt.Sprintf("poll-%d-%s", l.polls, more)
	before := map[string]string{}
	for _, query := range l.all() {
		if !query.Spec.Suspend {
			before[query.Name] = query.Status.LastHandledReconcileAt
			l.edit(query.Name, `{"metadata":{"annotations":{%q:%q}}}`, imagev1alpha1.AnnotationRequestedAt, token)
		}
	}
	for name, last := range before {
		l.Until("the requested poll of "+name+" has ended", func(context.Context) error {
			if err := l.refusedAsInvalid(); err != nil {
				return kit.Hopeless(err)
			}
			query := l.find(name)
			if now := query.Status.LastHandledReconcileAt; now == last || now != token && more == "" {
				return fmt.Errorf("it has not: the last one handled is %.20q, Ready is %v", now, kit.Ready(query))
			}
			return nil
		})
	}
}

// all returns the queries.
func (l *life) all() []*imagev1alpha1.ImageQuery {
	var list imagev1alpha1.ImageQueryList
	l.must(l.Client.List(l.rt.Context(), &list))
	var out []*imagev1alpha1.ImageQuery
	for i := range list.Items {
		out = append(out, &list.Items[i])
	}
	return out
}

// find returns a query, or nil if it doesn't exist.
func (l *life) find(name string) *imagev1alpha1.ImageQuery {
	all := l.all()
	if i := slices.IndexFunc(all, func(q *imagev1alpha1.ImageQuery) bool { return q.Name == name }); i >= 0 {
		return all[i]
	}
	return nil
}

func (l *life) must(err error) {
	if err != nil {
		l.rt.Fatal(err)
	}
}
