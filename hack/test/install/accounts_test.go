// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// The example in docs/install.md works as described: for the platform team and for guests, who are restricted only by
// the policy.
func TestTheExamplesOfWhoMayNameWhichAccountWork(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	applyExamples(t, c)
	c.Kubectl("", "create", "clusterrolebinding", "guests", "--clusterrole=imagequery-editor", "--group=guests")
	platform, guest := member(t, c, "platform-team"), member(t, c, "guests")
	c.Until("the policy is in force", func(ctx context.Context) error {
		return refused(guest.Create(ctx, queryOf(t, "credentialsRef: {name: acct3}"), client.DryRunAll), "the account acct3")
	})
	const account = "leave spec.credentialsRef out"
	const creators = "leave these out of match.creators and selection.trustedCreators"
	const ids = "name the creators in match.creators"
	for spec, refusal := range map[string]string{
		"suspend: false": "",
		"filters: [{name: image-type, values: [SHARED_IMAGE]}]":           "",
		"filters: [{name: image-id, values: [img-0000001]}]":              "",
		"credentialsRef: {name: acct2}":                                   "",
		"credentialsRef: {name: acct3}":                                   account,
		`match: {creators: ["100000000001"]}`:                             "",
		`match: {creators: ["100000000001", "666"]}`:                      creators,
		`selection: {trustedCreators: ["100000000001"]}`:                  "",
		`selection: {trustedCreators: ["666"]}`:                           creators,
		"imageIDs: [img-0000001]":                                         ids,
		`imageIDs: [img-0000001], match: {creators: ["100000000001"]}`:    "",
		`imageIDs: [img-0000001], match: {creators: ["666"]}`:             creators,
		`imageIDs: [img-0000001], match: {excludeImageIDs: [img-000002]}`: ids,
	} {
		wantRefusal(t, "a guest's "+spec, guest.Create(t.Context(), queryOf(t, spec), client.DryRunAll), refusal)
		wantRefusal(t, "the platform team's "+spec, platform.Create(t.Context(), queryOf(t, spec), client.DryRunAll), "")
	}
}

// Guests may request a poll of any query, and the garbage collector removes finalizers. But guests must not edit
// another account's query.
func TestAQueryOfAnotherAccountIsForItsOwnersToEdit(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	applyExamples(t, c)
	c.Kubectl("", "create", "clusterrolebinding", "guests", "--clusterrole=imagequery-editor", "--group=guests")
	guest := member(t, c, "guests")
	query := queryOf(t, "credentialsRef: {name: acct3}")
	if err := c.Client.Create(t.Context(), query); err != nil {
		t.Fatal(err)
	}
	edit := merge(`{"spec":{"match":{"nameRegex":"anything"}}}`)
	c.Until("the policy is in force", func(ctx context.Context) error {
		return refused(guest.Patch(ctx, query.DeepCopy(), edit, client.DryRunAll), "the account acct3")
	})
	for what, patch := range map[string]string{
		"a guest's request":                        `{"metadata":{"annotations":{"imagecatalog.dev/requestedAt":"now"}}}`,
		"a guest's edit that gives the account up": `{"spec":{"credentialsRef":null}}`,
	} {
		wantRefusal(t, what, guest.Patch(t.Context(), query.DeepCopy(), merge(patch)), "")
	}

	// Without its list the policy refuses all writes of queries.
	c.Kubectl("", "-n", namespace, "delete", "configmap", "imagequery-accounts")
	c.Until("the list is missed", func(ctx context.Context) error {
		another := queryOf(t, "suspend: false")
		another.SetName("another")
		return refused(c.Client.Create(ctx, another, client.DryRunAll), "no params found")
	})
}

// wantRefusal expects an error with a text, or none if text is empty.
func wantRefusal(t *testing.T, what string, err error, text string) {
	t.Helper()
	if text != "" {
		err = refused(err, text)
	}
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// refused returns nil if err contains a text.
func refused(err error, text string) error {
	if err == nil {
		return fmt.Errorf("it is admitted, and a refusal with %q is wanted", text)
	}
	if !strings.Contains(err.Error(), text) {
		return fmt.Errorf("a refusal with %q is wanted: %w", text, err)
	}
	return nil
}

// applyExamples applies the examples in docs/install.md: objects, and a kustomization two folders below the top of the
// checkout.
func applyExamples(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	page, _, _ := strings.Cut(readFile(t, root+"/docs/install.md"), "\n## Selections in ConfigMaps\n") // package publish has the rest
	for _, block := range regexp.MustCompile("(?s)```yaml(?: kustomization)?\n(.*?)```").FindAllStringSubmatch(page, -1) {
		if !strings.Contains(block[1], "kind: Kustomization\n") {
			c.Apply(block[1])
			continue
		}
		folder, err := os.MkdirTemp(root+"/bin", "overlay-") //nolint:usetesting // the kustomization names config by a relative path
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(folder) })
		if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(block[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		c.Kubectl("", "apply", "--server-side", "-k", folder)
	}
}

// member returns a client of a user in a group.
func member(t *testing.T, c *cluster.Cluster, group string) client.Client {
	t.Helper()
	config := rest.CopyConfig(c.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "somebody", Groups: []string{group, "system:authenticated"}}
	somebody, err := client.New(config, client.Options{Scheme: c.Client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return somebody
}
