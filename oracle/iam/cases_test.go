package oracle

import (
	"math/rand/v2"
	"strings"
)

// All accounts, names and policies are made up.
const (
	home    = "111122223333"
	abroad  = "444455556666"
	session = "arn:aws:sts::" + home + ":assumed-role/reader/alice"
	role    = "arn:aws:iam::" + home + ":role/reader"
	user    = "arn:aws:iam::" + home + ":user/carlos"
	target  = "arn:aws:iam::" + home + ":role/target"
	issuer  = "oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
	pods    = "pods.eks.amazonaws.com"
	trail   = "cloudtrail.amazonaws.com"
)

// object is a JSON object under construction.
type object map[string]any

// testCase is one request with its policies, in the form in which both evaluators can be asked.
type testCase struct {
	Principal, Action, Resource, Owner string

	Context          map[string][]string
	Identity         []object
	Boundary         object
	Session          object
	SCP, RCP         [][]object
	ResourcePolicy   object
	trust            bool     // the policy of the resource is a trust policy
	old              bool     // some policy is of version 2008-10-17
	actions, targets []string // patterns for statements: some match, some do not
}

// maker makes random cases.
type maker struct{ *rand.Rand }

func (m maker) chance(percent int) bool { return m.IntN(100) < percent }

func pick[T any](m maker, from ...T) T { return from[m.IntN(len(from))] }

// some returns one to n of the values.
func some[T any](m maker, n int, from ...T) []T {
	all := make([]T, 0, n)
	for range 1 + m.IntN(n) {
		all = append(all, pick(m, from...))
	}
	return all
}

// operation is an action with resources of a type that it accepts.
type operation struct {
	action    string
	resources []string
	noAccount bool // the ARN does not tell the account
}

var operations = []operation{
	{"s3:GetObject", []string{"arn:aws:s3:::bucket/key", "arn:aws:s3:::bucket/red/2026/x", "arn:aws:s3:::red-bucket/a:b"}, true},
	{"s3:ListBucket", []string{"arn:aws:s3:::bucket", "arn:aws:s3:::red-bucket"}, true},
	{"dynamodb:GetItem", []string{"arn:aws:dynamodb:eu-central-1:ACCOUNT:table/red", "arn:aws:dynamodb:us-east-1:ACCOUNT:table/blue"}, false},
	{"eks:CreateAccessEntry", []string{"arn:aws:eks:eu-central-1:ACCOUNT:cluster/prod", "arn:aws:eks:us-east-1:ACCOUNT:cluster/red"}, false},
	{"eks:AssociateAccessPolicy", []string{"arn:aws:eks:eu-central-1:ACCOUNT:access-entry/prod/role/ACCOUNT/reader/0c1d"}, false},
	{"sqs:SendMessage", []string{"arn:aws:sqs:eu-central-1:ACCOUNT:red", "arn:aws:sqs:us-east-1:ACCOUNT:red-queue"}, false},
	{"secretsmanager:GetSecretValue", []string{"arn:aws:secretsmanager:eu-central-1:ACCOUNT:secret:red/x-AbCdEf"}, false},
	{"logs:GetLogEvents", []string{"arn:aws:logs:eu-central-1:ACCOUNT:log-group:/aws/eks/prod/cluster:log-stream:red"}, false},
	{"iam:PassRole", []string{"arn:aws:iam::ACCOUNT:role/red", "arn:aws:iam::ACCOUNT:role/app/blue"}, false},
	{"kms:Decrypt", []string{"arn:aws:kms:eu-central-1:ACCOUNT:key/1234abcd-12ab-34cd-56ef-1234567890ab"}, false},
	{"eks:ListClusters", []string{"*"}, true},
	{"ec2:DescribeInstances", []string{"*"}, true},
	{"s3:ListAllMyBuckets", []string{"*"}, true},
}

// hasAccount reports whether the caller belongs to an account, so that it has policies of its own.
func (c *testCase) hasAccount() bool {
	return !strings.HasSuffix(c.Principal, ".amazonaws.com") && !strings.Contains(c.Principal, "oidc-provider")
}

// newCase makes a case: a call on a resource, or on a role's trust policy.
func (m maker) newCase() testCase {
	c := testCase{Context: map[string][]string{}}
	if m.chance(25) {
		m.assumeRole(&c)
	} else {
		m.call(&c)
	}
	m.context(&c)
	if c.hasAccount() {
		m.callerPolicies(&c)
	}
	if m.chance(18) {
		for range 1 + m.IntN(2) {
			c.RCP = append(c.RCP, []object{m.policy(&c, rcp, 1, 100)})
		}
	}
	return c
}

