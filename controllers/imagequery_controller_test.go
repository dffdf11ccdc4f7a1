// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

func TestPageExampleIsSyncedInFiveRequestsAndThenQuiet(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, cvmtest.PageExample()...)
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) { s.Interval.Duration = time.Minute }))
	query := w.UntilSynced("golden")

	if got := ptr.Deref(query.Status.ImageCount, 0); got != 408 {
		t.Errorf("status.imageCount is %d, want 408", got)
	}
	if got := len(query.Status.Images); got != 408 {
		t.Errorf("status.images has %d entries, want 408", got)
	}
	if got := len(w.Images("")); got != 408 {
		t.Errorf("there are %d CloudImages, want 408", got)
	}
	if got := len(w.cloud.Requests()); got != 5 {
		t.Errorf("the first poll took %d requests, want 5", got)
	}

	// lastSyncTime would be written by itself once it is five minutes old.
	w.writes.take()
	for polls := 1; polls <= 2; polls++ {
		w.cloud.ResetRequests()
		w.pass(80 * time.Second)
		w.Eventually(func() error {
			if got := len(w.cloud.Requests()); got != 5 {
				return fmt.Errorf("poll %d took %d requests, want 5", polls, got)
			}
			return nil
		})
		w.idle()
		if writes := w.writes.take(); len(writes) > 0 {
			t.Errorf("an unchanged poll wrote: %v", writes)
		}
	}
}

func TestEveryFieldOfAnImageArrives(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, cvmtest.PageExample()[0])
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")

	got := w.Image("ap-guangzhou-img-qlzp4oea")
	created := metav1.NewTime(time.Date(2020, 9, 22, 0, 0, 0, 0, time.UTC).Local())
	want := imagev1alpha1.Image{
		ID: "img-qlzp4oea", Region: region, Name: "test-image", Description: "test-image",
		Type: "PRIVATE_IMAGE", Source: "CREATE_IMAGE", Creator: "3205597606", State: "NORMAL",
		OSName: "CentOS 7.4 64bit", Platform: "CentOS", Architecture: "amd64", SizeGiB: 20, CloudInit: true,
		CreatedTime: &created,
		Tags:        []imagev1alpha1.Tag{{Key: "xx", Value: "xx"}},
		Snapshots:   []imagev1alpha1.Snapshot{{ID: "snap-gqa37j2p", DiskUsage: "SYSTEM_DISK", DiskSizeGiB: 20}},
	}
	kit.Equal(w, "image", want, got.Image)
	wantLabels := map[string]string{
		"imagecatalog.dev/region": region, "imagecatalog.dev/image-id": "img-qlzp4oea", "imagecatalog.dev/type": "PRIVATE_IMAGE",
		"imagecatalog.dev/platform": "CentOS", "imagecatalog.dev/state": "NORMAL", "imagecatalog.dev/presence": "Present",
		"imagecatalog.dev/deprecated": "false", "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
		"query.imagecatalog.dev/golden": "selected",
	}
	kit.Equal(w, "labels", wantLabels, got.Labels)
	if got.Annotations[imagev1alpha1.AnnotationDisplayName] != "test-image" || got.Lifecycle.Presence != imagev1alpha1.PresencePresent ||
		got.Lifecycle.FirstSeenTime.IsZero() || got.Lifecycle.LastChangeTime.IsZero() {
		t.Errorf("annotations %v and lifecycle %+v are not complete", got.Annotations, got.Lifecycle)
	}
	owner := w.Query("golden")
	kit.Equal(t, "owner references", []metav1.OwnerReference{
		{APIVersion: imagev1alpha1.GroupVersion.String(), Kind: "ImageQuery", Name: owner.Name, UID: owner.UID},
	}, got.OwnerReferences)
}

