package oracle

import (
	"slices"
	"strings"
)

// use is what a policy is attached to.
type use int

const (
	identity use = iota
	resource
	trust
	rcp
)

func policy(statements ...object) object {
	return object{"Version": "2012-10-17", "Statement": statements}
}

// policy makes a policy of up to n statements, of which some percent deny.
func (m maker) policy(c *testCase, u use, n, denies int) object {
	var all []object
	for range 1 + m.IntN(n) {
		s := object{"Effect": "Allow"}
		if m.chance(denies) || u == rcp {
			s["Effect"] = "Deny"
		}
		actions := c.actions
		if u == rcp {
			actions = slices.DeleteFunc(slices.Clone(actions), func(a string) bool { return a == "*" }) // not accepted there
		}
		m.oneOrNot(s, "Action", actions, u)
		if u != trust {
			m.oneOrNot(s, "Resource", c.targets, u)
		}
		switch u {
		case resource, trust:
			if u == resource && s["Effect"] == "Deny" && m.chance(50) {
				s["NotPrincipal"] = m.notPrincipal(c)
			} else {
				s["Principal"] = m.principal(c)
			}
		case rcp:
			s["Principal"] = "*"
		}
		if m.chance(45) {
			s["Condition"] = m.conditions(c)
		}
		all = append(all, s)
	}
	p := policy(all...)
	if len(all) == 1 && m.chance(20) {
		p["Statement"] = all[0]
	}
	if m.chance(5) && u != rcp {
		p["Version"], c.old = "2008-10-17", true
	}
	return p
}

// oneOrNot sets an element, or sometimes its Not form, as a string or a list.
func (m maker) oneOrNot(s object, name string, from []string, u use) {
	values := some(m, 2, from...)
	if m.chance(15) && u != rcp && u != trust {
		name = "Not" + name
	}
	if s[name] = values; len(values) == 1 && m.chance(50) {
		s[name] = values[0]
	}
}

func (m maker) principal(c *testCase) any {
	switch {
	case m.chance(8):
		return pick[any](m, "*", object{"AWS": "*"}, object{"AWS": []string{home, "*"}})
	case strings.HasSuffix(c.Principal, ".amazonaws.com"):
		return object{"Service": pick[any](m, c.Principal, c.Principal, "ec2.amazonaws.com", []string{"ec2.amazonaws.com", c.Principal})}
	case strings.Contains(c.Principal, "oidc-provider"):
		return object{"Federated": pick(m, c.Principal, c.Principal, strings.Replace(c.Principal, "012345", "543210", 1))}
	}
	own := role
	if c.Principal == user {
		own = user
	}
	return object{"AWS": some(m, 2, home, "arn:aws:iam::"+home+":root", abroad, own, own, c.Principal, c.Principal, "arn:aws:iam::"+home+":role/other", "arn:aws:iam::"+abroad+":root")}
}

// notPrincipal leaves out the caller, with all that AWS wants to be named with it, or others, and rarely the caller alone.
func (m maker) notPrincipal(c *testCase) any {
	root := "arn:aws:iam::" + home + ":root"
	others := []string{"arn:aws:iam::" + abroad + ":root", "arn:aws:iam::" + abroad + ":role/other"}
	full := map[string][]string{session: {session, role, root}, user: {user, root}}[c.Principal]
	switch {
	case !c.hasAccount():
		return object{"Service": pick(m, c.Principal, "ec2.amazonaws.com")}
	case m.chance(10):
		return object{"AWS": full[:1+m.IntN(len(full))]}
	case m.chance(60):
		return object{"AWS": append(full, others[:m.IntN(3)]...)}
	}
	return object{"AWS": others}
}

// key is a condition key with values that a request may carry and the kind of operators that suit it.
type key struct {
	name, kind string
	values     []string // of a request
	patterns   []string // of a policy
	actions    []string // the services or actions that carry it; empty for all
	many       bool     // multivalued
}

