// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// testDocuments runs the commands in the pages for people on call, line by line, and approves a blocked removal with
// nothing but the text of the condition.
func testDocuments(s *stage) {
	const region = "ap-mumbai"
	synced(10)(s, "tke-nodes", region)
	block := regexp.MustCompile("(?s)```sh\n(.*?)```")
	for _, page := range []string{"runbooks.md", "troubleshooting.md", "gitops.md"} {
		content, err := os.ReadFile(filepath.Join(root, "docs", page))
		if err != nil {
			s.Fatalf("%v", err)
		}
		blocks := block.FindAllStringSubmatch(string(content), -1)
		if len(blocks) == 0 {
			s.Errorf("%s has no commands", page)
		}
		for _, commands := range blocks {
			if out, err := s.shell(commands[1]); err != nil {
				s.Errorf("%s tells people to run\n%s\nwhich ends with %v:\n%s", page, commands[1], err, out)
			}
		}
	}
	s.UntilSynced("tke-nodes")

	s.cloud.Delete(region, imageIDs("", 7)...)
	query := s.Poll("tke-nodes")
	blocked := kit.Condition(query, imagev1alpha1.ConditionRemovalBlocked)
	if blocked.Type == "" {
		s.Fatalf("removals are not blocked")
	}
	approved := act(s.T, "approve", s.object("ImageQuery", "tke-nodes").Object)
	annotations, _, _ := unstructured.NestedStringMap(approved, "metadata", "annotations")
	if token := annotations[imagev1alpha1.AnnotationApproveRemoval]; token == "" || !strings.Contains(blocked.Message, "="+token+" ") {
		s.Errorf("Argo CD would approve with %q: %s", token, blocked.Message)
	}
	if out, err := s.shell(blocked.Message); err != nil {
		s.Fatalf("the command of RemovalBlocked ends with %v: %s\n%s", err, blocked.Message, out)
	}
	s.UntilQuery("tke-nodes", "the approved removal has begun", func(q *imagev1alpha1.ImageQuery) bool {
		return kit.Condition(q, imagev1alpha1.ConditionRemovalBlocked).Type == "" && len(q.Status.Removing) == 7
	})
	s.Kubectl("", "delete", "imagequery", "tke-nodes")
}

// shell runs commands like a user with kubectl.
func (s *stage) shell(commands string) (string, error) {
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets = filepath.Join(root, "bin", "controlplane")
	}
	assets, err := filepath.Abs(assets)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(s.Context(), "sh", "-eu", "-c", commands)
	cmd.Env = append(os.Environ(), "PATH="+assets+":"+os.Getenv("PATH"), "KUBECONFIG="+s.Kubeconfig, "KUBECACHEDIR="+s.TempDir(), "KUBERC=off")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}
