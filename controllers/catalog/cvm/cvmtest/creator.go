// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import "fmt"

// SharedCreator is the ImageCreator of an image shared by another account. No recorded answer has one, so any of these
// values is possible.
type SharedCreator string

const (
	// CreatorAsShared answers Image.ImageCreator, which is the owner's main account in generated images.
	CreatorAsShared SharedCreator = "owner"
	// CreatorSubAccount answers SubAccount of the owner.
	CreatorSubAccount SharedCreator = "sub-account"
	// CreatorNull answers null.
	CreatorNull SharedCreator = "null"
)

// SubAccount returns the uin of a CAM user of the account. The mapping is made up.
func SubAccount(uin string) string { return "2" + uin }

// UnmarshalText parses a flag value.
func (c *SharedCreator) UnmarshalText(text []byte) error {
	switch v := SharedCreator(text); v {
	case CreatorAsShared, CreatorSubAccount, CreatorNull:
		*c = v
		return nil
	}
	return fmt.Errorf("%q is none of %s, %s and %s", text, CreatorAsShared, CreatorSubAccount, CreatorNull)
}

// MarshalText formats a flag value.
func (c SharedCreator) MarshalText() ([]byte, error) { return []byte(c), nil }

// of returns the creator in answers about an image of the account.
func (c SharedCreator) of(owner string) *string {
	if c == CreatorNull {
		return nil
	}
	uin := SubAccount(owner)
	return &uin
}
