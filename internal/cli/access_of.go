package cli

import (
	"bufio"
	"context"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"drawbridge/internal/access"
	"drawbridge/internal/report"
)

func newAccessOf(e *env) *cobra.Command {
	var o accessOptions
	var all bool
	cmd := &cobra.Command{
		Use:   "of IDENTITY | --all",
		Short: "List everything an identity can do, in Kubernetes and in AWS",
		Long: `List everything one identity can do: in each cluster the rules that it holds through bindings, access entries and
access policies, with where they count; in AWS what the policies of its sessions allow, what limits them, and which
roles it can go on into. What that comes to stands first: "can read all Secrets".

--all lists the grants of every identity of the input, one a line: as JSON lines, or with -o csv for a spreadsheet.
The lines come identity by identity, in the same order every time.

Exit status: 0 done, 1 could not do it, 2 called wrongly.`,
		Example: `  drawbridge access of --demo arn:aws:iam::111122223333:role/release-bot
  drawbridge access of --demo ci/jenkins -o wide
  drawbridge access of --demo --all -o csv=matrix.csv`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case all && len(args) > 0:
				return usage("access of takes an identity or --all, not both")
			case !all && len(args) != 1:
				return usage("access of takes an identity, or --all; got %d arguments", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if all {
				return o.matrix(cmd.Context(), e)
			}
			id, err := access.ParseIdentity(args[0])
			if err != nil {
				return usage("%w", err)
			}
			return o.portrait(cmd.Context(), e, id)
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "every identity of the input, one grant a line; formats: json (lines), csv")
	return cmd
}

// portrait answers for one identity.
func (o *accessOptions) portrait(ctx context.Context, e *env, id access.Identity) error {
	formats, err := o.outputs.parse()
	if err != nil {
		return err
	}
	snapshot, err := o.load(ctx, e, access.AreasOfGrants()...)
	if err != nil {
		return err
	}
	snapshot.Sort()
	p := access.New(snapshot).PortraitOf(id)
	p.Tool.Version, p.Time = version(), e.now().UTC()
	return e.write(formats, func(w io.Writer, format string, to report.Options) error {
		return report.WritePortrait(w, format, p, to)
	})
}

// matrix writes the grants of all identities as they are worked out.
func (o *accessOptions) matrix(ctx context.Context, e *env) error {
	if len(o.specs) == 0 {
		o.specs = report.AccessLineFormats[:1]
	}
	formats, err := o.outputs.parse()
	if err != nil {
		return err
	}
	for _, f := range formats {
		if !slices.Contains(report.AccessLineFormats, f.format) {
			return usage("--all writes json (lines) or csv, not %s", f.format)
		}
	}
	snapshot, err := o.load(ctx, e, access.AreasOfGrants()...)
	if err != nil {
		return err
	}
	snapshot.Sort()
	all := access.New(snapshot)
	return e.write(formats, func(w io.Writer, format string, _ report.Options) error {
		buffered := bufio.NewWriter(w)
		lines, err := report.NewAccessLines(buffered, format)
		if err != nil {
			return err
		}
		for _, id := range all.Identities() {
			for _, g := range all.GrantsOf(id) {
				if err := ctx.Err(); err != nil {
					return err
				}
				if g.Verdict == access.Denied {
					continue
				}
				if err := lines.Write(&g); err != nil {
					return err
				}
			}
		}
		if err := lines.Close(); err != nil {
			return err
		}
		return buffered.Flush()
	})
}
