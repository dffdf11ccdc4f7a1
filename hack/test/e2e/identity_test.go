// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth/authtest"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

const (
	nodeUIN = "100000000003"
	podUIN  = "100000000004"
	readUIN = "100000000005"

	podRole    = "qcs::cam::uin/100000000004:roleName/pod"
	readerRole = "qcs::cam::uin/100000000005:roleName/reader"
)

// startWithRoles starts a cloud with images only in accounts that are accessible by roles.
func startWithRoles(t *testing.T) (*cluster.Cluster, *cluster.Cloud) {
	t.Helper()
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	cloud := c.StartCloud("-private=0", "-shared=0", "-public=false")
	for i, uin := range []string{nodeUIN, podUIN, readUIN} {
		cloud.Put(region, cvmtest.PrivateImages(uint64(i), i+1, uin)...)
	}
	t.Cleanup(func() {
		if unknown := cloud.Unknown(); len(unknown) > 0 {
			t.Errorf("the cloud was asked for what nobody knows the answer to: %q", unknown)
		}
	})
	return c, cloud
}

// The role of the node is the default credentials, and assumes the role in a Secret.
func TestTheNodesRole(t *testing.T) {
	c, cloud := startWithRoles(t)
	m := c.StartManager(cloud, "--default-credentials=cvm-role", "--metadata-endpoint="+cloud.Metadata, "--zap-log-level=10",
		"--metrics-secure=false")
	c.Apply(`{apiVersion: imagecatalog.dev/v1alpha1, kind: ImageQuery, metadata: {name: node}, spec: {region: ` + region + `}}`)
	refused(c, "node", "no role is bound to the node")

	cloud.Keys.SetNodeRole("node-role", nodeUIN)
	synced(c, "node", 1)
	asked := cloud.Keys.MetadataRequests()
	const path = "/latest/meta-data/cam/security-credentials/"
	if got := asked[max(0, len(asked)-2):]; !slices.Equal(got, []string{path, path + "node-role"}) {
		t.Errorf("the metadata service was asked for %q at last", got)
	}

	// At first it trusts another principal.
	cloud.Keys.SetRole(authtest.Role{ARN: readerRole, UIN: readUIN, Trusts: []string{podUIN}})
	err := c.Client.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: cluster.Namespace, Name: "reader"}, StringData: map[string]string{"roleArn": readerRole},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Apply(`{apiVersion: imagecatalog.dev/v1alpha1, kind: ImageQuery, metadata: {name: reader}, spec: {region: ` + region +
		`, credentialsRef: {name: reader}}}`)
	refused(c, "reader", "name the caller in the role's trust policy")
	cloud.Keys.SetRole(authtest.Role{ARN: readerRole, UIN: readUIN, Trusts: []string{nodeUIN}})
	synced(c, "reader", 3)

	wantAsked(t, cloud, map[string]int{"AssumeRole UnauthorizedOperation": 0, "AssumeRole ": 1}, 2)
	wantNoKeyShown(t, cloud, m)
}

// The pod's token from the API server is exchanged for keys of the pod's role. Other tokens are refused.
func TestThePodsIdentity(t *testing.T) {
	c, cloud := startWithRoles(t)
	const audience, provider = "sts.cloud.tencent.com", "cls-1"
	subject := "system:serviceaccount:" + cluster.Namespace + ":" + cluster.ServiceAccount
	var issuer struct{ Issuer string }
	var keys authtest.KeySet
	for path, into := range map[string]any{"/.well-known/openid-configuration": &issuer, "/openid/v1/jwks": &keys} {
		if err := json.Unmarshal([]byte(c.Kubectl("", "get", "--raw", path)), into); err != nil {
			t.Fatal(err)
		}
	}
	cloud.Keys.SetProvider(authtest.Provider{ID: provider, Issuer: issuer.Issuer, Keys: keys})
	cloud.Keys.SetRole(authtest.Role{ARN: podRole, UIN: podUIN, ProviderID: provider, Audience: audience, Subject: subject})
	c.CreateServiceAccount("stranger")

	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) string {
		t.Helper()
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		return token
	}
	tokens := []string{write(c.Token(cluster.ServiceAccount))}
	m := c.StartManager(cloud, "--default-credentials=tke-oidc", "--zap-log-level=10", "--metrics-secure=false",
		"TKE_REGION="+region, "TKE_PROVIDER_ID="+provider, "TKE_WEB_IDENTITY_TOKEN_FILE="+file, "TKE_ROLE_ARN="+podRole)
	c.Apply(`{apiVersion: imagecatalog.dev/v1alpha1, kind: ImageQuery, metadata: {name: pod}, spec: {region: ` + region + `}}`)

	for because, spoil := range map[string]func() (token string){
		"the token is for another audience": func() string { return c.Token(cluster.ServiceAccount) },
		"the token is another principal's":  func() string { return c.Token("stranger", audience) },
		"the token has expired": func() string {
			cloud.SetSkew(11 * time.Minute)
			return c.Token(cluster.ServiceAccount, audience)
		},
	} {
		token := write(spoil())
		tokens = append(tokens, token)
		c.Until("STS says that "+because, func(context.Context) error {
			c.Poll("pod")
			requests := cloud.Keys.STSRequests()
			last := requests[len(requests)-1]
			if last.WebIdentityToken != token || last.Code != "InvalidParameter.WebIdentityTokenError" || last.Message != because {
				return fmt.Errorf("its last answer is %q: %s", last.Code, last.Message)
			}
			return nil
		})
		refused(c, "pod", "the cloud doesn't accept the pod's token")
		cloud.SetSkew(0)
	}

	tokens = append(tokens, write(c.Token(cluster.ServiceAccount, audience)))
	synced(c, "pod", 2)
	wantAsked(t, cloud, map[string]int{
		"AssumeRoleWithWebIdentity InvalidParameter.WebIdentityTokenError": 0, "AssumeRoleWithWebIdentity ": 1,
	}, 1)
	wantNoKeyShown(t, cloud, m, tokens...)
}

