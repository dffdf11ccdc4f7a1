// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	eventsv1 "k8s.io/api/events/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// goldenQuery is the query of all readings.
const goldenQuery = "golden-web"

// reading is one of the commonest situations, and what a person then reads with kubectl.
type reading struct {
	// name is that of its file. region is its own, so that faults and listings are its own, too.
	name, region string

	produce func(s *stage, region string)

	// events are the reasons of the events to wait for: they are written after the status.
	events []string

	// describe are the ids of images to describe.
	describe []string
}

var readings = []reading{
	{
		name: "first-sync", region: "ap-guangzhou", produce: goldenWeb("match: {nameRegex: '^golden-web-'}"),
		events: []string{"Synced", "SelectionChanged"}, describe: []string{"img-arm00011"},
	},
	{
		name: "nothing-matches", region: "ap-shanghai",
		produce: func(s *stage, region string) {
			s.build(region, 10, 11)
			s.ask(region, "match: {nameRegex: '^golden-web-v1', architectures: [amd64]}")
			s.UntilReady(goldenQuery, "False", "TooFewImages")
		},
		events: []string{"TooFewImages"},
	},
	{
		name: "replaced", region: "ap-beijing",
		produce: func(s *stage, region string) {
			s.build(region, 10)
			s.ask(region)
			s.UntilSynced(goldenQuery)
			s.cloud.Clear(region)
			s.build(region, 11)
			s.Poll(goldenQuery)
		},
		events: []string{"Synced", "SelectionChanged", "SelectionChanged"},
	},
	{
		name: "blocked", region: "ap-nanjing", produce: blocked,
		events: []string{"Synced", "SelectionChanged", "RemovalBlocked"},
	},
	{
		name: "approved", region: "ap-chengdu",
		produce: func(s *stage, region string) {
			blocked(s, region)
			s.Annotate(goldenQuery, imagev1alpha1.AnnotationApproveRemoval, "yes")
			s.untilEvents("Synced", "SelectionChanged", "RemovalBlocked", "ApprovalRefused")
			command := kit.Condition(s.Query(goldenQuery), imagev1alpha1.ConditionRemovalBlocked).Message
			if out, err := s.shell(command); err != nil {
				s.Fatalf("the command of RemovalBlocked ends with %v: %s\n%s", err, command, out)
			}
			s.UntilSynced(goldenQuery)
		},
		events: []string{"Synced", "SelectionChanged", "RemovalBlocked", "ApprovalRefused", "Synced", "SelectionChanged"},
	},
	{
		name: "throttled", region: "ap-chongqing",
		produce: func(s *stage, region string) {
			goldenWeb()(s, region)
			failing(cvmtest.Fault{Code: "RequestLimitExceeded"})(s, goldenQuery, region)
			s.Poll(goldenQuery)
		},
		events: []string{"Synced", "SelectionChanged", "Throttled"},
	},
	{
		name: "wrong-key", region: "ap-hongkong",
		produce: func(s *stage, region string) {
			s.build(region, 10, 11)
			wrong := cvmtest.DefaultCredential
			wrong.SecretKey = "not-the-one-that-the-cloud-has"
			s.SetCredentials("acct2", wrong)
			s.ask(region, "credentialsRef: {name: acct2}")
			s.UntilReady(goldenQuery, "False", "AuthenticationFailed")
		},
		events: []string{"AuthenticationFailed"},
	},
	{
		name: "suspended", region: "ap-singapore",
		produce: func(s *stage, region string) {
			goldenWeb()(s, region)
			s.Patch(goldenQuery, `{"spec":{"suspend":true}}`)
			s.UntilReady(goldenQuery, "True", "Suspended")
		},
		events: []string{"Synced", "SelectionChanged"},
	},
	{
		name: "edited", region: "ap-bangkok",
		produce: func(s *stage, region string) {
			goldenWeb()(s, region)
			s.Patch(goldenQuery, `{"spec":{"match":{"excludeImageIDs":["img-amd00011"]},"selection":{"pin":["img-arm00010","img-amd00009"]}}}`)
			s.UntilSynced(goldenQuery)
		},
		events: []string{"Synced", "SelectionChanged", "SelectionChanged"},
	},
	{
		name: "deleted-in-the-cloud", region: "ap-jakarta",
		produce: func(s *stage, region string) {
			goldenWeb()(s, region)
			s.cloud.Delete(region, "img-arm00011")
			s.Poll(goldenQuery)
		},
		events: []string{"Synced", "SelectionChanged", "SelectionChanged"}, describe: []string{"img-arm00011"},
	},
}

// goldenWeb creates the query for two builds of both architectures and waits until it is synced.
func goldenWeb(spec ...string) func(s *stage, region string) {
	return func(s *stage, region string) {
		s.build(region, 10, 11)
		s.ask(region, spec...)
		s.UntilSynced(goldenQuery)
	}
}

