// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// The manager brings Tencent Cloud's catalogue of CVM images into Kubernetes. This file reads flags, wires
// cvm → catalog → controllers, and serves probes and metrics; what the operator does is described in controllers/doc.go.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilcache "k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/apimachinery/pkg/util/uuid"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	certutil "k8s.io/client-go/util/cert"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth"
)

// name is the operator's, in the Lease and in events.
const name = "image-catalog-operator"

// namespaceFile is where a pod finds the namespace it runs in.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// options are the flags.
type options struct {
	cvm                  cvm.Options
	concurrent           int
	shard                controllers.Shard
	maxStatusImages      int
	defaultCredentials   string
	defaultAccountID     string
	credentialsNamespace string
	leaderElect          bool
	metricsAddress       string
	metricsSecure        bool
	probeAddress         string
	zap                  zap.Options
}

func main() {
	o, err := parse(flag.CommandLine, os.Args[1:])
	if err == nil {
		err = run(ctrl.SetupSignalHandler(), o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}

// parse reads the flags. --kubeconfig is registered by controller-runtime, in flag.CommandLine.
func parse(f *flag.FlagSet, args []string) (options, error) {
	var o options
	f.StringVar(&o.cvm.Endpoint, "cvm-endpoint", cvm.DefaultEndpoint, "host of the cloud's API; {region} in it is the region asked for; finance regions have hosts of their own by default; http:// only for a loopback address")
	f.StringVar(&o.cvm.STS, "sts-endpoint", cvm.DefaultSTS, "host of the cloud's service for keys of roles, written likewise; http:// only for a loopback address")
	f.StringVar(&o.cvm.Metadata, "metadata-endpoint", cvm.DefaultMetadata, "address of the node's metadata service, for --default-credentials=cvm-role")
	f.Float64Var(&o.cvm.QPS, "cvm-qps", 10, "requests per second to the cloud for each source of credentials at each host; the cloud admits 40 for a sub-account at a gateway, to all its users together")
	f.IntVar(&o.cvm.Burst, "cvm-burst", 10, "requests to the cloud that may go out at once")
	f.IntVar(&o.concurrent, "concurrent", 4, "queries that are polled at once with the same credentials")
	f.Func("regions", "regions whose queries this operator works on, separated by commas; without it all. Operators that share a cluster need disjoint ones", func(text string) (err error) {
		o.shard, err = controllers.ParseShard(text)
		return err
	})
	f.IntVar(&o.maxStatusImages, "max-status-images", 500, "images that a query's status lists, at most 2000; CloudImages are there for all")
	f.StringVar(&o.defaultCredentials, "default-credentials", "secret", "credentials of queries without credentialsRef: secret (the Secret "+imagev1alpha1.DefaultCredentialsSecret+"), env (TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY, TENCENTCLOUD_TOKEN), cvm-role (the node's role) or tke-oidc (the role of the pod's ServiceAccount in TKE)")
	f.StringVar(&o.defaultAccountID, "default-account-id", "", "account (uin) that the default credentials must belong to, for env, cvm-role and tke-oidc; nothing is listed with another's. For a Secret its key accountID says so")
	f.StringVar(&o.credentialsNamespace, "credentials-namespace", ownNamespace(), "namespace of the Secrets with credentials")
	f.BoolVar(&o.leaderElect, "leader-elect", false, "work only while holding the Lease, for several replicas")
	f.StringVar(&o.metricsAddress, "metrics-bind-address", ":8443", "address of /metrics; 0 switches it off")
	f.BoolVar(&o.metricsSecure, "metrics-secure", true, "serve /metrics over HTTPS, to authenticated and authorized clients only")
	f.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 switches it off")
	o.zap.BindFlags(f)
	if err := f.Parse(args); err != nil {
		return o, err
	}
	// Package flag would end at the false of `--leader-elect false`, and pass over all flags after it.
	if f.NArg() > 0 {
		return o, fmt.Errorf("nothing but flags is understood, got %q; write --flag=value", f.Arg(0))
	}
	return o, o.validate()
}

func (o options) validate() error {
	switch {
	case o.concurrent < 1:
		return fmt.Errorf("--concurrent must be at least 1, got %d", o.concurrent)
	case o.maxStatusImages < 1 || o.maxStatusImages > 2000:
		return fmt.Errorf("--max-status-images must be between 1 and 2000, got %d", o.maxStatusImages)
	case o.cvm.QPS <= 0 || o.cvm.Burst < 1:
		return fmt.Errorf("--cvm-qps must be above 0 and --cvm-burst at least 1, got %v and %d", o.cvm.QPS, o.cvm.Burst)
	case !slices.Contains([]string{"secret", "env", auth.CVMRole, auth.TKEOIDC}, o.defaultCredentials):
		return fmt.Errorf("--default-credentials must be secret, env, cvm-role or tke-oidc, got %q", o.defaultCredentials)
	case o.defaultAccountID != "" && o.defaultCredentials == "secret":
		return errors.New("--default-account-id is for --default-credentials=env, cvm-role and tke-oidc; a Secret says it by its key accountID")
	case !controllers.IsAccountID(o.defaultAccountID) && o.defaultAccountID != "":
		return fmt.Errorf("--default-account-id must be the id of an account (uin), which has digits only, got %q", o.defaultAccountID)
	}
	return nil
}

// ownNamespace is the namespace of the pod, or that of the default install.
func ownNamespace() string {
	if namespace, err := os.ReadFile(namespaceFile); err == nil {
		return strings.TrimSpace(string(namespace))
	}
	return "image-catalog-system"
}

// run wires the operator and works until ctx ends. What flags and environment say of the cloud comes first: it is
// wrong without a cluster, too.
func run(ctx context.Context, o options) error {
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&o.zap)))
	account, err := defaultAccount(&o)
	if err != nil {
		return err
	}
	cloud, err := cvm.New(o.cvm)
	if err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	mgr, err := newManager(ctx, config, o)
	if err != nil {
		return err
	}
	reconciler, err := newReconciler(mgr, o, cloud, account)
	if err != nil {
		return err
	}
	if err := reconciler.SetupWithManager(ctx, mgr); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// defaultAccount is the account of queries without credentialsRef; nil if a Secret has it.
