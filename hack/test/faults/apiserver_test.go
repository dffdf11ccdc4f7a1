// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
	"github.com/image-catalog/image-catalog-operator/hack/test/apiproxy"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// another adds an image to the cloud, so that the next poll has something to write.
func (w *world) another(n int) {
	w.cloud.Put(region, image(fmt.Sprintf("img-another%d", n), fmt.Sprint("another ", n)))
}

// refusedWrites makes the API server reject writes of a resource. It fails if the cloud is asked again for each retry.
func refusedWrites(t *testing.T, w *world, f apiproxy.Fault) {
	t.Helper()
	asked := w.asked()
	w.another(f.Status)
	w.api.Inject(f)
	w.RequestPoll(golden, fmt.Sprint("refused-", f.Status))
	w.Until("writes are refused", func(context.Context) error {
		refused := 0
		for _, r := range w.api.Log() {
			if r.Code == f.Status && r.Resource == f.Resource {
				refused++
			}
		}
		if refused < 8 {
			return fmt.Errorf("%d were", refused)
		}
		return nil
	})
	if polls := w.asked() - asked; polls > 2 {
		t.Errorf("the cloud was asked %d times although only writes fail", polls)
	}
	w.api.Heal()
	w.UntilHandled(golden, fmt.Sprint("refused-", f.Status))
	w.UntilSynced(golden)
	w.agrees(golden)
}

func TestFault34EveryStatusWriteConflicts(t *testing.T) {
	w := synced(t, 34, 3)
	refusedWrites(t, w, apiproxy.Fault{Resource: "imagequeries/status", Status: http.StatusConflict, Times: 100})
	w.heals(golden)
}

func TestFault35TheAPIServerIsBusy(t *testing.T) {
	w := synced(t, 35, 3)
	refusedWrites(t, w, apiproxy.Fault{Resource: "imagequeries/status", Status: http.StatusServiceUnavailable})
	// A client waits as long as Retry-After says, so refusals are few.
	w.another(1)
	w.api.Inject(apiproxy.Fault{Verb: "create", Resource: "cloudimages", Status: http.StatusTooManyRequests, RetryAfter: 1, Times: 2})
	w.Poll(golden)
	w.UntilSynced(golden)
	w.agrees(golden)
	w.heals(golden)
}

func TestFault36TheAPIServerIsAway(t *testing.T) {
	w := synced(t, 36, 3)
	before := w.catalogue(golden)
	w.KillAPIServer()
	w.another(1)
	w.StartAPIServer()
	w.Until("the operator works again", func(ctx context.Context) error {
		return w.Client.Get(ctx, client.ObjectKey{Name: golden}, &imagev1alpha1.ImageQuery{})
	})
	select {
	case <-w.manager.Ended(): // acceptable: a Deployment would restart it
		w.manager.Kill()
		w.restart()
	default:
	}
	w.heals(golden)
	after := w.catalogue(golden)
	for name, uid := range before.objects {
		if after.objects[name] != uid {
			t.Errorf("%s was made anew", name)
		}
	}
}

// A lost watch is restored within half a minute. A plan made before that would repeat finished writes.
func TestFault65APlanWaitsForLostWatches(t *testing.T) {
	w := synced(t, 65, 3)
	w.ApplyQuery("name: beside", "region: "+elsewhere+", minImages: 0")
	w.Patch(golden, `{"spec":{"removal":{"gracePeriod":"0s"}}}`)
	w.Poll(golden)
	w.hold("cloudimages")
	w.cloud.Delete(region, w.cloudIDs()[0])
	w.another(1)
	w.Poll(golden)
	if err := w.matches(t.Context()); err != nil {
		t.Fatal(err)
	}
	written := len(w.api.Writes())
	w.RequestPoll(golden, "too-early")
	for range 3 {
		w.Poll("beside") // each takes a second, so golden would have been polled before
	}
	if query := w.Query(golden); query.Status.LastHandledReconcileAt == "too-early" {
		t.Error("it was polled before the cache showed what its last poll had written")
	}
	w.release("cloudimages")
	w.UntilHandled(golden, "too-early")
	for _, r := range w.api.Writes()[written:] {
		if r.Resource == "cloudimages" {
			t.Errorf("%q was written again (%d)", r, r.Code)
		}
	}
	w.heals(golden)
	w.once()
}

