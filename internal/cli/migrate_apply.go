package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"drawbridge/internal/apply"
	"drawbridge/internal/migrate"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/internal/source/aws"
	"drawbridge/internal/source/kube"
)

// applyOptions are the flags with which a migration is carried out.
type applyOptions struct {
	apply, acceptChanges, irreversible bool
	phase, journal                     string
}

func (o *applyOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.apply, "apply", false, "carry out one phase in the live cluster; with an unfinished journal, go on where it stopped")
	f.StringVar(&o.phase, "phase", "", "`PHASE` to carry out with --apply; default: the first")
	f.StringVar(&o.journal, "journal", "", "`FILE` to write what is done to, which resume, verify and rollback read; default: drawbridge-CLUSTER-PHASE.journal")
	f.BoolVar(&o.acceptChanges, "accept-changes", false, "carry out a phase although somebody gains or loses access by it, or that is not known")
	f.BoolVar(&o.irreversible, "confirm-irreversible", false, "carry out steps that cannot be undone")
}

// check holds the flags against each other and the inputs.
func (o *applyOptions) check(in *inputs) error {
	switch {
	case !o.apply && (o.phase != "" || o.journal != "" || o.acceptChanges || o.irreversible):
		return usage("--phase, --journal, --accept-changes and --confirm-irreversible go with --apply")
	case o.apply && (in.demo || len(in.files) > 0):
		return usage("--apply works on a live cluster, not on files")
	case o.apply && in.allClusters:
		return usage("--apply works on one cluster at a time: name it with --cluster")
	}
	return nil
}

// run carries out one phase of a migration of one cluster.
func (o *applyOptions) run(ctx context.Context, e *env, in *inputs, r *migrate.Result) error {
	if len(r.Clusters) != 1 {
		return usage("--apply works on one cluster at a time: %d were read", len(r.Clusters))
	}
	cluster := r.Before.Clusters[0]
	if o.begun(o.journal) {
		return o.resume(ctx, e, in, cluster, o.journal)
	}
	i, changes, err := o.choose(r)
	if err != nil {
		return err
	}
	journal := o.journal
	if journal == "" {
		journal = fmt.Sprintf("drawbridge-%s-%s.journal", fileWord(cluster.Name), r.Phases[i].ID)
	}
	if o.begun(journal) { // whatever the plan of today says: what was begun comes first
		return o.resume(ctx, e, in, cluster, journal)
	}
	if len(changes) == 0 {
		fmt.Fprintf(e.stderr, "phase %s changes nothing: %s\n", r.Phases[i].ID, printable(r.Phases[i].Wait))
		return nil
	}
	if proof, ok := r.Proof.Phase(r.Phases[i].ID); ok && !proof.Equal && !o.acceptChanges {
		return &exitError{
			code: exitFindings, err: fmt.Errorf("phase %s does not keep everybody's access as it is: %d gained, %d lost, %d unknown", proof.ID, proof.Gained, proof.Lost, proof.Unknown),
			hint: "look at the plan without --apply; --accept-changes carries it out all the same",
		}
	}
	if r.Phases[i].ID == migrate.PhaseEmpty {
		if err := e.stillNeeded(r, o.acceptChanges); err != nil {
			return err
		}
	}
	clients, err := in.clients(ctx, cluster)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(journal); err == nil {
		return failed(fmt.Errorf("journal %s is there already, and not of a run to go on with", printable(journal)), "--journal FILE names another; migrate verify --journal tells what this one is")
	}
	return e.carried(journal, func() (*apply.Status, error) {
		return apply.Run(ctx, changes, apply.Options{
			Journal: journal, Clients: clients, Planned: r.Before, Nodes: nodeEntries(cluster), Questions: migrate.Questions(r.After, changes), Irreversible: o.irreversible, Now: e.now, Progress: e.applied,
		})
	})
}

// begun says that a journal is of a run that was stopped or killed half-way.
func (o *applyOptions) begun(journal string) bool {
	st, err := apply.Read(journal)
	return err == nil && !st.Undoing && !st.Finished()
}

// resume goes on with a run.
func (o *applyOptions) resume(ctx context.Context, e *env, in *inputs, cluster *model.Cluster, journal string) error {
	clients, err := in.clients(ctx, cluster)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "note: going on with %s\n", printable(journal))
	return e.carried(journal, func() (*apply.Status, error) {
		return apply.Resume(ctx, apply.Options{Journal: journal, Clients: clients, Nodes: nodeEntries(cluster), Irreversible: o.irreversible, Now: e.now, Progress: e.applied})
	})
}