var keys = []key{
	{name: "aws:PrincipalTag/team", kind: "String", values: []string{"red", "blue", "Red"}, patterns: []string{"red", "r*", "b?ue", "RED", "*", "green", "${aws:PrincipalTag/team}", "${aws:PrincipalTag/none, 'red'}", "${aws:PrincipalTag/none}"}},
	{name: "aws:PrincipalTag/badge", kind: "Binary", values: []string{"cmVk", "Ymx1ZQ=="}, patterns: []string{"cmVk", "Ymx1ZQ==", "Z3JlZW4="}},
	{name: "aws:RequestedRegion", kind: "String", values: []string{"eu-central-1", "us-east-1"}, patterns: []string{"eu-*", "eu-central-1", "us-????-1"}},
	{name: "aws:SourceVpce", kind: "String", values: []string{"vpce-1a2b3c4d"}, patterns: []string{"vpce-1a2b3c4d", "vpce-*", "vpce-0"}},
	{name: "aws:PrincipalOrgID", kind: "String", values: []string{"o-a1b2c3d4e5"}, patterns: []string{"o-a1b2c3d4e5", "o-other"}},
	{name: "aws:SecureTransport", kind: "Bool", values: []string{"true", "false"}, patterns: []string{"true", "false"}},
	{name: "aws:MultiFactorAuthPresent", kind: "Bool", values: []string{"true", "false"}, patterns: []string{"true", "false"}},
	{name: "aws:MultiFactorAuthAge", kind: "Numeric", values: []string{"10", "3600", "9.5"}, patterns: []string{"10", "9.5", "3600", "10.0", "0"}},
	{name: "aws:TokenIssueTime", kind: "Date", values: []string{"2026-01-15T00:00:00Z", "2026-11-01T12:30:00Z"}, patterns: []string{"2026-01-15T00:00:00Z", "2026-06-01T00:00:00Z", "2026-11-01T12:30:00Z"}},
	{name: "aws:CurrentTime", kind: "Date", values: []string{"2026-11-23T03:00:00Z"}, patterns: []string{"2026-11-23T03:00:00Z", "2027-01-01T00:00:00Z", "2026-11-22T00:00:00Z"}},
	{name: "aws:SourceIp", kind: "IpAddress", values: []string{"203.0.113.7", "198.51.100.20", "2001:db8:1234:5678::1"}, patterns: []string{"203.0.113.0/24", "203.0.113.7", "198.51.100.16/28", "2001:db8:1234:5678::/64"}},
	{name: "aws:SourceArn", kind: "Arn", values: []string{"arn:aws:eks:eu-central-1:111122223333:cluster/prod", "arn:aws:sns:us-east-1:444455556666:t"}, patterns: []string{"arn:aws:eks:*:111122223333:cluster/*", "arn:aws:eks:eu-central-1:111122223333:cluster/prod", "arn:aws:*:*:*:*", "arn:aws:sns:us-east-1:111122223333:t", "arn:aws:eks:*:*:cluster/${aws:PrincipalTag/team}", "arn:aws:eks:*:111122223333:cluster/p?od"}},
	{name: "aws:SourceAccount", kind: "String", values: []string{home, abroad}, patterns: []string{home, abroad, "1111*"}},
	{name: "aws:PrincipalIsAWSService", kind: "Bool", patterns: []string{"true", "false"}},
	{name: "aws:PrincipalArn", kind: "Arn", patterns: []string{role, user, "arn:aws:iam::*:role/*", "arn:aws:iam::" + home + ":*", "arn:aws:iam::" + home + ":user/c*"}},
	{name: "aws:TagKeys", kind: "String", many: true, values: []string{"team", "stage", "cost"}, patterns: []string{"team", "stage", "t*", "*"}, actions: []string{"eks:CreateAccessEntry", "sts:AssumeRole"}},
	{name: "dynamodb:LeadingKeys", kind: "String", many: true, values: []string{"red", "blue", "carlos"}, patterns: []string{"red", "${aws:username}", "${aws:PrincipalTag/team, 'blue'}", "c*"}, actions: []string{"dynamodb:GetItem"}},
	{name: "eks:namespaces", kind: "String", many: true, values: []string{"shop", "prod"}, patterns: []string{"shop", "kube-*", "prod"}, actions: []string{"eks:AssociateAccessPolicy"}},
	{name: "eks:policyArn", kind: "Arn", values: []string{"arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"}, patterns: []string{"arn:aws:eks::aws:cluster-access-policy/*Admin*", "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"}, actions: []string{"eks:AssociateAccessPolicy"}},
	{name: "eks:accessScope", kind: "String", values: []string{"cluster", "namespace"}, patterns: []string{"cluster", "namespace"}, actions: []string{"eks:AssociateAccessPolicy"}},
	{name: "s3:prefix", kind: "String", values: []string{"", "", "red/", "blue/x"}, patterns: []string{"", "red/*", "${aws:PrincipalTag/team}/*"}, actions: []string{"s3:ListBucket"}},
	{name: "s3:max-keys", kind: "Numeric", values: []string{"5", "100"}, patterns: []string{"10", "100", "5"}, actions: []string{"s3:ListBucket"}},
	{name: "aws:RequestTag/kubernetes-namespace", kind: "String", values: []string{"shop", "dev"}, patterns: []string{"shop", "s*", "*"}, actions: []string{"sts:AssumeRole"}},
	{name: "sts:ExternalId", kind: "String", values: []string{"x1"}, patterns: []string{"x1", "x2"}, actions: []string{"sts:AssumeRole"}},
	{name: issuer + ":sub", kind: "String", values: []string{"system:serviceaccount:shop:cart", "system:serviceaccount:dev:cart"}, patterns: []string{"system:serviceaccount:shop:cart", "system:serviceaccount:shop:*", "system:serviceaccount:*:cart", "*"}, actions: []string{"sts:AssumeRoleWithWebIdentity"}},
	{name: issuer + ":aud", kind: "String", values: []string{"sts.amazonaws.com"}, patterns: []string{"sts.amazonaws.com", "other"}, actions: []string{"sts:AssumeRoleWithWebIdentity"}},
}

