// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

// Codes of our own for failures between the operator and the cloud.
const (
	codeUnknownHost      = "ClientError.UnknownHost"
	codeNoDNS            = "ClientError.NoDNSAnswer"
	codeRefusedByHost    = "ClientError.ConnectionRefused"
	codeNoRoute          = "ClientError.NoRoute"
	codeNotConnected     = "ClientError.ConnectTimeout"
	codeUnknownAuthority = "ClientError.UnknownAuthority"
	codeCertificateTime  = "ClientError.CertificateExpired"
	codeCertificateName  = "ClientError.CertificateName"
	codeProxyPassword    = "ClientError.ProxyPassword"
	codeProxyRefused     = "ClientError.ProxyRefused"
	codeHungUp           = "ClientError.ConnectionClosed"
)

// unansweredCodes lists these codes, as labels of metrics.
var unansweredCodes = []string{
	codeUnknownHost, codeNoDNS, codeRefusedByHost, codeNoRoute, codeNotConnected, codeUnknownAuthority, codeCertificateTime,
	codeCertificateName, codeProxyPassword, codeProxyRefused, codeHungUp,
}

// maxAuthority bounds the name of a certificate authority, which is untrusted input.
const maxAuthority = 64

// progress tracks how far a request came.
type progress struct{ reached atomic.Int32 }

// The steps of a request, in order.
const (
	stepBegun int32 = iota
	stepResolving
	stepResolved
	stepConnected
	stepAnswering
)

// watch returns a context that reports the progress of a request to p.
func (p *progress) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:             func(httptrace.DNSStartInfo) { p.reached.Store(stepResolving) },
		DNSDone:              func(httptrace.DNSDoneInfo) { p.reached.Store(stepResolved) },
		GotConn:              func(httptrace.GotConnInfo) { p.reached.Store(stepConnected) },
		GotFirstResponseByte: func() { p.reached.Store(stepAnswering) },
	})
}

// unanswered classifies why a request got no answer. It returns err unchanged if the cause is unknown.
func (p *progress) unanswered(err error, host string) error {
	if already := (*catalog.Error)(nil); errors.As(err, &already) {
		return already
	}
	who := "the host " + host
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "proxyconnect" {
		who = "the proxy"
	}
	for _, explain := range []func(error, string) (code, message string){p.endedEarly, network, certificate, p.hungUp} {
		if code, message := explain(err, who); code != "" {
			return &catalog.Error{Kind: catalog.Unavailable, Code: code, Message: message, Cause: contextError(err)}
		}
	}
	return err
}

// endedEarly explains a request that took too long.
func (p *progress) endedEarly(err error, who string) (code, message string) {
	var slow net.Error
	reached := p.reached.Load()
	switch {
	case contextError(err) == nil && (!errors.As(err, &slow) || !slow.Timeout()):
		return "", ""
	case reached == stepResolving:
		return codeNoDNS, noDNS(who)
	case reached < stepConnected:
		return codeNotConnected, "no connection to " + who + " was made in time; check routes, firewalls and NetworkPolicy"
	}
	return codeTimeout, notInTime
}

func noDNS(who string) string {
	return "DNS does not answer for " + who + "; check the cluster's DNS and NetworkPolicy"
}

// network explains why there is no connection.
func network(err error, who string) (code, message string) {
	dns := (*net.DNSError)(nil)
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return codeUnknownHost, "DNS knows no address of " + who +
			"; correct the endpoint of the operator, spec.region if the host is a region's, or the DNS that the operator asks"
	case errors.As(err, &dns):
		return codeNoDNS, noDNS(who)
	case errors.Is(err, syscall.ECONNREFUSED):
		return codeRefusedByHost, who + " refuses the connection; check its address and port, and what stands before it"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return codeNoRoute, "there is no route to " + who + "; check routes and NetworkPolicy"
	}
	return "", ""
}

// certificate explains why the host's certificate is not trusted.
func certificate(err error, who string) (code, message string) {
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &x509.UnknownAuthorityError{}):
		return codeUnknownAuthority, fmt.Sprintf("the certificate of %s is signed by an unknown authority, %q; "+
			"if it is your company's, add its certificate to the operator's, else something stands between the operator and the cloud", who,
			authority(err))
	case errors.As(err, &x509.HostnameError{}):
		return codeCertificateName, "the certificate of " + who +
			" is for another name; correct the endpoint of the operator, or what answers there"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return codeCertificateTime, "the certificate of " + who + " has expired or is not valid yet; renew it, or correct the clock of the node"
	}
	return "", ""
}

// authority returns the issuer of the last certificate of the chain.
func authority(err error) string {
	failed := (*tls.CertificateVerificationError)(nil)
	if !errors.As(err, &failed) || len(failed.UnverifiedCertificates) == 0 {
		return ""
	}
	issuer := failed.UnverifiedCertificates[len(failed.UnverifiedCertificates)-1].Issuer
	names := slices.Concat([]string{issuer.CommonName}, issuer.Organization)
	return normalise(cmp.Or(names...), maxAuthority)
}

// hungUp explains a connection that ended before the first byte of an answer.
func (p *progress) hungUp(_ error, who string) (code, message string) {
	if p.reached.Load() != stepConnected {
		return "", ""
	}
	return codeHungUp, who + " closed the connection without an answer"
}

// onProxyConnectResponse is the OnProxyConnectResponse hook of http.Transport: the transport's own error contains only the
// proxy's text.
func onProxyConnectResponse(_ context.Context, _ *url.URL, request *http.Request, answer *http.Response) error {
	failure := &catalog.Error{Kind: catalog.Unavailable, Code: codeProxyRefused}
	switch answer.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusProxyAuthRequired:
		failure.Code, failure.Message = codeProxyPassword, "the proxy does not accept the operator; write the proxy's user and password "+
			"into HTTPS_PROXY"
	case http.StatusForbidden:
		failure.Message = "the proxy does not let the operator through to " + request.Host + "; admit it there"
	default:
		failure.Message = fmt.Sprintf("the proxy does not connect to %s: it answers with the HTTP status %d", request.Host, answer.StatusCode)
	}
	return failure
}
