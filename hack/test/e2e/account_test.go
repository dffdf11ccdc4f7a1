// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// A Secret that names its account is used for no other: who puts another account's keys into it is told both.
func TestKeysOfAnotherAccountPublishNothing(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	cloud := c.StartCloud("-private=3", "-shared=0", "-public=false", "-regions="+region)
	mine, other := cvmtest.DefaultCredential, cvmtest.Credential{SecretID: "AKIDother", SecretKey: "other", UIN: "100000000002"}
	cloud.SetCredential(other)
	c.StartManager(cloud)
	store := func(keys cvmtest.Credential) {
		t.Helper()
		err := c.Client.Update(t.Context(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: cluster.Namespace, Name: imagev1alpha1.DefaultCredentialsSecret},
			StringData: map[string]string{"secretId": keys.SecretID, "secretKey": keys.SecretKey, "accountID": mine.UIN},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	store(mine)
	c.Apply(`{apiVersion: imagecatalog.dev/v1alpha1, kind: ImageQuery, metadata: {name: golden}, spec: {region: ` + region + `, removal: {maxRemovedPercent: 100}}}`)
	c.UntilSynced("golden")

	store(other)
	query := c.UntilQuery("golden", func(q *imagev1alpha1.ImageQuery) error {
		stalled := meta.FindStatusCondition(q.Status.Conditions, imagev1alpha1.ConditionStalled)
		if stalled == nil || stalled.Reason != imagev1alpha1.ReasonAuthenticationFailed ||
			!strings.Contains(stalled.Message, mine.UIN) || !strings.Contains(stalled.Message, other.UIN) {
			return fmt.Errorf("it is not stalled with both accounts: %v", stalled)
		}
		return nil
	})
	if len(query.Status.Images) != 3 || len(query.Status.Selected) == 0 {
		t.Errorf("what was known is not kept: %d images, %d selected", len(query.Status.Images), len(query.Status.Selected))
	}
	for _, r := range cloud.Requests() {
		if r.SecretID == other.SecretID {
			t.Error("images were asked for with the other account's keys")
		}
	}
	store(mine)
	c.UntilSynced("golden")
}
