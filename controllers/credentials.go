// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// Keys of a credentials Secret. They are fixed: if a query could choose them, its author could send any key of any Secret.
const (
	keySecretID   = "secretId"
	keySecretKey  = "secretKey"
	keyToken      = "token"
	keyRoleArn    = "roleArn"
	keyExternalID = "externalId"
	keyAccountID  = "accountID"
)

// accountID matches an account's id (uin).
var accountID = regexp.MustCompile(`^[0-9]{1,20}$`)

// secretKeys are all known keys. Other data of a Secret is not kept in memory.
var secretKeys = []string{keySecretID, keySecretKey, keyToken, keyRoleArn, keyExternalID, keyAccountID}

// roleArn matches the four kinds of role ARNs (CAM, "resource descriptions of a role").
var roleArn = regexp.MustCompile(`^qcs::cam::uin/[0-9]+:role(Name)?/[^\s]+$`)

// IsAccountID reports whether text has the form of an account's id.
func IsAccountID(text string) bool { return accountID.MatchString(text) }

// Credentials resolves a query's credentialsRef to an account. Nothing else reads Secrets, and it reads those of one namespace
// only.
type Credentials struct {
	Reader    client.Reader
	Namespace string

	// Default is the account of queries without credentialsRef; nil means the Secret tencentcloud-credentials.
	Default *catalog.Account
}

// EnvironmentAccount reads the account whose keys are in the environment.
func EnvironmentAccount() (catalog.Account, error) {
	value := func(name string) catalog.Secret { return catalog.Secret(strings.TrimSpace(os.Getenv(name))) }
	account := catalog.Account{
		Source: "env", SecretID: value("TENCENTCLOUD_SECRET_ID"), SecretKey: value("TENCENTCLOUD_SECRET_KEY"), Token: value("TENCENTCLOUD_TOKEN"),
	}
	if account.SecretID == "" || account.SecretKey == "" {
		return account, errors.New("the keys are missing: it needs TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY in the environment")
	}
	if slices.ContainsFunc([]catalog.Secret{account.SecretID, account.SecretKey, account.Token}, garbled) {
		return account, errors.New("the environment's keys have characters that no key has; copy them again")
	}
	return account, nil
}

// Account returns the account of a query, or the failure to show in its status.
func (c Credentials) Account(ctx context.Context, query *imagev1alpha1.ImageQuery) (catalog.Account, *failure) {
	name := c.secretOf(query)
	if name == "" {
		return *c.Default, nil
	}
	account, bad := c.read(ctx, name)
	if bad != nil || account.SecretID != "" {
		return account, bad
	}
	return c.assumed(ctx, name, account)
}

// read reads the account in a Secret. An account that has only a role has no keys yet.
func (c Credentials) read(ctx context.Context, name string) (catalog.Account, *failure) {
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

// assumed returns the account of a Secret that has only a role. The default credentials assume the role, after their own role
// if they have one. The rate limit is still counted per Secret.
func (c Credentials) assumed(ctx context.Context, name string, account catalog.Account) (catalog.Account, *failure) {
	role := account.Roles[0]
	base := catalog.Account{}
	switch {
	case c.Default != nil:
		base = *c.Default
	case name == imagev1alpha1.DefaultCredentialsSecret:
		return account, c.notFound("the Secret %s has a %s and no keys that could assume it; add %s and %s",
			name, keyRoleArn, keySecretID, keySecretKey)
	default:
		var bad *failure
		base, bad = c.read(ctx, imagev1alpha1.DefaultCredentialsSecret)
		if bad == nil && base.SecretID == "" {
			bad = c.notFound("the Secret %s has no keys", imagev1alpha1.DefaultCredentialsSecret)
		}
		if bad != nil {
			bad.message = fmt.Sprintf("the Secret %s/%s has a %s and no keys, so the default credentials must assume it: %s",
				c.Namespace, name, keyRoleArn, bad.message)
			return account, bad
		}
	}
	base.Source, base.AccountID = account.Source, account.AccountID
	if base.Roles[0].ARN == "" {
		base.Roles[0] = role
	} else {
		base.Roles[1] = role
	}
	return base, nil
}

// secretOf returns the name of the Secret that a query uses, or "" if it uses none.
func (c Credentials) secretOf(query *imagev1alpha1.ImageQuery) string {
	if ref := query.Spec.CredentialsRef; ref != nil {
		return ref.Name
	}
	if c.Default != nil {
		return ""
	}
	return imagev1alpha1.DefaultCredentialsSecret
}

// secretsOf returns the names of the Secrets that may affect a query's account. The default credentials count for every query,
// since they may assume the role in another Secret.
func (c Credentials) secretsOf(query *imagev1alpha1.ImageQuery) []string {
	var names []string
	if name := c.secretOf(query); name != "" {
		names = append(names, name)
	}
	if c.Default == nil && !slices.Contains(names, imagev1alpha1.DefaultCredentialsSecret) {
		names = append(names, imagev1alpha1.DefaultCredentialsSecret)
	}
	return names
}

func (c Credentials) fromSecret(secret *corev1.Secret) (catalog.Account, *failure) {
	// Keys copied from a console or made by `echo | base64` end in a line break, which is invalid in a header.
	value := func(key string) catalog.Secret { return catalog.Secret(strings.TrimSpace(string(secret.Data[key]))) }
	for _, key := range secretKeys {
		if garbled(value(key)) {
			return catalog.Account{}, c.notFound("in the Secret %s, %s has characters that none has; copy it again", secret.Name, key)
		}
	}
	role := catalog.Role{ARN: value(keyRoleArn).Reveal(), ExternalID: value(keyExternalID)}
	account := catalog.Account{
		Source:   "secret/" + secret.Name,
		SecretID: value(keySecretID), SecretKey: value(keySecretKey), Token: value(keyToken),
		Roles: [2]catalog.Role{role}, AccountID: value(keyAccountID).Reveal(),
	}
	switch {
	case account.AccountID != "" && !IsAccountID(account.AccountID):
		return account, c.notFound("in the Secret %s, %s is not the id of an account (uin), which has digits only, "+
			"such as 100000000001; copy it from the console", secret.Name, keyAccountID)
	case role.ARN != "" && !roleArn.MatchString(role.ARN):
		return account, c.notFound("in the Secret %s, %s is not a role's, which looks like "+
			"qcs::cam::uin/100000000001:roleName/reader; copy it from CAM", secret.Name, keyRoleArn)
	case role.ARN == "" && role.ExternalID != "":
		return account, c.notFound("the Secret %s has %s and no %s that it could be for; add that, or remove it",
			secret.Name, keyExternalID, keyRoleArn)
	case account.SecretID == "" && account.SecretKey == "" && account.Token == "" && role.ARN != "":
		return account, nil
	case account.SecretID == "" && account.SecretKey == "":
		return account, c.notFound("the Secret %s has neither %s nor %s; add both", secret.Name, keySecretID, keySecretKey)
	case account.SecretID == "":
		return account, c.notFound("the Secret %s has no %s; add it", secret.Name, keySecretID)
	case account.SecretKey == "":
		return account, c.notFound("the Secret %s has no %s; add it", secret.Name, keySecretKey)
	}
	return account, nil
}

// garbled reports whether a value has characters that are invalid in a header.
func garbled(s catalog.Secret) bool {
	return strings.ContainsFunc(s.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' })
}

func (c Credentials) notFound(format, name string, args ...any) *failure {
	args = append([]any{c.Namespace + "/" + name}, args...)
	return &failure{reason: imagev1alpha1.ReasonCredentialsNotFound, message: fmt.Sprintf(format, args...), stalled: true}
}
