// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

// dial serves the control API of s and returns its client.
func dial(t *testing.T, s *cvmtest.Server) (*cvmtest.Control, string) {
	t.Helper()
	h := httptest.NewServer(s.ControlHandler())
	t.Cleanup(h.Close)
	c := cvmtest.Dial(h.URL)
	t.Cleanup(c.Close)
	return c, h.URL
}

// The same steps on a server and through the control API have the same result.
func TestControlDoesWhatServerDoes(t *testing.T) {
	steps := func(t *testing.T, s *cvmtest.Server, c cvmtest.Cloud) (out []any) {
		t.Helper()
		note := func(v ...any) { out = append(out, v...) }
		list := func() {
			a := call{server: s}.do(t)
			note(a.code(), a.TotalCount, a.ids())
		}
		if c.URL() != s.URL() {
			t.Errorf("URL %s, want %s", c.URL(), s.URL())
		}
		c.Fill(cvmtest.Inventory{Seed: 2, Private: 3})
		list()
		odd := cvmtest.PageExample()[0]
		odd.Raw = map[string]json.RawMessage{"ImageName": json.RawMessage("\"\xff\""), "SyncPercent": json.RawMessage(`"x"`)}
		odd.Tags, odd.SnapshotSet = []cvmtest.Tag{}, nil
		c.Put(region, odd, cvmtest.PublicImages()[0])
		list()
		note(c.Images(region))
		c.Update(region, "img-qlzp4oea", func(i *cvmtest.Image) { i.ImageState = "CREATING" })
		note(s.Images(region)[0].ImageState)
		c.Delete(region, "img-qlzp4oea", "img-nothere0")
		c.Delete(region)
		list()
		cred := cvmtest.Credential{SecretID: "AKID1", SecretKey: "k", Token: "t", UIN: "5", Expires: time.Now().Add(time.Hour).UTC(), Deny: true}
		c.SetCredential(cred)
		note(call{server: s, credential: cred}.do(t).code())
		c.RemoveCredential("AKID1")
		note(call{server: s, credential: cred}.do(t).code())
		c.SetInstanceType(cvmtest.InstanceType{Name: "S5.MEDIUM2", SoldOut: true})
		note(call{server: s, body: `{"InstanceType":"S5.MEDIUM2"}`}.do(t).code())
		c.RemoveInstanceType("S5.MEDIUM2")
		note(call{server: s, body: `{"InstanceType":"S5.MEDIUM2"}`}.do(t).code())
		remove := c.Inject(cvmtest.Fault{Code: "A", Times: 10})
		c.Inject(cvmtest.Fault{Code: "B"})
		note(call{server: s}.do(t).code())
		remove()
		note(call{server: s}.do(t).code())
		c.Heal()
		list()
		c.SetSkew(6 * time.Minute)
		note(call{server: s}.do(t).code())
		c.SetSkew(0)
		note(call{server: s, body: `{"Limit":0}`}.do(t).code(), c.Unknown())
		for _, r := range c.Requests() {
			r.Time, r.RequestID = time.Time{}, ""
			note(r)
		}
		c.ResetRequests()
		note(len(c.Requests()))
		c.Clear(region)
		list()
		return out
	}
	here := start(t, cvmtest.Options{})
	there := start(t, cvmtest.Options{})
	control, _ := dial(t, there)
	if diff := cmp.Diff(steps(t, here, here), steps(t, there, control)); diff != "" {
		t.Errorf("(-Server +Control):\n%s", diff)
	}
}

func TestControlRefusesWhatItDoesNotKnow(t *testing.T) {
	s := start(t, cvmtest.Options{})
	s.Put(region, cvmtest.PageExample()[0])
	_, url := dial(t, s)
	for name, tc := range map[string]struct{ method, target, body, want string }{
		"an unknown fault member":     {http.MethodPost, "/faults", `{"cod":"x"}`, "400 "},
		"an unknown image member":     {http.MethodPut, "/images?region=r", `[{"Nope":"x"}]`, "400 "},
		"no region":                   {http.MethodGet, "/images", ``, "400 "},
		"a list for an image":         {http.MethodPut, "/images?region=r", `{}`, "400 "},
		"a patch of an absent image":  {http.MethodPatch, "/images?region=r&id=img-00000000", `{}`, "400 "},
		"a patch of another type":     {http.MethodPatch, "/images?region=" + region + "&id=img-qlzp4oea", `{"ImageSize":"x"}`, "400 "},
		"a patch of one member":       {http.MethodPatch, "/images?region=" + region + "&id=img-qlzp4oea", `{"ImageState":"CREATING"}`, "200 "},
		"a fault that isn't a number": {http.MethodDelete, "/faults?id=x", ``, "400 "},
		"a credential without its id": {http.MethodDelete, "/credentials", ``, "400 "},
		"an unknown path":             {http.MethodGet, "/nothing", ``, "404 "},
		"another method":              {http.MethodPut, "/requests", ``, "405 "},
		"a duration without unit":     {http.MethodPut, "/clock", `{"skew":5}`, "400 "},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), tc.method, url+tc.target, strings.NewReader(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := newTransport(t).RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if !strings.HasPrefix(resp.Status, tc.want) {
				t.Errorf("%s, want %s", resp.Status, tc.want)
			}
		})
	}
	if got := s.Images(region)[0]; got.ImageState != "CREATING" || got.ImageSize != 20 {
		t.Errorf("after the patches: %s, %d GiB", got.ImageState, got.ImageSize)
	}
}

func TestControlPanicsWhenTheSimulatorIsGone(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	cvmtest.Dial("http://127.0.0.1:1").Heal()
}
