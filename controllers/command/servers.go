// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
	corev1 "k8s.io/api/core/v1"
	certutil "k8s.io/client-go/util/cert"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// Bounds of each server: any client that reaches the port can send requests, and shares memory with the reconciler.
const (
	// maxConnections also bounds concurrent requests: HTTP/1.1 has one per connection.
	maxConnections = 64

	// maxHeader bounds a request's line and headers to 16 KiB: net/http reads 4 KiB more than its limit.
	maxHeader = 16<<10 - 4<<10
)

// addServers adds the servers of probes and metrics to the manager. The manager's own servers accept headers of 1 MiB and any
// number of connections, and have no option for that.
func addServers(ctx context.Context, mgr ctrl.Manager, o options) error {
	probes := serving{name: "health probe", address: o.probeAddress, handler: probeHandler(mgr.GetCache()), connections: maxConnections}
	if _, err := addServer(ctx, mgr, probes); err != nil {
		return fmt.Errorf("--health-probe-bind-address: %w", err)
	}
	handler := promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{})
	var certificate *tls.Config
	if o.metricsSecure {
		var err error
		if handler, err = requireAuthorization(mgr, handler); err != nil {
			return err
		}
		if certificate, err = metricsTLS(mgr, o.metricsCertPath); err != nil {
			return err
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", handler)
	scrapes := serving{name: "metrics", address: o.metricsAddress, handler: mux, certificate: certificate, connections: maxConnections}
	if _, err := addServer(ctx, mgr, scrapes); err != nil {
		return fmt.Errorf("--metrics-bind-address: %w", err)
	}
	return nil
}

// serving is one server: what it serves where, and to how many connections at once.
type serving struct {
	name, address string
	handler       http.Handler
	certificate   *tls.Config // nil means plain HTTP
	connections   int
}

// addServer listens on the address, and serves while the manager runs, leader or not. The address 0 disables the server. It
// returns the address that it listens on.
func addServer(ctx context.Context, mgr ctrl.Manager, s serving) (net.Addr, error) {
	if s.address == "" || s.address == "0" {
		return nil, nil //nolint:nilnil // see above
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	listener = netutil.LimitListener(listener, s.connections)
	if s.certificate != nil {
		listener = tls.NewListener(listener, s.certificate)
	}
	return listener.Addr(), mgr.Add(&manager.Server{
		Name: s.name, Listener: listener, ShutdownTimeout: new(10 * time.Second),
		Server: &http.Server{
			Handler:           s.handler,
			MaxHeaderBytes:    maxHeader,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       90 * time.Second,
			// Debug: otherwise any client could fill the log with failed handshakes.
			ErrorLog: slog.NewLogLogger(logr.ToSlogHandler(mgr.GetLogger().WithName(s.name)), slog.LevelDebug),
		},
	})
}

// probeHandler serves /healthz and /readyz. It closes connections, since each probe opens a new one, and an idle one counts towards
// maxConnections.
func probeHandler(c cache.Cache) http.Handler {
	mux := http.NewServeMux()
	for path, checks := range map[string]map[string]healthz.Checker{
		"/healthz": {"ping": healthz.Ping},
		"/readyz":  {"caches": cachesSynced(c)},
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

// cachesSynced fails until the caches have synced: a rollout must not replace a working replica by one that can't work yet.
func cachesSynced(c cache.Cache) healthz.Checker {
	return func(r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		if !c.WaitForCacheSync(ctx) {
			return errors.New("caches not synced yet")
		}
		return nil
	}
}

// metricsTLS returns a configuration with the certificate of a folder, or a self-signed one. HTTP/2 is off because of its rapid resets.
func metricsTLS(mgr ctrl.Manager, folder string) (*tls.Config, error) {
	config := &tls.Config{NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}
	if folder == "" {
		pair, err := selfSigned()
		if err != nil {
			return nil, fmt.Errorf("making a certificate for the metrics: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
		return config, nil
	}
	watcher, err := certwatcher.New(filepath.Join(folder, corev1.TLSCertKey), filepath.Join(folder, corev1.TLSPrivateKeyKey))
	if err != nil {
		return nil, fmt.Errorf("--metrics-cert-path: %w", err)
	}
	config.GetCertificate = watcher.GetCertificate
	return config, mgr.Add(watcher)
}

// selfSigned returns a new certificate that encrypts but doesn't authenticate the server.
func selfSigned() (tls.Certificate, error) {
	certificate, key, err := certutil.GenerateSelfSignedCertKey("localhost", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(certificate, key)
}
