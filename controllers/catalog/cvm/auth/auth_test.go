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
		// uin is the account of the keys, and actions the requests to STS.
		uin     string
		actions []string
	}{
		"keys":   {id: mine(), uin: myUIN, actions: nil},
		"a role": {id: mine(auth.Role{ARN: reader}), uin: otherUIN, actions: []string{"AssumeRole"}},
		"a role with an external id": {
			id: mine(auth.Role{ARN: guarded, ExternalID: "shibboleth"}), uin: otherUIN, actions: []string{"AssumeRole"},
		},
		"a role after a role": {
			id: mine(auth.Role{ARN: reader}, auth.Role{ARN: second}), uin: secondUIN,
			actions: []string{"AssumeRole", "AssumeRole"},
		},
		"the second role only": {id: mine(auth.Role{}, auth.Role{ARN: reader}), uin: otherUIN, actions: []string{"AssumeRole"}},
		"the node's role":      {id: node, uin: nodeUIN, actions: nil},
		"a role by the node's": {
			id:  auth.Identity{Source: "secret/a", Ambient: auth.CVMRole, Roles: [2]auth.Role{{ARN: reader}}},
			uin: otherUIN, actions: []string{"AssumeRole"},
		},
		"the pod's identity": {id: pod, uin: podUIN, actions: []string{"AssumeRoleWithWebIdentity"}},
		"a role by the pod's": {
			id:  auth.Identity{Source: "secret/a", Ambient: auth.TKEOIDC, Roles: [2]auth.Role{{ARN: reader}}},
			uin: otherUIN, actions: []string{"AssumeRoleWithWebIdentity", "AssumeRole"},
		},
		"a role by keys of the node's kin": {
			id:  auth.Identity{Source: "secret/b", Ambient: auth.CVMRole, Roles: [2]auth.Role{{ARN: reader}, {ARN: second}}},
			uin: secondUIN, actions: []string{"AssumeRole", "AssumeRole"},
		},
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
				if r.Action != tc.actions[i] || r.Region != "ap-nanjing" || r.RoleSessionName != "image-catalog-operator" ||
					r.DurationSeconds != 3600 ||
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

// The SDK's provider uses ap-guangzhou, regardless of the pod's region.
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

// codeOf returns the code of a failure, the cloud's or ours.
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
		"a role that is not there": {
			id: role("qcs::cam::uin/1:roleName/nobody", ""), arrange: nil, provider: auth.AssumedRole,
			code: "InternalError.GetRoleError",
		},
		"a role that doesn't trust the caller": {id: role(second, ""), arrange: nil, provider: auth.AssumedRole, code: "UnauthorizedOperation"},
		"no external id":                       {id: role(guarded, ""), arrange: nil, provider: auth.AssumedRole, code: "UnauthorizedOperation"},
		"a wrong external id": {
			id: role(guarded, "sibboleth"), arrange: nil, provider: auth.AssumedRole, code: "UnauthorizedOperation",
		},
		"sessions that are too long": {id: role(reader, ""), arrange: func(w *world) {
			w.sts.SetRole(authtest.Role{ARN: reader, Trusts: []string{myUIN}, MaxDuration: time.Minute})
		}, provider: auth.AssumedRole, code: "InvalidParameter.OverTimeError"},
		"wrong keys": {id: wrong, arrange: nil, provider: auth.AssumedRole, code: "AuthFailure.SignatureFailure"},
		"a throttled STS": {
			id: role(reader, ""), arrange: sts(authtest.Fault{Code: "RequestLimitExceeded"}),
			provider: auth.AssumedRole, code: "RequestLimitExceeded",
		},
		"a broken STS": {
			id: role(reader, ""), arrange: sts(authtest.Fault{Code: "InternalError.SystemError"}),
			provider: auth.AssumedRole, code: "InternalError.SystemError",
		},
		"an STS that hangs up": {
			id: role(reader, ""), arrange: sts(authtest.Fault{Drop: true}), provider: auth.AssumedRole,
			code: "ClientError.NetworkError",
		},
		"an answer without keys": {
			id: role(reader, ""), arrange: sts(authtest.Fault{Body: text(`{"Response":{"RequestId":"x"}}`)}),
			provider: auth.AssumedRole, code: auth.CodeNoKeys,
		},
		"an answer without token": {
			id:       role(reader, ""),
			arrange:  sts(authtest.Fault{Body: text(`{"Response":{"ExpiredTime":9999999999,"Credentials":{"TmpSecretId":"a","TmpSecretKey":"b"}}}`)}),
			provider: auth.AssumedRole, code: auth.CodeNoKeys,
		},
		"keys that fit into no header": {
			id:       role(reader, ""),
			arrange:  sts(authtest.Fault{Body: text(`{"Response":{"ExpiredTime":9999999999,"Credentials":{"TmpSecretId":"a\n","TmpSecretKey":"b","Token":"c"}}}`)}),
			provider: auth.AssumedRole, code: auth.CodeNoKeys,
		},
		"an empty answer": {
			id: role(reader, ""), arrange: sts(authtest.Fault{Body: text(`{}`)}), provider: auth.AssumedRole,
			code: auth.CodeNoKeys,
		},
		"null": {
			id: role(reader, ""), arrange: sts(authtest.Fault{Body: text(`null`)}), provider: auth.AssumedRole,
			code: auth.CodePanic,
		},
		"keys that have ended": {
			id:       role(reader, ""),
			arrange:  sts(authtest.Fault{Body: text(`{"Response":{"ExpiredTime":1,"Credentials":{"TmpSecretId":"a","TmpSecretKey":"b","Token":"c"}}}`)}),
			provider: auth.AssumedRole, code: auth.CodeEnding,
		},
		"a token that is none": {
			id: pod, arrange: func(w *world) { w.writeToken("token") }, provider: auth.TKEOIDC,
			code: "InvalidParameter.WebIdentityTokenError",
		},
		"a token for another audience": {id: pod, arrange: func(w *world) {
			w.writeToken(issuer.Token("https://kubernetes.default.svc", subject, w.now().Add(time.Hour)))
		}, provider: auth.TKEOIDC, code: "InvalidParameter.WebIdentityTokenError"},
		"a token of another ServiceAccount": {id: pod, arrange: func(w *world) {
			w.writeToken(issuer.Token(audience, "system:serviceaccount:default:default", w.now().Add(time.Hour)))
		}, provider: auth.TKEOIDC, code: "InvalidParameter.WebIdentityTokenError"},
		"a token that has expired": {
			id: pod, arrange: func(w *world) { w.writeToken(w.token(-time.Second)) }, provider: auth.TKEOIDC,
			code: "InvalidParameter.WebIdentityTokenError",
		},
		"a token of another cluster": {id: pod, arrange: func(w *world) {
			w.writeToken(authtest.NewIssuer(issuer.Name).Token(audience, subject, w.now().Add(time.Hour)))
		}, provider: auth.TKEOIDC, code: "InvalidParameter.WebIdentityTokenError"},
		"no token": {
			id: pod, arrange: func(w *world) { w.writeToken(" \n") }, provider: auth.TKEOIDC, code: auth.CodeNoToken,
		},
		"no file with a token": {
			id: pod, arrange: func(w *world) { _ = os.Remove(w.tokenFile) }, provider: auth.TKEOIDC,
			code: auth.CodeNoToken,
		},
		"a node without role": {
			id: node, arrange: func(w *world) { w.metadata.SetRole("", "") }, provider: auth.CVMRole,
			code: auth.CodeNoRole,
		},
		"a role that the node may not use": {
			id: node, arrange: func(w *world) { w.metadata.SetCode("Failed") }, provider: auth.CVMRole,
			code: auth.CodeRoleRefused,
		},
		"a metadata service that fails": {id: node, arrange: odd(authtest.Fault{Status: 500}), provider: auth.CVMRole, code: auth.CodeMetadata},
		"one that hangs up":             {id: node, arrange: odd(authtest.Fault{Drop: true}), provider: auth.CVMRole, code: auth.CodeMetadata},
		"one that is silent": {id: node, arrange: func(w *world) {
			w.providers.SetMetadataTimeout(50 * time.Millisecond)
			w.metadata.Inject(authtest.Fault{Hold: make(chan struct{})})
		}, provider: auth.CVMRole, code: auth.CodeMetadata},
		"one that answers without end": {
			id: node, arrange: odd(authtest.Fault{Body: text(strings.Repeat("x", 100<<10))}), provider: auth.CVMRole,
			code: auth.CodeMetadata,
		},
		"a role that is a path": {
			id: node, arrange: odd(authtest.Fault{Body: text("../../user-data")}), provider: auth.CVMRole,
			code: auth.CodeMetadata,
		},
		"a page": {
			id: node, arrange: odd(authtest.Fault{Body: text("<html>")}), provider: auth.CVMRole,
			code: auth.CodeMetadata,
		},
		"the node's role before another": {
			id:      auth.Identity{Source: "secret/a", Ambient: auth.CVMRole, Roles: [2]auth.Role{{ARN: reader}}},
			arrange: func(w *world) { w.metadata.SetRole("", "") }, provider: auth.CVMRole, code: auth.CodeNoRole,
		},
		"an identity that is none": {id: auth.Identity{Ambient: "magic"}, arrange: nil, provider: "magic", code: auth.CodeNoProvider},
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

// of returns an identity with a required account.
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
	// The metadata service returns the same keys until shortly before their expiry. All of this fits into the five
	// minutes for which the cloud accepts a signature.
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
		w.metadata.Inject(authtest.Fault{
			Times: 1, Status: status,
			Header: map[string]string{"Location": elsewhere.URL() + "/latest/meta-data/cam/security-credentials/"},
		})
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
	if want := (auth.WebIdentity{
		Region: "ap-guangzhou", ProviderID: "cls-1", TokenFile: "/token", RoleARN: podRole,
	}); err != nil || got != want {
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
