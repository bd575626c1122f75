package authenticator

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cut is CutRow for tests that look at the text.
func cut(kind Kind, block string, index int) (string, error) {
	_, rest, err := CutRow(kind, block, index)
	return rest, err
}

func TestCutRow(t *testing.T) {
	const commented = `# people
- rolearn: arn:aws:iam::111122223333:role/a # the first
  username: a
  groups:
  - system:masters

# machines
- groups: [nodes]
  rolearn: arn:aws:iam::111122223333:role/b
  username: b
-
  rolearn: arn:aws:iam::111122223333:role/c
  username: c
# the end
`
	tests := []struct {
		name, block string
		index       int
		want        string // "" for an error
	}{
		{"the first, comments stay", commented, 0, strings.Replace(commented, "- rolearn: arn:aws:iam::111122223333:role/a # the first\n  username: a\n  groups:\n  - system:masters\n", "", 1)},
		{"one between", commented, 1, strings.Replace(commented, "- groups: [nodes]\n  rolearn: arn:aws:iam::111122223333:role/b\n  username: b\n", "", 1)},
		{"the last", commented, 2, strings.Replace(commented, "-\n  rolearn: arn:aws:iam::111122223333:role/c\n  username: c\n", "", 1)},
		{"indented", "  - rolearn: arn:aws:iam::111122223333:role/a\n  - rolearn: arn:aws:iam::111122223333:role/b\n", 0, "  - rolearn: arn:aws:iam::111122223333:role/b\n"},
		{"the only one", "- rolearn: arn:aws:iam::111122223333:role/a\n", 0, "[]\n"},
		{"JSON", `[{"rolearn":"arn:aws:iam::111122223333:role/a"},{"rolearn":"arn:aws:iam::111122223333:role/b"}]`, 0, `[{"rolearn": "arn:aws:iam::111122223333:role/b"}]` + "\n"},
		{"no line end", "- rolearn: arn:aws:iam::111122223333:role/a\n- rolearn: arn:aws:iam::111122223333:role/b", 1, "- rolearn: arn:aws:iam::111122223333:role/a\n"},
		{"Windows line ends", "- rolearn: arn:aws:iam::111122223333:role/a\r\n- rolearn: arn:aws:iam::111122223333:role/b\r\n", 0, "- rolearn: arn:aws:iam::111122223333:role/b\r\n"},
		{"a row that others refer to", "- &a {rolearn: 'arn:aws:iam::111122223333:role/a', groups: [x]}\n- *a\n", 0, ""},
		{"a twin", "- {rolearn: 'arn:aws:iam::111122223333:role/a'}\n- {rolearn: 'arn:aws:iam::111122223333:role/a'}\n", 1, "- {rolearn: 'arn:aws:iam::111122223333:role/a'}\n"},
		{"no such row", commented, 3, ""},
		{"no such row before the first", commented, -1, ""},
		{"not a list", "a: b", 0, ""},
		{"not YAML", "- a: [", 0, ""},
		{"nothing", "", 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := cut(KindRole, tt.block, tt.index)
			if (err != nil) != (tt.want == "") {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzCutRow: whatever the text, what comes out reads as what went in without the row; and never a panic.
func FuzzCutRow(f *testing.F) {
	f.Add("- {rolearn: 'arn:aws:iam::111122223333:role/a'}\n# c\n- rolearn: b\n  groups: [x]\n", 0)
	f.Add("- &a {rolearn: 'arn:aws:iam::111122223333:role/a'}\n- <<: *a\n  username: n\n", 1)
	f.Add(`[{"rolearn":"a","groups":["b"]}]`, 0)
	f.Add("- - a\n  - b\n- rolearn: |\n    - x\n", 1)
	f.Fuzz(func(t *testing.T, block string, index int) {
		row, got, err := CutRow(KindUser, block, index)
		if err != nil {
			return
		}
		before, broken := rowsOf(KindUser, block)
		if broken > 0 {
			return // what nobody reads is cut by its letters
		}
		after, _ := rowsOf(KindUser, got)
		if len(after) != len(before)-1 {
			t.Fatalf("%d rows became %d:\n%q\n%q", len(before), len(after), block, got)
		}
		if diff := cmp.Diff(before[index].Read, row.Read); diff != "" {
			t.Fatalf("the row reads otherwise alone:\n%s", diff)
		}
		if diff := cmp.Diff(before[index].Written, row.Written); diff != "" || row.Index != index || row.Line != before[index].Line {
			t.Fatalf("the row alone is at %d, line %d: %s", row.Index, row.Line, diff)
		}
		if rest, err := withoutRow(KindUser, block, index, before, broken); err == nil && rest != got {
			t.Fatalf("cut by its letters\n%q\nby what it reads\n%q", got, rest)
		}
		for i, row := range after {
			old := before[i]
			if i >= index {
				old = before[i+1]
			}
			if diff := cmp.Diff(old.Read, row.Read); diff != "" {
				t.Fatalf("row %d reads otherwise:\n%s", i, diff)
			}
		}
	})
}
