// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// Approve annotates a query so that its blocked removal goes on, if the token is that of the removal, and returns how many images
// that releases.
func Approve(ctx context.Context, cluster client.Client, name, token string) (int, error) {
	query, err := ReadQuery(ctx, cluster, name)
	if err != nil {
		return 0, err
	}
	blocked := meta.FindStatusCondition(query.Status.Conditions, imagev1alpha1.ConditionRemovalBlocked)
	if blocked == nil {
		return 0, fmt.Errorf("no removal of %s waits for approval", name)
	}
	if want := tokenIn(blocked.Message); token != want {
		return 0, fmt.Errorf("the token is not that of the removal that waits, which may have become another one: look at it with status %s, "+
			"and approve it with the token %s if it is right", name, want)
	}
	// The uid: no namesake that was created meanwhile is approved.
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": query.UID, "annotations": map[string]string{imagev1alpha1.AnnotationApproveRemoval: token},
	}})
	if err != nil {
		return 0, err
	}
	if err := cluster.Patch(ctx, query, client.RawPatch(types.MergePatchType, patch), client.FieldOwner("kubectl-imgq")); err != nil {
		return 0, fmt.Errorf("annotating the ImageQuery %s: %w", name, err)
	}
	return len(query.Status.PendingRemoval), nil
}

// tokenIn is the token in the command that the condition RemovalBlocked shows.
func tokenIn(command string) string {
	_, after, _ := strings.Cut(command, imagev1alpha1.AnnotationApproveRemoval+"=")
	token, _, _ := strings.Cut(after, " ")
	return token
}
