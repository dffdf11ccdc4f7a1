// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
	"github.com/image-catalog/image-catalog-operator/hack/test/model"
)

const (
	// guestAccount is the Secret of the other account.
	guestAccount = "acct2"

	// consented is a namespace with ConfigMaps that ask for selections. Each has the name of its query.
	consented = "team-life"

	// agreeing is the longest time until the operator's objects are the model's.
	agreeing = 40 * time.Second
)

var (
	guestKey = cvmtest.Credential{
		SecretID: "AKIDguest000000000000000000000000000", SecretKey: "guest-secret-key-000000000000000", UIN: "100000000077",
	}
	firstCreated = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	published    = []string{golden, twin, guest}
)

// lie is how listings differ from the cloud: the first images are hidden, or some by their ids, and the listing may contradict itself.
type lie struct {
	hidden    int
	without   []string
	unsettled bool
}

// consistent reports whether listings lack images without contradicting themselves, so that the images may leave.
func (l lie) consistent() bool { return !l.unsettled && (l.hidden > 0 || l.without != nil) }

// shows returns the images, of those that an account can see, that a listing has.
func (l lie) shows(ids []string) []string {
	without := func(id string) bool { return slices.Contains(l.without, id) }
	return slices.DeleteFunc(slices.Clone(ids[min(l.hidden, len(ids)):]), without)
}

// snapshot is the cloud until a time.
type snapshot struct {
	images map[string][]cvmtest.Image
	lie    lie
	until  time.Time
}

func (w *world) snapshot(lied lie) snapshot {
	images := map[string][]cvmtest.Image{region: w.cloud.Images(region), elsewhere: w.cloud.Images(elsewhere)}
	return snapshot{images: images, lie: lied, until: time.Now()}
}

// same reports whether two snapshots differ in time only.
func (s snapshot) same(other snapshot) bool {
	s.until = other.until
	return reflect.DeepEqual(s, other)
}

// has reports whether the cloud has an image.
func (s snapshot) has(region, id string) bool {
	return slices.ContainsFunc(s.images[region], func(i cvmtest.Image) bool { return i.ImageID == id })
}

// listing is what the cloud answers a query. Lies are about listings, not about requests by id.
func (s snapshot) listing(spec model.Spec) model.Listing {
	uin := cvmtest.DefaultCredential.UIN
	if spec.Account == guestAccount {
		uin = guestKey.UIN
	}
	var l model.Listing
	var ids []string
	for _, i := range s.images[spec.Region] {
		seen := model.Image{
			ID: i.ImageID, Name: i.ImageName, Architecture: "amd64", Type: "PRIVATE_IMAGE", Creator: *i.ImageCreator, State: i.ImageState,
		}
		if i.Architecture == "arm" {
			seen.Architecture = "arm64"
		}
		if created, err := time.Parse(time.RFC3339, *i.CreatedTime); err == nil {
			seen.Created = created.Unix()
		}
		switch {
		case i.Owner == uin:
		case slices.Contains(i.SharedWith, uin):
			seen.Type = "SHARED_IMAGE"
		default:
			continue
		}
		l.Exist, ids = append(l.Exist, seen), append(ids, seen.ID)
	}
	l.Shown = l.Exist
	if spec.ImageIDs == nil {
		shown := s.lie.shows(ids)
		lacks := func(i model.Image) bool { return !slices.Contains(shown, i.ID) }
		l.Shown, l.Unsettled = slices.DeleteFunc(slices.Clone(l.Exist), lacks), s.lie.unsettled
	}
	return l
}

// listingsLast is how long a poll without a request may use a listing, and some time for that poll itself.
const listingsLast = 20 * time.Second

// tick tells the model that any query may be polled now, with a listing that may be some seconds old, even of the life before.
func (l *life) tick() {
	now := l.snapshot(l.lied)
	l.outer.recent = slices.DeleteFunc(l.outer.recent, func(s snapshot) bool { return now.same(s) || now.until.Sub(s.until) > listingsLast })
	l.outer.recent = append(l.outer.recent, now)
	for name, spec := range l.specs {
		for _, s := range l.outer.recent {
			l.branches[name] = l.branches[name].Maybe(func(state model.State) model.State { return state.Poll(s.listing(spec)) })
		}
	}
}

