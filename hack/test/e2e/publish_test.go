// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// publish labels a ConfigMap. What else there is to publishing is tested in package publish; here it is the roles' turn.
func (s *suite) publish() {
	key := client.ObjectKey{Namespace: consented, Name: "images"}
	labels := map[string]string{imagev1alpha1.LabelSelectionOf: "polled-by-itself-in-" + beside}
	s.Create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: labels}})
	selected, ok := imagev1alpha1.Selected(s.Query("polled-by-itself-in-"+beside), "")
	if !ok {
		s.t.Fatal("nothing is selected")
	}
	s.Until("the ConfigMap has the selection", func(ctx context.Context) error {
		var configMap corev1.ConfigMap
		if err := s.Client.Get(ctx, key, &configMap); err != nil {
			return err
		}
		if configMap.Data[imagev1alpha1.KeyImageIDOf(imagev1alpha1.Architecture(selected.Architecture))] != selected.ImageID {
			return fmt.Errorf("it has %v", configMap.Data)
		}
		return nil
	})
}
