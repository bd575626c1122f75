package cli

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

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

Entry points (--from):
  an identity       an ARN, sa/NAMESPACE/NAME or NAMESPACE/NAME, pod/NAMESPACE/NAME, user:NAME, group:NAME,
                    deploy|ds|sts|job|cronjob/NAMESPACE/NAME, or node/NAME (root on it)
  every-pod         code in any pod that runs
  internet-facing   whom the snapshot shows to be let in from outside: principals of other accounts and bearers of
                    tokens of public OIDC providers in trust policies, principals of other accounts in access entries
                    and aws-auth, and nobody in particular (system:anonymous) where the API endpoint is public. Which
                    pods a load balancer leads to is not in a snapshot: see every-pod
  by default        every identity that is not privileged already: no administrator of an account, and not allowed
                    everything in a cluster, by its own policies, bindings and access entries. Kubernetes' own
                    controllers are left out

Targets (--to): cluster-admin, secrets (all of a cluster), account-admin, secret/NAMESPACE/NAME, or an entry point of
the first kind; by default cluster-admin and account-admin.

` + "`drawbridge explain`" + ` shows the page of a kind of step, such as run-pods.`,
		Example: `  drawbridge paths --demo
  drawbridge paths --demo --from every-pod --to account-admin
  drawbridge paths --demo --from sa/ci/jenkins --to cluster-admin -o html=paths.html
  drawbridge paths --demo --from internet-facing --to secrets`,
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
var entryWords = []string{graph.FromEveryPod, graph.FromInternetFacing}

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
		id, err := graph.ParsePlace(o.from)
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
