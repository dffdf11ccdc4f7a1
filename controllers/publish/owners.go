// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"encoding/json"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// foreignKeys returns the keys of the data that a manifest has, which another client applies again and again, and that
// client's name. To write them would start a fight without end: a Kustomization that watches the ConfigMap applies it at
// each change.
func foreignKeys(configMap *corev1.ConfigMap) map[string]string {
	foreign := map[string]string{}
	for _, entry := range configMap.ManagedFields {
		if entry.Operation != metav1.ManagedFieldsOperationApply || entry.FieldsV1 == nil {
			continue
		}
		var fields struct {
			Data map[string]json.RawMessage `json:"f:data"`
		}
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
			continue
		}
		for field := range fields.Data {
			if key, ok := strings.CutPrefix(field, "f:"); ok {
				foreign[key] = entry.Manager
			}
		}
	}
	var applied corev1.ConfigMap
	if json.Unmarshal([]byte(configMap.Annotations[corev1.LastAppliedConfigAnnotation]), &applied) == nil {
		for key := range applied.Data {
			foreign[key] = "kubectl apply"
		}
	}
	return foreign
}
