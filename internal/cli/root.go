// Package cli is the command line: one file a command. A command parses flags into options, wires sources, checks and
// reports together, and calls one function. It holds no logic, and it is the only place where errors become text and
// exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// env is what a command may touch of the world around it.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time
}

// Main runs drawbridge as args say and returns its exit status (docs: README, "Exit status").
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	e := &env{stdin: &interruptible{ctx, stdin}, stdout: stdout, stderr: stderr, now: time.Now}
	root := newRoot(e, commandName(args))
	root.SetArgs(args[1:])
	root.SetIn(e.stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	called, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{code: exitUsage, err: err, hint: "see `" + called.CommandPath() + " --help`"} // cobra's own errors are about usage
	}
	if exit.err != nil {
		if errors.Is(exit.err, context.Canceled) {
			exit.err = errors.New("interrupted; nothing was written")
		}
		fmt.Fprintf(stderr, "drawbridge: %s\n", printable(exit.err.Error()))
	}
	if exit.hint != "" {
		fmt.Fprintf(stderr, "hint: %s\n", printable(exit.hint))
	}
	return exit.code
}

// commandName is how the user called us: as drawbridge, or as `kubectl drawbridge` through kubectl's plugin mechanism.
func commandName(args []string) string {
	if strings.HasPrefix(filepath.Base(args[0]), "kubectl-") {
		return "kubectl drawbridge"
	}
	return "drawbridge"
}

func newRoot(e *env, name string) *cobra.Command {
	root := &cobra.Command{
		Use:   "drawbridge",
		Short: "Secure the identity of Amazon EKS clusters in both directions",
		Long: `drawbridge looks at who gets from AWS into an EKS cluster (access entries, aws-auth, RBAC) and at what
gets from the cluster out to AWS (Pod Identity, IRSA, node roles), and says what is wrong with it,
with evidence, and what could not be read.

Only migrate --apply and migrate rollback change clusters and accounts. Results go to standard output, everything else to
standard error.`,
		Example: `  drawbridge scan --demo
  drawbridge scan --cluster prod --region eu-central-1
  drawbridge collect --all-clusters -o fleet.json.zst && drawbridge scan -f fleet.json.zst`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: name},
	}
	root.AddCommand(newScan(e), newCollect(e), newAccess(e), newPaths(e), newMigrate(e), newDetect(e), newDetections(e), newExplain(e), newConvert(e), newVersion(e))
	return root
}

// Exit statuses (shared contract: these numbers do not change).
const (
	exitOK         = 0
	exitFailed     = 1 // could not do it
	exitUsage      = 2 // called wrongly
	exitFindings   = 3 // findings at or above --fail-on
	exitIncomplete = 4 // gaps, with --require-complete
)

// exitError carries an exit status, and the text and hint that go with it, if any.
type exitError struct {
	code int
	err  error
	hint string
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func failed(err error, hint string) error { return &exitError{code: exitFailed, err: err, hint: hint} }

func usage(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// printable makes control characters of names visible, so that nothing that was read can steer a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\uFFFD'
		}
		return r
	}, s)
}

// version is the version of this build as Go recorded it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// Root returns the command tree, for the pages that are written from it.
func Root() *cobra.Command {
	return newRoot(&env{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, now: time.Now}, "drawbridge")
}
