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

// endpoint is an API's address as the SDK wants it: a scheme in capitals and a host with an optional port. The host may
// contain placeholder; in finds the address for a region.
type endpoint struct{ scheme, host string }

// placeholder stands for the region that is asked for.
const placeholder = "{region}"

// in is the endpoint for a region. The finance regions are apart from all others and answer at hosts of their own, which
// the SDK never derives; the cloud's common hosts therefore mean those for them.
func (e endpoint) in(region string) endpoint {
	if isFinance(region) && (e.host == DefaultEndpoint || e.host == DefaultSTS) {
		service, domain, _ := strings.Cut(e.host, ".")
		e.host = service + "." + region + "." + domain
	}
	e.host = strings.ReplaceAll(e.host, placeholder, region)
	return e
}

// serves says whether a region can be there at all: a finance region is nowhere but at its own host, and nothing else is
// at that.
func (e endpoint) serves(region string) bool {
	host := regionOf(e.in(region).host)
	return host == region || !isFinance(host) && !isFinance(region)
}

// isFinance says whether a region is one of the finance regions.
func isFinance(region string) bool { return strings.HasSuffix(region, "-fsi") }

// fitsHost is what a region must look like to be a part of a host.
var fitsHost = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// hostPattern admits DNS names and IPv4 addresses. The SDK would take anything else apart in its own way: of "a.b/c"
// it makes a host and a path.
var hostPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// parseEndpoint reads the value of --cvm-endpoint or --sts-endpoint. Keys are signed, not sent, yet an answer over
// plain HTTP could be anybody's, and images are booted from it: http:// is for the simulator on the same machine.
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

// placeholderRegion is in the place of placeholder while an endpoint is read. It is no region and no host has it.
const placeholderRegion = "xx-placeholder-for-the-region"

// usablePort says whether there is no port and no colon, or a port that can be connected to.
func usablePort(u *url.URL) bool {
	if u.Host == u.Hostname() {
		return true
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}

// parseMetadata reads the value of --metadata-endpoint. The metadata service speaks plain HTTP and its answers are
// keys, so it is nowhere but on the node: under its own name, at a link-local address, or simulated at a loopback one.
func parseMetadata(value string) (string, error) {
	text := value
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err == nil && u.Scheme == "http" && u.User == nil && u.RawQuery == "" && u.Fragment == "" && (u.Path == "" || u.Path == "/") && usablePort(u) {
		host := u.Hostname()
		if ip := net.ParseIP(host); host == metadataName || loopback(host) || ip != nil && ip.IsLinkLocalUnicast() {
			return "http://" + u.Host, nil
		}
	}
	return "", fmt.Errorf("the endpoint %q is not one of a metadata service, which answers keys over plain HTTP; "+
		"write %s or another link-local address, http://%s, or http:// and a loopback address", value, DefaultMetadata, metadataName)
}

// regionOf is the region in a regional endpoint, such as sts.ap-shanghai-fsi.tencentcloudapi.com, empty in others.
func regionOf(host string) string {
	for label := range strings.SplitSeq(host, ".") {
		if regionPattern.MatchString(label) {
			return label
		}
	}
	return ""
}

// regionPattern is the form of all regions. No other label of the cloud's hosts has a dash.
var regionPattern = regexp.MustCompile(`^[a-z]{2}-[a-z]+(-[a-z0-9]+)*$`)

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
