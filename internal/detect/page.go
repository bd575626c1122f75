package detect

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"drawbridge/internal/sigma"
)

// Page is what the detection's file says of it, as a page in Markdown.
func (d *Detection) Page() string {
	head := d.Head()
	var b strings.Builder
	section := func(title, text string) {
		if text = strings.TrimSpace(text); text != "" {
			fmt.Fprintf(&b, "\n## %s\n\n%s\n", title, text)
		}
	}
	fmt.Fprintf(&b, "# %s\n\n%s\n", head.Title, strings.TrimSpace(head.Description))
	section("How it decides", d.decides())
	section("What to look at first", d.Text("triage"))
	section("What to do", d.Text("remediation"))
	section("When it is fine", list(head.FalsePositives))
	section("References", list(head.References))
	return b.String()
}

// decides says how many documents the detection has, over which log, and in which windows.
func (d *Detection) decides() string {
	var lines []string
	for _, r := range d.Rules {
		what := "is reported as " + r.Level
		if r.Name != d.ID {
			what = "is a part (`" + r.Name + "`)"
		}
		if c := r.Correlation; c != nil {
			lines = append(lines, fmt.Sprintf("%s: %s, %s.", r.Title, span(c), what))
			continue
		}
		plane, _ := planeOf(r.LogSource)
		line := fmt.Sprintf("%s: one %s event, %s", r.Title, plane, what)
		if after := text(r.Custom, "after"); after != "" {
			line += ", judged " + after + " later, or at the end of the logs"
		}
		lines = append(lines, line+".")
	}
	if fields := d.fields(); len(fields) > 0 {
		lines = append(lines, "Fields of drawbridge's own: "+strings.Join(fields, ", ")+".")
	}
	return list(lines)
}

func span(c *sigma.Correlation) string {
	within := strings.TrimSuffix(strings.TrimSuffix(c.Timespan.String(), "0s"), "0m")
	by := ""
	if len(c.GroupBy) > 0 {
		by = " for one `" + strings.Join(c.GroupBy, "`, `") + "`"
	}
	parts := "`" + strings.Join(c.Rules, "`, `") + "`"
	switch c.Type {
	case eventCount:
		return fmt.Sprintf("%d events or more of %s%s within %s", least(c), parts, by, within)
	case valueCount:
		return fmt.Sprintf("%d values or more of `%s` in events of %s%s within %s", least(c), c.Field, parts, by, within)
	case absence:
		return fmt.Sprintf("the first of %s and none of the others%s for %s", parts, by, within)
	case temporalOrdered:
		return fmt.Sprintf("%s, in this order,%s within %s", parts, by, within)
	}
	return fmt.Sprintf("%s, in any order,%s within %s", parts, by, within)
}

// least is the count that makes a correlation complete.
func least(c *sigma.Correlation) int {
	if c.Op == "gt" {
		return c.Count + 1
	}
	return c.Count
}

// fields are the fields `drawbridge.*` that decide, in order of their names.
func (d *Detection) fields() []string {
	seen := map[string]bool{}
	var walk func(sigma.Expr)
	walk = func(x sigma.Expr) {
		switch x := x.(type) {
		case sigma.And:
			for _, y := range x {
				walk(y)
			}
		case sigma.Or:
			for _, y := range x {
				walk(y)
			}
		case sigma.Not:
			walk(x.X)
		case *sigma.Match:
			if strings.HasPrefix(x.Field, "drawbridge.") {
				seen["`"+x.Field+"`"] = true
			}
		}
	}
	for _, r := range d.Rules {
		if r.Condition != nil {
			walk(r.Condition)
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func list(items []string) string {
	var b strings.Builder
	for _, s := range items {
		b.WriteString("- " + strings.TrimSpace(s) + "\n")
	}
	return b.String()
}