// choose finds the phase to carry out and its changes.
func (o *applyOptions) choose(r *migrate.Result) (int, plan.Plan, error) {
	var ids []string
	first := 0
	for i, p := range r.Phases {
		if p.ID == o.phase || o.phase == "" {
			return i, r.Changes[first : first+len(p.Steps)], nil
		}
		ids = append(ids, p.ID)
		first += len(p.Steps)
	}
	if len(ids) == 0 {
		return 0, nil, failed(errors.New("there is nothing to carry out"), "the plan without --apply says why")
	}
	return 0, nil, usage("--phase %q: the phases of this plan are %s", o.phase, strings.Join(ids, ", "))
}

// fileWord makes a cluster's name fit for the name of a file.
func fileWord(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_0123456789", r) || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, s)
}

// applied shows what a run does, a line a step.
func (e *env) applied(ev apply.Event) {
	if ev.Stage == apply.Waiting {
		return
	}
	word := ""
	if ev.Undo {
		word = "undo "
	}
	said := ""
	if ev.Said != "" {
		said = "; " + ev.Said
	}
	fmt.Fprintf(e.stderr, "%sstep %d of %d, %s: %s\n", word, ev.Step, ev.Steps, ev.Stage, printable(ev.Change.String()+said))
}

// carried says how a run ended.
func (e *env) carried(journal string, carry func() (*apply.Status, error)) error {
	st, err := carry()
	if err != nil {
		return failed(err, remedy(err, journal))
	}
	fmt.Fprintf(e.stdout, "%d of %d steps done, %d undone; journal %s\n", st.Count(apply.Done), len(st.Steps), st.Count(apply.Undone), printable(journal))
	return nil
}

// remedy is what to do about a run that stopped or did not begin.
func remedy(err error, journal string) string {
	of := "--journal " + plan.Shell(journal)
	if first, ok := errors.AsType[*apply.Unfinished](err); ok {
		of = "--journal " + plan.Shell(first.Journal)
		return "migrate … --apply " + of + " goes on with it, migrate rollback " + of + " undoes it; if neither can, because of what others changed, " + givesUp(of)
	}
	if errors.Is(err, apply.ErrLocked) {
		return "wait for the other run, or find it with `fuser " + plan.Shell(journal) + "`"
	}
	stopped, begun := errors.AsType[*apply.Stopped](err)
	if !begun {
		text := ""
		if denied(err) {
			text = getTheRight + "; "
		}
		if _, missing := os.Lstat(journal); missing != nil {
			return text + "nothing was changed, and there is no journal: the same command plans anew"
		}
		return text + "nothing more was changed; the journal is " + journal
	}
	on := "the journal is " + journal + ": the same command goes on from there"
	if !stopped.Undo {
		on += ", migrate rollback " + of + " undoes what is done"
	}
	_, changed := errors.AsType[*apply.Changed](err)
	_, unmet := errors.AsType[*plan.Unmet](err)
	switch {
	case (changed || unmet) && stopped.Undo:
		return "migrate verify " + of + " shows what others changed; to keep that, " + givesUp(of)
	case changed || unmet:
		return "look at what others changed; migrate rollback " + of + " undoes what this run did, and then plan anew; if that cannot be undone any more, " + givesUp(of)
	case denied(err):
		return getTheRight + "; " + on
	case code(err) == "ResourceInUseException" || code(err) == "InvalidRequestException":
		return "EKS may be changing the cluster: wait until `aws eks describe-cluster` says ACTIVE; " + on
	}
	return on
}

// givesUp is the way out of a run that can neither go on nor back.
func givesUp(of string) string {
	return "migrate rollback --abandon " + of + " gives it up: what is done stays, the journal is kept with its backups, and the next plan starts from what stands"
}

const getTheRight = "get the right that is named (docs/reference/permissions.md has them all)"

// denied says that a right was missing.
func denied(err error) bool {
	return apierrors.IsForbidden(err) || strings.HasPrefix(code(err), "AccessDenied")
}

// code is that of an error of AWS, or "".
func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// clients reach a live cluster and its account with the rights to write that the caller's credentials have.
func (in *inputs) clients(ctx context.Context, c *model.Cluster) (apply.Clients, error) {
	config, err := in.kube().RawConfig()
	if err != nil {
		return apply.Clients{}, failed(fmt.Errorf("read kubeconfig: %w", err), "")
	}
	o := in.awsOptions(nil)
	o.Progress = nil
	name := in.context
	if name == "" {
		name, _ = contextOf(config, c)
	}
	if ref, ok := kube.ClusterFromContext(config, name); ok {
		if in.profile == "" && ref.Profile != "" {
			o.Config = aws.LoadConfig(ref.Profile)
		}
		if len(o.RoleChain) == 0 && ref.RoleARN != "" {
			o.RoleChain = []string{ref.RoleARN}
		}
	}
	cfg, err := aws.Config(ctx, o, c.Region)
	if err != nil {
		return apply.Clients{}, failed(fmt.Errorf("credentials for cluster %s: %w", c.Name, err), "")
	}
	clients := apply.AWS(cfg)
	clients.Account, clients.Accounts = c.Account, map[string]apply.IAM{}
	others, err := in.otherAccounts(o, c.Region)
	if err != nil {
		return apply.Clients{}, err
	}
	for id, of := range others {
		other, err := aws.Config(ctx, of, c.Region)
		if err != nil {
			return apply.Clients{}, failed(fmt.Errorf("credentials for account %s: %w", id, err), "")
		}
		clients.Accounts[id] = apply.AWS(other).IAM
	}
	client, err := restConfig(ctx, config, name, cfg, o, c)
	if err != nil {
		return apply.Clients{}, failed(err, "")
	}
	if clients.Kubernetes, err = apply.NewKubernetes(client); err != nil {
		return apply.Clients{}, failed(err, "")
	}
	return clients, nil
}

