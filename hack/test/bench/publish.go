// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/cluster"
)

// publishing are n ConfigMaps, ten in each namespace, that all get one query's selection: from the status that has another image until
// the last ConfigMap has it, and a poll that finds nothing new. Updates are counted by the API server.
func publishing(b *bench, n int) *result {
	r := &result{N: n}
	namespaces := b.consumers(n)
	b.fill(10)
	m := b.manager(append([]string{"--publish-namespaces=" + strings.Join(namespaces, ",")}, unlimited...)...)
	b.create(query("all"))
	b.wait("all ConfigMaps are filled", func(context.Context) bool { return b.current(m) == n })
	for round := range b.rounds {
		id := fmt.Sprintf("img-newest%02d", round)
		newest := cvmtest.PrivateImages(1, 1, cvmtest.DefaultCredential.UIN)[0]
		newest.ImageID, newest.ImageState, newest.Architecture = id, "NORMAL", "x86_64"
		newest.CreatedTime = new(time.Now().UTC().Format(time.RFC3339))
		b.cloud.Put(region, newest)
		before := b.configMapUpdates()
		var took time.Duration
		u := b.during(b.servers().with("client", m.Pid()), func() { took = b.untilFollowed(n, id, round) })
		b.idle(m)
		changed := b.configMapUpdates()
		b.request("all", fmt.Sprint("unchanged ", round))
		b.idle(m)
		r.add("s from the status to the last ConfigMap", took.Seconds())
		r.add("cpu-s/1000 ours client", u.cpu["client"]*1000/float64(n))
		r.add("count updates", changed-before)
		r.add("count updates of an unchanged poll", b.configMapUpdates()-changed)
	}
	return r
}

// consumers creates labelled ConfigMaps, and returns their namespaces.
func (b *bench) consumers(n int) []string {
	var namespaces []string
	for i := range n {
		if i%10 == 0 {
			namespaces = append(namespaces, fmt.Sprintf("consumer-%03d", i/10))
			b.Consent(namespaces[i/10])
		}
		b.Create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Namespace: namespaces[i/10], Name: fmt.Sprintf("images-%d", i%10), Labels: map[string]string{imagev1alpha1.LabelSelectionOf: "all"},
		}})
	}
	return namespaces
}

// current returns how many ConfigMaps have what the query selects.
func (b *bench) current(m *cluster.Manager) int {
	return int(b.scrape(m.Metrics).sum("imagecatalog_published_configmaps", "state", imagev1alpha1.PublishCurrent))
}

// untilFollowed asks for a poll, and returns the time from the query's selection of an image to the last of n ConfigMaps that has it. It
// watches both.
func (b *bench) untilFollowed(n int, id string, round int) time.Duration {
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	configMaps, err := b.admin.Watch(ctx, &corev1.ConfigMapList{}, client.HasLabels{imagev1alpha1.LabelSelectionOf})
	if err != nil {
		b.Fatalf("watching ConfigMaps: %v", err)
	}
	defer configMaps.Stop()
	last := make(chan time.Time, 1)
	go func() {
		left := n
		for event := range configMaps.ResultChan() {
			configMap, ok := event.Object.(*corev1.ConfigMap)
			if ok && event.Type == watch.Modified && configMap.Data[imagev1alpha1.KeyImageIDOf("amd64")] == id {
				left--
			}
			if left == 0 {
				last <- time.Now()
				return
			}
		}
	}()
	var selected time.Time
	b.until(func() {
		q := &imagev1alpha1.ImageQuery{ObjectMeta: metav1.ObjectMeta{Name: "all"}}
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"changed %d"}}}`, imagev1alpha1.AnnotationRequestedAt, round)
		if err := b.admin.Patch(ctx, q, rawMerge(patch)); err != nil {
			b.Fatalf("asking for a poll: %v", err)
		}
	}, func(now *imagev1alpha1.ImageQuery) bool {
		image, ok := imagev1alpha1.Selected(now, "amd64")
		selected = time.Now()
		return ok && image.ImageID == id
	})
	select {
	case end := <-last:
		return end.Sub(selected)
	case <-ctx.Done():
		b.Fatalf("not every ConfigMap has followed")
		return 0
	}
}

// configMapUpdates is how many updates of ConfigMaps the API server has answered with 200.
func (b *bench) configMapUpdates() float64 {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(b.Kubectl("", "get", "--raw", "/metrics")))
	if err != nil {
		b.Fatalf("reading the API server's metrics: %v", err)
	}
	return metrics(families).sum("apiserver_request_total", "resource", "configmaps", "verb", "PUT", "code", "200")
}
