// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"path/filepath"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// catalogue shows the results of the queries.
func (cl *cluster) catalogue(ctx context.Context, say *story, queries []imagev1alpha1.ImageQuery, example string) error {
	for i := range queries {
		if err := cl.agrees(ctx, &queries[i]); err != nil {
			return err
		}
	}
	say.chapter("The catalogue: a query says which images someone cares about and whether they are up to date")
	if err := cl.show(ctx, say, 0, "get", "imagequeries"); err != nil {
		return err
	}
	say.chapter("Every image that a query matches is an object, which controllers watch and select by label")
	for _, get := range []struct {
		most int
		args []string
	}{
		{12, []string{"get", "cloudimages"}},
		{6, []string{"get", "cloudimages", "-l", imagev1alpha1.LabelArch + "=arm64," + imagev1alpha1.LabelState + "=NORMAL"}},
		{0, []string{"get", "cloudimage", example, "-o", "yaml"}},
	} {
		if err := cl.show(ctx, say, get.most, get.args...); err != nil {
			return err
		}
	}
	return nil
}

// stay serves the page, and keeps everything running until the reader interrupts it.
func stay(c *children, cl *cluster, s settings, say *story, hints ...string) error {
	page, err := startPage(c, cl, s)
	if err != nil {
		return err
	}
	if s.once {
		say.chapter("Done")
		say.step("Everything was as it should be; ending, since ONCE is set")
		return nil
	}
	say.chapter("Now play with it, in another terminal; Ctrl-C here ends everything")
	say.text("The catalogue as a page: " + page)
	say.text("export KUBECONFIG=" + cl.kubeconfig)
	say.text("export PATH=\"$PATH:" + filepath.Dir(cl.kubectlPath) + "\"    # for kubectl, if there is none")
	say.text("tail -f " + c.log(filepath.Base(s.manager)) + "    # what the operator says")
	for _, hint := range hints {
		say.text(hint)
	}
	<-c.ctx.Done()
	return c.ended()
}
