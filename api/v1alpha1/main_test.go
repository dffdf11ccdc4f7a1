// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

const crdFolder = "../../config/crd/bases"

// The API server that every test of this package shares, and kubectl as users run
// it. It starts with the first test that needs it, not before the tests: only what
// they open themselves makes go test run them again once it has changed.
var (
	api = sync.OnceValue(func() *rest.RESTClient {
		client, err := startAPIServer()
		if err != nil {
			fmt.Fprintln(os.Stderr, "starting the API server:", errors.Join(err, stopAPIServer()))
			os.Exit(1)
		}
		return client
	})

	server                      envtest.Environment
	kubectlPath, kubeconfigPath string
)

// crds are the two definitions as they are installed, by kind.
var crds = sync.OnceValue(func() map[string]*apiextensionsv1.CustomResourceDefinition {
	found, err := readCRDs()
	if err != nil {
		panic(err)
	}
	return found
})

func TestMain(m *testing.M) {
	// A failure of rapid's prints the seed that repeats it; nothing is left in the tree.
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		panic(err)
	}
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "These tests need a real API server: run make controlplane, then go test with KUBEBUILDER_ASSETS set to "+
			"the absolute path of bin/controlplane (make test does both).")
		os.Exit(1)
	}
	code := m.Run()
	if err := stopAPIServer(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the API server:", err)
		code = 1
	}
	os.Exit(code)
}

// stopAPIServer stops what was started, which may be nothing.
func stopAPIServer() error {
	if len(server.CRDDirectoryPaths) == 0 {
		return nil
	}
	err := server.Stop()
	if kubeconfigPath != "" {
		err = errors.Join(err, os.RemoveAll(filepath.Dir(kubeconfigPath)))
	}
	return err
}

func startAPIServer() (*rest.RESTClient, error) {
	server.CRDDirectoryPaths, server.ErrorIfCRDPathMissing = []string{crdFolder}, true
	config, err := server.Start()
	if err != nil {
		return nil, err
	}
	admin, err := server.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return nil, err
	}
	kubeconfig, err := admin.KubeConfig()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "api-test-")
	if err != nil {
		return nil, err
	}
	kubectlPath, kubeconfigPath = filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), filepath.Join(folder, "kubeconfig")
	if err := os.WriteFile(kubeconfigPath, kubeconfig, 0o600); err != nil {
		return nil, err
	}
	client, err := newClient(config)
	if err != nil {
		return nil, err
	}
	if err := storeBases(context.Background(), client); err != nil {
		return nil, fmt.Errorf("storing the documents that the tests start from: %w", err)
	}
	return client, nil
}

func newClient(config *rest.Config) (*rest.RESTClient, error) {
	scheme := runtime.NewScheme()
	if err := imagev1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	config = rest.CopyConfig(config)
	config.APIPath, config.GroupVersion = "/apis", &imagev1alpha1.GroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	// Thousands of documents go through; the API server's own limits are enough.
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{}
	return rest.RESTClientFor(config)
}

func readCRDs() (map[string]*apiextensionsv1.CustomResourceDefinition, error) {
	files, err := filepath.Glob(crdFolder + "/*.yaml")
	if err != nil {
		return nil, err
	}
	found := map[string]*apiextensionsv1.CustomResourceDefinition{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(content, crd); err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		found[crd.Spec.Names.Kind] = crd
	}
	return found, nil
}

// schemaOf returns the schema of a kind's only version.
func schemaOf(kind string) *apiextensionsv1.JSONSchemaProps {
	return crds()[kind].Spec.Versions[0].Schema.OpenAPIV3Schema
}

