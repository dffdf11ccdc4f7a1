// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// world is a cluster with a query in each state, and the page.
type world struct {
	*cluster.Cluster

	cloud *cluster.Cloud
	page  string // its address
}

// For is the same world for a subtest: what fails, fails that.
func (w *world) For(t *testing.T) *world {
	t.Helper()
	bound := *w
	bound.Cluster = w.Cluster.For(t)
	return &bound
}

// newWorld has the operator make the states, and stops it: what the page shows stays the same then.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Cluster: cluster.Start(t, cluster.Options{})}
	w.cloud = w.StartCloud()
	manager := w.StartManager(w.cloud)
	w.makeStates()
	if err := manager.Stop(); err != nil {
		t.Error(err)
	}
	w.query("new", "ap-qingyuan")
	w.page = w.startPage()
	return w
}

// startPage runs the page with the rights of the chart's ServiceAccount, and returns its address.
func (w *world) startPage() string {
	w.Helper()
	w.createAccount()
	return w.runPage(w.KubeconfigOf("page", w.Config))
}

// createAccount creates the page's ServiceAccount with the rights that the chart gives it.
func (w *world) createAccount() {
	w.Helper()
	w.CreateServiceAccount("page")
	w.Apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: page},
		rules: [{apiGroups: [imagecatalog.dev], resources: [imagequeries, cloudimages], verbs: [get, list, watch]}]}`)
	w.Apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: page},
		roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: page},
		subjects: [{kind: ServiceAccount, name: page, namespace: ` + cluster.Namespace + `}]}`)
}

func (w *world) runPage(kubeconfig string) string {
	w.Helper()
	address := w.FreeAddress()
	w.StartProcess(managerPath(w), "page", "--kubeconfig="+kubeconfig, "--bind-address="+address)
	w.Until("the page shows the catalogue", func(ctx context.Context) error { return shows(ctx, "http://"+address+"/") })
	return "http://" + address
}

func managerPath(w *world) string {
	w.Helper()
	path := os.Getenv("MANAGER")
	if path == "" {
		path = filepath.Join("..", "..", "..", "bin", "manager")
	}
	if _, err := os.Stat(path); err != nil {
		w.Fatalf("the page is a command of bin/manager: run make browser, which builds it (%v)", err)
	}
	return path
}

// query creates an ImageQuery for the private images of a region, with more of its spec.
func (w *world) query(name, region string, spec ...string) {
	w.Helper()
	all := append([]string{"region: " + region, "filters: [{name: image-type, values: [PRIVATE_IMAGE]}]"}, spec...)
	w.ApplyQuery("name: "+name, strings.Join(all, ", "))
}

// put gives a region a private image, made some hours ago.
func (w *world) put(region, id, name string, hours int, change ...func(*cvmtest.Image)) {
	created := time.Now().Add(-time.Duration(hours) * time.Hour).UTC().Format(time.RFC3339)
	image := cvmtest.PrivateImages(1, 1, cvmtest.DefaultCredential.UIN)[0]
	image.ImageID, image.ImageName, image.CreatedTime, image.Architecture = id, name, &created, "x86_64"
	for _, f := range change {
		f(&image)
	}
	w.cloud.Put(region, image)
}

func (w *world) fill(region string, images int) {
	w.cloud.Clear(region)
	for i := range images {
		w.put(region, fmt.Sprintf("img-0000000%d", i), fmt.Sprintf("node-v1.30.%d", i), 24*(20-i))
	}
}

func arm(image *cvmtest.Image)      { image.Architecture = "arm" }
func creating(image *cvmtest.Image) { image.ImageState = "CREATING" }
func deprecated(image *cvmtest.Image) {
	image.ImageDeprecated = new(true)
}

// until waits until a condition of a query has a reason.
func (w *world) until(name, reason string) {
	w.Helper()
	w.UntilQuery(name, "a condition has the reason "+reason, func(q *imagev1alpha1.ImageQuery) bool {
		has := func(c metav1.Condition) bool { return c.Reason == reason }
		return q.Status.ObservedGeneration == q.Generation && slices.ContainsFunc(q.Status.Conditions, has)
	})
}

func (w *world) makeStates() {
	w.Helper()
	w.makeNodes()
	w.makeNames()
	w.makeRemovals()
	w.makeFailures()
	w.makeQuiet()
}

