// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/auth/authtest"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

const (
	otherUIN = "100000000002"
	thirdUIN = "100000000003"
	reader   = "qcs::cam::uin/100000000002:roleName/reader"
	second   = "qcs::cam::uin/100000000003:roleName/second"
)

// newWorldOfRoles returns a world with a role of another account that trusts the default credentials. That account has
// an image.
func newWorldOfRoles(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.sts.SetRole(
		authtest.Role{ARN: reader, UIN: otherUIN, Trusts: []string{cvmtest.DefaultCredential.UIN}, ExternalID: "shibboleth"},
		authtest.Role{ARN: second, UIN: thirdUIN, Trusts: []string{otherUIN}},
	)
	theirs := newImage(1)
	theirs.Owner = otherUIN
	w.cloud.Put(region, theirs)
	return w
}

// untilStalled waits until a query is stalled with a reason and a message.
func (w *world) untilStalled(name, reason, message string) {
	w.Helper()
	w.UntilQuery(name, "it is stalled: "+reason+": "+message, func(q *imagev1alpha1.ImageQuery) bool {
		stalled := meta.FindStatusCondition(q.Status.Conditions, imagev1alpha1.ConditionStalled)
		return stalled != nil && stalled.Reason == reason && strings.Contains(stalled.Message, message)
	})
}

func (w *world) untilNotStalled(name string) {
	w.Helper()
	w.UntilQuery(name, "it is not stalled any more", func(q *imagev1alpha1.ImageQuery) bool {
		return q.Status.SyncedGeneration == q.Generation && meta.FindStatusCondition(q.Status.Conditions, imagev1alpha1.ConditionStalled) == nil
	})
}

func TestARoleIsAssumedByTheKeysBesideIt(t *testing.T) {
	w := newWorldOfRoles(t)
	store := func(roleArn, externalID string) {
		t.Helper()
		keys := cvmtest.DefaultCredential
		w.SetSecret("acct2", map[string]string{
			"secretId": keys.SecretID, "secretKey": keys.SecretKey, "roleArn": roleArn, "externalId": externalID,
		})
	}
	store(" "+reader+"\n", "shibboleth\n")
	w.Create(newQuery("golden", withCredentials("acct2")))
	w.UntilSynced("golden")
	w.Image("acct2." + objectName(1))

	// Each change of the Secret causes a poll at once, and the known images stay.
	store(reader, "sibboleth")
	w.untilStalled("golden", imagev1alpha1.ReasonAuthenticationFailed, "check externalId")
	store(reader+"s", "shibboleth")
	w.untilStalled("golden", imagev1alpha1.ReasonAuthenticationFailed, "the cloud knows no such role")
	w.Image("acct2." + objectName(1))
	store(reader, "shibboleth")
	w.untilNotStalled("golden")
}

func TestARoleWithoutKeysIsAssumedByTheDefaultCredentials(t *testing.T) {
	w := newWorldOfRoles(t)
	w.SetSecret("acct2", map[string]string{"roleArn": reader, "externalId": "shibboleth"})
	w.Create(newQuery("golden", withCredentials("acct2")))
	w.UntilSynced("golden")
	w.Image("acct2." + objectName(1))

	// It depends on the default credentials.
	w.Delete(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: imagev1alpha1.DefaultCredentialsSecret}})
	w.untilStalled("golden", imagev1alpha1.ReasonCredentialsNotFound,
		namespace+"/acct2 has a roleArn and no keys, so the default credentials must assume it: "+
			"the Secret "+namespace+"/tencentcloud-credentials does not exist")
	w.SetSecret(imagev1alpha1.DefaultCredentialsSecret, map[string]string{"roleArn": reader})
	w.untilStalled("golden", imagev1alpha1.ReasonCredentialsNotFound, "the Secret "+namespace+"/tencentcloud-credentials has no keys")
	w.Create(newQuery("plain"))
	w.untilStalled("plain", imagev1alpha1.ReasonCredentialsNotFound,
		"tencentcloud-credentials has a roleArn and no keys that could assume it; add secretId and secretKey")
	w.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, cvmtest.DefaultCredential)
	w.untilNotStalled("golden")
}

