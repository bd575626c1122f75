package siem

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"drawbridge/internal/sigma"
)

// sigmaText is the rule as it is written, or, where that asks for fields of ours, one that does not.
func sigmaText() target {
	return target{name: "sigma", needs: []string{
		"CloudTrail records and Kubernetes audit events under their own field names (no taxonomy), lists searched element by element, as Sigma's default.",
		"For Kubernetes: events of stage RequestReceived left out.",
		"The key `drawbridge` holds drawbridge's texts; Sigma allows custom keys. Rules that had to be written anew have none, and name the one they are of under `related`.",
	}, raw: sigmaRule}
}

func sigmaRule(x *exporter, r *sigma.Rule) string {
	x.habits(r)
	if c := r.Correlation; c != nil {
		if c.Type == sigma.Absence {
			x.refuse("absence is drawbridge's own type of correlation, not Sigma's")
		}
		for _, g := range append([]string{c.Field}, c.GroupBy...) {
			x.foreign(g)
		}
		for _, alias := range slices.Sorted(maps.Keys(c.Aliases)) {
			for _, rule := range slices.Sorted(maps.Keys(c.Aliases[alias])) {
				x.foreign(c.Aliases[alias][rule])
			}
		}
		x.inherit(c)
		return r.Source
	}
	if slices.ContainsFunc(sigma.Fields(r.Condition), isOurs) {
		q := x.query(r)
		if x.refused {
			return ""
		}
		return rewritten(q)
	}
	q := &query{exporter: x, rule: r}
	if r.LogSource.Product == "aws" {
		q.plane = cloudTrail
	}
	sigma.Walk(r.Condition, func(m *sigma.Match) {
		if !q.encoded(m.Field) {
			return
		}
		for i := range m.Values {
			if encoded, _ := encode(m.Values[i].Pattern()); encoded != "" || m.Op == sigma.Regex {
				x.lose("%s: CloudTrail percent-encodes it in some of EKS' calls; a tool that does not decode misses these", m.Field)
			}
		}
	})
	return r.Source
}

// inherit takes over what the rules lose that a correlation is about.
func (x *exporter) inherit(c *sigma.Correlation) {
	for _, r := range x.rules {
		if !slices.ContainsFunc(r.Names(), func(n string) bool { return slices.Contains(c.Rules, n) }) {
			continue
		}
		if slices.Contains(x.within, r) { // a correlation that is about itself
			x.refuse("the correlation goes round in a circle through %q", r.Title)
			return
		}
		of := &exporter{target: x.target, rules: x.rules, out: &Rule{}, joining: true, within: append(x.within[:len(x.within):len(x.within)], r)}
		if sigmaRule(of, r); of.refused {
			x.refuse("rule %q is not exported: %s", r.Title, of.out.Losses[0])
		}
		for _, l := range of.out.Losses {
			x.also("%s (rule %q)", l, r.Title)
		}
		x.out.Misses = x.out.Misses || of.out.Misses
	}
}

func (x *exporter) foreign(field string) {
	if isOurs(field) {
		x.refuse("%s is computed by drawbridge: another tool would find it absent", field)
	}
}

// related says which rule another is made of (Sigma rules specification 2.0, "related").
type related struct {
	ID   string `yaml:"id"`
	Type string `yaml:"type"`
}

// newRule is a rule that was written anew, without an id: that of the first is another rule's.
type newRule struct {
	Title          string            `yaml:"title"`
	Related        []related         `yaml:"related,omitempty"`
	Name           string            `yaml:"name,omitempty"`
	Status         string            `yaml:"status,omitempty"`
	Description    string            `yaml:"description,omitempty"`
	References     []string          `yaml:"references,omitempty"`
	Author         string            `yaml:"author,omitempty"`
	Date           string            `yaml:"date,omitempty"`
	Tags           []string          `yaml:"tags,omitempty"`
	LogSource      map[string]string `yaml:"logsource"`
	Detection      map[string]any    `yaml:"detection"`
	FalsePositives []string          `yaml:"falsepositives,omitempty"`
	Level          string            `yaml:"level,omitempty"`
}

// rewritten is a rule with the condition that is left.
func rewritten(q *query) string {
	r := q.rule
	out := newRule{
		Title: r.Title, Name: r.Name, Status: r.Status, Author: r.Author, Date: r.Date, Tags: r.Tags, References: r.References, Level: r.Level,
		FalsePositives: r.FalsePositives, Description: strings.TrimSpace(r.Description), LogSource: map[string]string{}, Detection: map[string]any{},
	}
	for _, l := range q.out.Losses {
		out.Description = strings.TrimPrefix(out.Description+"\n- "+l, "\n")
	}
	if r.ID != "" {
		out.Related = []related{{r.ID, "derived"}}
	}
	for k, v := range map[string]string{"category": r.LogSource.Category, "product": r.LogSource.Product, "service": r.LogSource.Service} {
		if v != "" {
			out.LogSource[k] = v
		}
	}
	n := 0
	out.Detection["condition"] = infix(q.expr, " and ", " or ", "not ", func(m *sigma.Match) string {
		n++
		name := fmt.Sprintf("s%d", n)
		out.Detection[name] = selection(m)
		return name
	})
	text, err := yaml.Marshal(out)
	if err != nil {
		q.refuse("write the rule: %v", err)
		return ""
	}
	return string(text)
}

// selection is one comparison as a rule writes it.
func selection(m *sigma.Match) any {
	var all []any
	for i := range m.Values {
		all = append(all, plain(&m.Values[i], m.Op))
	}
	if m.Field == "" {
		return all
	}
	field := m.Field
	if m.Op != sigma.Equals {
		field += "|" + m.Op.String()
	}
	if m.Cased && m.Op != sigma.Exists && m.Op != sigma.Regex && m.Op != sigma.CIDR && !numbers(m.Op) {
		field += "|cased"
	}
	if len(all) == 1 {
		return map[string]any{field: all[0]}
	}
	return map[string]any{field: all}
}

func plain(v *sigma.Value, op sigma.Op) any {
	if is, ok := v.Bool(); ok {
		return is
	}
	if n, err := strconv.ParseFloat(v.String(), 64); err == nil && numbers(op) {
		return n
	}
	if v.IsNull() {
		return nil
	}
	return v.String()
}

// numbers says whether a comparison is one of numbers.
func numbers(op sigma.Op) bool { return op >= sigma.Less && op <= sigma.GreaterEqual }
