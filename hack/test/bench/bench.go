// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

const (
	region = "ap-guangzhou"

	// patience bounds every wait. It is long, since it says nothing about speed: a run on a busy machine should end with figures.
	patience = 20 * time.Minute
)

// unlimited are the manager's flags where its writes are measured and the cloud's budget is not.
var unlimited = []string{"--cvm-qps=100000", "--cvm-burst=100000"}

// bench is one control plane with one cloud, for one scenario.
type bench struct {
	*cluster.Cluster

	config
	cloud *cluster.Cloud

	// admin reads and watches; operator writes CloudImages, as nobody else may.
	admin    client.WithWatch
	operator client.Client
	rest     *rest.Config
}

// measure runs a scenario once.
func measure(c config, s scenario, n int) (*result, error) {
	var r *result
	err := perform(func(t *script) {
		fmt.Fprintf(os.Stderr, "%s, N = %d\n", s.name, n)
		r = s.run(start(t, c), n)
		r.Scenario = s.name
		r.settle()
	})
	if err != nil {
		return nil, fmt.Errorf("%s, N = %d: %w", s.name, n, err)
	}
	return r, nil
}

// start starts the control plane. The garbage collector of kube-apiserver's own runtime is the largest noise there is: with the
// default the same request costs one time or three, depending on where its heap stands. The limit of its memory counts only while
// objects are cleared away between rounds, which took all of 24 GiB. Nothing else is tuned, but for the speed of that.
func start(t *script, c config) *bench {
	b := &bench{config: c}
	b.Cluster = cluster.Start(t, cluster.Options{
		APIServerEnv: []string{"GOGC=800", "GOMEMLIMIT=6GiB"}, APIServerFlags: map[string]string{"delete-collection-workers": "8"},
		WithoutAudit: true, WithoutControllers: true,
	})
	b.cloud = b.StartCloud("-public=false", "-private=0", "-shared=0")
	var err error
	if b.admin, err = client.NewWithWatch(b.Config, client.Options{Scheme: b.Client.Scheme()}); err != nil {
		t.Fatalf("%v", err)
	}
	if b.rest, err = clientcmd.BuildConfigFromFlags("", b.OperatorKubeconfig); err != nil {
		t.Fatalf("%v", err)
	}
	b.rest.QPS = -1
	if b.operator, err = client.New(b.rest, client.Options{Scheme: b.Client.Scheme()}); err != nil {
		t.Fatalf("%v", err)
	}
	b.warm()
	return b
}

// warm lets the API server prepare what it prepares once for a kind: storage, compiled rules and policies. A first create waits
// up to two seconds for it, which is no side's.
func (b *bench) warm() {
	image := &imagev1alpha1.CloudImage{ObjectMeta: metav1.ObjectMeta{Name: region + "-img-warm"}}
	for as, object := range map[client.Client]client.Object{b.admin: query("warm"), b.operator: image} {
		if err := as.Create(b.Context(), object, client.DryRunAll); err != nil && !apierrors.IsInvalid(err) {
			b.Fatalf("a create without effect: %v", err)
		}
	}
}

// apart runs f with a control plane and a cloud of its own.
func (b *bench) apart(f func(*bench)) {
	if err := perform(func(t *script) { f(start(t, b.config)) }); err != nil {
		b.Fatalf("%v", err)
	}
}

// fill has the cloud list n private images, and nothing else.
func (b *bench) fill(n int) {
	b.cloud.Clear(region)
	b.cloud.Fill(cvmtest.Inventory{Regions: []string{region}, Private: n, Seed: 1})
}

// servers are the processes that every side makes work.
func (b *bench) servers() processes {
	return processes{"apiserver": b.ServerPid("kube-apiserver"), "etcd": b.ServerPid("etcd")}
}

// with adds a process.
func (p processes) with(name string, pid int) processes {
	p[name] = pid
	return p
}

// during measures f, or fails the run.
func (b *bench) during(p processes, f func()) usage {
	u, err := p.during(f)
	if err != nil {
		b.Fatalf("%v", err)
	}
	return u
}

// inClient measures what this process does to the servers.
func (b *bench) inClient(f func()) usage {
	return b.during(b.servers().with("client", os.Getpid()), f)
}

// manager starts the operator, and returns once it has taken up its work.
func (b *bench) manager(flags ...string) *cluster.Manager {
	m := b.StartManager(b.cloud, append([]string{"--metrics-secure=false", "--zap-log-level=error"}, flags...)...)
	b.wait("the manager works", func(context.Context) bool {
		return b.scrape(m.Metrics).sum("controller_runtime_max_concurrent_reconciles") > 0
	})
	return m
}

