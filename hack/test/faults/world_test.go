// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
	"github.com/image-catalog/image-catalog-operator/hack/test/apiproxy"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

const (
	region    = "ap-guangzhou"
	elsewhere = "ap-shanghai"

	// golden is the query of most rows.
	golden = "golden"
)

// world belongs to one row: a cloud, a proxy before the API server, and a manager.
type world struct {
	*cluster.Cluster
	t *testing.T

	cloud   *cluster.Cloud
	api     *apiproxy.Proxy
	manager *cluster.Manager
	flags   []string

	// recent are the latest states of the cloud, for the model of lives. second is another manager that works at the same
	// time, or nil.
	recent []snapshot
	second *cluster.Manager
}

// begin creates an empty world for a row. Its objects are deleted before the next row.
func begin(t *testing.T, row int) *world {
	t.Helper()
	return beginOn(t, row, controlPlane().For(t))
}

// beginOn is begin on a control plane of the row's own.
func beginOn(t *testing.T, row int, c *cluster.Cluster) *world {
	t.Helper()
	if row > 0 {
		results.run(t, row)
	}
	w := &world{Cluster: c, t: t}
	t.Cleanup(w.clear)
	w.api = apiproxy.Start(t, c.Config)
	w.cloud = c.StartCloud("-public=false", "-private=0", "-shared=0")
	w.flags = []string{
		"--kubeconfig=" + c.KubeconfigOf(cluster.ServiceAccount, w.api.Config()), "--metrics-secure=false",
		"KUBE_FEATURE_WatchListClient=false", // separate lists and watches, as with API servers before 1.34
	}
	return w
}

// start starts the manager.
func (w *world) start(flags ...string) {
	w.t.Helper()
	w.manager = w.StartManager(w.cloud, slices.Concat(w.flags, flags)...)
}

// restart starts it again after it ended.
func (w *world) restart() {
	w.t.Helper()
	w.manager = w.RestartManager(w.manager)
}

// synced returns a world with a query of that many images that the manager has synced.
func synced(t *testing.T, row, images int) *world {
	t.Helper()
	w := begin(t, row)
	w.cloud.Put(region, cvmtest.PrivateImages(uint64(row), images, cvmtest.DefaultCredential.UIN)...)
	w.start()
	w.query(golden)
	w.UntilSynced(golden)
	w.agrees(golden)
	return w
}

// query applies an ImageQuery for the region, with additional fields of the spec in YAML's flow style.
func (w *world) query(name string, more ...string) {
	w.t.Helper()
	w.ApplyQuery("name: "+name, strings.Join(append([]string{"region: " + region}, more...), ", "))
}

// cloudIDs returns the valid ids of the cloud's images in the region.
func (w *world) cloudIDs() []string {
	w.t.Helper()
	var ids []string
	for _, image := range w.cloud.Images(region) {
		if strings.HasPrefix(image.ImageID, "img-") {
			ids = append(ids, image.ImageID)
		}
	}
	slices.Sort(ids)
	return ids
}

// objectIDs returns the ids of the CloudImages of a query's members.
func (w *world) objectIDs(query string) []string {
	w.t.Helper()
	var ids []string
	for _, image := range w.Images(query) {
		ids = append(ids, image.Image.ID)
	}
	slices.Sort(ids)
	return ids
}

func statusIDs(query *imagev1alpha1.ImageQuery) []string {
	var ids []string
	for _, image := range query.Status.Images {
		ids = append(ids, image.ImageID)
	}
	slices.Sort(ids)
	return ids
}

// agrees fails unless status and objects have exactly the cloud's images.
func (w *world) agrees(query string) {
	w.t.Helper()
	want := w.cloudIDs()
	if got := w.objectIDs(query); !slices.Equal(got, want) {
		w.t.Errorf("there are %d CloudImages of %s, and the cloud has %d images: %s", len(got), query, len(want), difference(got, want))
	}
	if got := statusIDs(w.Query(query)); !slices.Equal(got, want) {
		w.t.Errorf("status of %s has %d images, and the cloud %d: %s", query, len(got), len(want), difference(got, want))
	}
}

func difference(got, want []string) string {
	lacks := func(a, b []string) []string {
		return slices.DeleteFunc(slices.Clone(a), func(id string) bool { return slices.Contains(b, id) })
	}
	show := func(ids []string) string { return strings.Join(ids[:min(len(ids), 5)], " ") }
	more, fewer := lacks(got, want), lacks(want, got)
	return fmt.Sprintf("%d too many (%s), %d missing (%s)", len(more), show(more), len(fewer), show(fewer))
}

// catalogue must survive a failure: the images, objects with their UIDs, and the selection.
type catalogue struct {
	images, selected []string
	objects          map[string]string
	revision         string
}

func (w *world) catalogue(name string) catalogue {
	w.t.Helper()
	query := w.Query(name)
	c := catalogue{images: statusIDs(query), objects: map[string]string{}, revision: query.Status.Revision}
	for _, image := range query.Status.Selected {
		c.selected = append(c.selected, image.ImageID)
	}
	for objectName, image := range w.Images(name) {
		c.objects[objectName] = string(image.UID)
	}
	return c
}

// kept fails unless a query's catalogue is unchanged.
func (w *world) kept(name string, before catalogue) {
	w.t.Helper()
	now := w.catalogue(name)
	if !slices.Equal(before.images, now.images) || !maps.Equal(before.objects, now.objects) ||
		!slices.Equal(before.selected, now.selected) || before.revision != now.revision {
		w.t.Errorf("the catalogue of %s changed: %d images, %d objects, selected %v, revision %s became %d, %d, %v, %s", name,
			len(before.images), len(before.objects), before.selected, before.revision, len(now.images), len(now.objects), now.selected, now.revision)
	}
}

