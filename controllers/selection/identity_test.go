// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"testing"
	"time"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

func TestObservedQueryChangesWithWhatIsAskedOnly(t *testing.T) {
	base := &imagev1alpha1.ImageQuery{}
	base.Spec.Region = "ap-guangzhou"
	for name, tc := range map[string]struct {
		edit                func(*imagev1alpha1.ImageQuerySpec)
		wantSame, wantScope bool
	}{
		"interval":     {func(s *imagev1alpha1.ImageQuerySpec) { s.Interval.Duration = time.Hour }, true, true},
		"suspend":      {func(s *imagev1alpha1.ImageQuerySpec) { s.Suspend = true }, true, true},
		"match":        {func(s *imagev1alpha1.ImageQuerySpec) { s.Match.NameRegex = "x" }, false, true},
		"filters":      {func(s *imagev1alpha1.ImageQuerySpec) { s.Filters = []imagev1alpha1.Filter{{Name: "platform"}} }, false, true},
		"imageIDs":     {func(s *imagev1alpha1.ImageQuerySpec) { s.ImageIDs = []imagev1alpha1.ImageID{"img-1"} }, false, true},
		"instanceType": {func(s *imagev1alpha1.ImageQuerySpec) { s.InstanceType = "S5" }, false, true},
		"region":       {func(s *imagev1alpha1.ImageQuerySpec) { s.Region = "ap-shanghai" }, false, false},
		"credentials": {func(s *imagev1alpha1.ImageQuerySpec) {
			s.CredentialsRef = &imagev1alpha1.CredentialsReference{Name: "acct2"}
		}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			edited := base.DeepCopy()
			tc.edit(&edited.Spec)
			before, after := ObservedQuery(base), ObservedQuery(edited)
			if (before == after) != tc.wantSame || SameScope(before, after) != tc.wantScope {
				t.Errorf("%s became %s", before, after)
			}
		})
	}
}
