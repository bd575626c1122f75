package cli

import (
	"cmp"
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"drawbridge/internal/access"
	"drawbridge/internal/migrate"
	"drawbridge/internal/model"
	"drawbridge/internal/report"
)

func newMigrate(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Move clusters to access entries and Pod Identity, with proof",
		Long: `Plan the move of a cluster's identities, and prove what it does to everybody's access before anything is done.

A plan is phases, after each of which one can stop, look, and go on later or back. It says first what stands in the
way and whether access stays the same.`,
		Example: `  drawbridge migrate status --demo`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("there is no command %q in migrate; want %s", args[0], strings.Join(subcommands(cmd), ", "))
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newMigration(e, accessEntries), newMigration(e, podIdentity), newMigrateStatus(e), newMigrateVerify(e), newMigrateRollback(e))
	return cmd
}

// migrateOptions are the flags of every migration.
type migrateOptions struct {
	inputs
	outputs
	trusted []string
}

func (o *migrateOptions) flags(cmd *cobra.Command, formats []string) {
	o.inputs.flags(cmd)
	o.outputs.flags(cmd, formats)
	cmd.Flags().StringArrayVar(&o.trusted, "trusted-account", nil, "`ID` of an AWS account whose principals may get access entries, repeatable; the cluster's own always is")
}

// read reads the state and checks what was called wrongly before that.
func (o *migrateOptions) read(ctx context.Context, e *env) ([]output, *model.Snapshot, error) {
	formats, err := o.outputs.parse()
	if err != nil {
		return nil, nil, err
	}
	if err := accountIDs(o.trusted); err != nil {
		return nil, nil, err
	}
	s, err := o.load(ctx, e)
	if err != nil {
		return nil, nil, err
	}
	s.Sort()
	return formats, s, nil
}

func planFormats() []string {
	var names []string
	for _, f := range report.PlanFormats {
		names = append(names, f.Name)
	}
	return names
}

// migration is one kind of migration: how a cluster's is planned, and what its help says.
type migration struct {
	name, short, long, example string
	// logs is what --audit-log is to it.
	logs string
	// flags are those of this kind alone, which change the options.
	flags func(*cobra.Command, *migrate.Options)
	plan  func(*model.Snapshot, *access.Access, *access.Cluster, migrate.Options) *migrate.Migration
}

var accessEntries = migration{
	name: "access-entries", plan: migrate.AccessEntries, logs: auditLogsHelp,
	short: "Move from aws-auth to access entries: plan, proof, code, apply",
	long: `Plan the move of clusters from aws-auth to access entries: what becomes of each row, in which phases, what stands in
the way, and the proof of what it does to everybody's effective access, in Kubernetes and in AWS.

A row becomes an access entry with the same username and groups; system:masters becomes
AmazonEKSClusterAdminPolicy, and the plan says what differs; rows of nodes become entries of their type, first of all;
rows that let nobody in become nothing. What only people can decide is a blocker: a row that is blocked stays, and the
cluster stays in API_AND_CONFIG_MAP. --audit-log tells which rows somebody still comes in by, and which nobody was seen
to need, before they leave aws-auth.`,
	example: `  drawbridge migrate access-entries --demo
  drawbridge migrate access-entries --cluster prod -o markdown=ticket.md
  drawbridge migrate access-entries -f fleet.json.zst -o json
  drawbridge migrate access-entries --cluster prod --apply --phase create-entries
  drawbridge migrate access-entries --cluster prod --audit-log audit/ --apply --phase empty-aws-auth`,
}

