// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// answers runs a row with faults that make a poll fail: the catalogue stays unchanged, and recovers afterwards.
func answers(t *testing.T, row int, reason string, faults map[string]cvmtest.Fault) *world {
	t.Helper()
	w := synced(t, row, 3)
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		w.cloud.Inject(faults[name])
		query := w.failing(golden, reason)
		if message := kit.Ready(query).Message; strings.Contains(message, "<") {
			t.Errorf("%s: the answer's text is in the message: %s", name, message)
		}
		w.cloud.Heal()
	}
	w.heals(golden)
	return w
}

func body(s string) cvmtest.Fault { return cvmtest.Fault{Body: &s} }

func member(name, value string) cvmtest.Fault {
	return cvmtest.Fault{Set: map[string]json.RawMessage{name: json.RawMessage(value)}}
}

func TestFault01ServerErrorWithABigBody(t *testing.T) {
	page := "<html>" + strings.Repeat(canary, 300<<10/len(canary))
	answers(t, 1, imagev1alpha1.ReasonUnavailable, map[string]cvmtest.Fault{
		"a gateway's page":                      {Status: 502},
		"a page of 300 KiB":                     {Status: 503, Body: &page, Header: map[string]string{"Content-Type": "text/html"}},
		"500 that says it is JSON, and is good": {Status: 500, KeepBody: true},
	})
}

// hangs blocks one query's requests. Another query is polled meanwhile, and the first one again after its requests
// timed out.
func hangs(t *testing.T, row int, fault cvmtest.Fault) {
	t.Helper()
	w := synced(t, row, 3)
	w.cloud.Put(elsewhere, cvmtest.PrivateImages(1, 2, cvmtest.DefaultCredential.UIN)...)
	w.query("beside", "region: "+elsewhere)
	w.UntilSynced("beside")
	goroutines := w.metric("go_goroutines")
	fault.Region = region
	w.cloud.Inject(fault)
	before, seen := w.catalogue(golden), w.asked()
	w.Annotate(golden, imagev1alpha1.AnnotationRequestedAt, "held-up")
	w.Until("the request that hangs has come", func(context.Context) error {
		if w.asked() == seen {
			return errors.New("it has not")
		}
		return nil
	})
	for range 3 {
		w.Poll("beside")
	}
	if handled := w.Query(golden).Status.LastHandledReconcileAt; handled == "held-up" {
		t.Error("the query was not held up, so this shows nothing")
	}
	query := w.UntilHandled(golden, "held-up")
	if message := kit.Ready(query).Message; !strings.Contains(message, "did not answer in time") {
		t.Errorf("the message is %q", message)
	}
	w.kept(golden, before)
	w.heals(golden)
	w.Until("the goroutines of the request are gone", func(context.Context) error {
		if now := w.metric("go_goroutines"); now > goroutines+10 {
			return fmt.Errorf("there are %v, and were %v", now, goroutines)
		}
		return nil
	})
}

func TestFault02NoAnswer(t *testing.T) { hangs(t, 2, cvmtest.Fault{Blackhole: true}) }

func TestFault03AnAnswerByteByByte(t *testing.T) { hangs(t, 3, cvmtest.Fault{Drip: time.Second}) }

func TestFault04AnAnswerThatBreaksOff(t *testing.T) {
	answers(t, 4, imagev1alpha1.ReasonUnavailable, map[string]cvmtest.Fault{
		"cut": {CutAfter: 300}, "reset": {CutAfter: 300, Reset: true}, "hung up": {Hangup: true},
		"half a JSON text": body(`{"Response":{"TotalCount":0,"ImageSet":[`),
	})
}

func TestFault07KeysAndPermissions(t *testing.T) {
	w := synced(t, 7, 3)
	key := cvmtest.DefaultCredential
	for _, tc := range []struct {
		name, reason string
		spoil, mend  func()
	}{
		{
			name: "a key that was deleted", reason: imagev1alpha1.ReasonAuthenticationFailed,
			spoil: func() { w.cloud.RemoveCredential(key.SecretID) },
			mend:  func() { w.cloud.SetCredential(key) },
		},
		{
			name: "a role without the permission", reason: imagev1alpha1.ReasonPermissionDenied,
			spoil: func() { denied := key; denied.Deny = true; w.cloud.SetCredential(denied) },
			mend:  func() { w.cloud.SetCredential(key) },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.spoil()
			query := w.failing(golden, tc.reason)
			stalled := kit.Condition(query, imagev1alpha1.ConditionStalled)
			if stalled.Status != metav1.ConditionTrue || stalled.Reason != tc.reason {
				t.Errorf("Stalled is %s/%s, want True/%s", stalled.Status, stalled.Reason, tc.reason)
			}
			tc.mend()
			w.heals(golden)
			if stalled := kit.Condition(w.Query(golden), imagev1alpha1.ConditionStalled); stalled.Type != "" {
				t.Errorf("Stalled stays: %+v", stalled)
			}
		})
	}
	t.Run("another Secret is used at once", func(t *testing.T) {
		w.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, cvmtest.Credential{SecretID: "AKIDunknown", SecretKey: "unknown"})
		w.UntilCondition(golden, imagev1alpha1.ConditionStalled, metav1.ConditionTrue, imagev1alpha1.ReasonAuthenticationFailed)
		w.SetCredentials(imagev1alpha1.DefaultCredentialsSecret, key)
		w.UntilQuery(golden, "it isn't stalled any more", func(q *imagev1alpha1.ImageQuery) bool {
			return kit.Condition(q, imagev1alpha1.ConditionStalled).Type == ""
		})
		w.quiet(golden)
	})
}

