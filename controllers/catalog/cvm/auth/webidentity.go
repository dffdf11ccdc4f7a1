// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/secret"
)

// maxToken bounds a token. Tokens of Kubernetes have about 1 KiB.
const maxToken = 64 << 10

// WebIdentity is the environment that TKE sets in a pod if its ServiceAccount has a role.
type WebIdentity struct {
	Region, ProviderID, TokenFile, RoleARN string
}

// WebIdentityFrom reads the pod's identity from its environment. Its error explains what to do if there is none.
func WebIdentityFrom(getenv func(string) string) (WebIdentity, error) {
	var id WebIdentity
	var missing []string
	for _, v := range []struct {
		name string
		into *string
	}{
		{"TKE_REGION", &id.Region},
		{"TKE_PROVIDER_ID", &id.ProviderID},
		{"TKE_WEB_IDENTITY_TOKEN_FILE", &id.TokenFile},
		{"TKE_ROLE_ARN", &id.RoleARN},
	} {
		if *v.into = strings.TrimSpace(getenv(v.name)); *v.into == "" {
			missing = append(missing, v.name)
		}
	}
	if len(missing) > 0 {
		return id, fmt.Errorf("the environment lacks %s, which TKE's add-on pod-identity-webhook sets; "+
			"install it in the cluster, and give the ServiceAccount the annotation tke.cloud.tencent.com/role-arn", strings.Join(missing, ", "))
	}
	return id, nil
}

// token reads the token on each call, since Kubernetes rotates it.
func (id WebIdentity) token() (secret.String, error) {
	file, err := os.Open(id.TokenFile)
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(io.LimitReader(file, maxToken))
	if err := errors.Join(err, file.Close()); err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(content))
	if token == "" {
		return "", errors.New("the file is empty")
	}
	return secret.String(token), nil
}
