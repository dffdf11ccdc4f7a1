// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"
)

// discard drops net/http's log lines about cut connections.
var discard = log.New(io.Discard, "", 0)

// answer writes the response, with the effects of a fault if there is one.
func (x *exchange) answer(w http.ResponseWriter) {
	f := x.fault
	if f == nil {
		f = &Fault{}
	}
	if f.Blackhole {
		x.wait(nil)
		panic(http.ErrAbortHandler)
	}
	if d := x.s.opts.Latency + f.Delay; d > 0 && !x.sleep(d) {
		panic(http.ErrAbortHandler)
	}
	if f.Hangup || (f.Reset && f.CutAfter == 0) {
		hangUp(w, f.Reset)
		return
	}
	padding, body, status := x.shape(f)
	// As recorded (cloud-custodian test_tc_ami): Server, Content-Type, Connection, Date, Content-Length.
	h := w.Header()
	h.Set("Server", "nginx")
	h.Set("Connection", "keep-alive")
	h.Set("Content-Type", contentType(f, status))
	h.Set("Content-Length", strconv.FormatInt(padding+int64(len(body)), 10))
	x.setHeaders(h, f)
	w.WriteHeader(status)
	x.send(w, padding, body, f)
}

// shape returns the body and status required by the fault, and the amount of white space before the body.
func (x *exchange) shape(f *Fault) (padding int64, body []byte, status int) {
	body, status = x.content(), http.StatusOK
	if f.Status != 0 {
		status = f.Status
	}
	switch {
	case f.Body != nil:
		body = []byte(*f.Body)
	case f.Redirect != "":
		if f.Status == 0 {
			status = http.StatusFound
		}
		body = nil
	case f.EventStream:
		body = append(append([]byte("data: "), body...), "\n\n"...)
	case f.DeflateBomb > 0:
		body = deflated(body, f.DeflateBomb)
	case f.GzipBomb > 0:
		body = gzipped(body, f.GzipBomb)
	case f.BigBody > 0:
		padding = f.BigBody
	case isHTML(f, status):
		body = []byte("<html>\r\n<head><title>" + http.StatusText(status) + "</title></head>\r\n<body>\r\n<center><h1>" +
			strconv.Itoa(status) + " " + http.StatusText(status) + "</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n")
	}
	return padding, body, status
}

func isHTML(f *Fault, status int) bool {
	return status >= http.StatusBadRequest && f.Code == "" && f.Body == nil && !f.KeepBody
}

func contentType(f *Fault, status int) string {
	switch {
	case f.EventStream:
		return "text/event-stream"
	case isHTML(f, status):
		return "text/html"
	}
	return "application/json"
}

func (x *exchange) setHeaders(h http.Header, f *Fault) {
	switch {
	case f.Redirect != "":
		h.Set("Location", f.Redirect)
	case f.DeflateBomb > 0:
		h.Set("Content-Encoding", "deflate")
	case f.GzipBomb > 0:
		h.Set("Content-Encoding", "gzip")
	}
	for k, v := range f.Header {
		h.Set(k, v)
	}
}

// send writes the body: whole, cut or dripping. White space is streamed, since a test may request more than fits in
// memory.
func (x *exchange) send(w http.ResponseWriter, padding int64, body []byte, f *Fault) {
	flush := http.NewResponseController(w).Flush
	if f.CutAfter == 0 {
		_, _ = io.CopyN(w, spaces{}, padding)
	}
	switch {
	case f.CutAfter > 0:
		_, _ = w.Write(body[:min(f.CutAfter, len(body))])
		_ = flush()
		if f.Reset {
			hangUp(w, true)
			return
		}
		panic(http.ErrAbortHandler)
	case f.Drip > 0:
		for i := range body {
			if _, err := w.Write(body[i : i+1]); err != nil || flush() != nil || !x.sleep(f.Drip) {
				panic(http.ErrAbortHandler)
			}
		}
	default:
		_, _ = w.Write(body)
	}
}

// sleep returns false if the client disconnects or the server closes first.
func (x *exchange) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	return x.wait(t.C)
}

func (x *exchange) wait(until <-chan time.Time) bool {
	select {
	case <-until:
		return true
	case <-x.r.Context().Done():
	case <-x.s.closed:
	}
	return false
}

// hangUp closes the connection, optionally with a TCP RST.
func hangUp(w http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// deflated returns a raw deflate stream, which the SDK expects for Content-Encoding: deflate (it uses compress/flate).
func deflated(body []byte, size int64) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	inflate(w, body, size)
	return b.Bytes()
}

func gzipped(body []byte, size int64) []byte {
	var b bytes.Buffer
	inflate(gzip.NewWriter(&b), body, size)
	return b.Bytes()
}

func inflate(w io.WriteCloser, body []byte, size int64) {
	_, _ = io.CopyN(w, spaces{}, size)
	_, _ = w.Write(body)
	_ = w.Close()
}

// spaces is an endless reader of white space.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
