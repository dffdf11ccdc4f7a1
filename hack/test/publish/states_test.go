// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package publish_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// The states of ConfigMaps that can't be filled, or not as one may expect, and what becomes of their data.
func TestStates(t *testing.T) {
	c, cloud := start(t)
	m := c.StartManager(cloud, "--publish-namespaces="+consented, "--metrics-secure=false")
	c.ApplyQuery("name: "+query, "region: "+region)
	c.ApplyQuery("name: several", "region: "+region+", selection: {limit: 2}")
	c.ApplyQuery("name: asleep", "region: "+region+", suspend: true")
	c.ApplyQuery("name: single", "region: "+region+", match: {architectures: [amd64]}")
	c.ApplyQuery("name: old", "region: "+region+", selection: {minAge: 8760h}")
	for name, of := range map[string]string{
		"unknown": "no-such-query", "several": "several", "asleep": "asleep", "single": "single", "old": "old", "images": query,
	} {
		label(c, consented, name, of)
	}
	c.Create(&corev1.ConfigMap{
		ObjectMeta: meta(consented, "immutable", map[string]string{imagev1alpha1.LabelSelectionOf: query}), Immutable: new(true),
	})
	cloud.Put(region, image("img-amd00002", "x86_64", 2))
	c.UntilSynced("several")
	c.Poll("several")
	c.Poll(query)
	c.Poll("single")
	for name, words := range map[string]string{
		"unknown":   `There is no ImageQuery "no-such-query".`,
		"several":   "Left out: image_id_amd64, because the ImageQuery several selects several images of that architecture.",
		"asleep":    "The ImageQuery asleep selects no image, and it is suspended.",
		"old":       "The ImageQuery old selects no image;",
		"immutable": "The ConfigMap is immutable,",
		"images":    imagev1alpha1.PublishCurrent,
	} {
		untilState(c, name, words)
	}
	untilHas(c, "single", "image_id", "img-amd00002")
	if got := read(c, consented, "several").Data; got["image_id_arm64"] != "img-arm00001" || got["image_id_amd64"] != "" {
		t.Errorf("with two images of one architecture: %v", got)
	}
	untilMetrics(c, m, map[string]int{"Current": 2, "Problem": 5})

	// An edit rules out what is selected, and nothing takes its place: the key goes, also while the query is suspended.
	c.Patch("single", `{"spec":{"suspend":true,"match":{"excludeImageIDs":["img-amd00001","img-amd00002"]}}}`)
	until(c, "single", "what an edit rules out is gone", func(configMap *corev1.ConfigMap) bool {
		return len(configMap.Data) == 0 && strings.HasPrefix(stateOf(configMap), "The ImageQuery single selects no image, and it is suspended.")
	})

	// The cloud loses an image for good, and nothing takes its place: the data stays.
	before := untilState(c, "images", imagev1alpha1.PublishCurrent).Data
	c.Patch(query, `{"spec":{"removal":{"maxRemovedPercent":100}}}`)
	cloud.Delete(region, "img-arm00001")
	c.Poll(query)
	c.UntilQuery(query, "nothing of arm64 is selected", func(q *imagev1alpha1.ImageQuery) bool {
		_, found := imagev1alpha1.Selected(q, "arm64")
		return !found
	})
	if got := untilState(c, "images", imagev1alpha1.PublishKept).Data; !maps.Equal(withoutRecord(got), withoutRecord(before)) {
		t.Errorf("after the cloud lost an image: %v, before: %v", got, before)
	}

	// The query goes, and the data stays.
	c.Kubectl("", "delete", "imagequery", query)
	untilState(c, "immutable", `There is no ImageQuery "nodes".`)
	mark := c.Mark()
	c.Kubectl("", "-n", consented, "annotate", "configmap", "images", "example.com/touched=1")
	c.ApplyQuery("name: no-such-query", "region: "+region)
	untilState(c, "unknown", imagev1alpha1.PublishCurrent)
	got := read(c, consented, "images")
	if stateOf(got) != imagev1alpha1.PublishKept || !maps.Equal(withoutRecord(got.Data), withoutRecord(before)) {
		t.Errorf("after the query was deleted: %q, %v", stateOf(got), got.Data)
	}
	for _, r := range updates(c, mark) {
		if r.Name != "unknown" {
			t.Errorf("nothing differs, but: %s", r)
		}
	}
	noneDenied(t, c)
}

// withoutRecord drops all but the ids.
func withoutRecord(data map[string]string) map[string]string {
	data = maps.Clone(data)
	delete(data, imagev1alpha1.KeySelectedJSON)
	delete(data, imagev1alpha1.KeyRevision)
	return data
}

var configMapsByState = regexp.MustCompile(`imagecatalog_published_configmaps\{namespace="team-a",state="(\w+)"\} (\d+)`)

// untilMetrics waits until the metric has so many ConfigMaps of each state.
func untilMetrics(c *cluster.Cluster, m *cluster.Manager, want map[string]int) {
	c.Helper()
	c.Until("the metrics count the ConfigMaps by state", func(ctx context.Context) error {
		text, err := scrape(ctx, m)
		if err != nil {
			return err
		}
		got := map[string]int{}
		for _, series := range configMapsByState.FindAllStringSubmatch(text, -1) {
			var count int
			if _, err := fmt.Sscan(series[2], &count); err != nil {
				return err
			}
			got[series[1]] = count
		}
		if !maps.Equal(got, want) {
			return fmt.Errorf("got %v, want %v", got, want)
		}
		return nil
	})
}

func scrape(ctx context.Context, m *cluster.Manager) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.Metrics+"/metrics", nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(response.Body)
	return string(body), errors.Join(err, response.Body.Close())
}
