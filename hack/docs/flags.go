// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/image-catalog/image-catalog-operator/controllers/command"
)

// flagsDocument is the page without its tables.
//
//go:embed flags.md.in
var flagsDocument string

// ofThePod replaces defaults that depend on where the program runs.
var ofThePod = map[string]string{"credentials-namespace": "the pod's own, or `image-catalog-system`"}

// writeFlags writes the flags of the real commands.
func writeFlags() error {
	root := command.NewRoot("manager")
	common := sharedFlags(root)
	var commands strings.Builder
	for _, c := range root.Commands() {
		fmt.Fprintf(&commands, "### %s\n\n`%s`: %s.\n\n%s\n\n", c.Name(), strings.TrimSuffix(c.UseLine(), " [flags]"), c.Short,
			flagTable(c.Flags(), func(f *pflag.Flag) bool { return !common[f.Name] }))
	}
	page := strings.NewReplacer(
		"@manager@", flagTable(root.Flags(), func(*pflag.Flag) bool { return true }),
		"@commands@", strings.TrimSpace(commands.String()),
		"@common@", flagTable(root.Commands()[0].Flags(), func(f *pflag.Flag) bool { return common[f.Name] }),
	).Replace(flagsDocument)
	return os.WriteFile(filepath.Join("docs", "flags.md"), []byte(page), 0o644)
}

// sharedFlags returns the names of flags that every command has.
func sharedFlags(root *cobra.Command) map[string]bool {
	times := map[string]int{}
	for _, c := range root.Commands() {
		c.Flags().VisitAll(func(f *pflag.Flag) { times[f.Name]++ })
	}
	shared := map[string]bool{}
	for name, n := range times {
		shared[name] = n == len(root.Commands())
	}
	return shared
}

func flagTable(flags *pflag.FlagSet, keep func(*pflag.Flag) bool) string {
	var out strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && keep(f) {
			fmt.Fprintf(&out, "| %s | %s | %s |\n", flagName(f), flagDefault(f), cell(f.Usage))
		}
	})
	if out.Len() == 0 {
		return "It has no flags of its own."
	}
	return "| Flag | Default | Meaning |\n|---|---|---|\n" + strings.TrimSpace(out.String())
}

func flagName(f *pflag.Flag) string {
	if f.Shorthand != "" {
		return fmt.Sprintf("`-%s`, `--%s`", f.Shorthand, f.Name)
	}
	return "`--" + f.Name + "`"
}

func flagDefault(f *pflag.Flag) string {
	if text, ok := ofThePod[f.Name]; ok {
		return text
	}
	if f.DefValue == "" || f.DefValue == "[]" {
		return ""
	}
	return "`" + f.DefValue + "`"
}

// cell escapes what would end a cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ").Replace(text)
}
