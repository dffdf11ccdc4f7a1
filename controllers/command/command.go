// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

// Package command has the commands of the binary manager: command.go finds the one that the arguments name.
//
// Without a name that is the operator: operator.go parses its flags (options.go) and wires cvm → catalog → controllers.
// controllers/doc.go describes the operator. Each other command has a file that parses its flags and calls the package that does
// the work; kubeconfig.go has the flags of those that read the cluster.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"
)

// plugin is the name of a copy of the binary by which kubectl finds it as `kubectl imgq`.
const plugin = "kubectl-imgq"

// Main runs the command that the arguments name, and returns the exit code of the process.
func Main(program string, args []string) int {
	return execute(ctrl.SetupSignalHandler(), program, args, os.Stdout, os.Stderr)
}

// execute runs the command until the context ends. Results go to out, and what is for people only to errOut.
func execute(ctx context.Context, program string, args []string, out, errOut io.Writer) int {
	root := NewRoot(program) //nolint:contextcheck // cobra hands the context to the commands
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	called, err := root, error(nil)
	if operates(root, args) {
		err = operate(ctx, root, args)
	} else {
		called, err = root.ExecuteContextC(ctx)
	}
	code := exitCode(err)
	if err != nil && err.Error() != "" {
		_, _ = fmt.Fprintf(errOut, "%s: %s\n", called.CommandPath(), strings.TrimSuffix(err.Error(), "\n"))
	}
	return code
}

// NewRoot returns the command that all others belong to. It is called as the program is: a plugin of kubectl is no operator.
func NewRoot(program string) *cobra.Command {
	root := &cobra.Command{
		Use:   "manager",
		Short: "The operator that brings Tencent Cloud's catalogue of CVM images into Kubernetes",
		Long: "Without a command, the manager is the operator, and takes the flags below.\n" +
			"Its commands answer questions about the catalogue; a copy of the binary named " + plugin + " is the plugin `kubectl imgq`.",
		Version:       buildVersion(),
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	if isPlugin(program) {
		root.Use = plugin
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl imgq"}
		root.Short = "Asks about images of Tencent Cloud, in the catalogue and before a query is applied"
		root.Long = ""
	} else {
		// For help and completion: operate parses them.
		f := newFlagSet()
		new(options).bind(f)
		root.Flags().AddGoFlagSet(f)
		root.Run = func(*cobra.Command, []string) {}
	}
	root.AddCommand(commands()...)
	return root
}

// commands returns the commands besides the operator: add one here. A command that reads the cluster gets its flags, and a client's
// configuration, by bindKubeconfig.
func commands() []*cobra.Command {
	return []*cobra.Command{newPreview(), newRecord(), newStatus(), newWhy(), newID(), newApprove(), newPage()}
}

// isPlugin reports whether the program has the name of the plugin.
func isPlugin(program string) bool {
	return strings.TrimSuffix(filepath.Base(program), ".exe") == plugin
}

// operates reports whether the arguments are the operator's: they name no command. The operator's flags are of package flag, which
// also takes them with one dash.
func operates(root *cobra.Command, args []string) bool {
	return root.Name() != plugin && (len(args) == 0 || strings.HasPrefix(args[0], "-"))
}

// exitError is an error, or the end of a command without one, with the exit code that it asks for.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// exitCode returns the exit code for an error: 1, unless it asks for another one.
func exitCode(err error) int {
	exit := exitError{}
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.code
	}
	return 1
}
