package cli

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
	"drawbridge/internal/report"
)

func newAccess(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "access",
		Short: "Who can do what, in Kubernetes and in AWS, and through which grants",
		Long: `Answer who can do what across the border between AWS and Kubernetes, with the chain of grants behind every
answer. What could not be read, and what AWS does not publish, makes an answer unknown and is named; it is
never taken for allowed or denied.

An identity is an ARN, sa/NAMESPACE/NAME or NAMESPACE/NAME (a service account), pod/NAMESPACE/NAME,
deploy|ds|sts|job|cronjob/NAMESPACE/NAME, user:NAME or group:NAME.`,
		Example: `  drawbridge access check --demo arn:aws:iam::111122223333:role/oncall get secrets -n checkout
  drawbridge access who-can --demo get secrets -A`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("there is no command %q in access; want %s", args[0], strings.Join(subcommands(cmd), ", "))
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newAccessOf(e), newAccessDiff(e), newAccessCheck(e), newAccessWhoCan(e), newAccessCheckAWS(e), newAccessWhoCanAWS(e))
	return cmd
}

// subcommands are the names of the subcommands of a command.
func subcommands(cmd *cobra.Command) []string {
	var all []string
	for _, c := range cmd.Commands() {
		all = append(all, c.Name())
	}
	return all
}

// accessOptions are the flags of every command that answers about access.
type accessOptions struct {
	inputs
	outputs
}

func (o *accessOptions) flags(cmd *cobra.Command) {
	o.inputs.flags(cmd)
	o.outputs.flags(cmd, accessFormats())
}

func accessFormats() []string {
	names := make([]string, len(report.AccessFormats))
	for i, f := range report.AccessFormats {
		names[i] = f.Name
	}
	return names
}

// answer loads the areas that a question rests on, has it answered and writes the result.
func (o *accessOptions) answer(ctx context.Context, e *env, question string, areas []model.Area, ask func(*access.Access) []access.Grant) ([]access.Grant, error) {
	formats, err := o.outputs.parse()
	if err != nil {
		return nil, err
	}
	collectRarely()
	snapshot, err := o.load(ctx, e, areas...)
	if err != nil {
		return nil, err
	}
	snapshot.Sort()
	all := access.New(snapshot)
	r := all.Result(question, ask(all), areas...)
	r.Tool.Version, r.Time = version(), e.now().UTC()
	return r.Answers, e.write(formats, func(w io.Writer, format string, to report.Options) error {
		f, _ := report.FindAccess(format)
		return f.Write(w, r, to)
	})
}

// collectRarely is for commands that are over in a moment: what is garbage by then is not worth collecting twice. The limit
// keeps large snapshots within bounds.
func collectRarely() {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(1 << 30)
}

// questionOptions are the flags that say what a question in Kubernetes is about.
type questionOptions struct {
	subresource string
	namespace   string
	all         bool
}

func (o *questionOptions) flags(cmd *cobra.Command, all string) {
	f := cmd.Flags()
	f.StringVar(&o.subresource, "subresource", "", "`NAME` of the subresource, such as exec; what follows a slash is then the name of an object")
	f.StringVarP(&o.namespace, "namespace", "n", "", "`NAMESPACE` of the request; default: default, or none for what is of no namespace")
	f.BoolVarP(&o.all, "all-namespaces", "A", false, all)
	cmd.MarkFlagsMutuallyExclusive("namespace", "all-namespaces")
}

// request reads the question and says on standard error what was taken for what.
func (o *questionOptions) request(cmd *cobra.Command, e *env, verb, resource string) (rbac.Request, error) {
	q := rbac.Question{Verb: verb, Resource: resource, Namespace: o.namespace, All: o.all}
	if cmd.Flags().Changed("subresource") {
		q.Subresource = &o.subresource
	}
	r, notes, err := q.Parse()
	if err != nil {
		return r, usage("%w", err)
	}
	for _, n := range notes {
		fmt.Fprintf(e.stderr, "note: %s\n", printable(n))
	}
	return r, nil
}

