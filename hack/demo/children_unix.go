// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package main

import "syscall"

// endWithUs keeps a terminal's Ctrl-C from the children, which are stopped in their turn.
func endWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
