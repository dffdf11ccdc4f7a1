// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// kubeconfig finds the cluster by flags, files and environment, as kubectl does.
type kubeconfig struct {
	rules     *clientcmd.ClientConfigLoadingRules
	overrides clientcmd.ConfigOverrides
}

// bindKubeconfig gives a command the flags by which kubectl finds a cluster and a user.
func bindKubeconfig(c *cobra.Command) *kubeconfig {
	k := &kubeconfig{rules: clientcmd.NewDefaultClientConfigLoadingRules()}
	c.Flags().StringVar(&k.rules.ExplicitPath, clientcmd.RecommendedConfigPathFlag, "", "path of the kubeconfig file")
	names := clientcmd.RecommendedConfigOverrideFlags("")
	names.ContextOverrideFlags.Namespace.LongName = "" // both kinds are cluster-scoped
	clientcmd.BindOverrideFlags(&k.overrides, c.Flags(), names)
	return k
}

// restConfig returns what a client of the cluster needs.
func (k *kubeconfig) restConfig() (*rest.Config, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(k.rules, &k.overrides).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the cluster: %w", err)
	}
	config.UserAgent = "manager/" + name
	return config, nil
}

// client returns a client of the cluster for our kinds. It knows them without asking the cluster which kinds there are.
func (k *kubeconfig) client() (client.Client, error) {
	config, err := k.restConfig()
	if err != nil {
		return nil, err
	}
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []string{"ImageQuery", "CloudImage"} {
		mapper.Add(imagev1alpha1.GroupVersion.WithKind(kind), meta.RESTScopeRoot)
	}
	cluster, err := client.New(config, client.Options{Scheme: scheme, Mapper: mapper})
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	return cluster, nil
}
