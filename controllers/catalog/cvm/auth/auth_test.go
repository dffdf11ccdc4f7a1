// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	tcerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth/authtest"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/secret"
)

func secretString(s string) secret.String { return secret.String(s) }

func TestEachProviderObtainsKeys(t *testing.T) {
	for name, tc := range map[string]struct {
		id auth.Identity
		// uin is whose images the keys see, and actions what STS was asked.
		uin     string
		actions []string
	}{
		"keys":                             {mine(), myUIN, nil},
		"a role":                           {mine(auth.Role{ARN: reader}), otherUIN, []string{"AssumeRole"}},
		"a role with an external id":       {mine(auth.Role{ARN: guarded, ExternalID: "shibboleth"}), otherUIN, []string{"AssumeRole"}},
		"a role after a role":              {mine(auth.Role{ARN: reader}, auth.Role{ARN: second}), secondUIN, []string{"AssumeRole", "AssumeRole"}},
		"the second role only":             {mine(auth.Role{}, auth.Role{ARN: reader}), otherUIN, []string{"AssumeRole"}},
		"the node's role":                  {node, nodeUIN, nil},
		"a role by the node's":             {auth.Identity{Source: "secret/a", Ambient: auth.CVMRole, Roles: [2]auth.Role{{ARN: reader}}}, otherUIN, []string{"AssumeRole"}},
		"the pod's identity":               {pod, podUIN, []string{"AssumeRoleWithWebIdentity"}},
		"a role by the pod's":              {auth.Identity{Source: "secret/a", Ambient: auth.TKEOIDC, Roles: [2]auth.Role{{ARN: reader}}}, otherUIN, []string{"AssumeRoleWithWebIdentity", "AssumeRole"}},
		"a role by keys of the node's kin": {auth.Identity{Source: "secret/b", Ambient: auth.CVMRole, Roles: [2]auth.Role{{ARN: reader}, {ARN: second}}}, secondUIN, []string{"AssumeRole", "AssumeRole"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			keys := w.must(tc.id)
			if got := w.cloud.Credentials()[keys.SecretID.Reveal()].UIN; got != tc.uin {
				t.Errorf("the keys are those of %s, want %s", got, tc.uin)
			}
			if again := w.must(tc.id); again != keys {
				t.Error("asked again, it obtained others")
			}
			requests := w.sts.Requests()
			if len(requests) != len(tc.actions) {
				t.Fatalf("STS was asked %d times, want %d", len(requests), len(tc.actions))
			}
			for i, r := range requests {
				if r.Action != tc.actions[i] || r.Region != "ap-nanjing" || r.RoleSessionName != "image-catalog-operator" || r.DurationSeconds != 3600 ||
					!strings.HasSuffix(r.RequestClient, "image-catalog-operator") {
					t.Errorf("STS was asked %+v", r)
				}
				if unsigned := r.Authorization == "SKIP"; unsigned != (r.Action == "AssumeRoleWithWebIdentity") {
					t.Errorf("%s has the Authorization %s", r.Action, r.Authorization)
				}
			}
		})
	}
}

// The SDK's provider asks in ap-guangzhou, wherever the pod runs.
func TestThePodsRegionIsTheOneThatSTSIsAskedIn(t *testing.T) {
	w := newWorld(t)
	p := *w.options
	p.WebIdentity.Region = "ap-shanghai-fsi"
	w.providers = auth.New(p)
	w.must(pod)
	w.must(auth.Identity{Source: "secret/a", Ambient: auth.TKEOIDC, Roles: [2]auth.Role{{ARN: reader}}})
	for _, r := range w.sts.Requests() {
		if r.Region != "ap-shanghai-fsi" {
			t.Errorf("%s was asked in %s", r.Action, r.Region)
		}
	}
}

// codeOf is the code of a failure, the cloud's or ours.
func codeOf(failure *auth.Error) string {
	if failure.Code != "" {
		return failure.Code
	}
	cloud := (*tcerrors.TencentCloudSDKError)(nil)
	errors.As(failure, &cloud)
	if cloud == nil {
		return ""
	}
	return cloud.Code
}

