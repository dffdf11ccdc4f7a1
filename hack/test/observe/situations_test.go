// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/yaml"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

var update = flag.Bool("update", false, "write what the operator produces into config/argocd and testdata")

// situation is a row of the table of conditions, produced by a running operator. Each has its own region, so that
// faults affect it alone.
type situation struct {
	// produce creates the query with the name and returns once it is in the situation.
	produce func(s *stage, name, region string)
	// conditions are all conditions as type=status/reason.
	conditions string
	kstatus    status.Status
	argo       string
}

// synced creates a query for the images of a region and waits until it is synced.
func synced(images int, spec ...string) func(s *stage, name, region string) {
	return func(s *stage, name, region string) {
		s.fill(region, images)
		s.query(name, region, spec...)
		s.UntilSynced(name)
	}
}

// then runs the steps of a situation.
func then(steps ...func(s *stage, name, region string)) func(s *stage, name, region string) {
	return func(s *stage, name, region string) {
		for _, step := range steps {
			step(s, name, region)
		}
	}
}

func failing(f cvmtest.Fault) func(s *stage, name, region string) {
	return func(s *stage, _, region string) {
		f.Region = region
		s.cloud.Inject(f)
	}
}

func created(images int, spec ...string) func(s *stage, name, region string) {
	return func(s *stage, name, region string) {
		s.fill(region, images)
		s.query(name, region, spec...)
	}
}

// polled requests a poll and waits for its end.
func polled(s *stage, name, _ string) { s.Poll(name) }

// untilReason waits for a reason of Ready or Stalled.
func untilReason(reason string) func(s *stage, name, region string) {
	return func(s *stage, name, _ string) {
		s.UntilQuery(name, "a condition has the reason "+reason, func(q *imagev1alpha1.ImageQuery) bool {
			has := func(c metav1.Condition) bool { return c.Reason == reason }
			return q.Status.ObservedGeneration == q.Generation && slices.ContainsFunc(q.Status.Conditions, has)
		})
	}
}

func edited(patch string) func(s *stage, name, region string) {
	return func(s *stage, name, _ string) { s.Patch(name, patch) }
}

// withKey gives the query its own key, which the cloud knows as c.
func withKey(c cvmtest.Credential) func(s *stage, name, region string) {
	return func(s *stage, name, _ string) {
		c.SecretID = "AKID" + strings.ToUpper(strings.ReplaceAll(name, "-", "")) + strings.Repeat("0", 10)
		c.SecretKey, c.UIN = "secret-of-"+name, cvmtest.DefaultCredential.UIN
		s.cloud.SetCredential(c)
		s.SetCredentials(name, c)
	}
}

// outage stops the operator for an hour, and starts it with a cloud that doesn't answer.
func outage(s *stage, name, _ string) {
	s.manager.Stop()
	patch := `{"status":{"lastSyncTime":"2026-01-01T00:00:00Z"}}`
	s.PatchStatus(name, patch)
	s.manager = s.whole.RestartManager(s.manager)
}

// refused makes the API server reject the CloudImages of the region.
func refused(s *stage, name, region string) {
	s.Apply(`{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: ` + name + `}, spec: {
		matchConstraints: {resourceRules: [{apiGroups: [imagecatalog.dev], apiVersions: ["*"], operations: [CREATE], resources: [cloudimages]}]},
		validations: [{expression: "object.image.region != '` + region + `'", message: "not today"}]}}`)
	s.Apply(`{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, metadata: {name: ` + name + `},
		spec: {policyName: ` + name + `, validationActions: [Deny]}}`)
	s.untilRefused(region)
}

const (
	tooMany   = `cloudImages: {maxImages: 1}`
	keyOfOwn  = `credentialsRef: {name: QUERY}`
	suspended = `suspend: true`

	// anotherQuestion changes the request, so that a recent listing isn't shared.
	anotherQuestion = `{"spec":{"filters":[{"name":"image-type","values":["PRIVATE_IMAGE","SHARED_IMAGE"]}]}}`
)

