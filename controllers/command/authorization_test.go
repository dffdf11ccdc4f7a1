// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestStrangersAreLetOnTenTimesASecond(t *testing.T) {
	l := newAuthLimiter(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics") }))
	reached := map[string]int{}
	l.filter = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get("Authorization")
		if reached[token]++; token == "Bearer reader" && reached[token] < 50 {
			r.Header.Del("Authorization") // as the filter does
			l.serveAuthorized(w, r)
			return
		}
		http.Error(w, "no", http.StatusForbidden)
	})
	respond := func(token string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		r.Header.Set("Authorization", token)
		w := httptest.NewRecorder()
		l.ServeHTTP(w, r)
		if closes := w.Header().Get("Connection") == "close"; closes != (w.Code != http.StatusOK) {
			t.Errorf("the response %d to %.20q closes the connection: %t", w.Code, token, closes)
		}
		return w
	}
	for _, token := range []string{"", strings.Repeat("x", maxToken+1)} {
		if code := respond(token).Code; code != http.StatusUnauthorized || reached[token] > 0 {
			t.Errorf("a token of %d bytes gets %d", len(token), code)
		}
	}
	began := time.Now()
	codes := map[int]int{}
	for i := range 480 {
		codes[respond(fmt.Sprint("Bearer ", i)).Code]++
		if i < 40 {
			// A reader that was authorized before is not limited.
			if code := respond("Bearer reader").Code; code != http.StatusOK {
				t.Fatalf("the reader gets %d after %d unknown tokens", code, i)
			}
		}
	}
	most := reviewsPerSecond + int(reviewsPerSecond*time.Since(began).Seconds()) + 1
	if codes[http.StatusForbidden] > most || codes[http.StatusTooManyRequests] == 0 {
		t.Errorf("480 unknown tokens got %v, want at most %d to reach the filter", codes, most)
	}
	// A token that was refused is unknown again.
	for range 50 {
		respond("Bearer reader")
	}
	if reached["Bearer reader"] > 50+reviewsPerSecond {
		t.Errorf("a token that is no longer authorized reached the filter %d times", reached["Bearer reader"])
	}
}
