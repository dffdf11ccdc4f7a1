// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

// wireFields are the documented members of an image (data type Image; SDK cvm v1.1.0).
var wireFields = []string{
	"ImageId", "OsName", "ImageType", "CreatedTime", "ImageName", "ImageDescription", "ImageSize", "Architecture", "ImageState",
	"Platform", "ImageCreator", "ImageSource", "SyncPercent", "IsSupportCloudinit", "SnapshotSet", "Tags", "LicenseType", "ImageFamily",
	"ImageDeprecated", "CdcCacheStatus",
}

// ImageFromWire converts a recorded member of ImageSet to an image, such that the owner (uin; "" for a public image)
// gets exactly the same members back.
func ImageFromWire(recorded []byte, owner string) (Image, error) {
	img := Image{Owner: owner}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(recorded, &members); err != nil {
		return img, err
	}
	known := map[string]json.RawMessage{}
	for _, name := range wireFields {
		if v, ok := members[name]; ok {
			known[name] = v
		} else {
			img.Absent = append(img.Absent, name)
		}
	}
	b, err := json.Marshal(known)
	if err != nil {
		return img, err
	}
	if err := json.Unmarshal(b, &img); err != nil {
		return img, fmt.Errorf("an image that the documentation does not allow: %w", err)
	}
	return img, img.keepRaw(members)
}

// keepRaw sets Raw for members that the fields don't reproduce.
func (i *Image) keepRaw(members map[string]json.RawMessage) error {
	var mine map[string]any
	if err := json.Unmarshal(i.encode(english, i.relationTo(i.Owner), true), &mine); err != nil {
		return err
	}
	for name, v := range members {
		var theirs any
		if err := json.Unmarshal(v, &theirs); err != nil {
			return err
		}
		if got, ok := mine[name]; ok && reflect.DeepEqual(got, theirs) {
			continue
		}
		if i.Raw == nil {
			i.Raw = map[string]json.RawMessage{}
		}
		i.Raw[name] = slices.Clone(v)
	}
	return nil
}
