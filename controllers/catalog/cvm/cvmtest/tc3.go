// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSkew is the maximum difference between X-TC-Timestamp and the server's clock ("Signature v3" documentation:
// SignatureExpire if the difference exceeds five minutes).
const maxSkew = 300 * time.Second

const (
	tc3Algorithm = "TC3-HMAC-SHA256"
	tc3Service   = "cvm"
	tc3Request   = "tc3_request"
)

// authorization is a parsed Authorization header:
// TC3-HMAC-SHA256 Credential=<SecretId>/<date>/cvm/tc3_request, SignedHeaders=<a;b>, Signature=<hex>.
type authorization struct {
	secretID, date, service string
	signedHeaders           []string
	signature               string
}

// parseAuthorization parses the header in the form that the SDK writes (SDK common v1.3.210 client.go).
func parseAuthorization(h string) (authorization, bool) {
	rest, ok := strings.CutPrefix(h, tc3Algorithm+" ")
	if !ok {
		return authorization{}, false
	}
	parts := map[string]string{}
	for p := range strings.SplitSeq(rest, ",") {
		k, v, ok := strings.Cut(strings.TrimSpace(p), "=")
		if _, twice := parts[k]; !ok || twice {
			return authorization{}, false
		}
		parts[k] = v
	}
	scope := strings.Split(parts["Credential"], "/")
	if len(parts) != 3 || len(scope) != 4 || scope[3] != tc3Request || parts["SignedHeaders"] == "" || parts["Signature"] == "" {
		return authorization{}, false
	}
	a := authorization{
		secretID: scope[0], date: scope[1], service: scope[2],
		signedHeaders: strings.Split(parts["SignedHeaders"], ";"),
		signature:     parts["Signature"],
	}
	// content-type and host must be signed ("Signature v3", CanonicalHeaders: 至少包含 host 和 content-type).
	return a, slices.Contains(a.signedHeaders, "host") && slices.Contains(a.signedHeaders, "content-type")
}

// canonicalRequest uses the headers that the client declares as signed: the SDK signs content-type;host, while the
// documentation's example also signs x-tc-action. The URI is always "/", regardless of the endpoint's path.
func canonicalRequest(r *http.Request, body []byte, signedHeaders []string) string {
	var headers strings.Builder
	for _, name := range slices.Sorted(slices.Values(signedHeaders)) {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		headers.WriteString(name + ":" + strings.ToLower(strings.TrimSpace(value)) + "\n")
	}
	hashed := body
	if r.Header.Get("X-TC-Content-SHA256") == "UNSIGNED-PAYLOAD" {
		hashed = []byte("UNSIGNED-PAYLOAD")
	}
	return strings.Join([]string{
		r.Method, "/", "", headers.String(), strings.Join(signedHeaders, ";"), hexSHA256(hashed),
	}, "\n")
}

// sign computes the signature of a canonical request at a Unix time. The scope has the UTC date of that time.
func sign(service, secretKey, canonical string, timestamp int64) string {
	date := time.Unix(timestamp, 0).UTC().Format(time.DateOnly)
	scope := date + "/" + service + "/" + tc3Request
	toSign := tc3Algorithm + "\n" + strconv.FormatInt(timestamp, 10) + "\n" + scope + "\n" + hexSHA256([]byte(canonical))
	key := hmacSHA256([]byte("TC3"+secretKey), date)
	key = hmacSHA256(key, service)
	key = hmacSHA256(key, tc3Request)
	return hex.EncodeToString(hmacSHA256(key, toSign))
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func hmacSHA256(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}

// Authenticate identifies the sender of a request to another simulated service, such as sts, by this server's keys and
// clock. For a refused request it returns the code and message of the answer.
func (s *Server) Authenticate(service string, r *http.Request, body []byte) (c Credential, code, message string) {
	c, no := s.authenticate(service, r, body, s.now())
	if no != nil {
		return c, no.code, no.en
	}
	return c, "", ""
}

// Now returns the server's time, for simulators of the cloud's other services.
func (s *Server) Now() time.Time { return s.now() }

// authenticate identifies the sender of a request. The order of the checks is inferred: header, key, time, signature,
// token.
func (s *Server) authenticate(service string, r *http.Request, body []byte, now time.Time) (Credential, *refusal) {
	auth, ok := parseAuthorization(r.Header.Get("Authorization"))
	if !ok {
		return Credential{}, refuse("AuthFailure.InvalidAuthorization",
			"The Authorization header is missing or not a "+tc3Algorithm+" one that signs content-type and host.")
	}
	cred, ok := s.creds.get(auth.secretID)
	if !ok || cred.Disabled {
		// Message as seen in public bug reports.
		return Credential{SecretID: auth.secretID}, refuse("AuthFailure.SecretIdNotFound",
			"The SecretId is not found, please ensure that your SecretId is correct.")
	}
	timestamp, no := parseTimestamp(r)
	if no != nil {
		return cred, no
	}
	if d := now.Sub(time.Unix(timestamp, 0)); d > maxSkew || d < -maxSkew {
		return cred, refuse("AuthFailure.SignatureExpire",
			"The signature has expired: the difference between X-TC-Timestamp and the server's time is more than five minutes.")
	}
	want := sign(service, cred.SecretKey, canonicalRequest(r, body, auth.signedHeaders), timestamp)
	date := time.Unix(timestamp, 0).UTC().Format(time.DateOnly)
	if auth.date != date || auth.service != service || !hmac.Equal([]byte(want), []byte(auth.signature)) {
		// Message as seen in public bug reports.
		return cred, refuse("AuthFailure.SignatureFailure",
			"The provided credentials could not be validated. Please check your signature is correct.")
	}
	// TokenFailure for a wrong token is asserted by the SDK's own integration test (temp_credentials_test.go); that a missing,
	// expired or needless token gets the same code is inferred.
	if r.Header.Get("X-TC-Token") != cred.Token || (!cred.Expires.IsZero() && !now.Before(cred.Expires)) {
		return cred, refuse("AuthFailure.TokenFailure", "The token is wrong or has expired.")
	}
	return cred, nil
}

func parseTimestamp(r *http.Request) (int64, *refusal) {
	h := r.Header.Get("X-TC-Timestamp")
	if h == "" {
		return 0, missing("X-TC-Timestamp")
	}
	ts, err := strconv.ParseInt(h, 10, 64)
	if err != nil {
		return 0, unknown("X-TC-Timestamp that is not an integer: " + h)
	}
	return ts, nil
}