// The documents that the tests start from: every field is there and valid, so that
// a case shows only what it is about.
var bases = map[string]string{
	"ImageQuery": `
apiVersion: imagecatalog.dev/v1alpha1
kind: ImageQuery
metadata: {name: base}
spec:
  region: ap-guangzhou
  filters:
  - {name: image-type, values: [PRIVATE_IMAGE]}
  instanceType: SA5.MEDIUM2
  interval: 10m
  suspend: false
  credentialsRef: {name: acct2}
  minImages: 1
  match:
    nameRegex: '^node-v1\.30'
    states: [NORMAL]
    architectures: [amd64]
    platforms: [TencentOS]
    families: [node-base]
    creators: ["3205597606"]
    excludeImageIDs: [img-bad00001]
  selection:
    pin: [img-9qabwvbn]
    trustedCreators: ["3205597606"]
    orderBy: SemVer
    extract: 'v(\d+\.\d+\.\d+)'
    range: '>=1.30'
    groupBy: [Architecture]
    limit: 1
    skip: 0
    minAge: 72h
  removal:
    gracePeriod: 24h
    maxRemovedPercent: 50
  cloudImages:
    policy: All
    maxImages: 1000
    labels: {team: infra}
    labelTagKeys: [role]
status:
  observedGeneration: 1
  syncedGeneration: 1
  observedQuery: 5be1c6f0
  listedCount: 2
  conditions:
  - {type: Ready, status: "True", reason: Synced, message: "2 images.", observedGeneration: 1, lastTransitionTime: "2026-08-20T08:00:00Z"}
  imageCount: 1
  imagesTruncated: false
  images:
  - {imageID: img-9qabwvbn, name: node-v1.30.4, createdTime: "2026-08-20T08:00:00Z", architecture: amd64, type: PRIVATE_IMAGE, creator: "3205597606", selection: Selected}
  selected:
  - {imageID: img-9qabwvbn, name: node-v1.30.4, createdTime: "2026-08-20T08:00:00Z", architecture: amd64, type: PRIVATE_IMAGE, creator: "3205597606"}
  selectedSummary: node-v1.30.4
  selectedHistory:
  - {images: [{imageID: img-9qabwvbn, name: node-v1.30.4, architecture: amd64}], selectedTime: "2026-08-23T08:00:00Z", replacedTime: "2026-08-24T08:00:00Z", reason: NewImage}
  pendingRemoval:
  - {imageID: img-3la7wgnt, name: node-v1.30.3, reason: Gone}
  removing:
  - {imageID: img-3la7wgnt, reason: Gone, since: "2026-08-20T08:00:00Z", deleteAfter: "2026-08-21T08:00:00Z"}
  revision: 9f2c51a07be4
  lastChangeTime: "2026-08-20T08:00:00Z"
  lastSyncTime: "2026-08-20T08:00:00Z"
  lastHandledReconcileAt: "1"
`,
	"CloudImage": `
apiVersion: imagecatalog.dev/v1alpha1
kind: CloudImage
image:
  id: img-9qabwvbn
  region: ap-guangzhou
  credentials: acct2
  name: node-v1.30.4
  description: The golden image of our nodes.
  type: PRIVATE_IMAGE
  source: CREATE_IMAGE
  creator: "3205597606"
  state: NORMAL
  osName: TencentOS Server 3.1 (TK4)
  platform: TencentOS
  architecture: amd64
  sizeGiB: 50
  cloudInit: true
  licenseType: TencentCloud
  family: node
  deprecated: false
  createdTime: "2026-08-20T08:00:00Z"
  tags:
  - {key: role, value: k8s-node}
  snapshots:
  - {id: snap-gqa37j2p, diskUsage: SYSTEM_DISK, diskSizeGiB: 50}
lifecycle:
  presence: Present
  firstSeenTime: "2026-08-20T08:01:00Z"
  lastChangeTime: "2026-08-20T08:01:00Z"
  deleteAfter: "2026-08-21T08:00:00Z"
  leaving:
  - {query: tke-nodes, since: "2026-08-20T08:00:00Z", deleteAfter: "2026-08-21T08:00:00Z"}
`,
}

// document is an object of one of our kinds, as JSON holds it.
type document map[string]any

func parse(text string) (document, error) {
	doc := document{}
	return doc, yaml.UnmarshalStrict([]byte(text), &doc)
}

// base returns a copy of the document that the tests of a kind start from.
func base(kind string) document {
	doc, err := parse(bases[kind])
	if err != nil {
		panic(fmt.Sprintf("the base document of %s: %v", kind, err))
	}
	return doc
}

func (d document) kind() string { return fmt.Sprint(d["kind"]) }

func (d document) name() string { return fmt.Sprint(d.get("metadata.name")) }

// named gives a CloudImage without a name the one that it must have.
func (d document) named() document {
	image, ok := d["image"].(map[string]any)
	if _, has := d["metadata"]; has || !ok || d.kind() != "CloudImage" {
		return d
	}
	name := fmt.Sprintf("%v-%v", image["region"], image["id"])
	if credentials, ok := image["credentials"]; ok {
		name = fmt.Sprintf("%v.%s", credentials, name)
	}
	d["metadata"] = map[string]any{"name": name}
	return d
}

// absent as a value means that the field is not there.
type absence struct{}

var absent = absence{}

var step = regexp.MustCompile(`([^.\[\]]+)|\[(\d+)\]`)

// set puts a value at a path such as spec.filters[0].name.
func (d document) set(path string, value any) {
	steps := step.FindAllStringSubmatch(path, -1)
	var into any = map[string]any(d)
	for i, s := range steps {
		last := i == len(steps)-1
		switch holder := into.(type) {
		case map[string]any:
			switch {
			case last && value == any(absent):
				delete(holder, s[1])
			case last:
				holder[s[1]] = copied(value)
			default:
				into = holder[s[1]]
			}
		case []any:
			index, err := strconv.Atoi(s[2])
			switch {
			case err != nil || index >= len(holder):
				panic("the base document has nothing at " + path)
			case last:
				holder[index] = copied(value)
			default:
				into = holder[index]
			}
		default:
			panic("the base document has nothing at " + path)
		}
	}
}

