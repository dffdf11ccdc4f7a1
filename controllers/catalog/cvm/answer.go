// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"errors"

	json "github.com/go-json-experiment/json/v1"
	tcerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"
)

// answer is an answer of DescribeImages with the fields that are used. The SDK passes the body of every answer to
// ParseErrorFromHTTPResponse, which decodes it in one pass. The SDK's own types take five passes, which was half of the CPU
// time of a poll (docs/scaling.md). The decoder is that of Go 1.27's encoding/json, which takes half the time of Go 1.26's.
// The fields have the names and types of the SDK's, which the tests compare. A field that is null or absent is zero.
type answer struct{ body answerBody }

var _ tchttp.Response = &answer{}

type answerBody struct {
	// Code and CodeDesc are the error of gateways of before API 3.0.
	Code     int
	CodeDesc string

	Response *struct {
		Error      struct{ Code, Message string }
		RequestId  string //nolint:revive // named like the API's field
		TotalCount *int64
		ImageSet   []*imageAnswer
	}
}

type imageAnswer struct {
	ImageId, ImageName, ImageDescription             string //nolint:revive // named like the API's fields
	ImageType, ImageSource, ImageCreator, ImageState string
	OsName, Platform, Architecture                   string
	LicenseType, ImageFamily                         string
	ImageSize                                        int64
	IsSupportCloudinit, ImageDeprecated              bool
	CreatedTime                                      string
	Tags                                             []*tagAnswer
	SnapshotSet                                      []*snapshotAnswer
}

type tagAnswer struct{ Key, Value string }

type snapshotAnswer struct {
	SnapshotId, DiskUsage string //nolint:revive // named like the API's fields
	DiskSize              int64
}

// errDecoded ends the SDK's work on an answer that is decoded and no error. Otherwise the SDK would decode it again.
var errDecoded = errors.New("the answer is decoded")

// ParseErrorFromHTTPResponse implements the SDK's Response. It decodes the body, and never returns nil: it returns the error
// in the body, or one if the body can't be decoded, as the SDK's own responses do, or else errDecoded. The SDK returns it as
// it is.
func (a *answer) ParseErrorFromHTTPResponse(body []byte) error {
	if err := json.Unmarshal(body, &a.body); err != nil {
		return tcerrors.NewTencentCloudSDKError("ClientError.ParseJsonError", "the answer is no answer of DescribeImages", "")
	}
	if a.body.Code != 0 {
		return tcerrors.NewTencentCloudSDKError(a.body.CodeDesc, "", "")
	}
	if r := a.body.Response; r != nil && r.Error.Code != "" {
		return tcerrors.NewTencentCloudSDKError(r.Error.Code, r.Error.Message, r.RequestId)
	}
	return errDecoded
}
