// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// rawBody returns a fault with this body.
func rawBody(body string) cvmtest.Fault { return cvmtest.Fault{Body: &body} }

// raw returns a fault that sets a member of Response.
func raw(member, value string) cvmtest.Fault {
	return cvmtest.Fault{Set: map[string]json.RawMessage{member: json.RawMessage(value)}}
}

// page300K is a gateway's page of 300 KiB.
var page300K = "<html>" + canary + strings.Repeat("\x1b[31m "+canary, 300<<10/10) + "</html>"

// oddAnswers are answers that are no listing, by name. Each is one request that fails.
func oddAnswers(elsewhere string) map[string]oddAnswer {
	refused := func(f cvmtest.Fault, message string) oddAnswer {
		return oddAnswer{
			fault: f, kind: catalog.Unavailable, code: "ClientError.AnswerRefused",
			message: "the answer is not the cloud's: " + message,
		}
	}
	unreadable := func(f cvmtest.Fault) oddAnswer {
		return oddAnswer{fault: f, kind: catalog.Unavailable, code: "ClientError.ParseJsonError", message: "the cloud's answer could not be read"}
	}
	malformed := func(f cvmtest.Fault, message string) oddAnswer {
		return oddAnswer{fault: f, kind: catalog.Incomplete, code: "ClientError.MalformedAnswer", message: "the cloud's answer has " + message}
	}
	cut := func(f cvmtest.Fault) oddAnswer {
		return oddAnswer{fault: f, kind: catalog.Unavailable, code: "ClientError.IOError", message: "the cloud's answer was cut off"}
	}
	hungUp := func(f cvmtest.Fault) oddAnswer {
		return oddAnswer{
			fault: f, kind: catalog.Unavailable, code: "ClientError.ConnectionClosed",
			message: "the host 127.0.0.1 closed the connection without an answer", again: 1,
		}
	}
	typed := func(contentType, body string) cvmtest.Fault {
		return cvmtest.Fault{Body: &body, Header: map[string]string{"Content-Type": contentType}}
	}
	encoded := func(encoding string) cvmtest.Fault {
		return cvmtest.Fault{Header: map[string]string{"Content-Encoding": encoding}}
	}
	return map[string]oddAnswer{
		"a redirect to another host":            refused(cvmtest.Fault{Redirect: elsewhere}, "it is a redirect (HTTP status 302)"),
		"a redirect that keeps method and body": refused(cvmtest.Fault{Redirect: elsewhere, Status: 307}, "it is a redirect (HTTP status 307)"),
		"a permanent one":                       refused(cvmtest.Fault{Redirect: elsewhere, Status: 308}, "it is a redirect (HTTP status 308)"),
		"a redirect to itself":                  refused(cvmtest.Fault{Redirect: "/"}, "it is a redirect (HTTP status 302)"),
		"a redirect without a target":           refused(cvmtest.Fault{Status: 301, KeepBody: true}, "it is a redirect (HTTP status 301)"),
		"multiple choices":                      refused(cvmtest.Fault{Status: 300, KeepBody: true}, "it is a redirect (HTTP status 300)"),
		"500 with a good body":                  refused(cvmtest.Fault{Status: 500, KeepBody: true}, "its HTTP status is 500"),
		"502 with a gateway's page":             refused(cvmtest.Fault{Status: 502}, "its HTTP status is 502"),
		"502 with a page of 300 KiB": refused(cvmtest.Fault{
			Status: 502, Body: &page300K, Header: map[string]string{"Content-Type": "text/html"},
		}, "its HTTP status is 502"),
		"503 that says it is JSON": refused(cvmtest.Fault{Status: 503, Body: &page300K}, "its HTTP status is 503"),
		"404":                      refused(cvmtest.Fault{Status: 404}, "its HTTP status is 404"),
		"429":                      refused(cvmtest.Fault{Status: 429}, "its HTTP status is 429"),
		"206 with a good body":     refused(cvmtest.Fault{Status: 206, KeepBody: true}, "its HTTP status is 206"),
		"an event stream":          refused(cvmtest.Fault{EventStream: true}, "it is not JSON"),
		"an event stream with a charset": refused(cvmtest.Fault{
			EventStream: true, Header: map[string]string{"Content-Type": "text/event-stream; charset=utf-8"},
		}, "it is not JSON"),
		"a page of 300 KiB with status 200":    refused(typed("text/html; charset=utf-8", page300K), "it is not JSON"),
		"an octet stream":                      refused(typed("application/octet-stream", "{}"), "it is not JSON"),
		"no type of content":                   refused(typed("", "{}"), "it is not JSON"),
		"a type of content that can't be read": refused(typed("application/json; =", "{}"), "it is not JSON"),
		"an encoding nobody has":               refused(encoded("x-"+canary), "it has an encoding that was not asked for"),
		"brotli":                               refused(encoded("br"), "it has an encoding that was not asked for"),
		"a deflate bomb":                       refused(cvmtest.Fault{DeflateBomb: 9 << 20}, "it has an encoding that was not asked for"),
		"a gzip bomb":                          refused(cvmtest.Fault{GzipBomb: 9 << 20}, "it is larger than 8 MiB"),
		"a body of 20 MiB":                     refused(cvmtest.Fault{BigBody: 20 << 20}, "it is larger than 8 MiB"),
		"a body one page above the bound":      refused(cvmtest.Fault{BigBody: 8 << 20}, "it is larger than 8 MiB"),
		"a body cut in the middle":             cut(cvmtest.Fault{CutAfter: 500}),
		"a body cut by a reset":                cut(cvmtest.Fault{CutAfter: 500, Reset: true}),
		"no answer, a closed connection":       hungUp(cvmtest.Fault{Hangup: true}),
		"no answer, a reset":                   hungUp(cvmtest.Fault{Reset: true}),
		"null":                                 malformed(rawBody(`null`), "no content"),
		"nothing with status 200":              unreadable(rawBody(``)),
		"no JSON, although it says so":         unreadable(rawBody(page300K)),
		"half of a JSON text":                  unreadable(rawBody(`{"Response":{"TotalCount":0,"ImageSet":[`)),
		"two JSON texts":                       unreadable(rawBody(`{}{}`)),
		"200 000 brackets":                     unreadable(rawBody(strings.Repeat("[", 200_000))),
		"200 000 brackets within":              unreadable(rawBody(`{"Response":` + strings.Repeat("[", 200_000))),
		"a list":                               unreadable(rawBody(`["` + canary + `"]`)),
		"a text":                               unreadable(rawBody(`"` + canary + `"`)),
		"a number":                             unreadable(rawBody(`7`)),
		"Response is a list":                   unreadable(rawBody(`{"Response":["` + canary + `"]}`)),
		"Response is a text":                   unreadable(rawBody(`{"Response":"` + canary + `"}`)),
		"TotalCount is a text":                 unreadable(raw("TotalCount", `"3"`)),
		"TotalCount has a fraction":            unreadable(raw("TotalCount", `1.5`)),
		"TotalCount does not fit in 64 bits":   unreadable(raw("TotalCount", `99999999999999999999`)),
		"RequestId is a number":                unreadable(raw("RequestId", `7`)),
		"ImageSet is an object":                unreadable(raw("ImageSet", `{"`+canary+`":1}`)),
		"an image is a text":                   unreadable(raw("ImageSet", `["`+canary+`"]`)),
		"ImageSize is a text":                  unreadable(raw("ImageSet", `[{"ImageId":"img-9qabwvbn","ImageSize":"`+canary+`"}]`)),
		"ImageId is a number":                  unreadable(raw("ImageSet", `[{"ImageId":7}]`)),
		"ImageSize has a fraction":             unreadable(raw("ImageSet", `[{"ImageId":"img-9qabwvbn","ImageSize":1.5}]`)),
		"Tags is an object":                    unreadable(raw("ImageSet", `[{"ImageId":"img-9qabwvbn","Tags":{}}]`)),
		"{}":                                   malformed(rawBody(`{}`), "no content"),
		"Response null":                        malformed(rawBody(`{"Response":null}`), "no content"),
		"another API's answer":                 malformed(rawBody(`{"data":{"`+canary+`":1}}`), "no content"),
		"Response {}":                          malformed(rawBody(`{"Response":{}}`), "no RequestId"),
		"no RequestId":                         malformed(cvmtest.Fault{Unset: []string{"RequestId"}}, "no RequestId"),
		"RequestId null":                       malformed(raw("RequestId", `null`), "no RequestId"),
		"RequestId empty":                      malformed(raw("RequestId", `""`), "no RequestId"),
		"an error without a code": malformed(rawBody(`{"Response":{"Error":{"Message":"`+canary+`"},"RequestId":"r"}}`),
			"no TotalCount"),
		"no TotalCount":                           malformed(cvmtest.Fault{Unset: []string{"TotalCount"}}, "no TotalCount"),
		"TotalCount null":                         malformed(raw("TotalCount", `null`), "no TotalCount"),
		"TotalCount below zero":                   malformed(raw("TotalCount", `-1`), "a negative TotalCount"),
		"TotalCount 1e12":                         malformed(raw("TotalCount", `1000000000000`), "a TotalCount of more than 100000"),
		"TotalCount one above the bound":          malformed(raw("TotalCount", `100001`), "a TotalCount of more than 100000"),
		"no ImageSet, but a TotalCount":           malformed(cvmtest.Fault{Unset: []string{"ImageSet"}}, "no ImageSet"),
		"ImageSet null, but a TotalCount":         malformed(raw("ImageSet", `null`), "no ImageSet"),
		"only a RequestId and a TotalCount":       malformed(rawBody(`{"Response":{"TotalCount":300,"RequestId":"`+canary+`"}}`), "no ImageSet"),
		"an image that is null":                   malformed(raw("ImageSet", `[null]`), "an image that is null"),
		"an image that is null among good images": malformed(cvmtest.Fault{NullImages: 1}, "an image that is null"),
		"an error in a code of its own": {
			fault: cvmtest.Fault{Code: canary + ": visit https://evil.example", Message: canary},
			kind:  catalog.Unavailable, code: "ClientError.Unknown", message: "the cloud answered with an error that the operator does not know",
		},
		"an error with a code of 10 KiB": {
			fault: cvmtest.Fault{Code: strings.Repeat("A", 10<<10)},
			kind:  catalog.Unavailable, code: "ClientError.Unknown", message: "the cloud answered with an error that the operator does not know",
		},
		"an error as API 2.0 wrote it": {
			fault: rawBody(`{"code":4000,"message":"` + canary + `","codeDesc":"` + canary + `!"}`),
			kind:  catalog.Unavailable, code: "ClientError.Unknown", message: "the cloud answered with an error that the operator does not know",
		},
		"an error whose message quotes much": {
			fault: cvmtest.Fault{Code: "InternalError", Message: strings.Repeat(canary+" [request id:x]\n", 1000)},
			kind:  catalog.Unavailable, code: "InternalError", message: "the cloud could not answer",
		},
	}
}

