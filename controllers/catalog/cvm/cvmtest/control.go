// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// status is the answer of GET /status.
type status struct {
	URL     string   `json:"url"`
	Regions []string `json:"regions"`
	Unknown []string `json:"unknown"`
}

// injected is a fault with its id for DELETE /faults.
type injected struct {
	ID    int   `json:"id"`
	Fault Fault `json:"fault"`
}

// clock is the body of PUT /clock.
type clock struct {
	Skew duration `json:"skew"`
}

// ControlHandler serves the control API, which Dial's client speaks: JSON over HTTP, without authentication, so for a loopback
// address only.
//
//	GET    /status                         {"url", "regions", "unknown"}
//	GET    /images?region=R                [Image]
//	PUT    /images?region=R                [Image]: Server.Put
//	PATCH  /images?region=R&id=I           {members of Image to change}: Server.Update
//	DELETE /images?region=R[&id=I&id=J]    Server.Delete, or Server.Clear without ids
//	POST   /inventory                      Inventory: Server.Fill
//	GET    /credentials                    {secretID: Credential}
//	PUT    /credentials                    Credential: Server.SetCredential
//	DELETE /credentials?secretID=S         Server.RemoveCredential
//	GET    /instance-types                 [InstanceType]
//	PUT    /instance-types                 InstanceType: Server.SetInstanceType
//	DELETE /instance-types?name=N          Server.RemoveInstanceType
//	GET    /faults                         [{"id", "fault"}]
//	POST   /faults                         Fault → {"id", "fault"}: Server.Inject
//	DELETE /faults[?id=N]                  one fault, or all: Server.Heal
//	PUT    /clock                          {"skew": "6m"}: Server.SetSkew
//	GET    /requests                       [Request]
//	DELETE /requests                       Server.ResetRequests
//
// More routes are those of the cloud's other services.
func (s *Server) ControlHandler(more ...map[string]func(*http.Request) (any, error)) http.Handler {
	mux := http.NewServeMux()
	handle(mux, map[string]func(*http.Request) (any, error){
		"GET /status":            s.getStatus,
		"GET /images":            s.getImages,
		"PUT /images":            s.putImages,
		"PATCH /images":          s.patchImage,
		"DELETE /images":         s.deleteImages,
		"POST /inventory":        reading(s.Fill),
		"GET /credentials":       func(*http.Request) (any, error) { return s.Credentials(), nil },
		"PUT /credentials":       reading(s.SetCredential),
		"DELETE /credentials":    naming("secretID", s.RemoveCredential),
		"GET /instance-types":    func(*http.Request) (any, error) { return s.InstanceTypes(), nil },
		"PUT /instance-types":    reading(s.SetInstanceType),
		"DELETE /instance-types": naming("name", s.RemoveInstanceType),
		"GET /faults":            func(*http.Request) (any, error) { return s.faults.list(), nil },
		"POST /faults":           s.postFault,
		"DELETE /faults":         s.deleteFaults,
		"PUT /clock":             reading(func(c clock) { s.SetSkew(time.Duration(c.Skew)) }),
		"GET /requests":          func(*http.Request) (any, error) { return s.Requests(), nil },
		"DELETE /requests":       func(*http.Request) (any, error) { s.ResetRequests(); return nil, nil },
	})
	for _, routes := range more {
		handle(mux, routes)
	}
	return mux
}

func handle(mux *http.ServeMux, routes map[string]func(*http.Request) (any, error)) {
	for pattern, f := range routes {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := f(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(v)
		})
	}
}

func (s *Server) getStatus(*http.Request) (any, error) {
	return status{URL: s.URL(), Regions: s.Regions(), Unknown: s.Unknown()}, nil
}

func (s *Server) getImages(r *http.Request) (any, error) {
	region, err := parameter(r, "region")
	return s.Images(region), err
}

func (s *Server) putImages(r *http.Request) (any, error) {
	region, err := parameter(r, "region")
	if err != nil {
		return nil, err
	}
	return reading(func(images []Image) { s.Put(region, images...) })(r)
}

func (s *Server) patchImage(r *http.Request) (_ any, err error) {
	region, err := parameter(r, "region")
	if err != nil {
		return nil, err
	}
	id, err := parameter(r, "id")
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	found := s.inventory.update(region, id, func(img *Image) {
		changed := img.clone()
		if err = decodeStrict(body, &changed); err == nil {
			*img = changed
		}
	})
	if !found {
		return nil, fmt.Errorf("no image %s in %s", id, region)
	}
	return nil, err
}

func (s *Server) deleteImages(r *http.Request) (any, error) {
	region, err := parameter(r, "region")
	if err != nil {
		return nil, err
	}
	if ids := r.URL.Query()["id"]; len(ids) > 0 {
		s.Delete(region, ids...)
	} else {
		s.Clear(region)
	}
	return nil, nil
}

func (s *Server) postFault(r *http.Request) (any, error) {
	var added injected
	_, err := reading(func(f Fault) { added = injected{ID: s.faults.add(f), Fault: f} })(r)
	return added, err
}

func (s *Server) deleteFaults(r *http.Request) (any, error) {
	v := r.URL.Query().Get("id")
	if v == "" {
		s.Heal()
		return nil, nil
	}
	id, err := strconv.Atoi(v)
	if err == nil {
		s.faults.remove(id)
	}
	return nil, err
}

func (f *faults) list() []injected {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]injected, len(f.rules))
	for i, r := range f.rules {
		out[i] = injected{ID: r.id, Fault: r.Fault}
	}
	return out
}

// Reading returns a handler that decodes the body and passes it to f, for routes of the cloud's other services.
func Reading[T any](f func(T)) func(*http.Request) (any, error) { return reading(f) }

// reading returns a handler that decodes the body and passes it to f. It rejects unknown members, since they would have
// no effect.
func reading[T any](f func(T)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		var v T
		if err := decodeStrict(body, &v); err != nil {
			return nil, err
		}
		f(v)
		return nil, nil
	}
}

// naming returns a handler that passes one query parameter to f.
func naming(name string, f func(string)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		v, err := parameter(r, name)
		if err == nil {
			f(v)
		}
		return nil, err
	}
}

func parameter(r *http.Request, name string) (string, error) {
	v := r.URL.Query().Get(name)
	if v == "" {
		return "", fmt.Errorf("the query parameter %s is missing", name)
	}
	return v, nil
}
