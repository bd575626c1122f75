package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
	"go.yaml.in/yaml/v4"
	xhtml "golang.org/x/net/html"
	"pgregory.net/rapid"

	"drawbridge/internal/finding"
)

// hostile is what an attacker might call things.
var hostile = []string{
	"\x1b[2J\x1b[31mclean\x1b[0m", "\x1b]8;;https://evil.example\x07link\x1b]8;;\x07", "\u009b31m", "a\nb", "a\r\nHTTP/1.1 200", "\t=1+1",
	"=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "＝1+1", " =1", "\u202egpj.exe\u202c", "\u200b\u2066x\u2069", "\U000e0041\U000e0042", "\u3164", "\u2028",
	"<script>alert(1)</script>", "</script><script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onmouseover='alert(1)", "</style><script>",
	"<!--", "-->", "]]>", "<![CDATA[", "&amp;&#x0;", "{{.}}", "${{ secrets.X }}", "javascript:alert(1)", "[click](javascript:alert(1))", "![x](https://evil.example/p.png)",
	"`code` ```` fence", "```\n</details>\n# big", "| a | b |", "|\\|", "\\", "\\`", "@everyone", "see #1 and org/repo#2", "https://evil.example", "www.evil.example", "<https://evil.example>",
	"---", "- x", "1. x", "1) x", "# x", "> x", "    x", "~~~", "*x*", "_x_", "~x~", "$x$", "null", "true", "~", "!!binary x", "&a *a", "0x1f", "1e3", "2026-11-20", ": ", "- - -", "%YAML",
	"../../etc/passwd", "file:///etc/passwd", "C:\\x", "a b%zz?q#f", "\x00\x01\x7f", "\xff\xfe", "\xed\xa0\x80", "\ufeff", "\ufffe", strings.Repeat("A", 5000), strings.Repeat("界", 300), "e\u0301", "",
}

func hostileString() *rapid.Generator[string] {
	return rapid.OneOf(rapid.SampledFrom(hostile), rapid.String(), rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom(hostile).Draw(t, "a") + rapid.SampledFrom(hostile).Draw(t, "b")
	}))
}

func hostileFinding() *rapid.Generator[finding.Finding] {
	return rapid.Custom(func(t *rapid.T) finding.Finding {
		s := func(name string) string { return hostileString().Draw(t, name) }
		f := finding.Finding{
			ID: s("id"), Title: s("title"), Severity: rapid.SampledFrom(finding.Severities).Draw(t, "severity"),
			Status:  rapid.SampledFrom([]finding.Status{finding.Fail, finding.Fail, finding.NotAssessed}).Draw(t, "status"),
			Cluster: rapid.SampledFrom([]string{"c1", "c2", "", hostile[0]}).Draw(t, "cluster"),
			Subject: finding.Subject{Kind: s("kind"), Namespace: s("namespace"), Name: s("name"), ARN: s("arn")},
			Message: s("message"), Evidence: []finding.Evidence{{Text: s("evidence"), Source: s("source")}},
			Remediation: finding.Remediation{Text: s("remediation")}, Controls: []finding.Control{{Framework: s("framework"), ID: s("control")}},
			Techniques: []string{s("technique"), s("technique2")}, Fingerprint: s("fingerprint"),
		}
		if rapid.Bool().Draw(t, "planned") {
			f.Remediation.Plan = &finding.Plan{Steps: []finding.Step{{
				ID: s("step"), Text: s("text"), Change: []byte(`{"action":"DeleteAccessEntry","cluster":"c","principalArn":"p"}`), Target: finding.Target{Cluster: s("in"), Subject: f.Subject},
				Irreversible: s("irreversible"), Precondition: s("precondition"), Verify: s("verify"),
			}}}
		}
		if rapid.Bool().Draw(t, "located") {
			f.Location = &finding.Location{File: s("file"), Line: rapid.IntRange(0, 9).Draw(t, "line")}
		}
		return f
	})
}