func TestFault37WatchesEnd(t *testing.T) {
	w := synced(t, 37, 3)
	writes, asked := len(w.api.Writes()), len(w.api.Log())
	watched := []string{"imagequeries", "cloudimages", "secrets"}
	for _, resource := range watched {
		// The next try breaks off, too; Go's HTTP client makes a second one by itself.
		w.api.Inject(apiproxy.Fault{Verb: "watch", Resource: resource, DropReply: true, Times: 2})
		if cut := w.api.CutWatches(resource); cut == 0 {
			t.Errorf("there was no watch of %s", resource)
		}
	}
	w.another(1)
	w.Poll(golden)
	w.Until("all is watched again", func(context.Context) error {
		for _, resource := range watched {
			if !slices.ContainsFunc(w.api.Log()[asked:], func(r apiproxy.Request) bool {
				return r.Verb == "watch" && r.Resource == resource && r.Code == http.StatusOK
			}) {
				return fmt.Errorf("%s are not", resource)
			}
		}
		return nil
	})
	for _, r := range w.api.Log()[asked:] {
		if r.Verb == "list" && r.Resource == "cloudimages" {
			t.Errorf("%s: a watch that ends must go on where it ended", r)
		}
	}
	// After a restart the API server knows no past, and after a compaction etcd neither: a watch that goes on from there is answered 410.
	w.compactEtcd()
	w.KillAPIServer()
	w.StartAPIServer()
	w.heals(golden)
	gone := w.cloudIDs()[0]
	w.Patch(golden, `{"spec":{"removal":{"gracePeriod":"0s"}}}`)
	w.cloud.Delete(region, gone)
	w.heals(golden)
	created, deleted := 0, 0
	for _, r := range w.api.Writes()[writes:] {
		switch {
		case r.Verb == "create" && r.Code == http.StatusCreated:
			created++
		case r.Verb == "delete" && r.Code == http.StatusOK:
			deleted++
		}
	}
	if created != 1 || deleted != 1 {
		t.Errorf("%d objects were created and %d deleted, want 1 and 1", created, deleted)
	}
}

func TestFault38TheCacheLags(t *testing.T) {
	w := synced(t, 38, 3)
	w.Patch(golden, `{"spec":{"removal":{"gracePeriod":"0s"}}}`)
	w.UntilSynced(golden)
	w.hold("cloudimages", "imagequeries")
	// What the operator writes, it doesn't see. Requests come by a Secret's change, since those of queries are held.
	w.another(1)
	w.another(2)
	w.cloud.Delete(region, w.cloudIDs()[0])
	w.nudge(1)
	w.Until("the cloud's state is written", w.matches)
	w.another(3)
	w.nudge(2)
	// It waits for the cache, but not for ever.
	w.Until("the cloud's state is written again", w.matches)
	w.release("cloudimages", "imagequeries")
	w.heals(golden)
	w.once()
}

// hold delays watch events, as if the API server was overloaded or a watch was lost.
func (w *world) hold(resources ...string) {
	for _, resource := range resources {
		w.api.Hold(resource)
	}
}

func (w *world) release(resources ...string) {
	for _, resource := range resources {
		w.api.Release(resource, false)
	}
}

// once fails if a CloudImage was created or deleted twice.
func (w *world) once() {
	w.t.Helper()
	times := map[string]int{}
	for _, r := range w.api.Writes() {
		if r.Resource == "cloudimages" && (r.Code == http.StatusCreated || r.Verb == "delete" && r.Code == http.StatusOK) {
			times[r.String()]++
		}
	}
	for what, n := range times {
		if n > 1 {
			w.t.Errorf("%q was done %d times", what, n)
		}
	}
}

// nudge changes the key in the Secret to another one of the same account, so that its queries are polled at once.
func (w *world) nudge(n int) {
	w.t.Helper()
	key := cvmtest.DefaultCredential
	key.SecretID = fmt.Sprintf("AKIDnudge%d", n)
	w.cloud.SetCredential(key)
	w.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, key)
}

