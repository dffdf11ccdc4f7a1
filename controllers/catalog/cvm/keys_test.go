// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth/authtest"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

const (
	otherUIN = "100000000002"
	reader   = "qcs::cam::uin/100000000002:roleName/reader"
	podRole  = "qcs::cam::uin/100000000002:roleName/pod"
)

// keyring is the cloud with the services that issue keys, and a client of both. All clocks except that of signatures
// are advanced together; the cloud accepts a signature for five minutes.
type keyring struct {
	*testing.T

	offset    atomic.Int64
	cloud     *cvmtest.Server
	sts       *authtest.STS
	metadata  *authtest.Metadata
	tokenFile string
	client    *Client
}

func newKeyring(t *testing.T) *keyring {
	t.Helper()
	k := &keyring{T: t, tokenFile: filepath.Join(t.TempDir(), "token")}
	now := func() time.Time { return time.Now().Add(time.Duration(k.offset.Load())) }
	k.cloud = start(t, cvmtest.Options{Now: now})
	k.sts = authtest.NewSTS(k.cloud,
		authtest.Role{ARN: reader, UIN: otherUIN, Trusts: []string{cvmtest.DefaultCredential.UIN, otherUIN}},
		authtest.Role{ARN: podRole, UIN: otherUIN, ProviderID: "cls-1", Audience: "sts.cloud.tencent.com", Subject: "pod"},
	)
	issuer := authtest.NewIssuer("https://cls-1.example.com")
	k.sts.SetProvider(issuer.Provider("cls-1"))
	t.Cleanup(k.sts.Close)
	k.metadata = authtest.NewMetadata(k.cloud, "node-role", otherUIN)
	t.Cleanup(k.metadata.Close)
	if err := os.WriteFile(k.tokenFile, []byte(issuer.Token("sts.cloud.tencent.com", "pod", time.Now().AddDate(1, 0, 0))+"\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	identity := auth.WebIdentity{Region: "ap-shanghai", ProviderID: "cls-1", TokenFile: k.tokenFile, RoleARN: podRole}
	c, err := New(Options{
		Endpoint: k.cloud.URL(), STS: k.sts.URL(), Metadata: k.metadata.URL(), WebIdentity: identity, QPS: 100_000,
		Burst: 100_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	sts, err := parseEndpoint(k.sts.URL(), DefaultSTS)
	if err != nil {
		t.Fatal(err)
	}
	// Like in New, except for the clock.
	c.keys = auth.New(auth.Options{
		Profile: func(region string) *profile.ClientProfile { return newProfile(sts.in(region)) }, Transport: c.transport,
		Region: defaultSTSRegion, Metadata: k.metadata.URL(), WebIdentity: identity, Now: now,
	})
	k.client = c
	k.cloud.Put(region, cvmtest.PrivateImages(1, 3, otherUIN)...)
	return k
}

func (k *keyring) pass(d time.Duration) { k.offset.Add(int64(d)) }

// assuming returns an account that assumes a role with the keys that every simulator knows.
func assuming(arn string) catalog.Account {
	a := account
	a.Roles[0].ARN = arn
	return a
}

var (
	byNode = catalog.Account{Source: auth.CVMRole, Ambient: auth.CVMRole}
	byPod  = catalog.Account{Source: auth.TKEOIDC, Ambient: auth.TKEOIDC}
)

func TestListingsAreSignedWithTheKeysOfEachProvider(t *testing.T) {
	byBoth := byNode
	byBoth.Source, byBoth.Roles[1].ARN = "secret/both", reader
	for name, account := range map[string]catalog.Account{
		"a role": assuming(reader), "the node": byNode, "the pod": byPod, "a role by the node": byBoth,
	} {
		t.Run(name, func(t *testing.T) {
			k := newKeyring(t)
			for range 3 {
				listing, err := k.client.List(t.Context(), account, everything)
				if err != nil || len(listing.Images) != 3 {
					t.Fatalf("%d images, %v; want the 3 of the other account", len(listing.Images), err)
				}
			}
			if n := k.client.clients.Len(); n != 1 {
				t.Errorf("%d SDK clients", n)
			}
		})
	}
}

// Each page is signed with keys that are valid when it is sent, however long the previous pages took.
func TestALongListingOutlivesItsKeys(t *testing.T) {
	k := newKeyring(t)
	k.metadata.SetLife(3*time.Minute, 2*time.Minute)
	k.cloud.Put(region, cvmtest.PrivateImages(2, 450, otherUIN)...)
	k.cloud.OnRequest(func(r cvmtest.Request) {
		if r.Page == 1 {
			k.pass(150 * time.Second)
		}
	})
	listing, err := k.client.List(t.Context(), byNode, everything)
	if err != nil || len(listing.Images) != 453 {
		t.Fatalf("%d images, %v", len(listing.Images), err)
	}
	requests := k.cloud.Requests()
	var later []string
	for _, r := range requests[1:] {
		later = append(later, r.SecretID)
	}
	if slices.Sort(later); len(requests) != 5 || len(slices.Compact(later)) != 1 || later[0] == requests[0].SecretID {
		t.Errorf("the pages were signed by %s and %q", requests[0].SecretID, later)
	}
	if n := k.client.clients.Len(); n != 1 {
		t.Errorf("%d SDK clients for one source in one region", n)
	}
}

func TestRevokedKeysAreReplacedByTheNextListing(t *testing.T) {
	k := newKeyring(t)
	if _, err := k.client.List(t.Context(), assuming(reader), everything); err != nil {
		t.Fatal(err)
	}
	k.pass(2 * time.Minute)
	revoked := k.cloud.Requests()[0].SecretID
	k.cloud.RemoveCredential(revoked)
	if failure := mustFail(t, k.client, assuming(reader), everything); failure.Kind != catalog.Unauthenticated {
		t.Errorf("revoked keys are %v", failure)
	}
	if _, err := k.client.List(t.Context(), assuming(reader), everything); err != nil {
		t.Errorf("the next listing: %v", err)
	}
}

// The message without keys: the class, the provider, and who must do what.
func TestWithoutKeysItIsSaidWhoMustAct(t *testing.T) {
	text := func(body string) *string { return &body }
	sts := func(f authtest.Fault) func(*keyring) { return func(k *keyring) { k.sts.Inject(f) } }
	metadata := func(f authtest.Fault) func(*keyring) { return func(k *keyring) { k.metadata.Inject(f) } }
	wrong := assuming(reader)
	wrong.SecretKey = "wrong"
	for name, tc := range map[string]struct {
		account catalog.Account
		arrange func(*keyring)
		kind    catalog.Kind
		want    string
	}{
		"a role that isn't there": {
			account: assuming("qcs::cam::uin/1:roleName/x"), arrange: nil, kind: catalog.Unauthenticated,
			want: "the role of roleArn gives no keys: the cloud knows no such role; correct its ARN, or create it in CAM " +
				"(InternalError.GetRoleError)",
		},
		"a role without trust": {
			account: assuming(podRole), arrange: nil, kind: catalog.Unauthenticated,
			want: "the role of roleArn gives no keys: the cloud doesn't let the caller assume the role; name the caller in the role's trust policy",
		},
		"wrong keys": {
			account: wrong, arrange: nil, kind: catalog.Unauthenticated,
			want: "the role of roleArn gives no keys: the secretKey does not belong to the secretId; correct secretKey in the Secret " +
				"(AuthFailure.SignatureFailure)",
		},
		"a clock that is wrong": {
			account: assuming(reader), arrange: func(k *keyring) { k.cloud.SetSkew(time.Hour) },
			kind: catalog.Unavailable, want: "correct the clock of the node",
		},
		"a throttled STS": {
			account: assuming(reader), arrange: sts(authtest.Fault{Code: "RequestLimitExceeded"}),
			kind: catalog.Throttled,
			want: "the role of roleArn gives no keys: the cloud's limit of requests for keys is reached (RequestLimitExceeded)",
		},
		"a broken STS": {
			account: byPod, arrange: sts(authtest.Fault{Code: "InternalError.SystemError"}), kind: catalog.Unavailable,
			want: "the TKE identity of the pod gives no keys: the cloud could not answer (InternalError.SystemError)",
		},
		"a gateway's page": {
			account: byPod, arrange: sts(authtest.Fault{Status: 502, Body: text("<html>" + canary)}),
			kind: catalog.Unavailable,
			want: "the TKE identity of the pod gives no keys: the answer is not the cloud's: its HTTP status is 502 (ClientError.AnswerRefused)",
		},
		"a redirect": {
			account: byPod,
			arrange: sts(authtest.Fault{Status: 307, Header: map[string]string{"Location": "http://127.0.0.1:1/"}}),
			kind:    catalog.Unavailable, want: "it is a redirect (HTTP status 307)",
		},
		"no JSON": {
			account: byPod, arrange: sts(authtest.Fault{Header: map[string]string{"Content-Type": "text/html"}}),
			kind: catalog.Unavailable, want: "it is not JSON",
		},
		"an answer without end": {
			account: byPod, arrange: sts(authtest.Fault{Body: text(strings.Repeat(canary, 1<<20))}),
			kind: catalog.Unavailable, want: "it is larger than 8 MiB",
		},
		"a connection that ends": {
			account: byPod, arrange: sts(authtest.Fault{Drop: true}), kind: catalog.Unavailable,
			want: "the TKE identity of the pod gives no keys: the host 127.0.0.1 closed the connection without an answer " +
				"(ClientError.ConnectionClosed)",
		},
		"no keys in the answer": {
			account: byPod, arrange: sts(authtest.Fault{Body: text(`{"Response":{"RequestId":"` + canary + `"}}`)}),
			kind: catalog.Unavailable,
			want: "the TKE identity of the pod gives no keys: the answer has none (ClientError.NoKeys)",
		},
		"a token that is refused": {
			account: byPod, arrange: func(k *keyring) { _ = os.WriteFile(k.tokenFile, []byte(canary), 0o600) },
			kind: catalog.Unauthenticated, want: "the role must trust this cluster's OIDC provider in CAM",
		},
		"no token": {
			account: byPod, arrange: func(k *keyring) { _ = os.Remove(k.tokenFile) }, kind: catalog.Unauthenticated,
			want: "TKE_WEB_IDENTITY_TOKEN_FILE must name a file that the add-on pod-identity-webhook mounts (ClientError.NoWebIdentityToken)",
		},
		"a node without role": {
			account: byNode, arrange: func(k *keyring) { k.metadata.SetRole("", "") }, kind: catalog.Unauthenticated,
			want: "the CVM role of the node gives no keys: no role is bound to the node; bind one in the CVM console",
		},
		"a role without keys": {
			account: byNode, arrange: func(k *keyring) { k.metadata.SetCode("Failed") }, kind: catalog.Unauthenticated,
			want: "check the role and what may use it in CAM",
		},
		"no metadata service": {
			account: byNode, arrange: metadata(authtest.Fault{Status: 500, Body: text(canary)}),
			kind: catalog.Unavailable,
			want: "the operator must run on a CVM node, and its NetworkPolicy must admit 169.254.0.23 (ClientError.MetadataUnavailable)",
		},
		"keys that end at once": {
			account: byNode, arrange: func(k *keyring) { k.metadata.SetLife(30*time.Second, time.Second) },
			kind: catalog.Unavailable, want: "those in the answer end within a minute",
		},
		"a role that may not list": {account: assuming(reader), arrange: func(k *keyring) {
			k.sts.SetRole(authtest.Role{ARN: reader, UIN: otherUIN, Trusts: []string{cvmtest.DefaultCredential.UIN}, Deny: true})
		}, kind: catalog.Forbidden, want: "grant cvm:DescribeImages to it in CAM"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKeyring(t)
			if tc.arrange != nil {
				tc.arrange(k)
			}
			failure := mustFail(t, k.client, tc.account, everything)
			if failure.Kind != tc.kind || !strings.Contains(failure.Error(), tc.want) {
				t.Errorf("%s: %s\nwant %s: %s", failure.Kind, failure, tc.kind, tc.want)
			}
			if again := mustFail(t, k.client, tc.account, everything); again.Error() != failure.Error() {
				t.Errorf("the same cause told again:\n%s\n%s", again, failure)
			}
			wantConfidential(t, k.cloud, tc.account, failure)
		})
	}
}

// belongingTo returns an account with a required account id.
func belongingTo(account string, a catalog.Account) catalog.Account {
	a.AccountID = account
	return a
}

func TestNothingIsListedWithTheKeysOfAnotherAccount(t *testing.T) {
	sts := func(f authtest.Fault) func(*keyring) { return func(k *keyring) { k.sts.Inject(f) } }
	wrong := account
	wrong.SecretKey = "wrong"
	for name, tc := range map[string]struct {
		account catalog.Account
		arrange func(*keyring)
		kind    catalog.Kind
		want    string
	}{
		"another account": {account: belongingTo(otherUIN, account), arrange: nil, kind: catalog.Unauthenticated,
			want: "the keys belong to the account " + cvmtest.DefaultCredential.UIN + ", and accountID demands " + otherUIN +
				"; use keys of that account, or correct accountID"},
		"the role of another account": {
			account: belongingTo(cvmtest.DefaultCredential.UIN, assuming(reader)), arrange: nil,
			kind: catalog.Unauthenticated, want: "the keys belong to the account " + otherUIN,
		},
		"the node's of another": {
			account: belongingTo(cvmtest.DefaultCredential.UIN, byNode), arrange: nil, kind: catalog.Unauthenticated,
			want: "the keys belong to the account " + otherUIN,
		},
		"wrong keys": {
			account: belongingTo(cvmtest.DefaultCredential.UIN, wrong), arrange: nil, kind: catalog.Unauthenticated,
			want: "the secretKey does not belong to the secretId",
		},
		"an STS that refuses": {
			account: belongingTo(otherUIN, account), arrange: sts(authtest.Fault{Code: "UnauthorizedOperation"}),
			kind: catalog.Unavailable, want: "allow sts:GetCallerIdentity to them in CAM",
		},
		"an STS that doesn't know it": {
			account: belongingTo(otherUIN, account), arrange: sts(authtest.Fault{Code: "InvalidAction"}),
			kind: catalog.Unavailable, want: "correct the operator's --sts-endpoint",
		},
		"an STS that names nobody": {
			account: belongingTo(otherUIN, account), arrange: sts(authtest.Fault{Body: new(`{"Response":{"RequestId":"x"}}`)}),
			kind: catalog.Unavailable,
			want: "it is not known which account the keys belong to, and accountID names one: the answer does not name it",
		},
		"an STS that hangs up": {
			account: belongingTo(otherUIN, account), arrange: sts(authtest.Fault{Drop: true}),
			kind: catalog.Unavailable,
			want: "it is not known which account the keys belong to, and accountID names one: the host 127.0.0.1 closed the connection " +
				"without an answer",
		},
		"an STS that is broken": {
			account: belongingTo(otherUIN, account), arrange: sts(authtest.Fault{Code: "InternalError"}),
			kind: catalog.Unavailable, want: "the cloud could not answer",
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKeyring(t)
			if tc.arrange != nil {
				tc.arrange(k)
			}
			failure := mustFail(t, k.client, tc.account, everything)
			if failure.Kind != tc.kind || !strings.Contains(failure.Error(), tc.want) {
				t.Errorf("%s: %s\nwant %s: %s", failure.Kind, failure, tc.kind, tc.want)
			}
			if requests := k.cloud.Requests(); len(requests) > 0 {
				t.Errorf("%d requests were sent all the same", len(requests))
			}
			wantConfidential(t, k.cloud, tc.account, failure)
		})
	}
	k := newKeyring(t)
	for range 2 {
		mustList(t, k.client, everything)
		if _, err := k.client.List(t.Context(), belongingTo(otherUIN, assuming(reader)), everything); err != nil {
			t.Error(err)
		}
	}
}

// Throttled requests for keys don't pause requests for images.
func TestAThrottledSTSPausesNoListing(t *testing.T) {
	k := newKeyring(t)
	k.sts.Inject(authtest.Fault{Code: "RequestLimitExceeded"})
	mustFail(t, k.client, assuming(reader), everything)
	if k.client.limits.bucket(bucketOf(account.Source, k.client.endpoint.host)).paused() > 0 {
		t.Error("the bucket of the source is paused")
	}
}

func TestNoCodeOfKeysBlamesTheQueryOrTheWrongFlag(t *testing.T) {
	codes := []string{"A.CodeThatNobodyKnows", ""}
	for _, table := range []map[string]verdict{verdicts, keyVerdicts} {
		for code := range table {
			codes = append(codes, code, code+".AndMore")
		}
	}
	for _, code := range codes {
		if kind := judgeIdentity(code).kind; kind == catalog.Invalid || kind == catalog.Forbidden || kind == catalog.Incomplete {
			t.Errorf("asked whose the keys are, %s is %s", code, kind)
		}
		v := judgeKeys(code)
		if v.kind == catalog.Invalid || v.kind == catalog.Forbidden || v.kind == "" || v.message == "" {
			t.Errorf("%s is %+v", code, v)
		}
		for _, word := range []string{"spec", "DescribeImages", "--cvm-", "query"} {
			if strings.Contains(v.message, word) {
				t.Errorf("%s speaks of %s: %s", code, word, v.message)
			}
		}
	}
}

// The class follows the API's description of each code.
func TestCodesOfKeys(t *testing.T) {
	kinds := map[catalog.Kind][]string{
		catalog.Unauthenticated: {
			"InternalError.GetRoleError", "InternalError.IllegalRole", "ResourceNotFound.RoleNotFound", "UnauthorizedOperation",
			"UnsupportedOperation",
			"InvalidParameter.AccessKeyNotSupport", "InvalidParameter.AccountNotAvaliable", "InvalidParameter.GrantOtherResource",
			"InvalidParameter.OverTimeError", "InvalidParameter.ParamError", "InvalidParameter.ResouceError",
			"InvalidParameter.WebIdentityTokenError",
			"FailedOperation.CheckMFAError", "FailedOperation.MFATypeNotSupported", "AuthFailure.AccessKeyIllegal", "AuthFailure.SecretIdNotFound",
			"AuthFailure.TokenFailure", "MissingParameter", "IpNotInWhitelist",
		},
		catalog.Throttled: {"RequestLimitExceeded", "RequestLimitExceeded.UinLimitExceeded", "InvalidParameter.OverLimit"},
		catalog.Unavailable: {
			"InternalError.DbError", "InternalError.EncryptError", "InternalError.GetAppIdError", "InternalError.GetSeedTokenError",
			"InternalError.PbSerializeError", "InternalError.SystemError", "InternalError.UnknownError", "AuthFailure.SignatureExpire",
			"InvalidAction", "UnsupportedRegion", "ClientError.NetworkError",
		},
	}
	for kind, codes := range kinds {
		for _, code := range codes {
			if got := judgeKeys(code); got.kind != kind {
				t.Errorf("%s is %s, want %s", code, got.kind, kind)
			}
		}
	}
}

func TestAClientTellsNoKeys(t *testing.T) {
	k := newKeyring(t)
	secrets := assuming(reader)
	secrets.Roles[0].ExternalID = canary
	if _, err := k.client.List(t.Context(), secrets, everything); err != nil {
		t.Fatal(err)
	}
	issued := k.cloud.Requests()[0].SecretID
	for _, c := range k.client.clients.All() {
		for _, verb := range []string{"%v", "%+v", "%s", "%q"} {
			got := fmt.Sprintf(verb, c)
			for _, secret := range []string{issued, canary, account.SecretKey.Reveal()} {
				if strings.Contains(got, secret) {
					t.Errorf("fmt.Sprintf(%q) has %s: %s", verb, secret, got)
				}
			}
		}
	}
}

func TestParseMetadata(t *testing.T) {
	for value, want := range map[string]string{
		DefaultMetadata:               DefaultMetadata,
		"metadata.tencentyun.com":     "http://metadata.tencentyun.com",
		"http://169.254.0.23/":        "http://169.254.0.23",
		"169.254.0.23":                "http://169.254.0.23",
		"http://127.0.0.1:8080":       "http://127.0.0.1:8080",
		"http://localhost:1":          "http://localhost:1",
		"https://169.254.0.23":        "",
		"http://10.0.0.1":             "",
		"http://example.com":          "",
		"http://metadata.example.com": "",
		"http://169.254.0.23.evil.io": "",
		"http://a@169.254.0.23":       "",
		"http://169.254.0.23/x":       "",
		"http://169.254.0.23?x":       "",
		"http://127.0.0.1:0":          "",
		"http://127.0.0.1:99999":      "",
		"http://":                     "",
		"%zz":                         "",
		"ftp://127.0.0.1":             "",
	} {
		got, err := parseMetadata(value)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("parseMetadata(%q) = %q, %v; want %q", value, got, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "write http://169.254.0.23 or ") {
			t.Errorf("%q: the sentence doesn't say what to write: %v", value, err)
		}
	}
}

func TestAnEndpointThatCannotBeIsNamedByItsFlag(t *testing.T) {
	for flag, o := range map[string]Options{
		"--cvm-endpoint: ":      {Endpoint: "http://cvm.tencentcloudapi.com"},
		"--sts-endpoint: ":      {STS: "http://sts.tencentcloudapi.com"},
		"--metadata-endpoint: ": {Metadata: "http://metadata.example.com"},
	} {
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), flag) {
			t.Errorf("%+v: %v, want it to begin with %s", o, err, flag)
		}
	}
	if _, err := New(Options{STS: "http://sts.tencentcloudapi.com"}); !strings.Contains(err.Error(), "such as sts.tencentcloudapi.com") {
		t.Errorf("the example is not one of STS: %v", err)
	}
}

func TestRegionOf(t *testing.T) {
	for host, want := range map[string]string{
		"sts.tencentcloudapi.com":                       "",
		"sts.internal.tencentcloudapi.com":              "",
		"sts.intl.tencentcloudapi.com":                  "",
		"sts.ap-shanghai-fsi.tencentcloudapi.com":       "ap-shanghai-fsi",
		"sts.internal.ap-guangzhou.tencentcloudapi.com": "ap-guangzhou",
		"127.0.0.1:8080":                                "",
	} {
		if got := regionOf(host); got != want {
			t.Errorf("regionOf(%s) = %q, want %q", host, got, want)
		}
	}
}
