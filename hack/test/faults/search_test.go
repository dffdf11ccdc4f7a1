// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/hack/kit"
)

// Reverting an edit leaves no trace: a spec A, then B, then A ends like A.
func TestSearchThereAndBack(t *testing.T) {
	w := synced(t, 0, 8)
	spec := func(more string) string {
		return fmt.Sprintf(`"region":%q,"minImages":0,"removal":{"gracePeriod":"0s","maxRemovedPercent":100}%s`, region, more)
	}
	state := func() (out []string) {
		for _, object := range w.Images("") {
			object.ObjectMeta = metav1.ObjectMeta{Name: object.Name, Labels: object.Labels, Annotations: object.Annotations}
			out = append(out, plain(t, &object))
		}
		slices.Sort(out)
		query := w.Query(golden)
		return append(out, plain(t, query.Status.Images), plain(t, query.Status.Selected), query.Status.Revision)
	}
	settle := func(edit string) {
		w.ApplyQuery("name: "+golden, edit)
		w.UntilQuery(golden, "the edit has taken effect", func(q *imagev1alpha1.ImageQuery) bool {
			suspended := kit.Ready(q).Reason == imagev1alpha1.ReasonSuspended
			return q.Status.ObservedGeneration == q.Generation && (suspended || q.Status.SyncedGeneration == q.Generation)
		})
	}
	settle(spec(""))
	want := state()
	for _, more := range []string{
		`"suspend":true`, `"interval":"2h"`,
		`"selection":{"limit":3}`, `"selection":{"orderBy":"Name","skip":1}`, `"selection":{"groupBy":["Architecture","Platform"]}`,
		`"selection":{"minAge":"8760h"}`, `"selection":{"orderBy":"SemVer","range":">=1.0"}`,
		`"cloudImages":{"policy":"Selected","maxImages":100}`, `"cloudImages":{"policy":"None","maxImages":100}`,
		`"cloudImages":{"labels":{"team":"infra"},"labelTagKeys":["team"]}`,
		`"match":{"states":["CREATING"]}`, `"match":{"nameRegex":"^nothing$"}`, `"match":{"architectures":["arm64"]}`,
		`"match":{"creators":["1"]}`, `"filters":[{"name":"platform","values":["CentOS"]}]`, `"imageIDs":["img-00000000"]`,
		`"region":"` + elsewhere + `"`,
	} {
		t.Run(more, func(t *testing.T) {
			b := spec("," + more)
			if strings.HasPrefix(more, `"region"`) {
				b = strings.Replace(spec(""), region, elsewhere, 1)
			}
			settle(b)
			settle(spec(""))
			if got := state(); !slices.Equal(got, want) {
				t.Errorf("it ends otherwise:\n%s\nand was\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}