func TestDefaultCredentialsThatAssumeARoleAssumeAnotherAfterIt(t *testing.T) {
	w := newWorldOfRoles(t)
	keys := cvmtest.DefaultCredential
	w.SetSecret(imagev1alpha1.DefaultCredentialsSecret, map[string]string{
		"secretId": keys.SecretID, "secretKey": keys.SecretKey, "roleArn": reader, "externalId": "shibboleth",
	})
	w.SetSecret("acct3", map[string]string{"roleArn": second})
	theirs := newImage(2)
	theirs.Owner = thirdUIN
	w.cloud.Put(region, theirs)
	w.Create(newQuery("golden", withCredentials("acct3")), newQuery("plain"))
	w.UntilSynced("golden")
	w.Image("acct3." + objectName(2))
	w.UntilSynced("plain")
	w.Image(objectName(1))
}

func TestASecretThatNamesItsAccountIsForNoOther(t *testing.T) {
	w := newWorldOfRoles(t)
	keys, mine := cvmtest.DefaultCredential, newImage(2)
	w.cloud.Put(region, mine)
	store := func(account string) {
		w.SetSecret("acct2", map[string]string{"secretId": keys.SecretID, "secretKey": keys.SecretKey, "accountID": account})
	}
	// While the owner of the keys is unknown, nothing is published.
	w.sts.Inject(authtest.Fault{Drop: true})
	store(keys.UIN + "\n")
	w.Create(newQuery("golden", withCredentials("acct2")))
	w.UntilQuery("golden", "it is Unavailable", func(q *imagev1alpha1.ImageQuery) bool {
		ready := kit.Ready(q)
		return ready.Reason == imagev1alpha1.ReasonUnavailable && strings.Contains(ready.Message, "not known which account the keys belong to")
	})
	if images := w.Images(""); len(images) > 0 {
		t.Errorf("there are %d CloudImages", len(images))
	}
	w.sts.Heal()
	w.untilNotStalled("golden")
	w.Image("acct2." + objectName(2))

	store(otherUIN)
	w.untilStalled("golden", imagev1alpha1.ReasonAuthenticationFailed,
		"keys belong to the account "+keys.UIN+", and accountID demands "+otherUIN)
	w.Image("acct2." + objectName(2))
	store("acct2")
	w.untilStalled("golden", imagev1alpha1.ReasonCredentialsNotFound, "accountID is not the id of an account (uin), which has digits only")
	store(keys.UIN)
	w.untilNotStalled("golden")

	// With a role, accountID is compared with the role's account.
	w.SetSecret("acct3", map[string]string{"roleArn": reader, "externalId": "shibboleth", "accountID": keys.UIN})
	w.Create(newQuery("theirs", withCredentials("acct3")))
	w.untilStalled("theirs", imagev1alpha1.ReasonAuthenticationFailed, "keys belong to the account "+otherUIN)
	w.SetSecret("acct3", map[string]string{"roleArn": reader, "externalId": "shibboleth", "accountID": otherUIN})
	w.untilNotStalled("theirs")
	w.Image("acct3." + objectName(1))
}

// signedBy returns nil once a request was signed with a key.
func signedBy(w *world, secretID string) error {
	for _, r := range w.cloud.Requests() {
		if r.SecretID == secretID {
			return nil
		}
	}
	return errors.New("no request was signed by " + secretID)
}

func TestRotatedKeysChangeNothing(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("golden"))
	before := w.UntilSynced("golden")
	w.idle()
	w.writes.take()

	rotated := cvmtest.Credential{SecretID: "AKIDrotated", SecretKey: "rotated", UIN: cvmtest.DefaultCredential.UIN}
	w.cloud.SetCredential(rotated)
	w.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, rotated)
	w.Eventually(func() error { return signedBy(w, "AKIDrotated") })
	w.idle()
	if writes := w.writes.take(); len(writes) > 0 {
		t.Errorf("rotated keys wrote %q", writes)
	}
	after := w.UntilSynced("golden")
	if after.Status.Revision != before.Status.Revision || after.ResourceVersion != before.ResourceVersion {
		t.Error("rotated keys changed the status")
	}
}
