// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/inspect"
)

// cluster is a real API server with our kinds. Its users have the roles that are shipped.
type cluster struct {
	client.Client

	// kubeconfigs are the paths of kubeconfig files, by user: viewer and editor.
	kubeconfigs map[string]string
}

// theCluster starts the API server for the first test that needs it; TestMain stops it.
var theCluster = sync.OnceValue(func() *cluster {
	c, err := startCluster()
	if err != nil {
		panic(err)
	}
	return c
})

// environment is that API server, and folder has its kubeconfigs.
var (
	environment envtest.Environment
	folder      string
)

func TestMain(m *testing.M) {
	code := m.Run()
	if environment.Config != nil {
		if err := errors.Join(environment.Stop(), os.RemoveAll(folder)); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the API server:", err)
			code = 1
		}
	}
	os.Exit(code)
}

func startCluster() (*cluster, error) {
	environment.CRDDirectoryPaths, environment.ErrorIfCRDPathMissing = []string{filepath.Join(root, "config/crd/bases")}, true
	config, err := environment.Start()
	if err != nil {
		return nil, err
	}
	if folder, err = os.MkdirTemp("", "command-test-"); err != nil {
		return nil, err
	}
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	if err := rbacv1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	c := &cluster{kubeconfigs: map[string]string{}}
	if c.Client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return nil, err
	}
	for user, roles := range map[string][]string{
		"viewer": {"imagequery_viewer_role", "cloudimage_viewer_role"},
		"editor": {"imagequery_viewer_role", "cloudimage_viewer_role", "imagequery_editor_role"},
	} {
		if err := c.addUser(user, roles); err != nil {
			return nil, err
		}
	}
	return c, c.store()
}

// addUser adds a user with roles of config/rbac.
func (c *cluster) addUser(name string, roles []string) error {
	user, err := environment.AddUser(envtest.User{Name: name}, nil)
	if err != nil {
		return err
	}
	kubeconfig, err := user.KubeConfig()
	if err != nil {
		return err
	}
	c.kubeconfigs[name] = filepath.Join(folder, name)
	if err := os.WriteFile(c.kubeconfigs[name], kubeconfig, 0o600); err != nil {
		return err
	}
	for _, file := range roles {
		content, err := os.ReadFile(filepath.Join(root, "config/rbac", file+".yaml"))
		if err != nil {
			return err
		}
		role := &rbacv1.ClusterRole{}
		if err := yaml.UnmarshalStrict(content, role); err != nil {
			return err
		}
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name + "-" + role.Name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: name}},
		}
		for _, object := range []client.Object{role, binding} {
			if err := c.Create(context.Background(), object); err != nil && !apierrors.IsAlreadyExists(err) {
				return err
			}
		}
	}
	return nil
}

