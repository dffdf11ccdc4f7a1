// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

const (
	// Patience is the maximum wait for a state. On an idle machine a state takes a second or two.
	Patience = 90 * time.Second

	// pause is the time between two checks of a state.
	pause = 20 * time.Millisecond
)

// hopeless is an error after which a state can't be reached any more.
type hopeless struct{ error }

func (h hopeless) Unwrap() error { return h.error }

// Hopeless marks an error that ends waiting at once.
func Hopeless(err error) error { return hopeless{err} }

// Until calls try until it returns nil. When it gives up, the test fails with the last error.
func (k *Kit) Until(what string, try func(context.Context) error) {
	k.t.Helper()
	if err := k.until(try); err != nil {
		k.t.Fatalf("waiting until %s: %v", what, err)
	}
}

// Eventually is Until for self-explanatory errors.
func (k *Kit) Eventually(try func() error) {
	k.t.Helper()
	if err := k.until(func(context.Context) error { return try() }); err != nil {
		k.t.Fatalf("%v", err)
	}
}

func (k *Kit) until(try func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(k.t.Context(), Patience, fmt.Errorf("not within %s", Patience))
	defer cancel()
	for {
		err := try(ctx)
		if stop := (hopeless{}); err == nil || errors.As(err, &stop) {
			return err
		}
		if k.Broken != nil {
			if broken := k.Broken(); broken != nil {
				return fmt.Errorf("%w; %w", broken, err)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}

// UntilQuery waits for a state of an ImageQuery.
func (k *Kit) UntilQuery(name, what string, reached func(*imagev1alpha1.ImageQuery) bool) *imagev1alpha1.ImageQuery {
	k.t.Helper()
	query := &imagev1alpha1.ImageQuery{}
	k.Until(what+" (ImageQuery "+name+")", func(ctx context.Context) error {
		*query = imagev1alpha1.ImageQuery{} // decoding leaves absent fields unchanged
		if err := k.Client.Get(ctx, client.ObjectKey{Name: name}, query); err != nil {
			return err
		}
		if !reached(query) {
			return fmt.Errorf("its status is: %s", Describe(query))
		}
		return nil
	})
	if k.Check != nil {
		k.Check(query)
	}
	return query
}

// UntilCondition waits until a condition of the current generation has a status and a reason.
func (k *Kit) UntilCondition(name, conditionType string, status metav1.ConditionStatus, reason string) *imagev1alpha1.ImageQuery {
	k.t.Helper()
	what := fmt.Sprintf("%s=%s with the reason %s", conditionType, status, reason)
	return k.UntilQuery(name, what, func(q *imagev1alpha1.ImageQuery) bool {
		c := Condition(q, conditionType)
		return q.Status.ObservedGeneration == q.Generation && c.Status == status && c.Reason == reason
	})
}

// UntilReady waits until Ready of the current generation has a status and a reason.
func (k *Kit) UntilReady(name string, status metav1.ConditionStatus, reason string) *imagev1alpha1.ImageQuery {
	k.t.Helper()
	return k.UntilCondition(name, imagev1alpha1.ConditionReady, status, reason)
}

// UntilSynced waits until Ready is True with reason Synced for the current generation.
func (k *Kit) UntilSynced(name string) *imagev1alpha1.ImageQuery {
	k.t.Helper()
	return k.UntilReady(name, metav1.ConditionTrue, imagev1alpha1.ReasonSynced)
}

// UntilCurrent waits until the current generation was synced, regardless of Ready.
func (k *Kit) UntilCurrent(name string) *imagev1alpha1.ImageQuery {
	k.t.Helper()
	return k.UntilQuery(name, "the present generation is synced", func(q *imagev1alpha1.ImageQuery) bool {
		return q.Status.SyncedGeneration == q.Generation
	})
}
