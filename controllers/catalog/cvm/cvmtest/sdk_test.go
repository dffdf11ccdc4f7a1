// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest_test

import (
	"errors"
	"testing"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	sdkerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
)

const region = "ap-guangzhou"

// start starts a server without a rate limit (Options{} has the documented 40 per second). It is closed at the end of
// the test.
func start(t *testing.T, o cvmtest.Options) *cvmtest.Server {
	t.Helper()
	if o.RateLimit == 0 {
		o.RateLimit = -1
	}
	s := cvmtest.NewServer(o)
	t.Cleanup(s.Close)
	return s
}

// sdk returns the real SDK's client for the server.
func sdk(t *testing.T, s *cvmtest.Server, c cvmtest.Credential, language string) *cvm.Client {
	t.Helper()
	p := profile.NewClientProfile()
	p.HttpProfile.Endpoint = s.Host()
	p.HttpProfile.Scheme = "HTTP"
	p.HttpProfile.ReqTimeout = 10
	p.Language = language
	client, err := cvm.NewClient(common.NewTokenCredential(c.SecretID, c.SecretKey, c.Token), region, p)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*sdkerrors.TencentCloudSDKError](err); ok {
		return e.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestSDKListsThe408ImagesOfTheAPIPageIn5Requests(t *testing.T) {
	s := start(t, cvmtest.Options{})
	s.Put(region, cvmtest.PageExample()...)
	s.Put(region, cvmtest.PublicImages()...)
	client := sdk(t, s, cvmtest.DefaultCredential, "en-US")
	ids := map[string]bool{}
	for offset := uint64(0); ; {
		req := cvm.NewDescribeImagesRequest()
		req.Filters = []*cvm.Filter{{Name: new("image-type"), Values: []*string{new("PRIVATE_IMAGE")}}}
		req.Limit, req.Offset = new(uint64(100)), &offset
		resp, err := client.DescribeImages(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := *resp.Response.TotalCount; got != 408 {
			t.Fatalf("TotalCount = %d, want 408", got)
		}
		for _, img := range resp.Response.ImageSet {
			ids[*img.ImageId] = true
		}
		if offset += uint64(len(resp.Response.ImageSet)); offset >= 408 {
			break
		}
	}
	if len(ids) != 408 || !ids["img-qlzp4oea"] {
		t.Errorf("got %d distinct ids, img-qlzp4oea among them: %t", len(ids), ids["img-qlzp4oea"])
	}
	if got := len(s.Requests()); got != 5 {
		t.Errorf("%d requests, want 5", got)
	}
	if u := s.Unknown(); len(u) > 0 {
		t.Errorf("unknown behaviour was asked for: %q", u)
	}
}

func TestSDKErrors(t *testing.T) {
	wrongKey := cvmtest.DefaultCredential
	wrongKey.SecretKey += "x"
	for name, tc := range map[string]struct {
		credential cvmtest.Credential
		fault      *cvmtest.Fault
		want       string
	}{
		"a good request": {credential: cvmtest.DefaultCredential},
		"a wrong key":    {credential: wrongKey, want: "AuthFailure.SignatureFailure"},
		"an unknown id": {
			credential: cvmtest.Credential{SecretID: "AKIDnobody", SecretKey: "x"},
			want:       "AuthFailure.SecretIdNotFound",
		},
		"an injected code": {
			credential: cvmtest.DefaultCredential, fault: &cvmtest.Fault{Code: "InternalError"}, want: "InternalError",
		},
		"an injected body": {credential: cvmtest.DefaultCredential, fault: &cvmtest.Fault{Body: new("{}")}},
		"a gateway's page with its 502": {
			credential: cvmtest.DefaultCredential, fault: &cvmtest.Fault{Status: 502},
			want: "ClientError.ParseJsonError",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, cvmtest.Options{})
			if tc.fault != nil {
				defer s.Inject(*tc.fault)()
			}
			_, err := sdk(t, s, tc.credential, "").DescribeImages(cvm.NewDescribeImagesRequest())
			if got := codeOf(err); got != tc.want {
				t.Errorf("code %q, want %q (%v)", got, tc.want, err)
			}
		})
	}
}
