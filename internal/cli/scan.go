package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"drawbridge/checks"
	"drawbridge/controls"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/report"
	"drawbridge/internal/scan"
)

// scanOptions are the flags of scan.
type scanOptions struct {
	inputs
	outputs
	gate

	trusted      []string
	only, skip   []string
	severity     string
	framework    string
	baseline     string
	suppressions string
}

func newScan(e *env) *cobra.Command {
	var o scanOptions
	cmd := &cobra.Command{
		Use:   "scan",
		Short: "Find what is wrong with the identity of EKS clusters",
		Long: `Find what is wrong with the identity of EKS clusters, why it matters and how to fix it, and say what could
not be read. Reads live clusters, snapshots, folders of what aws and kubectl printed, and manifests.
Nothing is changed anywhere.

Exit status: 0 nothing at or above --fail-on, 1 could not do it, 2 called wrongly, 3 findings at or above
--fail-on, 4 something could not be read and --require-complete was given.`,
		Example: `  drawbridge scan --demo
  drawbridge scan --cluster prod --region eu-central-1 -o html=report.html
  drawbridge scan -f dumps/ -o table -o sarif=out.sarif --fail-on critical`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("scan takes no argument %q; files and folders are given with -f", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), e) },
	}
	o.inputs.flags(cmd)
	o.outputs.flags(cmd, resultFormats())
	o.gate.flags(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&o.trusted, "trusted-account", nil, "`ID` of an AWS account whose principals are expected, repeatable; the cluster's own always is")
	f.StringSliceVar(&o.only, "check", nil, "run only the checks with these `ID`s")
	f.StringSliceVar(&o.skip, "skip-check", nil, "leave out the checks with these `ID`s")
	f.StringVar(&o.severity, "severity", "", "show only findings of this `SEVERITY` or above; the exit status counts all")
	f.StringVar(&o.framework, "framework", "", "print a page control by control: "+strings.Join(controls.Frameworks(), ", "))
	f.StringVar(&o.baseline, "baseline", "", "`FILE` with an earlier result in JSON: only what is new counts")
	f.StringVar(&o.suppressions, "suppressions", "", "`FILE` of accepted findings: id, subject, reason, owner, expiry")
	complete := func(flag string, words []string) {
		cobra.CheckErr(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)))
	}
	var ids []string
	for _, c := range checks.All {
		ids = append(ids, c.ID)
	}
	complete("check", ids)
	complete("skip-check", ids)
	complete("framework", controls.Frameworks())
	complete("severity", []string{"critical", "high", "medium", "low", "informational"})
	complete("fail-on", []string{"critical", "high", "medium", "low", "informational", "none"})
	return cmd
}

// run reads everything that can be called wrongly before anything that takes time.
func (o *scanOptions) run(ctx context.Context, e *env) error {
	formats, err := o.outputs.parse()
	if err != nil {
		return err
	}
	for _, f := range formats {
		if o.framework != "" && !slices.Contains(report.FrameworkFormats, f.format) {
			return usage("--framework writes %s, not %s", strings.Join(report.FrameworkFormats, ", "), f.format)
		}
	}
	if err := o.gate.parse(); err != nil {
		return err
	}
	options, err := o.options(e)
	if err != nil {
		return err
	}
	var shown finding.Severity
	if o.severity != "" {
		if shown, err = finding.ParseSeverity(o.severity); err != nil {
			return usage("--severity: %w", err)
		}
	}
	snapshot, err := o.load(ctx, e)
	if err != nil {
		return err
	}
	result := scan.Run(snapshot, options)
	for _, s := range options.Suppressions {
		if s.Expired(options.Now) {
			fmt.Fprintf(e.stderr, "note: %s expired on %s; what it accepted counts again\n", printable(s.Source), printable(s.Expiry))
		}
	}
	hidden := func(f finding.Finding) bool {
		return shown != "" && f.Status == finding.Fail && !f.Severity.AtLeast(shown)
	}
	display := *result
	display.Findings = slices.DeleteFunc(slices.Clone(result.Findings), hidden)
	write := func(w io.Writer, format string, to report.Options) error { return writeResult(w, format, &display, to) }
	if o.framework != "" {
		page := scan.Assess(controls.Report(o.framework), result, options.Checks)
		for i := range page.Controls {
			page.Controls[i].Findings = slices.DeleteFunc(page.Controls[i].Findings, hidden)
		}
		write = func(w io.Writer, format string, to report.Options) error {
			return report.Framework(w, format, page, to)
		}
	}
	if err := e.write(formats, write); err != nil {
		return err
	}
	return o.gate.judge(result)
}

func (o *scanOptions) options(e *env) (scan.Options, error) {
	only := o.only
	if o.framework != "" {
		if !slices.Contains(controls.Frameworks(), o.framework) {
			return scan.Options{}, usage("--framework %q: want one of %s", o.framework, strings.Join(controls.Frameworks(), ", "))
		}
	}
	chosen, err := scan.Choose(checks.All, only, o.skip)
	if err != nil {
		return scan.Options{}, &exitError{code: exitUsage, err: err, hint: "`drawbridge explain` lists all checks"}
	}
	if o.framework != "" {
		chosen = slices.DeleteFunc(chosen, func(c *check.Check) bool {
			return !slices.ContainsFunc(controls.Of(c.ID), func(m finding.Control) bool { return m.Framework == o.framework })
		})
	}
	if err := accountIDs(o.trusted); err != nil {
		return scan.Options{}, err
	}
	options, err := e.acceptances(o.suppressions, o.baseline)
	if err != nil {
		return options, err
	}
	options.Checks, options.Controls, options.Version = chosen, controls.Of, version()
	options.Settings = check.Settings{TrustedAccounts: o.trusted}
	return options, nil
}

// accountIDs holds what --trusted-account was given to the form of AWS account ids.
func accountIDs(ids []string) error {
	for _, id := range ids {
		if len(id) != 12 || strings.Trim(id, "0123456789") != "" {
			return usage("--trusted-account %q: an AWS account id has twelve digits", id)
		}
	}
	return nil
}
