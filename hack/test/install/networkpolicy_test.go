// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"net/netip"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
)

// destination is the address of an outgoing connection.
type destination struct {
	what     string
	address  string
	protocol corev1.Protocol
	port     int32
}

// The hosts are those of the reference on TKE: its internal API hosts resolve to 169.254.0.95, the metadata service is
// 169.254.0.23:80 (also reached at 169.254.169.254), and its API servers listen at 60002, in some clusters at a
// link-local address (kubernetes/autoscaler cloudprovider/tencentcloud/README.md, bk-bcs#784).
var (
	publicAPI          = destination{"the cloud's public API", "43.137.22.1", corev1.ProtocolTCP, 443}
	publicAPIv6        = destination{"the cloud's public API over IPv6", "2402:4e00:1020::1", corev1.ProtocolTCP, 443}
	internalAPI        = destination{"the cloud's internal API", "169.254.0.95", corev1.ProtocolTCP, 443}
	apiServer          = destination{"the API server of TKE", "10.0.0.9", corev1.ProtocolTCP, 60002}
	apiServerLocal     = destination{"the API server of TKE at a link-local address", "169.254.128.9", corev1.ProtocolTCP, 60002}
	apiServerService   = destination{"the API server's Service", "172.16.0.1", corev1.ProtocolTCP, 443}
	resolver           = destination{"DNS", "172.16.0.10", corev1.ProtocolUDP, 53}
	resolverLocal      = destination{"the node's DNS cache", "169.254.20.10", corev1.ProtocolUDP, 53}
	metadata           = destination{"the metadata service", "169.254.0.23", corev1.ProtocolTCP, 80}
	metadataHTTPS      = destination{"the metadata service at 443", "169.254.0.23", corev1.ProtocolTCP, 443}
	metadataAlias      = destination{"the metadata service's other address", "169.254.169.254", corev1.ProtocolTCP, 80}
	metadataAliasHTTPS = destination{"the metadata service's other address at 443", "169.254.169.254", corev1.ProtocolTCP, 443}
	plainHTTP          = destination{"a web server", "43.137.22.1", corev1.ProtocolTCP, 80}
	database           = destination{"a database in the cluster", "172.16.3.4", corev1.ProtocolTCP, 3306}
	linkLocalV6        = destination{"a link-local IPv6 address", "fe80::1", corev1.ProtocolTCP, 443}
)

func TestTheNetworkPolicyAdmitsTheCloudAndNoKeysOfTheNode(t *testing.T) {
	shipped := networkPolicy(t, readFile(t, root+"/config/network-policy/network_policy.yaml"))
	rendered := func(args ...string) *networkingv1.NetworkPolicy {
		text, err := render(t, append([]string{"--set", "networkPolicy.enabled=true"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return networkPolicy(t, text)
	}
	open := []destination{publicAPI, publicAPIv6, internalAPI, apiServerService, resolver, resolverLocal}
	closed := []destination{metadataHTTPS, metadataAlias, metadataAliasHTTPS, plainHTTP, database, linkLocalV6}
	servers := []destination{apiServer, apiServerLocal}
	for name, tc := range map[string]struct {
		policy       *networkingv1.NetworkPolicy
		open, closed []destination
	}{
		"config/network-policy": {
			policy: shipped,
			open:   slices.Concat(open, servers), closed: slices.Concat(closed, []destination{metadata}),
		},
		"the chart": {
			policy: rendered(),
			open:   slices.Concat(open, servers), closed: slices.Concat(closed, []destination{metadata}),
		},
		"the chart with the role of the node": {
			policy: rendered("--set", "defaultCredentials=cvm-role"),
			open:   slices.Concat(open, servers, []destination{metadata}), closed: closed,
		},
		"the chart without ports of the API server": {
			policy: rendered("--set", "networkPolicy.apiServerPorts=null"),
			open:   open, closed: slices.Concat(closed, servers, []destination{metadata}),
		},
		"the chart for TKE workload identity": {
			policy: rendered("--values", chart+"/ci/tke-oidc-values.yaml"),
			open:   open, closed: slices.Concat(closed, []destination{metadata}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, d := range tc.open {
				if !admits(t, tc.policy, d) {
					t.Errorf("%s (%s port %d) is closed", d.what, d.address, d.port)
				}
			}
			for _, d := range tc.closed {
				if admits(t, tc.policy, d) {
					t.Errorf("%s (%s port %d) is open", d.what, d.address, d.port)
				}
			}
		})
	}
}

func networkPolicy(t *testing.T, text string) *networkingv1.NetworkPolicy {
	t.Helper()
	for _, o := range parse(t, text) {
		if o.GetKind() == "NetworkPolicy" {
			return typed(t, o)
		}
	}
	t.Fatal("there is no NetworkPolicy")
	return nil
}

func typed(t *testing.T, o *unstructured.Unstructured) *networkingv1.NetworkPolicy {
	t.Helper()
	policy := &networkingv1.NetworkPolicy{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, policy, true); err != nil {
		t.Fatal(err)
	}
	return policy
}

// admits evaluates the egress rules as the NetworkPolicy API defines them: a rule admits a connection if it has both
// its port and its destination. A rule without ports or destinations has all of them. Selectors are not evaluated,
// since the policies' egress rules have none.
func admits(t *testing.T, policy *networkingv1.NetworkPolicy, d destination) bool {
	t.Helper()
	address := netip.MustParseAddr(d.address)
	return slices.ContainsFunc(policy.Spec.Egress, func(rule networkingv1.NetworkPolicyEgressRule) bool {
		port := len(rule.Ports) == 0 || slices.ContainsFunc(rule.Ports, func(p networkingv1.NetworkPolicyPort) bool {
			return ptr.Deref(p.Protocol, corev1.ProtocolTCP) == d.protocol && p.Port.IntVal == d.port
		})
		peer := len(rule.To) == 0 || slices.ContainsFunc(rule.To, func(p networkingv1.NetworkPolicyPeer) bool {
			if p.IPBlock == nil {
				t.Fatalf("an egress rule has a selector, which this test can't evaluate: %+v", p)
			}
			return inBlock(p.IPBlock, address)
		})
		return port && peer
	})
}

func inBlock(block *networkingv1.IPBlock, address netip.Addr) bool {
	return netip.MustParsePrefix(block.CIDR).Contains(address) && !slices.ContainsFunc(block.Except, func(except string) bool {
		return netip.MustParsePrefix(except).Contains(address)
	})
}