type oddAnswer struct {
	fault   cvmtest.Fault
	kind    catalog.Kind
	code    string
	message string
	again   int // number of repeated requests
}

// Not parallel: each case checks all goroutines.
func TestAnOddAnswerFailsTheListingAndLeavesNothingBehind(t *testing.T) {
	elsewhere := start(t, cvmtest.Options{}, private(7)...)
	for name, tc := range oddAnswers(elsewhere.URL()) {
		t.Run(name, func(t *testing.T) {
			s := start(t, cvmtest.Options{}, private(3)...)
			c := connect(t, s)
			before := goleak.IgnoreCurrent()
			s.Inject(tc.fault)
			for range 3 {
				failure := mustFail(t, c, account, everything)
				if failure.Kind != tc.kind || failure.Code != tc.code || failure.Message != tc.message {
					t.Errorf("%s, %s: %q\nwant %s, %s: %q", failure.Kind, failure.Code, failure.Message, tc.kind, tc.code, tc.message)
				}
				if failure.Cause != nil || failure.UnknownImageID {
					t.Errorf("cause %v, unknown image id %t", failure.Cause, failure.UnknownImageID)
				}
				wantConfidential(t, s, account, failure)
			}
			if n := len(s.Requests()); n != 3*(1+tc.again) {
				t.Errorf("%d requests for 3 listings", n)
			}
			closeIdle(c)
			goleak.VerifyNone(t, before)

			s.Heal()
			if got := mustList(t, c, everything); len(got.Images) != 3 {
				t.Errorf("%d images once the cloud is well again, want 3", len(got.Images))
			}
		})
	}
	if asked := elsewhere.Requests(); len(asked) > 0 {
		t.Errorf("another host was asked: %+v", asked)
	}
}

