// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"net/url"
	"strconv"
	"time"
)

// links writes addresses relative to a screen, so that the same templates serve a site at any path and files in a folder.
type links struct {
	root   string // the way up: empty, or "../"
	suffix string // empty, or ".html" for files
}

func (l links) Home() string          { return l.screen("", "index") }
func (l links) WaitingScreen() string { return l.screen("waiting", "waiting") }
func (l links) Changes() string       { return l.screen("changes", "changes") }
func (l links) Images() string        { return l.screen("images", "images") }
func (l links) Query(name string) string {
	return l.root + "queries/" + url.PathEscape(name) + l.suffix
}
func (l links) Image(name string) string { return l.root + "images/" + url.PathEscape(name) + l.suffix }
func (l links) Feed(query string) string { return l.root + "feed/" + url.PathEscape(query) + ".json" }
func (l links) Asset(name string) string { return l.root + "assets/" + name + "?v=" + assetVersion }
func (l links) ImagesOf(q string) string { return l.Images() + "?" + url.Values{"query": {q}}.Encode() }

func (l links) screen(served, file string) string {
	switch {
	case l.suffix != "":
		return l.root + file + l.suffix
	case served == "" && l.root == "":
		return "."
	case served == "":
		return l.root
	}
	return l.root + served
}

// Static says whether the screens are files: nothing can be searched there, and every page of a list is a file of its own.
func (l links) Static() bool { return l.suffix != "" }

// pageLink returns the way from one page of a list to another of the same list.
func (l links) pageLink(name string, values url.Values) func(int) string {
	return func(n int) string {
		if l.Static() {
			return numbered(name, n) + l.suffix
		}
		with := url.Values{"page": {strconv.Itoa(n)}}
		for key, value := range values {
			if key != "page" && len(value) > 0 && value[0] != "" {
				with[key] = value[:1]
			}
		}
		return "?" + with.Encode()
	}
}

// numbered is the file of one page of a list. No name of an object has a tilde.
func numbered(name string, n int) string {
	if n <= 1 {
		return name
	}
	return name + "~" + strconv.Itoa(n)
}

// frame is what a template gets: the screen's view, and what every screen has.
type frame struct {
	links

	Title   string
	Section string // of the navigation
	Now     *moment
	Broken  *moment // since when the API server has not answered
	Waiting int     // removals that wait for a person
	View    any
}

// scene is what one answer is made of: the objects at one time.
type scene struct {
	Catalogue

	now  time.Time
	link links
}
