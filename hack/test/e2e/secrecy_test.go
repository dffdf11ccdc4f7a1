// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// Canaries: parts of keys, and texts that the cloud or a machine in its place may put into an answer.
const (
	canaryID     = "AKIDcanary00000000000000000000000000"
	canaryKey    = "canary-key-0000000000000000000000"
	canaryToken  = "canary-token-000000000000000000000"
	canaryAnswer = "canary-answer"
)

// No key and no text of a failed answer is ever shown, at any log level.
func TestNoKeyAndNoAnswerIsShown(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	cloud := c.StartCloud("-private=3", "-shared=0", "-regions="+region)
	key := cvmtest.Credential{SecretID: canaryID, SecretKey: canaryKey, Token: canaryToken, UIN: cvmtest.DefaultCredential.UIN}
	cloud.SetCredential(key)
	c.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, key)
	manager := c.StartManager(cloud, "--zap-log-level=10", "--metrics-secure=false")
	c.ApplyQuery("name: golden", "region: "+region+", minImages: 0")
	c.UntilSynced("golden")

	body := func(s string) *string { return &s }
	for what, fault := range map[string]cvmtest.Fault{
		"an error's message": {Code: "InternalError", Message: canaryAnswer},
		"a denial's message": {Code: "UnauthorizedOperation", Message: "(cvm:DescribeImages) " + canaryAnswer},
		"no JSON":            {Body: body("<html>" + canaryAnswer + "\x1b[31m</html>")},
		"JSON of a wrong type": {
			Body: body(`{"Response":{"TotalCount":"` + canaryAnswer + `","ImageSet":[],"RequestId":"r"}}`),
		},
		"a code that is none": {Body: body(`{"Response":{"Error":{"Code":"` + canaryAnswer + ` \n","Message":""},"RequestId":"r"}}`)},
		"a gateway's page":    {Status: http.StatusBadGateway, Body: body(canaryAnswer)},
		"a redirect":          {Redirect: cloud.Endpoint + "/" + canaryAnswer},
	} {
		remove := cloud.Inject(fault)
		query := c.Poll("golden")
		if !strings.Contains(query.Status.Conditions[0].Message, "No poll has succeeded since") {
			t.Errorf("%s: the poll did not fail: %s", what, query.Status.Conditions[0].Message)
		}
		remove()
	}
	wrong := key
	wrong.SecretKey += "-wrong"
	c.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, wrong)
	c.UntilQuery("golden", "the wrong key is refused", func(q *imagev1alpha1.ImageQuery) bool {
		return strings.Contains(kit.Ready(q).Message, imagev1alpha1.ReasonAuthenticationFailed)
	})

	shown := map[string]string{"the log": manager.Log(), "metrics": scrape(t, manager.Metrics)}
	for what, list := range map[string]client.ObjectList{
		"ImageQueries": &imagev1alpha1.ImageQueryList{},
		"CloudImages":  &imagev1alpha1.CloudImageList{},
		"events":       &eventsv1.EventList{},
		"Leases":       &coordinationv1.LeaseList{},
	} {
		if err := c.Client.List(c.Context(), list); err != nil {
			t.Fatal(err)
		}
		content, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		shown[what] = string(content)
	}
	for what, must := range map[string]string{
		"the log": "The poll failed", "metrics": "tencentcloud_api_requests_total", "events": "golden",
	} {
		if !strings.Contains(shown[what], must) {
			t.Errorf("%s lack %q, which must be there, so nothing can be concluded from what isn't", what, must)
		}
	}
	for what, content := range shown {
		for _, canary := range []string{canaryID, canaryKey, canaryToken, canaryAnswer} {
			if at := strings.Index(content, canary); at >= 0 {
				t.Errorf("%s show %s: …%s…", what, canary, content[max(0, at-100):min(len(content), at+100)])
			}
		}
	}
}

func scrape(t *testing.T, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
