// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// The vectors of the "Signature v3" documentation and of two SDKs' tests.
func TestPublishedSignatures(t *testing.T) {
	const body = `{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`
	for name, tc := range map[string]struct {
		key     string
		headers []string
		request string // SHA-256 of the canonical request, where published
		want    string
	}{
		"the documentation's masked key": {
			key: "Gu5t9xGARNpq86cd98joQYCN3*******", headers: []string{"content-type", "host"},
			request: "5ffe6a04c0664d6b969fab9a13bdab201d63ee709638e2749d62a09ca18d7031",
			want:    "2230eefd229f582d8b1b891af7107b91597240707d778ab3738f756258d7652c",
		},
		"the EXAMPLE key": {
			key: "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", headers: []string{"content-type", "host"},
			want: "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
		},
		"a signed x-tc-action": {
			key: strings.Repeat("*", 32), headers: []string{"content-type", "host", "x-tc-action"},
			request: "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84",
			want:    "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://cvm.tencentcloudapi.com/", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json; charset=utf-8")
			r.Header.Set("X-TC-Action", "DescribeInstances")
			canonical := cvmtest.CanonicalRequest(r, []byte(body), tc.headers)
			if got := sum(canonical); tc.request != "" && got != tc.request {
				t.Errorf("canonical request\n%s\nhashes to %s, want %s", canonical, got, tc.request)
			}
			if got := cvmtest.Sign(tc.key, canonical, 1551113065); got != tc.want {
				t.Errorf("signature %s, want %s", got, tc.want)
			}
		})
	}
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// call is a raw request. The zero value with a server is a correct DescribeImages.
type call struct {
	server        *cvmtest.Server
	method        string
	target        string
	body          string
	credential    cvmtest.Credential
	at            time.Time
	signedHeaders string
	header        map[string]string      // "" removes
	afterwards    func(*http.Request)    // changes the signed request
	authorization func(id string) string // replaces the header
}

type answer struct {
	Error *struct{ Code, Message string }
	// TotalCount is -1 if missing.
	TotalCount int64
	ImageSet   []map[string]any
	RequestID  string `json:"RequestId"`
}

func (a answer) code() string {
	if a.Error == nil {
		return ""
	}
	return a.Error.Code
}

func (a answer) ids() []string {
	ids := []string{}
	for _, img := range a.ImageSet {
		id, _ := img["ImageId"].(string)
		ids = append(ids, id)
	}
	return ids
}

