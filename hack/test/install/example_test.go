// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// The policy and the binding that docs/install.md shows do together what it says of them.
func TestTheExamplesOfWhoMayNameWhichAccountWork(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readFile(t, root+"/docs/install.md"), -1) {
		c.Apply(block[1])
	}
	// An editor of another group, whom nothing but the policy holds back.
	c.Kubectl("", "create", "clusterrolebinding", "guests", "--clusterrole=imagequery-editor", "--group=guests")
	platform, guest := member(t, c, "platform-team"), member(t, c, "guests")

	plain, another, shared, trusted := newQuery(), newQuery(), newQuery(), newQuery()
	another.Spec.CredentialsRef = &imagev1alpha1.CredentialsReference{Name: "acct2"}
	shared.Spec.Filters = []imagev1alpha1.Filter{{Name: "image-type", Values: []string{"SHARED_IMAGE"}}}
	trusted.Spec.Filters = shared.Spec.Filters
	trusted.Spec.Match.Creators = []string{"100000000001"}

	create := func(who client.Client, query *imagev1alpha1.ImageQuery) error {
		return who.Create(t.Context(), query.DeepCopy(), client.DryRunAll)
	}
	c.Until("the policy is in force", func(context.Context) error {
		if err := create(guest, another); err == nil {
			return errors.New("a guest may name another account")
		}
		return nil
	})
	for what, tc := range map[string]struct {
		who   client.Client
		query *imagev1alpha1.ImageQuery
		want  string // in the refusal; empty if there is none
	}{
		"a guest's plain query":                          {guest, plain, ""},
		"a guest's query for another account":            {guest, another, "leave credentialsRef out"},
		"the platform team's query for another account":  {platform, another, ""},
		"a query for anybody's shared images":            {platform, shared, "say in match.creators"},
		"a query for shared images of a trusted account": {guest, trusted, ""},
	} {
		err := create(tc.who, tc.query)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: refused with %q is wanted, and it is: %v", what, tc.want, err)
		}
	}
}

func newQuery() *imagev1alpha1.ImageQuery {
	return &imagev1alpha1.ImageQuery{ObjectMeta: metav1.ObjectMeta{Name: "query"}, Spec: imagev1alpha1.ImageQuerySpec{Region: "ap-guangzhou"}}
}

// member is a client of somebody in a group.
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
