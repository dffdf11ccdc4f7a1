// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import "fmt"

// SharedCreator is the ImageCreator of an image that another account shares. No recorded answer has one, so each is possible.
type SharedCreator string

const (
	// CreatorAsShared answers Image.ImageCreator, which is the owner's main account in generated images.
	CreatorAsShared SharedCreator = "owner"
	// CreatorSubAccount answers SubAccount of the owner.
	CreatorSubAccount SharedCreator = "sub-account"
	// CreatorNull answers null.
	CreatorNull SharedCreator = "null"
)

// SubAccount is a user of the account in CAM. Users have uins of their own; how they are made up is ours.
func SubAccount(uin string) string { return "2" + uin }

// UnmarshalText reads it from a flag.
func (c *SharedCreator) UnmarshalText(text []byte) error {
	switch v := SharedCreator(text); v {
	case CreatorAsShared, CreatorSubAccount, CreatorNull:
		*c = v
		return nil
	}
	return fmt.Errorf("%q is none of %s, %s and %s", text, CreatorAsShared, CreatorSubAccount, CreatorNull)
}

// MarshalText writes it for a flag.
func (c SharedCreator) MarshalText() ([]byte, error) { return []byte(c), nil }

// of is the answer for an image of the account.
func (c SharedCreator) of(owner string) *string {
	if c == CreatorNull {
		return nil
	}
	uin := SubAccount(owner)
	return &uin
}
