// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/secret"
)

const (
	stsVersion = "2018-08-13"

	// sessionName is shown in the cloud's audit trail beside the role.
	sessionName = "image-catalog-operator"

	// sessionDuration is the lowest session limit that a role can have in CAM, so every role admits it. It costs one
	// request in about 40 minutes.
	sessionDuration = time.Hour

	// stsTimeout bounds one request. STS answers within a second.
	stsTimeout = 10 * time.Second
)

// sts calls the cloud's Security Token Service with the SDK's common client.
type sts struct {
	profile   func(region string) *profile.ClientProfile
	transport http.RoundTripper
	region    string
	now       func() time.Time
}

// in returns sts for a region, if one is given.
func (s sts) in(region string) sts {
	if region != "" {
		s.region = region
	}
	return s
}

// stsAnswer is the answer of both actions that issue keys.
type stsAnswer struct {
	*tchttp.BaseResponse
	Response *struct {
		Credentials *struct{ Token, TmpSecretId, TmpSecretKey string }
		ExpiredTime int64
	}
}

// assumeRole obtains keys of a role with keys that the role trusts.
func (s sts) assumeRole(ctx context.Context, by Keys, role Role) (Keys, error) {
	parameters := map[string]any{
		"RoleArn": role.ARN, "RoleSessionName": sessionName, "DurationSeconds": int(sessionDuration.Seconds()),
	}
	if role.ExternalID != "" {
		parameters["ExternalId"] = role.ExternalID.Reveal()
	}
	return s.ask(ctx, AssumedRole, "AssumeRole", credentialOf(by), parameters)
}

// assumeWithWebIdentity obtains keys of the pod's role with the pod's ServiceAccount token. The token authenticates the
// caller, so the request has no signature.
func (s sts) assumeWithWebIdentity(ctx context.Context, id WebIdentity) (Keys, error) {
	token, err := id.token()
	if err != nil {
		return Keys{}, &Error{Provider: TKEOIDC, Code: CodeNoToken, Err: err}
	}
	return s.ask(ctx, TKEOIDC, "AssumeRoleWithWebIdentity", nil, map[string]any{
		"ProviderId": id.ProviderID, "WebIdentityToken": token.Reveal(), "RoleArn": id.RoleARN,
		"RoleSessionName": sessionName, "DurationSeconds": int(sessionDuration.Seconds()),
	})
}

// identityAnswer is the used part of GetCallerIdentity's answer (document 1312/66098): the account (uin) that the keys
// belong to, which for keys of a sub-account or a role is the main account.
type identityAnswer struct {
	*tchttp.BaseResponse
	Response *struct{ AccountId string }
}

// accountID matches an account's id.
var accountID = regexp.MustCompile(`^[0-9]{1,20}$`)

// callerIdentity returns the account that keys belong to. No permission in CAM is documented to be required.
func (s sts) callerIdentity(ctx context.Context, keys Keys) (string, error) {
	answer := &identityAnswer{BaseResponse: &tchttp.BaseResponse{}}
	if err := s.send(ctx, "GetCallerIdentity", credentialOf(keys), map[string]any{}, answer); err != nil {
		return "", &Error{Provider: CallerIdentity, Err: err}
	}
	if answer.Response == nil || !accountID.MatchString(answer.Response.AccountId) {
		return "", &Error{Provider: CallerIdentity, Code: CodeNoOwner}
	}
	return answer.Response.AccountId, nil
}

func credentialOf(keys Keys) common.CredentialIface {
	return common.NewTokenCredential(keys.SecretID.Reveal(), keys.SecretKey.Reveal(), keys.Token.Reveal())
}

// send sends one request, signed if credential is set.
func (s sts) send(ctx context.Context, action string, credential common.CredentialIface, parameters map[string]any,
	answer tchttp.Response,
) error {
	ctx, cancel := context.WithTimeout(ctx, stsTimeout)
	defer cancel()
	client := common.NewCommonClient(credential, s.region, s.profile(s.region))
	client.WithRequestClient(sessionName)
	client.WithHttpTransport(s.transport)
	request := tchttp.NewCommonRequest("sts", stsVersion, action)
	request.SetSkipSign(credential == nil)
	request.SetContext(ctx)
	if err := request.SetActionParameters(parameters); err != nil {
		return err
	}
	return client.Send(request, answer)
}

// ask requests keys.
func (s sts) ask(ctx context.Context, provider, action string, credential common.CredentialIface, parameters map[string]any) (Keys, error) {
	asked := s.now()
	answer := &stsAnswer{BaseResponse: &tchttp.BaseResponse{}}
	if err := s.send(ctx, action, credential, parameters, answer); err != nil {
		return Keys{}, &Error{Provider: provider, Err: err}
	}
	keys, ok := answer.keys(asked)
	if !ok {
		return Keys{}, &Error{Provider: provider, Code: CodeNoKeys}
	}
	return keys, nil
}

// keys returns the keys in an answer. The SDK reports no error for empty answers. The expiry is by the cloud's clock; if
// ours is behind, it is limited to the requested duration by ours.
func (a *stsAnswer) keys(asked time.Time) (Keys, bool) {
	if a.Response == nil || a.Response.Credentials == nil {
		return Keys{}, false
	}
	c := a.Response.Credentials
	keys := Keys{
		SecretID: secret.String(c.TmpSecretId), SecretKey: secret.String(c.TmpSecretKey), Token: secret.String(c.Token),
		Expires: time.Unix(a.Response.ExpiredTime, 0),
	}
	if latest := asked.Add(sessionDuration); keys.Expires.After(latest) {
		keys.Expires = latest
	}
	return keys, keys.usable()
}

// usable reports whether temporary keys are complete and valid in headers.
func (k Keys) usable() bool {
	for _, part := range []secret.String{k.SecretID, k.SecretKey, k.Token} {
		if part == "" || strings.ContainsFunc(part.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }) {
			return false
		}
	}
	return true
}