// wait tries until something is so.
func (b *bench) wait(what string, so func(context.Context) bool) {
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	for !so(ctx) {
		select {
		case <-ctx.Done():
			b.Fatalf("waiting until %s: %v", what, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// query is an ImageQuery of everything in the region. The long interval keeps polls that nobody asked for out of a measurement.
func query(name string) *imagev1alpha1.ImageQuery {
	return &imagev1alpha1.ImageQuery{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: imagev1alpha1.ImageQuerySpec{
			Region: region, Interval: metav1.Duration{Duration: 24 * time.Hour},
			CloudImages: imagev1alpha1.CloudImagePolicy{MaxImages: 20000},
		},
	}
}

// create creates a query, and returns once it is synced.
func (b *bench) create(q *imagev1alpha1.ImageQuery) {
	b.until(func() {
		if err := b.admin.Create(b.Context(), q); err != nil {
			b.Fatalf("creating the query: %v", err)
		}
	}, func(now *imagev1alpha1.ImageQuery) bool {
		return now.Name == q.Name && now.Status.SyncedGeneration == now.Generation && now.Generation > 0
	})
}

// until acts, and returns when a query is as it should be. It watches: reading again and again would be part of what is measured.
func (b *bench) until(act func(), so func(*imagev1alpha1.ImageQuery) bool) {
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	w, err := b.admin.Watch(ctx, &imagev1alpha1.ImageQueryList{})
	if err != nil {
		b.Fatalf("watching queries: %v", err)
	}
	// Read while acting goes on: the API server ends the watch of who doesn't. It also ends all watches of a kind that it prepares anew.
	events := make(chan watch.Event, 1<<16)
	go func() {
		defer close(events)
		for err == nil {
			for event := range w.ResultChan() {
				events <- event
			}
			w, err = b.admin.Watch(ctx, &imagev1alpha1.ImageQueryList{})
		}
	}()
	act()
	for event := range events {
		if now, ok := event.Object.(*imagev1alpha1.ImageQuery); ok && so(now) {
			return
		}
	}
	b.Fatalf("a query did not become what it should be: %v", ctx.Err())
}

// images are the CloudImages as the manager wrote them, without what the API server added.
func (b *bench) images() []*imagev1alpha1.CloudImage {
	var list imagev1alpha1.CloudImageList
	if err := b.admin.List(b.Context(), &list); err != nil {
		b.Fatalf("listing CloudImages: %v", err)
	}
	out := make([]*imagev1alpha1.CloudImage, len(list.Items))
	for i := range list.Items {
		o := &list.Items[i]
		o.ObjectMeta = metav1.ObjectMeta{Name: o.Name, Labels: o.Labels, Annotations: o.Annotations, OwnerReferences: o.OwnerReferences}
		o.SetGroupVersionKind(imagev1alpha1.GroupVersion.WithKind("CloudImage"))
		out[i] = o
	}
	return out
}

// wipe deletes everything. Only the garbage collector's account may delete CloudImages at once; the administrator borrows it.
func (b *bench) wipe() {
	if err := b.admin.DeleteAllOf(b.Context(), &imagev1alpha1.ImageQuery{}); err != nil {
		b.Fatalf("deleting queries: %v", err)
	}
	config := rest.CopyConfig(b.Config)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:kube-system:generic-garbage-collector", Groups: []string{"system:masters"},
	}
	collector, err := client.New(config, client.Options{Scheme: b.Client.Scheme()})
	if err != nil {
		b.Fatalf("%v", err)
	}
	// The API server gives up after a minute, having deleted what it could by then.
	b.wait("all CloudImages are deleted", func(ctx context.Context) bool {
		_ = collector.DeleteAllOf(ctx, &imagev1alpha1.CloudImage{}) // the list says what came of it
		var left imagev1alpha1.CloudImageList
		return b.admin.List(ctx, &left, client.Limit(1)) == nil && len(left.Items) == 0
	})
}

// metrics are what a process tells Prometheus.
type metrics map[string]*dto.MetricFamily

func (b *bench) scrape(address string) metrics {
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		b.Fatalf("%v", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil // not there yet
	}
	defer func() { _ = response.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		b.Fatalf("reading metrics: %v", err)
	}
	return families
}

// sum adds the series of a metric whose labels have these values, given as name, value, name, value.
func (m metrics) sum(name string, labels ...string) float64 {
	var sum float64
	for _, series := range m[name].GetMetric() {
		if agrees(series, labels) {
			sum += series.GetCounter().GetValue() + series.GetGauge().GetValue() + series.GetUntyped().GetValue()
		}
	}
	return sum
}

func agrees(series *dto.Metric, labels []string) bool {
	for i := 0; i < len(labels); i += 2 {
		found := false
		for _, label := range series.GetLabel() {
			found = found || label.GetName() == labels[i] && label.GetValue() == labels[i+1]
		}
		if !found {
			return false
		}
	}
	return true
}

// requests are those of the manager to the API server: reads, and everything else. Watches last, and are not counted until they end.
func (m metrics) requests() (reads, writes float64) {
	reads = m.sum("rest_client_requests_total", "method", "GET")
	return reads, m.sum("rest_client_requests_total") - reads
}

// build builds a program of this module, and returns its path.
func (b *bench) build(pkg string) string {
	folder, err := os.MkdirTemp("", "image-catalog-bench-")
	if err != nil {
		b.Fatalf("%v", err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(folder) })
	path := filepath.Join(folder, filepath.Base(pkg))
	cmd := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("building %s: %v\n%s", pkg, err, out)
	}
	return path
}
