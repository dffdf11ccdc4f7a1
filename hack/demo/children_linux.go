// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "syscall"

// endWithUs keeps a terminal's Ctrl-C from the children, which are stopped in their turn, and kills them should the demo be killed.
func endWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