func TestThePagesFirstExampleArrivesInEnglish(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, cvmtest.PageExample1())
	w.Create(newQuery("by-id", func(s *imagev1alpha1.ImageQuerySpec) {
		s.Filters = []imagev1alpha1.Filter{{Name: "image-id", Values: []string{"img-9qabwvbn"}}}
	}))
	w.UntilSynced("by-id")
	created := metav1.NewTime(time.Date(2020, 9, 22, 0, 0, 0, 0, time.UTC).Local())
	want := imagev1alpha1.Image{
		ID: "img-9qabwvbn", Region: region, Name: "CentOS 7.6 64bit", Description: "CentOS 7.6 64bit", OSName: "CentOS 7.6 64bit",
		Type: "PUBLIC_IMAGE", Source: "OFFICIAL", State: "NORMAL", Platform: "CentOS", Architecture: "amd64", SizeGiB: 50, CloudInit: true,
		CreatedTime: &created, Tags: []imagev1alpha1.Tag{{Key: "xx", Value: "xx"}},
	}
	kit.Equal(w, "image", want, w.Image("ap-guangzhou-img-9qabwvbn").Image)
}

func TestPublicImagesAreStoredInEnglish(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, cvmtest.PublicImages()...)
	w.Create(newQuery("ubuntu", func(s *imagev1alpha1.ImageQuerySpec) {
		s.Filters = []imagev1alpha1.Filter{{Name: "image-type", Values: []string{"PUBLIC_IMAGE"}}}
		s.Match.Platforms = []string{"Ubuntu"}
	}))
	w.UntilSynced("ubuntu")
	if got := w.Image("ap-guangzhou-img-487zeit5").Image; got.Name != "Ubuntu Server 22.04 LTS 64bit" || got.CreatedTime != nil {
		t.Errorf("the public image is %+v", got)
	}
}

// A failed or implausible listing changes no known image. The next complete one recovers.
func TestNoBadListingDropsAnImage(t *testing.T) {
	body := func(s string) *string { return &s }
	noImages := map[string]json.RawMessage{"ImageSet": json.RawMessage(`null`)}
	for name, tc := range map[string]struct {
		fault      cvmtest.Fault
		empty      bool
		wantReason string // "" if the poll succeeds
		wantNote   string
	}{
		"a later page fails":             {fault: cvmtest.Fault{Page: 2, Code: "InternalError"}, wantReason: imagev1alpha1.ReasonUnavailable},
		"the count drifts":               {fault: cvmtest.Fault{FromPage: 2, TotalDelta: 3}, wantNote: "nothing was removed"},
		"an image is lost between pages": {fault: cvmtest.Fault{Page: 1, DropImages: 1, Times: 1}},
		"pages overlap":                  {fault: cvmtest.Fault{Page: 2, DuplicateImages: 3, Times: 1}},
		"the answer is {}":               {fault: cvmtest.Fault{Body: body(`{}`)}, wantReason: imagev1alpha1.ReasonIncompleteListing},
		"the answer is null":             {fault: cvmtest.Fault{Body: body(`null`)}, wantReason: imagev1alpha1.ReasonIncompleteListing},
		"the answer has no images":       {fault: cvmtest.Fault{Set: noImages}, wantReason: imagev1alpha1.ReasonIncompleteListing},
		"the cloud is empty":             {empty: true, wantReason: imagev1alpha1.ReasonTooFewImages},
		"a gateway answers":              {fault: cvmtest.Fault{Status: 502}, wantReason: imagev1alpha1.ReasonUnavailable},
		"the cloud throttles":            {fault: cvmtest.Fault{Code: "RequestLimitExceeded"}, wantReason: imagev1alpha1.ReasonThrottled},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			inventory := cvmtest.PrivateImages(7, 150, cvmtest.DefaultCredential.UIN)
			w.cloud.Put(region, inventory...)
			w.Create(newQuery("golden"))
			before := w.UntilSynced("golden").Status
			w.writes.take()

			if tc.empty {
				w.cloud.Clear(region)
			} else {
				w.cloud.Inject(tc.fault)
			}
			during := w.Poll("golden")
			if diff := cmp.Diff(before.Images, during.Status.Images); diff != "" || len(w.Images("")) != 150 {
				t.Errorf("%d CloudImages are left, and status.images changed (-before +during):\n%s", len(w.Images("")), diff)
			}
			if writes := w.writes.take(); slices.ContainsFunc(writes, func(s string) bool { return strings.Contains(s, "cloudimages") }) {
				t.Errorf("CloudImages were written: %v", writes)
			}
			ready := meta.FindStatusCondition(during.Status.Conditions, imagev1alpha1.ConditionReady)
			if ready.Status != metav1.ConditionTrue {
				t.Errorf("Ready is %s although the data is fresh: %s", ready.Status, ready.Message)
			}
			if !strings.Contains(ready.Message, tc.wantReason) || !strings.Contains(ready.Message, tc.wantNote) {
				t.Errorf("the message does not say %s%s: %s", tc.wantReason, tc.wantNote, ready.Message)
			}

			w.clock.offset.Add(int64(time.Hour)) // more than max(4 × 10m, 15m)
			if tc.wantReason != "" {
				stale := w.Poll("golden")
				ready := meta.FindStatusCondition(stale.Status.Conditions, imagev1alpha1.ConditionReady)
				if ready.Status != metav1.ConditionFalse || ready.Reason != tc.wantReason ||
					!meta.IsStatusConditionTrue(stale.Status.Conditions, imagev1alpha1.ConditionReconciling) {
					t.Errorf("stale data is reported as %s", kit.Describe(stale))
				}
			}

			w.cloud.Heal()
			w.cloud.Put(region, inventory...)
			w.Poll("golden")
			if healed := w.UntilSynced("golden"); cmp.Diff(before.Images, healed.Status.Images) != "" || len(w.Images("")) != 150 {
				t.Errorf("the next good poll did not heal: %s", kit.Describe(healed))
			}
		})
	}
}

