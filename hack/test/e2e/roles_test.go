// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// roles compares all requests of the operator to the API server with its roles: none was denied, and every verb was
// needed.
func (s *suite) roles() {
	used, denied := map[string]bool{}, map[string]bool{}
	for _, r := range s.RequestsOf(cluster.OperatorUser) {
		if r.Denied() {
			denied[r.String()] = true
		}
		used[permission(r.Namespace, r.Group, r.Resource, r.Verb)] = true
	}
	for request := range denied {
		s.t.Errorf("denied: %s", request)
	}
	granted := s.granted()
	if len(granted) == 0 {
		s.t.Error("the operator has no roles")
	}
	for _, p := range granted {
		if !used[p] {
			s.t.Errorf("never used, in all that these tests have the operator do: %s", p)
		}
	}
}

func permission(namespace, group, resource, verb string) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s in namespace %q", verb, strings.TrimSuffix(resource+"."+group, "."), namespace))
}

// granted returns what the operator's roles allow, one verb each.
func (s *suite) granted() []string {
	var clusterBindings rbacv1.ClusterRoleBindingList
	var bindings rbacv1.RoleBindingList
	s.list(&clusterBindings)
	s.list(&bindings)
	var all []string
	for _, b := range clusterBindings.Items {
		if isOperator(b.Subjects) {
			all = append(all, expand("", s.clusterRole(b.RoleRef.Name))...)
		}
	}
	for _, b := range bindings.Items {
		if !isOperator(b.Subjects) {
			continue
		}
		var role rbacv1.Role
		s.get(client.ObjectKey{Namespace: b.Namespace, Name: b.RoleRef.Name}, &role)
		all = append(all, expand(b.Namespace, role.Rules)...)
	}
	slices.Sort(all)
	return all
}

func (s *suite) clusterRole(name string) []rbacv1.PolicyRule {
	var role rbacv1.ClusterRole
	s.get(client.ObjectKey{Name: name}, &role)
	return role.Rules
}

func isOperator(subjects []rbacv1.Subject) bool {
	return slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
		return s.Kind == rbacv1.ServiceAccountKind && s.Namespace == cluster.Namespace && s.Name == cluster.ServiceAccount
	})
}

func expand(namespace string, rules []rbacv1.PolicyRule) []string {
	var all []string
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					all = append(all, permission(namespace, group, resource, verb))
				}
			}
		}
	}
	return all
}

func (s *suite) list(list client.ObjectList) {
	s.t.Helper()
	if err := s.Client.List(s.Context(), list); err != nil {
		s.t.Fatal(err)
	}
}

func (s *suite) get(key client.ObjectKey, object client.Object) {
	s.t.Helper()
	if err := s.Client.Get(s.Context(), key, object); err != nil {
		s.t.Fatal(err)
	}
}
