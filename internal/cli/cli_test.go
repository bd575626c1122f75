package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"drawbridge/internal/cli"
	"drawbridge/internal/finding"
)

func TestMain(m *testing.M) {
	program := func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		os.Exit(cli.Main(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr))
	}
	testscript.Main(m, map[string]func(){"drawbridge": program, "kubectl-drawbridge": program})
}

// TestScripts runs testdata/script/*.txtar, each in a folder of its own that has a copy of testdata/dumps: one small
// synthetic cluster with findings of several severities and with gaps. noise.bin beside it is nothing that is read.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("ESC", "\x1b")
			noise := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xfe\x00\x01")
			return errors.Join(os.CopyFS(filepath.Join(e.WorkDir, "dumps"), os.DirFS("testdata/dumps")), os.WriteFile(filepath.Join(e.WorkDir, "noise.bin"), noise, 0o600))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"findings": findings,
			"same":     same,
			"mode":     mode,
			"only":     only,
		},
	})
}

// exits STATUS PROGRAM ARG... runs a program that must end with this exit status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits status program arg...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// findings FILE prints the findings of a result, one a line: status, severity, id and subject.
func findings(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: findings file")
	}
	for _, f := range result(ts, args[0]).Findings {
		fmt.Fprintln(ts.Stdout(), f.Status, f.Severity, f.ID, f.Subject)
	}
}

// same A B checks that two results differ in nothing but their time.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: same file1 file2")
	}
	a, b := result(ts, args[0]), result(ts, args[1])
	a.Time, b.Time = time.Time{}, time.Time{}
	if len(a.Findings)+len(a.Suppressed) == 0 {
		ts.Fatalf("%s has no findings: nothing is compared", args[0])
	}
	if diff := cmp.Diff(a, b); diff != "" {
		ts.Fatalf("%s and %s differ (-first +second):\n%s", args[0], args[1], diff)
	}
}

func result(ts *testscript.TestScript, file string) finding.Result {
	var r finding.Result
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &r))
	return r
}

// mode FILE MODE checks a file's permissions, in octal.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode file mode")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("mode of %s is %s, want %s", args[0], got, args[1])
	}
}

// only DIR FILE... checks that a folder holds these files and no others, not even hidden ones.
func only(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: only folder file...")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(args[1:])), got); diff != "" {
		ts.Fatalf("files in %s (-want +got):\n%s", args[0], diff)
	}
}

// TestExamplesParse holds the examples of every command's help to the flags that it has.
func TestExamplesParse(t *testing.T) {
	var each func(*cobra.Command)
	each = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			each(sub)
		}
		if c.Example == "" && c.Runnable() {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, line := range strings.FieldsFunc(strings.NewReplacer("&&", "\n", "|", "\n").Replace(c.Example), func(r rune) bool { return r == '\n' }) {
			words := strings.Fields(line)
			if len(words) == 0 || words[0] != "drawbridge" {
				t.Errorf("%s: example %q does not call drawbridge", c.CommandPath(), line)
				continue
			}
			called, args, err := cli.Root().Find(words[1:]) // a tree of its own: flags keep what they parsed
			if err != nil {
				t.Errorf("%s: example %q: %v", c.CommandPath(), line, err)
				continue
			}
			err = called.ParseFlags(args)
			err = errors.Join(err, called.ValidateArgs(called.Flags().Args()), called.ValidateRequiredFlags(), called.ValidateFlagGroups())
			if err != nil {
				t.Errorf("%s: example %q: %v", c.CommandPath(), line, err)
			}
		}
	}
	each(cli.Root())
}

// run calls the program in this process.
func run(ctx context.Context, stdin io.Reader, args ...string) (status int, stdout, stderr string) {
	var out, log strings.Builder
	status = cli.Main(ctx, append([]string{"drawbridge"}, args...), stdin, &out, &log)
	return status, out.String(), log.String()
}

// TestInterrupted: whatever is waited for, an interrupt ends it, and nothing is written.
func TestInterrupted(t *testing.T) {
	for _, command := range []string{"scan", "collect"} {
		t.Run(command, func(t *testing.T) {
			dir := t.TempDir()
			stdin, w := io.Pipe() // never closed: somebody types
			defer w.Close()
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				w.Write([]byte(`{"cluster": `)) // returns when it was read
				cancel()
			}()
			output := filepath.Join(dir, "out.json")
			if command == "scan" {
				output = "json=" + output
			}
			status, stdout, stderr := run(ctx, stdin, command, "-f", "-", "-o", output)
			if status != 1 || stdout != "" || stderr != "drawbridge: interrupted; nothing was written\n" {
				t.Errorf("exit status %d, stdout %q, stderr %q", status, stdout, stderr)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
				t.Errorf("left behind: %v, %v", files, err)
			}
		})
	}
}

// TestBrokenPipe: a reader of standard output that goes away is an error, not a success.
func TestBrokenPipe(t *testing.T) {
	var log strings.Builder
	status := cli.Main(t.Context(), []string{"drawbridge", "scan", "-f", "testdata/dumps", "-o", "json"}, strings.NewReader(""), full{}, &log)
	if want := "drawbridge: write json to standard output: write stdout: no space left"; status != 1 || !strings.HasPrefix(log.String(), want) {
		t.Errorf("exit status %d, stderr %q, want 1 and %q", status, log.String(), want)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) {
	return 0, &fs.PathError{Op: "write", Path: "stdout", Err: errors.New("no space left")}
}