func TestWrongKeyStallsAndHealsWhenTheSecretIsCorrected(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")

	wrong := cvmtest.DefaultCredential
	wrong.SecretKey = "wrong"
	w.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, wrong)
	stalled := w.UntilQuery("golden", "it is stalled", func(q *imagev1alpha1.ImageQuery) bool {
		return meta.IsStatusConditionTrue(q.Status.Conditions, imagev1alpha1.ConditionStalled)
	})
	condition := meta.FindStatusCondition(stalled.Status.Conditions, imagev1alpha1.ConditionStalled)
	if condition.Reason != imagev1alpha1.ReasonAuthenticationFailed || !strings.Contains(condition.Message, "secretKey") {
		t.Errorf("Stalled is %s: %s", condition.Reason, condition.Message)
	}
	if len(w.Images("")) != 1 {
		t.Error("the CloudImage was removed")
	}

	w.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, cvmtest.DefaultCredential)
	w.UntilQuery("golden", "it is not stalled any more", func(q *imagev1alpha1.ImageQuery) bool {
		return !meta.IsStatusConditionTrue(q.Status.Conditions, imagev1alpha1.ConditionStalled)
	})
}

func TestCredentialsThatCannotWorkAreToldApart(t *testing.T) {
	for name, tc := range map[string]struct {
		data map[string]string
		want string
	}{
		"no Secret":           {want: "does not exist"},
		"no keys":             {data: map[string]string{}, want: "neither secretId nor secretKey"},
		"no secretKey":        {data: map[string]string{"secretId": "AKID"}, want: "no secretKey"},
		"no secretId":         {data: map[string]string{"secretKey": "key"}, want: "no secretId"},
		"a role that is none": {data: map[string]string{"roleArn": "reader"}, want: "roleArn is not a role's"},
		"an external id":      {data: map[string]string{"externalId": "x"}, want: "externalId and no roleArn"},
		"a line break within": {data: map[string]string{"secretId": "AK\nID", "secretKey": "key"}, want: "secretId has characters"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if tc.data != nil {
				w.Create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "acct2"}, StringData: tc.data})
			}
			w.Create(newQuery("golden", withCredentials("acct2")))
			query := w.UntilReady("golden", metav1.ConditionFalse, imagev1alpha1.ReasonCredentialsNotFound)
			if message := kit.Condition(query, imagev1alpha1.ConditionStalled).Message; !contains(message, tc.want, namespace+"/acct2") {
				t.Errorf("the message is %q, want it to say %q and to name the Secret", message, tc.want)
			}
			if requests := w.cloud.Requests(); len(requests) > 0 {
				t.Errorf("the cloud was asked %d times", len(requests))
			}

			keys := cvmtest.DefaultCredential
			w.SetCredentials("acct2", cvmtest.Credential{SecretID: keys.SecretID + "\n", SecretKey: "\t" + keys.SecretKey + " \n"})
			w.cloud.Put(region, newImage(1))
			w.Poll("golden")
			w.UntilSynced("golden")
			image := w.Image("acct2." + objectName(1))
			if image.Image.Credentials != "acct2" || image.Labels[imagev1alpha1.LabelCredentials] != "acct2" {
				t.Errorf("the image of other credentials is %+v", image)
			}
		})
	}
}

