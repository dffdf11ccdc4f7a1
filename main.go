// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// The manager brings Tencent Cloud's catalogue of CVM images into Kubernetes. This file reads flags, wires
// cvm → catalog → controllers, and guards /metrics; what the operator does is described in controllers/doc.go.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilcache "k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/apimachinery/pkg/util/uuid"
	authenticationv1client "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1client "k8s.io/client-go/kubernetes/typed/authorization/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
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
	f.StringVar(&o.cvm.Endpoint, "cvm-endpoint", cvm.DefaultEndpoint, "host of the cloud's API; http:// only for a loopback address")
	f.StringVar(&o.cvm.STS, "sts-endpoint", cvm.DefaultSTS, "host of the cloud's service for keys of roles; http:// only for a loopback address")
	f.StringVar(&o.cvm.Metadata, "metadata-endpoint", cvm.DefaultMetadata, "address of the node's metadata service, for --default-credentials=cvm-role")
	f.Float64Var(&o.cvm.QPS, "cvm-qps", 10, "requests per second to the cloud for each source of credentials; the cloud admits 40 for an account, shared by all its users")
	f.IntVar(&o.cvm.Burst, "cvm-burst", 10, "requests to the cloud that may go out at once")
	f.IntVar(&o.concurrent, "concurrent", 4, "queries that are polled at once with the same credentials")
	f.Func("regions", "regions whose queries this operator works on, separated by commas; without it all. Operators that share a cluster need disjoint ones", func(text string) (err error) {
		o.shard, err = controllers.ParseShard(text)
		return err
	})
	f.IntVar(&o.maxStatusImages, "max-status-images", 500, "images that a query's status lists, at most 2000; CloudImages are there for all")
	f.StringVar(&o.defaultCredentials, "default-credentials", "secret", "credentials of queries without credentialsRef: secret (the Secret "+imagev1alpha1.DefaultCredentialsSecret+"), env (TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY, TENCENTCLOUD_TOKEN), cvm-role (the node's role) or tke-oidc (the role of the pod's ServiceAccount in TKE)")
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
	mgr, err := newManager(config, o)
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
		return &account, err
	case auth.CVMRole:
		return &catalog.Account{Source: auth.CVMRole, Ambient: auth.CVMRole}, nil
	case auth.TKEOIDC:
		var err error
		if o.cvm.WebIdentity, err = auth.WebIdentityFrom(os.Getenv); err != nil {
			return nil, fmt.Errorf("--default-credentials=tke-oidc: %w", err)
		}
		return &catalog.Account{Source: auth.TKEOIDC, Ambient: auth.TKEOIDC}, nil
	}
	return nil, nil //nolint:nilnil // see above
}

func newManager(config *rest.Config, o options) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, imagev1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("building the scheme: %w", err)
		}
	}
	// Priority and fairness in the API server are the limit; a second one here would only delay.
	config.QPS = -1
	config.UserAgent = "manager/" + name
	metrics := server.Options{BindAddress: o.metricsAddress, SecureServing: o.metricsSecure, TLSOpts: []func(*tls.Config){strictTLS}}
	if o.metricsSecure {
		metrics.FilterProvider = readers
	}
	lease := o.shard.LeaseName(name)
	lock, err := newLock(config, o.credentialsNamespace, lease)
	if err != nil {
		return nil, fmt.Errorf("preparing leader election: %w", err)
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                              scheme,
		Metrics:                             metrics,
		HealthProbeBindAddress:              o.probeAddress,
		LeaderElection:                      o.leaderElect,
		LeaderElectionID:                    lease,
		LeaderElectionResourceLockInterface: lock,
		LeaderElectionReleaseOnCancel:       true,
		Cache:                               controllers.CacheOptions(o.credentialsNamespace),
	})
	if err != nil {
		return nil, fmt.Errorf("building the manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, err
	}
	return mgr, mgr.AddReadyzCheck("caches", filled(mgr.GetCache()))
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

// strictTLS keeps HTTP/2 and its resets out of the metrics server, and old TLS.
func strictTLS(c *tls.Config) {
	c.NextProtos = []string{"http/1.1"}
	c.MinVersion = tls.VersionTLS12
}

// What is remembered of those who ask for /metrics: how many, and for how long. A scrape would else cost the API server two
// requests, and fail while that is away for a moment.
const (
	readersKnown = 64
	consentTTL   = 2 * time.Minute
	refusalTTL   = 10 * time.Second
)

// reviewer asks the cluster who may read what.
type reviewer struct {
	tokens authenticationv1client.TokenReviewsGetter
	access authorizationv1client.SubjectAccessReviewsGetter
	known  *utilcache.LRUExpireCache
}

// readers lets those at /metrics whom the cluster lets: TokenReview says who has the token, SubjectAccessReview whether that
// one may. Controller-runtime's own filter asks the same by the API server's libraries, which are two fifths of the binary
// and a third of an idle operator's memory (docs/decisions/0004).
func readers(config *rest.Config, httpClient *http.Client) (server.Filter, error) {
	tokens, err := authenticationv1client.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, err
	}
	access, err := authorizationv1client.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, err
	}
	reviewer := reviewer{tokens, access, utilcache.NewLRUExpireCache(readersKnown)}
	return func(log logr.Logger, next http.Handler) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			code, err := reviewer.answer(logr.NewContext(r.Context(), log), r)
			switch {
			case err != nil:
				log.Error(err, "Asking the API server who reads the metrics")
				http.Error(w, "The API server can't be asked who may read this; try again", http.StatusServiceUnavailable)
			case code != http.StatusOK:
				http.Error(w, http.StatusText(code), code)
			default:
				next.ServeHTTP(w, r)
			}
		}), nil
	}, nil
}

// answer is the code of the answer to a request, from memory where that has it.
func (v reviewer) answer(ctx context.Context, r *http.Request) (int, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return http.StatusUnauthorized, nil
	}
	what := authorizationv1.NonResourceAttributes{Path: r.URL.Path, Verb: strings.ToLower(r.Method)}
	// A hash, because strangers choose how long these are.
	key := sha256.Sum256([]byte(strings.Join([]string{what.Verb, what.Path, token}, "\x00")))
	if code, found := v.known.Get(key); found {
		return code.(int), nil
	}
	code, err := v.review(ctx, token, what)
	if err != nil {
		return 0, err
	}
	ttl := refusalTTL
	if code == http.StatusOK {
		ttl = consentTTL
	}
	v.known.Add(key, code, ttl)
	return code, nil
}

// review is answer by the API server's word.
func (v reviewer) review(ctx context.Context, token string, what authorizationv1.NonResourceAttributes) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	log := logr.FromContextOrDiscard(ctx)
	bearer, err := v.tokens.TokenReviews().Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
	if err != nil {
		return 0, err
	}
	if !bearer.Status.Authenticated {
		log.V(1).Info("Nobody has this token", "error", bearer.Status.Error)
		return http.StatusUnauthorized, nil
	}
	user := bearer.Status.User
	extra := map[string]authorizationv1.ExtraValue{}
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	review, err := v.access.SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra, NonResourceAttributes: &what,
	}}, metav1.CreateOptions{})
	if err != nil {
		return 0, err
	}
	if !review.Status.Allowed {
		log.V(1).Info("May not read the metrics", "user", user.Username, "reason", review.Status.Reason, "error", review.Status.EvaluationError)
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
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
