// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm"
)

// recordingKind is the kind of a file that holds a Recording.
const recordingKind = "Recording"

// Recording is what the cloud answered, as `record` writes it.
type Recording struct {
	Kind         string    `json:"kind"`
	RecordedTime time.Time `json:"recordedTime,omitzero"`
	Answers      []Answer  `json:"answers"`
}

// Answer is a complete listing, and what was asked for it.
type Answer struct {
	Request        Request         `json:"request"`
	Images         []catalog.Image `json:"images"`
	Skipped        int             `json:"skipped,omitempty"`
	Inconsistent   bool            `json:"inconsistent,omitempty"`
	TagKeyNotFound bool            `json:"tagKeyNotFound,omitempty"`
}

// Request is what the cloud is asked. Credentials is the query's credentialsRef; empty for the default credentials.
type Request struct {
	Region       string   `json:"region"`
	Credentials  string   `json:"credentials,omitempty"`
	Filters      []Filter `json:"filters,omitempty"`
	ImageIDs     []string `json:"imageIDs,omitempty"`
	InstanceType string   `json:"instanceType,omitempty"`
}

// Filter is a filter of the API.
type Filter struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

func requestOf(credentials string, query catalog.Query) Request {
	r := Request{Region: query.Region, Credentials: credentials, ImageIDs: query.ImageIDs, InstanceType: query.InstanceType}
	for _, f := range query.Filters {
		r.Filters = append(r.Filters, Filter(f))
	}
	return r
}

// key is equal for requests that have the same answer.
func (r Request) key() string {
	encoded, _ := json.Marshal(r) // it has only strings
	return string(encoded)
}

// byID reports whether images are asked for by id alone.
func (r Request) byID() bool { return len(r.ImageIDs) > 0 && r.InstanceType == "" }

func (a Answer) listing() catalog.Listing {
	return catalog.Listing{Images: a.Images, Skipped: a.Skipped, Inconsistent: a.Inconsistent, TagKeyNotFound: a.TagKeyNotFound}
}

// Recorder lists by another lister and keeps the answers.
type Recorder struct {
	lister catalog.Lister

	mu      sync.Mutex
	answers []Answer
}

// NewRecorder returns a Recorder.
func NewRecorder(lister catalog.Lister) *Recorder { return &Recorder{lister: lister} }

// Recording returns what was recorded until now.
func (r *Recorder) Recording(now time.Time) Recording {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Recording{Kind: recordingKind, RecordedTime: now.UTC().Truncate(time.Second), Answers: slices.Clone(r.answers)}
}

// For returns the lister for queries with a credentialsRef.
func (r *Recorder) For(credentials string) catalog.Lister { return recorderFor{r, credentials} }

type recorderFor struct {
	*Recorder
	credentials string
}

// List implements catalog.Lister.
func (r recorderFor) List(ctx context.Context, account catalog.Account, query catalog.Query) (catalog.Listing, error) {
	listing, err := r.lister.List(ctx, account, query)
	refused := (*catalog.Error)(nil)
	switch {
	case errors.As(err, &refused) && refused.UnknownImageID && len(query.ImageIDs) == 1:
		// The id belongs to no image, which is an answer, too.
	case err != nil:
		return listing, err
	}
	images := slices.SortedFunc(slices.Values(listing.Images), func(a, b catalog.Image) int { return strings.Compare(a.ID, b.ID) })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers = append(r.answers, Answer{
		Request: requestOf(r.credentials, query), Images: images, Skipped: listing.Skipped,
		Inconsistent: listing.Inconsistent, TagKeyNotFound: listing.TagKeyNotFound,
	})
	return listing, err
}

// Player lists from files.
type Player struct {
	answers []Answer

	// saved is the listing in answers of the API, which don't tell what was asked.
	saved *catalog.Listing
}

// ReadListings reads files that `record` wrote, or that hold answers of the API, one or more pages in each. The file - is stdin.
func ReadListings(files []string, stdin io.Reader) (*Player, error) {
	p := &Player{}
	var pages []json.RawMessage
	for _, file := range files {
		content, err := readFile(file, stdin)
		if err != nil {
			return nil, err
		}
		found, err := p.read(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		pages = append(pages, found...)
	}
	if len(pages) == 0 {
		return p, nil
	}
	listing, err := cvm.ReadAnswers(pages)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(files, ", "), err)
	}
	p.saved = &listing
	return p, nil
}