// copied returns a value that shares nothing with a table's, which other tests use too.
func copied(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, one := range v {
			out[key] = copied(one)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = copied(one)
		}
		return out
	}
	return value
}

// get returns the value at a path such as spec.filters[0].name; nil if nothing is there.
func (d document) get(path string) any {
	var at any = map[string]any(d)
	for _, s := range step.FindAllStringSubmatch(path, -1) {
		switch holder := at.(type) {
		case map[string]any:
			at = holder[s[1]]
		case []any:
			index, err := strconv.Atoi(s[2])
			if err != nil || index >= len(holder) {
				return nil
			}
			at = holder[index]
		default:
			return nil
		}
	}
	return at
}

// decode reads an answer of the API server into our Go types, leaving out nothing.
func decode(kind string, answer []byte) error {
	_, err := decoded(kind, answer)
	return err
}

func decoded(kind string, answer []byte) (any, error) {
	var into any = &imagev1alpha1.ImageQuery{}
	if kind == "CloudImage" {
		into = &imagev1alpha1.CloudImage{}
	}
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.DisallowUnknownFields()
	return into, decoder.Decode(into)
}

// The three ways a document reaches the API server. All are dry runs: it validates
// and answers as if it had stored.
type verb string

const (
	create       verb = "create"
	update       verb = "update"
	updateStatus verb = "updateStatus"
)

// send has the API server judge a document; the answer is what would be stored.
func send(ctx context.Context, how verb, doc document, params ...string) ([]byte, error) {
	client := api() // stores the documents whose versions are read next
	if how != create {
		doc.set("metadata.resourceVersion", resourceVersions[doc.kind()])
	}
	body, err := json.Marshal(doc.named())
	if err != nil {
		return nil, err
	}
	return sendBytes(ctx, client, how, doc.kind(), body, append(params, "dryRun", "All")...)
}

func sendBytes(ctx context.Context, client *rest.RESTClient, how verb, kind string, body []byte, params ...string) ([]byte, error) {
	request := client.Post()
	if how != create {
		request = client.Put().Name(stored(kind).name())
	}
	request = request.Resource(crds()[kind].Spec.Names.Plural)
	if how == updateStatus {
		request = request.SubResource("status")
	}
	for i := 0; i+1 < len(params); i += 2 {
		request = request.Param(params[i], params[i+1])
	}
	answer, err := request.SetHeader("Content-Type", "application/json").Body(body).Do(ctx).Raw()
	if err != nil {
		// What a user gets to read is the message in the body, not the client's summary of it.
		var status metav1.Status
		if json.Unmarshal(answer, &status) == nil && status.Message != "" {
			err = errors.New(inNewestWords.Replace(longerThan.ReplaceAllString(status.Message, "may not be more than $1 bytes")))
		}
	}
	return answer, err
}

// Kubernetes 1.31 says the same in other words.
var (
	longerThan    = regexp.MustCompile(`may not be longer than (\d+)`)
	inNewestWords = strings.NewReplacer(
		`Invalid value: "null"`, "Invalid value: null",
		"Duplicate value: map[string]interface {}", "Duplicate value: ",
		": a qualified name must consist", ": a valid label key must consist",
	)
)

// stored returns the base document under the name by which it is in the cluster,
// for what needs an object that is there already.
func stored(kind string) document {
	doc := base(kind)
	if kind == "CloudImage" {
		doc.set("image.id", "img-stored")
		return doc.named()
	}
	doc.set("metadata.name", "stored")
	return doc
}

// resourceVersions are those of the stored documents; dry runs never move them.
var resourceVersions = map[string]string{}

func storeBases(ctx context.Context, client *rest.RESTClient) error {
	for kind := range bases {
		verbs := []verb{create}
		if kind == "ImageQuery" {
			verbs = append(verbs, updateStatus)
		}
		for _, how := range verbs {
			doc := stored(kind)
			if how == updateStatus {
				doc.set("metadata.resourceVersion", resourceVersions[kind])
			}
			body, err := json.Marshal(doc)
			if err != nil {
				return err
			}
			answer, err := sendBytes(ctx, client, how, kind, body, "fieldValidation", "Strict")
			if err != nil {
				return err
			}
			var object metav1.PartialObjectMetadata
			if err := json.Unmarshal(answer, &object); err != nil {
				return err
			}
			resourceVersions[kind] = object.ResourceVersion
		}
	}
	return nil
}

// kubectl runs the real kubectl as the cluster's administrator and returns what it
// printed; stdin is what the command reads with -f -.
func kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	api()
	command := exec.CommandContext(ctx, kubectlPath, append([]string{"--kubeconfig", kubeconfigPath}, args...)...)
	command.Stdin = strings.NewReader(stdin)
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	if err := command.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", args[0], err, problems.String())
	}
	return out.String(), nil
}
