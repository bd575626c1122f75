package siem

import (
	"maps"
	"slices"

	"drawbridge/internal/sigma"
)

// sigmaText is the rule as it is written.
func sigmaText() target {
	return target{name: "sigma", needs: []string{
		"CloudTrail records and Kubernetes audit events under their own field names (no taxonomy), lists searched element by element, as Sigma's default.",
		"For Kubernetes: events of stage RequestReceived left out.",
		"The key `drawbridge` holds drawbridge's texts; Sigma allows custom keys.",
	}, raw: func(r *sigma.Rule, out *Rule) {
		x := &exporter{out: out}
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
		} else {
			q := &query{exporter: x, rule: r}
			if r.LogSource.Product == "aws" {
				q.plane = cloudTrail
			}
			for _, f := range sigma.Fields(r.Condition) {
				x.foreign(f)
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
		}
		x.habits(r)
		if x.refused {
			out.Verdict = Refused
		}
	}}
}

func (x *exporter) foreign(field string) {
	if isOurs(field) {
		x.refuse("%s is computed by drawbridge: another tool would find it absent", field)
	}
}