// matches is a condition for Until: the objects agree with the cloud.
func (w *world) matches(context.Context) error {
	if got, want := w.objectIDs(golden), w.cloudIDs(); !slices.Equal(got, want) {
		return errors.New(difference(got, want))
	}
	return nil
}

func TestFault39DeletionAndCreationAreOneEvent(t *testing.T) {
	w := synced(t, 39, 3)
	w.api.Hold("imagequeries")
	w.api.Hold("cloudimages")
	old := w.Query(golden).UID
	w.Kubectl("", "delete", "imagequery", golden)
	w.Until("the objects are gone", w.noObjects)
	w.query(golden)
	w.api.Release("cloudimages", true)
	w.api.Release("imagequeries", true)
	w.UntilSynced(golden)
	w.agrees(golden)
	for name, image := range w.Images(golden) {
		for _, owner := range image.OwnerReferences {
			if owner.UID == old {
				t.Errorf("%s is owned by the deleted query", name)
			}
		}
	}
	w.heals(golden)
}

func TestFault40StartBeforeAFrozenAPIServer(t *testing.T) {
	w := synced(t, 40, 3)
	w.manager.Kill()
	asked, writes := w.asked(), len(w.api.Writes())
	w.another(1)
	for _, resource := range []string{"imagequeries", "cloudimages", "secrets"} {
		w.api.Inject(apiproxy.Fault{Verb: "list", Resource: resource, Freeze: true})
	}
	w.frozen(func() {
		if now := w.asked(); now != asked {
			t.Errorf("the cloud was asked %d times before anything was known of the cluster", now-asked)
		}
		if now := len(w.api.Writes()); now != writes {
			t.Errorf("there were %d writes before anything was known of the cluster", now-writes)
		}
	})
	w.heals(golden)
}

func TestFault42RepliesAreLost(t *testing.T) {
	w := synced(t, 42, 3)
	w.Patch(golden, `{"spec":{"removal":{"gracePeriod":"0s"}}}`)
	w.UntilSynced(golden)
	for _, tc := range []struct {
		verb, resource string
		change         func()
	}{
		{"create", "cloudimages", func() { w.another(1) }},
		{"update", "cloudimages", func() {
			w.cloud.Update(region, "img-another1", func(i *cvmtest.Image) { i.ImageDescription = "changed" })
		}},
		{"delete", "cloudimages", func() { w.cloud.Delete(region, "img-another1") }},
		{"update", "imagequeries/status", func() { w.another(2) }},
	} {
		t.Run(tc.verb+" "+tc.resource, func(t *testing.T) {
			w.api.Inject(apiproxy.Fault{Verb: tc.verb, Resource: tc.resource, Times: 1, DropReply: true})
			before := len(w.api.Writes())
			tc.change()
			w.RequestPoll(golden, "lost-"+tc.verb)
			w.UntilHandled(golden, "lost-"+tc.verb)
			w.Poll(golden)
			w.UntilSynced(golden)
			w.agrees(golden)
			effects := 0
			for _, r := range w.api.Writes()[before:] {
				if r.Verb == tc.verb && r.Resource == tc.resource && r.Code < 300 && r.Resource != "imagequeries/status" {
					effects++
				}
			}
			if effects > 1 {
				t.Errorf("it was done %d times", effects)
			}
		})
	}
	w.heals(golden)
}

const refusingPolicy = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: refuse-one}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules: [{apiGroups: [imagecatalog.dev], apiVersions: ["*"], operations: [CREATE], resources: [cloudimages]}]
  validations: [{expression: "!object.metadata.name.endsWith('img-refused0')", message: refused by a test}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: refuse-one}
