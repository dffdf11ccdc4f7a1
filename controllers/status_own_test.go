// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// at returns a query at a resourceVersion, with a status that names its writer.
func at(version, who string) *imagev1alpha1.ImageQuery {
	return &imagev1alpha1.ImageQuery{
		ObjectMeta: metav1.ObjectMeta{Name: "golden", UID: "1", ResourceVersion: version},
		Status:     imagev1alpha1.ImageQueryStatus{Revision: who},
	}
}

func TestWhoseStatusItIs(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{}, "golden", nil)
	for name, tc := range map[string]struct {
		before func(*ownStatuses)
		found  *imagev1alpha1.ImageQuery
		ours   bool
	}{
		"as it was at the start":       {found: at("10", "start"), ours: true},
		"only something else changed":  {found: at("11", "start"), ours: true},
		"another, newer one":           {found: at("11", "evil"), ours: false},
		"many digits are newer":        {found: at("100", "evil"), ours: false},
		"an old one from a late cache": {found: at("9", "older"), ours: true},
		"under way": {
			before: func(s *ownStatuses) { s.sending(at("10", ""), &at("", "sent").Status) }, found: at("11", "sent"),
			ours: true,
		},
		"another while one is on it": {
			before: func(s *ownStatuses) { s.sending(at("10", ""), &at("", "sent").Status) }, found: at("11", "evil"),
			ours: false,
		},
		"its answer was lost": {
			before: func(s *ownStatuses) { s.send("sent", "", errors.New("EOF")); s.send("next", "", conflict) },
			found:  at("11", "sent"), ours: true,
		},
		"it was refused":                  {before: func(s *ownStatuses) { s.send("sent", "", conflict) }, found: at("11", "sent"), ours: false},
		"written":                         {before: func(s *ownStatuses) { s.send("sent", "11", nil) }, found: at("11", "sent"), ours: true},
		"the one before what is written":  {before: func(s *ownStatuses) { s.send("sent", "11", nil) }, found: at("10", "start"), ours: true},
		"overwritten with the one before": {before: func(s *ownStatuses) { s.send("sent", "11", nil) }, found: at("12", "start"), ours: false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &ownStatuses{}
			s.begin(at("10", "start"), nil)
			if tc.before != nil {
				tc.before(s)
			}
			if got := s.seen(tc.found); got != tc.ours {
				t.Errorf("the predicate takes it for ours: %t, want %t", got, tc.ours)
			}
			if got := s.instead(tc.found) == nil; got != tc.ours {
				t.Errorf("the reconcile takes it for ours: %t, want %t", got, tc.ours)
			}
		})
	}
}

// send records a status write with its result.
func (s *ownStatuses) send(status, version string, err error) {
	s.sending(at("10", ""), &at("", status).Status)
	s.answered(at("10", ""), at(version, status), err)
}

func TestForeignFields(t *testing.T) {
	entry := func(manager, subresource, fields string) metav1.ManagedFieldsEntry {
		e := metav1.ManagedFieldsEntry{Manager: manager, Subresource: subresource}
		if fields != "" {
			e.FieldsV1 = metav1.NewFieldsV1(fields)
		}
		return e
	}
	for name, tc := range map[string]struct {
		entry metav1.ManagedFieldsEntry
		want  []string
	}{
		"ours":            {entry: entry(fieldOwner, "status", `{"f:status":{"f:selected":{}}}`)},
		"somebody's spec": {entry: entry("kubectl", "", `{"f:spec":{"f:region":{}}}`)},
		"nothing":         {entry: entry("kubectl", "status", "")},
		"a list":          {entry: entry("kubectl", "status", `{"f:status":{".":{},"f:selected":{}}}`), want: []string{"selected"}},
		"a condition": {
			entry: entry("kubectl", "status", `{"f:status":{"f:conditions":{"k:{\"type\":\"Ready\"}":{"f:message":{}}}}}`),
			want:  []string{"conditions"},
		},
		"what nobody can parse": {entry: entry("kubectl", "status", `{"f:status":[]}`), want: []string{"status"}},
	} {
		managers := []metav1.ManagedFieldsEntry{tc.entry}
		for range 3 { // the watch may deliver what is in the cache
			if diff := cmp.Diff(tc.want, foreignFields(managers)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			managers = foreignManagers(managers)
		}
	}
}

func TestWhatIsInvalid(t *testing.T) {
	kind := schema.GroupKind{Kind: "ImageQuery"}
	denied := apierrors.NewInvalid(kind, "golden", nil)
	denied.ErrStatus.Details.Causes = []metav1.StatusCause{{Message: "ValidatingAdmissionPolicy denied it"}}
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"nothing": {err: nil, want: false},
		"the schema": {
			err:  apierrors.NewInvalid(kind, "golden", field.ErrorList{field.TooLong(field.NewPath("status"), "", 256)}),
			want: true,
		},
		"a policy":          {err: denied, want: false},
		"a large request":   {err: apierrors.NewRequestEntityTooLargeError("limit is 3145728"), want: true},
		"a large object":    {err: apierrors.NewInternalError(errors.New("etcdserver: request is too large")), want: true},
		"any other failure": {err: apierrors.NewInternalError(errors.New("etcdserver: no leader")), want: false},
		"a missing right": {
			err:  &apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden}},
			want: false,
		},
	} {
		if got := isInvalid(tc.err); got != tc.want {
			t.Errorf("%s: invalid is %t, want %t", name, got, tc.want)
		}
	}
}