func TestAFailureSaysWhichProviderFailedAndHow(t *testing.T) {
	odd := func(f authtest.Fault) func(*world) { return func(w *world) { w.metadata.Inject(f) } }
	text := func(body string) *string { return &body }
	sts := func(f authtest.Fault) func(*world) { return func(w *world) { w.sts.Inject(f) } }
	role := func(arn, externalID string) auth.Identity {
		return mine(auth.Role{ARN: arn, ExternalID: secretString(externalID)})
	}
	wrong := role(reader, "")
	wrong.Keys.SecretKey = "wrong"
	for name, tc := range map[string]struct {
		id       auth.Identity
		arrange  func(*world)
		provider string
		code     string
	}{
		"a role that is not there":             {role("qcs::cam::uin/1:roleName/nobody", ""), nil, auth.AssumedRole, "InternalError.GetRoleError"},
		"a role that doesn't trust the caller": {role(second, ""), nil, auth.AssumedRole, "UnauthorizedOperation"},
		"no external id":                       {role(guarded, ""), nil, auth.AssumedRole, "UnauthorizedOperation"},
		"a wrong external id":                  {role(guarded, "sibboleth"), nil, auth.AssumedRole, "UnauthorizedOperation"},
		"sessions that are too long": {role(reader, ""), func(w *world) {
			w.sts.SetRole(authtest.Role{ARN: reader, Trusts: []string{myUIN}, MaxDuration: time.Minute})
		}, auth.AssumedRole, "InvalidParameter.OverTimeError"},
		"wrong keys":                   {wrong, nil, auth.AssumedRole, "AuthFailure.SignatureFailure"},
		"a throttled STS":              {role(reader, ""), sts(authtest.Fault{Code: "RequestLimitExceeded"}), auth.AssumedRole, "RequestLimitExceeded"},
		"a broken STS":                 {role(reader, ""), sts(authtest.Fault{Code: "InternalError.SystemError"}), auth.AssumedRole, "InternalError.SystemError"},
		"an STS that hangs up":         {role(reader, ""), sts(authtest.Fault{Drop: true}), auth.AssumedRole, "ClientError.NetworkError"},
		"an answer without keys":       {role(reader, ""), sts(authtest.Fault{Body: text(`{"Response":{"RequestId":"x"}}`)}), auth.AssumedRole, auth.CodeNoKeys},
		"an answer without token":      {role(reader, ""), sts(authtest.Fault{Body: text(`{"Response":{"ExpiredTime":9999999999,"Credentials":{"TmpSecretId":"a","TmpSecretKey":"b"}}}`)}), auth.AssumedRole, auth.CodeNoKeys},
		"keys that fit into no header": {role(reader, ""), sts(authtest.Fault{Body: text(`{"Response":{"ExpiredTime":9999999999,"Credentials":{"TmpSecretId":"a\n","TmpSecretKey":"b","Token":"c"}}}`)}), auth.AssumedRole, auth.CodeNoKeys},
		"an empty answer":              {role(reader, ""), sts(authtest.Fault{Body: text(`{}`)}), auth.AssumedRole, auth.CodeNoKeys},
		"null":                         {role(reader, ""), sts(authtest.Fault{Body: text(`null`)}), auth.AssumedRole, auth.CodePanic},
		"keys that have ended":         {role(reader, ""), sts(authtest.Fault{Body: text(`{"Response":{"ExpiredTime":1,"Credentials":{"TmpSecretId":"a","TmpSecretKey":"b","Token":"c"}}}`)}), auth.AssumedRole, auth.CodeEnding},
		"a token that is none":         {pod, func(w *world) { w.writeToken("token") }, auth.TKEOIDC, "InvalidParameter.WebIdentityTokenError"},
		"a token for another audience": {pod, func(w *world) {
			w.writeToken(issuer.Token("https://kubernetes.default.svc", subject, w.now().Add(time.Hour)))
		}, auth.TKEOIDC, "InvalidParameter.WebIdentityTokenError"},
		"a token of another ServiceAccount": {pod, func(w *world) {
			w.writeToken(issuer.Token(audience, "system:serviceaccount:default:default", w.now().Add(time.Hour)))
		}, auth.TKEOIDC, "InvalidParameter.WebIdentityTokenError"},
		"a token that has expired": {pod, func(w *world) { w.writeToken(w.token(-time.Second)) }, auth.TKEOIDC, "InvalidParameter.WebIdentityTokenError"},
		"a token of another cluster": {pod, func(w *world) {
			w.writeToken(authtest.NewIssuer(issuer.Name).Token(audience, subject, w.now().Add(time.Hour)))
		}, auth.TKEOIDC, "InvalidParameter.WebIdentityTokenError"},
		"no token":                         {pod, func(w *world) { w.writeToken(" \n") }, auth.TKEOIDC, auth.CodeNoToken},
		"no file with a token":             {pod, func(w *world) { _ = os.Remove(w.tokenFile) }, auth.TKEOIDC, auth.CodeNoToken},
		"a node without role":              {node, func(w *world) { w.metadata.SetRole("", "") }, auth.CVMRole, auth.CodeNoRole},
		"a role that the node may not use": {node, func(w *world) { w.metadata.SetCode("Failed") }, auth.CVMRole, auth.CodeRoleRefused},
		"a metadata service that fails":    {node, odd(authtest.Fault{Status: 500}), auth.CVMRole, auth.CodeMetadata},
		"one that hangs up":                {node, odd(authtest.Fault{Drop: true}), auth.CVMRole, auth.CodeMetadata},
		"one that is silent": {node, func(w *world) {
			w.providers.SetMetadataTimeout(50 * time.Millisecond)
			w.metadata.Inject(authtest.Fault{Hold: make(chan struct{})})
		}, auth.CVMRole, auth.CodeMetadata},
		"one that answers without end":   {node, odd(authtest.Fault{Body: text(strings.Repeat("x", 100<<10))}), auth.CVMRole, auth.CodeMetadata},
		"a role that is a path":          {node, odd(authtest.Fault{Body: text("../../user-data")}), auth.CVMRole, auth.CodeMetadata},
		"a page":                         {node, odd(authtest.Fault{Body: text("<html>")}), auth.CVMRole, auth.CodeMetadata},
		"the node's role before another": {auth.Identity{Source: "secret/a", Ambient: auth.CVMRole, Roles: [2]auth.Role{{ARN: reader}}}, func(w *world) { w.metadata.SetRole("", "") }, auth.CVMRole, auth.CodeNoRole},
		"an identity that is none":       {auth.Identity{Ambient: "magic"}, nil, "magic", auth.CodeNoProvider},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if tc.arrange != nil {
				tc.arrange(w)
			}
			failure := w.mustFail(tc.id)
			if failure.Provider != tc.provider || codeOf(failure) != tc.code {
				t.Errorf("%s failed with %q (%v), want %s with %s", failure.Provider, codeOf(failure), errors.Unwrap(failure), tc.provider, tc.code)
			}
			if strings.Contains(failure.Error(), "html") || strings.Contains(failure.Error(), cvmtest.DefaultCredential.SecretID) {
				t.Errorf("the error quotes what was answered or sent: %s", failure)
			}
		})
	}
}

