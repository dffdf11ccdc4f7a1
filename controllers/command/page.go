// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/image-catalog/image-catalog-operator/controllers/page"
)

// maxViewers bounds the connections to the page: a browser holds some of them open.
const maxViewers = 512

// pageOptions are the flags of the page.
type pageOptions struct {
	address      string
	probeAddress string
	allowedHosts []string
	export       string
	zap          zap.Options
}

func (o *pageOptions) bind(f *flag.FlagSet) {
	f.StringVar(&o.address, "bind-address", "127.0.0.1:8090", "loopback address of the page; port 0 chooses a free one")
	f.StringVar(&o.probeAddress, "health-probe-bind-address", "0", "address of /healthz and /readyz, which have nothing of the catalogue; 0 switches them off")
	f.Func("allowed-hosts", "names, besides those of this machine, that a request's Host header may have, separated by commas: "+
		"those under which an authenticating proxy beside the page serves it", func(text string) error {
		for name := range strings.SplitSeq(text, ",") {
			o.allowedHosts = append(o.allowedHosts, strings.TrimSpace(name))
		}
		return nil
	})
	f.StringVar(&o.export, "export", "", "new folder to write the page into as files, instead of serving it")
	ctrlconfig.RegisterFlags(f)
	o.zap.BindFlags(f)
}

// validate refuses what would let the page past RBAC: whoever reaches the port sees what the page's own rights show.
func (o *pageOptions) validate() error {
	host, _, err := net.SplitHostPort(o.address)
	if err != nil {
		return fmt.Errorf("--bind-address: %w", err)
	}
	if address, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !address.IsLoopback()) {
		return fmt.Errorf("--bind-address must be a loopback address, such as 127.0.0.1:8090, got %q: the page asks nobody who they are, "+
			"so reach it by kubectl port-forward or through an authenticating proxy beside it", o.address)
	}
	return nil
}

// Page serves the page, or exports it, with the arguments that follow the command's name.
func Page(args []string) error {
	var o pageOptions
	f := flag.NewFlagSet("manager page", flag.ContinueOnError)
	o.bind(f)
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("nothing but flags is understood, got %q; write --flag=value", f.Arg(0))
	}
	if err := o.validate(); err != nil {
		return err
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&o.zap)))
	return runPage(ctrl.SetupSignalHandler(), o)
}

// runPage serves until ctx is done.
func runPage(ctx context.Context, o pageOptions) error {
	watches := page.NewWatches(time.Now)
	mgr, err := newPageManager(watches)
	if err != nil {
		return err
	}
	catalogue, err := page.NewCatalogue(ctx, mgr.GetCache())
	if err != nil {
		return err
	}
	s := &page.Server{Catalogue: catalogue, Watches: watches, Now: time.Now, AllowedHosts: o.allowedHosts}
	if o.export != "" {
		return exportPage(ctx, mgr, s, o.export)
	}
	address, err := addServer(ctx, mgr, serving{name: "page", address: o.address, handler: s.Handler(), connections: maxViewers})
	if err != nil {
		return fmt.Errorf("--bind-address: %w", err)
	}
	if _, err := addServer(ctx, mgr, serving{
		name: "health probe", address: o.probeAddress, handler: probeHandler(mgr.GetCache()), connections: maxConnections,
	}); err != nil {
		return fmt.Errorf("--health-probe-bind-address: %w", err)
	}
	if _, err := fmt.Fprintf(os.Stdout, "The catalogue is at http://%s/\n", address); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// newPageManager returns a manager that only reads.
func newPageManager(watches *page.Watches) (ctrl.Manager, error) {
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the cluster: %w", err)
	}
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	config.UserAgent = "manager/page"
	config.Wrap(watches.Wrap)
	mgr, err := ctrl.NewManager(config, ctrl.Options{Scheme: scheme, Metrics: server.Options{BindAddress: "0"}, Cache: page.CacheOptions()})
	if err != nil {
		return nil, fmt.Errorf("building the page: %w", err)
	}
	return mgr, nil
}

// exportTimeout bounds how long an export waits for the catalogue.
const exportTimeout = time.Minute

// exportPage reads the catalogue once and writes it.
func exportPage(ctx context.Context, mgr ctrl.Manager, s *page.Server, folder string) error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	waiting, stop := context.WithTimeout(ctx, exportTimeout)
	defer stop()
	err := errors.New("the catalogue can't be read from the API server: look whether the kubeconfig's user may list and watch both kinds")
	if mgr.GetCache().WaitForCacheSync(waiting) {
		err = s.Export(folder)
	}
	cancel()
	return errors.Join(err, <-ended)
}
