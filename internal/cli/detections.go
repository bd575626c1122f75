package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"drawbridge/detections"
	"drawbridge/internal/detect"
	"drawbridge/internal/finding"
	"drawbridge/internal/report"
	"drawbridge/internal/siem"
	"drawbridge/internal/sigma"
)

func newDetections(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "detections",
		Short: "List, test and export the detections",
		Long: `Detections are Sigma rules and correlations over CloudTrail and the Kubernetes audit log. The built-in ones, or
with -f those of a folder of your own: NAME.yml with its cases in NAME.txtar.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newDetectionsList(e), newDetectionsTest(e), newDetectionsExport(e))
	return cmd
}

// folder is where detections are read from.
type folder struct{ path string }

func (f *folder) flag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.path, "filename", "f", "", "`FOLDER` of detections (NAME.yml, NAME.txtar) instead of the built-in ones")
}

func (f *folder) files() (fs.FS, error) {
	if f.path == "" {
		return detections.Files, nil
	}
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, failed(err, "")
	}
	if !info.IsDir() {
		return nil, failed(fmt.Errorf("%s is not a folder", f.path), "-f takes the folder that NAME.yml and NAME.txtar are in")
	}
	return os.DirFS(f.path), nil
}

// program reads and compiles the folder.
func (f *folder) program() (*detect.Program, fs.FS, error) {
	files, err := f.files()
	if err != nil {
		return nil, nil, err
	}
	p, err := detect.Load(files)
	if err != nil {
		return nil, nil, failed(err, "")
	}
	return p, files, nil
}

func newDetectionsList(e *env) *cobra.Command {
	var from folder
	var out outputs
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the detections",
		Example: `  drawbridge detections list
  drawbridge detections list -o json
  drawbridge detections list -f my-detections`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			formats, err := out.parse()
			if err != nil {
				return err
			}
			p, _, err := from.program()
			if err != nil {
				return err
			}
			return e.write(formats, func(w io.Writer, format string, _ report.Options) error {
				if format == "json" {
					return writeJSON(w, listOf(p))
				}
				for _, d := range p.Detections {
					if _, err := fmt.Fprintf(w, "%-14s %-42s %-24s %s\n", d.Severity(), printable(d.ID), planesOf(d), printable(d.Head().Title)); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	from.flag(cmd)
	out.flags(cmd, []string{"table", "json"})
	return cmd
}

// listedDetection is one detection of `detections list -o json`.
type listedDetection struct {
	ID             string   `json:"id"`
	Title          string   `json:"title"`
	Severity       string   `json:"severity"`
	Status         string   `json:"status,omitempty"`
	Logs           []string `json:"logs"`
	Techniques     []string `json:"techniques"`
	Description    string   `json:"description"`
	FalsePositives []string `json:"falsePositives"`
	Triage         string   `json:"triage,omitempty"`
	References     []string `json:"references"`
}

func listOf(p *detect.Program) any {
	list := struct {
		Version    string            `json:"version"`
		Kind       string            `json:"kind"`
		Detections []listedDetection `json:"detections"`
	}{Version: finding.Version, Kind: "DetectionList", Detections: []listedDetection{}}
	for _, d := range p.Detections {
		h := d.Head()
		list.Detections = append(list.Detections, listedDetection{
			ID: d.ID, Title: h.Title, Severity: string(d.Severity()), Status: h.Status,
			Logs: strings.Split(planesOf(d), ", "), Techniques: orEmpty(d.Techniques()), Description: strings.TrimSpace(h.Description),
			FalsePositives: orEmpty(h.FalsePositives), Triage: d.Text("triage"), References: orEmpty(h.References),
		})
	}
	return list
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func planesOf(d *detect.Detection) string {
	var names []string
	for _, p := range d.Planes() {
		names = append(names, p.String())
	}
	return strings.Join(names, ", ")
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func newDetectionsTest(e *env) *cobra.Command {
	var from folder
	cmd := &cobra.Command{
		Use:   "test [DETECTION...]",
		Short: "Run the cases of the detections",
		Long: `Run the cases in NAME.txtar beside each detection NAME.yml: events under match/CASE.jsonl have to be reported, with
the findings of match/CASE.want where that is there; events under nomatch/CASE.jsonl must not be. A detection without a
case that matches and one that does not is told. Exit status 1 if a case fails.`,
		Example: `  drawbridge detections test
  drawbridge detections test access-entry-created
  drawbridge detections test -f my-detections`,
		RunE: func(_ *cobra.Command, ids []string) error {
			p, files, err := from.program()
			if err != nil {
				return err
			}
			for _, id := range ids {
				if p.Detection(id) == nil {
					return failed(fmt.Errorf("there is no detection %q", id), "`drawbridge detections list` lists them")
				}
			}
			cases, err := detect.CasesOf(files)
			if err != nil {
				return failed(err, "")
			}
			return e.testDetections(p, cases, ids)
		},
	}
	from.flag(cmd)
	return cmd
}

func (e *env) testDetections(p *detect.Program, cases []*detect.Case, ids []string) error {
	passed, bad := 0, 0
	tested := map[string]map[bool]bool{}
	for _, c := range cases {
		if len(ids) > 0 && !slices.Contains(ids, c.Detection) {
			continue
		}
		if tested[c.Detection] == nil {
			tested[c.Detection] = map[bool]bool{}
		}
		tested[c.Detection][c.Match] = true
		problem := ""
		if p.Detection(c.Detection) == nil {
			problem = "there is no such detection"
		} else if got, err := c.Run(p); err != nil {
			problem = err.Error()
		} else {
			problem = c.Failure(got)
		}
		if problem == "" {
			passed++
			continue
		}
		bad++
		fmt.Fprintf(e.stdout, "FAIL %s %s: %s\n", printable(c.Detection), printable(c.Name), printable(problem))
	}
	for _, d := range p.Detections {
		if len(ids) > 0 && !slices.Contains(ids, d.ID) {
			continue
		}
		for _, match := range []bool{true, false} {
			if !tested[d.ID][match] {
				fmt.Fprintf(e.stdout, "untested %s: no case under %s/\n", printable(d.ID), map[bool]string{true: "match", false: "nomatch"}[match])
			}
		}
	}
	fmt.Fprintf(e.stdout, "%d passed, %d failed\n", passed, bad)
	if bad > 0 {
		return &exitError{code: exitFailed}
	}
	return nil
}

func newDetectionsExport(e *env) *cobra.Command {
	var from folder
	var out outputs
	var target string
	cmd := &cobra.Command{
		Use:   "export --target TARGET [DETECTION...]",
		Short: "Write the detections in another system's language",
		Long: `Write detections for another system. For each rule the export says whether it finds the same (exact), what it finds too
much or misses (approximated), or why there is none (refused). What only drawbridge knows is left out where the export then
finds more, and what is left still names what is done; the measure is drawbridge over events alone, without --snapshot. What
tables, indexes or settings an export takes for granted stands at the top.`,
		Example: `  drawbridge detections export --target athena
  drawbridge detections export --target eventbridge access-entry-created
  drawbridge detections export --target splunk -o json=splunk.json
  drawbridge detections export --target elastic -f my-detections`,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(_ *cobra.Command, ids []string) error {
			formats, err := out.parse()
			if err != nil {
				return err
			}
			if !slices.Contains(siem.Targets(), target) {
				return usage("--target %q: want one of %s", target, strings.Join(siem.Targets(), ", "))
			}
			files, err := from.files()
			if err != nil {
				return err
			}
			rules, err := sigma.ParseAll(files)
			if err != nil {
				return failed(err, "")
			}
			result, err := siem.Export(rules, target)
			if err != nil {
				return failed(err, "")
			}
			if err := only(&result, ids); err != nil {
				return err
			}
			err = e.write(formats, func(w io.Writer, format string, _ report.Options) error {
				if format == "json" {
					return writeJSON(w, struct {
						Version string `json:"version"`
						Kind    string `json:"kind"`
						siem.Result
					}{finding.Version, "DetectionExport", result})
				}
				return siem.WriteText(w, result)
			})
			if err == nil {
				fmt.Fprintf(e.stderr, "%s: %s\n", target, result.Summary())
			}
			return err
		},
	}
	from.flag(cmd)
	out.flags(cmd, []string{"text", "json"})
	cmd.Flags().StringVar(&target, "target", "", "`TARGET`: "+strings.Join(siem.Targets(), ", "))
	cobra.CheckErr(cmd.MarkFlagRequired("target"))
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("target", cobra.FixedCompletions(siem.Targets(), cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

// only keeps the rules of the detections asked for.
func only(r *siem.Result, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	known := map[string]bool{}
	for _, rule := range r.Rules {
		known[rule.Detection] = true
	}
	var missing []error
	for _, id := range ids {
		if !known[id] {
			missing = append(missing, fmt.Errorf("there is no detection %q", id))
		}
	}
	if err := errors.Join(missing...); err != nil {
		return failed(err, "`drawbridge detections list` lists them")
	}
	r.Rules = slices.DeleteFunc(r.Rules, func(rule siem.Rule) bool { return !slices.Contains(ids, rule.Detection) })
	r.Detections = slices.DeleteFunc(r.Detections, func(d siem.Detection) bool { return !slices.Contains(ids, d.ID) })
	return nil
}
