// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/inspect"
	"github.com/image-catalog/image-catalog-operator/controllers/preview"
	"github.com/image-catalog/image-catalog-operator/controllers/terminal"
)

// clusterOptions are the flags of the commands that ask the cluster about one query.
type clusterOptions struct {
	output       string
	architecture string
	kubeconfig   *kubeconfig
}

func newStatus() *cobra.Command {
	var o clusterOptions
	c := &cobra.Command{
		Use:   "status NAME",
		Short: "Shows a query on one screen: what is selected, waits and leaves, and what to do",
		Example: `  # What does the query web select, and what waits?
  kubectl imgq status web`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.status(c.Context(), c, args[0]) },
	}
	o.bind(c, true)
	return c
}

func newWhy() *cobra.Command {
	var o clusterOptions
	c := &cobra.Command{
		Use:   "why NAME IMAGE...",
		Short: "Explains in a sentence why an image is selected by a query, or isn't",
		Example: `  # Why doesn't web select my new build?
  kubectl imgq why web img-9qabwvbn`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error { return o.why(c.Context(), c, args[0], args[1:]) },
	}
	o.bind(c, true)
	return c
}

func newID() *cobra.Command {
	var o clusterOptions
	c := &cobra.Command{
		Use:   "id NAME",
		Short: "Prints the id of the image to use, for scripts",
		Long: "Prints the id of the first image that a query selects, of an architecture if one is given. If there is none, it prints\n" +
			"a sentence to stderr and ends with the exit code 4.",
		Example: `  # Boot what web selects for amd64
  IMAGE=$(kubectl imgq id web --arch amd64)`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.id(c.Context(), c, args[0]) },
	}
	c.Flags().StringVar(&o.architecture, "arch", "", "architecture: amd64, arm64 or 386; without it the first image of all")
	must(c.RegisterFlagCompletionFunc("arch", cobra.FixedCompletions([]string{"amd64", "arm64", "386"}, cobra.ShellCompDirectiveNoFileComp)))
	o.bind(c, false)
	return c
}

func newApprove() *cobra.Command {
	var o clusterOptions
	c := &cobra.Command{
		Use:   "approve NAME TOKEN",
		Short: "Approves a removal that the operator holds back",
		Long: "Annotates the query with the token that its condition RemovalBlocked shows. A token of another removal, or of the\n" +
			"same one with other images, is refused.",
		Example: `  # Look at what would leave, and let it go
  kubectl imgq status web
  kubectl imgq approve web 9f2c51a07be4`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error { return o.approve(c.Context(), c, args[0], args[1]) },
	}
	o.bind(c, false)
	return c
}

// bind adds the flags that all have, and completes the names of queries.
func (o *clusterOptions) bind(c *cobra.Command, printsJSON bool) {
	if printsJSON {
		c.Flags().StringVarP(&o.output, "output", "o", "table", "format: table or json")
		must(c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	}
	o.kubeconfig = bindKubeconfig(c)
	c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		cluster, err := o.kubeconfig.client()
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		queries := &imagev1alpha1.ImageQueryList{}
		if err := cluster.List(c.Context(), queries); err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var names []cobra.Completion
		for i := range queries.Items {
			names = append(names, queries.Items[i].Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// asJSON reports whether the result is for programs.
func (o *clusterOptions) asJSON() (bool, error) {
	if o.output != "table" && o.output != "json" {
		return false, fmt.Errorf("-o must be table or json, got %q", o.output)
	}
	return o.output == "json", nil
}

func writeJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

func (o *clusterOptions) status(ctx context.Context, c *cobra.Command, name string) error {
	asJSON, err := o.asJSON()
	if err != nil {
		return err
	}
	cluster, err := o.kubeconfig.client()
	if err != nil {
		return err
	}
	status, err := inspect.ReadStatus(ctx, cluster, name)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(c.OutOrStdout(), status)
	}
	p := terminal.New(c.OutOrStdout())
	status.Print(p, time.Now())
	return p.Err()
}

func (o *clusterOptions) why(ctx context.Context, c *cobra.Command, name string, ids []string) error {
	asJSON, err := o.asJSON()
	if err != nil {
		return err
	}
	cluster, err := o.kubeconfig.client()
	if err != nil {
		return err
	}
	query, err := inspect.ReadQuery(ctx, cluster, name)
	if err != nil {
		return err
	}
	p := terminal.New(c.OutOrStdout())
	var all []inspect.Why
	for _, id := range ids {
		why, err := inspect.Explain(ctx, cluster, query, id)
		if err != nil {
			return err
		}
		all = append(all, why)
		if !asJSON {
			p.Line("%s: %s", strings.TrimSpace(terminal.Clean(id+" "+why.Name)), terminal.Clean(why.Sentence))
		}
	}
	if asJSON {
		return writeJSON(c.OutOrStdout(), all)
	}
	return p.Err()
}

func (o *clusterOptions) id(ctx context.Context, c *cobra.Command, name string) error {
	cluster, err := o.kubeconfig.client()
	if err != nil {
		return err
	}
	query, err := inspect.ReadQuery(ctx, cluster, name)
	if err != nil {
		return err
	}
	image, found := imagev1alpha1.Selected(query, imagev1alpha1.Architecture(o.architecture))
	if !found {
		return exitError{code: preview.ExitNothing, err: fmt.Errorf("%s selects no image%s; %s shows why", name, forArchitecture(o.architecture),
			"kubectl imgq status "+name)}
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), image.ImageID)
	return err
}

func forArchitecture(architecture string) string {
	if architecture == "" {
		return ""
	}
	return " for " + architecture
}

func (o *clusterOptions) approve(ctx context.Context, c *cobra.Command, name, token string) error {
	cluster, err := o.kubeconfig.client()
	if err != nil {
		return err
	}
	images, err := inspect.Approve(ctx, cluster, name, token)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "Approved. The operator polls %s at once, and what is still missing then leaves: %d at most.\n",
		name, images)
	return err
}
