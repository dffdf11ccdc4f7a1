// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"context"
	"fmt"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	sdk "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// pageSize is the API's maximum; its default of 20 also holds for requests by id.
const pageSize = 100

// throttledTries is how often a page is asked for while the cloud throttles: a listing of a hundred pages would never
// end if one refusal ended it. The bucket's pause, about 0.75 s and then 1.5 s, lies between the tries.
const throttledTries = 3

// span is the part of a list that a page is.
type span struct{ offset, limit int }

// page is one answer of DescribeImages.
type page struct {
	total  int
	images []catalog.Image
	// unfit are entries whose id is no image id, by what identifies them.
	unfit []string
}

// fetch asks for one page, again while throttled, and once more where the connection ended before an answer came: gateways
// close idle connections, and asking for a page changes nothing. Each try has a token and a signature of its own. Keys
// come after the wait, which they might not outlive.
func fetch(ctx context.Context, client func(context.Context) (*sdk.Client, error), b *bucket, query catalog.Query, at span) (page, error) {
	for try, hungUp := 1, false; ; {
		if err := b.wait(ctx); err != nil {
			return page{}, waitError(ctx)
		}
		client, err := client(ctx)
		if err != nil {
			return page{}, err
		}
		response, err := describeImages(ctx, client, newRequest(query, at))
		if err == nil {
			b.content()
			return convertPage(response, at.offset)
		}
		switch failure := classify(err); {
		case failure.Kind == catalog.Throttled:
			b.throttled()
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

// describeImages is the SDK's call with a deadline and without its panics: it dereferences nil when a body is `null`.
func describeImages(ctx context.Context, client *sdk.Client, request *sdk.DescribeImagesRequest) (response *sdk.DescribeImagesResponse, err error) {
	defer func() {
		if recover() != nil {
			// The panic's text may hold what the cloud wrote; the code says all that is known.
			response, err = nil, &catalog.Error{Kind: catalog.Unavailable, Code: codePanic, Message: "the cloud's answer could not be read"}
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return client.DescribeImagesWithContext(ctx, request)
}

// newRequest leaves out what is empty: the SDK sends an empty list as one, and the API refuses it.
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

// convertPage takes a page apart. The SDK reports no error for answers that carry nothing, such as `{}`: only an
// answer with Response, RequestId and TotalCount is one (the API's page lists all three as always present).
func convertPage(response *sdk.DescribeImagesResponse, offset int) (page, error) {
	malformed := func(what string) (page, error) {
		return page{}, &catalog.Error{Kind: catalog.Incomplete, Code: codeMalformed, Message: "the cloud's answer has " + what}
	}
	if response == nil || response.Response == nil {
		return malformed("no content")
	}
	r := response.Response
	switch {
	case r.RequestId == nil || *r.RequestId == "":
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
		if id := value(image.ImageId); !imageIDPattern.MatchString(id) {
			p.unfit = append(p.unfit, unfitKey(id, offset+i))
			continue
		}
		p.images = append(p.images, convertImage(image))
	}
	return p, nil
}

// unfitKey identifies an entry without a usable id: by the id, or by its place where there is none.
func unfitKey(id string, place int) string {
	if id == "" {
		return fmt.Sprintf("#%d", place)
	}
	return id
}
