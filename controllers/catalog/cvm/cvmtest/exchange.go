// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// apiVersion is the version of DescribeImages (API page, section 2).
	apiVersion = "2017-03-12"
	// maxBody is the documented limit of a POST with signature v3: 10 MB (document 629/35338).
	maxBody = 10 << 20
)

// exchange is the state of one request.
type exchange struct {
	s    *Server
	r    *http.Request
	body []byte
	now  time.Time
	req  Request
	lang language
	cred Credential

	params  params
	badBody *refusal
	fault   *Fault
	no      *refusal
	images  [][]byte
}

// ServeHTTP answers a request without a connection, for simulations in a time of their own.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.serve(w, r) }

// serve handles one request: read, authenticate, call OnRequest, decide, log, answer.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	x := &exchange{s: s, r: r, now: s.now()}
	x.read()
	if x.no = x.enter(); x.no == nil {
		s.log.notify(x.req)
		x.fault = s.faults.pick(x.req)
		x.no = x.decide()
	}
	x.finish()
	x.answer(w)
}

// read parses the request as far as possible, for the log and the faults.
func (x *exchange) read() {
	h := x.r.Header
	x.body, _ = io.ReadAll(io.LimitReader(x.r.Body, maxBody+1))
	x.params, x.badBody = parseParams(x.body)
	p := &x.params
	auth, _ := parseAuthorization(h.Get("Authorization"))
	x.req = Request{
		Time: x.now, Action: h.Get("X-TC-Action"), Region: h.Get("X-TC-Region"), Language: h.Get("X-TC-Language"),
		SecretID: auth.secretID, RequestClient: h.Get("X-TC-RequestClient"), UserAgent: h.Get("User-Agent"),
		ImageIDs: p.imageIDs, Offset: p.offset, Limit: p.limit, InstanceType: p.instanceType, Page: 1,
		RequestID: newUUID(),
	}
	if p.limit > 0 && p.offset > 0 {
		x.req.Page = int(p.offset/p.limit) + 1
	}
	if len(p.filters) > 0 {
		x.req.Filters = map[string][]string{}
		for _, f := range p.filters {
			x.req.Filters[f.name] = slices.Concat(x.req.Filters[f.name], f.values)
		}
	}
}

// enter checks protocol, authentication and rate, like the cloud's gateway.
func (x *exchange) enter() (no *refusal) {
	if x.lang, no = parseLanguage(x.req.Language); no != nil {
		return no
	}
	if no := x.checkProtocol(); no != nil {
		return no
	}
	if x.cred, no = x.s.authenticate(tc3Service, x.r, x.body, x.now); no != nil {
		return no
	}
	return x.s.throttle(x.req.Action, x.cred.SecretID, x.now)
}

// parseLanguage accepts the documented values: zh-CN (the default) and en-US.
func parseLanguage(h string) (language, *refusal) {
	switch h {
	case "", "zh-CN":
		return chinese, nil
	case "en-US":
		return english, nil
	}
	return english, unknown("X-TC-Language " + h)
}

// knownHeaders are the X-TC headers of signature v3 ("common request headers" documentation; X-Tc-Content-Sha256: SDK
// common v1.3.210 client.go), canonicalised like net/http's.
var knownHeaders = []string{
	"X-Tc-Action", "X-Tc-Version", "X-Tc-Region", "X-Tc-Timestamp", "X-Tc-Language", "X-Tc-Requestclient", "X-Tc-Token",
	"X-Tc-Content-Sha256",
}

// checkProtocol accepts only POST with JSON, the default of all SDKs. The real service also accepts others (GET,
// multipart).
func (x *exchange) checkProtocol() *refusal {
	switch ct := x.r.Header.Get("Content-Type"); {
	case len(x.body) > maxBody:
		return refuse("RequestSizeLimitExceeded", "The request exceeds 10 MB.") // common error code; the limit is documented
	case x.r.Method != http.MethodPost:
		return unknown("method " + x.r.Method)
	case x.r.URL.Path != "/" || x.r.URL.RawQuery != "":
		return unknown("the request target " + x.r.URL.RequestURI())
	case ct != "application/json" && !strings.HasPrefix(ct, "application/json;"):
		return unknown("Content-Type " + ct)
	}
	for name := range x.r.Header {
		if strings.HasPrefix(name, "X-Tc-") && !slices.Contains(knownHeaders, name) {
			return unknown("the header " + name)
		}
	}
	return nil
}