// of is an identity whose keys must belong to an account.
func of(account string, id auth.Identity) auth.Identity {
	id.AccountID = account
	return id
}

// identityRequests counts the calls of GetCallerIdentity.
func (w *world) identityRequests() int {
	asked := 0
	for _, r := range w.sts.Requests() {
		if r.Action == "GetCallerIdentity" {
			asked++
		}
	}
	return asked
}

func TestKeysOfAnotherAccountAreNotHandedOut(t *testing.T) {
	byNode := auth.Identity{Source: "secret/a", Ambient: auth.CVMRole, Roles: [2]auth.Role{{ARN: reader}}}
	for name, tc := range map[string]struct {
		id  auth.Identity
		uin string // the account of the final keys
	}{
		"keys":                  {mine(), myUIN},
		"a role":                {mine(auth.Role{ARN: reader}), otherUIN},
		"a role of a role":      {mine(auth.Role{ARN: reader}, auth.Role{ARN: second}), secondUIN},
		"the node's role":       {node, nodeUIN},
		"a role by the node's":  {byNode, otherUIN},
		"the pod's identity":    {pod, podUIN},
		"a role by the pod's":   {auth.Identity{Source: "secret/a", Ambient: auth.TKEOIDC, Roles: [2]auth.Role{{ARN: reader}}}, otherUIN},
		"keys without a source": {auth.Identity{Keys: keysOf(cvmtest.DefaultCredential)}, myUIN},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for range 3 {
				w.must(of(tc.uin, tc.id))
			}
			if asked := w.identityRequests(); asked != 1 {
				t.Errorf("it was asked %d times whose the keys are, want once", asked)
			}
			failure := w.mustFail(of("999", tc.id))
			if failure.Code != auth.CodeOtherAccount || failure.Owner != tc.uin || failure.Want != "999" {
				t.Errorf("%v: the keys are those of %q, want %q", failure, failure.Owner, failure.Want)
			}
			// Without an account, any keys are returned.
			w.must(tc.id)
		})
	}
}

