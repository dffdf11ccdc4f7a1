// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"go/ast"
	"go/token"
	"strings"
)

// key identifies a mutant wherever its line moves to.
type key struct {
	File     string `json:"file"`
	Function string `json:"function"`
	// Code is the line, with a mark before what is changed: if a »< b {
	Code    string `json:"code"`
	Mutator string `json:"mutator"`
}

func (k key) compare(other key) int {
	return cmp.Or(cmp.Compare(k.File, other.File), cmp.Compare(k.Function, other.Function), cmp.Compare(k.Code, other.Code),
		cmp.Compare(k.Mutator, other.Mutator))
}

// source is a parsed file.
type source struct {
	name string
	text string
	set  *token.FileSet
	file *ast.File
}

func (s *source) keyOf(at token.Position, mutator string) key {
	line := strings.Split(s.text, "\n")[at.Line-1]
	return key{s.name, s.functionAt(at.Line), strings.TrimSpace(line[:at.Column-1] + "»" + line[at.Column-1:]), mutator}
}

// functionAt returns the function that has a line, or "".
func (s *source) functionAt(line int) string {
	for _, declaration := range s.file.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if ok && s.set.Position(f.Pos()).Line <= line && line <= s.set.Position(f.End()).Line {
			return f.Name.Name
		}
	}
	return ""
}
