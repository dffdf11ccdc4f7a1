// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
	"github.com/image-catalog/image-catalog-operator/hack/test/apiproxy"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
	"github.com/image-catalog/image-catalog-operator/hack/test/model"
)

// twin requests the same images as golden, part some of them by id. guest is of another account, with which the images are
// shared.
const twin, part, guest = "twin", "part", "guest"

// life is a life of four queries over the same images, random or as a script says. invariants_test.go has what must hold at any time,
// model_test.go what must be there at rest. Only golden's selection is edited, so every image is its member.
type life struct {
	*world
	outer *world // restarts the manager, which outlives the life
	tb    tb

	// chooser makes the choices. recorded are those until now, and record is where the next one belongs.
	chooser  chooser
	recorded script
	record   *[]*choice

	images, polls int

	// specs are those of the existing queries, and branches what the model predicts of every query that ever existed.
	specs    map[string]model.Spec
	branches map[string]model.Branches

	// lied is how listings differ from the cloud.
	lied lie

	// orphans are objects of queries that were deleted without them.
	orphans map[string]bool

	// intruded is set once a status was overwritten: the operator writes its own again once a minute.
	intruded bool

	// strict is set if the cloud refuses requests with ids of images that are gone, instead of leaving them out of its answers.
	// gone are those.
	strict bool
	gone   []string

	// mayLack is set once a query may lack objects of images that are gone by now: the API server refused them, or somebody took
	// the query off them. deleted are the names of objects that somebody deleted: one after the other, so a poll meanwhile had
	// the records of some of them, and made those anew.
	mayLack bool
	deleted map[string]bool

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

// tb is a testing.TB or rapid's.
type tb interface {
	cluster.T
	Fatal(args ...any)
}

// Unexpected sequences: specs, the cloud, its faults, those of the API server and the process change in any order, also several at
// once. After each step the invariants hold, and at the end everything agrees.
//
// -rapid.checks is the number of lives. One that fails becomes a script for TestKeptLives.
func TestSearchLives(t *testing.T) {
	w, failed := beginLives(t), time.Now().Format("failed-20060102-150405")
	lives := 0
	rapid.Check(t, func(rt *rapid.T) {
		lives++
		t.Logf("%s: life %d", time.Now().Format(time.TimeOnly), lives)
		l := w.newLife(rt, newRandom(rt))
		defer func() {
			if rt.Failed() {
				l.recorded.save(t, failed)
			}
		}()
		l.run()
	})
	if lives == 0 {
		t.Error("no life ran: with -short, rapid divides -rapid.checks by five")
	}
}

// beginLives starts what all lives share.
func beginLives(t *testing.T) *world {
	t.Helper()
	w := begin(t, 0)
	w.cloud.SetCredential(guestKey)
	w.SetCredentials(guestAccount, guestKey)
	err := w.Client.Get(t.Context(), client.ObjectKey{Name: consented}, &corev1.Namespace{})
	if apierrors.IsNotFound(err) { // the tests share the control plane
		w.Consent(consented)
	}
	w.start("--publish-namespaces=" + consented)
	return w
}

// newLife clears away the life before.
func (w *world) newLife(t tb, c chooser) *life {
	w.recent = append(w.recent, w.snapshot(lie{}))
	w.endSecond()
	w.cloud.Heal()
	w.api.Heal()
	w.cloud.Clear(region)
	w.cloud.Clear(elsewhere)
	w.clear()
	bound := *w
	bound.Cluster = w.For(t)
	return &life{
		world: &bound, outer: w, tb: t, chooser: c, uids: map[string]string{}, judged: len(w.api.Writes()),
		specs: map[string]model.Spec{}, branches: map[string]model.Branches{}, orphans: map[string]bool{}, deleted: map[string]bool{},
	}
}

func (l *life) run() {
	l.begin()
	for l.chooser.again() {
		l.recorded.Steps = append(l.recorded.Steps, nil)
		l.record = &l.recorded.Steps[len(l.recorded.Steps)-1]
		l.step()
		l.look()
		l.choose("after that", event{"all rests", 2, l.rest}, event{"it goes on", 1, func() {}})
	}
	l.end()
}

// begin creates the images and the queries.
func (l *life) begin() {
	l.record = &l.recorded.Begin
	l.strict = l.chance("ids of images that are gone are refused")
	l.resetConfigMaps()
	for range 8 {
		l.add()
	}
	l.addElsewhere()
	for _, name := range []string{golden, twin, part, guest} {
		l.create(name)
	}
	l.tick()
	l.rest()
	l.look()
}

// event is something that may happen, with a weight.
type event struct {
	name   string
	weight int
	do     func()
}

// choose lets one of the events happen.
func (l *life) choose(kind string, events ...event) {
	var names []string
	for _, e := range events {
		names = append(names, slices.Repeat([]string{e.name}, e.weight)...)
	}
	record := l.record
	name := l.pick(kind, names...)
	l.outer.t.Logf("%s: %s: %s", time.Now().Format(time.TimeOnly), kind, name)
	if name != events[0].name {
		l.record = &(*record)[len(*record)-1].Details
	}
	events[slices.IndexFunc(events, func(e event) bool { return e.name == name })].do()
	l.record = record
	l.tick()
}

// pick returns one of the options, and records it unless it is the first.
func (l *life) pick(name string, options ...string) string {
	option := l.chooser.choose(name, options)
	if option != options[0] {
		*l.record = append(*l.record, &choice{Choice: name, Option: option})
	}
	return option
}

// chance returns whether something is so.
func (l *life) chance(name string) bool { return l.pick(name, "no", "yes") == "yes" }

// number returns a number from one.
func (l *life) number(name string, most int) int {
	var options []string
	for n := range most {
		options = append(options, strconv.Itoa(n+1))
	}
	n, err := strconv.Atoi(l.pick(name, options...))
	l.must(err)
	return n
}

// step causes several events, and waits for the polls after them.
func (l *life) step() {
	l.choose("the cloud",
		event{"stays", 3, func() {}},
		event{"has a new image", 2, l.add},
		event{"loses an image", 1, l.remove},
		event{"changes an image", 1, l.change},
		event{"breaks an architecture", 1, l.breakArchitecture},
		event{"renames an architecture", 2, l.rename},
		event{"loses most images", 2, l.vanish},
		event{"loses most of an architecture", 1, l.thin},
		event{"has all images rebuilt", 2, l.turnover},
		event{"has a new image elsewhere", 1, l.addElsewhere},
	)
	l.choose("listings", l.listings()...)
	l.choose("writes", l.writes()...)
	l.choose("queries", l.edits()...)
	l.choose("others", l.intrusions()...)
	l.choose("the process",
		event{"works", 6, func() {}},
		event{"is killed", 1, l.kill},
		event{"loses its watches", 1, func() { l.api.CutWatches("") }},
		event{"is there twice", 1, func() { l.double() }},
		event{"overlaps with a shard", 1, func() { l.double("--regions=" + region) }},
	)
	l.exempt()
	more := ""
	l.choose("the request", event{"is short", 9, func() {}}, event{"is long", 1, func() { more = strings.Repeat("x", 300) }})
	l.pollAll(more)
	blocked := func(q *imagev1alpha1.ImageQuery) bool { return approval(q) != "" }
	if !l.watched && slices.ContainsFunc(l.all(), blocked) {
		l.watched = true
		l.quiet()
	}
}

func (l *life) add() {
	l.cloud.Put(region, l.next(cvmtest.DefaultCredential.UIN))
}

// next returns another image, newer than all others, which the account guest sees, too.
func (l *life) next(owner string) cvmtest.Image {
	l.images++
	out := image(fmt.Sprintf("img-life%04d", l.images), fmt.Sprintf("node-v1.%d.0", l.images))
	out.CreatedTime = new(firstCreated.Add(time.Duration(l.images) * time.Minute).Format(time.RFC3339))
	out.Owner, out.ImageCreator, out.SharedWith = owner, &owner, []string{guestKey.UIN}
	if l.images%4 == 0 {
		out.Architecture = "arm"
	}
	return out
}

// addElsewhere adds an image of the other account in the other region.
func (l *life) addElsewhere() { l.cloud.Put(elsewhere, l.next(guestKey.UIN)) }

func (l *life) remove() {
	if all := l.cloudIDs(); len(all) > 1 {
		l.lose(l.pick("id", all...))
	}
}

// turnover replaces all images, like a rebuild under other ids.
func (l *life) turnover() {
	old := l.cloudIDs()
	for range old {
		l.add()
	}
	l.lose(old...)
}

// vanish deletes all images but the oldest.
func (l *life) vanish() { l.lose(l.cloudIDs()[1:]...) }

// lose deletes images.
func (l *life) lose(ids ...string) {
	l.cloud.Delete(region, ids...)
	l.gone = append(l.gone, ids...)
	l.refuse(ids)
}

// refuse lets requests for images that are gone fail, if the cloud is strict.
func (l *life) refuse(gone []string) {
	for _, id := range gone {
		if l.strict {
			l.cloud.Inject(cvmtest.Fault{ImageID: id, Code: "InvalidImageId.NotFound"})
		}
	}
}

// thin deletes all images of an architecture but the oldest.
func (l *life) thin() {
	if ids := l.ofArchitecture(); len(ids) > 1 {
		l.lose(ids[1:]...)
	}
}

// breakArchitecture lets no image of an architecture be usable any more.
func (l *life) breakArchitecture() {
	for _, id := range l.ofArchitecture() {
		l.cloud.Update(region, id, func(i *cvmtest.Image) { i.ImageState = "CREATEFAILED" })
	}
}

// rename gives the images of an architecture names that twin may not match, or their former ones.
func (l *life) rename() {
	for _, id := range l.ofArchitecture() {
		l.cloud.Update(region, id, func(i *cvmtest.Image) {
			name, was := strings.CutSuffix(i.ImageName, ".0")
			i.ImageName = map[bool]string{true: name + ".1", false: strings.TrimSuffix(name, ".1") + ".0"}[was]
		})
	}
}

// ofArchitecture returns the cloud's images of an architecture that it draws, the oldest first.
func (l *life) ofArchitecture() []string {
	architecture := l.pick("architecture", "x86_64", "arm")
	var ids []string
	for _, i := range l.cloud.Images(region) {
		if i.Architecture == architecture {
			ids = append(ids, i.ImageID)
		}
	}
	slices.Sort(ids)
	return ids
}

func (l *life) change() {
	l.cloud.Update(region, l.pick("id", l.cloudIDs()...), func(i *cvmtest.Image) {
		i.ImageState = l.pick("state", "NORMAL", "SYNCING", "CREATEFAILED")
		i.ImageDescription = fmt.Sprint("changed ", l.polls)
	})
}

// listings are faults of the cloud's answers: one at a time, until it heals.
func (l *life) listings() []event {
	inject := func(f cvmtest.Fault) {
		l.healCloud()
		l.cloud.Inject(f)
		settled := f.TotalDelta < 0 || f.TotalCount != nil || f.HideImages != nil
		l.lied = lie{hidden: f.DropImages, without: f.HideImages, unsettled: !settled}
	}
	wrong := func(name string, weight int, f cvmtest.Fault) event { return event{name, weight, func() { inject(f) }} }
	return []event{
		{"stay", 4, func() {}},
		{"heal", 2, l.healCloud},
		wrong("lack an image that they count", 2, cvmtest.Fault{Listing: true, DropImages: 1}),
		wrong("lack images", 1, cvmtest.Fault{Listing: true, DropImages: 2, TotalDelta: -2}),
		{"lack an architecture", 1, func() {
			if ids := l.ofArchitecture(); len(ids) > 0 {
				inject(cvmtest.Fault{Listing: true, HideImages: ids})
			}
		}},
		wrong("are empty", 1, cvmtest.Fault{Listing: true, DropImages: 100, TotalCount: new(int64(0))}),
		wrong("count too many", 1, cvmtest.Fault{Listing: true, TotalDelta: 3}),
		wrong("fail", 1, cvmtest.Fault{Code: "InternalError"}),
		wrong("say nothing", 1, cvmtest.Fault{Body: new(`{}`)}),
		wrong("by id fail", 1, cvmtest.Fault{ByID: true, Code: "InternalError"}),
		wrong("break off", 1, cvmtest.Fault{Hangup: true}),
	}
}

// writes are faults of writes, and events that cause writes.
func (l *life) writes() []event {
	wrong := func(name string, because func(), f apiproxy.Fault) event {
		return event{name, 1, func() {
			l.api.Inject(f)
			l.mayLack = l.mayLack || f.Resource == "cloudimages" && f.Verb != "update" && f.Verb != "delete"
			because()
		}}
	}
	return []event{
		{"succeed", 4, func() {}},
		{"heal", 2, l.api.Heal},
		wrong("are stale", l.change, apiproxy.Fault{Verb: "update", Resource: "cloudimages", Status: http.StatusConflict, Times: 20}),
		wrong("of new objects are stale", l.add, apiproxy.Fault{Verb: "create", Resource: "cloudimages", Status: http.StatusConflict, Times: 20}),
		wrong("are refused", l.change, apiproxy.Fault{Verb: "update", Resource: "cloudimages", Status: http.StatusForbidden, Times: 2}),
		wrong("are invalid", l.change, apiproxy.Fault{Verb: "update", Resource: "cloudimages", Status: http.StatusUnprocessableEntity, Times: 2}),
		wrong("of new objects are invalid", l.add,
			apiproxy.Fault{Verb: "create", Resource: "cloudimages", Status: http.StatusUnprocessableEntity, Times: 2}),
		wrong("fail", l.change, apiproxy.Fault{Resource: "cloudimages", Status: http.StatusInternalServerError, Times: 5}),
		wrong("of status fail", l.change, apiproxy.Fault{Resource: "imagequeries/status", Status: http.StatusInternalServerError, Times: 3}),
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
func (l *life) edits() []event {
	edit := func(name string, change func(*model.Spec)) func() {
		return func() { l.edit(name, change) }
	}
	toggle := func(name string) func() {
		return func() {
			if _, exists := l.specs[name]; exists {
				l.deleteQuery(name)
			} else {
				l.create(name)
			}
		}
	}
	return []event{
		{"stay", 3, func() {}},
		{"select others", 1, edit(golden, func(s *model.Spec) { s.Limit = l.number("limit", 3) })},
		{"want other objects", 2, edit(twin, func(s *model.Spec) { s.Policy = l.policy() })},
		{"ask for others", 1, edit(part, func(s *model.Spec) { s.ImageIDs = l.some() })},
		{"exclude an image", 1, edit(twin, func(s *model.Spec) { s.Exclude = l.one() })},
		{"pin an image", 1, func() {
			l.edit(l.pick("query", golden, twin), func(s *model.Spec) { s.Pin = l.one() })
		}},
		{"match names", 1, edit(twin, func(s *model.Spec) { s.NameRegex = l.names() })},
		{"trust an account, or no longer", 3, edit(guest, func(s *model.Spec) {
			s.Trusted = map[bool][]string{true: {cvmtest.DefaultCredential.UIN}}[s.Trusted == nil]
		})},
		{"ask elsewhere", 1, l.move},
		{"twin comes or goes", 1, toggle(twin)},
		{"part comes or goes", 1, toggle(part)},
		{"guest comes or goes", 1, toggle(guest)},
		{"are suspended or resumed", 2, func() {
			name := l.pick("query", golden, twin, part, guest)
			l.edit(name, func(s *model.Spec) { s.Suspend = !s.Suspend })
		}},
		{"lose their objects", 2, l.deleteObjects},
		{"lose their objects, without a request", 1, l.unnoticed},
		{"leave their objects behind", 2, func() { l.orphan(l.pick("name", guest, guest, twin)) }},
		{"are approved", 1, l.approveAll},
		{"stay for a while", 1, func() { l.pollAll(""); l.quiet() }},
	}
}

// names returns a regular expression of some names, or none.
func (l *life) names() string {
	return map[string]string{"even": `\.[0-9]*[02468]\.0$`}[l.pick("names", "all", "even")]
}

func (l *life) policy() string {
	return l.pick("policy", "All", "Selected", "None")
}

// trusted returns the accounts that guest trusts: the one that shares images, or none.
func (l *life) trusted() []string {
	if l.pick("trusted", "nobody", "who shares") == "nobody" {
		return nil
	}
	return []string{cvmtest.DefaultCredential.UIN}
}

// some returns ids of the cloud, always including the oldest.
func (l *life) some() []string {
	ids := l.cloudIDs()
	return ids[:l.number("ids", len(ids))]
}

// one returns an id of the cloud, or none.
func (l *life) one() []string {
	if id := l.pick("id", append([]string{"none"}, l.cloudIDs()...)...); id != "none" {
		return []string{id}
	}
	return nil
}

// create creates a query.
func (l *life) create(name string) {
	spec := model.Spec{
		Region: region, Limit: 1, Policy: "All", MaxRemovedPercent: 50,
		Grace: l.chance("grace period of " + name),
	}
	switch name {
	case twin:
		spec.Policy, spec.NameRegex = l.policy(), l.names()
		if l.chance("breaker of " + name + " is off") {
			spec.MaxRemovedPercent = 100
		}
	case part:
		spec.ImageIDs = l.some()
	case guest:
		spec.Account = guestAccount
		spec.Region = l.pick("region of "+name, region, elsewhere)
		spec.Trusted = l.trusted()
	}
	query := &imagev1alpha1.ImageQuery{}
	query.Name = name
	l.must(json.Unmarshal(specJSON(spec), &query.Spec))
	l.must(l.Client.Create(l.tb.Context(), query))
	l.specs[name] = spec
	l.branches[name] = l.newBranches(name, spec)
}

func (l *life) deleteQuery(name string) {
	query := &imagev1alpha1.ImageQuery{}
	query.Name = name
	l.must(l.Client.Delete(l.tb.Context(), query))
	delete(l.specs, name)
}

// edit edits a query, if it exists. Of a suspended one only what is decided without the cloud is edited.
func (l *life) edit(name string, change func(*model.Spec)) {
	before, exists := l.specs[name]
	if !exists {
		return
	}
	spec := before
	if change(&spec); before.Suspend && spec.Suspend {
		spec.Policy, spec.ImageIDs, spec.NameRegex, spec.Region = before.Policy, before.ImageIDs, before.NameRegex, before.Region
	}
	l.patch(name, `{"spec":%s}`, specJSON(spec))
	l.specs[name] = spec
	l.branches[name] = l.branches[name].Each(func(s model.State) model.State { return s.Edit(spec) })
}

// move edits the region, of a query that is polled and at rest.
func (l *life) move() {
	spec, exists := l.specs[guest]
	if !exists || spec.Suspend {
		return
	}
	l.rest()
	l.edit(guest, func(s *model.Spec) {
		s.Region = map[string]string{region: elsewhere, elsewhere: region}[s.Region]
	})
	l.tick()
	l.rest()
}

// patch patches a query, if it exists.
func (l *life) patch(name, patch string, args ...any) {
	query := &imagev1alpha1.ImageQuery{}
	query.Name = name
	merge := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, patch, args...))
	l.must(client.IgnoreNotFound(l.Client.Patch(l.tb.Context(), query, merge)))
}

// deleteObjects deletes objects under the operator's name, the only one with the permission.
func (l *life) deleteObjects() {
	operator := l.As(cluster.OperatorUser)
	for _, object := range l.Images("") {
		l.must(client.IgnoreNotFound(operator.Delete(l.tb.Context(), &object)))
		l.deleted[object.Name] = true
	}
	clear(l.uids)
	clear(l.orphans)
	l.maybe(model.State.ObjectsDeleted)
}

// unnoticed deletes the objects at rest: the operator makes them anew by itself.
func (l *life) unnoticed() {
	l.rest()
	l.deleteObjects()
	now := l.snapshot(l.lied)
	for name, spec := range l.specs {
		l.branches[name] = l.branches[name].Rest(now.listing(spec))
	}
	l.agrees("UNNOTICED: objects were deleted, and are not made anew", func() {})
}

// orphan deletes a query, but not its objects.
func (l *life) orphan(name string) {
	query := l.find(name)
	if query == nil {
		return
	}
	l.rest()
	for object := range claimsOf(query, l.Images("")) {
		l.orphans[object] = true
	}
	l.must(l.Client.Delete(l.tb.Context(), query, client.PropagationPolicy(metav1.DeletePropagationOrphan)))
	delete(l.specs, name)
	l.rest()
}

func (l *life) approveAll() {
	for _, query := range l.all() {
		if token := approval(query); token != "" {
			l.maybe(model.State.Approve)
			l.patch(query.Name, `{"metadata":{"annotations":{%q:%q}}}`, imagev1alpha1.AnnotationApproveRemoval, token)
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
	l.maybe(model.State.Restarted)
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
			l.patch(query.Name, `{"metadata":{"annotations":{%q:%q}}}`, imagev1alpha1.AnnotationRequestedAt, token)
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

// all returns the queries that are not being deleted.
func (l *life) all() []*imagev1alpha1.ImageQuery {
	var list imagev1alpha1.ImageQueryList
	l.must(l.Client.List(l.tb.Context(), &list))
	var out []*imagev1alpha1.ImageQuery
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp == nil {
			out = append(out, &list.Items[i])
		}
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
		l.tb.Fatal(err)
	}
}
