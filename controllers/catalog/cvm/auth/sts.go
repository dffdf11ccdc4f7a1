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

	// sessionName is what the cloud's audit trail shows beside the role.
	sessionName = "image-catalog-operator"

	// sessionDuration is the shortest limit that a role's sessions can have in CAM, so that every role admits it. It
	// costs one request in about 40 minutes.
	sessionDuration = time.Hour

	// stsTimeout bounds one request, which takes STS less than a second.
	stsTimeout = 10 * time.Second
)

// sts asks the cloud's Security Token Service over the SDK, as that package does for its actions.
type sts struct {
	profile   func(region string) *profile.ClientProfile
	transport http.RoundTripper
	region    string
	now       func() time.Time
}

// in is STS in a region, if one is named.
func (s sts) in(region string) sts {
	if region != "" {
		s.region = region
	}
	return s
}

// stsAnswer is the answer of both actions that give keys.
type stsAnswer struct {
	*tchttp.BaseResponse
	Response *struct {
		Credentials *struct{ Token, TmpSecretId, TmpSecretKey string }
		ExpiredTime int64
	}
}

// assumeRole obtains keys of a role with keys that it trusts.
func (s sts) assumeRole(ctx context.Context, by Keys, role Role) (Keys, error) {
	parameters := map[string]any{
		"RoleArn": role.ARN, "RoleSessionName": sessionName, "DurationSeconds": int(sessionDuration.Seconds()),
	}
	if role.ExternalID != "" {
		parameters["ExternalId"] = role.ExternalID.Reveal()
	}
	return s.ask(ctx, AssumedRole, "AssumeRole", credentialOf(by), parameters)
}

// assumeWithWebIdentity obtains keys of the pod's role with the token that Kubernetes gives the pod. It is the token
// that proves the caller, so the request has no signature.
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

// identityAnswer is the part of GetCallerIdentity's answer that counts (document 1312/66098): the account (uin) that the
// keys belong to, that of the main account for keys of a sub-account and of a role.
type identityAnswer struct {
	*tchttp.BaseResponse
	Response *struct{ AccountId string }
}

// accountID is the form of an account's id.
var accountID = regexp.MustCompile(`^[0-9]{1,20}$`)

// callerIdentity asks for the account that keys belong to. No permission in CAM is documented to be needed.
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

// send sends one request, signed if there is a credential.
func (s sts) send(ctx context.Context, action string, credential common.CredentialIface, parameters map[string]any, answer tchttp.Response) error {
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

// ask asks for keys.
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

// keys takes the keys out of an answer. The SDK reports no error for answers that carry nothing. Their end is on the
// cloud's clock: where ours is late, the time that was asked for counts from ours.
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

// usable says whether temporary keys are complete and fit into a request's headers.
func (k Keys) usable() bool {
	for _, part := range []secret.String{k.SecretID, k.SecretKey, k.Token} {
		if part == "" || strings.ContainsFunc(part.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }) {
			return false
		}
	}
	return true
}
