// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"context"
	"strings"
	"testing"
)

const fromGit = `
apiVersion: imagecatalog.dev/v1alpha1
kind: ImageQuery
metadata: {name: from-git}
spec:
  region: ap-guangzhou
  suspend: true
  filters: [{name: image-type, values: [PRIVATE_IMAGE, SHARED_IMAGE]}]
  match: {creators: ["1"], excludeImageIDs: [img-bad00001]}
  selection: {trustedCreators: ["1"]}
`

// Somebody adds an item to each kind of list by hand. Git's manifest takes it back, and kubectl diff shows that it will.
func TestGitTakesBackWhatSomebodyAddedToAList(t *testing.T) {
	apply := func(command string) (string, error) {
		return kubectl(t.Context(), fromGit, command, "--server-side", "--force-conflicts", "--field-manager=git", "-f", "-")
	}
	if _, err := apply("apply"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := kubectl(context.Background(), "", "delete", "imagequery", "from-git", "--ignore-not-found"); err != nil {
			t.Log(err)
		}
	})
	for what, added := range map[string]string{
		"a creator": `{"op":"add","path":"/spec/match/creators/-","value":"666"}`,
		"trust":     `{"op":"add","path":"/spec/selection/trustedCreators/-","value":"666"}`,
		"an id":     `{"op":"add","path":"/spec/match/excludeImageIDs/-","value":"img-666"}`,
		"a value":   `{"op":"add","path":"/spec/filters/0/values/-","value":"PUBLIC_IMAGE"}`,
		"a filter":  `{"op":"add","path":"/spec/filters/-","value":{"name":"tag:666","values":["a"]}}`,
	} {
		t.Run(what, func(t *testing.T) {
			if _, err := kubectl(t.Context(), "", "patch", "imagequery", "from-git", "--type=json", "--patch=["+added+"]"); err != nil {
				t.Fatal(err)
			}
			if out, err := apply("diff"); err == nil {
				t.Errorf("kubectl diff sees no difference: %s", out)
			}
			if _, err := apply("apply"); err != nil {
				t.Fatal(err)
			}
			out, err := kubectl(t.Context(), "", "get", "imagequery", "from-git", "-o", "jsonpath={.spec}")
			if err != nil || strings.Contains(out, "666") || strings.Contains(out, "PUBLIC_IMAGE") {
				t.Errorf("after Git's manifest was applied the spec is %s (%v)", out, err)
			}
		})
	}
}