var podIdentity = migration{
	name: "pod-identity", plan: migrate.PodIdentity, flags: podIdentityFlags, logs: nodeLogsHelp,
	short: "Move to Pod Identity, from IRSA, kube2iam and access keys: plan, proof, code, apply",
	long: `Plan the move of service accounts to Pod Identity: from IRSA, and from the annotations of kube2iam and kiam, with the
same roles; from access keys in variables and Secrets, with a role that somebody names. The plan says what becomes of
each service account, in which phases, what stands in the way, and proves what it does to everybody's effective access.

The trust is carried over narrowly, for the service account in this cluster and nobody else. Associations come first;
annotations, the trust in this cluster's issuer alone, and the trust in its nodes go when pods were restarted and seen
to use Pod Identity. A role of another account is reached through one of the cluster's account. Such a role, and one
that stands in for keys, is named by --role, or looked for by the convention of --role-names. What the roles of nodes
were used for is told by CloudTrail: --audit-log; service accounts that rely on them are moved where --role names one.`,
	example: `  drawbridge migrate pod-identity --demo
  drawbridge migrate pod-identity --cluster prod -o terraform=pod-identity.tf
  drawbridge migrate pod-identity --cluster prod --role shop/web=arn:aws:iam::111122223333:role/prod-shop-web
  drawbridge migrate pod-identity --cluster prod --keys-of shop/web=arn:aws:iam::111122223333:user/shop
  drawbridge migrate pod-identity --cluster prod --audit-log cloudtrail/
  drawbridge migrate pod-identity --cluster prod --apply --phase trust`,
}

func newMigration(e *env, kind migration) *cobra.Command {
	var o migrateOptions
	var do applyOptions
	var settings migrate.Options
	var logs auditLogs
	cmd := &cobra.Command{
		Use: kind.name, Short: kind.short, Example: kind.example, Args: cobra.NoArgs,
		Long: kind.long + `

--apply carries out one phase in the live cluster, one change at a time, re-reading before each and reading back after it,
with a journal from which it is resumed, verified or rolled back.

Exit status: 0 planned, and access stays the same, or applied · 1 could not do it · 2 called wrongly · 3 somebody gains or
loses access, or that is not known.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmp.Or(do.check(&o.inputs), logs.check(&o.inputs)); err != nil {
				return err
			}
			collectRarely()
			formats, s, err := o.read(cmd.Context(), e)
			if err != nil {
				return err
			}
			settings.TrustedAccounts = o.trusted
			if kind.name == podIdentity.name {
				if settings.NodeUse, err = logs.ofNodes(cmd.Context(), e); err != nil {
					return err
				}
			}
			all := access.New(s)
			var migrations []*migrate.Migration
			for _, c := range all.Clusters() {
				migrations = append(migrations, kind.plan(s, all, c, settings))
			}
			r, err := migrate.NewResult(kind.name, s, migrations)
			if err != nil {
				return failed(err, "this is a defect of drawbridge: the plan does not fit the snapshot it was made for")
			}
			r.Tool.Version, r.Time = version(), e.now().UTC()
			if kind.name == accessEntries.name {
				if r.Evidence, err = logs.read(cmd.Context(), e, s, all); err != nil {
					return err
				}
			}
			if do.apply {
				return do.run(cmd.Context(), e, &o.inputs, r)
			}
			if err := e.write(formats, func(w io.Writer, format string, to report.Options) error {
				f, _ := report.FindPlan(format)
				return f.Write(w, r, to)
			}); err != nil {
				return err
			}
			if !r.Proof.Equal {
				return &exitError{code: exitFindings}
			}
			return nil
		},
	}
	o.flags(cmd, planFormats())
	if kind.flags != nil {
		kind.flags(cmd, &settings)
	}
	logs.flags(cmd, kind.logs)
	do.flags(cmd)
	return cmd
}

func newMigrateStatus(e *env) *cobra.Command {
	var o migrateOptions
	var logs auditLogs
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how far the clusters of a fleet are, and what stops them",
		Long: `Show of every cluster its authentication mode, what is left in aws-auth and what becomes of it, how many service
accounts still use IRSA, the next phase, and what somebody has to decide first; with --audit-log, who still comes in by
aws-auth.`,
		Example: `  drawbridge migrate status --demo
  drawbridge migrate status -f fleet.json.zst -o html=status.html`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := logs.check(&o.inputs); err != nil {
				return err
			}
			formats, s, err := o.read(cmd.Context(), e)
			if err != nil {
				return err
			}
			all := access.New(s)
			st := migrate.NewStatus(s, all, migrate.Options{TrustedAccounts: o.trusted})
			if st.Evidence, err = logs.read(cmd.Context(), e, s, all); err != nil {
				return err
			}
			st.Tool.Version, st.Time = version(), e.now().UTC()
			return e.write(formats, func(w io.Writer, format string, to report.Options) error {
				return report.MigrationStatus(w, format, st, to)
			})
		},
	}
	o.flags(cmd, report.MigrationStatusFormats)
	logs.flags(cmd, auditLogsHelp)
	return cmd
}
