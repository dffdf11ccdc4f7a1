// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"strconv"
)

// export writes the screens as files into one folder.
type export struct {
	*Server
	scene

	root *os.Root
}

// Export writes all screens, feeds and assets into a folder, which must be new or empty: an older export there would leave pages
// of what has been deleted since. Search and filters are left out, since files can't answer.
func (s *Server) Export(folder string) error {
	if entries, err := os.ReadDir(folder); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty: name a new folder", folder)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	e := export{Server: s, scene: scene{Catalogue: s.Catalogue, now: s.Now(), link: links{suffix: ".html"}}, root: root}
	return errors.Join(e.all(), root.Close())
}

func (e export) all() error {
	for _, step := range []func() error{e.assets, e.lists, e.queries, e.images} {
		if err := step(); err != nil {
			return fmt.Errorf("exporting: %w", err)
		}
	}
	return nil
}

func (e export) assets() error {
	for _, name := range assets {
		content, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			return err
		}
		if err := e.write("assets/"+name, content); err != nil {
			return err
		}
	}
	return nil
}

// lists writes every page of the four lists.
func (e export) lists() error {
	for name, show := range map[string]func(scene, url.Values) (screen, pager){
		"index": nowScreen, "waiting": waitingScreen, "changes": changesScreen, "images": imagesScreen,
	} {
		if err := e.pages(name, show); err != nil {
			return err
		}
	}
	return nil
}

func (e export) queries() error {
	e.link.root = "../"
	for _, query := range e.Queries() {
		err := e.pages("queries/"+query.Name, func(s scene, values url.Values) (screen, pager) { return queryScreen(s, query, values) })
		if err != nil {
			return err
		}
		content, err := feedJSON(query)
		if err != nil {
			return err
		}
		if err := e.write("feed/"+query.Name+".json", content); err != nil {
			return err
		}
	}
	return nil
}

func (e export) images() error {
	e.link.root = "../"
	for image := range e.Images() {
		if err := e.screen("images/"+image.Name, imageScreen(e.scene, image)); err != nil {
			return err
		}
	}
	return nil
}

// pages writes each page of a list.
func (e export) pages(name string, show func(scene, url.Values) (screen, pager)) error {
	for n := 1; ; n++ {
		shown, p := show(e.scene, url.Values{"page": {strconv.Itoa(n)}})
		if err := e.screen(numbered(name, n), shown); err != nil {
			return err
		}
		if n >= p.Pages {
			return nil
		}
	}
}

func (e export) screen(name string, shown screen) error {
	content, err := e.render(e.scene, shown)
	if err != nil {
		return err
	}
	return e.write(name+e.link.suffix, content)
}

func (e export) write(name string, content []byte) error {
	if err := e.root.MkdirAll(path.Dir(name), 0o750); err != nil {
		return err
	}
	return e.root.WriteFile(name, content, 0o640)
}