spec: {policyName: refuse-one, validationActions: [Deny]}
`

func TestFault43OneObjectIsRefused(t *testing.T) {
	w := synced(t, 43, 3)
	w.Apply(refusingPolicy)
	t.Cleanup(func() {
		for _, kind := range []string{"validatingadmissionpolicybinding", "validatingadmissionpolicy"} {
			w.remove(kind, "refuse-one")
		}
	})
	operator := w.As(cluster.OperatorUser)
	w.Until("the policy acts", func(ctx context.Context) error {
		err := operator.Create(ctx, record("img-refused0"), client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), "refused by a test") {
			return fmt.Errorf("it doesn't: %w", errors.Join(errNotYet, err))
		}
		return nil
	})
	w.cloud.Put(region, image("img-refused0", "refused"), image("img-accepted", "accepted"))
	query := w.Poll(golden)
	message := kit.Ready(query).Message
	if !strings.Contains(message, imagev1alpha1.ReasonWriteFailed) || !strings.Contains(message, "img-refused0") {
		t.Errorf("the message doesn't name the refused object: %s", message)
	}
	objects := w.objectIDs(golden)
	if !slices.Contains(objects, "img-accepted") || slices.Contains(objects, "img-refused0") {
		t.Errorf("the objects are %v", objects)
	}
	if ids := statusIDs(query); !slices.Contains(ids, "img-refused0") {
		t.Errorf("status doesn't know the refused image: %v", ids)
	}
	for _, kind := range []string{"validatingadmissionpolicybinding", "validatingadmissionpolicy"} {
		w.remove(kind, "refuse-one")
	}
	w.Until("the policy acts no more, and the object is there", func(context.Context) error {
		w.Poll(golden)
		return w.matches(t.Context())
	})
	w.heals(golden)
}

// remove deletes a cluster-scoped object if it exists.
func (w *world) remove(kind, name string) {
	w.For(process).Kubectl("", "delete", kind, name, "--ignore-not-found")
}

// without calls run while the operator's role lacks a verb.
func (w *world) without(verb, resource string, run func()) {
	w.t.Helper()
	w.changeRoles(verb, resource, false)
	defer w.changeRoles(verb, resource, true)
	w.allowed(verb, resource, false)
	run()
}

// changeRoles removes a verb from the operator's rules for a resource, or restores it.
func (w *world) changeRoles(verb, resource string, allow bool) {
	change := func(rules []rbacv1.PolicyRule) {
		for i, rule := range rules {
			if slices.Contains(rule.Resources, resource) {
				rules[i].Verbs = slices.DeleteFunc(rule.Verbs, func(v string) bool { return v == verb || v == "nothing" })
				if allow {
					rules[i].Verbs = append(rules[i].Verbs, verb)
				}
				if len(rules[i].Verbs) == 0 {
					rules[i].Verbs = []string{"nothing"} // a rule needs at least one
				}
			}
		}
	}
	ctx := context.Background() // also restores after a failed test
	clusterRole := &rbacv1.ClusterRole{}
	err := w.Client.Get(ctx, types.NamespacedName{Name: cluster.ServiceAccount}, clusterRole)
	if err == nil {
		change(clusterRole.Rules)
		err = w.Client.Update(ctx, clusterRole)
	}
	for _, namespace := range []string{cluster.Namespace, "default"} {
		role := &rbacv1.Role{}
		if err == nil {
			err = w.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: cluster.ServiceAccount}, role)
		}
		if err == nil {
			change(role.Rules)
			err = w.Client.Update(ctx, role)
		}
	}
	if err != nil {
		w.t.Fatalf("changing the roles: %v", err)
	}
}

// allowed waits until the API server's authorizer has seen a change of roles.
func (w *world) allowed(verb, resource string, want bool) {
	w.t.Helper()
	args := []string{"auth", "can-i", verb, resource, "--as=" + cluster.OperatorUser, "-n", cluster.Namespace}
	w.Until("the roles act", func(context.Context) error {
		// kubectl exits with 1 for no.
		if out := w.tryKubectl(args...); strings.HasPrefix(out, "yes") != want {
			return fmt.Errorf("kubectl auth can-i says %q", strings.TrimSpace(out))
		}
		return nil
	})
}

func TestFault44AVerbIsTakenAway(t *testing.T) {
	w := synced(t, 44, 3)
	w.Patch(golden, `{"spec":{"removal":{"gracePeriod":"0s"}}}`)
	w.UntilSynced(golden)
	for i, tc := range []struct {
		verb, resource string
		change         func(i int)
		told           string // in Ready's message; "" if it is only in the log
	}{
		{"create", "cloudimages", func(i int) { w.another(i) }, "Forbidden"},
		{"update", "cloudimages", func(i int) {
			w.cloud.Update(region, "img-another0", func(image *cvmtest.Image) { image.ImageDescription = fmt.Sprint("changed ", i) })
		}, "Forbidden"},
		{"delete", "cloudimages", func(int) { w.cloud.Delete(region, "img-another0") }, "Forbidden"},
		{"update", "imagequeries/status", func(i int) { w.another(i) }, ""},
		{"get", "cloudimages", func(i int) { w.another(i) }, ""},
		{"create", "events", func(i int) { w.another(i) }, ""},
	} {
		t.Run(tc.verb+" "+tc.resource, func(t *testing.T) {
			before := w.catalogue(golden)
			w.without(tc.verb, tc.resource, func() {
				tc.change(i)
				if tc.resource == "imagequeries/status" {
					w.RequestPoll(golden, "untold")
					w.Until("the log tells", func(context.Context) error {
						if !strings.Contains(w.manager.Log(), "forbidden") {
							return errNotYet
						}
						return nil
					})
					return
				}
				query := w.Poll(golden)
				if message := kit.Ready(query).Message; !strings.Contains(message, tc.told) {
					t.Errorf("the message doesn't say %q: %s", tc.told, message)
				}
			})
			for name, uid := range before.objects {
				if now := w.Images("")[name]; string(now.UID) != uid && tc.verb != "delete" {
					t.Errorf("%s was lost", name)
				}
			}
			w.Until("it has recovered", func(context.Context) error {
				w.Poll(golden)
				return w.matches(t.Context())
			})
			w.heals(golden)
		})
	}
	t.Run("watch secrets, and a restart", func(t *testing.T) {
		before := w.catalogue(golden)
		w.without("list", "secrets", func() {
			w.manager.Kill()
			w.manager = w.LaunchManager(w.manager)
			w.Until("the log tells", func(context.Context) error {
				if !strings.Contains(w.manager.Log(), "forbidden") {
					return errNotYet
				}
				return nil
			})
			w.kept(golden, before)
		})
		w.manager.Kill()
		w.restart()
		w.heals(golden)
	})
}

// tryKubectl runs kubectl and ignores its exit code.
func (w *world) tryKubectl(args ...string) string {
	w.t.Helper()
	cmd := w.KubectlCommand(args...)
	out, _ := cmd.CombinedOutput() // the output shows the result
	return string(out)
}

// compactEtcd removes all old revisions, through etcd's gateway for JSON.
func (w *world) compactEtcd() {
	w.t.Helper()
	ask := func(path, question string) []byte {
		request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.EtcdURL()+path, strings.NewReader(question))
		if err != nil {
			w.t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			w.t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		answer, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			w.t.Fatalf("etcd answers %s to %s: %s (%v)", response.Status, path, answer, err)
		}
		return answer
	}
	var now struct {
		Header struct {
			Revision string `json:"revision"`
		} `json:"header"`
	}
	if err := json.Unmarshal(ask("/v3/kv/range", `{"key":"AA==","count_only":true}`), &now); err != nil {
		w.t.Fatal(err)
	}
	ask("/v3/kv/compaction", fmt.Sprintf(`{"revision":%q,"physical":true}`, now.Header.Revision))
}

// frozen starts the manager with an API server that answers no list, calls look, and heals the API server.
func (w *world) frozen(look func()) {
	w.t.Helper()
	w.manager = w.LaunchManager(w.manager)
	w.Until("the manager serves its probes", func(context.Context) error {
		code, _, err := w.fetch("http://" + w.manager.Probes + "/healthz")
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("/healthz answers %d", code)
		}
		return err
	})
	for range 20 {
		if code, text, err := w.fetch("http://" + w.manager.Probes + "/readyz"); err != nil || code == http.StatusOK {
			w.t.Errorf("/readyz answers %d %s (%v) before the caches are filled", code, text, err)
			break
		}
		if code, _, err := w.fetch("http://" + w.manager.Probes + "/healthz"); err != nil || code != http.StatusOK {
			w.t.Errorf("/healthz answers %d (%v) before the caches are filled", code, err)
			break
		}
	}
	look()
	w.api.Heal()
	w.Until("the manager is ready", func(context.Context) error {
		code, text, err := w.fetch("http://" + w.manager.Probes + "/readyz")
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("/readyz answers %d %s", code, text)
		}
		return err
	})
}
