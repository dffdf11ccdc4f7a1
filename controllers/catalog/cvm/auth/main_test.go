// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	"go.uber.org/goleak"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth/authtest"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	myUIN    = "100000000001" // of cvmtest.DefaultCredential
	otherUIN = "100000000002"
	nodeUIN  = "100000000003"
	podUIN   = "100000000004"

	reader    = "qcs::cam::uin/100000000002:roleName/reader"
	guarded   = "qcs::cam::uin/100000000002:roleName/guarded"
	podRole   = "qcs::cam::uin/100000000004:roleName/pod"
	second    = "qcs::cam::uin/100000000005:roleName/second"
	secondUIN = "100000000005"

	// The claims of the pod's tokens.
	audience, subject = "sts.cloud.tencent.com", "system:serviceaccount:image-catalog-system:image-catalog-operator"

	// patience is the maximum wait for an asynchronous effect.
	patience = 20 * time.Second
)

// world is the cloud with all services that issue keys, on the same clock as the tested code.
type world struct {
	*testing.T

	offset    atomic.Int64
	cloud     *cvmtest.Server
	sts       *authtest.STS
	metadata  *authtest.Metadata
	tokenFile string
	options   *auth.Options
	providers *auth.Providers
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, tokenFile: filepath.Join(t.TempDir(), "token")}
	w.cloud = cvmtest.NewServer(cvmtest.Options{Now: w.now})
	t.Cleanup(w.cloud.Close)
	w.sts = authtest.NewSTS(w.cloud,
		authtest.Role{ARN: reader, UIN: otherUIN, Trusts: []string{myUIN, nodeUIN, podUIN}},
		authtest.Role{ARN: guarded, UIN: otherUIN, Trusts: []string{myUIN}, ExternalID: "shibboleth"},
		authtest.Role{ARN: podRole, UIN: podUIN, ProviderID: "cls-1", Audience: audience, Subject: subject},
		authtest.Role{ARN: second, UIN: secondUIN, Trusts: []string{otherUIN}},
	)
	t.Cleanup(w.sts.Close)
	w.metadata = authtest.NewMetadata(w.cloud, "node-role", nodeUIN)
	t.Cleanup(w.metadata.Close)
	t.Cleanup(func() {
		for _, unknown := range [][]string{w.cloud.Unknown(), w.sts.Unknown(), w.metadata.Unknown()} {
			if len(unknown) > 0 {
				t.Errorf("a simulator was asked what it doesn't know: %q", unknown)
			}
		}
	})
	w.sts.SetProvider(issuer.Provider("cls-1"))
	w.writeToken(w.token(24*time.Hour) + "\n")
	p := profile.NewClientProfile()
	p.HttpProfile.Endpoint, p.HttpProfile.Scheme = strings.TrimPrefix(w.sts.URL(), "http://"), "HTTP"
	transport := roundTripper((&http.Transport{DisableKeepAlives: true}).RoundTrip)
	w.options = &auth.Options{
		Profile: func(string) *profile.ClientProfile { return p }, Transport: transport, Region: "ap-nanjing", Metadata: w.metadata.URL(),
		Now:         w.now,
		WebIdentity: auth.WebIdentity{ProviderID: "cls-1", TokenFile: w.tokenFile, RoleARN: podRole},
	}
	w.providers = auth.New(*w.options)
	return w
}

// issuer is the cluster's issuer of tokens.
var issuer = authtest.NewIssuer("https://cls-1.example.com")

// token returns a token of the pod with a lifetime.
func (w *world) token(life time.Duration) string {
	return issuer.Token(audience, subject, w.now().Add(life))
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.offset.Load())) }

// pass advances the clock. Signatures have the real time, which the cloud accepts for five minutes.
func (w *world) pass(d time.Duration) { w.offset.Add(int64(d)) }

func (w *world) writeToken(token string) {
	w.Helper()
	if err := os.WriteFile(w.tokenFile, []byte(token), 0o600); err != nil {
		w.Fatal(err)
	}
}

// mine returns an identity with the keys that every simulator knows.
func mine(roles ...auth.Role) auth.Identity {
	c := cvmtest.DefaultCredential
	id := auth.Identity{Source: "secret/mine", Keys: keysOf(c)}
	copy(id.Roles[:], roles)
	return id
}

func keysOf(c cvmtest.Credential) auth.Keys {
	return auth.Keys{SecretID: secretString(c.SecretID), SecretKey: secretString(c.SecretKey), Token: secretString(c.Token)}
}

// pod is an identity with unsigned requests, so that the clock may be advanced further.
var pod = auth.Identity{Source: auth.TKEOIDC, Ambient: auth.TKEOIDC}

// node is the identity of the node's role.
var node = auth.Identity{Source: auth.CVMRole, Ambient: auth.CVMRole}

// must obtains keys and checks that the cloud accepts them.
func (w *world) must(id auth.Identity) auth.Keys {
	w.Helper()
	keys, err := w.providers.Keys(w.Context(), id)
	if err != nil {
		w.Fatalf("%v: %v", err, errors.Unwrap(err))
	}
	known, ok := w.cloud.Credentials()[keys.SecretID.Reveal()]
	if !ok || keysOf(known).SecretKey != keys.SecretKey || keysOf(known).Token != keys.Token {
		w.Fatalf("the cloud doesn't accept the keys %s", keys.SecretID.Reveal())
	}
	if !known.Expires.IsZero() && !w.now().Before(known.Expires) {
		w.Fatalf("the keys %s ended %s ago", keys.SecretID.Reveal(), w.now().Sub(known.Expires))
	}
	return keys
}

// mustFail requests keys and returns the expected error.
func (w *world) mustFail(id auth.Identity) *auth.Error {
	w.Helper()
	keys, err := w.providers.Keys(w.Context(), id)
	failure := (*auth.Error)(nil)
	if !errors.As(err, &failure) {
		w.Fatalf("Keys() = %s, %v, want an *auth.Error", keys.SecretID.Reveal(), err)
	}
	if keys != (auth.Keys{}) {
		w.Errorf("a failure comes with the keys %s", keys.SecretID.Reveal())
	}
	return failure
}

// eventually waits until the condition holds.
func (w *world) eventually(what string, holds func() bool) {
	w.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			w.Fatalf("after %s: not so: %s", patience, what)
		}
		<-time.After(5 * time.Millisecond)
	}
}
