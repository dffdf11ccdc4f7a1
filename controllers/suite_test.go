// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth/authtest"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/watch"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

const (
	namespace = kit.Namespace
	region    = "ap-guangzhou"
)

// apiServer is the real API server that all tests of the package share, one after the other.
var (
	apiServer       *rest.Config
	adminKubeconfig []byte
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctrl.SetLogger(logr.Discard())
	if flag.Parse(); testing.Short() {
		return m.Run() // without an API server; newWorld skips
	}
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "these tests need a control plane: run `make test`,",
			"or `make controlplane` and set KUBEBUILDER_ASSETS to bin/controlplane")
		return 1
	}
	environment := &envtest.Environment{
		CRDDirectoryPaths: []string{filepath.Join("..", "config", "crd", "bases")}, ErrorIfCRDPathMissing: true,
	}
	var err error
	if apiServer, err = environment.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "starting the control plane:", err)
		return 1
	}
	defer func() {
		if err := environment.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the control plane:", err)
		}
	}()
	apiServer.QPS, adminKubeconfig = -1, environment.KubeConfig
	return m.Run()
}

// world is a cluster, a cloud, and an operator.
type world struct {
	*testing.T
	kit.Kit

	cloud  *cvmtest.Server
	sts    *authtest.STS
	clock  *movableClock
	writes *writeLog

	// Parts of the current operator. Its Client reads from its cache.
	metrics  *controllers.Metrics
	operator *controllers.Reconciler

	// invalid is set if the test makes the API server reject statuses, tampered if it writes statuses itself.
	invalid, tampered atomic.Bool

	// restart stops the operator, calls the functions, and starts a new operator.
	restart func(meanwhile ...func())
}

// newWorld starts an operator on an empty cluster, with a cloud without private images, and the default credentials.
// Everything is stopped at the end of the test.
func newWorld(t *testing.T) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("it needs an API server, which -short goes without")
	}
	scheme := newScheme(t)
	direct, err := client.New(apiServer, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		T: t, Kit: kit.New(t, direct), clock: &movableClock{}, writes: &writeLog{},
		cloud: cvmtest.NewServer(cvmtest.Options{RateLimit: -1}),
	}
	t.Cleanup(w.cloud.Close)
	w.sts = authtest.NewSTS(w.cloud)
	t.Cleanup(w.sts.Close)
	w.Check = func(query *imagev1alpha1.ImageQuery) { checkStatus(t, query) }
	w.clean(t.Context())
	t.Cleanup(func() { w.clean(context.Background()) }) // the test's own context has ended
	// This API server never completes the deletion of a namespace, so it may exist already.
	own := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := direct.Create(t.Context(), own); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	w.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, cvmtest.DefaultCredential)
	stop := w.startOperator(scheme)
	w.restart = func(meanwhile ...func()) {
		stop()
		for _, happens := range meanwhile {
			happens()
		}
		stop = w.startOperator(scheme)
	}
	t.Cleanup(func() {
		stop()
		for _, refused := range w.writes.invalid {
			if w.invalid.Load() {
				break // expected
			}
			t.Errorf("the API server called a write of the operator invalid: %s", refused)
		}
	})
	return w
}

func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, imagev1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return scheme
}

// startOperator runs a manager wired as in main, until stop is called.
func (w *world) startOperator(scheme *runtime.Scheme) (stop func()) {
	w.Helper()
	watched := rest.CopyConfig(apiServer)
	watched.Wrap(w.writes.wrap)
	watched.Wrap(w.watchStatuses)
	mgr, err := ctrl.NewManager(watched, ctrl.Options{
		Scheme: scheme, Metrics: server.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true)},
		Cache:      controllers.CacheOptions(namespace),
		NewCache:   watch.NewCache,
	})
	if err != nil {
		w.Fatal(err)
	}
	cloud, err := cvm.New(cvm.Options{Endpoint: w.cloud.URL(), STS: w.sts.URL(), QPS: 10000, Burst: 10000})
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.metrics = controllers.NewMetrics()
	w.operator = &controllers.Reconciler{
		Client: mgr.GetClient(), APIReader: mgr.GetAPIReader(), Lister: catalog.NewShared(cloud, w.clock.Now),
		Credentials: controllers.Credentials{Reader: mgr.GetClient(), Namespace: namespace},
		Events:      mgr.GetEventRecorder("image-catalog-operator"), Clock: w.clock,
		Metrics: w.metrics, MaxStatusImages: 500, Concurrent: 4,
	}
	if err := w.operator.SetupWithManager(ctx, mgr); err != nil {
		w.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := mgr.Start(ctx); err != nil {
			w.Errorf("the manager ended: %v", err)
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// watchStatuses fails the test if the operator writes an invalid status, or takes its own status for a foreign one.
func (w *world) watchStatuses(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.GetBody != nil && strings.Contains(r.URL.Path, "/events") && !w.tampered.Load() {
			if body, err := r.GetBody(); err == nil {
				if text, _ := io.ReadAll(body); bytes.Contains(text, []byte(imagev1alpha1.EventStatusOverwritten)) {
					w.Errorf("nobody else wrote a status, and there is an event that says so: %s", text)
				}
			}
		}
		response, err := next.RoundTrip(r)
		if err == nil && strings.HasSuffix(r.URL.Path, "/status") && response.StatusCode >= 400 && !w.invalid.Load() &&
			response.StatusCode != http.StatusConflict && response.StatusCode != http.StatusNotFound {
			text, _ := io.ReadAll(response.Body)
			response.Body = io.NopCloser(bytes.NewReader(text))
			w.Errorf("a status was refused with %d: %.2000s", response.StatusCode, text)
		}
		return response, err
	})
}

