// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import "slices"

// Record is what a ConfigMap's data was made from.
type Record struct {
	Observed string
	Images   []Image
	Kept     bool
}

// ConfigMap is the data and the state of a ConfigMap. A State of "" stands for a sentence.
type ConfigMap struct {
	Data  map[string]string
	State string
}

// publish updates the record from the selection. What the cloud took out of it stays, what an edit ruled out goes.
func (s State) publish() State {
	next := Record{Observed: s.Observed, Images: s.Selected}
	selected := map[string]bool{}
	for _, i := range s.Selected {
		selected[i.Architecture] = true
	}
	for _, i := range s.Record.Images {
		if !selected[i.Architecture] && s.Record.Observed == s.Observed && s.Scope == s.Spec.scope() && !s.Spec.rulesOut(i) {
			next.Images, next.Kept = append(slices.Clip(next.Images), i), true
		}
	}
	s.Record = next
	return s
}

// ConfigMap returns what a ConfigMap has. exists is false if the query was deleted.
func (r Record) ConfigMap(exists bool) ConfigMap {
	out := ConfigMap{Data: map[string]string{}, State: "Current"}
	if r.Kept || !exists {
		out.State = "Kept"
	}
	if len(r.Images) == 0 {
		out.State = ""
		return out
	}
	if len(r.Images) == 1 {
		out.Data["image_id"] = r.Images[0].ID
	}
	for _, architecture := range architectures {
		var ids []string
		for _, i := range r.Images {
			if i.Architecture == architecture {
				ids = append(ids, i.ID)
			}
		}
		switch {
		case len(ids) == 1:
			out.Data["image_id_"+architecture] = ids[0]
		case len(ids) > 1 && exists:
			out.State = ""
		}
	}
	return out
}
