// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm"
	"github.com/image-catalog/image-catalog-operator/controllers/preview"
	"github.com/image-catalog/image-catalog-operator/controllers/terminal"
)

// previewOptions are the flags of preview, and those of record among them.
type previewOptions struct {
	files      []string
	listings   []string
	cloud      bool
	against    string
	live       bool
	output     string
	at         string
	cvm        cvm.Options
	kubeconfig *kubeconfig
}

const previewExamples = `  # What would the queries of a file select of the images that the cloud has now?
  manager preview -f web.yaml --cloud

  # The same without network, from a listing that was recorded before
  manager record --query web.yaml > listing.json
  manager preview -f web.yaml --listing listing.json

  # What would change in the cluster?
  manager preview -f web.yaml --cloud --live`

func newPreview() *cobra.Command {
	var o previewOptions
	c := &cobra.Command{
		Use:   "preview -f FILE (--listing FILE | --cloud) [--against FILE | --live]",
		Short: "Shows what queries would select, before they are applied",
		Long: "Decides queries with the operator's own code: defaults and refusals of the API server, spec.match, spec.selection and,\n" +
			"against the present status, what would change and whether the removal would be blocked. It writes nothing.\n\n" +
			"Exit codes, of several queries the highest: 0 nothing changes, 1 an error, 2 a query is invalid, 3 a selection would change,\n" +
			"4 nothing would be selected, 5 a removal would be blocked.",
		Example: previewExamples,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return o.preview(c.Context(), c) },
	}
	f := c.Flags()
	f.StringSliceVarP(&o.files, "filename", "f", nil, "file with ImageQueries; - is stdin; can be repeated")
	f.StringSliceVar(&o.listings, "listing", nil, "file that record wrote, or with answers of DescribeImages, all pages; can be repeated")
	f.BoolVar(&o.cloud, "cloud", false, "ask the cloud, with the keys in TENCENTCLOUD_SECRET_ID, "+
		"TENCENTCLOUD_SECRET_KEY and TENCENTCLOUD_TOKEN")
	f.StringVar(&o.against, "against", "", "file with the queries as the cluster has them, "+
		"from kubectl get imagequeries -o yaml, to compare with")
	f.BoolVar(&o.live, "live", false, "compare with the queries and CloudImages in the cluster")
	f.StringVarP(&o.output, "output", "o", "table", "format: "+strings.Join(preview.Formats, ", "))
	f.StringVar(&o.at, "at", "", "time to decide for, such as 2026-08-20T08:00:00Z; without it now")
	o.bindCloud(c)
	o.kubeconfig = bindKubeconfig(c)
	c.MarkFlagsMutuallyExclusive("listing", "cloud")
	c.MarkFlagsMutuallyExclusive("against", "live")
	c.MarkFlagsOneRequired("listing", "cloud")
	must(c.MarkFlagRequired("filename"))
	must(c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(completions(preview.Formats), cobra.ShellCompDirectiveNoFileComp)))
	return c
}

const recordExamples = `  # Write what the cloud answers to the queries of a file
  manager record --query web.yaml > listing.json

  # Ask for the images that the cluster's queries know and the listing lacks, too
  kubectl get imagequeries -o yaml > present.yaml
  manager record --query web.yaml --against present.yaml > listing.json`

func newRecord() *cobra.Command {
	var o previewOptions
	c := &cobra.Command{
		Use:   "record --query FILE [--against FILE | --live]",
		Short: "Writes what the cloud answers to queries into a file for preview",
		Long: "Asks the cloud what the operator would ask for the queries of a file, with the keys in TENCENTCLOUD_SECRET_ID,\n" +
			"TENCENTCLOUD_SECRET_KEY and TENCENTCLOUD_TOKEN, and writes the answers to stdout. The file has no keys, but all that the account\n" +
			"sees of the images.",
		Example: recordExamples,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return o.record(c.Context(), c) },
	}
	f := c.Flags()
	f.StringSliceVar(&o.files, "query", nil, "file with ImageQueries; - is stdin; can be repeated")
	f.StringVar(&o.against, "against", "", "file with the queries as the cluster has them: "+
		"known images that the listing lacks are asked for, too")
	f.BoolVar(&o.live, "live", false, "as --against, with the queries in the cluster")
	o.bindCloud(c)
	o.kubeconfig = bindKubeconfig(c)
	c.MarkFlagsMutuallyExclusive("against", "live")
	must(c.MarkFlagRequired("query"))
	return c
}

