// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
)

// Image is an image as one account sees it. A larger Created is newer.
type Image struct {
	ID, Name, Architecture, Type, Creator, State string

	Created int64
}

func (i Image) normal() bool { return i.State == "NORMAL" }

// Listing is one answer of the cloud. Exist has the images that it finds by id, even if the listing lacks them. If the
// listing contradicts itself, Unsettled is set.
type Listing struct {
	Shown, Exist []Image
	Unsettled    bool
}

// Spec is the part of an ImageQuery's spec that lives use.
type Spec struct {
	Account, Region string
	ImageIDs        []string

	NameRegex string
	Exclude   []string

	Trusted, Pin []string
	Limit        int

	// Policy is All, Selected or None.
	Policy string

	// Grace is set if the grace period is longer than a life. Otherwise it is zero.
	Grace bool

	MaxRemovedPercent int
	Suspend           bool
}

func (s Spec) scope() [2]string { return [2]string{s.Account, s.Region} }

// observed is what status.observedQuery stands for.
func (s Spec) observed() string { return key(s.scope(), s.ImageIDs, s.NameRegex, s.Exclude) }

// asks is the part of it that the cloud is asked.
func (s Spec) asks() string { return key(s.scope(), s.ImageIDs) }

func (s Spec) matches(i Image) bool {
	return (s.ImageIDs == nil || slices.Contains(s.ImageIDs, i.ID)) && s.names(i) && !slices.Contains(s.Exclude, i.ID)
}

func (s Spec) names(i Image) bool {
	return s.NameRegex == "" || regexp.MustCompile(s.NameRegex).MatchString(i.Name)
}

// trusts reports whether an image may be selected: other accounts choose the names of what they share.
func (s Spec) trusts(i Image) bool {
	return i.Type == "PRIVATE_IMAGE" || i.Type == "PUBLIC_IMAGE" || slices.Contains(s.Trusted, i.Creator) || slices.Contains(s.ImageIDs, i.ID)
}

// rulesOut reports whether the spec itself, and not the cloud, takes an image out of the selection.
func (s Spec) rulesOut(i Image) bool {
	return slices.Contains(s.Exclude, i.ID) || !s.names(i) || !s.trusts(i)
}

func newestFirst(a, b Image) int {
	return cmp.Or(cmp.Compare(b.Created, a.Created), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
}

func find(images []Image, id string) (Image, bool) {
	i := slices.IndexFunc(images, func(i Image) bool { return i.ID == id })
	if i < 0 {
		return Image{}, false
	}
	return images[i], true
}

func has(images []Image, id string) bool {
	_, found := find(images, id)
	return found
}

// key encodes values for comparison.
func key(values ...any) string {
	out, err := json.Marshal(values)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return string(out)
}