// A panic in the goroutine of a page would end the process. Without a client the SDK dereferences nil.
func TestAPanicOfTheSDKIsAnError(t *testing.T) {
	_, err := describeImages(t.Context(), nil, newRequest(everything, span{0, pageSize}))
	if failure := classify(err); failure.Kind != catalog.Unavailable || failure.Code != codePanic {
		t.Errorf("%v", err)
	}
}

func closeIdle(c *Client) {
	c.transport.(guard).next.(*http.Transport).CloseIdleConnections()
}

// The same answers on a later page: the earlier pages aren't used.
func TestAnOddAnswerOnALaterPageFailsTheListing(t *testing.T) {
	for name, tc := range oddAnswers("http://127.0.0.1:1") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, cvmtest.Options{}, private(150)...)
			tc.fault.Page = 2
			s.Inject(tc.fault)
			failure := mustFail(t, connect(t, s), account, everything)
			if failure.Kind != tc.kind || failure.Code != tc.code {
				t.Errorf("%v, want %s, %s", failure, tc.kind, tc.code)
			}
			if got := offsets(s); len(got) != 2+tc.again {
				t.Errorf("requests at %v, want %d", got, 2+tc.again)
			}
		})
	}
}

func TestAnswersThatLookOddAndAreGood(t *testing.T) {
	for name, tc := range map[string]struct {
		images int
		fault  cvmtest.Fault
	}{
		"an empty region":                    {},
		"no ImageSet where nothing is":       {fault: raw("ImageSet", `null`)},
		"ImageSet left out where nothing is": {fault: cvmtest.Fault{Unset: []string{"ImageSet"}}},
		"a type of content with a charset": {
			images: 3,
			fault:  cvmtest.Fault{Header: map[string]string{"Content-Type": "application/json; charset=utf-8"}},
		},
		"a type of content in capitals": {images: 3, fault: cvmtest.Fault{Header: map[string]string{"Content-Type": "Application/JSON"}}},
		"the identity encoding":         {images: 3, fault: cvmtest.Fault{Header: map[string]string{"Content-Encoding": "identity"}}},
		"gzip, which was asked for":     {images: 3, fault: cvmtest.Fault{GzipBomb: 1 << 20}},
		"a large body within the bound": {images: 3, fault: cvmtest.Fault{BigBody: 8<<20 - 8<<10}},
		"members that nobody knows":     {images: 3, fault: raw("Tomorrow", `{"a":[]}`)},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, cvmtest.Options{}, private(tc.images)...)
			s.Inject(tc.fault)
			got := mustList(t, connect(t, s), everything)
			if len(got.Images) != tc.images || got.Inconsistent || got.Skipped > 0 {
				t.Errorf("%d images, inconsistent %t, want %d", len(got.Images), got.Inconsistent, tc.images)
			}
		})
	}
}