func (m maker) call(c *testCase) {
	op := pick(m, operations...)
	c.Principal, c.Owner = pick(m, session, session, user), pick(m, home, home, abroad)
	if pick(m, op.resources...) == "*" {
		m.callOnNothing(c, op)
		return
	}
	c.Action, c.Resource = op.action, strings.ReplaceAll(pick(m, op.resources...), "ACCOUNT", c.Owner)
	service, name, _ := strings.Cut(op.action, ":")
	c.actions = []string{"*", service + ":*", op.action, op.action, strings.ToUpper(op.action), service + ":" + name[:3] + "*", service + ":?" + name[1:], "ec2:*", service + ":Delete*"}
	c.targets = patternsFor(m, c.Resource)
	if service != "iam" && (c.Owner == abroad && m.chance(85) || m.chance(40)) || service == "kms" {
		c.ResourcePolicy = m.policy(c, resource, 2, 25)
		if m.chance(10) {
			c.Principal, c.Owner = trail, home
		}
	}
}

// callOnNothing is a call of an action that takes no resources.
func (m maker) callOnNothing(c *testCase, op operation) {
	service, name, _ := strings.Cut(op.action, ":")
	c.Owner, c.Action, c.Resource = home, op.action, "*"
	c.actions = []string{"*", service + ":*", op.action, op.action, service + ":" + name[:4] + "*", "sqs:*"}
	c.targets = []string{"*", "*", "*", "arn:aws:" + service + ":*:*:*", "arn:aws:s3:::*"}
	if m.chance(10) {
		c.targets = append(c.targets, "arn:aws:"+service+":*")
	}
}

func (m maker) assumeRole(c *testCase) {
	c.trust, c.Owner, c.Resource = true, home, target
	c.actions = []string{"sts:AssumeRole", "sts:*", "sts:AssumeRole*", "sts:AssumeRoleWithWebIdentity", "sts:TagSession", "STS:assumerole"}
	c.targets = []string{"*", target, target, "arn:aws:iam::*:role/t*", "arn:aws:iam::" + home + ":role/other"}
	switch c.Action = "sts:AssumeRole"; m.IntN(4) {
	case 0:
		c.Principal = pods
	case 1:
		c.Principal, c.Action = "arn:aws:iam::"+home+":oidc-provider/"+issuer, "sts:AssumeRoleWithWebIdentity"
		c.actions = append(c.actions, "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithWebIdentity")
	default:
		c.Principal = pick(m, session, user)
		if m.chance(30) {
			c.Owner, c.Resource = abroad, strings.Replace(target, home, abroad, 1)
			c.targets = append(c.targets, c.Resource, c.Resource)
		}
	}
	c.ResourcePolicy = m.policy(c, trust, 2, 25)
}

// callerPolicies gives the caller policies of its own.
func (m maker) callerPolicies(c *testCase) {
	for range m.IntN(5) {
		c.Identity = append(c.Identity, m.policy(c, identity, 3, 8))
	}
	if m.chance(22) {
		c.Boundary = m.policy(c, identity, 3, 8)
	}
	if c.Principal == session && m.chance(25) {
		c.Session = m.policy(c, identity, 3, 8)
	}
	if m.chance(30) {
		full := object{"Effect": "Allow", "Action": "*", "Resource": "*"}
		c.SCP = [][]object{{policy(full)}}
		for range 1 + m.IntN(2) {
			level := []object{m.policy(c, identity, 2, 25)}
			if m.chance(50) {
				level = append(level, policy(full))
			}
			c.SCP = append(c.SCP, level)
		}
	}
}

// patternsFor returns patterns of which most match the resource. The rare ones are those on which AWS is
// silent, or the oracle at odds with AWS (see the exclusions).
func patternsFor(m maker, resource string) []string {
	parts := strings.SplitN(resource, ":", 6)
	join := func(at int, with string) string {
		p := append([]string{}, parts...)
		p[at] = with
		return strings.Join(p, ":")
	}
	tail := parts[5]
	typed := strings.IndexAny(tail, "/:") + 1 // where the name begins
	half := (typed + len(tail)) / 2
	patterns := []string{
		"*", resource, resource, resource + "x", join(5, "*"), join(5, tail[:half]+"*"), join(5, tail[:len(tail)-1]+"?"),
		join(4, "*"), join(3, "*"), join(1, "*"), join(5, tail[:typed]+"*"+tail[half:]), join(5, tail[:typed]+"*"),
	}
	if parts[2] != "sqs" || m.chance(5) {
		patterns = append(patterns, join(5, strings.ReplaceAll(tail, "red", "${aws:PrincipalTag/team}")), join(5, strings.ReplaceAll(tail, "red", "r${*}d")),
			join(5, strings.ReplaceAll(tail, "red", "${aws:PrincipalTag/team, 'red'}")))
	}
	if m.chance(2) {
		patterns = append(patterns, join(5, "*"+tail[half:]), join(5, tail[:1]+"*"))
	}
	if m.chance(10) {
		patterns = append(patterns, join(5, tail+"${aws:PrincipalTag/none}"), strings.Join(parts[:3], ":")+":*")
	}
	return some(m, 12, patterns...)
}
