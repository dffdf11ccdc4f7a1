// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Labels of a CloudImage. A value that is not fit for a label is sanitised (other characters become '-', trimmed to
// 63 characters, empty = the label is absent); the raw value is always in .image.
const (
	LabelRegion      = "imagecatalog.dev/region"
	LabelCredentials = "imagecatalog.dev/credentials" // absent for the default credentials
	LabelImageID     = "imagecatalog.dev/image-id"
	LabelType        = "imagecatalog.dev/type"
	LabelPlatform    = "imagecatalog.dev/platform"
	LabelState       = "imagecatalog.dev/state"
	LabelPresence    = "imagecatalog.dev/presence"
	LabelDeprecated  = "imagecatalog.dev/deprecated"
	LabelArch        = "kubernetes.io/arch"
	LabelOS          = "kubernetes.io/os"

	// LabelQueryPrefix and the name of an ImageQuery make the label that marks the query's members.
	LabelQueryPrefix = "query.imagecatalog.dev/"
	// QueryMember and QuerySelected are the values of that label.
	QueryMember   = "member"
	QuerySelected = "selected"

	// LabelTagPrefix and the key of a cloud tag make the label that spec.cloudImages.labelTagKeys asks for.
	LabelTagPrefix = "tag.imagecatalog.dev/"
)

// LabelSelectionOf on a ConfigMap, in a namespace that the cluster's administrator lists in --publish-namespaces, asks the
// operator to keep the selection of the ImageQuery of that name in it.
const LabelSelectionOf = "imagecatalog.dev/selection-of"

// Annotations.
const (
	// AnnotationDisplayName carries .image.name for consumers that list metadata only.
	AnnotationDisplayName = "imagecatalog.dev/display-name"
	// AnnotationRequestedAt on an ImageQuery asks for a poll now: any new value. It is echoed in
	// .status.lastHandledReconcileAt once that poll has ended.
	AnnotationRequestedAt = "imagecatalog.dev/requestedAt"
	// AnnotationApproveRemoval on an ImageQuery approves the removal that the condition RemovalBlocked holds back, if
	// it has the token of that condition's message.
	AnnotationApproveRemoval = "imagecatalog.dev/approve-removal"
	// AnnotationLabelKeys on a CloudImage lists the labels that spec.cloudImages.labels put there, so that they can be
	// taken off again. It is for the operator only.
	AnnotationLabelKeys = "imagecatalog.dev/label-keys"
	// AnnotationPublishState on a ConfigMap with LabelSelectionOf is PublishCurrent, PublishKept, or a sentence with what is
	// wrong.
	AnnotationPublishState = "imagecatalog.dev/publish-state"
)

// DefaultCredentialsSecret is the Secret in the credentials namespace that queries without credentialsRef use.
const DefaultCredentialsSecret = "tencentcloud-credentials"
