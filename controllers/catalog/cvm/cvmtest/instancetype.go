// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
)

// InstanceType is an instance type that the simulated cloud offers.
type InstanceType struct {
	// Name is a name such as "S5.MEDIUM4".
	Name string `json:"name"`
	// SoldOut makes requests with it fail with ResourcesSoldOut.SpecifiedInstanceType.
	SoldOut bool `json:"soldOut,omitempty"`
}

// DefaultInstanceTypes are the types of a new server: some of the real families. SR1 is an Arm one.
var DefaultInstanceTypes = []string{
	"S1.SMALL1", "S2.SMALL1", "S3.MEDIUM2", "S5.MEDIUM2", "S5.MEDIUM4", "S6.MEDIUM4", "SA2.MEDIUM2", "SA2.MEDIUM4", "SA5.MEDIUM2",
	"GN7.2XLARGE32", "SR1.MEDIUM2", "SR1.LARGE8",
}

type instanceTypes struct {
	mu sync.RWMutex
	m  map[string]InstanceType
}

func (t *instanceTypes) init() {
	t.m = map[string]InstanceType{}
	for _, name := range DefaultInstanceTypes {
		t.m[name] = InstanceType{Name: name}
	}
}

// SetInstanceType adds or changes a type.
func (s *Server) SetInstanceType(t InstanceType) {
	s.types.mu.Lock()
	defer s.types.mu.Unlock()
	s.types.m[t.Name] = t
}

// RemoveInstanceType makes a type unknown.
func (s *Server) RemoveInstanceType(name string) {
	s.types.mu.Lock()
	defer s.types.mu.Unlock()
	delete(s.types.m, name)
}

// InstanceTypes returns the offered types, sorted by name.
func (s *Server) InstanceTypes() []InstanceType {
	s.types.mu.RLock()
	defer s.types.mu.RUnlock()
	var out []InstanceType
	for _, name := range slices.Sorted(maps.Keys(s.types.m)) {
		out = append(out, s.types.m[name])
	}
	return out
}

// instanceTypePattern matches all known type names. That the service calls other names malformed is inferred.
var instanceTypePattern = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*\.[A-Z0-9]+$`)

// check returns the three codes of the API page about InstanceType.
func (t *instanceTypes) check(name string) *refusal {
	if name == "" {
		return nil
	}
	if !instanceTypePattern.MatchString(name) {
		return refuse("InvalidInstanceType.Malformed", fmt.Sprintf("The InstanceType `%.64s` is malformed.", name))
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	switch it, ok := t.m[name]; {
	case !ok:
		return refuse("InvalidParameterValue.InstanceTypeNotFound", fmt.Sprintf("The instance type `%s` does not exist.", name))
	case it.SoldOut:
		return refuse("ResourcesSoldOut.SpecifiedInstanceType", fmt.Sprintf("The instance type `%s` is sold out.", name))
	}
	return nil
}
