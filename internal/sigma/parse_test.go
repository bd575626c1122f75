package sigma

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const head = "title: t\nlogsource: {product: aws, service: cloudtrail}\n"

// show writes a condition in the shortest form that tells trees apart.
func show(x Expr) string {
	list := func(name string, all []Expr) string {
		var s []string
		for _, x := range all {
			s = append(s, show(x))
		}
		return name + "(" + strings.Join(s, " ") + ")"
	}
	switch x := x.(type) {
	case And:
		return list("and", x)
	case Or:
		return list("or", x)
	case Not:
		return "not(" + show(x.X) + ")"
	case *Match:
		var s []string
		for i := range x.Values {
			s = append(s, x.Values[i].String())
		}
		word := x.Op.String()
		if x.All {
			word += "|all"
		}
		if x.Cased {
			word += "|cased"
		}
		return fmt.Sprintf("%s %s %s", x.Field, word, strings.Join(s, ","))
	}
	return "nothing"
}

func TestConditions(t *testing.T) {
	const abc = "  sel_a: {a: 1}\n  sel_b: {b: 2}\n  filter_c: {c: 3}\n  _hidden: {d: 4}\n"
	for _, c := range []struct{ name, detection, want string }{
		{"one", abc + "  condition: sel_a", "a equals 1"},
		{"or binds least", abc + "  condition: sel_a or sel_b and not filter_c", "or(a equals 1 and(b equals 2 not(c equals 3)))"},
		{"parentheses", abc + "  condition: (sel_a or sel_b) and filter_c", "and(or(a equals 1 b equals 2) c equals 3)"},
		{"not not", abc + "  condition: not not sel_a", "not(not(a equals 1))"},
		{"1 of pattern", abc + "  condition: 1 of sel_*", "or(a equals 1 b equals 2)"},
		{"all of pattern", abc + "  condition: all of sel_* and not 1 of filter_*", "and(and(a equals 1 b equals 2) not(c equals 3))"},
		{"star inside", abc + "  condition: all of s*_b", "b equals 2"},
		{"1 of them leaves out _", abc + "  condition: 1 of them", "or(a equals 1 b equals 2 c equals 3)"},
		{"all of them", abc + "  condition: all of them", "and(a equals 1 b equals 2 c equals 3)"},
		{"a pattern may name _", abc + "  condition: 1 of _*", "d equals 4"},
		{"a list is or", abc + "  condition: [sel_a, sel_b and filter_c]", "or(a equals 1 and(b equals 2 c equals 3))"},
		{"selections that are called like words", "  all: {a: 1}\n  1: {b: 2}\n  condition: all and 1", "and(a equals 1 b equals 2)"},
		{"maps are and, lists or", "  s:\n    a: [1, 2]\n    b|endswith: x\n  condition: s", "and(a equals 1,2 b endswith x)"},
		{"list of maps", "  s:\n  - {a: 1, b: 2}\n  - {c: 3}\n  condition: s", "or(and(a equals 1 b equals 2) c equals 3)"},
		{"keywords", "  s: [one, two*]\n  condition: s", " contains one,two*"},
		{"keywords and maps", "  s: [one, {a: 1}]\n  condition: s", "or(a equals 1  contains one)"},
		{"all keywords", "  s:\n    '|all': [one, two]\n  condition: s", " contains|all one,two"},
		{"keywords by regular expression", "  s:\n    '|re': [one]\n  condition: s", " re one"},
		{"null and absence", "  s: {a: null, b|exists: false}\n  condition: s", "and(a equals null b exists false)"},
		{"null in a list", "  s: {a: [x, null]}\n  condition: s", "a equals x,null"},
		{"fieldref", "  s: {a|fieldref: b.c, d|fieldref|cased: e}\n  condition: s", "and(a fieldref b.c d fieldref|cased e)"},
		{"folded text", "  a: {a: 1}\n  b: {b: 1}\n  condition: >-\n    a\n    and b", "and(a equals 1 b equals 1)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules, err := Parse("t.yml", []byte(head+"detection:\n"+c.detection+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, show(rules[0].Condition)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRule(t *testing.T) {
	text, err := os.ReadFile("testdata/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := Parse("testdata/rules.yml", text)
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) != 4 {
		t.Fatalf("%d rules, want 4", len(rules))
	}
	r := *rules[0]
	source := r.Source
	r.Condition, r.Source = nil, ""
	want := Rule{
		ID: "3d9a3c0e-6f0e-4b6b-9a53-000000000001", Name: "entry-created", Title: "Access entry created", Status: "stable",
		Description: "Somebody made an access entry.", Author: "drawbridge", Date: "2026-11-23", Modified: "2026-11-24",
		References: []string{"https://example.com/a"}, Tags: []string{"attack.persistence", "attack.t1098.006"}, FalsePositives: []string{"pipelines"},
		Level: "high", LogSource: LogSource{Product: "aws", Service: "cloudtrail"},
		Custom: map[string]any{"message": "{drawbridge.actor} did it", "subject": map[string]any{"kind": "AccessEntry", "n": int64(3), "f": 1.5, "b": true, "z": nil, "l": []any{"x"}}},
		File:   "testdata/rules.yml", Line: 2,
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(source, "title: Access entry created\n") || strings.Contains(source, "---") {
		t.Errorf("source is %q", source)
	}
	if diff := cmp.Diff([]string{"T1098.006"}, r.Techniques()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"eventSource", "eventName"}, Fields(rules[0].Condition)); diff != "" {
		t.Error(diff)
	}
	correlations := []*Correlation{
		{
			Type: "temporal_ordered", Rules: []string{"entry-created", "entry-deleted"}, GroupBy: []string{"arn"}, Timespan: time.Hour, Op: "gte", Count: 2,
			Aliases: map[string]map[string]string{"arn": {"entry-created": "requestParameters.principalArn", "entry-deleted": "requestParameters.principalArn"}}, Generate: true,
		},
		{Type: "value_count", Rules: []string{"entry-created"}, GroupBy: []string{"userIdentity.arn"}, Timespan: 90 * time.Minute, Op: "gt", Count: 5, Field: "requestParameters.name"},
	}
	for i, want := range correlations {
		if diff := cmp.Diff(want, rules[i+2].Correlation); diff != "" {
			t.Error(diff)
		}
	}
	if rules[3].Line != 45 {
		t.Errorf("the last rule is in line %d", rules[3].Line)
	}
}

func TestProblems(t *testing.T) {
	detect := func(s string) string { return head + "detection:\n" + s }
	correlate := func(s string) string { return "title: t\ncorrelation:\n" + s }
	for _, c := range []struct{ name, text, want string }{
		{"not YAML", "title: [", "r.yml:2:1: read YAML: while parsing"},
		{"tab", "title:\n\tx: y", "r.yml:2:"},
		{"not a mapping", "- a", "r.yml:1:1: a rule: want a mapping"},
		{"nothing in it", "title: t", "r.yml:1:1: a rule needs a detection or a correlation"},
		{"no title", detect("  s: {a: b}\n  condition: s")[9:], "r.yml:1:1: a rule needs a title"},
		{"no logsource", "title: t\ndetection:\n  s: {a: b}\n  condition: s", "r.yml:1:1: a rule needs a logsource"},
		{"unknown member", head + "lewel: high\ndetection:\n  s: {a: b}\n  condition: s", `r.yml:3:1: a rule has no "lewel"`},
		{"unknown level", head + "level: hi\ndetection:\n  s: {a: b}\n  condition: s", `r.yml:3:8: level: "hi" is none of`},
		{"bad id", head + "id: abc\ndetection:\n  s: {a: b}\n  condition: s", `r.yml:3:5: id: want a UUID`},
		{"bad date", head + "date: 2026/01/01\ndetection:\n  s: {a: b}\n  condition: s", `r.yml:3:7: date: want YYYY-MM-DD`},
		{"second document", detect("  s: {a: b}\n  condition: s\n---\ntitle: 5\nbad: x"), `r.yml:8:1: a rule has no "bad"`},
		{"key twice", detect("  s:\n    a: b\n    a: c\n  condition: s"), `"a" is there twice`},
		{"unknown modifier", detect("  s:\n    f|contain: b\n  condition: s"), `r.yml:5:5: there is no modifier "contain" here`},
		{"modifier of the specification", detect("  s:\n    f|expand: b\n  condition: s"), `r.yml:5:5: modifier expand is not read: there is nothing`},
		{"utf16", detect("  s:\n    f|wide|base64: b\n  condition: s"), `modifier wide is not read`},
		{"neq", detect("  s:\n    f|neq: b\n  condition: s"), `modifier neq is not read: write a selection of its own`},
		{"two comparisons", detect("  s:\n    f|contains|re: b\n  condition: s"), "modifiers contains and re do not go together"},
		{"flag without re", detect("  s:\n    f|i: b\n  condition: s"), `there is no modifier "i" here`},
		{"cased re", detect("  s:\n    f|re|cased: b\n  condition: s"), "modifiers cased and re do not go together"},
		{"all of one", detect("  s:\n    f|contains|all: b\n  condition: s"), "modifier all needs more than one value"},
		{"all of numbers", detect("  s:\n    f|lt|all: [1, 2]\n  condition: s"), "modifiers all and lt do not go together"},
		{"modifier twice", detect("  s:\n    f|cased|cased: b\n  condition: s"), "modifier cased is there twice"},
		{"number wanted", detect("  s:\n    f|lt: abc\n  condition: s"), "r.yml:5:11: modifier lt wants a number"},
		{"quoted number", detect("  s:\n    f|lt: '5'\n  condition: s"), "modifier lt wants a number"},
		{"hexadecimal", detect("  s:\n    f: 0x10\n  condition: s"), "0x10 is not a decimal number"},
		{"octal", detect("  s:\n    f: 0777\n  condition: s"), "0777 is not a decimal number"},
		{"exists", detect("  s:\n    f|exists: yes please\n  condition: s"), "modifier exists wants true or false"},
		{"exists list", detect("  s:\n    f|exists: [true, false]\n  condition: s"), "modifier exists has one value"},
		{"bad cidr", detect("  s:\n    f|cidr: 10.0.0.1\n  condition: s"), "is not a network in CIDR notation"},
		{"bad re", detect("  s:\n    f|re: 'a('\n  condition: s"), "r.yml:5:11: error parsing regexp: missing closing )"},
		{"lookahead", detect("  s:\n    f|re: 'a(?!b)'\n  condition: s"), "error parsing regexp"},
		{"huge re", detect("  s:\n    f|re: '((a{100}){100}){100}'\n  condition: s"), "rror"},
		{"big re", detect("  s:\n    f|re: '(abcdefghijkl){900}'\n  condition: s"), "too big with its repetitions"},
		{"null with modifier", detect("  s:\n    f|contains: null\n  condition: s"), "null is a value of its own"},
		{"empty contains", detect("  s:\n    f|contains: ''\n  condition: s"), "matches everything"},
		{"keyword star", detect("  s: ['*']\n  condition: s"), "matches everything"},
		{"base64 with wildcard", detect("  s:\n    f|base64: 'a*'\n  condition: s"), "a value with wildcards cannot be encoded"},
		{"base64offset too short", detect("  s:\n    f|base64offset|contains: a\n  condition: s"), "too short to be recognised"},
		{"base64offset without contains", detect("  s:\n    f|base64offset: abcdef\n  condition: s"), "needs contains"},
		{"windash", detect("  s:\n    f|windash: '-----'\n  condition: s"), "more than 4 dashes"},
		{"empty list", detect("  s:\n    f: []\n  condition: s"), "the list is empty"},
		{"empty map", detect("  s: {}\n  condition: s"), "not an empty one"},
		{"nested value", detect("  s:\n    f: {a: b}\n  condition: s"), "want a value, not a list or map"},
		{"list of lists", detect("  s: [[a]]\n  condition: s"), "want maps or keywords in the list"},
		{"no field", detect("  s:\n    '': b\n  condition: s"), "want the name of a field"},
		{"no condition", detect("  s: {a: b}"), "there is no condition"},
		{"unknown selection", detect("  s: {a: b}\n  condition: s and t"), `r.yml:5:20: condition: there is no selection "t"`},
		{"quoted condition", detect("  s: {a: b}\n  condition: 's and t'"), `r.yml:5:21: condition: there is no selection "t"`},
		{"no selection like it", detect("  s: {a: b}\n  condition: 1 of x*"), `no selection is called "x*"`},
		{"pattern alone", detect("  s: {a: b}\n  condition: s*"), "want `1 of s*` or `all of s*`"},
		{"any of", detect("  s: {a: b}\n  condition: any of s*"), "want `1 of`"},
		{"2 of", detect("  s: {a: b}\n  condition: 2 of s*"), `there is no selection "2"`},
		{"of at the end", detect("  s: {a: b}\n  condition: 1 of"), "want a pattern"},
		{"two words", detect("  s: {a: b}\n  condition: s s"), "want and, or, or the end"},
		{"open parenthesis", detect("  s: {a: b}\n  condition: (s"), "a parenthesis is not closed"},
		{"closing parenthesis", detect("  s: {a: b}\n  condition: s)"), `not ")"`},
		{"and at the end", detect("  s: {a: b}\n  condition: s and"), "something is missing"},
		{"aggregation", detect("  s: {a: b}\n  condition: s | count() > 5"), "aggregations (|) are not part"},
		{"sign", detect("  s: {a: b}\n  condition: s & s"), "unexpected '&'"},
		{"timeframe", detect("  s: {a: b}\n  timeframe: 5m\n  condition: s"), "write a correlation"},
		{"alias", head + "detection:\n  s: &x {a: b}\n  t: *x\n  condition: s", "r.yml:5:6: aliases (*x) are not read"},
		{"merge", head + "detection:\n  s: &x {a: b}\n  t: {<<: *x}\n  condition: s", "aliases (*x) are not read"},
		{"filter", "title: t\nfilter: {}", "sigma filters are not read"},
		{"type", correlate("  type: sometimes\n  rules: [a]\n  timespan: 5m"), "type: \"sometimes\" is none of"},
		{"no rules", correlate("  type: temporal\n  timespan: 5m"), "needs rules"},
		{"no timespan", correlate("  type: temporal\n  rules: [a]"), "needs a timespan"},
		{"bad timespan", correlate("  type: temporal\n  rules: [a]\n  timespan: 5x"), "r.yml:5:13: timespan: want a number"},
		{"long timespan", correlate("  type: temporal\n  rules: [a]\n  timespan: 4000000000d"), "timespan: want a number"},
		{"no condition of a count", correlate("  type: event_count\n  rules: [a]\n  timespan: 5m"), "needs a condition"},
		{"range", correlate("  type: event_count\n  rules: [a]\n  timespan: 5m\n  condition: {gt: 1, lt: 5}"), "a range is not read"},
		{"value_count without field", correlate("  type: value_count\n  rules: [a]\n  timespan: 5m\n  condition: {gt: 1}"), "needs the field"},
		{"field without value_count", correlate("  type: event_count\n  rules: [a]\n  timespan: 5m\n  condition: {gt: 1, field: x}"), "only a value_count"},
		{"bad count", correlate("  type: event_count\n  rules: [a]\n  timespan: 5m\n  condition: {gt: many}"), "want a number"},
		{"absence of nothing", correlate("  type: absence\n  rules: [a]\n  timespan: 5m"), "at least two rules"},
		{"ordered part", correlate("  type: temporal_ordered\n  rules: [a, b]\n  timespan: 5m\n  condition: {gte: 1}"), "all of its rules"},
		{"rule twice", correlate("  type: temporal\n  rules: [a, a]\n  timespan: 5m"), "is there twice"},
		{"unknown member of a correlation", correlate("  typ: temporal"), `a correlation has no "typ"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("r.yml", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	text := head + "lewel: x\ndetection:\n  s:\n    f|huh: a\n    g|lt: b\n  condition: s\n---\ntitle: good\nlogsource: {product: aws}\ndetection:\n  s: {a: b}\n  condition: s\n---\nfoo: bar\n"
	rules, err := Parse("r.yml", []byte(text))
	if len(rules) != 1 || rules[0].Title != "good" || rules[0].Line != 10 {
		t.Errorf("the good rule: %+v", rules)
	}
	var lines []int
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		p, ok := errors.AsType[*Problem](e)
		if !ok {
			t.Fatalf("%v is no Problem", e)
		}
		lines = append(lines, p.Line)
	}
	if diff := cmp.Diff([]int{3, 6, 7, 16, 16, 16}, lines); diff != "" {
		t.Error(diff)
	}
}

// TestHostileFiles has files that are small and want to be big, and files that are big.
func TestHostileFiles(t *testing.T) {
	many := func(n int, s string) string { return strings.Repeat(s, n) }
	var laughs strings.Builder
	laughs.WriteString(head + "detection:\n  a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := range 30 {
		fmt.Fprintf(&laughs, "  a%d: &a%d [%s*a%d]\n", i+1, i+1, many(8, fmt.Sprintf("*a%d, ", i)), i)
	}
	for _, c := range []struct{ name, text, want string }{
		{"laughs", laughs.String() + "  condition: a30", "aliases"},
		{"self", "a: &a [*a]", ""},
		{"deep flow", "title: " + many(5000, "["), ""},
		{"deep block", many(300, "- "), ""},
		{"deep condition", head + "detection:\n  s: {a: b}\n  condition: " + many(3000, "(") + "s", "deeper"},
		{"many nots", head + "detection:\n  s: {a: b}\n  condition: " + many(1500, "not ") + "s", "deeper"},
		{"long condition", head + "detection:\n  s: {a: b}\n  condition: " + many(10000, "s and ") + "s", "at most"},
		{"multiplied", head + "detection:\n  s: {a: [" + many(10, "x, ") + "x]}\n" + func() string {
			var b strings.Builder
			for i := range 400 {
				fmt.Fprintf(&b, "  t%d: {a: b, c: d}\n", i)
			}
			return b.String()
		}() + "  condition: " + many(500, "1 of t* or ") + "s", "comparisons"},
		{"many selections", head + "detection:\n" + func() string {
			var b strings.Builder
			for i := range 2000 {
				fmt.Fprintf(&b, "  t%d: {a: b}\n", i)
			}
			return b.String()
		}() + "  condition: 1 of t*", "selections"},
		{"many documents", many(100_000, "---\na: b\n"), "not read"},
		{"huge", many(maxFile, "aa"), "larger"},
		{"long value", head + "detection:\n  s: {a: " + many(maxValue+1, "x") + "}\n  condition: s", "longer"},
		{"zeros", many(5000, "\x00"), ""},
		{"not UTF-8", head + "detection:\n  s: {a: \"\xff\"}\n  condition: s", ""},
		{"directives", many(1000, "%YAML 1.1\n") + "---\na: b", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			rules, err := Parse("r.yml", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) || len(rules) > 0 {
				t.Errorf("%.200v, want %s", err, c.want)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

func TestCommentsAndEmptyDocuments(t *testing.T) {
	rules, err := Parse("r.yml", []byte("\ufeff# nothing\n---\n# still nothing\n...\n---\n"+head+"detection:\r\n  s: {a: b}\r\n  condition: s\r\n...\n"))
	if err != nil || len(rules) != 1 || rules[0].Line != 6 {
		t.Errorf("%v %v", rules, err)
	}
}

func FuzzParse(f *testing.F) {
	text, err := os.ReadFile("testdata/rules.yml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(head + "detection:\n  s: [a, {b|re|i: c}]\n  condition: 1 of s* and not (s)"))
	f.Add([]byte("title: t\ncorrelation:\n  type: event_count\n  rules: [a]\n  timespan: 5m\n  condition: {gt: 1}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, err := Parse("r.yml", data)
		if err == nil && slices.ContainsFunc(rules, func(r *Rule) bool { return (r.Condition == nil) == (r.Correlation == nil) }) {
			t.Error("a rule that is neither")
		}
		for _, r := range rules {
			Walk(r.Condition, func(m *Match) {
				for i := range m.Values {
					m.Values[i].Matches(m.Op, m.Cased, "some Text")
				}
			})
			again, err := Parse("r.yml", []byte(r.Source))
			if err != nil || len(again) != 1 || show(again[0].Condition) != show(r.Condition) {
				t.Errorf("the source of a rule is not the rule: %v\n%s", err, r.Source)
			}
		}
	})
}
