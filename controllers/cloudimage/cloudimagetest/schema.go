// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cloudimagetest validates CloudImages against their schema.
package cloudimagetest

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// validators validate an object against the schema and its CEL rules.
type validators struct {
	structural *schema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

// crd are the validators of config/crd. They are compiled once, like in the API server, because compiling takes
// milliseconds.
var crd = sync.OnceValues(func() (*validators, error) {
	_, here, _, _ := runtime.Caller(0)
	content, err := os.ReadFile(filepath.Join(filepath.Dir(here), "../../../config/crd/bases/imagecatalog.dev_cloudimages.yaml"))
	if err != nil {
		return nil, err
	}
	external, internal := &apiextensionsv1.CustomResourceDefinition{}, &apiextensions.CustomResourceDefinition{}
	if err := yaml.Unmarshal(content, external); err != nil {
		return nil, err
	}
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(external, internal,
		nil); err != nil {
		return nil, err
	}
	structural, err := schema.NewStructural(internal.Spec.Validation.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	return &validators{
		structural: structural,
		schema:     validation.NewSchemaValidatorFromOpenAPI(structural.ToKubeOpenAPI()),
		rules:      cel.NewValidator(structural, true, celconfig.PerCallLimit),
	}, nil
})

// Validate returns the errors for which the API server would reject an object, by its schema and CEL rules.
func Validate(image *imagev1alpha1.CloudImage) error {
	v, err := crd()
	if err != nil {
		return err
	}
	image = image.DeepCopy()
	image.APIVersion, image.Kind = imagev1alpha1.GroupVersion.String(), "CloudImage"
	object, err := apiruntime.DefaultUnstructuredConverter.ToUnstructured(image)
	if err != nil {
		return err
	}
	faults := validation.ValidateCustomResource(nil, object, v.schema)
	broken, _ := v.rules.Validate(context.Background(), nil, v.structural, object, nil, celconfig.RuntimeCELCostBudget)
	return append(faults, broken...).ToAggregate()
}