func TestFault08AClockThatIsWrong(t *testing.T) {
	w := synced(t, 8, 3)
	w.cloud.SetSkew(6 * time.Minute)
	query := w.failing(golden, imagev1alpha1.ReasonUnavailable)
	if message := kit.Ready(query).Message; !strings.Contains(message, "clock") {
		t.Errorf("the message doesn't name the clock: %s", message)
	}
	w.cloud.SetSkew(0)
	w.heals(golden)
}

func TestFault09Throttled(t *testing.T) {
	w := synced(t, 9, 3)
	other := cvmtest.Credential{SecretID: "AKIDother", SecretKey: "other-secret-key", UIN: "100000000002"}
	w.cloud.SetCredential(other)
	w.SetCredentials("other", other)
	w.cloud.Put(elsewhere, cvmtest.PrivateImages(9, 2, other.UIN)...)
	w.query("beside", "region: "+elsewhere, "credentialsRef: {name: other}")
	w.UntilSynced("beside")
	before, seen := w.catalogue(golden), w.asked()
	w.cloud.Inject(cvmtest.Fault{SecretID: cvmtest.DefaultCredential.SecretID, Code: "RequestLimitExceeded"})
	w.Annotate(golden, imagev1alpha1.AnnotationRequestedAt, "throttled")
	for range 4 {
		w.Poll("beside") // at least a second after the previous one
	}
	throttled := 0
	for _, r := range w.cloud.Requests()[seen:] {
		if r.Code == "RequestLimitExceeded" {
			throttled++
		}
	}
	// Pauses of 1, 2, 4, 8, 16, 30 s with jitter, during the four polls.
	if throttled == 0 || throttled > 10 {
		t.Errorf("a throttled source asked %d times while another was served four times", throttled)
	}
	w.kept(golden, before)
	w.heals(golden)
}

func TestFault10InternalErrorWithStatus200(t *testing.T) {
	answers(t, 10, imagev1alpha1.ReasonUnavailable, map[string]cvmtest.Fault{
		"InternalError": {Code: "InternalError", Message: canary}, "a code nobody knows": {Code: "Some.NewCode", Message: canary},
	})
}

func TestFault11EmptyAnswers(t *testing.T) {
	answers(t, 11, imagev1alpha1.ReasonIncompleteListing, map[string]cvmtest.Fault{
		"{}": body(`{}`), "Response null": body(`{"Response":null}`), "Response {}": body(`{"Response":{}}`),
		"another API's": body(`{"data":{"` + canary + `":1}}`),
	})
}

// The SDK's own decoding panics at it.
func TestFault12ANullAnswer(t *testing.T) {
	w := answers(t, 12, imagev1alpha1.ReasonIncompleteListing, map[string]cvmtest.Fault{"null": body(`null`)})
	if counted := w.metric("tencentcloud_api_requests_total", `code="ClientError.MalformedAnswer"`); counted == 0 {
		t.Error("no metric counts the answer")
	}
}

func TestFault13AnswersOfOtherTypes(t *testing.T) {
	answers(t, 13, imagev1alpha1.ReasonUnavailable, map[string]cvmtest.Fault{
		"200 000 brackets":        body(strings.Repeat("[", 200_000)),
		"Response is a list":      body(`{"Response":["` + canary + `"]}`),
		"TotalCount is a text":    member("TotalCount", `"3"`),
		"ImageSet is an object":   member("ImageSet", `{"`+canary+`":1}`),
		"ImageSize is a text":     member("ImageSet", `[{"ImageId":"img-9qabwvbn","ImageSize":"`+canary+`"}]`),
		"RequestId is a number":   member("RequestId", `7`),
		"no JSON at all":          body(canary),
		"nothing":                 body(``),
		"TotalCount of 20 digits": member("TotalCount", `99999999999999999999`),
	})
}

func TestFault14Floods(t *testing.T) {
	w := answers(t, 14, imagev1alpha1.ReasonUnavailable, map[string]cvmtest.Fault{
		"100 MB": {BigBody: 100 << 20}, "a deflate bomb": {DeflateBomb: 100 << 20}, "a gzip bomb": {GzipBomb: 100 << 20},
		"300 000 entries": {Body: new(`{"Response":{"TotalCount":1,"RequestId":"r","ImageSet":[{}` + strings.Repeat(",{}", 300_000) + `]}}`)},
	})
	if peak := peakMemory(t, w.manager); peak > 128<<20 {
		t.Errorf("the manager took %d MiB", peak>>20)
	}
}

func TestFault15AnswersOfOtherKinds(t *testing.T) {
	answers(t, 15, imagev1alpha1.ReasonUnavailable, map[string]cvmtest.Fault{
		"an event stream":                {EventStream: true},
		"a redirect":                     {Redirect: "http://127.0.0.1:1/"},
		"brotli":                         {Header: map[string]string{"Content-Encoding": "br"}},
		"a redirect that keeps the body": {Redirect: "http://127.0.0.1:1/", Status: 307},
	})
}
