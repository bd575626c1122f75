package report

import (
	"fmt"
	"io"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/migrate"
	"drawbridge/internal/plan"
)

// writePlanMarkdown writes the change ticket: what is asked to be approved, what it does to everybody's access, the commands,
// and the way back.
func writePlanMarkdown(w io.Writer, r *migrate.Result, _ Options) error {
	v := newPlanView(r)
	m := &markdown{}
	m.line("# %s", mdText(v.size()))
	m.line("")
	word, text := v.proven()
	m.line("**Proof: %s**: %s.", word, strings.Join(nonEmpty(text, v.compared()), "; "))
	m.planSummary(v)
	m.sentences("Blockers", v.Blockers)
	m.sentences("Warnings", v.Warnings)
	m.sentences(logsTitle, logLines(v.Evidence))
	if v.Proof != nil {
		m.grants("Gained", v, v.Proof.Gained)
		m.grants("Lost", v, v.Proof.Lost)
		m.grants("Unknown", v, v.Proof.Unknown)
		m.sentences("Witnesses", v.Proof.Witnesses)
	}
	for _, c := range v.clusters {
		m.planCluster(c)
	}
	if err := m.wayBack(v); err != nil {
		return err
	}
	switch {
	case r.Migration == migrationPods && whole(r):
		m.governance(r, v.clusters)
	case r.Migration == migrationPods:
		m.head("Roles and service accounts")
		m.line("A saved plan does not hold which service account holds which role, and who owns it. Plan anew with `-o markdown` for that page.")
	}
	if len(v.gaps) > 0 {
		m.head("Could not be read")
		for _, g := range v.gaps {
			m.line("- %s", mdText(gapText(g)))
		}
	}
	m.line("")
	m.line("drawbridge %s, %s", mdText(r.Tool.Version), r.Time.UTC().Format("2006-01-02 15:04 UTC"))
	_, err := w.Write(m.out.Bytes())
	return err
}

func (m *markdown) planSummary(v *planView) {
	m.line("")
	m.row("Cluster", "Region", "Account", "Mode", "What becomes of it", "Steps", "Irreversible")
	m.row("---", "---", "---", "---", "---", "---:", "---:")
	for _, c := range v.clusters {
		steps, forGood := 0, 0
		for _, p := range c.phases {
			for _, s := range p.steps {
				steps++
				if !s.Reversible {
					forGood++
				}
			}
		}
		m.row(mdText(c.Label), mdText(c.Region), mdText(c.Account), mdText(c.AuthenticationMode), mdText(c.tally()), fmt.Sprint(steps), fmt.Sprint(forGood))
	}
}

func (m *markdown) sentences(title string, sentences []string) {
	if len(sentences) == 0 {
		return
	}
	m.head(title)
	for _, s := range sentences {
		m.line("- %s", mdText(s))
	}
}

func (m *markdown) grants(title string, v *planView, grants []access.Grant) {
	if len(grants) == 0 {
		return
	}
	m.head(title)
	m.row("Who", "What", "Where", "Cluster")
	m.row("---", "---", "---", "---")
	for _, g := range grants {
		m.row(mdCell(v.who(g)), mdCell(g.What()), mdText(places([]access.Grant{g})), mdText(g.Cluster))
	}
}

func (m *markdown) planCluster(c planCluster) {
	m.head(mdText(c.Label))
	if len(c.items)+len(c.phases) == 0 {
		m.line("Nothing to migrate%s.", map[bool]string{true: " in what could be read"}[c.Unsure])
		return
	}
	if len(c.items) > 0 {
		m.row("Becomes", "Of", "Why, notes and offers")
		m.row("---", "---", "---")
		for _, i := range c.items {
			lines := itemLines(i)
			for n := range lines {
				lines[n] = mdText(c.short(lines[n]))
			}
			m.row(mdText(string(i.Becomes)), mdText(i.Subject.Kind)+" "+mdCell(c.short(strings.Join(nonEmpty(i.Subject.Namespace, i.Subject.Name), "/"))), strings.Join(lines, "<br>"))
		}
	}
	for i, p := range c.phases {
		m.line("")
		m.line("### Phase %d, %s: %s", i+1, mdText(p.ID), mdText(p.Title))
		if proven := p.proven(); proven != "" {
			m.line("")
			m.line("Proof: %s.", proven)
		}
		for _, s := range p.steps {
			m.planStep(s)
		}
		if p.Wait != "" {
			m.line("")
			m.line("Then: %s.", mdText(p.Wait))
		}
	}
}

func (m *markdown) planStep(s planStep) {
	m.line("")
	m.line("**Step %s**: %s. Needs: %s.", mdText(s.ID), mdText(s.Text), mdText(s.Precondition))
	if !s.Reversible {
		m.line("")
		m.line("**Irreversible**: %s.", mdText(s.Irreversible))
	}
	m.line("")
	m.line("%s", mdBlock(visibleText(plan.Command(s.change)+"\n# shows it\n"+s.Verify)))
}

// wayBack says how each phase is undone, the last one first.
func (m *markdown) wayBack(v *planView) error {
	if len(v.Steps) == 0 {
		return nil
	}
	if !whole(v.Result) {
		m.head("Way back")
		m.line("A saved plan does not hold what undoes its steps. Plan anew with `-o markdown`, or `-o aws-cli`, for the way back; a run of `--apply` keeps it in its journal.")
		return nil
	}
	phases, err := waysBack(v.Result)
	if err != nil {
		return err
	}
	m.head("Way back")
	m.line("The last phase first. Each command fits only what the phase left behind.")
	for i := len(phases) - 1; i >= 0; i-- {
		p := phases[i]
		if len(p.stuck)+len(p.undo) == 0 {
			continue
		}
		m.line("")
		m.line("### Out of %s, %s", mdText(p.ID), mdText(p.Cluster))
		for _, why := range p.stuck {
			m.line("")
			m.line("**No way back**: %s.", mdText(why))
		}
		if len(p.undo) > 0 {
			commands := make([]string, len(p.undo))
			for i, c := range p.undo {
				commands[i] = plan.Command(c)
			}
			m.line("")
			m.line("%s", mdBlock(visibleText(strings.Join(commands, "\n"))))
		}
	}
	return nil
}
