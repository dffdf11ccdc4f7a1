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

// endpoint is the API's address as the SDK wants it: a scheme in capitals and a host with an optional port.
type endpoint struct{ scheme, host string }

// hostPattern admits DNS names and IPv4 addresses. The SDK would take anything else apart in its own way: of "a.b/c"
// it makes a host and a path.
var hostPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// parseEndpoint reads the value of --cvm-endpoint. Keys are signed, not sent, yet an answer over plain HTTP could be
// anybody's, and images are booted from it: http:// is for the simulator on the same machine.
func parseEndpoint(value string) (endpoint, error) {
	refuse := func(why string) (endpoint, error) {
		return endpoint{}, fmt.Errorf("the endpoint %q %s; write a host such as %s, with https:// or without, "+
			"and http:// only before a loopback address such as 127.0.0.1:8080", value, why, DefaultEndpoint)
	}
	text := value
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
	return endpoint{scheme: strings.ToUpper(u.Scheme), host: u.Host}, nil
}

// usablePort says whether there is no port and no colon, or a port that can be connected to.
func usablePort(u *url.URL) bool {
	if u.Host == u.Hostname() {
		return true
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