func withCredentials(name string) func(*imagev1alpha1.ImageQuerySpec) {
	return func(s *imagev1alpha1.ImageQuerySpec) {
		s.CredentialsRef = &imagev1alpha1.CredentialsReference{Name: name}
	}
}

func TestAnImageLeavesOnlyWhenTheCloudConfirmsIt(t *testing.T) {
	for name, tc := range map[string]struct {
		change            func(*world)
		wantLeft          bool
		wantPages, wantID int
	}{
		"deleted in the cloud: asked for by id": {
			change:    func(w *world) { w.cloud.Delete(region, newImage(1).ImageID) },
			wantLeft:  true,
			wantPages: 1, wantID: 1,
		},
		"renamed, so that it does not match: the answer by id agrees": {
			change: func(w *world) {
				w.cloud.Update(region, newImage(1).ImageID, func(i *cvmtest.Image) { i.ImageName = "other" })
			},
			wantLeft:  true,
			wantPages: 1, wantID: 1,
		},
		"not listed although there: listed once more": {
			change:    func(w *world) { w.cloud.Inject(cvmtest.Fault{Listing: true, DropImages: 1, TotalDelta: -1, Times: 1}) },
			wantPages: 2, wantID: 1,
		},
		"not listed twice although there: believed": {
			change:    func(w *world) { w.cloud.Inject(cvmtest.Fault{Listing: true, DropImages: 1, TotalDelta: -1, Times: 2}) },
			wantLeft:  true,
			wantPages: 2, wantID: 1,
		},
		"the request by id fails: nothing leaves": {
			change: func(w *world) {
				w.cloud.Delete(region, newImage(1).ImageID)
				w.cloud.Inject(cvmtest.Fault{ByID: true, Code: "InternalError"})
			},
			wantPages: 1, wantID: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			// Put prepends, so the image of the case is the first in the list.
			w.cloud.Put(region, newImage(1), newImage(2))
			w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) { s.Match.NameRegex = "^node-" }, withoutGrace))
			w.UntilSynced("golden")

			tc.change(w)
			w.cloud.ResetRequests()
			query := w.Poll("golden")
			pages, byID := w.listings()
			if pages != tc.wantPages || byID != tc.wantID {
				t.Errorf("%d pages and %d requests by id, want %d and %d", pages, byID, tc.wantPages, tc.wantID)
			}
			wantNames := []string{objectName(1), objectName(2)}
			if tc.wantLeft {
				wantNames = wantNames[1:]
			}
			kit.Equal(w, "CloudImages", wantNames, w.ImageNames(""))
			if got := int(ptr.Deref(query.Status.ImageCount, 0)); got != len(wantNames) {
				t.Errorf("status.imageCount is %d, want %d", got, len(wantNames))
			}
		})
	}
}

