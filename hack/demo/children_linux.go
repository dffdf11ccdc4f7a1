// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "syscall"

// childAttributes shields children from a terminal's Ctrl-C, since they are stopped in order, and kills them if the demo is
// killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