// makeNodes has a query with two architectures and a history.
func (w *world) makeNodes() {
	const region = "ap-guangzhou"
	w.cloud.Clear(region)
	w.put(region, "img-node1303", "node-v1.30.3", 24*30)
	w.put(region, "img-node1304", "node-v1.30.4", 24*9)
	w.put(region, "img-node1303a", "node-v1.30.3-arm64", 24*29, arm)
	w.query("tke-nodes", region, `cloudImages: {labelTagKeys: [role]}`)
	w.UntilSynced("tke-nodes")
	w.put(region, "img-node1304a", "node-v1.30.4-arm64", 24*8, arm)
	w.Poll("tke-nodes")
	w.put(region, "img-node1305", "node-v1.30.5", 3)
	w.put(region, "img-node1306", "node-v1.30.6", 1, creating)
	w.put(region, "img-node1299", "node-v1.29.9", 24*90, deprecated)
	w.Poll("tke-nodes")

	w.put("ap-shanghai", "img-soak0001", "base-2026.08.1", 24*10)
	w.put("ap-shanghai", "img-soak0002", "base-2026.11.2", 5)
	w.query("soaking", "ap-shanghai", `selection: {minAge: 72h}`)
	w.UntilSynced("soaking")
}

// Names that a page must show as they are, and no more than that.
const (
	wideName    = "基准镜像"
	scriptName  = `<script>alert(1)</script>"><img src=x onerror=alert(2)>`
	rightToLeft = "صورة أساسية للخوادم 7"
	emoji       = "🐧🚀 kernel 👩🏽‍💻"
)

func (w *world) makeNames() {
	const region = "ap-singapore"
	w.put(region, "img-wide0001", string([]rune(strings.Repeat(wideName, 64))[:255]), 30)
	w.put(region, "img-script01", scriptName, 40, arm)
	w.put(region, "img-rtl00001", rightToLeft, 50)
	w.put(region, "img-emoji001", emoji, 60)
	w.query("names", region)
	w.UntilSynced("names")
}

func (w *world) makeRemovals() {
	w.fill("ap-beijing", 9)
	w.query("blocked", "ap-beijing")
	w.UntilSynced("blocked")
	w.cloud.Delete("ap-beijing", "img-00000002", "img-00000003", "img-00000004", "img-00000005", "img-00000006", "img-00000007", "img-00000008")
	w.put("ap-beijing", "img-arrived1", "node-v1.31.0", 2, func(i *cvmtest.Image) { i.ImageState = "CREATING" })
	w.put("ap-beijing", "img-arrived2", "node-v1.31.1", 1)
	w.Poll("blocked")
	w.until("blocked", imagev1alpha1.ReasonRemovalBlocked)

	w.fill("ap-nanjing", 1)
	w.query("selected-missing", "ap-nanjing", "minImages: 0")
	w.UntilSynced("selected-missing")
	w.cloud.Clear("ap-nanjing")
	w.Poll("selected-missing")
	w.until("selected-missing", imagev1alpha1.ReasonRemovalBlocked)

	w.fill("ap-jakarta", 4)
	w.query("in-grace", "ap-jakarta")
	w.UntilSynced("in-grace")
	w.cloud.Delete("ap-jakarta", "img-00000003")
	w.Poll("in-grace")
}

func (w *world) makeFailures() {
	w.cloud.Inject(cvmtest.Fault{Code: "RequestLimitExceeded", Region: "ap-chengdu"})
	w.query("throttled", "ap-chengdu")
	w.until("throttled", imagev1alpha1.ReasonThrottled)
	w.query("stalled", "ap-chongqing", "credentialsRef: {name: no-such-secret}")
	w.until("stalled", imagev1alpha1.ReasonCredentialsNotFound)
	w.fill("ap-hongkong", 2)
	w.query("too-few", "ap-hongkong", "minImages: 3")
	w.until("too-few", imagev1alpha1.ReasonTooFewImages)
	w.fill("ap-tokyo", 2)
	w.query("retrying", "ap-tokyo")
	w.UntilSynced("retrying")
	w.cloud.Inject(cvmtest.Fault{Code: "InternalError", Region: "ap-tokyo"})
	w.Poll("retrying")
}

func (w *world) makeQuiet() {
	w.cloud.Clear("ap-seoul")
	w.query("nothing-matches", "ap-seoul", "minImages: 0")
	w.until("nothing-matches", imagev1alpha1.ReasonNoImagesMatched)
	w.fill("ap-bangkok", 2)
	w.query("without-objects", "ap-bangkok", "cloudImages: {policy: None}")
	w.UntilSynced("without-objects")
	w.fill("ap-taipei", 2)
	w.query("too-young", "ap-taipei", "selection: {minAge: 8760h}")
	w.UntilSynced("too-young")
	w.fill("ap-shenzhen", 2)
	w.query("suspended", "ap-shenzhen")
	w.UntilSynced("suspended")
	w.Patch("suspended", `{"spec":{"suspend":true}}`)
	w.until("suspended", imagev1alpha1.ReasonSuspended)
}
