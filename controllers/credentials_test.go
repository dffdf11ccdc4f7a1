// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

func TestTheEnvironmentIsAnAccount(t *testing.T) {
	t.Setenv("TENCENTCLOUD_SECRET_ID", " id\n")
	t.Setenv("TENCENTCLOUD_SECRET_KEY", "key")
	t.Setenv("TENCENTCLOUD_TOKEN", "token")
	got, err := EnvironmentAccount()
	if want := (catalog.Account{Source: "env", SecretID: "id", SecretKey: "key", Token: "token"}); err != nil || got != want {
		t.Errorf("got %q %q %q from %s, %v", got.SecretID.Reveal(), got.SecretKey.Reveal(), got.Token.Reveal(), got.Source, err)
	}
	t.Setenv("TENCENTCLOUD_SECRET_KEY", " ")
	if _, err := EnvironmentAccount(); err == nil || !strings.Contains(err.Error(), "TENCENTCLOUD_SECRET_KEY") {
		t.Errorf("without a key: %v", err)
	}
}

func TestADefaultAccountIsForQueriesWithoutCredentialsRef(t *testing.T) {
	fromEnvironment := catalog.Account{Source: "env", SecretID: "id", SecretKey: "key"}
	c := Credentials{Default: &fromEnvironment}
	query := &imagev1alpha1.ImageQuery{}
	if got, bad := c.Account(t.Context(), query); bad != nil || got != fromEnvironment {
		t.Errorf("got %v, %v", got, bad)
	}
	query.Spec.CredentialsRef = &imagev1alpha1.CredentialsReference{Name: "acct2"}
	if got := c.secretOf(query); got != "acct2" {
		t.Errorf("a query with credentialsRef reads the Secret %q", got)
	}
}