// decide computes the content of the answer, with the fault if one applies.
func (x *exchange) decide() *refusal {
	if x.fault != nil {
		x.req.Fault = true
		if no := x.fault.fail(); no != nil {
			return no
		}
	}
	if no := x.checkCall(); no != nil {
		return no
	}
	if x.badBody != nil {
		return x.badBody
	}
	if no := x.checkAccess(); no != nil {
		return no
	}
	if no := x.params.check(); no != nil {
		return no
	}
	q := query{
		params: x.params, region: x.req.Region, uin: x.cred.UIN, denied: x.cred.DenyImages, lang: x.lang,
		sharedCreator: x.s.opts.SharedCreator,
	}
	got, no := x.s.answer(q)
	if no != nil {
		return no
	}
	x.fill(q, got)
	return nil
}

// fill encodes the page.
func (x *exchange) fill(q query, got found) {
	page, total := got.page(), got.total
	if x.fault != nil {
		page, total = x.fault.reshape(q, got)
	}
	x.images = encodePage(q, page)
	if x.fault != nil {
		for i := range min(x.fault.NullImages, len(x.images)) {
			x.images[i] = []byte("null")
		}
	}
	x.req.TotalCount, x.req.Returned = total, len(page)
}

// checkCall checks Action, Version and Region. The codes are inferred from the descriptions of the common error codes.
func (x *exchange) checkCall() *refusal {
	version := x.r.Header.Get("X-TC-Version")
	switch {
	case x.req.Action == "":
		return missing("X-TC-Action")
	case version == "":
		return missing("X-TC-Version")
	case version != apiVersion:
		return refuse("NoSuchVersion", fmt.Sprintf("The API version `%.64s` does not exist.", version))
	case otherActions[x.req.Action]:
		return unknown("the action " + x.req.Action + ", which CVM has and the simulator doesn't")
	case x.req.Action != "DescribeImages":
		return refuse("InvalidAction", fmt.Sprintf("The API `%.64s` does not exist.", x.req.Action))
	case x.req.Region == "":
		return missing("X-TC-Region")
	case !regionForm.MatchString(x.req.Region):
		return refuse("InvalidParameter", "A value specified in `X-TC-Region` is not valid, is unsupported, or cannot be used.")
	case !isRegion(x.req.Region):
		return refuse("InvalidParameterValue", "A value specified in `Region` is not valid, is unsupported, or cannot be used.")
	case closedRegions[x.req.Region] || !isAt(x.req.Region, x.r.Host):
		return refuse("UnsupportedRegion", fmt.Sprintf("The region `%.64s` is not supported.", x.req.Region))
	}
	return nil
}

// checkAccess answers a CAM denial with the code and message seen for other CVM actions (TKE handbook; a public tccli session).
func (x *exchange) checkAccess() *refusal {
	if !x.cred.Deny {
		return nil
	}
	return refuse("UnauthorizedOperation", fmt.Sprintf(
		"[request id:%s]you are not authorized to perform operation (cvm:%s)\nresource (qcs::cvm:%s:uin/%s:image/*) has no permission\n",
		x.req.RequestID, x.req.Action, x.req.Region, x.cred.UIN))
}

// finish logs the request.
func (x *exchange) finish() {
	if x.no != nil {
		x.req.Code = x.no.code
		if x.no.code == CodeUnknown {
			x.s.log.addUnknown(x.no.en)
		}
	}
	x.s.log.add(x.req)
}

// content returns the JSON of the answer: {"Response":{"TotalCount","ImageSet","RequestId"}} or an error.
func (x *exchange) content() []byte {
	if x.no != nil {
		return x.errorContent()
	}
	size := 160
	for _, img := range x.images {
		size += len(img) + 1
	}
	e := members{buf: append(make([]byte, 0, size), `{"Response":{`...)}
	if x.fault != nil {
		e.set, e.unset = x.fault.Set, x.fault.Unset
	}
	if e.member("TotalCount") {
		e.buf = strconv.AppendInt(e.buf, x.req.TotalCount, 10)
	}
	if e.member("ImageSet") {
		e.buf = appendList(e.buf, x.images, func(b, img []byte) []byte { return append(b, img...) })
	}
	if e.member("RequestId") {
		e.buf = appendString(e.buf, x.req.RequestID)
	}
	for _, name := range sortedKeys(e.set) {
		e.key(name)
		e.buf = append(e.buf, e.set[name]...)
	}
	return append(e.buf, "}}"...)
}

// errorContent returns {"Response":{"Error":{Code,Message},"RequestId"}}. The HTTP status is 200 for everything that
// the service processed (document 213/15694).
func (x *exchange) errorContent() []byte {
	b := appendString([]byte(`{"Response":{"Error":{"Code":`), x.no.code)
	b = appendString(append(b, `,"Message":`...), x.no.message(x.lang))
	b = appendString(append(b, `},"RequestId":`...), x.req.RequestID)
	return append(b, "}}"...)
}

func newUUID() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