// No event reports a query that was deleted while no operator was running, and its peers may never poll.
func TestAQueryThatWasDeletedMeanwhileLeavesNoLabel(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("first"), newQuery("second"))
	w.UntilSynced("first")
	w.UntilSynced("second")
	w.Patch("second", `{"spec":{"suspend":true}}`)
	w.UntilReady("second", metav1.ConditionTrue, imagev1alpha1.ReasonSuspended)
	w.restart(func() {
		w.Delete(newQuery("first"))
	})
	w.Eventually(func() error {
		labels := w.Image(objectName(1)).Labels
		if labels["query.imagecatalog.dev/first"] != "" || labels["query.imagecatalog.dev/second"] == "" {
			return fmt.Errorf("the labels are %v", labels)
		}
		return nil
	})
}

// The object of a peer is found by its name: it is updated, without an attempt to create it.
func TestAnImageOfAnotherQueryIsChangedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("first"))
	w.UntilSynced("first")
	w.idle()
	w.writes.take()
	w.Create(newQuery("second"))
	w.UntilSynced("second")
	var images []string
	for _, write := range w.writes.take() {
		if strings.Contains(write, "cloudimages") {
			images = append(images, write)
		}
	}
	if !slices.Equal(images, []string{"PUT cloudimages/" + objectName(1)}) {
		t.Errorf("it wrote %q", images)
	}
}

// A query without objects finds an image to be gone, and another one has the object.
func TestAQueryWithoutObjectsMakesOthersLook(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImages(1, 2, 3)...)
	w.Create(
		newQuery("bare", withoutObjects),
		// It has another request, so it doesn't share the first one's listings.
		newQuery("slow", func(s *imagev1alpha1.ImageQuerySpec) { s.Interval.Duration, s.Filters = 100*time.Hour, nil }),
	)
	w.UntilSynced("bare")
	w.UntilSynced("slow")
	w.deleteImages(1)
	w.Poll("bare")
	w.UntilQuery("slow", "it knows that the image is gone", func(q *imagev1alpha1.ImageQuery) bool { return len(q.Status.Removing) == 1 })
}

func TestTwoQueriesShareAnImage(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("first", withoutGrace), newQuery("second"))
	w.UntilSynced("first")
	w.UntilSynced("second")

	shared := w.Image(objectName(1))
	if len(shared.OwnerReferences) != 2 || shared.Labels[labelOf("first")] != "selected" || shared.Labels[labelOf("second")] != "selected" {
		t.Fatalf("the shared image has labels %v and owners %v", shared.Labels, shared.OwnerReferences)
	}

	// The query that leaves removes its label, and the object stays.
	w.Patch("first", `{"spec":{"minImages":0,"match":{"excludeImageIDs":["`+newImage(1).ImageID+`"]}}}`)
	w.UntilReady("first", metav1.ConditionTrue, imagev1alpha1.ReasonNoImagesMatched)
	left := w.Image(objectName(1))
	if _, marked := left.Labels["query.imagecatalog.dev/first"]; marked || len(left.OwnerReferences) != 1 || left.UID != shared.UID {
		t.Errorf("after one has let go: labels %v, owners %v", left.Labels, left.OwnerReferences)
	}

	// And back again.
	w.Patch("first", `{"spec":{"match":{"excludeImageIDs":null}}}`)
	w.UntilSynced("first")
	if again := w.Image(objectName(1)); len(again.OwnerReferences) != 2 || again.UID != shared.UID {
		t.Errorf("after it came back: owners %v", again.OwnerReferences)
	}

	// The operator removes the label of a deleted query; its objects are left to the garbage collector.
	w.Delete(newQuery("first"))
	w.Eventually(func() error {
		if labels := w.Image(objectName(1)).Labels; labels["query.imagecatalog.dev/first"] != "" {
			return fmt.Errorf("the label of a deleted query is still there: %v", labels)
		}
		return nil
	})
}