// refused waits until a query is stalled without keys, with a message.
func refused(c *cluster.Cluster, query, says string) {
	c.Helper()
	c.UntilQuery(query, fmt.Sprintf("it is stalled with %q", says), func(q *imagev1alpha1.ImageQuery) bool {
		stalled := meta.FindStatusCondition(q.Status.Conditions, imagev1alpha1.ConditionStalled)
		return stalled != nil && stalled.Reason == imagev1alpha1.ReasonAuthenticationFailed && strings.Contains(stalled.Message, says)
	})
}

// synced requests polls until a query has a number of images.
func synced(c *cluster.Cluster, query string, images int32) {
	c.Helper()
	c.Until(query+" is synced", func(context.Context) error {
		q := c.Poll(query)
		if ready := meta.FindStatusCondition(q.Status.Conditions, imagev1alpha1.ConditionReady); ready == nil ||
			ready.Reason != imagev1alpha1.ReasonSynced {
			return fmt.Errorf("Ready is %v", ready)
		}
		if got := q.Status.ImageCount; got == nil || *got != images {
			return kit.Hopeless(fmt.Errorf("it has %v images, want %d", got, images))
		}
		return nil
	})
}

// wantAsked compares the requests to STS with counts by action and code, where 0 means at least one, and the number of
// listings, one per poll.
func wantAsked(t *testing.T, cloud *cluster.Cloud, want map[string]int, listings int) {
	t.Helper()
	got := map[string]int{}
	for _, r := range cloud.Keys.STSRequests() {
		got[r.Action+" "+r.Code]++
	}
	for what, n := range want {
		if n == 0 && got[what] > 0 {
			got[what] = 0
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests to STS (-want +got):\n%s", diff)
	}
	requests := cloud.Requests()
	if len(requests) != listings {
		t.Errorf("%d requests for images, want %d", len(requests), listings)
	}
	for _, r := range requests {
		if r.Code != "" || r.SecretID == cvmtest.DefaultCredential.SecretID {
			t.Errorf("a request with the key %s ended with %q", r.SecretID, r.Code)
		}
	}
}

// wantNoKeyShown searches the log and the metrics for every key that the cloud knows, and for tokens.
func wantNoKeyShown(t *testing.T, cloud *cluster.Cloud, m *cluster.Manager, tokens ...string) {
	t.Helper()
	var known map[string]cvmtest.Credential
	cloud.Call(http.MethodGet, "/credentials", nil, &known)
	if len(known) < 2 {
		t.Fatal("no keys were handed out, so nothing can be concluded")
	}
	secrets := tokens
	for key := range maps.Values(known) {
		secrets = append(secrets, key.SecretID, key.SecretKey, key.Token)
	}
	for what, shown := range map[string]string{"the log": m.Log(), "metrics": scrape(t, m.Metrics)} {
		if len(shown) < 1000 {
			t.Errorf("%s are only %q", what, shown)
		}
		for _, secret := range secrets {
			if secret != "" && strings.Contains(shown, secret) {
				t.Errorf("%s show %s", what, secret)
			}
		}
	}
}