func defaultAccount(o *options) (*catalog.Account, error) {
	switch o.defaultCredentials {
	case "env":
		account, err := controllers.EnvironmentAccount()
		account.AccountID = o.defaultAccountID
		return &account, err
	case auth.CVMRole:
		return &catalog.Account{Source: auth.CVMRole, Ambient: auth.CVMRole, AccountID: o.defaultAccountID}, nil
	case auth.TKEOIDC:
		var err error
		if o.cvm.WebIdentity, err = auth.WebIdentityFrom(os.Getenv); err != nil {
			return nil, fmt.Errorf("--default-credentials=tke-oidc: %w", err)
		}
		return &catalog.Account{Source: auth.TKEOIDC, Ambient: auth.TKEOIDC, AccountID: o.defaultAccountID}, nil
	}
	return nil, nil //nolint:nilnil // see above
}

func newManager(ctx context.Context, config *rest.Config, o options) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, imagev1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("building the scheme: %w", err)
		}
	}
	// Priority and fairness in the API server are the limit; a second one here would only delay.
	config.QPS = -1
	config.UserAgent = "manager/" + name
	lease := o.shard.LeaseName(name)
	lock, err := newLock(config, o.credentialsNamespace, lease)
	if err != nil {
		return nil, fmt.Errorf("preparing leader election: %w", err)
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                              scheme,
		Metrics:                             server.Options{BindAddress: "0"}, // see addServers
		LeaderElection:                      o.leaderElect,
		LeaderElectionID:                    lease,
		LeaderElectionResourceLockInterface: lock,
		LeaderElectionReleaseOnCancel:       true,
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject: map[client.Object]cache.ByObject{
				&corev1.Secret{}: {Namespaces: map[string]cache.Config{o.credentialsNamespace: {}}},
			},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("building the manager: %w", err)
	}
	return mgr, addServers(ctx, mgr, o)
}