// maybe tells the model of an event that may have an effect on any query.
func (l *life) maybe(event func(model.State) model.State) {
	for name := range l.specs {
		l.branches[name] = l.branches[name].Maybe(event)
	}
	l.tick()
}

// newBranches are the states of a new query. What an earlier one of the name published is still in the ConfigMap.
func (l *life) newBranches(name string, spec model.Spec) model.Branches {
	if earlier := l.branches[name]; earlier != nil {
		return earlier.Each(func(s model.State) model.State { return model.NewState(spec, s.Record) })
	}
	return model.Branches{model.NewState(spec, model.Record{})}
}

func (l *life) healCloud() {
	l.cloud.Heal()
	l.refuse(l.gone)
	l.lied = lie{}
}

// rest heals everything, and fails unless the operator's objects soon equal the model's.
func (l *life) rest() {
	l.healCloud()
	l.api.Heal()
	l.outer.endSecond()
	l.tick()
	now := l.snapshot(l.lied)
	for name, spec := range l.specs {
		l.branches[name] = l.branches[name].Rest(now.listing(spec))
	}
	l.agrees("MODEL: the operator's objects are not those of the model", func() { l.pollAll("") })
}

// agrees fails unless the operator's objects soon equal the model's.
func (l *life) agrees(otherwise string, meanwhile func()) {
	deadline := time.Now().Add(agreeing)
	for {
		meanwhile()
		err := l.compare()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			l.outer.t.Log(err)
			l.fail(otherwise)
		}
		<-time.After(200 * time.Millisecond)
	}
}

// compare returns how the cluster differs from the model. Branches that differ from it are dropped.
func (l *life) compare() error {
	objects, now := l.Images(""), l.snapshot(l.lied)
	chosen, matching := map[string]model.State{}, map[string]model.Branches{}
	var errs []error
	for name := range l.specs {
		query := l.find(name)
		wrong := map[string]bool{}
		for _, state := range l.branches[name] {
			err := l.differs(query, objects, state)
			if err != nil {
				state = state.WithObjects(
					func(id string) bool {
						return hasOwner(objects[l.nameOf(name, id)], func(n string) bool { return n != name })
					},
					func(id string) bool {
						object := l.nameOf(name, id)
						return (l.mayLack || l.deleted[object]) && !now.has(l.specs[name].Region, id) &&
							!hasOwner(objects[object], func(n string) bool { return n == name })
					},
				)
			}
			if err != nil && l.differs(query, objects, state) != nil {
				wrong[err.Error()] = true
				continue
			}
			matching[name] = append(matching[name], state)
		}
		if len(matching[name]) == 0 {
			differences := strings.Join(slices.Sorted(maps.Keys(wrong)), "\n")
			errs = append(errs, fmt.Errorf("%s differs from each of %d branches: %.8000s", name, len(l.branches[name]), differences))
			continue
		}
		chosen[name] = matching[name][0]
	}
	if errs = append(errs, l.withoutQuery()); errors.Join(errs...) != nil {
		return errors.Join(errs...)
	}
	if err := l.together(objects, model.Objects(chosen)); err != nil {
		return err
	}
	maps.Copy(l.branches, matching)
	return nil
}

// nameOf returns the name of the object that a query has of an image.
func (l *life) nameOf(query, id string) string {
	if l.specs[query].Account != "" {
		return l.specs[query].Account + "." + l.specs[query].Region + "-" + id
	}
	return l.specs[query].Region + "-" + id
}

func hasOwner(object imagev1alpha1.CloudImage, is func(name string) bool) bool {
	return slices.ContainsFunc(object.OwnerReferences, func(ref metav1.OwnerReference) bool { return is(ref.Name) })
}

// withoutQuery returns how the ConfigMaps of queries that were deleted differ from the model.
func (l *life) withoutQuery() error {
	for _, name := range published {
		branches := l.branches[name]
		if _, exists := l.specs[name]; exists || branches == nil {
			continue
		}
		var wrong error
		for _, state := range branches {
			if wrong = l.configMapDiffers(name, state.Record.ConfigMap(false)); wrong == nil {
				break
			}
		}
		if wrong != nil {
			return wrong
		}
	}
	return nil
}