func (k *key) suits(action string) bool {
	return len(k.actions) == 0 || slices.Contains(k.actions, action)
}

// context gives the request keys: those that follow from its principal, and some others.
func (m maker) context(c *testCase) {
	switch c.Principal {
	case session:
		c.Context["aws:PrincipalArn"], c.Context["aws:PrincipalAccount"], c.Context["aws:PrincipalType"] = []string{role}, []string{home}, []string{"AssumedRole"}
		c.Context["aws:PrincipalIsAWSService"] = []string{"false"}
	case user:
		c.Context["aws:PrincipalArn"], c.Context["aws:PrincipalAccount"], c.Context["aws:PrincipalType"] = []string{user}, []string{home}, []string{"User"}
		c.Context["aws:PrincipalIsAWSService"], c.Context["aws:username"] = []string{"false"}, []string{"carlos"}
	case pods, trail:
		c.Context["aws:PrincipalIsAWSService"] = []string{"true"}
	}
	for i := range keys {
		k := &keys[i]
		if !k.suits(c.Action) || len(k.values) == 0 || !m.chance(55) {
			continue
		}
		if c.Context[k.name] = []string{pick(m, k.values...)}; k.many {
			c.Context[k.name] = distinct(some(m, 2, k.values...))
		}
	}
}

func distinct(values []string) []string {
	slices.Sort(values)
	return slices.Compact(values)
}

var operatorsOf = map[string][]string{
	"String": {"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike"},
	"Bool":   {"Bool"}, "Binary": {"BinaryEquals"}, "IpAddress": {"IpAddress", "NotIpAddress"},
	"Numeric": {"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals"},
	"Date":    {"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"},
	"Arn":     {"ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike", "StringEquals", "StringLike"},
}

func (m maker) conditions(c *testCase) object {
	all := object{}
	for range 1 + m.IntN(2) {
		k := pick(m, keys...)
		for !k.suits(c.Action) {
			k = pick(m, keys...)
		}
		operator := pick(m, operatorsOf[k.kind]...)
		if m.chance(25) {
			operator += "IfExists"
		}
		if k.many {
			operator = pick(m, "ForAllValues:", "ForAnyValue:") + operator
		}
		values := some(m, 2, k.patterns...)
		switch {
		case k.kind == "Date" && m.chance(4):
			values = []string{"1780272000"}
		case k.name == "aws:SourceArn" && m.chance(4):
			values = []string{"arn:aws:eks:*:${aws:PrincipalAccount}:cluster/p?od"}
		}
		if m.chance(12) {
			operator, values = "Null", []string{pick(m, "true", "false")}
		}
		name := k.name
		if m.chance(10) && !strings.Contains(name, issuer) {
			name = strings.ToUpper(name)
		}
		if all[operator] = (object{name: values}); len(values) == 1 && m.chance(50) {
			all[operator] = object{name: values[0]}
		}
	}
	return all
}