// blocked deletes all images of amd64 but the newest, and builds another one.
func blocked(s *stage, region string) {
	s.build(region, 7, 8, 9, 10)
	s.ask(region)
	s.UntilSynced(goldenQuery)
	for _, build := range []int{7, 8, 9, 10} {
		s.cloud.Delete(region, imageID("amd", build), imageID("arm", build))
	}
	s.build(region, 11)
	s.Poll(goldenQuery)
}

// testReadings compares what kubectl shows in each situation with a file in testdata/kubectl: a change of words is to be
// read before it is released.
func testReadings(t *testing.T, shared *stage) {
	t.Helper()
	for _, r := range readings {
		t.Run(r.name, func(t *testing.T) {
			s := shared.For(t)
			s.Until("no CloudImages of another situation are left", func(context.Context) error {
				if n := len(s.Images("")); n > 0 {
					return fmt.Errorf("%d are there", n)
				}
				return nil
			})
			s.cloud.Clear(r.region)
			r.produce(s, r.region)
			s.untilEvents(r.events...)
			s.compare(r)
			s.cloud.Heal()
			s.Kubectl("", "delete", "imagequery", goldenQuery)
		})
	}
}

// ask creates the query.
func (s *stage) ask(region string, spec ...string) {
	s.Helper()
	all := append([]string{"region: " + region, "filters: [{name: image-name, values: [golden-web]}]"}, spec...)
	s.ApplyQuery("name: "+goldenQuery, strings.Join(all, ", "))
}

func imageID(architecture string, build int) string {
	return fmt.Sprintf("img-%s%05d", architecture, build)
}

// build adds the images of builds, of both architectures.
func (s *stage) build(region string, builds ...int) {
	for _, build := range builds {
		for id, architecture := range map[string]string{imageID("amd", build): "x86_64", imageID("arm", build): "arm"} {
			created := time.Date(2026, 8, build, 8, 0, 0, 0, time.UTC).Format(time.RFC3339)
			image := cvmtest.PrivateImages(1, 1, cvmtest.DefaultCredential.UIN)[0]
			image.ImageID, image.ImageName, image.Architecture, image.CreatedTime = id, fmt.Sprintf("golden-web-%d", build), architecture, &created
			s.cloud.Put(region, image)
		}
	}
}

// untilEvents waits until the query has events with these reasons, in this order.
func (s *stage) untilEvents(want ...string) {
	s.Helper()
	uid := string(s.Query(goldenQuery).UID)
	s.Until(fmt.Sprintf("there are the events %v", want), func(ctx context.Context) error {
		var events eventsv1.EventList
		if err := s.Client.List(ctx, &events); err != nil {
			return err
		}
		var got []string
		for _, e := range events.Items { // by name, and thus by time
			if string(e.Regarding.UID) == uid {
				got = append(got, e.Reason)
			}
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("there are %v", got)
		}
		return nil
	})
}

// compare compares what kubectl shows now with the file of a situation. -update writes it.
func (s *stage) compare(r reading) {
	s.Helper()
	commands := []string{"get imagequeries", "get cloudimages", "describe imagequery " + goldenQuery}
	for _, id := range r.describe {
		commands = append(commands, "describe cloudimage "+r.region+"-"+id)
	}
	var text strings.Builder
	for _, command := range commands {
		fmt.Fprintf(&text, "$ kubectl %s\n%s\n", command, repeatable(s.Kubectl("", strings.Fields(command)...)))
	}
	file := filepath.Join("testdata", "kubectl", r.name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			s.Fatalf("%v", err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		s.Fatalf("%v", err)
	}
	if diff := cmp.Diff(string(want), text.String()); diff != "" {
		s.Errorf("%s is not what kubectl shows; read it, and run the test with -update if each sentence is right (-file +kubectl):\n%s", file, diff)
	}
}

var (
	// age matches an age in a table.
	age = regexp.MustCompile(`  [0-9]+[smhd][0-9smhd]*\b`)

	// trailing matches spaces at the end of a line.
	trailing = regexp.MustCompile(`(?m) +$`)

	// unlike matches fields with values that differ between runs.
	unlike = regexp.MustCompile(`((?:Resource Version|U[Ii][Dd]): +)[^\n]+`)

	// eventColumns matches the spaces between the columns of events, and times there with their counts.
	eventColumns = regexp.MustCompile(` {2,}(?:[0-9]+[smhd][0-9smhd]*(?: \(x[0-9]+ over [0-9smhd]+\))? {2,})?`)
)

// repeatable replaces what differs between runs of kubectl, and spaces that depend on it.
func repeatable(text string) string {
	text = unlike.ReplaceAllString(text, "$1…")
	text = variable.ReplaceAllStringFunc(text, func(found string) string {
		if strings.Contains(found, "T") {
			return "2026-01-01T00:00:00Z"
		}
		return "token"
	})
	text, events, described := strings.Cut(text, "\nEvents:")
	if described {
		return text + "\nEvents:" + eventColumns.ReplaceAllString(events, "  ")
	}
	text = age.ReplaceAllStringFunc(text, func(found string) string { return "  …" + strings.Repeat(" ", len(found)-3) })
	return trailing.ReplaceAllString(text, "")
}