// filled says whether the cluster's state has been read. Before that the operator does nothing, and a rollout that went on regardless
// would end the one that works.
func filled(c cache.Cache) healthz.Checker {
	return func(r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		if !c.WaitForCacheSync(ctx) {
			return errors.New("the cluster's state has not been read yet")
		}
		return nil
	}
}

// newLock is the Lease that the leader holds. Controller-runtime's own would also write events of the old kind (core/v1) into
// the Lease's namespace, which is one more permission for what the log says as well.
func newLock(config *rest.Config, namespace, name string) (resourcelock.Interface, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	config = rest.AddUserAgent(rest.CopyConfig(config), "leader-election")
	// Half of the time within which the Lease must be renewed: one hung request is not the end of leadership.
	config.Timeout = 5 * time.Second
	client, err := coordinationv1.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: name},
		Client:     client,
		LockConfig: resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())},
	}, nil
}

// What a stranger can make a server of the process hold, and for how long. Whoever reaches a port may ask, and memory is
// shared with what the operator is for.
const (
	// maxConnections bounds the connections of each server, and with them the requests under way: HTTP/1.1 has one for each.
	maxConnections = 64

	// maxHeader bounds a request's line and headers. Package net/http reads 4 KiB more than it is told.
	maxHeader = 16<<10 - 4<<10

	// maxToken bounds what is taken for a token. Those of Kubernetes have about 1 KiB.
	maxToken = 8 << 10

	// reviewsPerSecond bounds how often the API server is asked who a stranger is.
	reviewsPerSecond = 10

	// readersKnown is how many readers of metrics are not held up by a flood of strangers.
	readersKnown = 64
)

// addServers adds the servers of probes and metrics to the manager. Its own admit headers of 1 MiB and any number of
// connections, and it has no option for that.
func addServers(ctx context.Context, mgr ctrl.Manager, o options) error {
	if err := addServer(ctx, mgr, "health probe", o.probeAddress, probes(mgr.GetCache()), nil); err != nil {
		return fmt.Errorf("--health-probe-bind-address: %w", err)
	}
	handler := promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{})
	var certificate *tls.Config
	if o.metricsSecure {
		var err error
		if handler, err = readersOnly(mgr, handler); err != nil {
			return err
		}
		if certificate, err = selfSigned(); err != nil {
			return err
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", handler)
	if err := addServer(ctx, mgr, "metrics", o.metricsAddress, mux, certificate); err != nil {
		return fmt.Errorf("--metrics-bind-address: %w", err)
	}
	return nil
}

// addServer listens on an address, and serves while the manager runs, whether it leads or not. 0 is no address.
func addServer(ctx context.Context, mgr ctrl.Manager, name, address string, handler http.Handler, certificate *tls.Config) error {
	if address == "" || address == "0" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	listener = netutil.LimitListener(listener, maxConnections)
	if certificate != nil {
		listener = tls.NewListener(listener, certificate)
	}
	return mgr.Add(&manager.Server{
		Name: name, Listener: listener, ShutdownTimeout: new(10 * time.Second),
		Server: &http.Server{
			Handler:           handler,
			MaxHeaderBytes:    maxHeader,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       90 * time.Second,
			// A line for each handshake that fails would be a stranger's to write.
			ErrorLog: slog.NewLogLogger(logr.ToSlogHandler(mgr.GetLogger().WithName(name)), slog.LevelDebug),
		},
	})
}

// probes are /healthz and /readyz. Each probe is a connection: one that is kept would only hold a place.
func probes(c cache.Cache) http.Handler {
	mux := http.NewServeMux()
	for path, checks := range map[string]map[string]healthz.Checker{
		"/healthz": {"ping": healthz.Ping},
		"/readyz":  {"caches": filled(c)},
	} {
		handler := http.StripPrefix(path, &healthz.Handler{Checks: checks})
		mux.Handle(path, handler)
		mux.Handle(path+"/", handler)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		mux.ServeHTTP(w, r)
	})
}

