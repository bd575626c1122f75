package cli

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"drawbridge/internal/access"
	"drawbridge/internal/graph"
	"drawbridge/internal/report"
	"drawbridge/internal/scan"
)

// pathsOptions are the flags of paths.
type pathsOptions struct {
	inputs
	outputs
	from string
	to   []string
	most int
}

func newPaths(e *env) *cobra.Command {
	var o pathsOptions
	cmd := &cobra.Command{
		Use:   "paths",
		Short: "Show attack paths across the border between AWS and Kubernetes, and what cuts them",
		Long: `Show how an attacker gets from an entry point to a target: the shortest paths, certain ones first, over
pods, service accounts, nodes, access entries, IAM roles and back; and the smallest set of grants that
cuts all of them. What the snapshot does not tell makes a step possible, never certain, and the path says
what decides it.

Entry points (--from): an identity, every-pod (code in any pod that runs), or by default every identity
that is not privileged already: that is no administrator of an account, and may not do everything in a
cluster, by its own policies, bindings and access entries. Kubernetes' own controllers are left out.

Targets (--to): cluster-admin, secrets (all of a cluster), account-admin, secret/NAMESPACE/NAME, or an
identity; by default cluster-admin and account-admin.

Identities: an ARN, sa/NAMESPACE/NAME or NAMESPACE/NAME, pod/NAMESPACE/NAME,
deploy|ds|sts|job|cronjob/NAMESPACE/NAME, user:NAME, group:NAME.`,
		Example: `  drawbridge paths --demo
  drawbridge paths --demo --from every-pod --to account-admin
  drawbridge paths --demo --from sa/ci/jenkins --to cluster-admin -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("paths takes no argument %q; files and folders are given with -f", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), e) },
	}
	o.inputs.flags(cmd)
	o.outputs.flags(cmd, report.PathFormats)
	f := cmd.Flags()
	f.StringVar(&o.from, "from", "", "`ENTRY` point: an identity, "+strings.Join(entryWords, ", ")+"; default: every identity that is not privileged already")
	f.StringArrayVar(&o.to, "to", defaultTargets, "`TARGET`, repeatable")
	f.IntVarP(&o.most, "paths", "k", 5, "how `MANY` paths to show to each target")
	complete := func(flag string, words []string) {
		cobra.CheckErr(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)))
	}
	complete("from", entryWords)
	complete("to", []string{"cluster-admin", "account-admin", "secrets"})
	return cmd
}

// entryWords are the entry points that are no identity.
var entryWords = []string{graph.FromEveryPod}

var defaultTargets = []string{"cluster-admin", "account-admin"}

// run reads everything that can be called wrongly before anything that takes time.
func (o *pathsOptions) run(ctx context.Context, e *env) error {
	formats, err := o.outputs.parse()
	if err != nil {
		return err
	}
	q, err := o.question()
	if err != nil {
		return err
	}
	snapshot, err := o.load(ctx, e)
	if err != nil {
		return err
	}
	result, err := scan.Paths(snapshot, q, o.from, version(), e.now())
	if err != nil {
		return failed(err, "`drawbridge paths --help` says how identities and targets are written")
	}
	return e.write(formats, func(w io.Writer, format string, to report.Options) error { return report.Paths(w, format, result, to) })
}

func (o *pathsOptions) question() (graph.Question, error) {
	q := graph.Question{From: o.from, Most: o.most}
	if o.most < 1 {
		return q, usage("--paths %d: want 1 or more", o.most)
	}
	if o.from != "" && !slices.Contains(entryWords, o.from) {
		id, err := access.ParseIdentity(o.from)
		if err != nil {
			return q, usage("--from: %w; nor is it %s", err, strings.Join(entryWords, " or "))
		}
		q.Of = id
	}
	for _, t := range o.to {
		target, err := graph.ParseTarget(t)
		if err != nil {
			return q, usage("--to: %w", err)
		}
		q.To = append(q.To, target)
	}
	return q, nil
}