// restConfig is how to reach a cluster's Kubernetes API: through a kubeconfig context, else with AWS credentials.
func restConfig(ctx context.Context, config clientcmdapi.Config, name string, cfg awssdk.Config, o aws.Options, c *model.Cluster) (*rest.Config, error) {
	if name != "" {
		client, err := clientcmd.NewNonInteractiveClientConfig(config, name, &clientcmd.ConfigOverrides{}, clientcmd.NewDefaultClientConfigLoadingRules()).ClientConfig()
		if err != nil {
			return nil, fmt.Errorf("kubeconfig context %s: %w", name, err)
		}
		return client, nil
	}
	to, err := aws.Connect(ctx, o, c.Region, c.Name)
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host: to.Endpoint, TLSClientConfig: rest.TLSClientConfig{CAData: to.CA},
		WrapTransport: func(next http.RoundTripper) http.RoundTripper {
			return &signing{next: next, sign: func(ctx context.Context) (string, error) { return aws.Token(ctx, cfg, c.Name) }}
		},
	}, nil
}

// signing gives each request a token that is made for it: tokens last a quarter of an hour, migrations longer, and making one
// calls nobody.
type signing struct {
	next http.RoundTripper
	sign func(context.Context) (string, error)
}

func (s *signing) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := s.sign(r.Context())
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return s.next.RoundTrip(r)
}

// nodeEntries are the access entries that nodes come in by: they must stand before anything is taken away.
func nodeEntries(c *model.Cluster) []apply.NodeEntry {
	var nodes []apply.NodeEntry
	for _, e := range c.AccessEntries {
		if e.IsNode() {
			nodes = append(nodes, apply.NodeEntry{PrincipalARN: e.PrincipalARN, Type: e.Type})
		}
	}
	return nodes
}

// journalOptions are the flags of commands that work on a journal.
type journalOptions struct {
	inputs
	journal string
}

func (o *journalOptions) flags(cmd *cobra.Command) {
	o.inputs.flags(cmd)
	for _, f := range []string{"filename", "demo", "all-clusters"} {
		cobra.CheckErr(cmd.Flags().MarkHidden(f))
	}
	cmd.Flags().StringVar(&o.journal, "journal", "", "`FILE` that the run wrote")
	cobra.CheckErr(cmd.MarkFlagRequired("journal"))
}

// open reads the journal and makes clients for its cluster.
func (o *journalOptions) open(ctx context.Context, e *env) (apply.Options, error) {
	if o.demo || len(o.files) > 0 || o.allClusters {
		return apply.Options{}, usage("a journal is of one live cluster: -f, --demo and --all-clusters do not go with it")
	}
	st, err := apply.Read(o.journal)
	if err != nil {
		return apply.Options{}, failed(err, "")
	}
	c := &model.Cluster{Name: st.Cluster, ARN: st.Cluster}
	if parts := strings.Split(st.Cluster, ":"); len(parts) == 6 {
		c.Region, c.Account = parts[3], parts[4]
		c.Name = strings.TrimPrefix(parts[5], "cluster/")
	}
	if len(o.clusters) > 0 && !slices.Contains(o.clusters, c.Name) {
		return apply.Options{}, usage("the journal is of cluster %s, not of %s", c.Name, strings.Join(o.clusters, ", "))
	}
	if len(o.clusters) == 0 && c.Region != "" {
		o.clusters = []string{c.Name}
		if len(o.regions) == 0 {
			o.regions = []string{c.Region}
		}
	}
	clients, err := o.inputs.clients(ctx, c)
	if err != nil {
		return apply.Options{}, err
	}
	return apply.Options{Journal: o.journal, Clients: clients, Now: e.now, Progress: e.applied}, nil
}

