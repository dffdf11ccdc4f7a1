// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth"
)

const canary = "canary-5e2d"

// leaks reports whether text contains the canary: plain, quoted, in hex or as a list of bytes.
func leaks(text string) bool {
	lower := strings.ToLower(text)
	return strings.Contains(lower, canary) || strings.Contains(lower, fmt.Sprintf("%x", canary)) ||
		strings.Contains(text, strings.Trim(fmt.Sprintf("%d", []byte(canary)), "[]"))
}

func TestNothingThatHoldsKeysTellsThem(t *testing.T) {
	keys := auth.Keys{SecretID: canary, SecretKey: canary, Token: canary}
	role := auth.Role{ARN: "qcs::cam::uin/1:roleName/x", ExternalID: canary}
	id := auth.Identity{Source: "secret/a", Keys: keys, Roles: [2]auth.Role{role}}
	w := newWorld(t)
	var err error
	synctest.Test(t, func(t *testing.T) {
		// Now the providers hold the identity. The bubble ensures that the renewal's goroutine has ended before they
		// are read.
		_, err = w.providers.Keys(t.Context(), id)
		synctest.Wait()
	})
	for name, value := range map[string]any{
		"keys": keys, "their address": &keys, "a role": role, "an identity": id, "its address": &id, "a list": []any{id},
		"providers": w.providers, "an error": err,
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			if got := fmt.Sprintf(verb, value); leaks(got) {
				t.Errorf("fmt.Sprintf(%q, %s) = %s", verb, name, got)
			}
		}
		marshalled, err := json.Marshal(value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var logged bytes.Buffer
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("m", "v", value)
		slog.New(slog.NewTextHandler(&logged, nil)).Info("m", "v", value)
		if leaks(string(marshalled)) || leaks(logged.String()) {
			t.Errorf("%s is told as %s and %s", name, marshalled, logged.String())
		}
	}
}
