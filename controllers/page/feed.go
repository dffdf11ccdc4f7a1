// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
)

// feed is what a query selects, for programs that can't read an ImageQuery; docs/page.md documents it. It has no time of a poll,
// so it and its ETag change only when the selection or a fact in it does.
type feed struct {
	Query    string `json:"query"`
	Region   string `json:"region"`
	Revision string `json:"revision"`

	// Inputs are the selected images in the form that Flux Operator's ExternalService asks for: a list of objects with an id.
	Inputs []feedImage `json:"inputs"`

	// History is what was selected, the present selection first.
	History []feedRecord `json:"history"`
}

type feedImage struct {
	ID           string `json:"id"` // of the input: the image's id
	ImageID      string `json:"imageID"`
	Name         string `json:"name"`
	Architecture string `json:"architecture"`
	Region       string `json:"region"`
	Type         string `json:"type"`
	Creator      string `json:"creator"`
	CreatedTime  string `json:"createdTime,omitempty"`
}

type feedRecord struct {
	SelectedTime string         `json:"selectedTime"`
	Reason       string         `json:"reason"`
	Images       []feedRecorded `json:"images"`
}

type feedRecorded struct {
	ImageID      string `json:"imageID"`
	Name         string `json:"name"`
	Architecture string `json:"architecture"`
}

func feedOf(query *imagev1alpha1.ImageQuery) feed {
	f := feed{
		Query: query.Name, Region: query.Spec.Region, Revision: query.Status.Revision, Inputs: []feedImage{}, History: []feedRecord{},
	}
	for _, image := range query.Status.Selected {
		f.Inputs = append(f.Inputs, feedImage{
			ID: image.ImageID, ImageID: image.ImageID, Name: image.Name, Architecture: image.Architecture, Region: query.Spec.Region,
			Type: image.Type, Creator: image.Creator, CreatedTime: timestamp(image.CreatedTime),
		})
	}
	for _, record := range query.Status.SelectedHistory {
		r := feedRecord{SelectedTime: timestamp(&record.SelectedTime), Reason: string(record.Reason), Images: []feedRecorded{}}
		for _, image := range record.Images {
			r.Images = append(r.Images, feedRecorded(image))
		}
		f.History = append(f.History, r)
	}
	return f
}

func timestamp(t *metav1.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// feedJSON is the feed of a query as it is served and written.
func feedJSON(query *imagev1alpha1.ImageQuery) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(feedOf(query))
	return out.Bytes(), err
}

// serveFeed answers with a query's feed. An ETag that the client has already is answered without a body.
func (s *Server) serveFeed(w http.ResponseWriter, r *http.Request, query *imagev1alpha1.ImageQuery) {
	body, err := feedJSON(query)
	if err != nil {
		http.Error(w, "The feed can't be written.", http.StatusInternalServerError)
		return
	}
	sum := sha256.Sum256(body)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}
