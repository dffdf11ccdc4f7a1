// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A name that an attacker's DNS points to 127.0.0.1 reaches the page, but must not be served.
func TestOnlyAllowedHostsAreServed(t *testing.T) {
	handler := guard([]string{"images.example.com"}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for host, want := range map[string]int{
		"localhost": 200, "localhost:8090": 200, "LOCALHOST.": 200, "127.0.0.1:8090": 200, "127.8.9.1": 200, "[::1]:8090": 200, "[::1]": 200,
		"images.example.com": 200, "Images.Example.com:443": 200,
		"": 421, "evil.example": 421, "evil.example:8090": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421, "10.0.0.1:8090": 421,
		"images.example.com.evil.example": 421, "0.0.0.0": 421, "[::]": 421, "[::ffff:10.0.0.1]": 421, "x@localhost": 421, "localhost:80:80": 421,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Host %q is answered with %d, want %d", host, w.Code, want)
		}
	}
}

func TestOnlyReadingMethodsAreServed(t *testing.T) {
	handler := guard(nil, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"} {
		r := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
		r.Host = "localhost"
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s is answered with %d and %q", method, w.Code, w.Header())
		}
	}
}

// Refusals, too, have what keeps a browser from doing anything else with the answer.
func TestEveryAnswerIsProtected(t *testing.T) {
	handler := guard(nil, http.NotFoundHandler())
	for _, host := range []string{"localhost", "evil.example"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		for key, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
			"Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		} {
			if got := w.Header().Get(key); !strings.HasPrefix(got, want) {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
		if strings.Contains(w.Header().Get("Content-Security-Policy"), "unsafe") || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("the answer has %v", w.Header())
		}
	}
}