func TestOnlyTheCloudsOwnCertificateWillDo(t *testing.T) {
	now := time.Now()

	for name, tc := range map[string]struct {
		from, to  time.Time
		host      string
		untrusted bool
		version   uint16
		good      bool
		code      string // without the part before the first '.'
		says      string
	}{
		"a good certificate": {from: now.Add(-time.Hour), to: now.Add(time.Hour), host: "127.0.0.1", good: true},
		"expired": {
			from: now.Add(-2 * time.Hour), to: now.Add(-time.Hour), host: "127.0.0.1", code: "CertificateExpired",
			says: "renew it",
		},
		"not valid yet": {
			from: now.Add(time.Hour), to: now.Add(2 * time.Hour), host: "127.0.0.1", code: "CertificateExpired",
			says: "the clock of the node",
		},
		"another host's": {
			from: now.Add(-time.Hour), to: now.Add(time.Hour), host: "cvm.tencentcloudapi.com", code: "CertificateName",
			says: "for another name",
		},
		"signed by itself": {
			from: now.Add(-time.Hour), to: now.Add(time.Hour), host: "127.0.0.1", untrusted: true,
			code: "UnknownAuthority", says: `unknown authority, "cvmtest"`,
		},
		"TLS 1.1": {from: now.Add(-time.Hour), to: now.Add(time.Hour), host: "127.0.0.1", version: tls.VersionTLS11, code: "NetworkError"},
		"TLS 1.0": {from: now.Add(-time.Hour), to: now.Add(time.Hour), host: "127.0.0.1", version: tls.VersionTLS10, code: "NetworkError"},
	} {
		t.Run(name, func(t *testing.T) {
			cert, pool := cvmtest.SelfSigned(tc.from, tc.to, tc.host)
			s := start(t, cvmtest.Options{TLS: &tls.Config{
				Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: tc.version,
			}}, private(3)...)
			c := connect(t, s)
			if !tc.untrusted {
				c.transport.(guard).next.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool}
			}
			if tc.good {
				if got := mustList(t, c, everything); len(got.Images) != 3 {
					t.Errorf("%d images, want 3", len(got.Images))
				}
				return
			}
			failure := mustFail(t, c, account, everything)
			if failure.Kind != catalog.Unavailable || failure.Code != "ClientError."+tc.code || !strings.Contains(failure.Message, tc.says) {
				t.Errorf("%s: %v, want Unavailable, ClientError.%s with %q", failure.Kind, failure, tc.code, tc.says)
			}
			if diff := cmp.Diff(map[string]float64{"DescribeImages ClientError." + tc.code + " " + region: 1}, requestCounts(t, c)); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			wantConfidential(t, s, account, failure)
			if asked := s.Requests(); len(asked) > 0 {
				t.Errorf("it was asked nevertheless: %+v", asked)
			}
		})
	}
}

