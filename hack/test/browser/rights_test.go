// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"net/http"
	"strings"
	"testing"

	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// With the page's token nothing can be written, no Secret read, and no other kind; and the page itself never tried.
func testRights(t *testing.T, w *world) {
	t.Helper()
	user := "system:serviceaccount:" + cluster.Namespace + ":page"
	for verb, refused := range map[string][]string{
		"get":    {"secrets", "configmaps", "pods", "nodes", "events", "leases.coordination.k8s.io", "clusterroles.rbac.authorization.k8s.io"},
		"list":   {"secrets", "configmaps", "pods", "namespaces"},
		"create": {"imagequeries.imagecatalog.dev", "cloudimages.imagecatalog.dev", "secrets", "pods"},
		"update": {"imagequeries.imagecatalog.dev", "imagequeries.imagecatalog.dev/status", "cloudimages.imagecatalog.dev"},
		"patch":  {"imagequeries.imagecatalog.dev", "cloudimages.imagecatalog.dev"},
		"delete": {"imagequeries.imagecatalog.dev", "cloudimages.imagecatalog.dev"},
	} {
		for _, resource := range refused {
			out, err := w.KubectlCommand("--as="+user, "auth", "can-i", verb, resource, "--all-namespaces").CombinedOutput()
			if err == nil || !strings.Contains(string(out), "no") {
				t.Errorf("the page may %s %s: %s", verb, resource, out)
			}
		}
	}
	for _, line := range []string{"annotate imagequery tke-nodes a=b", "delete imagequery tke-nodes", "get secret -n " + cluster.Namespace} {
		if out, err := w.KubectlCommand(append([]string{"--as=" + user}, strings.Fields(line)...)...).CombinedOutput(); err == nil || !strings.Contains(string(out), "orbidden") {
			t.Errorf("kubectl %s as the page: %v: %s", line, err, out)
		}
	}
	verbs := map[string]int{}
	for _, request := range w.RequestsOf(user) {
		verbs[request.Verb+" "+request.Resource]++
		if request.Denied() || !strings.Contains(" get list watch ", " "+request.Verb+" ") {
			t.Errorf("the page asked the API server: %s", request)
		}
	}
	if verbs["watch imagequeries"] == 0 || verbs["watch cloudimages"] == 0 {
		t.Errorf("the page asked for %v", verbs)
	}
	t.Logf("requests of the page: %v", verbs)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.page+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "rebound.example"
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("another Host is answered with %d", response.StatusCode)
	}
}
