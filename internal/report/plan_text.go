package report

import (
	"fmt"
	"io"
	"strings"

	"charm.land/lipgloss/v2"

	"drawbridge/internal/access"
	"drawbridge/internal/migrate"
)

func writePlanText(w io.Writer, r *migrate.Result, o Options) error {
	t := newTerminal(o)
	v := newPlanView(r)
	parts := []string{"drawbridge " + r.Tool.Version, plural(len(r.Clusters), "cluster"), r.Time.UTC().Format("2006-01-02 15:04 UTC")}
	t.wrapped(0, t.dim(visible(strings.Join(parts, t.dot()))))
	t.line("")
	t.wrapped(0, t.bold(visible(v.size())))
	t.proof(v)
	t.sentences("Blockers", "somebody has to decide", v.Blockers)
	t.sentences("Warnings", "", v.Warnings)
	t.sentences(logsTitle, "by the audit logs", logLines(v.Evidence))
	for _, c := range v.clusters {
		t.planCluster(c)
	}
	t.gaps(&view{gaps: v.gaps})
	_, err := w.Write(t.out.Bytes())
	return err
}

// proof says what the plan does to everybody's access: first in one line, then each gain and loss.
func (t *terminal) proof(v *planView) {
	word, text := v.proven()
	style := lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Red)
	if word == "EQUAL" {
		style = style.Foreground(lipgloss.Green)
	}
	line := "proof: " + t.style(style, word) + ": " + text
	if compared := v.compared(); compared != "" {
		line += t.dim("  (" + compared + ")")
	}
	t.wrapped(0, line)
	if v.Proof == nil {
		return
	}
	t.grants("GAINED", v, v.Proof.Gained)
	t.grants("LOST", v, v.Proof.Lost)
	t.grants("UNKNOWN", v, v.Proof.Unknown)
	for i, w := range v.Proof.Witnesses {
		if i == 2*grantsMax {
			break
		}
		t.columns(2, []int{margin - 4, t.width - margin}, []string{map[bool]string{true: "witness"}[i == 0], t.dim(visible(w))})
	}
}

// grantsMax is how many gains, losses and unknowns the text lists of each.
const grantsMax = 20

// grants lists what identities gain or lose.
func (t *terminal) grants(label string, v *planView, grants []access.Grant) {
	for i, g := range grants {
		if i == grantsMax {
			t.wrapped(margin, t.dim(fmt.Sprintf("%s and %d more: -o markdown and json list all", t.glyph("…", "..."), len(grants)-i)))
			break
		}
		t.columns(2, []int{margin - 4, t.width - margin}, []string{t.bold(label), visible(v.grantText(g))})
		for _, c := range g.Conditions {
			t.wrapped(margin+2, t.dim(visible(conditionWord(g.Verdict)+" "+c)))
		}
		label = ""
	}
}

// grantText is a grant in one line: who, what, where.
func (v *planView) grantText(g access.Grant) string {
	text := strings.Join(nonEmpty(v.who(g), g.What(), places([]access.Grant{g})), "  ")
	if g.Cluster != "" {
		text += "  of " + g.Cluster
	}
	return text
}

func (t *terminal) sentences(title, fact string, sentences []string) {
	if len(sentences) == 0 {
		return
	}
	t.heading(title, nonEmpty(fact))
	for _, s := range sentences {
		t.columns(2, []int{1, t.width - 5}, []string{t.glyph("•", "*"), visible(s)})
	}
}

func (t *terminal) planCluster(c planCluster) {
	t.heading(c.Label, c.facts())
	if len(c.items)+len(c.phases) == 0 {
		t.line("  nothing to migrate" + map[bool]string{true: " in what could be read"}[c.Unsure])
		return
	}
	if len(c.items) > 0 {
		t.wrapped(2, t.dim(visible(c.tally())))
		t.line("")
	}
	var last migrate.Outcome
	said := map[string]bool{}
	for i, item := range c.items {
		label := ""
		if i == 0 || item.Becomes != last {
			label = strings.ToUpper(visible(string(item.Becomes)))
			if i > 0 {
				t.line("")
			}
		}
		last = item.Becomes
		t.item(c, label, item, said)
	}
	for i, p := range c.phases {
		t.phase(c, i+1, p)
	}
}

// outcomeWidth is the room for the word that says what becomes of something.
const outcomeWidth = 13

// item is one thing and what becomes of it. What was said of another is not said again in full.
func (t *terminal) item(c planCluster, label string, i migrate.Item, said map[string]bool) {
	t.columns(2, []int{outcomeWidth, t.width - outcomeWidth - 4}, []string{t.bold(label), visible(c.short(i.Subject.String()))})
	for _, line := range itemLines(i) {
		if said[line] && len(line) > t.width {
			line = strings.TrimSuffix(limit(line, t.width/2), "…") + t.glyph("…", "...") + " (as above)"
		}
		said[line] = true
		t.wrapped(outcomeWidth+6, t.dim(visible(c.short(line))))
	}
}

func (t *terminal) phase(c planCluster, n int, p planPhase) {
	t.line("")
	t.wrapped(2, t.bold(visible(fmt.Sprintf("Phase %d, %s: %s", n, p.ID, p.Title))))
	for _, s := range p.steps {
		t.columns(2, []int{4, t.width - 8}, []string{fmt.Sprintf("%4s", s.ID), visible(c.short(s.Text))})
		if !s.Reversible {
			t.wrapped(8, t.bold("IRREVERSIBLE")+": "+visible(s.Irreversible))
		}
	}
	if proven := p.proven(); proven != "" {
		t.wrapped(8, t.dim("proof: "+proven))
	}
	if p.Wait != "" {
		t.wrapped(8, t.dim("then: "+visible(p.Wait)))
	}
}
