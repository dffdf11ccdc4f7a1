// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// register adds collectors to controller-runtime's registry, which /metrics serves.
func register(collectors ...prometheus.Collector) error {
	for _, c := range collectors {
		if err := metrics.Registry.Register(c); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

// coalescedTotal exports the count of package catalog, which must not import Prometheus.
func coalescedTotal(shared *catalog.Shared) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "tencentcloud_api_coalesced_total",
		Help: "Listings that were answered by an identical one of another query, under way or less than 10 seconds old.",
	}, func() float64 { return float64(shared.Coalesced()) })
}
