// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Command cvmsim serves a simulated DescribeImages of Tencent Cloud's CVM, a simulated STS that knows its keys, a simulated
// node's metadata service, and an API to control them. See docs/simulator.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth/authtest"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/orphan"
)

type config struct {
	options     cvmtest.Options
	control     string
	inventory   cvmtest.Inventory
	pageExample bool
	readyFile   string
	detach      bool
}

// ready is printed, and written to -ready-file, once requests are answered.
type ready struct {
	URL       string `json:"url"`
	STS       string `json:"sts"`
	Metadata  string `json:"metadata"`
	Control   string `json:"control,omitempty"`
	SecretID  string `json:"secretID"`
	SecretKey string `json:"secretKey"`
}

func main() {
	cfg, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if !cfg.detach {
			ctx = untilClosed(orphan.Context(ctx, os.Getppid), os.Stdin)
		}
		err = run(ctx, cfg, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cvmsim:", err)
		os.Exit(1)
	}
}

func parse(args []string, usage io.Writer) (config, error) {
	var c config
	var regions string
	f := flag.NewFlagSet("cvmsim", flag.ContinueOnError)
	f.SetOutput(usage)
	f.StringVar(&c.options.Addr, "addr", "127.0.0.1:0", "address of the simulated API; port 0 takes a free one")
	f.StringVar(&c.control, "control", "127.0.0.1:0", "loopback address of the control API; empty for none")
	f.IntVar(&c.options.RateLimit, "rate-limit", cvmtest.DefaultRateLimit,
		"requests per second for each action and credential; negative for no limit")
	f.DurationVar(&c.options.Latency, "latency", 0, "added to every answer")
	f.BoolVar(&c.options.CountBeforeInstanceType, "count-before-instance-type", false, "TotalCount counts what matches without InstanceType")
	f.TextVar(&c.options.SharedCreator, "shared-creator", cvmtest.CreatorAsShared,
		"what ImageCreator says of shared images: owner, sub-account or null")
	f.Uint64Var(&c.inventory.Seed, "seed", 1, "chooses the generated images")
	f.BoolVar(&c.inventory.Public, "public", true, "put the public images into each region")
	f.IntVar(&c.inventory.Private, "private", 20, "private images in each region")
	f.IntVar(&c.inventory.Shared, "shared", 5, "images shared with the account in each region")
	f.StringVar(&regions, "regions", "ap-guangzhou", "regions to fill, separated by commas")
	f.BoolVar(&c.pageExample, "page-example", false,
		"instead of private images, put the 408 of the API page's second example into the first region")
	f.StringVar(&c.readyFile, "ready-file", "", "file to write the addresses and the credential to, as JSON, once requests are answered")
	f.BoolVar(&c.detach, "detach", false, "go on when the parent process ends or stdin, if a pipe, is closed; without it cvmsim stops then")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	c.inventory.Regions = strings.Split(regions, ",")
	if f.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if c.options.RateLimit == 0 {
		return c, errors.New("-rate-limit is 0: give a positive number, or a negative one for no limit")
	}
	return c, loopback(c.control)
}

// loopback rejects other addresses, because the control API has no authentication.
func loopback(addr string) error {
	if addr == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("-control: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("-control %s: give a loopback address", addr)
	}
	return nil
}

// run serves until ctx ends.
func run(ctx context.Context, c config, out io.Writer) error {
	s, err := cvmtest.Start(c.options) //nolint:contextcheck // it serves until Close
	if err != nil {
		return err
	}
	defer s.Close()
	fill(s, c)
	sts := authtest.NewSTS(s)
	defer sts.Close()
	metadata := authtest.NewMetadata(s, "", "")
	defer metadata.Close()
	r := ready{
		URL: s.URL(), STS: sts.URL(), Metadata: metadata.URL(), SecretID: cvmtest.DefaultCredential.SecretID,
		SecretKey: cvmtest.DefaultCredential.SecretKey,
	}
	if c.control != "" {
		control, err := serveControl(ctx, s.ControlHandler(authtest.ControlRoutes(sts, metadata)), c.control)
		if err != nil {
			return err
		}
		defer func() { _ = control.Close() }()
		r.Control = "http://" + control.Addr
	}
	if err := writeReady(r, c.readyFile, out); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func fill(s *cvmtest.Server, c config) {
	if !c.pageExample {
		s.Fill(c.inventory)
		return
	}
	inv := c.inventory
	inv.Private = 0
	s.Fill(inv)
	s.Put(inv.Regions[0], cvmtest.PageExample()...)
}

// serveControl listens on addr. The returned server's Addr is the actual address.
func serveControl(ctx context.Context, handler http.Handler, addr string) (*http.Server, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	control := &http.Server{Addr: l.Addr().String(), Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = control.Serve(l) }() // ends with Close
	return control, nil
}

// writeReady writes r atomically to the file, if one is given, and then prints it.
func writeReady(r ready, file string, out io.Writer) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if file != "" {
		temporary := filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+".part")
		if err := os.WriteFile(temporary, b, 0o600); err != nil {
			return err
		}
		if err := os.Rename(temporary, file); err != nil {
			return err
		}
	}
	_, err = out.Write(b)
	return err
}