func (c call) do(t *testing.T) answer {
	t.Helper()
	resp, err := http.DefaultClient.Do(c.request(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Errorf("HTTP status %s, want 200 for every processed request", resp.Status)
	}
	out := struct{ Response answer }{answer{TotalCount: -1}}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return out.Response
}

func (c call) request(tb testing.TB) *http.Request {
	tb.Helper()
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.target == "" {
		c.target = "/"
	}
	if c.body == "" {
		c.body = "{}"
	}
	if c.credential.SecretID == "" {
		c.credential = cvmtest.DefaultCredential
	}
	if c.at.IsZero() {
		c.at = time.Now()
	}
	if c.signedHeaders == "" {
		c.signedHeaders = "content-type;host"
	}
	r, err := http.NewRequestWithContext(tb.Context(), c.method, c.server.URL()+c.target, strings.NewReader(c.body))
	if err != nil {
		tb.Fatal(err)
	}
	for k, v := range map[string]string{
		"Content-Type": "application/json", "X-TC-Action": "DescribeImages", "X-TC-Version": "2017-03-12", "X-TC-Region": region,
		"X-TC-Timestamp": strconv.FormatInt(c.at.Unix(), 10), "X-TC-Language": "en-US", "X-TC-Token": c.credential.Token,
	} {
		c.set(r, k, v)
	}
	for k, v := range c.header {
		c.set(r, k, v)
	}
	signature := cvmtest.Sign(c.credential.SecretKey, cvmtest.CanonicalRequest(r, []byte(c.body), strings.Split(c.signedHeaders, ";")),
		c.at.Unix())
	r.Header.Set("Authorization", "TC3-HMAC-SHA256 Credential="+c.credential.SecretID+"/"+c.at.UTC().Format(time.DateOnly)+
		"/cvm/tc3_request, SignedHeaders="+c.signedHeaders+", Signature="+signature)
	if c.authorization != nil {
		c.set(r, "Authorization", c.authorization(r.Header.Get("Authorization")))
	}
	if c.afterwards != nil {
		c.afterwards(r)
	}
	return r
}

func (call) set(r *http.Request, k, v string) {
	if v == "" {
		r.Header.Del(k)
	} else {
		r.Header.Set(k, v)
	}
}

func TestAuthentication(t *testing.T) {
	now := time.Date(2026, 8, 1, 0, 2, 0, 0, time.UTC)
	replace := func(old, new string) func(string) string {
		return func(h string) string { return strings.Replace(h, old, new, 1) }
	}
	temporary := cvmtest.Credential{SecretID: "AKIDtmp", SecretKey: "k", Token: "tok", UIN: "1", Expires: now.Add(time.Minute)}
	expired := cvmtest.Credential{SecretID: "AKIDold", SecretKey: "k", Token: "tok", UIN: "1", Expires: now}
	disabled := cvmtest.Credential{SecretID: "AKIDoff", SecretKey: "k", UIN: "1", Disabled: true}
	denied := cvmtest.Credential{SecretID: "AKIDcam", SecretKey: "k", UIN: "7", Deny: true}
	with := func(c cvmtest.Credential, f func(*cvmtest.Credential)) cvmtest.Credential { f(&c); return c }
	for name, tc := range map[string]struct {
		call
		want string
	}{
		"a correct request":      {call: call{}, want: ""},
		"x-tc-action signed too": {call: call{signedHeaders: "content-type;host;x-tc-action"}, want: ""},
		"an unsigned payload":    {call: call{header: map[string]string{"X-TC-Content-SHA256": "UNSIGNED-PAYLOAD"}}, want: ""},
		"an unsigned payload that was changed": {
			call: call{header: map[string]string{"X-TC-Content-SHA256": "UNSIGNED-PAYLOAD"}, afterwards: otherBody(`{"Limit":1}`)},
			want: "",
		},
		"a charset in the content type": {
			call: call{header: map[string]string{"Content-Type": "application/json; charset=utf-8"}}, want: "",
		},
		"no Authorization": {
			call: call{authorization: func(string) string { return "" }}, want: "AuthFailure.InvalidAuthorization",
		},
		"another algorithm": {
			call: call{authorization: replace("TC3-HMAC-SHA256", "TC3-HMAC-SM3")},
			want: "AuthFailure.InvalidAuthorization",
		},
		"an Authorization without signature": {
			call: call{authorization: replace("Signature=", "Sig=")}, want: "AuthFailure.InvalidAuthorization",
		},
		"a scope without its end": {
			call: call{authorization: replace("/tc3_request", "")}, want: "AuthFailure.InvalidAuthorization",
		},
		"host not signed":         {call: call{signedHeaders: "content-type"}, want: "AuthFailure.InvalidAuthorization"},
		"content-type not signed": {call: call{signedHeaders: "host"}, want: "AuthFailure.InvalidAuthorization"},
		"an unknown id": {
			call: call{credential: with(temporary, func(c *cvmtest.Credential) { c.SecretID = "AKIDwho" })},
			want: "AuthFailure.SecretIdNotFound",
		},
		"a disabled key":   {call: call{credential: disabled}, want: "AuthFailure.SecretIdNotFound"},
		"no timestamp":     {call: call{header: map[string]string{"X-TC-Timestamp": ""}}, want: "MissingParameter"},
		"signed 300 s ago": {call: call{at: now.Add(-300 * time.Second)}, want: ""},
		"signed 301 s ago": {call: call{at: now.Add(-301 * time.Second)}, want: "AuthFailure.SignatureExpire"},
		"signed in 300 s":  {call: call{at: now.Add(300 * time.Second)}, want: ""},
		"signed in 301 s":  {call: call{at: now.Add(301 * time.Second)}, want: "AuthFailure.SignatureExpire"},
		"the wrong key": {
			call: call{credential: with(cvmtest.DefaultCredential, func(c *cvmtest.Credential) { c.SecretKey += "\n" })},
			want: "AuthFailure.SignatureFailure",
		},
		"the date of another day than the time's": {
			call: call{authorization: replace("2026-08-01", "2026-07-31")}, want: "AuthFailure.SignatureFailure",
		},
		"another service":                  {call: call{authorization: replace("/cvm/", "/cbs/")}, want: "AuthFailure.SignatureFailure"},
		"a body other than the signed one": {call: call{afterwards: otherBody(`{"Limit":1}`)}, want: "AuthFailure.SignatureFailure"},
		"a content type other than the signed one": {
			call: call{afterwards: func(r *http.Request) { r.Header.Set("Content-Type", "application/json; x") }},
			want: "AuthFailure.SignatureFailure",
		},
		"a host other than the signed one": {
			call: call{afterwards: func(r *http.Request) { r.Host = "cvm.tencentcloudapi.com" }},
			want: "AuthFailure.SignatureFailure",
		},
		"a temporary key with its token": {call: call{credential: temporary}, want: ""},
		"a temporary key without token": {
			call: call{credential: with(temporary, func(c *cvmtest.Credential) { c.Token = "" })},
			want: "AuthFailure.TokenFailure",
		},
		"a temporary key with another token": {
			call: call{credential: with(temporary, func(c *cvmtest.Credential) { c.Token = "x" })},
			want: "AuthFailure.TokenFailure",
		},
		"an expired token": {call: call{credential: expired}, want: "AuthFailure.TokenFailure"},
		"a token with a permanent key": {
			call: call{credential: with(cvmtest.DefaultCredential, func(c *cvmtest.Credential) { c.Token = "x" })},
			want: "AuthFailure.TokenFailure",
		},
		"no action":                    {call: call{header: map[string]string{"X-TC-Action": ""}}, want: "MissingParameter"},
		"no version":                   {call: call{header: map[string]string{"X-TC-Version": ""}}, want: "MissingParameter"},
		"no region":                    {call: call{header: map[string]string{"X-TC-Region": ""}}, want: "MissingParameter"},
		"another version":              {call: call{header: map[string]string{"X-TC-Version": "2099-01-01"}}, want: "NoSuchVersion"},
		"an action that doesn't exist": {call: call{header: map[string]string{"X-TC-Action": "DescribeImagez"}}, want: "InvalidAction"},
		"an action that isn't simulated": {
			call: call{header: map[string]string{"X-TC-Action": "DescribeInstances"}}, want: cvmtest.CodeUnknown,
		},
		"a region that is not for everybody": {
			call: call{header: map[string]string{"X-TC-Region": "ap-shanghai-adc"}}, want: "UnsupportedRegion",
		},
		"no form of a region": {call: call{header: map[string]string{"X-TC-Region": "gz"}}, want: "InvalidParameter"},
		"an unknown region":   {call: call{header: map[string]string{"X-TC-Region": "ap-atlantis"}}, want: "InvalidParameterValue"},
		"an edge region":      {call: call{header: map[string]string{"X-TC-Region": "ap-xian-ec"}}, want: ""},
		"a CAM denial":        {call: call{credential: denied}, want: "UnauthorizedOperation"},
		"GET":                 {call: call{method: http.MethodGet}, want: cvmtest.CodeUnknown},
		"another path":        {call: call{target: "/v2"}, want: cvmtest.CodeUnknown},
		"a query string":      {call: call{target: "/?a=b"}, want: cvmtest.CodeUnknown},
		"a form": {
			call: call{header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}},
			want: cvmtest.CodeUnknown,
		},
		"a language that nobody documents": {call: call{header: map[string]string{"X-TC-Language": "fr-FR"}}, want: cvmtest.CodeUnknown},
		"a header that nobody documents":   {call: call{header: map[string]string{"X-TC-Canary": "1"}}, want: cvmtest.CodeUnknown},
		"a timestamp that isn't a number":  {call: call{header: map[string]string{"X-TC-Timestamp": "now"}}, want: cvmtest.CodeUnknown},
		"more than 10 MB":                  {call: call{body: `{"X":"` + strings.Repeat("x", 10<<20) + `"}`}, want: "RequestSizeLimitExceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, cvmtest.Options{Now: func() time.Time { return now }})
			for _, c := range []cvmtest.Credential{temporary, expired, disabled, denied} {
				s.SetCredential(c)
			}
			c := tc.call
			c.server = s
			if c.at.IsZero() {
				c.at = now
			}
			a := c.do(t)
			if a.code() != tc.want {
				t.Errorf("code %q, want %q: %+v", a.code(), tc.want, a.Error)
			}
			if a.RequestID == "" {
				t.Error("no RequestId")
			}
			var logged []string
			for _, r := range s.Requests() {
				logged = append(logged, r.Code)
			}
			if diff := cmp.Diff([]string{tc.want}, logged); diff != "" {
				t.Errorf("codes in the log (-want +got):\n%s", diff)
			}
			if got := len(s.Unknown()) > 0; got != (tc.want == cvmtest.CodeUnknown) {
				t.Errorf("Unknown() = %q", s.Unknown())
			}
		})
	}
}

