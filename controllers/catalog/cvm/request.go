// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"context"
	"errors"
	"fmt"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	sdk "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// pageSize is the API's maximum. Its default of 20 also applies to requests by id.
const pageSize = 100

// throttledTries is how often a page is tried while the cloud throttles, so that one refusal doesn't fail a listing of a
// hundred pages. The pauses of the bucket, about 0.75 s and 1.5 s, separate the tries.
const throttledTries = 3

// span is the position of a page in a list.
type span struct{ offset, limit int }

// page is one answer of DescribeImages.
type page struct {
	total  int
	images []catalog.Image
	// invalidIDs identifies the entries with an invalid image id.
	invalidIDs []string
}

// lister reads the pages of one listing.
type lister struct {
	bucket *bucket
	line   line
	client func(context.Context) (*sdk.Client, error)
}

// fetch fetches one page. It retries while throttled, and once if the connection ended before an answer: gateways close
// idle connections, and the request is safe to repeat. Each try takes its own token and signature. Keys are obtained after
// the wait, since they might expire during it.
func (l *lister) fetch(ctx context.Context, query catalog.Query, at span) (page, error) {
	for try, hungUp := 1, false; ; {
		if err := l.bucket.wait(ctx, &l.line); err != nil {
			return page{}, waitError(ctx)
		}
		client, err := l.client(ctx)
		if err != nil {
			return page{}, err
		}
		response, err := describeImages(ctx, client, newRequest(query, at))
		if err == nil {
			l.bucket.succeeded()
			return convertPage(response, at.offset)
		}
		switch failure := classify(err); {
		case failure.Kind == catalog.Throttled:
			l.bucket.throttled()
			if try++; try > throttledTries {
				return page{}, failure
			}
		case failure.Code == codeHungUp && !hungUp:
			hungUp = true
		default:
			return page{}, failure
		}
	}
}

// describeImages sends a request with the SDK and a deadline, and recovers the SDK's panics.
func describeImages(ctx context.Context, client *sdk.Client, request *sdk.DescribeImagesRequest) (response *answer, err error) {
	defer func() {
		if recover() != nil {
			// The panic's text may contain text of the cloud, so only the code is kept.
			response, err = nil, &catalog.Error{Kind: catalog.Unavailable, Code: codePanic, Message: "the cloud's answer could not be read"}
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request.SetContext(ctx)
	response = &answer{}
	if err = client.Send(request, response); errors.Is(err, errDecoded) {
		return response, nil
	}
	return nil, err
}

// newRequest omits empty lists: the SDK sends them as [], which the API rejects.
func newRequest(query catalog.Query, at span) *sdk.DescribeImagesRequest {
	r := sdk.NewDescribeImagesRequest()
	r.Offset = new(uint64(at.offset))
	r.Limit = new(uint64(at.limit))
	if len(query.ImageIDs) > 0 {
		r.ImageIds = common.StringPtrs(query.ImageIDs)
	}
	for _, f := range query.Filters {
		r.Filters = append(r.Filters, &sdk.Filter{Name: new(f.Name), Values: common.StringPtrs(f.Values)})
	}
	if query.InstanceType != "" {
		r.InstanceType = new(query.InstanceType)
	}
	return r
}

// convertPage converts a page. The SDK reports no error for empty answers such as `{}`: a valid answer has Response,
// RequestId and TotalCount (the API's page lists all three as always present).
func convertPage(response *answer, offset int) (page, error) {
	malformed := func(what string) (page, error) {
		return page{}, &catalog.Error{Kind: catalog.Incomplete, Code: codeMalformed, Message: "the cloud's answer has " + what}
	}
	r := response.body.Response
	if r == nil {
		return malformed("no content")
	}
	switch {
	case r.RequestId == "":
		return malformed("no RequestId")
	case r.TotalCount == nil:
		return malformed("no TotalCount")
	case *r.TotalCount < 0:
		return malformed("a negative TotalCount")
	case *r.TotalCount > maxImages:
		return malformed(fmt.Sprintf("a TotalCount of more than %d", maxImages))
	case r.ImageSet == nil && *r.TotalCount > int64(offset):
		return malformed("no ImageSet")
	}
	p := page{total: int(*r.TotalCount), images: make([]catalog.Image, 0, len(r.ImageSet))}
	for i, image := range r.ImageSet {
		if image == nil {
			return malformed("an image that is null")
		}
		if id := image.ImageId; !imageIDPattern.MatchString(id) {
			p.invalidIDs = append(p.invalidIDs, invalidIDKey(id, offset+i))
			continue
		}
		p.images = append(p.images, convertImage(image))
	}
	return p, nil
}

// invalidIDKey identifies an entry with an invalid image id: by the id, or by its position if there is none.
func invalidIDKey(id string, place int) string {
	if id == "" {
		return fmt.Sprintf("#%d", place)
	}
	return id
}