func TestACloudThatIsNotThereIsUnavailable(t *testing.T) {
	s := cvmtest.NewServer(cvmtest.Options{})
	c := connect(t, s)
	s.Close()
	failure := mustFail(t, c, account, everything)
	if failure.Kind != catalog.Unavailable || failure.Code != "ClientError.ConnectionRefused" ||
		failure.Message != "the host 127.0.0.1 refuses the connection; check its address and port, and what stands before it" {
		t.Errorf("%v, want Unavailable, ClientError.ConnectionRefused", failure)
	}
	wantConfidential(t, s, account, failure)
}

// If a gateway closes an idle connection while a request is sent on it, it hasn't seen the request.
func TestAConnectionThatEndsBeforeAnAnswerIsTriedOnceMore(t *testing.T) {
	for name, tc := range map[string]struct {
		fault    cvmtest.Fault
		requests int
		code     string // of the failure
	}{
		"closed once":              {cvmtest.Fault{Hangup: true, Times: 1, Page: 2}, 3, ""},
		"reset once":               {cvmtest.Fault{Reset: true, Times: 1}, 3, ""},
		"closed twice":             {cvmtest.Fault{Hangup: true, Times: 2, Page: 2}, 3, "ClientError.ConnectionClosed"},
		"closed within the answer": {cvmtest.Fault{CutAfter: 100, Times: 1, Page: 2}, 2, "ClientError.IOError"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, cvmtest.Options{}, private(150)...)
			s.Inject(tc.fault)
			const burst = 10
			c, err := New(Options{Endpoint: s.URL(), QPS: 0.001, Burst: burst})
			if err != nil {
				t.Fatal(err)
			}
			if tc.code == "" {
				if got := mustList(t, c, everything); len(got.Images) != 150 {
					t.Errorf("%d images, want 150", len(got.Images))
				}
			} else if failure := mustFail(t, c, account, everything); failure.Code != tc.code {
				t.Errorf("%v, want %s", failure, tc.code)
			}
			if n := len(s.Requests()); n != tc.requests {
				t.Errorf("%d requests, want %d", n, tc.requests)
			}
			// A repeated request takes another token.
			if left := c.limits.bucket(bucketOf(account.Source, c.endpoint.host)).tokens.Tokens(); int(left) != burst-tc.requests {
				t.Errorf("%v of %d tokens are left after %d requests", left, burst, tc.requests)
			}
		})
	}
}

func TestIdleConnectionsEndBeforeTheGatewayEndsThem(t *testing.T) {
	c, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.transport.(guard).next.(*http.Transport).IdleConnTimeout; got != 30*time.Second {
		t.Errorf("they end after %s, want 30 s as in the SDK", got)
	}
}
