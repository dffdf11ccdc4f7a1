// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Hold delays the events of a resource until Release, like a lagging watch.
func (p *Proxy) Hold(resource string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[resource] = &hold{released: make(chan struct{})}
}

// Release delivers the delayed events of a resource. If merged, only one event per name is delivered: an object that
// was deleted and recreated appears as changed.
func (p *Proxy) Release(resource string, merged bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.held[resource]; h != nil {
		h.merged = merged
		delete(p.held, resource)
		close(h.released)
	}
}

// CutWatches cuts the watches of a resource, or of all if it is "", and returns their number.
func (p *Proxy) CutWatches(resource string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var cut int
	for w := range p.watches {
		if resource == "" || w.resource == resource {
			w.end(io.ErrUnexpectedEOF)
			cut++
		}
	}
	return cut
}

type hold struct {
	released chan struct{}
	merged   bool
}

// tap inserts a watch between the server's events and the client. Lists are forwarded.
func (p *Proxy) tap(response *http.Response) error {
	request := newRequest(response.Request)
	p.note(response.Request, response.StatusCode)
	if request.Verb != "watch" || response.StatusCode != http.StatusOK {
		return nil
	}
	// Other encodings (Secrets are sent as protobuf) can be cut, but are not parsed.
	reader, writer := io.Pipe()
	w := &watch{proxy: p, resource: request.Resource, source: response.Body, sink: writer, Reader: reader}
	p.mu.Lock()
	p.watches[w] = true
	p.mu.Unlock()
	response.Body = w
	if strings.Contains(response.Header.Get("Content-Type"), "json") {
		go w.events()
	} else {
		go func() { _, err := io.Copy(writer, w.source); w.end(err) }()
	}
	return nil
}

// watch is a running watch. The client reads from it.
type watch struct {
	io.Reader
	proxy    *Proxy
	resource string
	source   io.ReadCloser
	sink     *io.PipeWriter
	ended    sync.Once
}

// Close is called when the client disconnects.
func (w *watch) Close() error {
	w.proxy.mu.Lock()
	delete(w.proxy.watches, w)
	w.proxy.mu.Unlock()
	w.end(nil)
	return nil
}

func (w *watch) end(err error) {
	w.ended.Do(func() {
		_ = w.sink.CloseWithError(err) // never fails
		_ = w.source.Close()
	})
}

// event is a watch event with the fields needed to merge it.
type event struct {
	Type   string          `json:"type"`
	Object json.RawMessage `json:"object"`
}

func (e event) name() string {
	var object struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	_ = json.Unmarshal(e.Object, &object) // no name: never merged
	return object.Metadata.Name
}

// events delivers events one by one. They are queued while held.
func (w *watch) events() {
	queue := make(chan event, 1<<16)
	go func() {
		defer close(queue)
		for in := json.NewDecoder(w.source); ; {
			var e event
			if err := in.Decode(&e); err != nil {
				return
			}
			queue <- e
		}
	}()
	for e := range queue {
		batch := []event{e}
		if h := w.holding(); h != nil {
			<-h.released
			for more := true; more; {
				select {
				case next, ok := <-queue:
					if more = ok; ok {
						batch = append(batch, next)
					}
				default:
					more = false
				}
			}
			if h.merged {
				batch = merge(batch)
			}
		}
		if err := w.send(batch); err != nil {
			w.end(err)
		}
	}
	w.end(nil)
}

func (w *watch) holding() *hold {
	w.proxy.mu.Lock()
	defer w.proxy.mu.Unlock()
	return w.proxy.held[w.resource]
}

func (w *watch) send(batch []event) error {
	out := json.NewEncoder(w.sink)
	var errs []error
	for _, e := range batch {
		errs = append(errs, out.Encode(e))
	}
	return errors.Join(errs...)
}

// merge keeps the last event of each name, with the type of the first.
func merge(batch []event) []event {
	first, last := map[string]string{}, map[string]int{}
	for i, e := range batch {
		if name := e.name(); name != "" {
			if _, seen := first[name]; !seen {
				first[name] = e.Type
			}
			last[name] = i
		}
	}
	var out []event
	for i, e := range batch {
		name := e.name()
		if name != "" && last[name] != i {
			continue
		}
		if e.Type == "ADDED" && first[name] != "ADDED" {
			e.Type = "MODIFIED"
		}
		out = append(out, e)
	}
	return out
}
