package plan_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drawbridge/internal/plan"
)

func TestShell(t *testing.T) {
	tests := []struct{ name, want string }{
		{"arn:aws:iam::111122223333:role/a@b.c_d+e,f=g%h", "arn:aws:iam::111122223333:role/a@b.c_d+e,f=g%h"},
		{"", "''"},
		{"two words", "'two words'"},
		{"it's", `'it'\''s'`},
		{"$(reboot)", "'$(reboot)'"},
		{"`reboot`", "'`reboot`'"},
		{"a;b|c&d>e<f", "'a;b|c&d>e<f'"},
		{"~", "'~'"},
		{"*", "'*'"},
		{"#", "'#'"},
		{"!!", "'!!'"},
		{`back\slash`, `'back\slash'`},
		{"line\nreboot", "'line\uFFFDreboot'"},
		{"\x1b[31m\x00\u009b", "'\uFFFD[31m\uFFFD\uFFFD'"},
		{"broken \xff", "'broken \uFFFD'"},
		{"größe", "'größe'"},
	}
	for _, tt := range tests {
		if got := plan.Shell(tt.name); got != tt.want {
			t.Errorf("%q is quoted as %s, want %s", tt.name, got, tt.want)
		}
	}
	if got, want := plan.Shell("aws", "eks", "delete-access-entry", "--principal-arn", "a b"), "aws eks delete-access-entry --principal-arn 'a b'"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestShellInAShell pastes hostile names into a real shell: each arrives as one argument, and nothing else happens.
func TestShellInAShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no shell to compare with: %v", err)
	}
	dir := t.TempDir()
	hostile := rapid.OneOf(
		rapid.String(),
		rapid.StringOf(rapid.RuneFrom([]rune("a '\"\\$`(){}[]<>|&;*?~!#=%^-\n\t\r\x00\x1b\u009b\u202e"))),
		rapid.SampledFrom([]string{"'; touch owned; '", "$(touch owned)", "`touch owned`", "\ntouch owned\n", "' && touch owned #", `\'; touch owned; \'`, "\"\n touch owned"}),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
	)
	rapid.Check(t, func(t *rapid.T) {
		args := rapid.SliceOfN(hostile, 1, 5).Draw(t, "args")
		line := plan.Shell(append([]string{"printf", `%s\0`}, args...)...)
		if strings.ContainsAny(line, "\n\r\x00\x1b") {
			t.Fatalf("control characters in %q", line)
		}
		cmd := exec.Command(sh, "-c", line)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", line, err, out)
		}
		want := ""
		for _, a := range args {
			want += visible(a) + "\x00"
		}
		if diff := cmp.Diff(want, string(out)); diff != "" {
			t.Fatalf("%s prints (-want +got):\n%s", line, diff)
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
			t.Fatalf("%s made %v, %v", line, files, err)
		}
	})
}

// visible is a name without what no name may hold.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// TestNamesThatTheCLIReads has names that the AWS CLI would not take as they are: it gets them as JSON.
func TestNamesThatTheCLIReads(t *testing.T) {
	const start = "aws eks create-access-entry --cluster-name prod --principal-arn arn:aws:iam::111122223333:role/r"
	for _, tt := range []struct {
		name, username string
		groups         []string
		want           string
	}{
		{"plain", "u", []string{"a", "b c"}, " --username u --kubernetes-groups a 'b c'"},
		{"an option", "", []string{"a", "--endpoint-url=x"}, ` --cli-input-json '{"kubernetesGroups":["a","--endpoint-url=x"]}'`},
		{"a file", "file:///etc/passwd", []string{"a"}, ` --kubernetes-groups a --cli-input-json '{"username":"file:///etc/passwd"}'`},
		{"a list", "u", []string{`["a"]`}, ` --username u --cli-input-json '{"kubernetesGroups":["[\"a\"]"]}'`},
	} {
		c := plan.CreateAccessEntry{Cluster: "prod", PrincipalARN: "arn:aws:iam::111122223333:role/r", Username: tt.username, Groups: tt.groups}
		if got := plan.Command(c); got != start+tt.want {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}