// must panics where a command names a flag that it doesn't have.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func completions(words []string) []cobra.Completion { return slices.Clone(words) }

func (o *previewOptions) bindCloud(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.cvm.Endpoint, "cvm-endpoint", cvm.DefaultEndpoint, "host of the cloud's API; {region} in it is the region asked for")
	f.StringVar(&o.cvm.STS, "sts-endpoint", cvm.DefaultSTS, "host of the cloud's service for keys of roles")
	must(f.MarkHidden("sts-endpoint"))
}

// preview decides all queries and prints the result.
func (o *previewOptions) preview(ctx context.Context, c *cobra.Command) error {
	if !slices.Contains(preview.Formats, o.output) {
		return fmt.Errorf("-o must be one of %s, got %q", strings.Join(preview.Formats, ", "), o.output)
	}
	now, err := o.now()
	if err != nil {
		return err
	}
	p, err := o.previewer(c, now)
	if err != nil {
		return err
	}
	reports, err := o.decide(ctx, c, p)
	if err != nil {
		return err
	}
	if err := reports.Print(c.OutOrStdout(), o.output, now); err != nil {
		return err
	}
	if reports.ExitCode > 0 {
		return exitError{code: reports.ExitCode, err: failureOf(reports)}
	}
	return nil
}

// failureOf returns what stderr gets about queries that the operator would fail; nil if there are none.
func failureOf(reports *preview.Reports) error {
	var failures []error
	for _, r := range reports.Queries {
		if r.ExitCode != preview.ExitInvalid && r.Error != "" {
			failures = append(failures, fmt.Errorf("%s: %s: %s", terminal.Clean(r.Name), r.Reason, terminal.Clean(r.Error)))
		}
	}
	return errors.Join(failures...)
}

func (o *previewOptions) now() (time.Time, error) {
	if o.at == "" {
		return time.Now().UTC(), nil
	}
	at, err := time.Parse(time.RFC3339, o.at)
	if err != nil {
		return at, fmt.Errorf("--at must be a time such as 2026-08-20T08:00:00Z, got %q", o.at)
	}
	return at.UTC(), nil
}

// decide decides each query of the files.
func (o *previewOptions) decide(ctx context.Context, c *cobra.Command, p preview.Previewer) (*preview.Reports, error) {
	documents, others, err := preview.ReadQueries(ctx, o.files, c.InOrStdin())
	if err != nil {
		return nil, err
	}
	if others > 0 {
		c.PrintErrf("%d documents are of other kinds, and left out.\n", others)
	}
	reports := &preview.Reports{}
	for _, document := range documents {
		report, err := p.Decide(ctx, document)
		if err != nil {
			return nil, err
		}
		reports.Add(report)
	}
	return reports, nil
}

// previewer finds what answers and what to compare with.
func (o *previewOptions) previewer(c *cobra.Command, now time.Time) (preview.Previewer, error) {
	p := preview.Previewer{Now: now}
	var err error
	if p.Present, err = o.present(c.InOrStdin()); err != nil {
		return p, err
	}
	if o.cloud {
		var cloud catalog.Lister
		cloud, p.Account, err = o.connect(c.ErrOrStderr())
		p.Lister = func(string) catalog.Lister { return cloud }
		return p, err
	}
	player, err := preview.ReadListings(o.listings, c.InOrStdin())
	p.Lister = func(credentials string) catalog.Lister { return player.For(credentials) }
	return p, err
}

