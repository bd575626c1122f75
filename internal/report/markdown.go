package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"

	"drawbridge/internal/finding"
)

// writeMarkdown writes GitHub-flavoured Markdown for a pull request comment, a job summary or a wiki.
func writeMarkdown(w io.Writer, r *finding.Result, o Options) error {
	v := newView(r)
	m := &markdown{}
	m.line("# drawbridge: %s", plural(len(r.Clusters), "cluster"))
	m.line("")
	m.line("**%s**", mdText(v.verdict()))
	if v.filtered > 0 && v.counts.Total() > 0 {
		m.line("%s counted but not listed here.", plural(v.filtered, "more finding"))
	}
	m.line("")
	m.row("Critical", "High", "Medium", "Low", "Informational", "Not assessed", "Suppressed")
	m.row("---:", "---:", "---:", "---:", "---:", "---:", "---:")
	var counts []string
	for _, s := range finding.Severities {
		counts = append(counts, fmt.Sprint(v.counts.Of(s)))
	}
	m.row(append(counts, fmt.Sprint(len(v.notAssessed)), fmt.Sprint(len(v.Suppressed)))...)
	for _, c := range v.clusters {
		m.cluster(c, v.test())
	}
	m.notAssessed(v)
	m.gaps(v)
	m.suppressed(v)
	m.fixes(v, o)
	m.line("")
	m.line("drawbridge %s, %s, %s", mdText(r.Tool.Version), plural(r.Summary.ChecksRun, v.test()), r.Time.UTC().Format("2006-01-02 15:04 UTC"))
	_, err := w.Write(m.out.Bytes())
	return err
}

// markdown writes lines; what it is given must be escaped already.
type markdown struct{ out bytes.Buffer }

func (m *markdown) line(format string, args ...any) {
	fmt.Fprintf(&m.out, format+"\n", args...)
}

func (m *markdown) row(cells ...string) { m.line("| %s |", strings.Join(cells, " | ")) }

func (m *markdown) head(title string) {
	m.line("")
	m.line("## %s", title)
	m.line("")
}

func (m *markdown) cluster(c clusterView, test string) {
	m.head(mdText(c.Label))
	if facts := c.facts(); len(facts) > 0 {
		m.line("%s", mdText(strings.Join(facts, " · ")))
		m.line("")
	}
	if len(c.Groups) == 0 {
		m.line("%s.", capital(c.nothing()))
		return
	}
	m.row("Severity", capital(test), "Subject", "Finding")
	m.row("---", "---", "---", "---")
	for _, g := range c.Groups {
		for _, f := range g.Findings {
			subject := mdText(f.Subject.Kind) + " " + mdCell(strings.Join(nonEmpty(f.Subject.Namespace, f.Subject.Name), "/"))
			where := ""
			if f.Location != nil {
				where = " (" + mdCell(place(*f.Location)) + ")"
			}
			m.row(mdText(string(f.Severity)), mdText(g.Title)+" "+mdCell(g.ID), subject, mdText(f.Message)+where)
		}
	}
}

func (m *markdown) notAssessed(v *view) {
	if len(v.notAssessed) == 0 {
		return
	}
	m.head("Not assessed")
	m.line("Neither passed nor failed.")
	m.line("")
	for _, u := range v.unassessed() {
		ids := make([]string, len(u.IDs))
		for i, id := range u.IDs {
			ids[i] = mdCode(id)
		}
		m.line("- **%s**: %s: %s", mdText(u.Cluster), mdText(u.Message), strings.Join(ids, ", "))
	}
}

func (m *markdown) gaps(v *view) {
	if len(v.gaps) == 0 {
		return
	}
	m.head("Could not be read")
	for _, g := range v.gaps {
		m.line("- %s", mdText(gapText(g)))
	}
}

func (m *markdown) suppressed(v *view) {
	if len(v.Suppressed) == 0 {
		return
	}
	m.head("Suppressed")
	for _, s := range v.Suppressed {
		m.line("- %s %s on %s, %s: %s", mdText(string(s.Severity)), mdCode(s.ID), mdText(v.name(s.Cluster)),
			mdCode(s.Subject.String()), mdText(strings.Join(decision(s.Suppression), "; ")))
	}
}

// fixes lists the remediations, folded away, once for each finding that has one.
func (m *markdown) fixes(v *view, o Options) {
	var fixes []finding.Finding
	for _, c := range v.clusters {
		for _, g := range c.Groups {
			for _, f := range g.Findings {
				if f.Remediation.Text != "" {
					fixes = append(fixes, f)
				}
			}
		}
	}
	if len(fixes) == 0 {
		return
	}
	m.head("How to fix")
	for _, f := range fixes {
		page, _ := o.page(f.ID)
		m.line("<details><summary>%s, %s: %s</summary>", htmlText(cmp.Or(page.Title, f.Title, f.ID)), htmlText(v.name(f.Cluster)), htmlText(f.Subject.String()))
		m.line("")
		m.line("%s", mdBlock(visibleText(f.Remediation.Text)))
		m.line("")
		if f.Remediation.Plan != nil {
			m.line("Plan: %s.", mdText(planWords(f.Remediation.Plan)))
			m.line("")
		}
		m.line("</details>")
		m.line("")
	}
}

// mdSpecial is every character that starts something in Markdown, with what is written for it. Mentions, references to
// issues and bare links are recognised after rendering, where a backslash no longer helps: an empty comment parts them.
var mdSpecial = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", `*`, `\*`, `_`, `\_`, `[`, `\[`, `]`, `\]`, `<`, `&lt;`, `>`, `&gt;`, `&`, `&amp;`,
	`|`, `\|`, `~`, `\~`, `$`, `\$`, `!`, `\!`, `@`, `@<!-- -->`, `#`, `#<!-- -->`, `://`, `:<!-- -->//`, `www.`, `www<!-- -->.`,
	`WWW.`, `WWW<!-- -->.`,
)

// mdText is s as text inside a line or table cell.
func mdText(s string) string {
	s = mdSpecial.Replace(strings.TrimSpace(visible(s)))
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	if digits < len(s) && strings.ContainsRune(mdStarters[digits > 0], rune(s[digits])) {
		return s[:digits] + `\` + s[digits:]
	}
	return s
}

// mdStarters is what makes a list, a heading or a rule of a line when it starts one, without and after digits.
var mdStarters = map[bool]string{false: "+-=:", true: ".)"}

// mdCode is s as a code span, in which nothing but its own fence has a meaning.
func mdCode(s string) string {
	s = visible(s)
	if strings.TrimSpace(s) == "" {
		return ""
	}
	fence := strings.Repeat("`", longestRun(s)+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") || strings.HasPrefix(s, " ") {
		s = " " + s + " "
	}
	return fence + s + fence
}

// mdCell is mdCode in a table, where a bar ends the cell even inside code unless it is escaped.
func mdCell(s string) string { return strings.ReplaceAll(mdCode(s), "|", `\|`) }

// mdBlock is text as a code block.
func mdBlock(text string) string {
	fence := strings.Repeat("`", max(3, longestRun(text)+1))
	return fence + "\n" + text + "\n" + fence
}

// longestRun is the length of the longest run of backticks.
func longestRun(s string) int {
	longest, run := 0, 0
	for _, r := range s {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// htmlText is s inside an HTML element that stands in Markdown: Markdown's own characters are spelled too.
func htmlText(s string) string {
	var b strings.Builder
	for _, r := range visible(s) {
		if r < 0x80 && !(r == ' ' || r == '-' || r == '.' || r == '/' || r == ',' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z') {
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return strings.ReplaceAll(b.String(), "&#64;", "&#64;<!-- -->")
}