// situations is the table of conditions, as in docs/imagequery-debugging.md.
var situations = map[string]situation{
	"new-generation": {
		produce:    then(synced(2), failing(cvmtest.Fault{Blackhole: true}), edited(anotherQuestion), untilReason("Progressing")),
		conditions: "Ready=Unknown/Progressing Selected=True/Selected Reconciling=True/Progressing", kstatus: status.InProgressStatus,
		argo: "Progressing",
	},
	"synced": {
		produce:    synced(2),
		conditions: "Ready=True/Synced Selected=True/Selected", kstatus: status.CurrentStatus, argo: "Healthy",
	},
	"no-images-matched": {
		produce:    then(created(0, "minImages: 0"), untilReason("NoImagesMatched")),
		conditions: "Ready=True/NoImagesMatched Selected=False/NothingSelected", kstatus: status.CurrentStatus, argo: "Healthy",
	},
	"nothing-selected": {
		produce:    synced(2, `selection: {minAge: 8760h}`),
		conditions: "Ready=True/Synced Selected=False/NothingSelected", kstatus: status.CurrentStatus, argo: "Degraded",
	},
	"removal-blocked": {
		produce:    then(synced(10), func(s *stage, _, region string) { s.cloud.Delete(region, imageIDs(region, 7)...) }, polled),
		conditions: "Ready=True/RemovalBlocked Selected=True/Selected RemovalBlocked=True/RemovalBlocked", kstatus: status.CurrentStatus,
		argo: "Healthy",
	},
	"failed-fresh": {
		produce:    then(synced(2), failing(cvmtest.Fault{Code: "InternalError"}), polled),
		conditions: "Ready=True/Retrying Selected=True/Selected", kstatus: status.CurrentStatus, argo: "Healthy",
	},
	"throttled": {
		produce:    then(failing(cvmtest.Fault{Code: "RequestLimitExceeded"}), created(2), untilReason("Throttled")),
		conditions: "Ready=False/Throttled Selected=Unknown/Progressing Reconciling=True/ProgressingWithRetry", kstatus: status.InProgressStatus,
		argo: "Progressing",
	},
	"unavailable": {
		produce:    then(failing(cvmtest.Fault{Code: "InternalError"}), created(2), untilReason("Unavailable")),
		conditions: "Ready=False/Unavailable Selected=Unknown/Progressing Reconciling=True/ProgressingWithRetry",
		kstatus:    status.InProgressStatus, argo: "Progressing",
	},
	"incomplete-listing": {
		produce:    then(failing(cvmtest.Fault{Unset: []string{"TotalCount"}}), created(2), untilReason("IncompleteListing")),
		conditions: "Ready=False/IncompleteListing Selected=Unknown/Progressing Reconciling=True/ProgressingWithRetry",
		kstatus:    status.InProgressStatus, argo: "Progressing",
	},
	"too-few-images": {
		produce:    then(created(2, "minImages: 3"), untilReason("TooFewImages")),
		conditions: "Ready=False/TooFewImages Selected=Unknown/Progressing Reconciling=True/ProgressingWithRetry",
		kstatus:    status.InProgressStatus, argo: "Progressing",
	},
	"write-failed": {
		produce:    then(refused, created(2), untilReason("WriteFailed")),
		conditions: "Ready=False/WriteFailed Selected=True/Selected Reconciling=True/ProgressingWithRetry", kstatus: status.InProgressStatus,
		argo: "Progressing",
	},
	"not-fresh": {
		produce:    then(synced(2), failing(cvmtest.Fault{Code: "InternalError"}), outage, untilReason("Unavailable")),
		conditions: "Ready=False/Unavailable Selected=True/Selected Reconciling=True/ProgressingWithRetry", kstatus: status.InProgressStatus,
		argo: "Degraded",
	},
	"stalled-fresh": {
		produce:    then(withKey(cvmtest.Credential{}), synced(2, keyOfOwn), withKey(cvmtest.Credential{Disabled: true}), polled),
		conditions: "Ready=True/Retrying Selected=True/Selected Stalled=True/AuthenticationFailed", kstatus: status.FailedStatus,
		argo: "Degraded",
	},
	"stalled-not-fresh": {
		produce: then(
			withKey(cvmtest.Credential{}), synced(2, keyOfOwn), withKey(cvmtest.Credential{Disabled: true}),
			outage, untilReason("AuthenticationFailed"), polled,
		),
		conditions: "Ready=False/AuthenticationFailed Selected=True/Selected Stalled=True/AuthenticationFailed", kstatus: status.FailedStatus,
		argo: "Degraded",
	},
	"invalid-query": {
		produce:    then(created(0, "instanceType: SA0.NOSUCH1"), untilReason("InvalidQuery")),
		conditions: "Ready=False/InvalidQuery Selected=Unknown/Progressing Stalled=True/InvalidQuery", kstatus: status.FailedStatus,
		argo: "Degraded",
	},
	"permission-denied": {
		produce:    then(withKey(cvmtest.Credential{Deny: true}), created(2, keyOfOwn), untilReason("PermissionDenied")),
		conditions: "Ready=False/PermissionDenied Selected=Unknown/Progressing Stalled=True/PermissionDenied", kstatus: status.FailedStatus,
		argo: "Degraded",
	},
	"credentials-not-found": {
		produce:    then(created(2, keyOfOwn), untilReason("CredentialsNotFound")),
		conditions: "Ready=False/CredentialsNotFound Selected=Unknown/Progressing Stalled=True/CredentialsNotFound",
		kstatus:    status.FailedStatus, argo: "Degraded",
	},
	"too-many-images": {
		produce:    then(created(2, tooMany), untilReason("TooManyImages")),
		conditions: "Ready=False/TooManyImages Selected=Unknown/Progressing Stalled=True/TooManyImages", kstatus: status.FailedStatus,
		argo: "Degraded",
	},
	"suspended": {
		produce:    then(synced(2), edited(`{"spec":{"suspend":true}}`), untilReason("Suspended")),
		conditions: "Ready=True/Suspended Selected=True/Selected", kstatus: status.CurrentStatus, argo: "Suspended",
	},
	"created-suspended": {
		produce:    then(created(2, suspended), untilReason("Suspended")),
		conditions: "Ready=Unknown/Suspended Selected=Unknown/Progressing", kstatus: status.InProgressStatus, argo: "Suspended",
	},
}