// differs returns how a query, its objects and its ConfigMap differ from a state of the model.
func (l *life) differs(query *imagev1alpha1.ImageQuery, objects map[string]imagev1alpha1.CloudImage, state model.State) error {
	if query == nil {
		return errors.New("it doesn't exist")
	}
	if query.Status.ObservedGeneration != query.Generation {
		return errors.New("its generation is not observed")
	}
	if got, want := statusOf(query).String(), state.Status().String(); got != want {
		return fmt.Errorf("its status is\n\t%s\nand the model's\n\t%s", got, want)
	}
	got, want := claimsOf(query, objects), map[string]string{}
	for name, object := range model.Objects(map[string]model.State{query.Name: state}) {
		want[name] = fmt.Sprintf("label %q, leaving %t", object.Labels[query.Name], len(object.Leaving) > 0)
	}
	if l.specs[query.Name].Suspend {
		dropUnwritten(got, want)
	}
	if !maps.Equal(got, want) {
		return fmt.Errorf("it has the objects\n\t%v\nand in the model\n\t%v", got, want)
	}
	if !slices.Contains(published, query.Name) {
		return nil
	}
	return l.configMapDiffers(query.Name, state.Record.ConfigMap(true))
}

// dropUnwritten drops the objects that aren't there. Of a suspended query these may be objects that the API server refused: no
// poll writes them any more.
func dropUnwritten(got, want map[string]string) {
	maps.DeleteFunc(want, func(name, _ string) bool { _, exists := got[name]; return !exists })
}

// statusOf returns a query's status in the model's words.
func statusOf(query *imagev1alpha1.ImageQuery) model.Status {
	s := query.Status
	out := model.Status{Ready: kit.Ready(query).Reason, SelectedReason: kit.Condition(query, imagev1alpha1.ConditionSelected).Reason}
	for _, i := range s.Images {
		out.Images = append(out.Images, i.ImageID+" "+string(i.Selection))
	}
	for _, i := range s.Selected {
		out.Selected = append(out.Selected, i.ImageID)
	}
	for _, i := range s.Removing {
		out.Removing = append(out.Removing, i.ImageID)
	}
	slices.Sort(out.Removing)
	for _, i := range s.PendingRemoval {
		out.Pending = append(out.Pending, i.ImageID)
	}
	slices.Sort(out.Pending)
	out.Blocked = kit.Condition(query, imagev1alpha1.ConditionRemovalBlocked).Status == metav1.ConditionTrue
	return out
}

// claimsOf returns what a query has of its CloudImages, by name.
func claimsOf(query *imagev1alpha1.ImageQuery, objects map[string]imagev1alpha1.CloudImage) map[string]string {
	out := map[string]string{}
	for name, object := range objects {
		owned := slices.ContainsFunc(object.OwnerReferences, func(ref metav1.OwnerReference) bool { return ref.UID == query.UID })
		leaving := slices.ContainsFunc(object.Lifecycle.Leaving, func(q imagev1alpha1.LeavingQuery) bool { return q.Query == query.Name })
		label := object.Labels[imagev1alpha1.LabelQueryPrefix+query.Name]
		if owned || leaving || label != "" {
			out[name] = fmt.Sprintf("label %q, leaving %t", label, leaving)
		}
		if !owned && out[name] != "" {
			out[name] += ", not owned"
		}
	}
	return out
}

