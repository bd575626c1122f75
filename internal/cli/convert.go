package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/graph"
	"drawbridge/internal/migrate"
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
one job can scan and another decide; answers of access, attack paths, plans and the status of migrations have no gate.
A saved plan holds what is to be done and its proof, not the state of the clusters: the languages of other tools, and the
way back, are written when it is planned.`,
		Example: `  drawbridge scan --demo -o json=run.json
  drawbridge convert run.json -o html=report.html
  drawbridge scan --demo -o json | drawbridge convert - -o sarif`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			formats, err := out.parse()
			if err != nil {
				return cmp.Or(plannedOnly(out.specs), err)
			}
			if err := gate.parse(); err != nil {
				return err
			}
			text, err := e.readText(args[0])
			if err != nil {
				return failed(err, "")
			}
			if kind, err := report.KindOf(text); err == nil {
				if i := slices.IndexFunc(ungated, func(k savedKind) bool { return k.kind == kind }); i >= 0 {
					if len(out.specs) == 0 {
						formats = []output{{format: ungated[i].formats[0]}}
					}
					return e.convert(args[0], text, formats, ungated[i])
				}
			}
			r, err := parseResult(args[0], text)
			if err != nil {
				return failed(err, "convert reads what scan, access, paths and migrate wrote with -o json")
			}
			write := func(w io.Writer, format string, to report.Options) error { return writeResult(w, format, r, to) }
			if err := e.write(formats, write); err != nil {
				return err
			}
			return gate.judge(r)
		},
	}
	formats := resultFormats()
	for _, k := range ungated {
		for _, f := range k.formats {
			if !slices.Contains(formats, f) {
				formats = append(formats, f)
			}
		}
	}
	out.flags(cmd, formats)
	gate.flags(cmd)
	return cmd
}

// plannedOnly says of a format that no saved plan can be written in why that is, or is nil.
func plannedOnly(specs []string) error {
	for _, spec := range specs {
		format, _, _ := strings.Cut(spec, "=")
		if _, ok := report.FindPlan(format); ok && !slices.Contains(report.SavedPlanFormats, format) {
			return usage("%s needs the state of the cluster, which no saved plan holds: plan anew with migrate … -o %[1]s; a saved plan is written as %s", format, strings.Join(report.SavedPlanFormats, ", "))
		}
	}
	return nil
}

// savedKind is a kind of result without a gate: what it is called, how it is read, and its formats.
type savedKind struct {
	kind, what string
	formats    []string
	read       func(text []byte) (write func(io.Writer, string, report.Options) error, err error)
}

// saved makes a kind of result of how its type is written.
func saved[T any](kind, what string, formats []string, write func(io.Writer, string, *T, report.Options) error) savedKind {
	return savedKind{kind, what, formats, func(text []byte) (func(io.Writer, string, report.Options) error, error) {
		r, err := report.Parse[T](text, kind)
		if err != nil {
			return nil, err
		}
		return func(w io.Writer, format string, to report.Options) error { return write(w, format, r, to) }, nil
	}}
}

// ungated are the results that have no gate.
var ungated = []savedKind{
	{access.KindResult, "answers about access", accessFormats(), func(text []byte) (func(io.Writer, string, report.Options) error, error) {
		r, err := report.ParseAccess(text)
		return func(w io.Writer, format string, to report.Options) error {
			f, _ := report.FindAccess(format)
			return f.Write(w, r, to)
		}, err
	}},
	saved(access.KindDiff, "differences of access", diffFormats(), func(w io.Writer, format string, d *access.Difference, to report.Options) error {
		f, _ := report.FindDiff(format)
		return f.Write(w, d, to)
	}),
	saved(graph.KindPaths, "attack paths", report.PathFormats, report.Paths),
	{migrate.KindPlan, "saved plans", report.SavedPlanFormats, func(text []byte) (func(io.Writer, string, report.Options) error, error) {
		r, err := report.ParsePlan(text)
		return func(w io.Writer, format string, to report.Options) error {
			f, _ := report.FindPlan(format)
			return f.Write(w, r, to)
		}, err
	}},
	saved(migrate.KindStatus, "the status of migrations", report.MigrationStatusFormats, report.MigrationStatus),
}

// convert writes a saved result in other formats.
func (e *env) convert(path string, text []byte, formats []output, kind savedKind) error {
	for _, f := range formats {
		if !slices.Contains(kind.formats, f.format) {
			return usage("%s are written as %s, not %s", kind.what, strings.Join(kind.formats, ", "), f.format)
		}
	}
	write, err := kind.read(text)
	if err != nil {
		return failed(fmt.Errorf("read result %s: %w", path, err), "")
	}
	return e.write(formats, write)
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
