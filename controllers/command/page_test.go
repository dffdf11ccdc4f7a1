// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import "testing"

// Whoever reaches the port sees what the page's account may read, so only this machine reaches it.
func TestThePageListensOnLoopbackOnly(t *testing.T) {
	t.Setenv("KUBECONFIG", "/nowhere")
	t.Setenv("HOME", t.TempDir())
	for _, address := range []string{":8090", "0.0.0.0:8090", "[::]:8090", "10.0.0.1:8090", "example.com:8090", "localhost.example.com:8090"} {
		call(t, "manager", "page --bind-address="+address).expect(t, 1, "", "manager page: --bind-address must be a loopback address")
	}
	call(t, "manager", "page --bind-address=8090").expect(t, 1, "", "missing port")
	for _, address := range []string{"127.0.0.1:0", "127.8.9.1:0", "[::1]:0", "localhost:0"} {
		call(t, "manager", "page --bind-address="+address).expect(t, 1, "", "manager page: finding the cluster: ")
	}
}
