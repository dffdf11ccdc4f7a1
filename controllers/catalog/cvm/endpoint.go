// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvm

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// endpoint is the address of an API as the SDK expects it: an upper-case scheme and a host with an optional port. The
// host may contain placeholder, which in replaces.
type endpoint struct{ scheme, host string }

// placeholder is replaced by the requested region.
const placeholder = "{region}"

// in returns the endpoint for a region. Finance regions are isolated and have hosts of their own, which the SDK doesn't
// derive. The default hosts are therefore replaced for them.
func (e endpoint) in(region string) endpoint {
	if isFinance(region) && (e.host == DefaultEndpoint || e.host == DefaultSTS) {
		service, domain, _ := strings.Cut(e.host, ".")
		e.host = service + "." + region + "." + domain
	}
	e.host = strings.ReplaceAll(e.host, placeholder, region)
	return e
}

// serves reports whether a region can be available at the endpoint: a finance region only at its own host, and no other
// region there.
func (e endpoint) serves(region string) bool {
	host := regionOf(e.in(region).host)
	return host == region || !isFinance(host) && !isFinance(region)
}

// isFinance reports whether a region is one of the finance regions.
func isFinance(region string) bool { return strings.HasSuffix(region, "-fsi") }

// fitsHost matches regions that can be part of a host.
var fitsHost = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// hostPattern matches DNS names and IPv4 addresses. The SDK would parse anything else differently, e.g. "a.b/c" as a
// host and a path.
var hostPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// parseEndpoint parses the value of --cvm-endpoint or --sts-endpoint. Keys are signed, not sent, but over plain HTTP
// anyone could forge an answer, and images are booted from it. http:// is for the simulator on the same machine.
func parseEndpoint(value, example string) (endpoint, error) {
	refuse := func(why string) (endpoint, error) {
		return endpoint{}, fmt.Errorf("the endpoint %q %s; write a host such as %s, with https:// or without, %s in it "+
			"for the region that is asked for, and http:// only before a loopback address such as 127.0.0.1:8080", value, why, example, placeholder)
	}
	text := strings.ReplaceAll(value, placeholder, placeholderRegion)
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return refuse("can't be read")
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return refuse("has an unknown scheme")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/"):
		return refuse("has more than a host and a port")
	case !hostPattern.MatchString(u.Hostname()):
		return refuse("has no host in lower case")
	case !usablePort(u):
		return refuse("has no port from 1 to 65535")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return refuse("would be asked over plain HTTP")
	}
	return endpoint{scheme: strings.ToUpper(u.Scheme), host: strings.ReplaceAll(u.Host, placeholderRegion, placeholder)}, nil
}

// placeholderRegion replaces placeholder while an endpoint is parsed. No region or host contains it.
const placeholderRegion = "xx-placeholder-for-the-region"

// usablePort reports whether the URL has no port and no colon, or a valid port.
func usablePort(u *url.URL) bool {
	if u.Host == u.Hostname() {
		return true
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}

// parseMetadata parses the value of --metadata-endpoint. The metadata service answers keys over plain HTTP, so it must
// be on the node: under its own name, at a link-local address, or simulated at a loopback address.
func parseMetadata(value string) (string, error) {
	text := value
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err == nil && u.Scheme == "http" && u.User == nil && u.RawQuery == "" && u.Fragment == "" && (u.Path == "" || u.Path == "/") &&
		usablePort(u) {
		host := u.Hostname()
		if ip := net.ParseIP(host); host == metadataName || loopback(host) || ip != nil && ip.IsLinkLocalUnicast() {
			return "http://" + u.Host, nil
		}
	}
	return "", fmt.Errorf("the endpoint %q is not one of a metadata service, which answers keys over plain HTTP; "+
		"write %s or another link-local address, http://%s, or http:// and a loopback address", value, DefaultMetadata, metadataName)
}

// regionOf returns the region in a regional endpoint such as sts.ap-shanghai-fsi.tencentcloudapi.com, or "" for others.
func regionOf(host string) string {
	for label := range strings.SplitSeq(host, ".") {
		if regionPattern.MatchString(label) {
			return label
		}
	}
	return ""
}

// regionPattern matches all regions. No other label of the cloud's hosts contains a dash.
var regionPattern = regexp.MustCompile(`^[a-z]{2}-[a-z]+(-[a-z0-9]+)*$`)

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
