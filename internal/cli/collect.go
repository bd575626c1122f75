package cli

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/spf13/cobra"

	"drawbridge/internal/model"
)

func newCollect(e *env) *cobra.Command {
	var in inputs
	var file string
	var requireComplete bool
	cmd := &cobra.Command{
		Use:   "collect",
		Short: "Read clusters and their accounts into a snapshot file",
		Long: `Read one or many clusters and their accounts into a snapshot file, which every other command reads with -f.
So whoever may read the clusters need not be who looks at the result. The file holds no secret values,
but it shows who can do what: it is written so that only its owner can read it.`,
		Example: `  drawbridge collect -o prod.json.zst
  drawbridge collect --all-clusters --region us-east-1 --region eu-central-1 -o fleet.json.zst
  drawbridge scan -f fleet.json.zst`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runCollect(cmd.Context(), e, &in, file, requireComplete)
		},
	}
	in.flags(cmd)
	cmd.Flags().StringVarP(&file, "output", "o", "", "`FILE` to write: .json, .json.gz or .json.zst; - is standard output")
	cmd.Flags().BoolVar(&requireComplete, "require-complete", false, "exit with status 4 if something could not be read")
	cobra.CheckErr(cmd.MarkFlagRequired("output"))
	return cmd
}

func runCollect(ctx context.Context, e *env, in *inputs, file string, requireComplete bool) error {
	s, err := in.load(ctx, e)
	if err != nil {
		return err
	}
	if s.Time.IsZero() {
		s.Time = e.now().UTC()
	}
	s.Tool = "drawbridge " + version()
	s.Complete(model.NotInInput)
	s.Sort()
	if file == "-" {
		err = model.Write(e.stdout, s)
	} else {
		err = writeFile(file, 0o600, func(w io.Writer) error { return writeSnapshot(w, file, s) })
	}
	if err != nil {
		return failed(err, "")
	}
	pods := 0
	for _, c := range s.Clusters {
		pods += len(c.Pods)
	}
	fmt.Fprintf(e.stderr, "%s: clusters %d, pods %d, accounts %d, gaps %d\n", printable(file), len(s.Clusters), pods, len(s.Accounts), len(s.Gaps))
	for _, g := range s.Gaps {
		fmt.Fprintf(e.stderr, "could not read %s%s: %s: %s\n", printable(g.Area), printable(of(g.Cluster+g.Account)), printable(g.Action), printable(g.Reason))
	}
	if requireComplete && slices.ContainsFunc(s.Gaps, hides) {
		return &exitError{code: exitIncomplete}
	}
	return nil
}

func of(what string) string {
	if what == "" {
		return ""
	}
	return " of " + what
}

// writeSnapshot compresses as the file's name says.
func writeSnapshot(w io.Writer, file string, s *model.Snapshot) error {
	var z io.WriteCloser
	switch {
	case strings.HasSuffix(file, ".gz"):
		z = gzip.NewWriter(w)
	case strings.HasSuffix(file, ".zst"):
		enc, err := zstd.NewWriter(w)
		if err != nil {
			return err
		}
		z = enc
	default:
		return model.Write(w, s)
	}
	if err := model.Write(z, s); err != nil {
		return err
	}
	return z.Close()
}
