// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

const (
	// stsVersion is the version of all actions (STS API pages AssumeRole 1312/48197, AssumeRoleWithWebIdentity 1312/73070,
	// GetCallerIdentity 1312/66098).
	stsVersion = "2018-08-13"

	// The documented default and maximum of DurationSeconds. A role has its own maximum within it.
	defaultDuration = 2 * time.Hour
	maxDuration     = 12 * time.Hour

	actionAssumeRole  = "AssumeRole"
	actionWebIdentity = "AssumeRoleWithWebIdentity"
	actionIdentity    = "GetCallerIdentity"
)

// sessionName is the documented form of RoleSessionName.
var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,128}$`)

// region matches all known regions.
var region = regexp.MustCompile(`^[a-z]+(-[a-z0-9]+)+$`)

// Role is a role in CAM.
type Role struct {
	// ARN names it, such as qcs::cam::uin/100000000002:roleName/reader.
	ARN string `json:"arn"`

	// UIN is the account of the role. Its keys see that account's images.
	UIN string `json:"uin"`

	// Trusts are the UINs of the accounts that may assume the role.
	Trusts []string `json:"trusts,omitempty"`

	// ExternalID, if set, is required in the request.
	ExternalID string `json:"externalID,omitempty"`

	// MaxDuration bounds its sessions; 0 means the documented default of two hours.
	MaxDuration time.Duration `json:"maxDuration,omitempty"`

	// ProviderID, if set, lets a provider's tokens assume the role if they have this audience and this subject: the
	// conditions oidc:aud and oidc:sub, string_equal, of its trust policy (598/47191).
	ProviderID string `json:"providerID,omitempty"`
	Audience   string `json:"audience,omitempty"`
	Subject    string `json:"subject,omitempty"`

	// Deny makes CAM deny cvm:DescribeImages.
	Deny bool `json:"deny,omitempty"`
}

// Request is a logged request to STS.
type Request struct {
	Action, Region, Language, RequestClient, Authorization string
	// SecretID and Token are the keys that signed it.
	SecretID, Token string

	RoleArn, RoleSessionName, ExternalId, ProviderId, WebIdentityToken string
	DurationSeconds                                                    int64

	// Code and Message are those of the answer; empty on success.
	Code, Message string
}

// STS is a simulated Security Token Service. All methods are safe for concurrent use.
type STS struct {
	*server

	roles     map[string]Role
	providers map[string]Provider
	requests  []Request
}

// NewSTS starts an STS for a cloud. Close it when done.
func NewSTS(cloud *cvmtest.Server, roles ...Role) *STS {
	s := &STS{server: newServer(cloud), roles: map[string]Role{}, providers: map[string]Provider{}}
	s.SetRole(roles...)
	s.serve(s.handle)
	return s
}

// SetRole adds roles, or replaces those with their ARN.
func (s *STS) SetRole(roles ...Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range roles {
		s.roles[r.ARN] = r
	}
}

// SetProvider adds an identity provider, or replaces the one with its id.
func (s *STS) SetProvider(p Provider) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.providers[p.ID] = p
}

// Requests returns the requests so far.
func (s *STS) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// parameters are the parameters of all actions.
type parameters struct {
	RoleArn, RoleSessionName, ExternalId, ProviderId, WebIdentityToken string
	DurationSeconds                                                    int64
}

// refusal is an error answer.
type refusal struct{ code, message string }

func (s *STS) handle(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	request := Request{
		Action: r.Header.Get("X-TC-Action"), Region: r.Header.Get("X-TC-Region"), Language: r.Header.Get("X-TC-Language"),
		RequestClient: r.Header.Get("X-TC-RequestClient"), Authorization: r.Header.Get("Authorization"), Token: r.Header.Get("X-TC-Token"),
	}
	fault := s.pick()
	response, no := s.decide(r, body, &request)
	if fault.Code != "" {
		no = &refusal{fault.Code, "injected"}
	}
	if no != nil {
		request.Code, request.Message = no.code, no.message
	}
	if request.Code == cvmtest.CodeUnknown {
		s.addUnknown(no.message)
	}
	s.mu.Lock()
	s.requests = append(s.requests, request)
	s.mu.Unlock()
	fault.write(w, r, s.closed, http.StatusOK, "application/json", answer(response, no))
}

// answer returns the JSON of an answer. Errors have HTTP status 200 too.
func answer(response map[string]any, no *refusal) string {
	if no != nil {
		response = map[string]any{"Error": map[string]string{"Code": no.code, "Message": no.message}}
	}
	response["RequestId"] = "5cd1a16d-0000-4000-8000-authtest0001"
	b, err := json.Marshal(map[string]any{"Response": response})
	if err != nil {
		panic("authtest: " + err.Error())
	}
	return string(b)
}

// decide returns the content of a successful answer, or a refusal. The order of the checks is inferred.
func (s *STS) decide(r *http.Request, body []byte, request *Request) (response map[string]any, no *refusal) {
	if no := s.readRequest(r, body, request); no != nil {
		return nil, no
	}
	if request.Action == actionWebIdentity {
		return handedOut(s.assumeWithWebIdentity(request))
	}
	caller, code, message := s.cloud.Authenticate("sts", r, body)
	request.SecretID = caller.SecretID
	switch {
	case code != "":
		return nil, &refusal{code, message}
	case request.Action == actionIdentity:
		return identity(caller), nil
	}
	return handedOut(s.assume(caller, request))
}

// handedOut returns the output parameters of both actions that issue keys.
func handedOut(keys cvmtest.Credential, no *refusal) (map[string]any, *refusal) {
	return map[string]any{
		"Credentials": map[string]string{"Token": keys.Token, "TmpSecretId": keys.SecretID, "TmpSecretKey": keys.SecretKey},
		"ExpiredTime": keys.Expires.Unix(),
		"Expiration":  keys.Expires.UTC().Format(time.RFC3339),
	}, no
}

// identity returns GetCallerIdentity's answer (API page 1312/66098, its examples 1 and 2). AccountId is the main account's,
// also for keys of a sub-account or a role. The simulated CVM knows no sub-accounts and no role ids, so these parts of
// UserId, PrincipalId and Arn are made up.
func identity(caller cvmtest.Credential) map[string]any {
	out := map[string]any{
		"Type": "CAMUser", "AccountId": caller.UIN, "UserId": caller.UIN, "PrincipalId": caller.UIN,
		"Arn": "qcs::cam:" + caller.UIN + ":uin/" + caller.UIN,
	}
	if caller.Token != "" {
		const roleID = "4611686018427000001"
		out["Type"], out["UserId"] = "CAMRole", roleID+":image-catalog-operator"
		out["Arn"] = "qcs::sts:" + caller.UIN + ":assumed-role/" + roleID
	}
	return out
}

// readRequest reads the common part of the actions.
func (s *STS) readRequest(r *http.Request, body []byte, request *Request) *refusal {
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/" || r.URL.RawQuery != "" || r.Header.Get("Content-Type") != "application/json":
		return &refusal{cvmtest.CodeUnknown, "a request that is no POST of JSON to /"}
	case r.Header.Get("X-TC-Version") != stsVersion:
		return &refusal{"NoSuchVersion", "no such version"}
	case !slices.Contains([]string{actionAssumeRole, actionWebIdentity, actionIdentity}, request.Action):
		return &refusal{"InvalidAction", "no such action"}
	case !region.MatchString(request.Region):
		// All pages list Region among the required parameters.
		return &refusal{"MissingParameter", "Region is missing"}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	var p parameters
	if err := d.Decode(&p); err != nil {
		return &refusal{"UnknownParameter", err.Error()}
	}
	if request.Action == actionIdentity {
		// The page lists no parameters of its own.
		if p != (parameters{}) {
			return &refusal{"UnknownParameter", "GetCallerIdentity has no parameters"}
		}
		return nil
	}
	request.RoleArn, request.RoleSessionName, request.ExternalId = p.RoleArn, p.RoleSessionName, p.ExternalId
	request.ProviderId, request.WebIdentityToken, request.DurationSeconds = p.ProviderId, p.WebIdentityToken, p.DurationSeconds
	if !sessionName.MatchString(p.RoleSessionName) || p.DurationSeconds < 0 || p.DurationSeconds > int64(maxDuration.Seconds()) {
		return &refusal{"InvalidParameter.ParamError", "a parameter is wrong"}
	}
	return nil
}

// assume implements AssumeRole. A missing role is InternalError.GetRoleError, although the page lists
// ResourceNotFound.RoleNotFound: the SDK's integration test asserts it and users report it ("role not exist"). It is inferred
// that a wrong ExternalId gives the same UnauthorizedOperation as a trust policy without the caller.
func (s *STS) assume(caller cvmtest.Credential, request *Request) (keys cvmtest.Credential, no *refusal) {
	role, ok := s.role(request.RoleArn)
	switch {
	case !ok:
		return keys, &refusal{"InternalError.GetRoleError", "role not exist"}
	case !slices.Contains(role.Trusts, caller.UIN) || role.ExternalID != request.ExternalId && role.ExternalID != "":
		return keys, &refusal{"UnauthorizedOperation", fmt.Sprintf(
			"you are not authorized to perform operation (sts:AssumeRole)\nresource (%s) has no permission\n", request.RoleArn)}
	}
	return s.hand(role, request)
}

// assumeWithWebIdentity implements AssumeRoleWithWebIdentity: the header Authorization is SKIP, and no X-TC-Token is sent
// (note on the API's page).
func (s *STS) assumeWithWebIdentity(request *Request) (keys cvmtest.Credential, no *refusal) {
	role, ok := s.role(request.RoleArn)
	switch {
	case request.Authorization != "SKIP" || request.Token != "":
		return keys, &refusal{cvmtest.CodeUnknown, "a request with a web identity that is signed"}
	case !ok:
		return keys, &refusal{"InternalError.GetRoleError", "role not exist"}
	case role.ProviderID == "" || role.ProviderID != request.ProviderId:
		return keys, &refusal{"UnauthorizedOperation", "the role does not trust the provider"} // inferred
	}
	claims, err := s.provider(role.ProviderID).verify(request.WebIdentityToken, s.cloud.Now())
	switch {
	case err != nil:
	case !slices.Contains(claims.Audience, role.Audience):
		err = errors.New("the token is for another audience")
	case claims.Subject != role.Subject:
		err = errors.New("the token is another principal's")
	}
	if err != nil {
		// The page describes the code as "the token is wrong or has expired". It is inferred that a wrong audience or subject
		// has the same code.
		return keys, &refusal{"InvalidParameter.WebIdentityTokenError", err.Error()}
	}
	return s.hand(role, request)
}

func (s *STS) hand(role Role, request *Request) (keys cvmtest.Credential, no *refusal) {
	d, limit := time.Duration(request.DurationSeconds)*time.Second, role.MaxDuration
	if d == 0 {
		d = defaultDuration
	}
	if limit == 0 {
		limit = defaultDuration
	}
	if d > limit {
		return keys, &refusal{"InvalidParameter.OverTimeError", "the expiration is beyond the threshold"}
	}
	return s.issue(role.UIN, role.Deny, d), nil
}

func (s *STS) provider(id string) Provider {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.providers[id]
}

func (s *STS) role(arn string) (Role, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	role, ok := s.roles[arn]
	return role, ok
}
