// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// A Secret that names its account works only for that account. The message for another account's keys names both.
func TestKeysOfAnotherAccountPublishNothing(t *testing.T) {
	c := cluster.Start(t, cluster.Options{WithoutControllers: true, WithoutAudit: true})
	cloud := c.StartCloud("-private=3", "-shared=0", "-public=false", "-regions="+region)
	mine, other := cvmtest.DefaultCredential, cvmtest.Credential{SecretID: "AKIDother", SecretKey: "other", UIN: "100000000002"}
	cloud.SetCredential(other)
	c.StartManager(cloud)
	store := func(keys cvmtest.Credential) {
		t.Helper()
		c.SetSecret(imagev1alpha1.DefaultCredentialsSecret,
			map[string]string{"secretId": keys.SecretID, "secretKey": keys.SecretKey, "accountID": mine.UIN})
	}
	store(mine)
	c.ApplyQuery("name: golden", "region: "+region+", removal: {maxRemovedPercent: 100}")
	c.UntilSynced("golden")

	store(other)
	query := c.UntilQuery("golden", "it is stalled and names both accounts", func(q *imagev1alpha1.ImageQuery) bool {
		stalled := kit.Condition(q, imagev1alpha1.ConditionStalled)
		return stalled.Reason == imagev1alpha1.ReasonAuthenticationFailed &&
			strings.Contains(stalled.Message, mine.UIN) && strings.Contains(stalled.Message, other.UIN)
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