// stored is a query with a status, and CloudImages, as an operator leaves them.
const stored = `
query:
  apiVersion: imagecatalog.dev/v1alpha1
  kind: ImageQuery
  metadata: {name: web}
  spec:
    region: ap-guangzhou
    match: {nameRegex: '^web-'}
    selection: {minAge: 1h}
status:
  observedGeneration: 1
  syncedGeneration: 1
  observedQuery: 7f87d47329c7-afc60cce6be8
  listedCount: 30
  imageCount: 4
  imagesTruncated: false
  revision: 9f2c51a07be4
  lastSyncTime: "2026-11-24T12:00:00Z"
  lastChangeTime: "2026-11-24T12:00:00Z"
  conditions:
  - {type: Ready, status: "True", reason: RemovalBlocked, message: "30 listed, 4 match.", lastTransitionTime: "2026-11-24T12:00:00Z"}
  - {type: Selected, status: "True", reason: Selected, message: "1 image is selected: web-2.", lastTransitionTime: "2026-11-24T12:00:00Z"}
  - {type: RemovalBlocked, status: "True", reason: RemovalBlocked, lastTransitionTime: "2026-11-24T12:00:00Z",
     message: "kubectl annotate imagequery web imagecatalog.dev/approve-removal=a14967c93ed6 --overwrite"}
  images:
  - {imageID: img-web00004, name: web-4, createdTime: "2036-11-24T12:00:00Z", architecture: amd64, type: PRIVATE_IMAGE, selection: TooYoung}
  - {imageID: img-web00002, name: web-2, createdTime: "2026-11-22T12:00:00Z", architecture: amd64, type: PRIVATE_IMAGE, selection: Selected}
  - {imageID: img-web00001, name: web-1, createdTime: "2026-11-21T12:00:00Z", architecture: amd64, type: PRIVATE_IMAGE,
     selection: NotNewest}
  - {imageID: img-web00009, name: web-9, architecture: arm64, type: SHARED_IMAGE, creator: "7", selection: UntrustedCreator}
  selected:
  - {imageID: img-web00002, name: web-2, createdTime: "2026-11-22T12:00:00Z", architecture: amd64, type: PRIVATE_IMAGE}
  selectedSummary: web-2
  selectedHistory:
  - {images: [{imageID: img-web00002, name: web-2}], selectedTime: "2026-11-24T12:00:00Z", reason: NewImage}
  - {images: [{imageID: img-web00001, name: web-1}], selectedTime: "2026-11-21T12:00:00Z", replacedTime: "2026-11-24T12:00:00Z",
     reason: First}
  pendingRemoval:
  - {imageID: img-web00001, name: web-1, reason: Gone}
  removing:
  - {imageID: img-web00000, reason: NotMatched, since: "2026-11-24T12:00:00Z", deleteAfter: "2036-11-25T12:00:00Z"}
images:
- apiVersion: imagecatalog.dev/v1alpha1
  kind: CloudImage
  metadata: {name: ap-guangzhou-img-web00002, labels: {imagecatalog.dev/region: ap-guangzhou, query.imagecatalog.dev/web: selected}}
  image: {id: img-web00002, region: ap-guangzhou, name: web-2, state: NORMAL, cloudInit: false, deprecated: false, sizeGiB: 50}
  lifecycle: {presence: Present, firstSeenTime: "2026-11-24T12:00:00Z", lastChangeTime: "2026-11-24T12:00:00Z"}
- apiVersion: imagecatalog.dev/v1alpha1
  kind: CloudImage
  metadata: {name: ap-guangzhou-img-db000001, labels: {imagecatalog.dev/region: ap-guangzhou}}
  image: {id: img-db000001, region: ap-guangzhou, name: db-1, state: NORMAL, cloudInit: false, deprecated: false, sizeGiB: 50}
  lifecycle: {presence: Present, firstSeenTime: "2026-11-24T12:00:00Z", lastChangeTime: "2026-11-24T12:00:00Z"}
`

// store stores the objects, and a query without a status.
func (c *cluster) store() error {
	var all struct {
		Query  imagev1alpha1.ImageQuery
		Status imagev1alpha1.ImageQueryStatus
		Images []imagev1alpha1.CloudImage
	}
	if err := yaml.Unmarshal([]byte(stored), &all); err != nil {
		return err
	}
	fresh := all.Query.DeepCopy()
	fresh.Name = "new"
	for _, object := range []client.Object{&all.Query, fresh} {
		if err := c.Create(context.Background(), object); err != nil {
			return err
		}
	}
	all.Query.Status = all.Status
	if err := c.Status().Update(context.Background(), &all.Query); err != nil {
		return err
	}
	for i := range all.Images {
		if err := c.Create(context.Background(), &all.Images[i]); err != nil {
			return err
		}
	}
	return nil
}

// as calls the plugin as a user.
func (c *cluster) as(t *testing.T, user, arguments string) executed {
	t.Helper()
	return call(t, "kubectl-imgq", arguments+" --kubeconfig "+c.kubeconfigs[user])
}

