// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth"
	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/watch"
	"github.com/image-catalog/image-catalog-operator/controllers/publish"
)

// name identifies the operator in its Lease, its events and its user agent.
const name = "image-catalog-operator"

// operate runs the operator with the arguments that follow the program's name, until the context ends.
func operate(ctx context.Context, root *cobra.Command, args []string) error {
	o, err := parse(newFlagSet(), args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return root.Help()
	case err != nil:
		return err
	case o.printVersion:
		_, err := fmt.Fprintln(root.OutOrStdout(), root.Version)
		return err
	}
	return run(ctx, o)
}

// newFlagSet returns a set that has controller-runtime's flag --kubeconfig.
func newFlagSet() *flag.FlagSet {
	f := flag.NewFlagSet("manager", flag.ContinueOnError)
	f.SetOutput(io.Discard) // errors are returned, too
	ctrl.RegisterFlags(f)
	return f
}

// run wires the operator and blocks until ctx is done. It checks the cloud's flags and environment first, which needs no
// cluster.
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
	if err := setUpPublishing(mgr, o); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// defaultAccount returns the account of queries without credentialsRef, or nil if it is read from a Secret.
func defaultAccount(o *options) (*catalog.Account, error) {
	switch o.defaultCredentials {
	case "env":
		account, err := controllers.EnvironmentAccount()
		if err != nil {
			return nil, fmt.Errorf("--default-credentials=env: %w", err)
		}
		account.AccountID = o.defaultAccountID
		return &account, nil
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
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	// The API server's priority and fairness limits requests; a second limit in the client would only add latency.
	config.QPS = -1
	// Since Kubernetes 1.37 the API server compresses watches that begin with a list, each event by itself (kubernetes/kubernetes#140140).
	// On a cluster's network the CPU time of both sides costs more than the bytes.
	config.DisableCompression = true
	config.UserAgent = "manager/" + name
	lease := o.shard.LeaseName(name)
	lock, err := newLeaseLock(config, o.credentialsNamespace, lease)
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
		Cache:                               controllers.CacheOptions(o.credentialsNamespace),
		NewCache:                            watch.NewCache,
	})
	if err != nil {
		return nil, fmt.Errorf("building the manager: %w", err)
	}
	return mgr, addServers(ctx, mgr, o)
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, imagev1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("building the scheme: %w", err)
		}
	}
	return scheme, nil
}

func newReconciler(mgr ctrl.Manager, o options, cloud *cvm.Client, account *catalog.Account) (*controllers.Reconciler, error) {
	lister, loop := catalog.NewShared(cloud, time.Now), controllers.NewMetrics()
	if err := register(append(cloud.Collectors(), loop, coalescedTotal(lister))...); err != nil {
		return nil, err
	}
	return &controllers.Reconciler{
		Client:          mgr.GetClient(),
		APIReader:       mgr.GetAPIReader(),
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

// setUpPublishing adds the controller that fills ConfigMaps, if there are namespaces for it.
func setUpPublishing(mgr ctrl.Manager, o options) error {
	if len(o.publishNamespaces) == 0 {
		return nil
	}
	metrics := publish.NewMetrics()
	if err := register(metrics); err != nil {
		return err
	}
	reconciler := &publish.Reconciler{
		Client: mgr.GetClient(), APIReader: mgr.GetAPIReader(), Namespaces: o.publishNamespaces, Covers: o.shard.Covers, Metrics: metrics,
	}
	return reconciler.SetupWithManager(mgr)
}
