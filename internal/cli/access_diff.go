package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
	"drawbridge/internal/report"
)

func newAccessDiff(e *env) *cobra.Command {
	var out outputs
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Say who gained and lost what between two inputs",
		Long: `Compare what every identity can do in two inputs, into the clusters and out to AWS, and say who gained and lost
what. A and B are anything that -f takes elsewhere: snapshots, folders of what aws and kubectl printed, manifests.

Rules and policy statements are compared by what they allow, not by how they are written: a renamed role, a moved
binding, a split policy or a changed username makes no difference by itself, and what it hides is found. Each
change comes with a request that one input allows and the other denies. What cannot be decided is said to be unknown:
conditions that cannot be compared, rules that AWS does not publish, areas that one input lacks.

Clusters are compared by ARN or name; one cluster on each side is compared whatever it is called. Of two folders of
manifests, a kind of object that one lacks counts as not there.
-o markdown is a comment for a pull request.

Exit status: 0 done, whatever the difference, 1 could not do it, 2 called wrongly.`,
		Example: `  drawbridge access diff before.json.zst after.json.zst
  drawbridge access diff main/ branch/ -o markdown=comment.md
  drawbridge access diff before.json after.json -o json`,
		Args: exactly(2, "access diff takes two inputs, before and after"),
		RunE: func(cmd *cobra.Command, args []string) error {
			formats, err := out.parse()
			if err != nil {
				return err
			}
			if args[0] == "-" && args[1] == "-" {
				return usage("standard input can be read once: - was given twice")
			}
			before, err := e.inputOfDiff(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			after, err := e.inputOfDiff(cmd.Context(), args[1])
			if err != nil {
				return err
			}
			notes := access.Level(before, after)
			d := access.Diff(access.New(before), access.New(after))
			d.Notes = append(d.Notes, notes...)
			d.Before, d.After = args[0], args[1]
			d.Tool.Version, d.Time = version(), e.now().UTC()
			return e.write(formats, func(w io.Writer, format string, to report.Options) error {
				f, _ := report.FindDiff(format)
				return f.Write(w, d, to)
			})
		},
	}
	out.flags(cmd, diffFormats())
	return cmd
}

func diffFormats() []string {
	var names []string
	for _, f := range report.DiffFormats {
		names = append(names, f.Name)
	}
	return names
}

// inputOfDiff reads one of the two inputs.
func (e *env) inputOfDiff(ctx context.Context, path string) (*model.Snapshot, error) {
	in := inputs{files: []string{path}}
	snapshot, err := in.load(ctx, e, access.AreasOfDiff()...)
	if err != nil {
		return nil, err
	}
	snapshot.Sort()
	return snapshot, nil
}
