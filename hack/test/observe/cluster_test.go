// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

// Like CI after it has applied the samples.
func testSamples(s *stage) {
	s.Kubectl("", "apply", "-k", root+"/config/samples")
	s.Kubectl("", "wait", "--for=condition=Ready", "imagequeries", "--all", "--timeout=60s")
	s.Kubectl("", "wait", "--for=jsonpath={.status.imageCount}", "imagequeries", "--all", "--timeout=60s")
	s.Kubectl("", "delete", "-k", root+"/config/samples")
}

// A CloudImage is complete when it appears, so clients needn't wait for one.
func testCloudImage(s *stage) {
	synced(1)(s, "record", "ap-mumbai")
	s.Kubectl("", "wait", "--for=condition=Selected", "imagequery", "record", "--timeout=60s")
	image := s.object("CloudImage", "ap-mumbai-"+imageIDs("", 1)[0])
	result, err := status.Compute(image)
	if err != nil || result.Status != status.CurrentStatus {
		s.Errorf("kstatus says %v, %v", result, err)
	}
	if got := healthOf(s.T, image.Object); got.Status != "Healthy" {
		s.Errorf("Argo CD says %v", got)
	}
	s.record("present", image)

	s.cloud.Delete("ap-mumbai", imageIDs("", 1)...)
	s.fill("ap-mumbai", 0)
	s.Patch("record", `{"spec":{"minImages":0,"removal":{"maxRemovedPercent":100}}}`)
	s.Poll("record")
	s.record("gone", s.object("CloudImage", image.GetName()))
	s.Kubectl("", "delete", "imagequery", "record")
}

// If tracking labels of Argo CD and Flux reached CloudImages, either would prune the catalogue.
func testLabelsStayWhereTheyAre(s *stage) {
	s.fill("na-toronto", 2)
	s.ApplyQuery(`name: tracked,
		labels: {app.kubernetes.io/instance: app, argocd.argoproj.io/instance: app, kustomize.toolkit.fluxcd.io/name: app,
			kustomize.toolkit.fluxcd.io/namespace: flux-system, helm.toolkit.fluxcd.io/name: app, team: infra},
		annotations: {argocd.argoproj.io/tracking-id: "app:imagecatalog.dev/ImageQuery:/tracked", argocd.argoproj.io/sync-wave: "1",
			kustomize.toolkit.fluxcd.io/prune: enabled}`, "region: na-toronto")
	s.UntilSynced("tracked")
	images := s.Images("tracked")
	if len(images) != 2 {
		s.Errorf("there are %d CloudImages, want 2", len(images))
	}
	for _, image := range images {
		for _, key := range slices.Concat(sorted(image.Labels), sorted(image.Annotations)) {
			if strings.Contains(key, "argoproj") || strings.Contains(key, "fluxcd") || strings.Contains(key, "instance") || key == "team" {
				s.Errorf("%s has %s of its query", image.Name, key)
			}
		}
	}
	s.Kubectl("", "delete", "imagequery", "tracked")
}

// testMetrics checks the metrics of a running manager that has been through every situation.
func testMetrics(s *stage) {
	synced(2)(s, "measured", "eu-moscow")
	s.Apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: measured, namespace: default, labels: {imagecatalog.dev/selection-of: measured}}}")
	var served string
	s.Until("the metrics tell of the query and its ConfigMap", func(ctx context.Context) error {
		var err error
		served, err = s.scrape(ctx)
		for _, series := range []string{"imagequery_selected_image_info{", "imagecatalog_published_configmaps{"} {
			if err == nil && !strings.Contains(served, series) {
				err = fmt.Errorf("there is no %s", series)
			}
		}
		return err
	})

	labels := map[string][]string{}
	series := regexp.MustCompile(`^(\w+)(?:\{(.*)\})? `)
	label := regexp.MustCompile(`(\w+)="`)
	for line := range strings.Lines(served) {
		if found := series.FindStringSubmatch(line); found != nil {
			for _, l := range label.FindAllStringSubmatch(found[2], -1) {
				labels[found[1]] = append(labels[found[1]], l[1])
			}
			labels[found[1]] = append(labels[found[1]], "")
		}
	}
	for _, e := range expressions(s.T) {
		for name, used := range selectors(s.T, e) {
			if len(labels[name]) == 0 {
				s.Errorf("%s asks for %s, which a running manager doesn't serve", e.where, name)
				continue
			}
			for _, l := range used {
				if !slices.Contains(labels[name], l) {
					s.Errorf("%s asks for the label %s of %s, which has none of that name", e.where, l, name)
				}
			}
		}
	}
	promtool(s.T, ours(served), "check", "metrics")
}

// ours returns the operator's own metrics.
func ours(served string) string {
	var out strings.Builder
	for line := range strings.Lines(served) {
		if regexp.MustCompile(`^(# (HELP|TYPE) )?(imagequery|imagecatalog|tencentcloud)_`).MatchString(line) {
			out.WriteString(line)
		}
	}
	return out.String()
}

func (s *stage) scrape(ctx context.Context) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.manager.Metrics+"/metrics", nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return string(content), err
}