// A viewer may neither write nor read Secrets, and whatever only reads works for one.
func TestAViewerMayAskEverything(t *testing.T) {
	c := theCluster()
	status := c.as(t, "viewer", "status web")
	for _, want := range []string{
		"web: ap-guangzhou, default credentials, 4 images of 30 listed", "Ready: True RemovalBlocked for ", "the next is overdue by",
		"amd64  img-web00002  web-2", "Present NORMAL", "img-web00004 in ", "RemovalBlocked: these would leave",
		"kubectl annotate imagequery web imagecatalog.dev/approve-removal=a14967c93ed6 --overwrite", "img-web00000  NotMatched",
		`kubectl patch imagequery web --type merge -p '{"spec":{"selection":{"pin":["img-web00001"]}}}'`,
	} {
		if status.code != 0 || !strings.Contains(status.out, want) {
			t.Errorf("%q is missing in\n%s%s", want, status.out, status.errOut)
		}
	}
	var asJSON inspect.Status
	if out := c.as(t, "viewer", "status web -o json"); json.Unmarshal([]byte(out.out), &asJSON) != nil || len(asJSON.Selected) != 1 ||
		asJSON.Selected[0].Exists != "Present" || asJSON.Selected[0].ImageID != "img-web00002" || len(asJSON.Waiting) != 1 {
		t.Errorf("%+v\n%s", asJSON, out.out)
	}
	c.as(t, "viewer", "status new").expect(t, 0, "Nothing is selected", "")
	c.as(t, "viewer", "status nobody").expect(t, 1, "", "kubectl imgq status: there is no ImageQuery nobody")
	c.as(t, "viewer", "id web").expect(t, 0, "img-web00002\n", "")
	c.as(t, "viewer", "id web --arch amd64").expect(t, 0, "img-web00002\n", "")
	c.as(t, "viewer", "id web --arch arm64").expect(t, 4, "", "web selects no image for arm64; kubectl imgq status web shows why")
	var names bytes.Buffer
	execute(t.Context(), "kubectl-imgq", []string{"__complete", "status", "--kubeconfig", c.kubeconfigs["viewer"], ""}, &names, io.Discard)
	if names.String() != "new\nweb\n:4\n" {
		t.Errorf("names are completed with %q", names.String())
	}
	listing := file(t, "listing.json", answerOf(t, "img-web00005 web-5 100 x86_64"))
	filters := "  filters:\n  - {name: \"tag:role\", values: [web]}\n"
	query := file(t, "web.yaml", strings.Replace(web, filters, "", 1))
	c.as(t, "viewer", "preview --live --at "+at+" -f "+query+" --listing "+listing).
		expect(t, 3, "Would select instead: amd64 img-web00005 web-5", "")
	c.as(t, "viewer", "preview --live -f "+query+" --listing "+listing+" --as nobody").expect(t, 1, "", "cannot impersonate")
}

func TestWhyIsASentence(t *testing.T) {
	c := theCluster()
	for id, want := range map[string]string{
		"img-web00002": "img-web00002 web-2: member (4 of 30), selected: the first of its group by CreatedTime\n",
		"img-web00001": "img-web00001 web-1: member (4 of 30), not selected: NotNewest; 1 newer amd64, the newest img-web00002\n",
		"img-web00004": "img-web00004 web-4: member (4 of 30), not selected: TooYoung; " +
			"old enough for selection.minAge from 2036-11-24T13:00:00Z\n",
		"img-web00009": "img-web00009 web-9: member (4 of 30), not selected: UntrustedCreator; account 7 shares it, and neither " +
			"selection.trustedCreators nor match.creators names that account, nor imageIDs the image\n",
		"img-web00000": "img-web00000: no longer a member: NotMatched since 2026-11-24T12:00:00Z; " +
			"its CloudImage is deleted after 2036-11-25T12:00:00Z\n",
		"img-db000001": "img-db000001 db-1: no member: match.nameRegex excludes it\n",
		"img-nobody00": "img-nobody00: no member: neither status nor a CloudImage knows it; " +
			"the cloud doesn't show it to these credentials, or a filter leaves it out\n",
	} {
		if got := c.as(t, "viewer", "why web "+id); got.out != want || got.code != 0 {
			t.Errorf("exit code %d\n%swant\n%s%s", got.code, got.out, want, got.errOut)
		}
	}
	c.as(t, "viewer", "why web img-web00002 img-web00001 -o json").expect(t, 0, `"verdict": "NotNewest"`, "")
	c.as(t, "viewer", "why new img-web00002").expect(t, 0, "not known yet: the present spec wasn't synced", "")
}

func TestOnlyTheRemovalThatWaitsIsApproved(t *testing.T) {
	c := theCluster()
	approval := func() string {
		query := &imagev1alpha1.ImageQuery{}
		if err := c.Get(t.Context(), client.ObjectKey{Name: "web"}, query); err != nil {
			t.Fatal(err)
		}
		return query.Annotations[imagev1alpha1.AnnotationApproveRemoval]
	}
	c.as(t, "editor", "approve web 000000000000").expect(t, 1, "", "approve it with the token a14967c93ed6 if it is right")
	c.as(t, "editor", "approve new a14967c93ed6").expect(t, 1, "", "no removal of new waits for approval")
	c.as(t, "viewer", "approve web a14967c93ed6").expect(t, 1, "", "cannot patch")
	if got := approval(); got != "" {
		t.Errorf("approved with %q", got)
	}
	c.as(t, "editor", "approve web a14967c93ed6").expect(t, 0, "what is still missing then leaves: 1 at most", "")
	if got := approval(); got != "a14967c93ed6" {
		t.Errorf("approved with %q", got)
	}
}
