// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package preview shows what a query would select before it is applied, by the operator's own code.
//
//	documents.go  the queries of files, admitted as the API server admits them
//	recording.go  what the cloud answered, as a file; records it and plays it back
//	preview.go    one query decided, against its present status
//	report.go     the result as data: what -o json prints
//	print.go      the result for people
package preview