func newAccessCheck(e *env) *cobra.Command {
	var o accessOptions
	var q questionOptions
	cmd := &cobra.Command{
		Use:   "check IDENTITY VERB RESOURCE[.GROUP][/NAME]",
		Short: "Say whether an identity can do something in Kubernetes, and why",
		Long: `Say whether an identity can do something in Kubernetes, as the API server would: by RBAC, by the access
policies of its access entry, or as a kubelet. IAM principals come in through access entries and aws-auth, as the
cluster's authentication mode has it; pods and workloads act as their service account.

A resource is written as for kubectl, with short names; pods/exec is a subresource, and a path such as /metrics is
a URL. Without -n or -A the question is about the namespace default, or about the whole cluster for what is
of no namespace.

Exit status: 0 allowed, 1 could not do it, 2 called wrongly, 3 denied, 4 unknown. Of several clusters, one that
denies makes it 3, else one that is unknown 4.`,
		Example: `  drawbridge access check --demo arn:aws:iam::111122223333:role/oncall get secrets -n checkout
  drawbridge access check --demo deploy/velero/velero create pods/exec -n ci
  drawbridge access check --demo sa/ci/default update configmaps/aws-auth -n kube-system -o json`,
		Args: exactly(3, "access check takes an identity, a verb and a resource"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := access.ParseIdentity(args[0])
			if err != nil {
				return usage("%w", err)
			}
			r, err := q.request(cmd, e, args[1], args[2])
			if err != nil {
				return err
			}
			o.bare = r.Name == "" // what kubelets may do with a named object depends on all that their pods refer to
			answers, err := o.answer(cmd.Context(), e, "Can "+id.String()+" "+about(r)+"?", access.AreasOfCheck(id, r), func(all *access.Access) []access.Grant { return all.CheckAll(id, r) })
			if err != nil {
				return err
			}
			return judge(answers)
		},
	}
	o.flags(cmd)
	q.flags(cmd, "ask about all namespaces at once")
	return cmd
}

func newAccessWhoCan(e *env) *cobra.Command {
	var o accessOptions
	var q questionOptions
	cmd := &cobra.Command{
		Use:   "who-can VERB RESOURCE[.GROUP][/NAME]",
		Short: "List who can do something in Kubernetes, from which IAM principal or pod, and through what",
		Long: `List who can do something in Kubernetes: IAM principals through access entries, aws-auth and access policies,
usernames and groups that bindings name, service accounts and the workloads and pods that run as them, and kubelets.
Groups are expanded to the service accounts of the input. -A lists grants in any namespace, each with where it counts.

What is bound to a role that is not in the input, or has an access policy whose rules AWS does not publish, is listed as
unknown. What could not be read at all is listed as gaps.

Exit status: 0 done, 1 could not do it, 2 called wrongly.`,
		Example: `  drawbridge access who-can --demo get secrets -A
  drawbridge access who-can --demo create pods/exec -n shop -o wide
  drawbridge access who-can --demo update configmaps/aws-auth -n kube-system -o csv=writers.csv`,
		Args: exactly(2, "access who-can takes a verb and a resource"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := q.request(cmd, e, args[0], args[1])
			if err != nil {
				return err
			}
			o.bare = r.Name == ""
			question := "Who can " + about(r) + "?"
			if q.all && access.Namespaced(r) {
				question = "Who can " + strings.TrimSuffix(about(r), " in the whole cluster") + " in any namespace?"
			}
			_, err = o.answer(cmd.Context(), e, question, access.AreasOfWhoCan(), func(all *access.Access) []access.Grant { return all.WhoCanAll(r, q.all) })
			return err
		},
	}
	o.flags(cmd)
	q.flags(cmd, "grants in any namespace, each with where it counts")
	return cmd
}

// exactly is the number of arguments that a command takes.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("%s; got %d arguments", what, len(args))
		}
		return nil
	}
}

// about is a request as a question has it: "get secrets in namespace a".
func about(r rbac.Request) string {
	scope := access.ScopeOf(r.Namespace)
	text := rbac.Request{
		Verb: r.Verb, APIGroup: r.APIGroup, Resource: r.Resource, Subresource: r.Subresource, Name: r.Name, NonResourceURL: r.NonResourceURL,
	}.String()
	switch {
	case r.NonResourceURL != "":
		return text
	case scope == access.ScopeCluster:
		return text + " in the whole cluster"
	}
	return text + " in namespace " + r.Namespace
}

// judge is the exit status of check: denied goes before unknown.
func judge(answers []access.Grant) error {
	worst := access.Allowed
	for _, g := range answers {
		if g.Verdict == access.Denied || g.Verdict == access.Unknown && worst == access.Allowed {
			worst = g.Verdict
		}
	}
	switch worst {
	case access.Denied:
		return &exitError{code: exitFindings}
	case access.Unknown:
		return &exitError{code: exitIncomplete}
	}
	return nil
}
