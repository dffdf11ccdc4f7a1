// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// Keys of a credentials Secret. A query's author may not choose them: any key of any Secret could be sent then.
const (
	keySecretID  = "secretId"
	keySecretKey = "secretKey"
	keyToken     = "token"
	keyRoleArn   = "roleArn"
)

// Credentials turns a query's credentialsRef into an account. It is the only reader of Secrets, and reads those of
// one namespace only.
type Credentials struct {
	Reader    client.Reader
	Namespace string

	// Default is the account of queries without credentialsRef; nil means the Secret tencentcloud-credentials.
	Default *catalog.Account
}

// EnvironmentAccount reads the account for --default-credentials=env.
func EnvironmentAccount() (catalog.Account, error) {
	account := catalog.Account{
		Source:    "env",
		SecretID:  catalog.Secret(strings.TrimSpace(os.Getenv("TENCENTCLOUD_SECRET_ID"))),
		SecretKey: catalog.Secret(strings.TrimSpace(os.Getenv("TENCENTCLOUD_SECRET_KEY"))),
		Token:     catalog.Secret(strings.TrimSpace(os.Getenv("TENCENTCLOUD_TOKEN"))),
	}
	if account.SecretID == "" || account.SecretKey == "" {
		return account, fmt.Errorf("--default-credentials=env needs TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY in the environment")
	}
	return account, nil
}

// Account returns the account of a query, or the failure that its status tells.
func (c Credentials) Account(ctx context.Context, query *imagev1alpha1.ImageQuery) (catalog.Account, *failure) {
	name := c.secretOf(query)
	if name == "" {
		return *c.Default, nil
	}
	secret := &corev1.Secret{}
	err := c.Reader.Get(ctx, types.NamespacedName{Namespace: c.Namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		return catalog.Account{}, c.notFound("the Secret %s does not exist; create it with the keys %s and %s", name, keySecretID, keySecretKey)
	}
	if err != nil {
		return catalog.Account{}, &failure{
			reason:  imagev1alpha1.ReasonUnavailable,
			message: fmt.Sprintf("the Secret %s/%s can't be read (%s)", c.Namespace, name, apierrors.ReasonForError(err)),
		}
	}
	return c.fromSecret(secret)
}

// secretOf is the name of the Secret that a query uses, empty if it uses none.
func (c Credentials) secretOf(query *imagev1alpha1.ImageQuery) string {
	if ref := query.Spec.CredentialsRef; ref != nil {
		return ref.Name
	}
	if c.Default != nil {
		return ""
	}
	return imagev1alpha1.DefaultCredentialsSecret
}

func (c Credentials) fromSecret(secret *corev1.Secret) (catalog.Account, *failure) {
	// Keys copied from a console or made by `echo | base64` end in a line break, which no header may have.
	value := func(key string) catalog.Secret { return catalog.Secret(strings.TrimSpace(string(secret.Data[key]))) }
	account := catalog.Account{
		Source:   "secret/" + secret.Name,
		SecretID: value(keySecretID), SecretKey: value(keySecretKey), Token: value(keyToken),
	}
	switch {
	case value(keyRoleArn) != "":
		return account, c.notFound("the Secret %s has the key %s, which this version can't use; give it plain keys", secret.Name, keyRoleArn)
	case account.SecretID == "" && account.SecretKey == "":
		return account, c.notFound("the Secret %s has neither %s nor %s; add both", secret.Name, keySecretID, keySecretKey)
	case account.SecretID == "":
		return account, c.notFound("the Secret %s has no %s; add it", secret.Name, keySecretID)
	case account.SecretKey == "":
		return account, c.notFound("the Secret %s has no %s; add it", secret.Name, keySecretKey)
	}
	for key, part := range map[string]catalog.Secret{keySecretID: account.SecretID, keySecretKey: account.SecretKey, keyToken: account.Token} {
		if strings.ContainsFunc(part.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }) {
			return account, c.notFound("in the Secret %s, %s has characters that no key has; copy it again", secret.Name, key)
		}
	}
	return account, nil
}

func (c Credentials) notFound(format, name string, args ...any) *failure {
	args = append([]any{c.Namespace + "/" + name}, args...)
	return &failure{reason: imagev1alpha1.ReasonCredentialsNotFound, message: fmt.Sprintf(format, args...), stalled: true}
}
