package cli

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"drawbridge/internal/access"
	"drawbridge/internal/iam"
)

// awsQuestionOptions are the flags that say what a question in AWS is about.
type awsQuestionOptions struct {
	account string
	given   []string
}

func (o *awsQuestionOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.account, "resource-account", "", "`ID` of the account that owns the resource, where its ARN does not tell (S3); default: the caller's own")
	f.StringArrayVar(&o.given, "given", nil, "`KEY=VALUE` of a condition key of the request, such as aws:SourceIp=192.0.2.1; repeatable, also for several values of one key")
}

// anAction is the form of an action: one, without wildcards.
var anAction = regexp.MustCompile(`^[A-Za-z0-9-]+:[A-Za-z0-9_.]+$`)

// question reads the question and says on standard error what looks wrong about it.
func (o *awsQuestionOptions) question(e *env, args []string) (q access.AWSQuestion, text string, err error) {
	q.Action, text = args[0], args[0]
	if !anAction.MatchString(q.Action) {
		return q, "", usage("%q is not an action, such as s3:GetObject", q.Action)
	}
	if len(args) > 1 && args[1] != "*" {
		if _, err := iam.ParseARN(args[1]); err != nil {
			return q, "", usage("%w", err)
		}
	}
	if len(args) > 1 {
		q.Resource = args[1]
		text += " on " + q.Resource
	}
	if o.account != "" && (len(o.account) != 12 || strings.Trim(o.account, "0123456789") != "") {
		return q, "", usage("--resource-account %q: an AWS account id has twelve digits", o.account)
	}
	q.Account, q.Given = o.account, map[string][]string{}
	for _, pair := range o.given {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || !strings.Contains(key, ":") {
			return q, "", usage("--given %q: want a condition key and its value, such as aws:SourceIp=192.0.2.1", pair)
		}
		q.Given[key] = append(q.Given[key], value)
		text += fmt.Sprintf(", given %s = %s", key, value)
	}
	q, notes := q.Normal()
	if strings.ContainsAny(q.Resource, "*?") && q.Resource != "*" {
		notes = append(notes, "* and ? in "+q.Resource+" stand for themselves: a question is about one resource, or without an ARN about any")
	}
	for _, n := range notes {
		fmt.Fprintf(e.stderr, "note: %s\n", printable(n))
	}
	return q, text, nil
}

func newAccessCheckAWS(e *env) *cobra.Command {
	var o accessOptions
	var q awsQuestionOptions
	complete := false
	cmd := &cobra.Command{
		Use:   "check-aws IDENTITY ACTION [ARN]",
		Short: "Say whether an identity can do something in AWS, and why",
		Long: `Say whether an identity can do something in AWS: with the role that it really has, within permissions boundary,
session policy and organization policies, and with the roles that it can assume from there. A pod has what it runs with
and its node's role where it can reach it; a service account or workload has what new pods get by Pod Identity or IRSA, if
the role's trust policy lets them in.

Without an ARN the question is about any resource: allowed on one is enough, and the answer says which.
Policies of resources are in no input, and those of an organization often are not: where an account's own policies decide,
the answer names what was not read; --require-complete makes such an answer unknown. KMS keys and resources of
other accounts, whose own policy must allow, are unknown. --given tells condition keys that only the request has.

Exit status: 0 allowed, 1 could not do it, 2 called wrongly, 3 denied, 4 unknown. Of several clusters, one that
denies makes it 3, else one that is unknown 4.`,
		Example: `  drawbridge access check-aws --demo deploy/orders/orders-api s3:GetObject arn:aws:s3:::shop-assets/logo.png
  drawbridge access check-aws --demo velero/velero iam:CreateUser -o json
  drawbridge access check-aws --demo arn:aws:iam::111122223333:role/platform-data s3:DeleteObject --given aws:SourceIp=192.0.2.1`,
		Args: between(2, 3, "access check-aws takes an identity, an action and maybe an ARN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := access.ParseIdentity(args[0])
			if err != nil {
				return usage("%w", err)
			}
			question, text, err := q.question(e, args[1:])
			if err != nil {
				return err
			}
			question.Complete = complete
			answers, err := o.answer(cmd.Context(), e, "Can "+id.String()+" "+text+"?", access.AreasOfCheckAWS(id), func(all *access.Access) []access.Grant { return all.CheckAWS(id, question) })
			if err != nil {
				return err
			}
			return judge(answers)
		},
	}
	o.flags(cmd)
	q.flags(cmd)
	cmd.Flags().BoolVar(&complete, "require-complete", false, "take nothing for granted: what was not read makes the answer unknown")
	return cmd
}

func newAccessWhoCanAWS(e *env) *cobra.Command {
	var o accessOptions
	var q awsQuestionOptions
	cmd := &cobra.Command{
		Use:   "who-can-aws ACTION [RESOURCE-ARN]",
		Short: "List who can do something in AWS: principals, and the pods that hold their roles",
		Long: `List who can do something in AWS, each by its shortest way: IAM roles, users and root users by themselves or over
roles that they can assume; service accounts and workloads through the role that new pods get by Pod Identity or IRSA, and
through the node roles that running ones can reach; and pods that hold something else than their workload gives new ones.

Without an ARN the question is about any resource, and each answer says about which. Whoever may only because of what
was not read at all is not listed: the gaps tell. --given tells condition keys that only the request has.

Exit status: 0 done, 1 could not do it, 2 called wrongly.`,
		Example: `  drawbridge access who-can-aws --demo s3:DeleteObject arn:aws:s3:::shop-assets/logo.png
  drawbridge access who-can-aws --demo iam:CreateUser -o wide
  drawbridge access who-can-aws --demo secretsmanager:GetSecretValue -o csv=readers.csv`,
		Args: between(1, 2, "access who-can-aws takes an action and maybe an ARN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			question, text, err := q.question(e, args)
			if err != nil {
				return err
			}
			_, err = o.answer(cmd.Context(), e, "Who can "+text+"?", access.AreasOfAWSSessions(), func(all *access.Access) []access.Grant { return all.WhoCanAWS(question) })
			return err
		},
	}
	o.flags(cmd)
	q.flags(cmd)
	return cmd
}

// between is the least and the most arguments that a command takes.
func between(least, most int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return usage("%s; got %d arguments", what, len(args))
		}
		return nil
	}
}