// failing polls during a failure. It fails unless the catalogue is unchanged and Ready's message states the reason.
func (w *world) failing(name, reason string) *imagev1alpha1.ImageQuery {
	w.t.Helper()
	before := w.catalogue(name)
	query := w.Poll(name)
	ready := kit.Ready(query)
	if ready.Status != metav1.ConditionTrue || ready.Reason != imagev1alpha1.ReasonRetrying || !strings.Contains(ready.Message, reason) {
		w.t.Errorf("after a failed poll Ready is %s/%s, want True/Retrying, and a message with %s: %s",
			ready.Status, ready.Reason, reason, ready.Message)
	}
	w.kept(name, before)
	w.decent(query)
	return query
}

// heals fails unless the next poll after a failure syncs the catalogue with the cloud, and further polls write only
// lastHandledReconcileAt.
func (w *world) heals(name string) {
	w.t.Helper()
	w.cloud.Heal()
	w.api.Heal()
	w.Poll(name)
	w.UntilSynced(name)
	w.agrees(name)
	w.quiet(name)
}

// quiet fails unless two polls without changes write only lastHandledReconcileAt.
func (w *world) quiet(name string) {
	w.t.Helper()
	before := len(w.api.Writes())
	for range 2 {
		w.Poll(name)
	}
	var writes []string
	for _, r := range w.api.Writes()[before:] {
		writes = append(writes, r.String())
	}
	if want := slices.Repeat([]string{"update imagequeries/status " + name}, 2); !slices.Equal(writes, want) {
		w.t.Errorf("two polls that found nothing new wrote %q, want %q", writes, want)
	}
	w.decent(w.Query(name))
}

// decent fails if a status is too long to read, or shows confidential text.
func (w *world) decent(query *imagev1alpha1.ImageQuery) {
	w.t.Helper()
	for _, c := range query.Status.Conditions {
		if len([]rune(c.Message)) > 1024 {
			w.t.Errorf("the message of %s has %d characters", c.Type, len([]rune(c.Message)))
		}
		w.discreet("the condition "+c.Type, c.Message)
	}
	if w.manager != nil {
		w.discreet("the manager's log", w.manager.Log())
	}
}

// canary is a text in injected answers that must not be repeated.
const canary = "canary-in-the-body"

func (w *world) discreet(where, text string) {
	w.t.Helper()
	for _, secret := range []string{canary, cvmtest.DefaultCredential.SecretKey} {
		if strings.Contains(text, secret) {
			w.t.Errorf("%s shows %q", where, secret)
		}
	}
}

// asked counts the requests to the cloud.
func (w *world) asked() int { return len(w.cloud.Requests()) }

// untilEnded waits for a manager that ends by itself.
func (w *world) untilEnded(m *cluster.Manager) {
	w.t.Helper()
	select {
	case <-m.Ended():
		m.Kill() // it may still run
	case <-time.After(2 * time.Minute):
		w.t.Fatalf("the manager has not ended by itself; its log is\n%s", m.Log())
	}
}

// clear deletes a row's objects, and waits until they are deleted.
func (w *world) clear() {
	w.t.Helper()
	ctx := context.Background()                 // the test's own context has ended
	deadline := time.Now().Add(5 * time.Minute) // row 68 leaves 10 000
	for {
		var images imagev1alpha1.CloudImageList
		var queries imagev1alpha1.ImageQueryList
		err := errors.Join(
			client.IgnoreNotFound(w.Client.DeleteAllOf(ctx, &imagev1alpha1.ImageQuery{})),
			w.Client.List(ctx, &images), w.Client.List(ctx, &queries),
			client.IgnoreNotFound(w.Client.DeleteAllOf(ctx, &corev1.Event{}, client.InNamespace("default"))),
		)
		if err == nil && len(images.Items)+len(queries.Items) == 0 {
			return
		}
		err = errors.Join(err, w.deleteOwnerless(ctx, images.Items))
		if time.Now().After(deadline) {
			w.t.Errorf("%d ImageQueries and %d CloudImages are left (%v)", len(queries.Items), len(images.Items), err)
			return
		}
		<-time.After(100 * time.Millisecond)
	}
}

// deleteOwnerless deletes CloudImages that no garbage collector deletes.
func (w *world) deleteOwnerless(ctx context.Context, images []imagev1alpha1.CloudImage) error {
	for _, image := range images {
		if len(image.OwnerReferences) > 0 {
			continue
		}
		if err := client.IgnoreNotFound(w.Client.Delete(ctx, &image)); err != nil {
			return err
		}
	}
	return nil
}

// errNotYet is for conditions without further details.
var errNotYet = errors.New("not yet")

// untilAskedSince waits for a new matching request.
func (w *world) untilAskedSince(what string, seen int, agrees func(cvmtest.Request) bool) {
	w.t.Helper()
	w.Until("the cloud is asked "+what, func(context.Context) error {
		if !slices.ContainsFunc(w.cloud.Requests()[seen:], agrees) {
			return errNotYet
		}
		return nil
	})
}

// noObjects is a condition for Until: no CloudImage exists.
func (w *world) noObjects(context.Context) error {
	if n := len(w.Images("")); n > 0 {
		return fmt.Errorf("%d CloudImages are left", n)
	}
	return nil
}

// idle is a condition for Until: no worker of the manager is busy.
func (w *world) idle(context.Context) error {
	if busy := w.metric("controller_runtime_active_workers"); busy > 0 {
		return fmt.Errorf("%v workers are busy", busy)
	}
	return nil
}
