// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Control drives a simulator in another process through its control API. Its methods are those of Server. They panic if
// the simulator doesn't answer or refuses, because a test can't continue then.
type Control struct {
	base   string
	client *http.Client
}

// Dial returns a client for the control API at the URL that cvmsim prints, such as "http://127.0.0.1:12345". It doesn't
// connect yet.
func Dial(controlURL string) *Control {
	return &Control{base: controlURL, client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}}
}

// Close ends the idle connections to the simulator.
func (c *Control) Close() { c.client.CloseIdleConnections() }

// URL returns the address of the simulated API.
func (c *Control) URL() string { return get[status](c, "/status", nil).URL }

// Unknown is Server.Unknown.
func (c *Control) Unknown() []string { return get[status](c, "/status", nil).Unknown }

// Put is Server.Put.
func (c *Control) Put(region string, images ...Image) {
	c.call(http.MethodPut, "/images", url.Values{"region": {region}}, images, nil)
}

// Delete is Server.Delete.
func (c *Control) Delete(region string, ids ...string) {
	if len(ids) > 0 {
		c.call(http.MethodDelete, "/images", url.Values{"region": {region}, "id": ids}, nil, nil)
	}
}

// Clear is Server.Clear.
func (c *Control) Clear(region string) {
	c.call(http.MethodDelete, "/images", url.Values{"region": {region}}, nil, nil)
}

// Images is Server.Images.
func (c *Control) Images(region string) []Image {
	return get[[]Image](c, "/images", url.Values{"region": {region}})
}

// Update is Server.Update. It overwrites concurrent changes by other clients.
func (c *Control) Update(region, id string, f func(*Image)) {
	for _, img := range c.Images(region) {
		if img.ImageID == id {
			f(&img)
			c.Put(region, img)
			return
		}
	}
	panic(fmt.Sprintf("cvmtest: no image %s in %s", id, region))
}

// Fill is Server.Fill.
func (c *Control) Fill(inv Inventory) { c.call(http.MethodPost, "/inventory", nil, inv, nil) }

// SetCredential is Server.SetCredential.
func (c *Control) SetCredential(cred Credential) {
	c.call(http.MethodPut, "/credentials", nil, cred, nil)
}

// RemoveCredential is Server.RemoveCredential.
func (c *Control) RemoveCredential(secretID string) {
	c.call(http.MethodDelete, "/credentials", url.Values{"secretID": {secretID}}, nil, nil)
}

// SetInstanceType is Server.SetInstanceType.
func (c *Control) SetInstanceType(t InstanceType) {
	c.call(http.MethodPut, "/instance-types", nil, t, nil)
}

// RemoveInstanceType is Server.RemoveInstanceType.
func (c *Control) RemoveInstanceType(name string) {
	c.call(http.MethodDelete, "/instance-types", url.Values{"name": {name}}, nil, nil)
}

// Inject is Server.Inject.
func (c *Control) Inject(f Fault) (remove func()) {
	var added injected
	c.call(http.MethodPost, "/faults", nil, f, &added)
	return func() {
		c.call(http.MethodDelete, "/faults", url.Values{"id": {strconv.Itoa(added.ID)}}, nil, nil)
	}
}

// Heal is Server.Heal.
func (c *Control) Heal() { c.call(http.MethodDelete, "/faults", nil, nil, nil) }

// SetSkew is Server.SetSkew.
func (c *Control) SetSkew(d time.Duration) {
	c.call(http.MethodPut, "/clock", nil, clock{Skew: duration(d)}, nil)
}

// Requests is Server.Requests.
func (c *Control) Requests() []Request { return get[[]Request](c, "/requests", nil) }

// ResetRequests is Server.ResetRequests.
func (c *Control) ResetRequests() { c.call(http.MethodDelete, "/requests", nil, nil, nil) }

// Call sends a request to the control API, for routes of the cloud's other services.
func (c *Control) Call(method, path string, in, out any) { c.call(method, path, nil, in, out) }

func get[T any](c *Control, path string, query url.Values) T {
	var v T
	c.call(http.MethodGet, path, query, nil, &v)
	return v
}

func (c *Control) call(method, path string, query url.Values, in, out any) {
	if err := c.try(method, path, query, in, out); err != nil {
		panic(fmt.Sprintf("cvmtest: %s %s: %v", method, path, err))
	}
}

func (c *Control) try(method, path string, query url.Values, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(context.Background(), method, c.base+path+"?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(answer))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}