func TestWhatOthersPutOnACloudImageStaysAndFactsAreRepaired(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")

	image := w.Image(objectName(1))
	image.Labels["example.com/mine"] = "yes"
	delete(image.Labels, imagev1alpha1.LabelState)
	image.Annotations["example.com/note"] = "kept"
	image.Image.Name = "tampered"
	image.OwnerReferences = nil
	if err := w.Client.Update(w.Context(), &image); err != nil {
		t.Fatal(err)
	}
	w.Poll("golden")
	got := w.Image(objectName(1))
	if got.Image.Name != "node-1" || got.Labels[imagev1alpha1.LabelState] != "NORMAL" || len(got.OwnerReferences) != 1 {
		t.Errorf("facts were not repaired: %+v", got)
	}
	if got.Labels["example.com/mine"] != "yes" || got.Annotations["example.com/note"] != "kept" {
		t.Errorf("what others put there is gone: %v %v", got.Labels, got.Annotations)
	}
}

func TestOnlyChangesAreWritten(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1), newImage(2), newImage(3))
	w.Create(newQuery("golden"))
	before := w.UntilSynced("golden").Status
	w.writes.take()

	w.cloud.Update(region, newImage(2).ImageID, func(i *cvmtest.Image) { i.ImageDescription = "rebuilt" })
	after := w.Poll("golden").Status
	want := []string{"PUT cloudimages/" + objectName(2), "PUT imagequeries/golden/status"}
	kit.Equal(w, "writes", want, w.writes.take())
	if before.Revision == after.Revision {
		t.Error("revision did not move with a fact")
	}
}

func TestSuspendStopsEverythingAndResumeIsOnePoll(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("golden", withoutGrace, withoutBreaker))
	w.UntilSynced("golden")
	w.writes.take()

	w.Patch("golden", `{"spec":{"suspend":true}}`)
	w.UntilReady("golden", metav1.ConditionTrue, imagev1alpha1.ReasonSuspended)
	w.cloud.ResetRequests()
	w.cloud.Delete(region, newImage(1).ImageID)
	w.cloud.Put(region, newImage(2))
	w.pass(24 * time.Hour)
	w.Patch("golden", `{"metadata":{"annotations":{"imagecatalog.dev/requestedAt":"unheard"}}}`)

	w.Patch("golden", `{"spec":{"suspend":false}}`)
	query := w.UntilSynced("golden")
	if pages, byID := w.listings(); pages != 1 || byID != 1 {
		t.Errorf("resuming took %d pages and %d requests by id, want one of each", pages, byID)
	}
	want := []string{
		"PUT imagequeries/golden/status",                                                            // suspended
		"PUT imagequeries/golden/status",                                                            // resumed: progressing
		"POST cloudimages", "DELETE cloudimages/" + objectName(1), "PUT imagequeries/golden/status", // synced
	}
	kit.Equal(w, "writes", want, w.writes.take())
	if query.Status.LastHandledReconcileAt != "unheard" {
		t.Errorf("the request that came while suspended was handled as %q by the poll after", query.Status.LastHandledReconcileAt)
	}
}

func TestCreatedSuspendedIsUnknown(t *testing.T) {
	w := newWorld(t)
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) { s.Suspend = true }))
	w.UntilReady("golden", metav1.ConditionUnknown, imagev1alpha1.ReasonSuspended)
	if requests := w.cloud.Requests(); len(requests) > 0 {
		t.Errorf("the cloud was asked %d times", len(requests))
	}
}

