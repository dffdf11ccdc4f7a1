// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

const canary = "canary-5e2d"

// leaks reports whether text contains the canary: plain, quoted, in hex or as a list of bytes.
func leaks(text string) bool {
	lower := strings.ToLower(text)
	return strings.Contains(lower, canary) ||
		strings.Contains(lower, fmt.Sprintf("%x", canary)) ||
		strings.Contains(text, strings.Trim(fmt.Sprintf("%d", []byte(canary)), "[]"))
}

func TestSecretIsRedactedHoweverItIsPrinted(t *testing.T) {
	secret := catalog.Secret(canary)
	account := catalog.Account{
		Source: "secret/acct2", SecretID: secret, SecretKey: secret, Token: secret,
		Roles: [2]catalog.Role{{ExternalID: secret}},
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%#q", "%x", "%X", "%d", "%c", "%U", "%10s", "%-3.2s", "%T%v"} {
		args := strings.Count(verb, "%")
		for name, value := range map[string]any{
			"the secret":    secret,
			"its address":   &secret,
			"the account":   account,
			"its pointer":   &account,
			"a list":        []catalog.Secret{secret},
			"a map":         map[string]catalog.Secret{"k": secret},
			"an any in any": []any{account},
		} {
			values := []any{value, value}[:args]
			if got := fmt.Sprintf(verb, values...); leaks(got) {
				t.Errorf("fmt.Sprintf(%q, %s) = %s", verb, name, got)
			}
		}
		if got := fmt.Sprintf(verb, []any{secret, secret}[:args]...); args == 1 && got != "REDACTED" {
			t.Errorf("fmt.Sprintf(%q, secret) = %q, want REDACTED", verb, got)
		}
	}
	for name, got := range map[string]string{
		"fmt.Sprint":   fmt.Sprint(secret),
		"fmt.Sprintln": fmt.Sprintln(account),
		"String":       secret.String(),
		"GoString":     secret.GoString(),
		"an error":     fmt.Errorf("signing with %s: %w", secret, errors.New("x")).Error(),
	} {
		if leaks(got) || !strings.Contains(got, "REDACTED") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestSecretIsRedactedHoweverItIsMarshalledOrLogged(t *testing.T) {
	secret := catalog.Secret(canary)
	account := catalog.Account{
		Source: "secret/acct2", SecretID: secret, SecretKey: secret, Token: secret,
		Roles: [2]catalog.Role{{ExternalID: secret}},
	}
	marshalled, err := json.Marshal(map[string]any{"secret": secret, "account": account, "pointer": &secret})
	if err != nil {
		t.Fatal(err)
	}
	text, err := secret.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var asJSON, asText bytes.Buffer
	slog.New(slog.NewJSONHandler(&asJSON, nil)).Info("m", "secret", secret, "account", account, slog.Group("g", "s", &secret))
	slog.New(slog.NewTextHandler(&asText, nil)).Info("m", "secret", secret, "account", account, slog.Group("g", "s", &secret))
	for name, got := range map[string]string{
		"JSON": string(marshalled), "text": string(text), "slog as JSON": asJSON.String(), "slog as text": asText.String(),
		// As logr's sinks, such as zapr, print a value.
		"logr": fmt.Sprint(any(secret).(interface{ MarshalLog() any }).MarshalLog()),
	} {
		if leaks(got) || !strings.Contains(got, "REDACTED") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestOnlyRevealTellsASecret(t *testing.T) {
	if got := catalog.Secret(canary).Reveal(); got != canary {
		t.Errorf("Reveal() = %q, want %q", got, canary)
	}
}
