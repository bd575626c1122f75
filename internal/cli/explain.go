package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"drawbridge/checks"
	"drawbridge/controls"
	"drawbridge/internal/check"
	"drawbridge/internal/graph"
)

func newExplain(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "explain ID",
		Short: "Show the page of a check, a detection, a control or a step of attack paths",
		Long: `Show what a check or a detection finds, why it matters, what to do and when it is fine; which checks speak to a
control of a framework; or what a kind of step in attack paths is, what it needs and what stops it. Without
an id, list all checks, detections and kinds of steps.`,
		Example: `  drawbridge explain pod-identity-dangling
  drawbridge explain access-entry-created
  drawbridge explain A.9.2.3
  drawbridge explain run-pods
  drawbridge explain`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var ids []string
			for _, c := range checks.All {
				ids = append(ids, c.ID+"\t"+c.Title)
			}
			for _, d := range allDetections() {
				ids = append(ids, d.ID+"\t"+d.Head().Title)
			}
			for _, k := range graph.Kinds {
				ids = append(ids, k.ID+"\t"+k.Title)
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, c := range checks.All {
					fmt.Fprintf(e.stdout, "%-14s %-42s %s\n", c.Severity, c.ID, c.Title)
				}
				for _, d := range allDetections() {
					fmt.Fprintf(e.stdout, "%-14s %-42s %s\n", d.Severity(), d.ID, d.Head().Title)
				}
				for _, k := range graph.Kinds {
					fmt.Fprintf(e.stdout, "%-14s %-42s %s\n", "step", k.ID, k.Title)
				}
				return nil
			}
			if c := checks.ByID(args[0]); c != nil {
				return e.explainCheck(c)
			}
			if d := detectionByID(args[0]); d != nil {
				_, err := fmt.Fprintf(e.stdout, "%s\nid: %s · severity: %s · techniques: %s\n", d.Page(), d.ID, d.Severity(), orNone(d.Techniques()))
				return err
			}
			if k := graph.KindByID(args[0]); k != nil {
				_, err := fmt.Fprintf(e.stdout, "%s\nid: %s · technique: %s\nneeds: %s\n", k.Page(), k.ID, orNone(strings.Fields(k.Technique)), k.Needs)
				return err
			}
			if e.explainControl(args[0]) {
				return nil
			}
			return failed(fmt.Errorf("there is no check, detection, control or step %q", args[0]), "`drawbridge explain` lists all")
		},
	}
}

func (e *env) explainCheck(c *check.Check) error {
	text, _ := checks.Page(c.ID)
	var areas, mapped []string
	for _, a := range c.Needs {
		areas = append(areas, string(a))
	}
	for _, a := range c.NeedsComplete {
		areas = append(areas, string(a)+" in full")
	}
	for _, m := range controls.Of(c.ID) {
		mapped = append(mapped, m.Framework+" "+m.ID)
	}
	_, err := fmt.Fprintf(e.stdout, "%s\nid: %s · severity: %s · since: %s\nreads: %s\ncontrols: %s\ntechniques: %s\n", text,
		c.ID, c.Severity, c.Since, strings.Join(areas, ", "), orNone(mapped), orNone(c.Techniques))
	return err
}

func (e *env) explainControl(id string) bool {
	found := false
	for _, ed := range controls.Editions("") {
		for _, c := range ed.Controls {
			if !strings.EqualFold(c.ID, id) && !strings.EqualFold(ed.Framework+" "+c.ID, id) {
				continue
			}
			found = true
			fmt.Fprintf(e.stdout, "%s (%s) %s: %s\n\n", ed.Title, ed.Edition, c.ID, c.Title)
			for _, checkID := range c.Checks {
				if ch := checks.ByID(checkID); ch != nil {
					fmt.Fprintf(e.stdout, "  %-42s %s\n", ch.ID, ch.Title)
				}
			}
			fmt.Fprintf(e.stdout, "\n%s\n", ed.Note)
		}
	}
	return found
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