func TestARestartPollsNothingBeforeItsTime(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")
	w.cloud.ResetRequests()
	w.writes.take()

	// A new query shows that the operator works again and has reconciled the first query before: both are in the
	// initial list of the cache.
	w.Create(newQuery("other", func(s *imagev1alpha1.ImageQuerySpec) { s.Region = "ap-shanghai"; s.MinImages = ptr.To[int32](0) }))
	w.UntilReady("other", metav1.ConditionTrue, imagev1alpha1.ReasonNoImagesMatched)
	w.cloud.ResetRequests()
	w.writes.take()
	w.restart()
	w.Poll("other")
	for _, r := range w.cloud.Requests() {
		if r.Region == region {
			t.Errorf("the query that was not due was polled: %+v", r)
		}
	}
	kit.Equal(w, "writes", []string{"PUT imagequeries/other/status"}, w.writes.take())
}

func TestAResultForAnEarlierSpecIsDiscarded(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	var once sync.Once
	w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) { s.Suspend = true }))
	w.UntilReady("golden", metav1.ConditionUnknown, imagev1alpha1.ReasonSuspended)
	// During the first listing, the spec changes to a region without images.
	w.cloud.OnRequest(func(cvmtest.Request) {
		once.Do(func() { w.Patch("golden", `{"spec":{"region":"ap-shanghai","minImages":0}}`) })
	})
	w.Patch("golden", `{"spec":{"suspend":false}}`)
	w.UntilReady("golden", metav1.ConditionTrue, imagev1alpha1.ReasonNoImagesMatched)
	for _, write := range w.writes.take() {
		if strings.Contains(write, "cloudimages") {
			t.Errorf("the discarded listing was written: %s", write)
		}
	}
}

func TestAnEditDuringAPollDoesNotLoseTheStatus(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	var edits atomic.Int64
	w.cloud.OnRequest(func(cvmtest.Request) {
		w.Patch("golden", fmt.Sprintf(`{"metadata":{"labels":{"edited":"at-%d"}}}`, edits.Add(1)))
	})
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")
}

func TestANamesakeGetsNothingOfADeletedQuery(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	var once sync.Once
	w.cloud.OnRequest(func(cvmtest.Request) {
		once.Do(func() {
			if err := w.Client.Delete(w.Context(), newQuery("golden")); err != nil {
				t.Error(err)
			}
			w.Create(newQuery("golden", func(s *imagev1alpha1.ImageQuerySpec) { s.Suspend = true }))
		})
	})
	w.Create(newQuery("golden"))
	query := w.UntilReady("golden", metav1.ConditionUnknown, imagev1alpha1.ReasonSuspended)
	if query.Status.ImageCount != nil || len(w.Images("")) != 0 {
		t.Errorf("the namesake has %s and there are %d CloudImages", kit.Describe(query), len(w.Images("")))
	}
}

func TestAnotherRegionReplacesTheImagesCleanly(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1), newImage(2))
	w.cloud.Put("ap-shanghai", newImage(3), newImage(4))
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")
	w.writes.take()

	w.Patch("golden", `{"spec":{"region":"ap-shanghai"}}`)
	w.UntilCurrent("golden")
	writes := w.writes.take()
	lastCreate := slices.IndexFunc(writes, func(s string) bool { return strings.HasPrefix(s, "DELETE") }) - 1
	if lastCreate < 1 || slices.ContainsFunc(writes[lastCreate+1:], func(s string) bool { return strings.HasPrefix(s, "POST") }) {
		t.Errorf("old objects went before the new ones were there: %v", writes)
	}
	want := []string{"ap-shanghai-" + newImage(3).ImageID, "ap-shanghai-" + newImage(4).ImageID}
	kit.Equal(w, "CloudImages", want, w.ImageNames(""))
}

func TestAnotherRegionThatCannotBeListedEmptiesTheStatusAndKeepsTheObjects(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")

	w.cloud.Inject(cvmtest.Fault{Region: "ap-shanghai", Code: "InternalError"})
	w.Patch("golden", `{"spec":{"region":"ap-shanghai"}}`)
	query := w.UntilReady("golden", metav1.ConditionFalse, imagev1alpha1.ReasonUnavailable)
	if len(query.Status.Images) != 0 || len(w.Images("")) != 1 {
		t.Errorf("status shows %d images and there are %d CloudImages, want 0 and 1", len(query.Status.Images), len(w.Images("")))
	}
}