func hostileResult() *rapid.Generator[*finding.Result] {
	return rapid.Custom(func(t *rapid.T) *finding.Result {
		s := func(name string) string { return hostileString().Draw(t, name) }
		r := &finding.Result{
			Version: finding.Version, Kind: finding.KindScan, Tool: finding.Tool{Version: s("version")}, Time: time.Date(2026, 11, 20, 9, 14, 0, 0, time.UTC),
			Clusters: []finding.Cluster{
				{Name: "c1", ARN: s("cluster arn"), Account: s("account"), Region: s("region"), Partition: s("partition"), AuthenticationMode: s("mode"), KubernetesVersion: s("kubernetes")},
				{Name: s("cluster name")},
			},
			Findings: rapid.SliceOfN(hostileFinding(), 0, 5).Draw(t, "findings"),
			Gaps:     []finding.Gap{{Area: s("area"), Action: s("action"), Reason: s("reason"), Cluster: s("gap cluster")}, {Area: s("area2"), Account: s("gap account")}},
			Suppressed: []finding.Suppressed{{
				Finding:     hostileFinding().Draw(t, "suppressed"),
				Suppression: finding.Suppression{Reason: s("why"), Owner: s("owner"), Expiry: s("expiry"), Source: s("from")},
			}},
		}
		r.Summary = finding.Count(r.Findings)
		return r
	})
}

// Whatever things are called, every format parses back, keeps its structure and holds no raw control character.
func TestHostile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := hostileResult().Draw(t, "result")
		for _, f := range Formats {
			var out bytes.Buffer
			if err := f.Write(&out, r, Options{Unicode: true, Pages: hostilePages}); err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			text := out.String()
			if err := clean(text); err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			if check := wellFormed[f.Name]; check != nil {
				if err := check(text, r); err != nil {
					t.Fatalf("%s: %v\n%s", f.Name, err, text)
				}
			}
		}
	})
}

// clean refuses text with bytes that are not UTF-8 and characters that do something instead of being seen.
func clean(text string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("not UTF-8: %q", text)
	}
	for _, c := range text {
		if c != '\n' && unicode.In(c, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return fmt.Errorf("raw %U in %q", c, text)
		}
	}
	return nil
}

// hostilePages has a page for every id. Pages are ours; should one hold HTML, it must not come through.
func hostilePages(id string) (Page, bool) {
	return Page{Title: id, Markdown: "## Why it matters\n\n<script>alert(1)</script> [x](javascript:alert(1)) \x1b[2J", Severity: finding.Low}, true
}

var wellFormed = map[string]func(string, *finding.Result) error{
	"json":     jsonBack,
	"yaml":     yamlBack,
	"sarif":    sarifBack,
	"junit":    junitBack,
	"csv":      csvBack,
	"markdown": markdownBack,
	"html":     htmlBack,
	"ocsf":     schemaBack("ocsf.schema.json"),
	"asff":     schemaBack("asff.schema.json"),
}

// schemaBack validates against a schema: that shows limits and required values as well as syntax.
func schemaBack(name string) func(string, *finding.Result) error {
	schema := sync.OnceValues(func() (*jsonschema.Schema, error) { return compileSchema(name) })
	return func(text string, _ *finding.Result) error {
		compiled, err := schema()
		if err != nil {
			return err
		}
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			return err
		}
		return compiled.Validate(instance)
	}
}

func jsonBack(text string, r *finding.Result) error {
	var doc struct{ Findings []struct{ Message string } }
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return err
	}
	for i, f := range r.Findings {
		if want := strings.ToValidUTF8(f.Message, "\ufffd"); doc.Findings[i].Message != want && strings.ToValidUTF8(f.Message, "") == f.Message {
			return fmt.Errorf("message %q became %q", want, doc.Findings[i].Message)
		}
	}
	return nil
}

func yamlBack(text string, r *finding.Result) error {
	var fromYAML, fromJSON any
	if err := yaml.Unmarshal([]byte(text), &fromYAML); err != nil {
		return err
	}
	var out bytes.Buffer
	if err := writeJSON(&out, r, Options{}); err != nil {
		return err
	}
	if err := json.Unmarshal(out.Bytes(), &fromJSON); err != nil {
		return err
	}
	again, err := json.Marshal(fromYAML)
	if err != nil {
		return err
	}
	want, err := json.Marshal(fromJSON)
	if err != nil {
		return err
	}
	if diff := cmp.Diff(string(want), string(again)); diff != "" {
		return errors.New(diff)
	}
	return nil
}

