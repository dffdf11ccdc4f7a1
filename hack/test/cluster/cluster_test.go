// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

func TestTheOperatorsKubeconfigHasItsRolesOnly(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	second := c.AddAPIServer(nil, nil)
	for name, server := range map[string]*rest.Config{"the API server": c.Config, "another one": second} {
		operator := connect(t, c.KubeconfigOf(cluster.ServiceAccount, server))
		if err := operator.List(t.Context(), &corev1.SecretList{}, client.InNamespace(cluster.Namespace)); err != nil {
			t.Errorf("%s: the operator reads Secrets of its own namespace, but: %v", name, err)
		}
		if err := operator.List(t.Context(), &corev1.SecretList{}); !apierrors.IsForbidden(err) {
			t.Errorf("%s: the operator must not read everybody's Secrets, but: %v", name, err)
		}
	}
	var verbs []string
	for _, r := range c.RequestsOf(cluster.OperatorUser) {
		if r.Resource == "secrets" {
			verbs = append(verbs, strconv.Itoa(int(r.Code))+" "+r.Verb+" "+r.Namespace)
		}
	}
	if got, want := strings.Join(verbs, ", "), "200 list image-catalog-system, 403 list "; got != want {
		t.Errorf("the audit log says %q, want %q", got, want)
	}

	c.KillAPIServer()
	c.StartAPIServer()
	c.Until("the API server is the same after a restart", func(ctx context.Context) error {
		return c.Client.Get(ctx, client.ObjectKey{Name: cluster.Namespace}, &corev1.Namespace{})
	})
}

func connect(t *testing.T, kubeconfig string) client.Client {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAManagerServesACloud(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	cloud := c.StartCloud("-public=false", "-private=3", "-shared=0")
	manager := c.StartManager(cloud)
	c.ApplyQuery("name: all", "region: ap-guangzhou")
	c.UntilSynced("all")
	if got := len(c.Images("all")); got != 3 {
		t.Errorf("there are %d CloudImages, want 3", got)
	}
	if err := manager.Stop(); err != nil {
		t.Error(err)
	}
	cloud.Delete("ap-guangzhou", cloud.Images("ap-guangzhou")[0].ImageID)
	c.RestartManager(manager)
	c.Poll("all")
	c.Kubectl("", "delete", "imagequery", "all")
	c.Until("the garbage collector has deleted the CloudImages", func(context.Context) error {
		if len(c.Images("")) > 0 {
			return errors.New("they are there")
		}
		return nil
	})
	if !strings.Contains(c.Kubectl("", "get", "crd", "-o", "name"), imagev1alpha1.GroupVersion.Group) {
		t.Error("kubectl doesn't see the CRDs")
	}
}

// inTheRole makes the test's binary run the processes that are to be killed.
const inTheRole = "IMAGE_CATALOG_TEST_PIDS"

func TestNothingOutlivesATestThatIsKilled(t *testing.T) {
	if file := os.Getenv(inTheRole); file != "" {
		c := cluster.Start(t, cluster.Options{})
		cloud := c.StartCloud()
		manager := c.StartManager(cloud)
		if err := os.WriteFile(file+".new", []byte(strconv.Itoa(cloud.Pid())+" "+strconv.Itoa(manager.Pid())), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		<-t.Context().Done()
	}
	file := filepath.Join(t.TempDir(), "pids")
	test := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	temporary := t.TempDir()
	test.Env = append(os.Environ(), inTheRole+"="+file, "TMPDIR="+temporary)
	if err := test.Start(); err != nil {
		t.Fatal(err)
	}
	var pids string
	eventually(t, "the test in its role has started everything", func() bool {
		content, err := os.ReadFile(file)
		pids = string(content)
		return err == nil
	})
	if err := test.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = test.Wait() // killed
	servers, err := filepath.Glob(filepath.Join(temporary, "*", "*.pid"))
	if err != nil || len(servers) != 2 {
		t.Fatalf("of etcd and kube-apiserver, %q say their ids (%v)", servers, err)
	}
	for _, server := range servers {
		pid, err := os.ReadFile(server)
		if err != nil {
			t.Fatal(err)
		}
		pids += " " + string(pid)
	}
	for pid := range strings.FieldsSeq(pids) {
		id, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "process "+pid+" has ended", func() bool { return errors.Is(syscall.Kill(id, 0), syscall.ESRCH) })
	}
}

func eventually(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !reached(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within 2 minutes: %s", what)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}
