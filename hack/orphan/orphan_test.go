// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package orphan_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/image-catalog/image-catalog-operator/hack/orphan"
)

func TestItIsAbandonedWhenTheParentChanges(t *testing.T) {
	var parent atomic.Int64
	parent.Store(100)
	asked := make(chan struct{}, 100)
	ctx := orphan.Context(t.Context(), func() int {
		asked <- struct{}{}
		return int(parent.Load())
	})
	<-asked
	<-asked
	if ctx.Err() != nil {
		t.Error("it ended while the parent is there")
	}
	parent.Store(1)
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, orphan.ErrParentEnded) {
		t.Errorf("it ended because %v", cause)
	}
}
