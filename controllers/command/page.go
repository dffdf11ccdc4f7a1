// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/image-catalog/image-catalog-operator/controllers/cloudimage/watch"
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
	kubeconfig   *kubeconfig
}

// newPage returns the command that serves the page.
func newPage() *cobra.Command {
	var o pageOptions
	c := &cobra.Command{
		Use:   "page",
		Short: "Serves the catalogue as web pages on this machine, or writes them as files",
		Long: "Shows what is selected now, what waits for approval, what changed, and all images, to people with a browser.\n" +
			"The page reads with the rights of the kubeconfig's user, writes nothing, and listens on a loopback address only.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c) },
	}
	o.bind(c)
	return c
}

func (o *pageOptions) bind(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.address, "bind-address", "127.0.0.1:8090", "loopback address of the page; port 0 chooses a free one")
	f.StringVar(&o.probeAddress, "health-probe-bind-address", "0", "address of /healthz and /readyz, which have nothing of the catalogue; 0 switches them off")
	f.StringSliceVar(&o.allowedHosts, "allowed-hosts", nil, "names, besides those of this machine, under which an authenticating proxy "+
		"beside the page serves it: a request's Host header must have one of them")
	f.StringVar(&o.export, "export", "", "new folder to write the page into as files, instead of serving it")
	logging := flag.NewFlagSet("", flag.ContinueOnError)
	o.zap.BindFlags(logging)
	f.AddGoFlagSet(logging)
	o.kubeconfig = bindKubeconfig(c)
}

// validate refuses what would let the page past RBAC: every client of the port sees what the page's own rights show.
func (o *pageOptions) validate() error {
	host, _, err := net.SplitHostPort(o.address)
	if err != nil {
		return fmt.Errorf("--bind-address: %w", err)
	}
	if address, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !address.IsLoopback()) {
		return fmt.Errorf("--bind-address must be a loopback address, such as 127.0.0.1:8090, got %q: the page authenticates no one, "+
			"so reach it by kubectl port-forward or through an authenticating proxy beside it", o.address)
	}
	return nil
}

// run serves until the command's context is done, or exports.
func (o *pageOptions) run(c *cobra.Command) error {
	ctx := c.Context()
	if err := o.validate(); err != nil {
		return err
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&o.zap)))
	config, err := o.kubeconfig.restConfig()
	if err != nil {
		return err
	}
	watches := page.NewWatches(time.Now)
	mgr, err := newPageManager(config, watches)
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
	return servePage(ctx, mgr, s, c.OutOrStdout(), o)
}

// servePage serves until ctx is done.
func servePage(ctx context.Context, mgr ctrl.Manager, s *page.Server, out io.Writer, o *pageOptions) error {
	address, err := addServer(ctx, mgr, serving{name: "page", address: o.address, handler: s.Handler(), connections: maxViewers})
	if err != nil {
		return fmt.Errorf("--bind-address: %w", err)
	}
	if _, err := addServer(ctx, mgr, serving{
		name: "health probe", address: o.probeAddress, handler: probeHandler(mgr.GetCache()), connections: maxConnections,
	}); err != nil {
		return fmt.Errorf("--health-probe-bind-address: %w", err)
	}
	if _, err := fmt.Fprintf(out, "The catalogue is at http://%s/\n", address); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// newPageManager returns a manager that only reads.
func newPageManager(config *rest.Config, watches *page.Watches) (ctrl.Manager, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	config.UserAgent = "manager/page"
	config.Wrap(watches.Wrap)
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Metrics: server.Options{BindAddress: "0"}, Cache: page.CacheOptions(), NewCache: watch.NewCache,
	})
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