// read adds what a file recorded, and returns the answers of the API that it holds instead.
func (p *Player) read(content []byte) (pages []json.RawMessage, err error) {
	values := json.NewDecoder(bytes.NewReader(content))
	for {
		var value json.RawMessage
		if err := values.Decode(&value); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("no JSON: %w", err)
		}
		var list []json.RawMessage
		if json.Unmarshal(value, &list) == nil {
			pages = append(pages, list...)
			continue
		}
		var r Recording
		if json.Unmarshal(value, &struct{ Kind *string }{&r.Kind}) != nil || r.Kind != recordingKind {
			pages = append(pages, value)
			continue
		}
		if err := json.Unmarshal(value, &r); err != nil {
			return nil, fmt.Errorf("no recording: %w", err)
		}
		p.answers = append(p.answers, r.Answers...)
	}
	if len(pages) == 0 && len(p.answers) == 0 {
		return nil, errors.New("the file holds no listing: write one with the command record, or save an answer of DescribeImages")
	}
	return pages, nil
}

// For returns the lister for one query with a credentialsRef.
func (p *Player) For(credentials string) *Playback {
	return &Playback{player: p, credentials: credentials, Assumed: map[string]bool{}}
}

// Playback answers the requests of one query, as the operator's poll sends them: first the query's own, then fresh ones, by id or
// the query's own again.
type Playback struct {
	player      *Player
	credentials string

	// request is the query's own, and first its answer.
	request string
	first   catalog.Listing

	// Assumed are ids that the cloud wasn't asked for: they count as gone because the listing lacks them.
	Assumed map[string]bool
}

// List implements catalog.Lister.
func (p *Playback) List(_ context.Context, _ catalog.Account, query catalog.Query) (catalog.Listing, error) {
	request := requestOf(p.credentials, query)
	answers := p.player.to(request)
	switch {
	case query.Fresh && request.key() != p.request:
		return p.byID(request), nil
	case query.Fresh && len(answers) > 0:
		return answers[len(answers)-1], nil
	case query.Fresh:
		return p.first, nil
	case len(answers) > 0:
		p.first = answers[0]
	case request.byID() && p.player.askedForAll(request):
		p.first = p.byID(request)
	default:
		return catalog.Listing{}, p.player.notRecorded(request)
	}
	p.request = request.key()
	return p.first, nil
}

// to returns the answers to a query's request, in the order in which they were recorded.
func (p *Player) to(request Request) []catalog.Listing {
	if p.saved != nil {
		return []catalog.Listing{*p.saved}
	}
	var found []catalog.Listing
	for _, answer := range p.answers {
		if answer.Request.key() == request.key() {
			found = append(found, answer.listing())
		}
	}
	return found
}

// askedByID returns what requests by id found, and which ids they were for.
func (p *Player) askedByID(request Request) (found map[string]catalog.Image, asked map[string]bool) {
	found, asked = map[string]catalog.Image{}, map[string]bool{}
	for _, answer := range p.answers {
		if r := answer.Request; !r.byID() || r.Region != request.Region || r.Credentials != request.Credentials {
			continue
		}
		for _, id := range answer.Request.ImageIDs {
			asked[id] = true
		}
		for _, image := range answer.Images {
			found[image.ID] = image
		}
	}
	return found, asked
}

// askedForAll reports whether each id of a request was asked for, if only alone, since the cloud refused them together.
func (p *Player) askedForAll(request Request) bool {
	_, asked := p.askedByID(request)
	return !slices.ContainsFunc(request.ImageIDs, func(id string) bool { return !asked[id] })
}

// byID answers for each id by what was recorded of it, or else by whether the listing has it.
func (p *Playback) byID(request Request) catalog.Listing {
	found, asked := p.player.askedByID(request)
	for _, image := range p.first.Images {
		if !asked[image.ID] {
			found[image.ID] = image
		}
	}
	out := catalog.Listing{}
	for _, id := range request.ImageIDs {
		image, exists := found[id]
		switch {
		case exists:
			out.Images = append(out.Images, image)
		case !asked[id]:
			p.Assumed[id] = true
		}
	}
	return out
}

// notRecorded is the error of a request without a recorded answer.
func (p *Player) notRecorded(request Request) error {
	keys := map[string]bool{}
	for _, answer := range p.answers {
		keys[answer.Request.key()] = true
	}
	return &catalog.Error{Kind: catalog.Unavailable, Message: fmt.Sprintf(
		"the listing answers another request: this query asks for %s, recorded are %s; record it again with the query as it is now",
		request.key(), strings.Join(slices.Sorted(maps.Keys(keys)), ", "))}
}
