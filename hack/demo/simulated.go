// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// region is the region that the simulator fills.
const region = "ap-guangzhou"

// simulator is a running cvmsim, as described by its ready file.
type simulator struct {
	*cvmtest.Control `json:"-"`

	URL       string `json:"url"`
	STS       string `json:"sts"`
	Address   string `json:"control"`
	SecretID  string `json:"secretID"`
	SecretKey string `json:"secretKey"`
}

// playSimulated shows the samples with the simulated cloud, and the effects of a change.
func playSimulated(c *children, cl *cluster, s settings, say *story) error {
	say.step("Starting cvmsim, a simulated Tencent Cloud, with images in %s", region)
	cloud, err := startSimulator(c, s.cvmsim)
	if err != nil {
		return err
	}
	defer cloud.Close()
	releases := cvmtest.Releases(time.Now(), cvmtest.DefaultCredential.UIN)
	if err := control(func() {
		cloud.Put(region, releases...)
		cloud.Put(region, cvmtest.SharedReleases(time.Now(), cvmtest.PlatformAccount, cvmtest.DefaultCredential.UIN)...)
	}); err != nil {
		return err
	}
	if err := cl.giveCredentials(c.ctx, cloud); err != nil {
		return err
	}
	say.step("Starting the operator (bin/manager)")
	if err := startManager(c, cl, s, "--cvm-endpoint="+cloud.URL, "--sts-endpoint="+cloud.STS); err != nil {
		return err
	}
	queries, err := applySamples(c.ctx, cl, say)
	if err != nil {
		return err
	}
	private, err := cl.privateQuery(queries)
	if err != nil {
		return err
	}
	example, err := cl.tagged(c.ctx, private)
	if err != nil {
		return err
	}
	if err := cl.catalogue(c.ctx, say, queries, example); err != nil {
		return err
	}
	if err := changeCloud(c.ctx, cl, cloud, say, private); err != nil {
		return err
	}
	if err := replaceAndPromote(c.ctx, cl, cloud, say, releases); err != nil {
		return err
	}
	deletion := "deletes its CloudImages, too; config/samples brings them back"
	if !has(s.assets, garbageCollector) {
		deletion = "its CloudImages stay, since there is no garbage collector here"
	}
	return stay(c, cl, s, say,
		"kubectl get cloudimages --watch",
		"kubectl delete imagequery "+private.Name+"    # "+deletion,
		fmt.Sprintf("curl -X DELETE '%s/images?region=%s&id=%s'    # an image leaves the cloud", cloud.Address, region, private.Status.Images[0].ImageID))
}

func objectName(imageID string) string { return region + "-" + imageID }

func startSimulator(c *children, path string) (*simulator, error) {
	file := filepath.Join(c.dir, "cvmsim.json")
	if err := c.start(path, "-regions="+region, "-seed=1", "-private=30", "-shared=5", "-ready-file="+file); err != nil {
		return nil, err
	}
	cloud := &simulator{}
	err := until(c.ctx, "the simulated cloud is ready", func(context.Context) error {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return json.Unmarshal(content, cloud)
	})
	cloud.Control = cvmtest.Dial(cloud.Address)
	return cloud, err
}

// giveCredentials stores the keys in the default credentials Secret.
func (cl *cluster) giveCredentials(ctx context.Context, cloud *simulator) error {
	if err := cl.createNamespace(ctx); err != nil {
		return err
	}
	return cl.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: imagev1alpha1.DefaultCredentialsSecret},
		StringData: map[string]string{"secretId": cloud.SecretID, "secretKey": cloud.SecretKey},
	})
}

// applySamples applies config/samples as a user would, and waits until they are synced.
func applySamples(ctx context.Context, cl *cluster, say *story) ([]imagev1alpha1.ImageQuery, error) {
	const folder = "config/samples"
	example, err := os.ReadFile(folder + "/private_golden_images.yaml")
	if err != nil {
		return nil, err
	}
	say.chapter("What a platform team writes: an ImageQuery, one of the five in " + folder)
	say.text("\n" + string(example))
	if err := cl.show(ctx, say, 0, "apply", "-k", folder); err != nil {
		return nil, err
	}
	say.text("")
	say.step("Waiting until they are synced with the cloud")
	queries, err := cl.untilSynced(ctx)
	if err != nil {
		return nil, err
	}
	say.step("All %d are", len(queries))
	return queries, nil
}
