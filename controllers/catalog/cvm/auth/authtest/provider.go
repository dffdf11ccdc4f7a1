// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"time"
)

// Provider is an identity provider registered in CAM (598/58323): a cluster with ServiceAccounts that may assume roles.
type Provider struct {
	// ID is the id in requests.
	ID string `json:"id"`
	// Issuer is the iss claim of the tokens.
	Issuer string `json:"issuer"`
	// Keys are the public keys as the cluster publishes them, a JSON Web Key Set.
	Keys KeySet `json:"keys"`
}

// KeySet is a JSON Web Key Set (RFC 7517).
type KeySet struct {
	Keys []Key `json:"keys"`
}

// Key is an RSA key, as Kubernetes uses in production, or a P-256 key, as in its tests.
type Key struct {
	ID   string `json:"kid,omitempty"`
	Type string `json:"kty"`
	Use  string `json:"use,omitempty"`
	Alg  string `json:"alg,omitempty"`

	Modulus  string `json:"n,omitempty"`
	Exponent string `json:"e,omitempty"`

	Curve string `json:"crv,omitempty"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y,omitempty"`
}

// signed reports whether the key has signed a text.
func (k Key) signed(text string, signature []byte) bool {
	sum := sha256.Sum256([]byte(text))
	switch {
	case k.Type == "RSA":
		public := &rsa.PublicKey{N: number(k.Modulus), E: int(number(k.Exponent).Int64())}
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], signature) == nil
	case k.Type == "EC" && k.Curve == "P-256" && len(signature) == 2*half && number(k.X).BitLen() <= 8*half && number(k.Y).BitLen() <= 8*half:
		point := slices.Concat([]byte{4}, number(k.X).FillBytes(make([]byte, half)), number(k.Y).FillBytes(make([]byte, half)))
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		return err == nil && ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]))
	}
	return false
}

// half is the size of each number in a signature of P-256.
const half = 32

func number(text string) *big.Int {
	b, _ := encoding.DecodeString(text) // an invalid key verifies nothing
	return new(big.Int).SetBytes(b)
}

// encoding is the encoding of JSON Web Tokens (RFC 7515).
var encoding = base64.RawURLEncoding

// claims are the checked claims of a ServiceAccount's token.
type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience []string `json:"aud"`
	Expires  int64    `json:"exp"`
}

// verify parses a token, and checks its signature and expiry.
func (p Provider) verify(token string, now time.Time) (c claims, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, errors.New("the token is no JSON Web Token")
	}
	signature, err := encoding.DecodeString(parts[2])
	if err != nil || !p.signed(parts[0]+"."+parts[1], signature) {
		return c, errors.New("the token is not signed by the provider")
	}
	content, err := encoding.DecodeString(parts[1])
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(content, &c); err != nil {
		return c, err
	}
	switch {
	case c.Issuer != p.Issuer:
		return c, errors.New("the token is another issuer's")
	case !now.Before(time.Unix(c.Expires, 0)):
		return c, errors.New("the token has expired")
	}
	return c, nil
}

func (p Provider) signed(text string, signature []byte) bool {
	return slices.ContainsFunc(p.Keys.Keys, func(k Key) bool { return k.signed(text, signature) })
}

// Issuer signs tokens in place of a cluster.
type Issuer struct {
	Name string
	key  *ecdsa.PrivateKey
}

// NewIssuer makes an issuer with a key of its own.
func NewIssuer(name string) Issuer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic("authtest: " + err.Error())
	}
	return Issuer{Name: name, key: key}
}

// Provider returns the issuer as registered in CAM.
func (i Issuer) Provider(id string) Provider {
	point, err := i.key.PublicKey.Bytes()
	if err != nil {
		panic("authtest: " + err.Error())
	}
	return Provider{ID: id, Issuer: i.Name, Keys: KeySet{Keys: []Key{{
		Type: "EC", Curve: "P-256", X: encoding.EncodeToString(point[1 : 1+half]), Y: encoding.EncodeToString(point[1+half:]),
	}}}}
}

// Token returns a token for an audience and a subject.
func (i Issuer) Token(audience, subject string, expires time.Time) string {
	content, err := json.Marshal(claims{Issuer: i.Name, Subject: subject, Audience: []string{audience}, Expires: expires.Unix()})
	if err != nil {
		panic("authtest: " + err.Error())
	}
	text := encoding.EncodeToString([]byte(`{"alg":"ES256"}`)) + "." + encoding.EncodeToString(content)
	sum := sha256.Sum256([]byte(text))
	r, v, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	if err != nil {
		panic("authtest: " + err.Error())
	}
	return text + "." + encoding.EncodeToString(append(r.FillBytes(make([]byte, half)), v.FillBytes(make([]byte, half))...))
}