// clean deletes all objects. This API server has no garbage collector.
func (w *world) clean(ctx context.Context) {
	w.Helper()
	for _, kind := range []client.Object{&imagev1alpha1.ImageQuery{}, &imagev1alpha1.CloudImage{}} {
		if err := w.Client.DeleteAllOf(ctx, kind); err != nil {
			w.Fatal(err)
		}
	}
	if err := w.Client.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(namespace)); err != nil {
		w.Fatal(err)
	}
}

// pass advances the clock and reconciles each query, as its timer would.
func (w *world) pass(d time.Duration) {
	w.Helper()
	w.clock.offset.Add(int64(d))
	var queries imagev1alpha1.ImageQueryList
	if err := w.Client.List(w.Context(), &queries); err != nil {
		w.Fatal(err)
	}
	for _, query := range queries.Items {
		w.operator.LookAt(w.Context(), query.Name)
	}
}

// idle waits until no query is being reconciled.
func (w *world) idle() {
	w.Helper()
	w.Eventually(func() error {
		families, err := metrics.Registry.Gather()
		if err != nil {
			return err
		}
		for _, family := range families {
			if family.GetName() != "controller_runtime_active_workers" {
				continue
			}
			for _, m := range family.GetMetric() {
				if m.GetGauge().GetValue() > 0 {
					return errors.New("a query is still being reconciled")
				}
			}
		}
		return nil
	})
}

// listings counts requests without ids and with ids.
func (w *world) listings() (listings, byID int) {
	for _, r := range w.cloud.Requests() {
		if len(r.ImageIDs) > 0 {
			byID++
		} else {
			listings++
		}
	}
	return listings, byID
}

// movableClock is a running clock with an adjustable offset. It shows jumped more seconds; see jump.
type movableClock struct{ offset, jumped atomic.Int64 }

func (c *movableClock) Now() time.Time {
	return shifted(time.Now().Add(time.Duration(c.offset.Load())), c.jumped.Load())
}

func (c *movableClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// writeLog records the operator's writes to the API server, except events. A write that the API server rejects as
// invalid fails the test, unless an admission policy of the test rejected it.
type writeLog struct {
	mu      sync.Mutex
	entries []string
	invalid []string

	// meet, if set, is called before each write. If it returns a response, the write doesn't reach the API server.
	meet func(write string) *http.Response
}

func (l *writeLog) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodGet || strings.Contains(r.URL.Path, "/events") {
			return next.RoundTrip(r)
		}
		write := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/apis/imagecatalog.dev/v1alpha1/")
		l.mu.Lock()
		l.entries = append(l.entries, write)
		meet := l.meet
		l.mu.Unlock()
		if meet != nil {
			if answer := meet(write); answer != nil {
				answer.Request = r
				return answer, nil
			}
		}
		answer, err := next.RoundTrip(r)
		if err == nil && answer.StatusCode == http.StatusUnprocessableEntity {
			err = l.note(write, answer)
		}
		return answer, err
	})
}

// note records a response that rejects a write as invalid.
func (l *writeLog) note(write string, answer *http.Response) error {
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close() // fully read
	answer.Body = io.NopCloser(bytes.NewReader(body))
	if !bytes.Contains(body, []byte("ValidatingAdmissionPolicy")) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.invalid = append(l.invalid, write+": "+string(body))
	}
	return err
}

// meets sets a function that intercepts writes. nil removes it.
func (w *world) meets(meet func(write string) *http.Response) {
	w.writes.mu.Lock()
	defer w.writes.mu.Unlock()
	w.writes.meet = meet
}

// take returns the entries since the last call.
func (l *writeLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.entries
	l.entries = nil
	return out
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
