// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

func TestNewServerPanicsWhenItCannotListen(t *testing.T) {
	s := start(t, cvmtest.Options{})
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	cvmtest.NewServer(cvmtest.Options{Addr: s.Host()})
}

func TestTheLogHasWhatTheSDKSent(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	s := start(t, cvmtest.Options{Now: func() time.Time { return now }})
	s.Put(region, ten()...)
	client := sdk(t, s, cvmtest.DefaultCredential, "en-US")
	client.WithRequestClient("image-catalog-test")
	listing := cvm.NewDescribeImagesRequest()
	listing.Filters = []*cvm.Filter{{Name: new("image-type"), Values: []*string{new("PRIVATE_IMAGE")}}}
	listing.Offset, listing.Limit, listing.InstanceType = new(uint64(6)), new(uint64(3)), new("S5.MEDIUM2")
	byID := cvm.NewDescribeImagesRequest()
	byID.ImageIds = []*string{new("img-00000001"), new("img-zzzzzzzz")}
	for _, req := range []*cvm.DescribeImagesRequest{listing, byID} {
		if _, err := client.DescribeImages(req); err != nil {
			t.Fatal(err)
		}
	}
	s.Inject(cvmtest.Fault{Code: "InternalError"})
	_, err := client.DescribeImages(cvm.NewDescribeImagesRequest())
	if codeOf(err) != "InternalError" {
		t.Fatal(err)
	}
	got := s.Requests()
	for i := range got {
		if got[i].RequestID == "" || !strings.HasPrefix(got[i].UserAgent, "Go-http-client/") ||
			!strings.HasSuffix(got[i].RequestClient, "image-catalog-test") {
			t.Errorf("request %+v", got[i])
		}
		got[i].RequestID, got[i].UserAgent, got[i].RequestClient = "", "", ""
	}
	base := cvmtest.Request{
		Time: now, Action: "DescribeImages", Region: region, Language: "en-US",
		SecretID: cvmtest.DefaultCredential.SecretID,
	}
	want := []cvmtest.Request{base, base, base}
	want[0].Filters, want[0].InstanceType = map[string][]string{"image-type": {"PRIVATE_IMAGE"}}, "S5.MEDIUM2"
	want[0].Offset, want[0].Limit, want[0].Page, want[0].TotalCount, want[0].Returned = 6, 3, 3, 10, 3
	want[1].ImageIDs = []string{"img-00000001", "img-zzzzzzzz"}
	want[1].Limit, want[1].Page, want[1].TotalCount, want[1].Returned = 20, 1, 1, 1
	want[2].Limit, want[2].Page, want[2].Code, want[2].Fault = 20, 1, "InternalError", true
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestALatencyDelaysEveryAnswer(t *testing.T) {
	s := start(t, cvmtest.Options{Latency: 30 * time.Millisecond})
	began := time.Now()
	call{server: s}.do(t)
	if d := time.Since(began); d < 30*time.Millisecond {
		t.Errorf("answered after %s", d)
	}
}

// Row 5: certificates that a client must reject.
func TestTLS(t *testing.T) {
	now := time.Now()
	for name, tc := range map[string]struct {
		notAfter time.Time
		host     string
		trusted  bool
		version  uint16
		want     func(error) bool
	}{
		"good":        {now.Add(time.Hour), "127.0.0.1", true, 0, func(err error) bool { return err == nil }},
		"self-signed": {now.Add(time.Hour), "127.0.0.1", false, 0, isError[x509.UnknownAuthorityError]},
		"expired":     {now.Add(-time.Hour), "127.0.0.1", true, 0, isError[x509.CertificateInvalidError]},
		"wrong name":  {now.Add(time.Hour), "cvm.example.com", true, 0, isError[x509.HostnameError]},
		"TLS 1.0": {now.Add(time.Hour), "127.0.0.1", true, tls.VersionTLS10,
			func(err error) bool { return err != nil && strings.Contains(err.Error(), "protocol version") }},
	} {
		t.Run(name, func(t *testing.T) {
			cert, pool := cvmtest.SelfSigned(now.Add(-2*time.Hour), tc.notAfter, tc.host)
			s := start(t, cvmtest.Options{TLS: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tc.version, MaxVersion: tc.version}})
			tr := newTransport(t)
			if tc.trusted {
				tr.TLSClientConfig = &tls.Config{RootCAs: pool}
			}
			resp, err := tr.RoundTrip(call{server: s}.request(t))
			if err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("status %s", resp.Status)
				}
			}
			if !tc.want(err) {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func isError[T error](err error) bool {
	var want T
	return errors.As(err, &want)
}

func TestEverythingAtOnce(t *testing.T) {
	s := start(t, cvmtest.Options{})
	s.Put(region, cvmtest.PageExample()...)
	s.OnRequest(func(cvmtest.Request) {})
	var wg sync.WaitGroup
	for i := range 8 {
		client := sdk(t, s, cvmtest.DefaultCredential, "en-US")
		wg.Go(func() {
			id := fmt.Sprintf("img-%08d", i)
			for n := range 20 {
				s.Put(region, cvmtest.Image{ImageID: id, Owner: mine})
				s.Update(region, id, func(img *cvmtest.Image) { img.ImageName = "x" })
				remove := s.Inject(cvmtest.Fault{TotalDelta: 1, Times: 1})
				req := cvm.NewDescribeImagesRequest()
				req.Filters = []*cvm.Filter{{Name: new("image-type"), Values: []*string{new("PRIVATE_IMAGE")}}}
				req.Offset = new(uint64(n))
				if _, err := client.DescribeImages(req); err != nil {
					t.Error(err)
				}
				remove()
				s.Delete(region, id)
				s.SetCredential(cvmtest.Credential{SecretID: id})
				_, _, _ = s.Images(region), s.Requests(), s.Credentials()
			}
		})
	}
	wg.Wait()
	if got := len(s.Images(region)); got != 408 {
		t.Errorf("%d images left, want 408", got)
	}
}
