// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admission judges objects of our kinds as the API server does when it creates them, without one: by the definitions that
// are installed, and with the API server's own libraries. What it refuses has the API server's words.
package admission

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/operation"
	metavalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/config/crd"
)

// Kind judges the objects of one kind.
type Kind struct {
	kind       string
	structural *schema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

// The kinds are prepared once: compiling the rules takes longer than judging an object.
var (
	ImageQuery = sync.OnceValue(func() *Kind { return prepare(crd.ImageQuery) })
	CloudImage = sync.OnceValue(func() *Kind { return prepare(crd.CloudImage) })
)

// prepare compiles a definition that is part of the binary, and panics if that can't be.
func prepare(definition []byte) *Kind {
	k, err := newKind(definition)
	if err != nil {
		panic(fmt.Sprintf("a definition in config/crd is no CustomResourceDefinition: %v", err))
	}
	return k
}

func newKind(definition []byte) (*Kind, error) {
	external, internal := &apiextensionsv1.CustomResourceDefinition{}, &apiextensions.CustomResourceDefinition{}
	if err := yaml.Unmarshal(definition, external); err != nil {
		return nil, err
	}
	err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(external, internal, nil)
	if err != nil {
		return nil, err
	}
	openAPI := internal.Spec.Validation.OpenAPIV3Schema
	structural, err := schema.NewStructural(openAPI)
	if err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(openAPI)
	if err != nil {
		return nil, err
	}
	return &Kind{
		kind: internal.Spec.Names.Kind, structural: structural, schema: validator,
		rules: cel.NewValidator(structural, true, celconfig.PerCallLimit),
	}, nil
}

// Create gives an object its defaults, or returns the error of an API server that is asked to create it with strict validation of
// fields, as kubectl asks. It changes the object.
func (k *Kind) Create(ctx context.Context, object map[string]any) error {
	if err := k.decode(object); err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: %v",
			k.kind, imagev1alpha1.GroupVersion.Version, k.kind, err))
	}
	delete(object, "status") // as of a kind with the subresource
	if faults := k.Validate(ctx, object); len(faults) > 0 {
		named := unstructured.Unstructured{Object: object}
		return apierrors.NewInvalid(runtimeschema.GroupKind{Group: imagev1alpha1.Group, Kind: k.kind}, named.GetName(), faults)
	}
	return nil
}

// decode refuses fields that the schema doesn't know, and sets defaults.
func (k *Kind) decode(object map[string]any) error {
	meta, found, unknown, err := objectmeta.GetObjectMetaWithOptions(object, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		return err
	}
	track := schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	unknown = append(unknown, pruning.PruneWithOptions(object, k.structural, true, track)...)
	defaulting.PruneNonNullableNullsWithoutDefaults(object, k.structural)
	if len(unknown) > 0 {
		return runtime.NewStrictDecodingError(unknownFields(unknown))
	}
	object["apiVersion"], object["kind"] = imagev1alpha1.GroupVersion.String(), k.kind
	if found {
		if err := objectmeta.SetObjectMeta(object, meta); err != nil {
			return err
		}
	}
	defaulting.Default(object, k.structural)
	return nil
}

func unknownFields(paths []string) []error {
	out := make([]error, len(paths))
	for i, path := range paths {
		out[i] = fmt.Errorf("unknown field %q", path)
	}
	return out
}

// validateMeta judges the metadata.
func validateMeta(ctx context.Context, object map[string]any) field.ErrorList {
	meta, _, err := objectmeta.GetObjectMeta(object, false)
	if err != nil {
		return field.ErrorList{field.Invalid(field.NewPath("metadata"), object["metadata"], err.Error())}
	}
	if meta == nil {
		meta = &metav1.ObjectMeta{}
	}
	const betaRules = true // as the API server has it by default
	return metavalidation.ValidateObjectMetaDeclaratively(ctx, operation.Create, meta, nil, false, metavalidation.NameIsDNSSubdomain,
		field.NewPath("metadata"), betaRules)
}

// Validate returns what the schema and its rules find wrong with an object.
func (k *Kind) Validate(ctx context.Context, object map[string]any) field.ErrorList {
	faults := validateMeta(ctx, object)
	faults = append(faults, validation.ValidateCustomResource(nil, object, k.schema)...)
	faults = append(faults, listtype.ValidateListSetsAndMaps(nil, k.structural, object)...)
	if slices.ContainsFunc(faults, blocksRules) {
		return append(inOrder(faults), field.Invalid(nil, nil,
			"some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"))
	}
	broken, _ := k.rules.Validate(ctx, nil, k.structural, object, nil, celconfig.RuntimeCELCostBudget)
	return inOrder(append(faults, broken...))
}

// inOrder sorts faults by field: the libraries go through maps.
func inOrder(faults field.ErrorList) field.ErrorList {
	slices.SortStableFunc(faults, func(a, b *field.Error) int { return cmp.Compare(a.Field, b.Field) })
	return faults
}

// blocksRules reports whether a fault keeps the API server from evaluating CEL rules.
func blocksRules(fault *field.Error) bool {
	return slices.Contains([]field.ErrorType{
		field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid,
	}, fault.Type)
}