// record writes what the cloud answers to the requests of a preview.
func (o *previewOptions) record(ctx context.Context, c *cobra.Command) error {
	now := time.Now().UTC()
	p := preview.Previewer{Now: now}
	var err error
	if p.Present, err = o.present(c.InOrStdin()); err != nil {
		return err
	}
	cloud, account, err := o.connect(c.ErrOrStderr())
	if err != nil {
		return err
	}
	recorder := preview.NewRecorder(cloud)
	p.Account, p.Lister = account, recorder.For
	reports, err := o.decide(ctx, c, p)
	if err != nil {
		return err
	}
	for _, r := range reports.Queries {
		if r.ExitCode == preview.ExitInvalid {
			return exitError{code: preview.ExitInvalid, err: fmt.Errorf("%s: %s", r.File, terminal.Clean(r.Error))}
		}
		if r.Reason != "" && r.Reason != imagev1alpha1.ReasonTooFewImages && r.Reason != imagev1alpha1.ReasonTooManyImages {
			return fmt.Errorf("%s: %s: %s", r.Name, r.Reason, terminal.Clean(r.Error))
		}
	}
	encoder := json.NewEncoder(c.OutOrStdout())
	encoder.SetIndent("", " ")
	return encoder.Encode(recorder.Recording(now))
}

// connect returns a client of the cloud with the environment's keys. It shows how far it is while a person waits.
func (o *previewOptions) connect(errOut io.Writer) (catalog.Lister, catalog.Account, error) {
	account, err := controllers.EnvironmentAccount()
	if err != nil {
		return nil, account, fmt.Errorf("asking the cloud: %w", err)
	}
	cloud, err := cvm.New(o.cvm)
	if err != nil {
		return nil, account, err
	}
	if terminal.IsTerminal(errOut) {
		var mu sync.Mutex
		cloud.Progress = func(read, total int) {
			mu.Lock()
			defer mu.Unlock()
			// Back to the line's beginning, and clear the line once all is read.
			_, _ = fmt.Fprintf(errOut, "\r%d of %d images", read, total)
			if read >= total {
				_, _ = fmt.Fprint(errOut, "\r\x1b[K")
			}
		}
	}
	return cloud, account, nil
}

// present returns where queries are found as they are now; nil if there is nothing to compare with.
func (o *previewOptions) present(stdin io.Reader) (preview.Present, error) {
	switch {
	case o.against != "":
		known, err := preview.ReadPresent(o.against, stdin)
		return func(_ context.Context, query *imagev1alpha1.ImageQuery) (preview.State, error) {
			return preview.State{Query: known[query.Name]}, nil
		}, err
	case o.live:
		cluster, err := o.kubeconfig.client()
		return func(ctx context.Context, query *imagev1alpha1.ImageQuery) (preview.State, error) {
			return readLive(ctx, cluster, query)
		}, err
	}
	return nil, nil
}

// readLive reads a query and the CloudImages of its region, as a viewer may.
func readLive(ctx context.Context, cluster client.Reader, query *imagev1alpha1.ImageQuery) (preview.State, error) {
	present := &imagev1alpha1.ImageQuery{}
	if err := cluster.Get(ctx, client.ObjectKey{Name: query.Name}, present); apierrors.IsNotFound(err) {
		return preview.State{}, nil
	} else if err != nil {
		return preview.State{}, fmt.Errorf("reading the ImageQuery %s: %w", query.Name, err)
	}
	images := &imagev1alpha1.CloudImageList{}
	if err := cluster.List(ctx, images, client.MatchingLabels{imagev1alpha1.LabelRegion: query.Spec.Region}); err != nil {
		return preview.State{}, fmt.Errorf("reading the CloudImages of %s: %w", query.Spec.Region, err)
	}
	return preview.State{Query: present, Images: images.Items}, nil
}
