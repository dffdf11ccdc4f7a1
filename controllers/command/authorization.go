// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/time/rate"
	utilcache "k8s.io/apimachinery/pkg/util/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
)

const (
	// maxToken bounds the Authorization header. Tokens of Kubernetes have about 1 KiB.
	maxToken = 8 << 10

	// reviewsPerSecond bounds TokenReviews of unknown tokens.
	reviewsPerSecond = 10

	// maxKnownTokens bounds how many authorized tokens are exempt from reviewsPerSecond.
	maxKnownTokens = 64
)

// requireAuthorization serves only clients that the cluster authorizes, by controller-runtime's filter (docs/decisions/0005).
// The limiter before it keeps anonymous clients from making the filter flood the API server.
func requireAuthorization(mgr ctrl.Manager, next http.Handler) (http.Handler, error) {
	filter, err := filters.WithAuthenticationAndAuthorization(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("guarding the metrics: %w", err)
	}
	l := newAuthLimiter(next)
	l.filter, err = filter(mgr.GetLogger().WithName("metrics"), http.HandlerFunc(l.serveAuthorized))
	return l, err
}

// authLimiter limits the rate at which unknown tokens reach the filter. A token that was authorized the last time is known, and
// exempt, so that a flood of others doesn't stop the scrapes.
type authLimiter struct {
	next, filter http.Handler
	limit        *rate.Limiter
	known        *utilcache.LRUExpireCache
}

func newAuthLimiter(next http.Handler) *authLimiter {
	return &authLimiter{
		next:  next,
		limit: rate.NewLimiter(reviewsPerSecond, reviewsPerSecond),
		known: utilcache.NewLRUExpireCache(maxKnownTokens),
	}
}

// ServeHTTP implements http.Handler.
func (l *authLimiter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Unless the request is authorized, its connection is closed.
	w.Header().Set("Connection", "close")
	token := r.Header.Get("Authorization")
	if token == "" || len(token) > maxToken {
		http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
		return
	}
	key := sha256.Sum256([]byte(token))
	if _, known := l.known.Get(key); !known && !l.limit.Allow() {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "Too many requests with unknown tokens, try again later", http.StatusTooManyRequests)
		return
	}
	authorized := false
	l.filter.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), authorizedKey{}, &authorized)))
	if authorized {
		l.known.Add(key, nil, time.Hour)
	} else {
		l.known.Remove(key)
	}
}

// authorizedKey is the context key of a *bool that serveAuthorized sets.
type authorizedKey struct{}

// serveAuthorized serves requests that passed the filter. It reports by the context, since the filter has removed the token.
func (l *authLimiter) serveAuthorized(w http.ResponseWriter, r *http.Request) {
	*r.Context().Value(authorizedKey{}).(*bool) = true
	w.Header().Del("Connection")
	l.next.ServeHTTP(w, r)
}