func newMigrateVerify(e *env) *cobra.Command {
	var o journalOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Say of each step of a run whether it still stands",
		Long: `Read what a run changed and say, step by step, whether it is still as the journal has it. Nothing is written.

Exit status: 0 everything stands · 1 could not read it · 2 called wrongly · 3 something is otherwise.`,
		Example: `  drawbridge migrate verify --cluster prod --journal drawbridge-prod-create-entries.journal`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := o.open(cmd.Context(), e)
			if err != nil {
				return err
			}
			st, err := apply.Verify(cmd.Context(), options)
			if err != nil {
				return failed(err, "")
			}
			drift := 0
			for i, s := range st.Steps {
				line := fmt.Sprintf("step %d, %s: %s", i+1, s.State, st.Plan[i])
				if s.Drift != "" {
					drift++
					line += "; but now " + s.Drift
				}
				fmt.Fprintln(e.stdout, printable(line))
			}
			if drift > 0 {
				return &exitError{code: exitFindings}
			}
			return nil
		},
	}
	o.flags(cmd)
	return cmd
}

func newMigrateRollback(e *env) *cobra.Command {
	var o journalOptions
	var accept, abandon bool
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Undo what a run did, last step first, or give the run up",
		Long: `Undo what a run did, last step first, from the backups in its journal. A step that cannot be undone ends it: that step
and those before it stay. It can be interrupted and called again.

Before anything is done the cluster is read, and it is worked out what that does to everybody's access now: phases are
undone in the order in which they were not done, or somebody is locked out.

--abandon is for a run that can neither go on nor back, because of what somebody else changed. Nothing is read and nothing
undone: what is done stays as it is. The journal is kept under another name, and the next plan starts from what stands.

Exit status: 0 undone · 1 could not do it, or not all of it · 2 called wrongly · 3 somebody would gain or lose access, or that is
not known.`,
		Example: `  drawbridge migrate rollback --cluster prod --journal drawbridge-prod-create-entries.journal
  drawbridge migrate rollback --abandon --journal drawbridge-prod-empty-aws-auth.journal`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if abandon {
				return o.abandon(e, accept)
			}
			options, err := o.open(cmd.Context(), e)
			if err != nil {
				return err
			}
			if !accept {
				if err := o.same(cmd.Context(), e); err != nil {
					return err
				}
			}
			return e.carried(o.journal, func() (*apply.Status, error) { return apply.Undo(cmd.Context(), options) })
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&accept, "accept-changes", false, "undo it although somebody gains or loses access by it, or that is not known")
	cmd.Flags().BoolVar(&abandon, "abandon", false, "undo nothing and give the run up: its journal is kept under another name, and the next plan starts from what stands")
	return cmd
}

// abandon gives a run up.
func (o *journalOptions) abandon(e *env, accept bool) error {
	if accept {
		return usage("--abandon undoes nothing: --accept-changes does not go with it")
	}
	kept, st, err := apply.Abandon(apply.Options{Journal: o.journal, Now: e.now})
	switch {
	case errors.Is(err, apply.ErrLocked):
		return failed(err, remedy(err, o.journal))
	case err != nil:
		return failed(err, "")
	}
	fmt.Fprintf(e.stdout, "given up: %d of %d steps are done and stay, %d are undone", st.Count(apply.Done), len(st.Steps), st.Count(apply.Undone))
	if n := st.Count(apply.Intended); n > 0 {
		fmt.Fprintf(e.stdout, ", of %d it is not known", n)
	}
	fmt.Fprintf(e.stdout, "; the journal is kept as %s\n", printable(kept))
	return nil
}

// same holds what a rollback would do against the live cluster: everybody keeps the access that they have.
func (o *journalOptions) same(ctx context.Context, e *env) error {
	st, err := apply.Read(o.journal)
	if err != nil {
		return failed(err, "")
	}
	var back plan.Plan
	for _, s := range slices.Backward(st.Steps) {
		if s.State == apply.Done {
			back = append(back, s.Backup...)
		}
	}
	now, err := o.load(ctx, e)
	if err != nil {
		return err
	}
	now.Sort()
	after, err := back.Simulate(now)
	if err != nil {
		return failed(fmt.Errorf("work out what the rollback does: %w", err), "somebody changed it since; --accept-changes undoes what still stands")
	}
	if p := migrate.Compare(now, after); !p.Equal {
		return &exitError{
			code: exitFindings, err: fmt.Errorf("the rollback does not keep everybody's access as it is: %d gained, %d lost, %d unknown%s", len(p.Gained), len(p.Lost), len(p.Unknown), first(p.Witnesses)),
			hint: "undo later phases first; --accept-changes undoes it all the same",
		}
	}
	return nil
}

// first is the first of some witnesses, as the end of a sentence.
func first(witnesses []string) string {
	if len(witnesses) == 0 {
		return ""
	}
	return ", such as " + witnesses[0]
}