// together returns how the CloudImages differ from those of all queries in the model.
func (l *life) together(got map[string]imagev1alpha1.CloudImage, want map[string]model.Object) error {
	if err := l.orphansDiffer(got, want); err != nil {
		return err
	}
	maps.DeleteFunc(want, func(name string, object model.Object) bool {
		_, exists := got[name]
		polled := slices.ContainsFunc(object.Owners, func(query string) bool { return !l.specs[query].Suspend })
		return !exists && !polled
	})
	if names, expected := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(names, expected) {
		return fmt.Errorf("the CloudImages are %s", difference(names, expected))
	}
	now := l.snapshot(l.lied)
	for name, object := range got {
		lifecycle := object.Lifecycle
		if present := lifecycle.Presence == imagev1alpha1.PresencePresent; present != want[name].Present {
			return fmt.Errorf("%s is %s, and in the model a member of %v", name, lifecycle.Presence, want[name].Labels)
		}
		if leaves := lifecycle.DeleteAfter != nil; leaves != (len(want[name].Leaving) > 0) {
			return fmt.Errorf("%s is deleted after %v, and in the model it leaves %v", name, lifecycle.DeleteAfter, want[name].Leaving)
		}
		if err := l.factsDiffer(now, object, want[name]); err != nil {
			return err
		}
	}
	return nil
}

// orphansDiffer returns how objects without an owner are not as they must be for a day, and takes them out of got. An object
// that a query takes up is no orphan any more.
func (l *life) orphansDiffer(got map[string]imagev1alpha1.CloudImage, want map[string]model.Object) error {
	for name := range l.orphans {
		object, exists := got[name]
		if _, owned := want[name]; owned || !exists {
			delete(l.orphans, name)
			continue
		}
		labelled := slices.ContainsFunc(slices.Collect(maps.Keys(object.Labels)), func(label string) bool {
			return strings.HasPrefix(label, imagev1alpha1.LabelQueryPrefix)
		})
		lifecycle := object.Lifecycle
		if labelled || len(object.OwnerReferences) > 0 || lifecycle.Presence == imagev1alpha1.PresencePresent || lifecycle.DeleteAfter == nil {
			return fmt.Errorf("the orphan %s has the labels %v, owners %v, %+v", name, object.Labels, object.OwnerReferences, lifecycle)
		}
		delete(got, name)
	}
	return nil
}

// factsDiffer returns how the record of an image that a query polls differs from the cloud.
func (l *life) factsDiffer(now snapshot, object imagev1alpha1.CloudImage, want model.Object) error {
	polled := slices.ContainsFunc(slices.Collect(maps.Keys(want.Labels)), func(query string) bool { return !l.specs[query].Suspend })
	record := object.Image
	i := slices.IndexFunc(now.images[record.Region], func(i cvmtest.Image) bool { return i.ImageID == record.ID })
	if !polled || i < 0 {
		return nil
	}
	is := now.images[record.Region][i]
	if record.State != is.ImageState || record.Name != is.ImageName || record.Description != is.ImageDescription {
		return fmt.Errorf("%s is recorded as %s, %q, %q", object.Name, record.State, record.Name, record.Description)
	}
	return nil
}

func (l *life) configMap(name string) *corev1.ConfigMap {
	out := &corev1.ConfigMap{}
	l.must(l.Client.Get(l.tb.Context(), types.NamespacedName{Namespace: consented, Name: name}, out))
	return out
}

func (l *life) configMapDiffers(name string, want model.ConfigMap) error {
	object := l.configMap(name)
	data := maps.Clone(object.Data)
	maps.DeleteFunc(data, func(key, _ string) bool { return !strings.HasPrefix(key, imagev1alpha1.KeyImageID) })
	state := object.Annotations[imagev1alpha1.AnnotationPublishState]
	if state != imagev1alpha1.PublishCurrent && state != imagev1alpha1.PublishKept {
		state = ""
	}
	if !maps.Equal(data, want.Data) || state != want.State {
		return fmt.Errorf("the ConfigMap %s has %v, state %q, and in the model %v, %q", name, data, state, want.Data, want.State)
	}
	return nil
}

// resetConfigMaps creates the ConfigMaps without data.
func (l *life) resetConfigMaps() {
	for _, name := range published {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: consented, Name: name}}
		l.must(client.IgnoreNotFound(l.Client.Delete(l.tb.Context(), object)))
		object.ResourceVersion, object.Labels = "", map[string]string{imagev1alpha1.LabelSelectionOf: name}
		l.must(l.Client.Create(l.tb.Context(), object))
	}
}

