// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/secret"
)

const (
	// rolePath returns the name of the node's role; with the name appended, the role's keys.
	rolePath = "/latest/meta-data/cam/security-credentials/"

	// metadataTimeout bounds one request. The service is on the node itself; without it, nothing answers.
	metadataTimeout = 5 * time.Second

	// maxMetadata bounds an answer. Keys have about 2 KiB.
	maxMetadata = 64 << 10
)

// roleName matches role names that CAM admits, which are safe in a path.
var roleName = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,128}$`)

// metadata is a client of the node's metadata service. Plain HTTP is safe, since the service is reachable only
// from the node.
type metadata struct {
	base   string
	client *http.Client
}

// newMetadata returns a client that uses no proxy and follows no redirects, since both could lead to another
// machine.
func newMetadata(base string) metadata {
	return metadata{base: strings.TrimSuffix(base, "/"), client: &http.Client{
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: metadataTimeout}).DialContext,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxMetadata,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       metadataTimeout,
	}}
}

// keys obtains the keys of the node's role.
func (m metadata) keys(ctx context.Context) (Keys, error) {
	name, err := m.get(ctx, "")
	if err != nil {
		return Keys{}, err
	}
	role := strings.TrimSpace(string(name))
	if !roleName.MatchString(role) {
		return Keys{}, &Error{Provider: CVMRole, Code: CodeMetadata}
	}
	body, err := m.get(ctx, role)
	if err != nil {
		return Keys{}, err
	}
	var answer struct {
		TmpSecretId, TmpSecretKey, Token, Code string
		ExpiredTime                            int64
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return Keys{}, &Error{Provider: CVMRole, Code: CodeMetadata}
	}
	if answer.Code != "Success" {
		return Keys{}, &Error{Provider: CVMRole, Code: CodeRoleRefused}
	}
	keys := Keys{
		SecretID: secret.String(answer.TmpSecretId), SecretKey: secret.String(answer.TmpSecretKey), Token: secret.String(answer.Token),
		Expires: time.Unix(answer.ExpiredTime, 0),
	}
	if !keys.usable() {
		return Keys{}, &Error{Provider: CVMRole, Code: CodeNoKeys}
	}
	return keys, nil
}

// get reads a path below rolePath. It returns nothing on a node without a role.
func (m metadata) get(ctx context.Context, name string) ([]byte, error) {
	unavailable := func(err error) ([]byte, error) {
		return nil, &Error{Provider: CVMRole, Code: CodeMetadata, Err: err}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.base+rolePath+name, http.NoBody)
	if err != nil {
		return unavailable(err)
	}
	response, err := m.client.Do(request)
	if err != nil {
		return unavailable(err)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxMetadata+1))
	err = errors.Join(err, response.Body.Close())
	switch {
	case response.StatusCode == http.StatusNotFound:
		return nil, &Error{Provider: CVMRole, Code: CodeNoRole}
	case response.StatusCode != http.StatusOK || len(body) > maxMetadata || err != nil:
		return unavailable(err)
	}
	return body, nil
}