func testSituations(t *testing.T, shared *stage) {
	t.Helper()
	t.Run("created", func(t *testing.T) {
		// A query that the operator hasn't seen yet must not count as ready.
		s := shared.For(t)
		s.manager.Stop()
		s.query("created", "ap-guangzhou")
		s.judge("created", situation{conditions: "", kstatus: status.InProgressStatus, argo: "Progressing"})
		s.Kubectl("", "delete", "imagequery", "created")
		shared.manager = s.whole.RestartManager(s.manager)
	})
	regions := []string{
		"ap-shanghai", "ap-beijing", "ap-nanjing", "ap-chengdu", "ap-chongqing", "ap-hongkong", "ap-singapore", "ap-bangkok", "ap-jakarta",
		"ap-seoul", "ap-tokyo", "eu-frankfurt", "na-ashburn", "na-siliconvalley", "sa-saopaulo", "me-saudi-arabia", "ap-taipei", "ap-shenzhen",
		"ap-qingyuan", "ap-tianjin", "ap-guiyang",
	}
	for i, name := range sorted(situations) {
		row, region := situations[name], regions[i]
		t.Run(name, func(t *testing.T) {
			s := shared.For(t)
			row.produce(s, name, region)
			s.judge(name, row)
			s.cloud.Heal()
			shared.manager = s.manager
			s.Kubectl("", "delete", "imagequery", name)
		})
	}
}

// judge evaluates a query with the tools.
func (s *stage) judge(name string, want situation) {
	s.Helper()
	query := s.object("ImageQuery", name)
	var conditions []string
	for _, c := range s.Query(name).Status.Conditions {
		conditions = append(conditions, fmt.Sprintf("%s=%s/%s", c.Type, c.Status, c.Reason))
	}
	if got := strings.Join(conditions, " "); got != want.conditions {
		s.Errorf("conditions are %q, want %q", got, want.conditions)
	}
	result, err := status.Compute(query)
	if err != nil {
		s.Fatalf("%v", err)
	}
	if result.Status != want.kstatus {
		s.Errorf("kstatus says %s (%s), want %s", result.Status, result.Message, want.kstatus)
	}
	if got := healthOf(s.T, query.Object); got.Status != want.argo {
		s.Errorf("Argo CD says %s (%s), want %s", got.Status, got.Message, want.argo)
	}
	s.record(name, query)
}

// record compares an object with the one in config/argocd, which the tests there use. -update writes it.
func (s *stage) record(name string, object *unstructured.Unstructured) {
	s.Helper()
	got, err := yaml.Marshal(timeless(object).Object)
	if err != nil {
		s.Fatalf("%v", err)
	}
	text := variable.ReplaceAllStringFunc(string(got), func(found string) string {
		if strings.Contains(found, "T") {
			return "2026-01-01T00:00:00Z"
		}
		return "token"
	})
	file := filepath.Join(customizations, object.GetKind(), "testdata", name+".yaml")
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			s.Fatalf("%v", err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		s.Fatalf("%v", err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		s.Errorf("%s is not what the operator writes; look at the difference and run the test with -update (-file +operator):\n%s", file, diff)
	}
}

// variable matches what differs between runs: times, and the tokens of kit.Poll.
var variable = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z|poll-[0-9]+`)

// timeless returns an object without the fields that differ between clusters.
func timeless(object *unstructured.Unstructured) *unstructured.Unstructured {
	out := object.DeepCopy()
	out.SetManagedFields(nil)
	out.SetUID("00000000-0000-0000-0000-000000000000")
	out.SetResourceVersion("1")
	annotations := out.GetAnnotations()
	delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
	out.SetAnnotations(annotations)
	owners := out.GetOwnerReferences()
	for i := range owners {
		owners[i].UID = out.GetUID()
	}
	out.SetOwnerReferences(owners)
	return out
}