// selfSigned is a certificate that the process makes for itself: it encrypts, and proves nothing. HTTP/2 and its resets
// are kept out, and old TLS.
func selfSigned() (*tls.Config, error) {
	certificate, key, err := certutil.GenerateSelfSignedCertKey("localhost", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for the metrics: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for the metrics: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}, nil
}

// readersOnly lets those at a handler whom the cluster lets, by controller-runtime's filter (docs/decisions/0005). Before
// it stands what keeps strangers from making the API server work.
func readersOnly(mgr ctrl.Manager, next http.Handler) (http.Handler, error) {
	filter, err := filters.WithAuthenticationAndAuthorization(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("guarding the metrics: %w", err)
	}
	g := newGate(next)
	g.filtered, err = filter(mgr.GetLogger().WithName("metrics"), http.HandlerFunc(g.admitted))
	return g, err
}

// gate bounds how often strangers are let on to the filter. Who got in the last time is none, however many others ask.
type gate struct {
	next, filtered http.Handler
	limit          *rate.Limiter
	known          *utilcache.LRUExpireCache
}

func newGate(next http.Handler) *gate {
	return &gate{next: next, limit: rate.NewLimiter(reviewsPerSecond, reviewsPerSecond), known: utilcache.NewLRUExpireCache(readersKnown)}
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Who isn't let in keeps no connection.
	w.Header().Set("Connection", "close")
	token := r.Header.Get("Authorization")
	if token == "" || len(token) > maxToken {
		http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
		return
	}
	key := sha256.Sum256([]byte(token))
	if _, known := g.known.Get(key); !known && !g.limit.Allow() {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "Too many strangers ask for this; try again", http.StatusTooManyRequests)
		return
	}
	admitted := false
	g.filtered.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), admittedKey{}, &admitted)))
	if admitted {
		g.known.Add(key, nil, time.Hour)
	} else {
		g.known.Remove(key)
	}
}

// admittedKey is that of a *bool in a request's context, which becomes true when the filter lets the request through.
type admittedKey struct{}

// admitted serves those whom the filter has let through. It has taken the token out of the request by then.
func (g *gate) admitted(w http.ResponseWriter, r *http.Request) {
	*r.Context().Value(admittedKey{}).(*bool) = true
	w.Header().Del("Connection")
	g.next.ServeHTTP(w, r)
}

func newReconciler(mgr ctrl.Manager, o options, cloud *cvm.Client, account *catalog.Account) (*controllers.Reconciler, error) {
	lister, loop := catalog.NewShared(cloud, time.Now), controllers.NewMetrics()
	if err := register(append(cloud.Collectors(), loop, coalesced(lister))...); err != nil {
		return nil, err
	}
	return &controllers.Reconciler{
		Client:          mgr.GetClient(),
		Live:            mgr.GetAPIReader(),
		Lister:          lister,
		Metrics:         loop,
		Credentials:     controllers.Credentials{Reader: mgr.GetClient(), Namespace: o.credentialsNamespace, Default: account},
		Events:          mgr.GetEventRecorder(name),
		Clock:           clock.RealClock{},
		MaxStatusImages: o.maxStatusImages,
		Concurrent:      o.concurrent,
		Shard:           o.shard,
	}, nil
}

// register adds metrics to those of controller-runtime, which the manager serves.
func register(collectors ...prometheus.Collector) error {
	for _, c := range collectors {
		if err := metrics.Registry.Register(c); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

// coalesced counts for catalog, which knows no Prometheus.
func coalesced(shared *catalog.Shared) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "tencentcloud_api_coalesced_total",
		Help: "Listings that were answered by an identical one of another query, under way or less than 10 seconds old.",
	}, func() float64 { return float64(shared.Coalesced()) })
}