func TestExcludingAnImageActsBeforeTheCloudAnswers(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1), newImage(2))
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")

	w.cloud.Inject(cvmtest.Fault{Code: "InternalError"})
	w.Patch("golden", `{"spec":{"match":{"excludeImageIDs":["`+newImage(2).ImageID+`"]}}}`)
	query := w.UntilReady("golden", metav1.ConditionFalse, imagev1alpha1.ReasonUnavailable)
	if len(query.Status.Images) != 1 || query.Status.Images[0].ImageID != newImage(1).ImageID || ptr.Deref(query.Status.ImageCount, 0) != 1 {
		t.Errorf("status.images is %+v", query.Status.Images)
	}
}

func TestARefusedCloudImageHoldsBackNoOther(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1), newImage(2), newImage(3))
	w.forbid(objectName(2))
	w.Create(newQuery("golden"))
	query := w.UntilReady("golden", metav1.ConditionFalse, imagev1alpha1.ReasonWriteFailed)
	if got := len(query.Status.Images); got != 3 {
		t.Errorf("status.images has %d entries, want 3", got)
	}
	if message := kit.Ready(query).Message; !contains(message, "did not take 1 write", objectName(2)) {
		t.Errorf("the message is %q", message)
	}
	kit.Equal(w, "CloudImages", []string{objectName(1), objectName(3)}, w.ImageNames(""))
}

// forbid makes the API server reject a CloudImage, and waits until it does.
func (w *world) forbid(name string) {
	w.Helper()
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "forbid"},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: ptr.To(admissionv1.Fail),
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule: admissionv1.Rule{
						APIGroups: []string{"imagecatalog.dev"}, APIVersions: []string{"*"}, Resources: []string{"cloudimages"},
					},
				},
			}}},
			Validations: []admissionv1.Validation{{Expression: fmt.Sprintf("object.metadata.name != %q", name)}},
		},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "forbid"},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: "forbid", ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}
	w.Create(policy, binding)
	w.Cleanup(func() {
		for _, o := range []client.Object{binding, policy} {
			if err := w.Client.Delete(context.Background(), o); err != nil {
				w.Error(err)
			}
		}
	})
	probe := &imagev1alpha1.CloudImage{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Image:      imagev1alpha1.Image{ID: strings.TrimPrefix(name, region+"-"), Region: region},
		Lifecycle: imagev1alpha1.ImageLifecycle{
			Presence: imagev1alpha1.PresencePresent, FirstSeenTime: metav1.Now(), LastChangeTime: metav1.Now(),
		},
	}
	w.Eventually(func() error {
		if err := w.Client.Create(w.Context(), probe.DeepCopy(), client.DryRunAll); !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) {
			return fmt.Errorf("the policy does not act yet: %w", err)
		}
		return nil
	})
}

func TestATransitionIsOneEvent(t *testing.T) {
	w := newWorld(t)
	w.cloud.Put(region, newImage(1))
	w.Create(newQuery("golden"))
	w.UntilSynced("golden")
	w.cloud.Inject(cvmtest.Fault{Code: "InternalError"})
	for range 5 {
		w.Poll("golden")
	}
	w.cloud.Heal()
	query := w.Poll("golden")
	w.Eventually(func() error {
		var list corev1.EventList
		if err := w.Client.List(w.Context(), &list, client.InNamespace("default")); err != nil {
			return err
		}
		var got []string
		for _, e := range list.Items {
			if e.InvolvedObject.UID == query.UID {
				got = append(got, e.Type+" "+e.Reason)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff([]string{"Normal SelectionChanged", "Normal Synced", "Normal Synced", "Warning Unavailable"}, got); diff != "" {
			return fmt.Errorf("events (-want +got):\n%s", diff)
		}
		return nil
	})
}
