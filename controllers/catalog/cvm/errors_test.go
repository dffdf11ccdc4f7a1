// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"errors"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// kindOf is the class of a failure, or empty.
func kindOf(err error) catalog.Kind {
	failure := (*catalog.Error)(nil)
	errors.As(err, &failure)
	if failure == nil {
		return ""
	}
	return failure.Kind
}