func sarifBack(text string, r *finding.Result) error {
	if err := sarifSchemaBack(text, r); err != nil {
		return err
	}
	var doc struct {
		Runs []struct {
			Results []struct {
				Message   struct{ Text string }
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return err
	}
	for _, r := range doc.Runs[0].Results {
		if strings.Contains(r.Message.Text, "](") {
			return fmt.Errorf("link in message %q", r.Message.Text)
		}
		uri := r.Locations[0].PhysicalLocation.ArtifactLocation.URI
		if _, err := url.Parse(uri); err != nil || strings.ContainsAny(uri, " <>\"\\^`{|}") {
			return fmt.Errorf("URI %q: %w", uri, err)
		}
	}
	return nil
}

func junitBack(text string, r *finding.Result) error {
	var doc junitSuites
	if err := xml.Unmarshal([]byte(text), &doc); err != nil {
		return err
	}
	sum := finding.Count(r.Findings)
	if doc.Failures != sum.Fail.Total() || doc.Skipped != len(r.Suppressed) || doc.Tests != doc.Failures+doc.Errors+doc.Skipped {
		return fmt.Errorf("counts: %d tests, %d failures, %d errors, %d skipped", doc.Tests, doc.Failures, doc.Errors, doc.Skipped)
	}
	return nil
}

func csvBack(text string, r *finding.Result) error {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return err
	}
	if len(rows) != 1+len(r.Findings)+len(r.Suppressed) || strings.Count(text, "\n") != len(rows) {
		return fmt.Errorf("%d rows on %d lines", len(rows), strings.Count(text, "\n"))
	}
	for _, row := range rows {
		for _, cell := range row {
			if strings.IndexAny(strings.TrimLeft(cell, " "), "=+-@＝＋－＠\t\r") == 0 {
				return fmt.Errorf("formula %q", cell)
			}
		}
	}
	return nil
}

// markdownBack renders the Markdown as GitHub does: only the elements that we wrote may be in it.
func markdownBack(text string, r *finding.Result) error {
	headings, err := markdownElements(text, " h1 h2 p strong table thead tbody tr th td code pre ul li details summary ")
	if err == nil && headings != 1 {
		err = fmt.Errorf("%d h1", headings)
	}
	return err
}

// markdownElements renders Markdown with raw HTML on, refuses elements that are not allowed, and counts top headings.
func markdownElements(text, allowed string) (headings int, err error) {
	var page bytes.Buffer
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
	if err := md.Convert([]byte(text), &page); err != nil {
		return 0, err
	}
	err = eachElement(page.String(), func(name string, attrs []xhtml.Attribute) error {
		if !strings.Contains(allowed, " "+name+" ") {
			return fmt.Errorf("element %s", name)
		}
		for _, a := range attrs {
			if name != "th" && name != "td" || a.Key != "style" && a.Key != "align" {
				return fmt.Errorf("attribute %s of %s", a.Key, name)
			}
		}
		if name == "h1" {
			headings++
		}
		return nil
	})
	return headings, err
}

// htmlBack looks for elements and attributes in the page that data could have planted.
func htmlBack(text string, _ *finding.Result) error { return elementsBack(text, 1) }

func elementsBack(text string, wantScripts int) error {
	scripts := 0
	err := eachElement(text, func(name string, attrs []xhtml.Attribute) error {
		switch name {
		case "script":
			scripts++
		case "img", "iframe", "object", "embed", "base", "link", "form":
			return fmt.Errorf("element %s", name)
		}
		for _, a := range attrs {
			value := strings.ToLower(strings.TrimSpace(a.Val))
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || (a.Key == "href" || a.Key == "src") && !strings.HasPrefix(value, "#") && !strings.HasPrefix(value, "https://attack.mitre.org/techniques/t") && value != "" {
				return fmt.Errorf("attribute %s=%q of %s", a.Key, a.Val, name)
			}
		}
		return nil
	})
	if err == nil && scripts != wantScripts {
		err = fmt.Errorf("%d scripts", scripts)
	}
	return err
}

var sarifSchemaBack = schemaBack("sarif-2.1.0.schema.json")

func eachElement(text string, visit func(name string, attrs []xhtml.Attribute) error) error {
	z := xhtml.NewTokenizer(strings.NewReader(text))
	for {
		switch z.Next() {
		case xhtml.ErrorToken:
			if errors.Is(z.Err(), io.EOF) {
				return nil
			}
			return z.Err()
		case xhtml.StartTagToken, xhtml.SelfClosingTagToken:
			token := z.Token()
			if err := visit(token.Data, token.Attr); err != nil {
				return err
			}
		}
	}
}

func TestVisible(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain, é, 界", "plain, é, 界"},
		{"a\nb\r\t", `a\nb\r\t`},
		{"\x1b[31m", `\x1b[31m`},
		{"\u009b", `\u009b`},
		{"\u202e", `\u202e`},
		{"\U000e0041", `\U000e0041`},
		{"\u3164\u2800\ufe0f", `\u3164\u2800\ufe0f`},
		{"\xff", `\xff`},
		{"\u00a0", `\u00a0`},
	}
	for _, tt := range tests {
		if got := visible(tt.in); got != tt.want {
			t.Errorf("visible(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}
