//go:build linux

package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal of 120 columns and returns its end for the program, and what was written to it.
func terminal(t *testing.T) (*os.File, func() string) {
	t.Helper()
	ctrl, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	fd := int(ctrl.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120}); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan string)
	go func() {
		b, _ := io.ReadAll(ctrl) // ends with an error when the other end is closed
		seen <- string(b)
	}()
	return tty, func() string { tty.Close(); defer ctrl.Close(); return <-seen }
}

// TestTerminal: colour on a terminal, none where the user or the terminal does not want it, and the same words in both.
func TestTerminal(t *testing.T) {
	tests := []struct {
		name          string
		noColor, term string
		color         bool
	}{
		{"colour", "", "xterm-256color", true},
		{"NO_COLOR", "1", "xterm-256color", false},
		{"dumb", "", "dumb", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("NO_COLOR", tt.noColor)
			t.Setenv("TERM", tt.term)
			tty, seen := terminal(t)
			status := Main(t.Context(), []string{"drawbridge", "scan", "-f", "testdata/dumps", "--check", "access-entry-cluster-admin"}, strings.NewReader(""), tty, io.Discard)
			text := seen()
			if status != exitFindings {
				t.Errorf("exit status %d", status)
			}
			if got := strings.Contains(text, "\x1b["); got != tt.color {
				t.Errorf("colour %t, want %t:\n%q", got, tt.color, text)
			}
			for _, word := range []string{"HIGH", "access-entry-cluster-admin", "is cluster admin"} {
				if !strings.Contains(text, word) {
					t.Errorf("%q is missing in:\n%s", word, text)
				}
			}
		})
	}
}
