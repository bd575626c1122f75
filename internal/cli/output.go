package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"drawbridge/checks"
	"drawbridge/internal/finding"
	"drawbridge/internal/report"
)

// outputs are the formats a result is to be written in and where to.
type outputs struct {
	specs   []string
	formats []string // that the command has, the default first
}

func (o *outputs) flags(cmd *cobra.Command, formats []string) {
	o.formats = formats
	cmd.Flags().StringArrayVarP(&o.specs, "output", "o", nil,
		"`FORMAT[=FILE]`, repeatable; without a file to standard output. Formats: "+strings.Join(formats, ", "))
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)))
}

// output is one format and the file it goes to; "" is standard output.
type output struct{ format, file string }

// parse reads the flags before any work is done, so that a misspelt format costs nothing.
func (o *outputs) parse() ([]output, error) {
	specs := o.specs
	if len(specs) == 0 {
		specs = o.formats[:1]
	}
	var all []output
	for _, spec := range specs {
		format, file, hasFile := strings.Cut(spec, "=")
		if !slices.Contains(o.formats, format) {
			return nil, usage("output format %q: want one of %s", format, strings.Join(o.formats, ", "))
		}
		if hasFile && file == "" {
			return nil, usage("output %q: no file after the =", spec)
		}
		if file == "-" {
			file = ""
		}
		if file != "" && slices.ContainsFunc(all, func(o output) bool { return filepath.Clean(o.file) == filepath.Clean(file) }) {
			return nil, usage("two formats for the file %s", file)
		}
		all = append(all, output{format, file})
	}
	if n := slices.IndexFunc(all, func(o output) bool { return o.file == "" }); n >= 0 &&
		slices.ContainsFunc(all[n+1:], func(o output) bool { return o.file == "" }) {
		return nil, usage("two formats for standard output: give one of them a file, as in -o %s=FILE", all[n].format)
	}
	return all, nil
}

// resultFormats are the formats of scan results.
func resultFormats() []string {
	names := make([]string, len(report.Formats))
	for i, f := range report.Formats {
		names[i] = f.Name
	}
	return names
}

// writeResult writes a scan result in one of its formats.
func writeResult(w io.Writer, format string, r *finding.Result, to report.Options) error {
	f, _ := report.Find(format)
	return f.Write(w, r, to)
}

// write writes in all formats; files first, each whole or not at all.
func (e *env) write(all []output, write func(w io.Writer, format string, to report.Options) error) error {
	for _, o := range all {
		if o.file == "" {
			continue
		}
		err := writeFile(o.file, 0o644, func(w io.Writer) error { return write(w, o.format, report.Options{Pages: page}) })
		if err != nil {
			return failed(err, "")
		}
	}
	for _, o := range all {
		if o.file == "" {
			if err := write(e.stdout, o.format, e.terminal()); err != nil {
				return failed(fmt.Errorf("write %s to standard output: %w", o.format, err), "")
			}
		}
	}
	return nil
}

// terminal describes standard output.
func (e *env) terminal() report.Options {
	o := report.Options{Pages: page}
	f, ok := e.stdout.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return o
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		o.Width = width
	}
	o.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	locale := os.Getenv("LC_ALL") + os.Getenv("LC_CTYPE") + os.Getenv("LANG")
	o.Unicode = strings.Contains(strings.ToUpper(locale), "UTF-8") || strings.Contains(strings.ToUpper(locale), "UTF8")
	return o
}

// page is what reports show of a check or detection.
func page(id string) (report.Page, bool) {
	if c := checks.ByID(id); c != nil {
		text, ok := checks.Page(c.ID)
		return report.Page{Title: c.Title, Markdown: text, Severity: c.Severity}, ok
	}
	if d := detectionByID(id); d != nil {
		return report.Page{Title: d.Head().Title, Markdown: d.Page(), Severity: d.Severity()}, true
	}
	return report.Page{}, false
}
