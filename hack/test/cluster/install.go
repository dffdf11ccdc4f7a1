// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// Namespace and ServiceAccount are the operator's in config/default. OperatorUser is its name in the audit log.
const (
	Namespace      = kit.Namespace
	ServiceAccount = "image-catalog-operator"
	OperatorUser   = "system:serviceaccount:" + Namespace + ":" + ServiceAccount
)

// Install applies config/default of a checkout, by default of this one, and waits until its kinds are served. Its
// Deployment doesn't run; see StartManager.
func (c *Cluster) Install(checkout string) {
	c.Helper()
	if checkout == "" {
		root, err := repository()
		if err != nil {
			c.Fatalf("%v", err)
		}
		checkout = root
	}
	c.Kubectl("", "apply", "--server-side", "-k", filepath.Join(checkout, "config", "default"))
	c.Until("the kinds are served", func(ctx context.Context) error {
		return errors.Join(c.Client.List(ctx, &imagev1alpha1.ImageQueryList{}), c.Client.List(ctx, &imagev1alpha1.CloudImageList{}))
	})
}

// CreateServiceAccount creates a ServiceAccount in Namespace without permissions.
func (c *Cluster) CreateServiceAccount(name string) {
	c.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: name}}
	if err := c.Client.Create(c.Context(), account); err != nil {
		c.Fatalf("creating the ServiceAccount %s: %v", name, err)
	}
}

// Token returns a token of a ServiceAccount in Namespace, for the API server unless audiences are given. It is valid
// for at least ten minutes.
func (c *Cluster) Token(serviceAccount string, audiences ...string) string {
	c.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: serviceAccount}}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences}}
	if len(audiences) > 0 {
		request.Spec.ExpirationSeconds = new(int64(600))
	}
	if err := c.Client.SubResource("token").Create(c.Context(), account, request); err != nil {
		c.Fatalf("asking for a token of %s: %v", serviceAccount, err)
	}
	return request.Status.Token
}

// KubeconfigOf writes a kubeconfig with a token of a ServiceAccount in Namespace, for the API server of a
// configuration.
func (c *Cluster) KubeconfigOf(serviceAccount string, server *rest.Config) string {
	c.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: server.Host, CertificateAuthorityData: server.CAData}
	config.AuthInfos["test"] = &clientcmdapi.AuthInfo{Token: c.Token(serviceAccount)}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
	config.CurrentContext = "test"
	path := c.children.path("kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		c.Fatalf("%v", err)
	}
	return path
}

// Consent creates a namespace in which the operator may fill labelled ConfigMaps.
func (c *Cluster) Consent(namespace string) {
	c.Helper()
	c.Create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	c.ConsentIn(namespace)
}

// ConsentIn lets the operator fill the labelled ConfigMaps of a namespace, by config/publish as it ships.
func (c *Cluster) ConsentIn(namespace string) {
	c.Helper()
	root, err := repository()
	if err != nil {
		c.Fatalf("%v", err)
	}
	folder := c.folder("consent-" + namespace)
	component, err := filepath.Rel(folder, filepath.Join(root, "config", "publish"))
	if err != nil {
		c.Fatalf("%v", err)
	}
	overlay := fmt.Sprintf("namespace: %s\ncomponents: [%s]\n", namespace, component)
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(overlay), 0o600); err != nil {
		c.Fatalf("%v", err)
	}
	c.Kubectl("", "apply", "--server-side", "-k", folder)
}
