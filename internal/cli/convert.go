package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/report"
)

func newConvert(e *env) *cobra.Command {
	var out outputs
	var gate gate
	cmd := &cobra.Command{
		Use:   "convert RESULT.json",
		Short: "Write a saved result in another format",
		Long: `Read a result that was saved with -o json and write it in any other format. It gates as scan does, so that
one job can scan and another decide; answers of access have no gate.`,
		Example: `  drawbridge scan --demo -o json=run.json
  drawbridge convert run.json -o html=report.html
  drawbridge scan --demo -o json | drawbridge convert - -o sarif`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			formats, err := out.parse()
			if err != nil {
				return err
			}
			if err := gate.parse(); err != nil {
				return err
			}
			text, err := e.readText(args[0])
			if err != nil {
				return failed(err, "")
			}
			if kind, err := report.KindOf(text); err == nil && kind == access.KindResult {
				return e.convertAccess(args[0], text, formats)
			}
			r, err := parseResult(args[0], text)
			if err != nil {
				return failed(err, "convert reads what `drawbridge scan -o json` wrote, and what the commands of `drawbridge access` did")
			}
			write := func(w io.Writer, format string, to report.Options) error { return writeResult(w, format, r, to) }
			if err := e.write(formats, write); err != nil {
				return err
			}
			return gate.judge(r)
		},
	}
	out.flags(cmd, resultFormats())
	gate.flags(cmd)
	return cmd
}

// convertAccess writes answers about access in other formats. They have no gate.
func (e *env) convertAccess(path string, text []byte, formats []output) error {
	for _, f := range formats {
		if !slices.Contains(accessFormats(), f.format) {
			return usage("answers about access are written as %s, not %s", strings.Join(accessFormats(), ", "), f.format)
		}
	}
	r, err := report.ParseAccess(text)
	if err != nil {
		return failed(fmt.Errorf("read result %s: %w", path, err), "")
	}
	return e.write(formats, func(w io.Writer, format string, to report.Options) error {
		f, _ := report.FindAccess(format)
		return f.Write(w, r, to)
	})
}

func (e *env) readResult(path string) (*finding.Result, error) {
	text, err := e.readText(path)
	if err != nil {
		return nil, err
	}
	return parseResult(path, text)
}

// readText reads a saved result; - is standard input.
func (e *env) readText(path string) ([]byte, error) {
	in := e.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, 1<<30))
	if err != nil {
		return nil, fmt.Errorf("read result %s: %w", path, err)
	}
	return text, nil
}

func parseResult(path string, text []byte) (*finding.Result, error) {
	r, err := report.ParseJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("read result %s: %w", path, err)
	}
	return r, nil
}

// gate decides the exit status from a result.
type gate struct {
	failOn          string
	requireComplete bool

	threshold finding.Severity // "" is none
}

func (g *gate) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&g.failOn, "fail-on", "high", "exit with status 3 if there is a finding of this `SEVERITY` or above; none turns it off")
	cmd.Flags().BoolVar(&g.requireComplete, "require-complete", false, "exit with status 4 if something could not be read")
}

func (g *gate) parse() error {
	if g.failOn == "none" {
		return nil
	}
	s, err := finding.ParseSeverity(g.failOn)
	if err != nil {
		return usage("--fail-on: %w, or none", err)
	}
	g.threshold = s
	return nil
}

// judge sees every finding, whatever was displayed: a saved result counts in its summary those that --severity left out.
// What was not assessed never counts as found.
func (g *gate) judge(r *finding.Result) error {
	counted := finding.Count(r.Findings).Fail
	for _, s := range finding.Severities {
		if g.threshold != "" && s.AtLeast(g.threshold) && counted.Of(s)+r.Summary.Fail.Of(s) > 0 {
			return &exitError{code: exitFindings}
		}
	}
	if g.requireComplete && slices.ContainsFunc(r.Gaps, hides) {
		return &exitError{code: exitIncomplete}
	}
	return nil
}

// hides says whether something may be missed because of a gap. Without an optional area nothing is.
func hides(g finding.Gap) bool {
	area, _ := model.Area(g.Area).Info()
	return !area.Optional
}