func TestEachKeyIsAskedForItsOwnerOnce(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.mustFail(of(otherUIN, mine()))
		w.pass(time.Minute)
	}
	if asked := w.identityRequests(); asked != 1 {
		t.Errorf("it was asked %d times whose the wrong keys are, want once", asked)
	}
	// The metadata service hands out the same keys until shortly before their end. All of it is within the five minutes for
	// which the cloud accepts a signature.
	w = newWorld(t)
	w.metadata.SetLife(4*time.Minute, 90*time.Second)
	first := w.must(of(nodeUIN, node))
	w.eventually("the keys are renewed", func() bool {
		w.pass(time.Second)
		return w.must(of(nodeUIN, node)) != first
	})
	if asked, issued := w.identityRequests(), w.metadata.Issued(); asked != issued {
		t.Errorf("it was asked %d times whose %d keys are", asked, issued)
	}
}

// Keys of an unknown account may be the wrong ones.
func TestKeysWhoseOwnerIsNotKnownAreNotHandedOut(t *testing.T) {
	text := func(body string) *string { return &body }
	for name, tc := range map[string]struct {
		fault authtest.Fault
		code  string
	}{
		"STS refuses":           {authtest.Fault{Code: "UnauthorizedOperation"}, "UnauthorizedOperation"},
		"STS hangs up":          {authtest.Fault{Drop: true}, "ClientError.NetworkError"},
		"the answer is empty":   {authtest.Fault{Body: text(`{}`)}, auth.CodeNoOwner},
		"the account is a text": {authtest.Fault{Body: text(`{"Response":{"RequestId":"x","AccountId":"1\u202e2"}}`)}, auth.CodeNoOwner},
		"the account is absent": {authtest.Fault{Body: text(`{"Response":{"RequestId":"x"}}`)}, auth.CodeNoOwner},
		"null":                  {authtest.Fault{Body: text(`null`)}, auth.CodePanic},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.sts.Inject(tc.fault)
			if failure := w.mustFail(of(myUIN, mine())); failure.Provider != auth.CallerIdentity || codeOf(failure) != tc.code {
				t.Errorf("%s failed with %q, want %q", failure.Provider, codeOf(failure), tc.code)
			}
			w.sts.Heal()
			w.pass(time.Minute)
			w.must(of(myUIN, mine()))
		})
	}
}

func TestTheMetadataServiceIsNotFollowedElsewhere(t *testing.T) {
	w := newWorld(t)
	elsewhere := authtest.NewMetadata(w.cloud, "node-role", nodeUIN)
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{301, 302, 307, 308} {
		w.metadata.Inject(authtest.Fault{Times: 1, Status: status, Header: map[string]string{"Location": elsewhere.URL() + "/latest/meta-data/cam/security-credentials/"}})
		if failure := w.mustFail(node); failure.Code != auth.CodeMetadata {
			t.Errorf("a redirect (%d) is %v", status, failure)
		}
		w.pass(time.Minute)
	}
	if paths := elsewhere.Paths(); len(paths) > 0 {
		t.Errorf("elsewhere was asked for %q", paths)
	}
}

func TestThePodsIdentityIsReadFromItsEnvironment(t *testing.T) {
	environment := map[string]string{
		"TKE_REGION": "ap-guangzhou\n", "TKE_PROVIDER_ID": "cls-1", "TKE_WEB_IDENTITY_TOKEN_FILE": "/token", "TKE_ROLE_ARN": podRole,
	}
	got, err := auth.WebIdentityFrom(func(name string) string { return environment[name] })
	if want := (auth.WebIdentity{Region: "ap-guangzhou", ProviderID: "cls-1", TokenFile: "/token", RoleARN: podRole}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for name := range environment {
		_, err := auth.WebIdentityFrom(func(asked string) string {
			if asked == name {
				return " "
			}
			return environment[asked]
		})
		if err == nil || !strings.Contains(err.Error(), "lacks "+name+",") || !strings.Contains(err.Error(), "pod-identity-webhook") {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
