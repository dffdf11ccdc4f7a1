// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"context"
	"errors"
	"testing"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

func TestErrorShowsItsSentenceAndCodeAndNothingElse(t *testing.T) {
	for name, tc := range map[string]struct {
		err  catalog.Error
		want string
	}{
		"with a code": {
			err:  catalog.Error{Message: "the cloud was not reached", Code: "ClientError.NetworkError"},
			want: "the cloud was not reached (ClientError.NetworkError)",
		},
		"without a code": {err: catalog.Error{Message: "it does not add up"}, want: "it does not add up"},
		"the request's id and the cause are for others": {
			err:  catalog.Error{Message: "late", Code: "X", RequestID: "REQ-1", Cause: context.Canceled},
			want: "late (X)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.err.Error(); got != tc.want {
				t.Errorf("Error() = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestErrorUnwrapsToTheContextsError(t *testing.T) {
	if err := error(&catalog.Error{Cause: context.DeadlineExceeded}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error("errors.Is(err, context.DeadlineExceeded) = false")
	}
	if err := error(&catalog.Error{}); errors.Unwrap(err) != nil {
		t.Error("an error without a cause unwraps to something")
	}
}