// intrusions are writes of others into what is the operator's.
func (l *life) intrusions() []event {
	return []event{
		{"write nothing", 6, func() {}},
		{"write a status", 1, l.writeStatus},
		{"take a query off an object", 1, l.takeOff},
		{"write a ConfigMap", 1, func() {
			object := l.configMap(l.pick("name", published...))
			if _, exists := l.specs[object.Name]; !exists || object.Data[imagev1alpha1.KeySelectedJSON] == "" {
				return // without a query or a selection the data stays as it is
			}
			object.Data[imagev1alpha1.KeyImageIDOf("amd64")] = "img-evil"
			l.must(l.ignoreConflict(l.Client.Update(l.tb.Context(), object)))
		}},
	}
}

// writeStatus empties a status, under the operator's name but as another field manager.
func (l *life) writeStatus() {
	query := l.find(golden)
	if l.intruded || query == nil {
		return
	}
	l.intruded = true
	query.Status.Selected, query.Status.Images, query.Status.Revision = nil, nil, "evil"
	l.must(l.ignoreConflict(l.As(cluster.OperatorUser).Status().Update(l.tb.Context(), query, client.FieldOwner("intruder"))))
}

// takeOff removes a query's label or owner reference from an object of a member.
func (l *life) takeOff() {
	name := l.pick("name", golden, twin, part)
	query := l.find(name)
	if query == nil || query.Spec.Suspend {
		return // it is mended by a poll
	}
	for _, object := range l.Images(name) {
		isIts := func(ref metav1.OwnerReference) bool { return ref.Name == name }
		if owners := slices.DeleteFunc(slices.Clone(object.OwnerReferences), isIts); len(owners) > 0 {
			object.OwnerReferences = owners
		} else {
			delete(object.Labels, imagev1alpha1.LabelQueryPrefix+name)
		}
		l.must(l.ignoreConflict(l.As(cluster.OperatorUser).Update(l.tb.Context(), &object)))
		delete(l.uids, object.Name)
		l.mayLack = true
		return
	}
}

func (l *life) ignoreConflict(err error) error {
	if err != nil && strings.Contains(err.Error(), "modified") {
		return nil
	}
	return client.IgnoreNotFound(err)
}

// double starts another manager without a memory of its own for some polls. Two without a Lease decide from what either
// wrote, so what they make of images that vanish meanwhile can't be predicted, except that nothing is removed twice.
func (l *life) double(flags ...string) {
	l.exempt()
	l.rest()
	l.outer.second = l.outer.StartManager(l.cloud, slices.Concat(l.flags, []string{"--publish-namespaces=" + consented}, flags)...)
	l.maybe(model.State.Restarted)
	l.pollAll("")
	l.look()
	l.rest()
}

// endSecond ends the other manager.
func (w *world) endSecond() {
	if w.second != nil {
		w.second.Kill()
		w.second = nil
	}
}

// specJSON returns the spec of an ImageQuery, with null for what isn't set.
func specJSON(s model.Spec) []byte {
	grace := "0s"
	if s.Grace {
		grace = "1h"
	}
	out, err := json.Marshal(map[string]any{
		"region": s.Region, "credentialsRef": orNull(s.Account != "", map[string]string{"name": s.Account}), "interval": "1m", "minImages": 0,
		"imageIDs": orNull(s.ImageIDs != nil, s.ImageIDs), "suspend": s.Suspend,
		"match": map[string]any{
			"nameRegex": orNull(s.NameRegex != "", s.NameRegex), "excludeImageIDs": orNull(s.Exclude != nil, s.Exclude),
		},
		"selection": map[string]any{
			"limit": s.Limit, "pin": orNull(s.Pin != nil, s.Pin), "trustedCreators": orNull(s.Trusted != nil, s.Trusted),
		},
		"removal":     map[string]any{"gracePeriod": grace, "maxRemovedPercent": s.MaxRemovedPercent},
		"cloudImages": map[string]any{"policy": s.Policy, "maxImages": 100},
	})
	if err != nil {
		panic(err) // strings and numbers only
	}
	return out
}

func orNull(is bool, value any) any {
	if is {
		return value
	}
	return nil
}