func otherBody(body string) func(*http.Request) {
	return func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(body))
		r.ContentLength = int64(len(body))
	}
}

func TestMessagesSeenInPublicReports(t *testing.T) {
	now := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	s := start(t, cvmtest.Options{RateLimit: 1, Now: func() time.Time { return now }})
	denied := cvmtest.Credential{SecretID: "AKIDcam", SecretKey: "k", UIN: "100000000007", Deny: true}
	s.SetCredential(denied)
	wrong := cvmtest.DefaultCredential
	wrong.SecretKey = "x"
	zh := map[string]string{"X-TC-Language": ""}
	for _, tc := range []struct {
		name string
		call
		want string
	}{
		{
			name: "unknown id", call: call{credential: cvmtest.Credential{SecretID: "AKIDwho", SecretKey: "k"}},
			want: "The SecretId is not found, please ensure that your SecretId is correct.",
		},
		{
			name: "wrong key", call: call{credential: wrong},
			want: "The provided credentials could not be validated. Please check your signature is correct.",
		},
		{name: "the first in its second", call: call{}, want: ""},
		{
			name: "the second", call: call{},
			want: "Your current request times equals to `2` in a second, which exceeds the frequency limit `1` for a second. Please reduce " +
				"the frequency of calls.",
		},
		{name: "the third, in Chinese", call: call{header: zh}, want: "您当前每秒请求 `3` 次，超过了每秒频率上限 `1`，请稍后重试。"},
		{
			name: "CAM", call: call{credential: denied},
			want: "[request id:ID]you are not authorized to perform operation (cvm:DescribeImages)\nresource " +
				"(qcs::cvm:ap-guangzhou:uin/100000000007:image/*) has no permission\n",
		},
	} {
		tc.server, tc.at = s, now
		a, got := tc.do(t), ""
		if a.Error != nil {
			got = strings.ReplaceAll(a.Error.Message, a.RequestID, "ID")
		}
		if got != tc.want {
			t.Errorf("%s: message %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestRateLimitIsPerSecondAndCredential(t *testing.T) {
	now := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	s := cvmtest.NewServer(cvmtest.Options{Now: func() time.Time { return now }})
	defer s.Close()
	other := cvmtest.Credential{SecretID: "AKIDother", SecretKey: "k", UIN: "1"}
	s.SetCredential(other)
	refused := func(n int, c cvmtest.Credential) (codes []string) {
		for i := range n {
			if a := (call{server: s, at: now, credential: c}).do(t); a.Error != nil {
				codes = append(codes, strconv.Itoa(i+1)+" "+a.Error.Code)
			}
		}
		return codes
	}
	var got [][]string
	got = append(got, refused(41, cvmtest.DefaultCredential), refused(40, other))
	now = now.Add(999 * time.Millisecond)
	got = append(got, refused(1, cvmtest.DefaultCredential))
	now = now.Add(time.Millisecond)
	got = append(got, refused(40, cvmtest.DefaultCredential))
	want := [][]string{{"41 RequestLimitExceeded"}, nil, {"1 RequestLimitExceeded"}, nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refused: 41 in a second, 40 of another credential, one more in it, 40 in the next (-want +got):\n%s", diff)
	}
}
