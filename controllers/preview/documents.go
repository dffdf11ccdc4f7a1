// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/preview/admission"
)

// Document is an ImageQuery of a file.
type Document struct {
	// File is where it is from.
	File string

	// Query has the defaults that the API server sets.
	Query *imagev1alpha1.ImageQuery

	// Refusal is why the API server would refuse it. Query has only a name then, if the document has one.
	Refusal error
}

// ReadQueries returns the ImageQueries in files, each judged as the API server judges it, and how many documents are of other kinds.
// The file - is stdin.
func ReadQueries(ctx context.Context, files []string, stdin io.Reader) (queries []Document, others int, err error) {
	for _, file := range files {
		objects, err := readObjects(file, stdin)
		if err != nil {
			return nil, 0, err
		}
		for _, object := range objects {
			if object.refusal == nil && !isQuery(object.content) {
				others++
				continue
			}
			queries = append(queries, admit(ctx, file, object))
		}
	}
	if len(queries) == 0 {
		return nil, others, errors.New("the files have no ImageQuery; name a file that has one with -f")
	}
	return queries, others, nil
}

// admit judges one document.
func admit(ctx context.Context, file string, object object) Document {
	d := Document{File: file, Query: &imagev1alpha1.ImageQuery{}, Refusal: object.refusal}
	if d.Refusal != nil {
		return d
	}
	d.Query.Name = nameOf(object.content)
	version := object.content["apiVersion"]
	if version != imagev1alpha1.GroupVersion.String() {
		d.Refusal = fmt.Errorf("there is no ImageQuery in version %q; write apiVersion: %s", version, imagev1alpha1.GroupVersion)
		return d
	}
	if d.Refusal = admission.ImageQuery().Create(ctx, object.content); d.Refusal != nil {
		return d
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.content, d.Query); err != nil {
		d.Refusal = err
	}
	// As a query that is created has them.
	d.Query.Generation, d.Query.Status.ObservedGeneration = 1, -1
	return d
}

// ReadPresent returns the ImageQueries of a file as the cluster has them, with their status, by name. The file is what
// `kubectl get imagequeries -o yaml` prints.
func ReadPresent(file string, stdin io.Reader) (map[string]*imagev1alpha1.ImageQuery, error) {
	objects, err := readObjects(file, stdin)
	if err != nil {
		return nil, err
	}
	present := map[string]*imagev1alpha1.ImageQuery{}
	for _, object := range objects {
		if object.refusal != nil {
			return nil, fmt.Errorf("%s: %w", file, object.refusal)
		}
		if !isQuery(object.content) {
			continue
		}
		query := &imagev1alpha1.ImageQuery{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.content, query); err != nil {
			return nil, fmt.Errorf("%s: the ImageQuery %s can't be read: %w", file, nameOf(object.content), err)
		}
		present[query.Name] = query
	}
	if len(present) == 0 {
		return nil, fmt.Errorf("%s has no ImageQuery; write it with kubectl get imagequeries -o yaml", file)
	}
	return present, nil
}

func isQuery(content map[string]any) bool {
	version, _ := content["apiVersion"].(string)
	group, _, _ := strings.Cut(version, "/")
	return group == imagev1alpha1.Group && content["kind"] == "ImageQuery"
}

func nameOf(content map[string]any) string {
	meta, _ := content["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	return name
}

// object is one document of a file. One that is no YAML, or has a key twice, is refused.
type object struct {
	content map[string]any
	refusal error
}

// readObjects returns the documents of a file, and the items of those that are lists.
func readObjects(file string, stdin io.Reader) ([]object, error) {
	content, err := readFile(file, stdin)
	if err != nil {
		return nil, err
	}
	var objects []object
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		one := parse(document)
		if items, is := one.content["items"].([]any); is && one.content["kind"] != "ImageQuery" {
			for _, item := range items {
				if content, is := item.(map[string]any); is {
					objects = append(objects, object{content: content})
				}
			}
			continue
		}
		if one.content != nil || one.refusal != nil {
			objects = append(objects, one)
		}
	}
}

func readFile(file string, stdin io.Reader) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(file)
}

func parse(document []byte) object {
	asJSON, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return object{refusal: err}
	}
	var content any
	if err := utiljson.Unmarshal(asJSON, &content); err != nil {
		return object{refusal: err}
	}
	switch content := content.(type) {
	case map[string]any:
		return object{content: content}
	case nil:
		return object{} // nothing between two separators
	}
	return object{refusal: errors.New("the document is no object: it has no apiVersion and no kind")}
}
