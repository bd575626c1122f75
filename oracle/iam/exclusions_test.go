package oracle

import (
	"net/netip"
	"slices"
	"strings"
)

// excluded is a kind of case that is not compared, and AWS's own statement that justifies it. All of them
// are looked for in the case itself, never in the answers.
type excluded struct {
	name      string
	statement string // page of the IAM User Guide, 2026-11: "what it says"
	applies   func(c *testCase) bool
}

var exclusions = []excluded{
	{
		name: "wildcard in the type of a resource",
		statement: `Amazon Resource Names (ARNs): "You cannot use a wildcard in the portion of the ARN that specifies the resource type"; ` +
			`we answer unknown, the oracle matches a trailing star and refuses others`,
		applies: func(c *testCase) bool {
			return c.anyPattern(func(_ use, _, p string) bool { return looseType(p) })
		},
	},
	{
		name: "variable in a resource without a type",
		statement: `IAM policy elements: Variables and tags: the example "arn:aws:sqs:us-east-2:*:${aws:username}-queue" refers to the user's queues; ` +
			`the oracle takes the name for a type and does not replace the variable`,
		applies: func(c *testCase) bool {
			return c.anyPattern(func(_ use, _, p string) bool {
				return strings.Contains(p, ":sqs:") && strings.Contains(p, "${")
			})
		},
	},
	{
		name: "NotResource with a variable that has no value",
		statement: `IAM policy elements: Variables and tags: "If a variable that has no value in the authorization context is used as part of the ` +
			`Resource or NotResource element of a policy, the resource that includes a policy variable with no value will not match any resource", ` +
			`so that NotResource is met; the oracle drops the statement`,
		applies: func(c *testCase) bool {
			return c.anyPattern(func(_ use, element, p string) bool {
				return element == "NotResource" && c.lacksValue(p)
			})
		},
	},
	{
		name: "ARN that ends before its sixth segment, in a policy of a resource",
		statement: `IAM JSON policy elements: Resource: "If the * wildcard is the last character of a resource ARN segment, it can expand to match ` +
			`beyond the colon boundaries"; the oracle does so in identity policies only`,
		applies: func(c *testCase) bool {
			return c.anyPattern(func(u use, _, p string) bool {
				return u != identity && p != "*" && strings.Count(p, ":") < 5
			})
		},
	},
	{
		name: "NotResource that ends before its sixth segment, on an action without resources",
		statement: `IAM JSON policy elements: NotResource: it "explicitly matches every resource except those specified", and "*" is none of those; ` +
			`the oracle says so of ARNs of six segments only`,
		applies: func(c *testCase) bool {
			return c.Resource == "*" && c.anyPattern(func(_ use, element, p string) bool {
				return element == "NotResource" && p != "*" && strings.Count(p, ":") < 5
			})
		},
	},
	{
		name: "NotIpAddress on an address of the other family",
		statement: `IAM JSON policy elements: Condition operators: NotIpAddress is "All IP addresses except the specified IP address or range"; ` +
			`the oracle does not match an IPv6 address against IPv4 ranges`,
		applies: func(c *testCase) bool {
			return c.anyCondition(func(operator, key string, values []string) bool {
				return strings.HasPrefix(operator, "NotIpAddress") && slices.ContainsFunc(values, func(v string) bool {
					given := c.Context["aws:SourceIp"]
					return given != nil && netip.MustParseAddr(given[0]).Is6() != strings.Contains(v, "::")
				})
			})
		},
	},
	{
		name: "grant to the session itself, with a session policy",
		statement: `Policy evaluation for requests within a single account: "Permissions granted directly to a session are not limited by an implicit ` +
			`deny in an identity-based policy, a permissions boundary, or session policy"; the oracle lets session policies limit them`,
		applies: func(c *testCase) bool { return c.Session != nil && c.names(session) },
	},
	{
		name: "NotPrincipal, with a boundary",
		statement: `AWS JSON policy elements: NotPrincipal: "The NotPrincipal element with a Deny effect will always deny any IAM principal that has a permissions ` +
			`boundary policy attached, regardless of the values specified in the NotPrincipal element"; the oracle goes by the values`,
		applies: func(c *testCase) bool { return c.Boundary != nil && len(c.notPrincipals()) > 0 },
	},
	{
		name: "NotPrincipal that names the caller in part",
		statement: `as above: "you must also specify the account ARN of the not-denied principal. Otherwise, the policy might deny access to the entire account"; ` +
			`of a session, AWS "might validate the account first, then the role, and then the assumed-role user": we answer unknown`,
		applies: func(c *testCase) bool {
			return slices.ContainsFunc(c.notPrincipals(), func(names []string) bool {
				has := func(name string) bool { return slices.Contains(names, name) }
				root := has("arn:aws:iam::" + home + ":root")
				switch c.Principal {
				case user:
					return has(user) != root
				case session:
					return has(session) != root || has(role) != root
				}
				return false
			})
		},
	},
	{
		name:      "trust policy that names the session, with a boundary",
		statement: `as above; the oracle lets boundaries limit them in trust policies`,
		applies:   func(c *testCase) bool { return c.trust && c.Boundary != nil && c.names(session) },
	},
	{
		name: "variable in a policy of version 2008-10-17",
		statement: `IAM policy elements: Variables and tags: "If you don't include the Version element and set it to an appropriate version date, variables ` +
			`like ${aws:username} are treated as literal strings"; the oracle replaces them`,
		applies: func(c *testCase) bool { return c.old && c.hasVariable() },
	},
	{
		name: "negated operator on a variable that has no value",
		statement: `IAM policy elements: Variables and tags: "Inverted condition operators like StringNotEquals or StringNotLike do match against a null value"; ` +
			`the oracle drops the statement`,
		applies: func(c *testCase) bool {
			return c.anyCondition(func(operator, key string, values []string) bool {
				return strings.Contains(operator, "Not") && slices.ContainsFunc(values, c.lacksValue)
			})
		},
	},
	{
		name: "variable before the sixth component of an ARN condition",
		statement: `Condition operators: "You can use a policy variable with the ARN condition operator", of which "each of the six colon-delimited components ` +
			`is checked separately"; the oracle replaces variables in the sixth only`,
		applies: func(c *testCase) bool {
			return c.anyCondition(func(operator, _ string, values []string) bool {
				return strings.HasPrefix(operator, "Arn") && slices.ContainsFunc(values, func(v string) bool {
					parts := strings.SplitN(v, ":", 6)
					return strings.Contains(strings.Join(parts[:5], ":"), "${")
				})
			})
		},
	},
	{
		name: "date in epoch seconds",
		statement: `Condition operators: "You must specify date/time values with one of the W3C implementations of the ISO 8601 date formats or in epoch (UNIX) time"; ` +
			`the oracle does not compare epoch times`,
		applies: func(c *testCase) bool {
			return c.anyCondition(func(operator, _ string, values []string) bool {
				return strings.HasPrefix(operator, "Date") && slices.ContainsFunc(values, func(v string) bool { return !strings.Contains(v, "-") })
			})
		},
	},
	{
		name: "grant to everyone, with a boundary or session policy",
		statement: `AWS JSON policy elements: Principal: boundaries and session policies "do not limit permissions granted using the aws:PrincipalArn ` +
			`condition key with a wildcard(*) in the Principal element"; of other grants to everyone it says nothing, and we answer unknown`,
		applies: func(c *testCase) bool {
			return (c.Boundary != nil || c.Session != nil) && c.names("*")
		},
	},
	{
		name: "Null on an empty string",
		statement: `Condition operators: Null is false if "the key exists and its value is not null"; Single-valued vs. multivalued context keys: a value may ` +
			`resolve "to a null dataset, such as an empty string": whether Null means that too is not said, and we answer unknown`,
		applies: func(c *testCase) bool {
			return c.anyCondition(func(operator, key string, _ []string) bool {
				return operator == "Null" && slices.Equal(c.Context[key], []string{""})
			})
		},
	},
	{
		name: "ForAnyValue with IfExists on an absent key",
		statement: `Condition operators: "If the key is not present, evaluate the condition element as true"; Single-valued vs. multivalued context keys: ` +
			`ForAnyValue "returns false" when the key does not exist: the pages contradict each other, and we answer unknown`,
		applies: func(c *testCase) bool {
			return c.anyCondition(func(operator, key string, _ []string) bool {
				return strings.HasPrefix(operator, "ForAnyValue:") && strings.HasSuffix(operator, "IfExists") && c.Context[key] == nil
			})
		},
	},
}

// lacksValue reports whether a variable in the text, without a default, has no value in the request.
func (c *testCase) lacksValue(text string) bool {
	lacks := func(key string) bool { return strings.Contains(text, "${"+key+"}") && c.Context[key] == nil }
	return lacks("aws:PrincipalTag/none") || lacks("aws:PrincipalTag/team") || lacks("aws:username")
}

// exclusion returns the name of the first exclusion that applies, or the empty string.
func exclusion(c *testCase) string {
	for _, e := range exclusions {
		if e.applies(c) {
			return e.name
		}
	}
	return ""
}

// eachStatement calls visit with all statements of the case's policies.
func (c *testCase) eachStatement(visit func(u use, s object)) {
	policies := func(u use, all ...object) {
		for _, p := range all {
			if p == nil {
				continue
			}
			if s, one := p["Statement"].(object); one {
				visit(u, s)
				continue
			}
			for _, s := range p["Statement"].([]object) {
				visit(u, s)
			}
		}
	}
	policies(identity, append(slices.Clone(c.Identity), c.Boundary, c.Session)...)
	for _, level := range c.SCP {
		policies(identity, level...)
	}
	for _, level := range c.RCP {
		policies(rcp, level...)
	}
	policies(resource, c.ResourcePolicy)
}

func (c *testCase) anyPattern(test func(u use, element, pattern string) bool) bool {
	found := false
	c.eachStatement(func(u use, s object) {
		for _, element := range []string{"Resource", "NotResource"} {
			for _, p := range list(s[element]) {
				found = found || test(u, element, p)
			}
		}
	})
	return found
}

func (c *testCase) anyCondition(test func(operator, key string, values []string) bool) bool {
	found := false
	c.eachStatement(func(_ use, s object) {
		conditions, _ := s["Condition"].(object)
		for operator, tests := range conditions {
			for name, values := range tests.(object) {
				found = found || test(operator, canonical(name), list(values))
			}
		}
	})
	return found
}

// hasVariable reports whether any resource or condition has a variable.
func (c *testCase) hasVariable() bool {
	has := func(s string) bool { return strings.Contains(s, "${") }
	return c.anyPattern(func(_ use, _, p string) bool { return has(p) }) ||
		c.anyCondition(func(_, _ string, values []string) bool { return slices.ContainsFunc(values, has) })
}

// notPrincipals lists what is named by each NotPrincipal.
func (c *testCase) notPrincipals() [][]string {
	var all [][]string
	c.eachStatement(func(_ use, s object) {
		if of, ok := s["NotPrincipal"].(object); ok {
			all = append(all, list(of["AWS"]))
		}
	})
	return all
}

// names reports whether the policy of the resource has the principal, or "*" in any form.
func (c *testCase) names(principal string) bool {
	found := false
	c.eachStatement(func(u use, s object) {
		if u != resource {
			return
		}
		of := s["Principal"]
		if o, ok := of.(object); ok {
			of = o["AWS"]
		}
		found = found || slices.Contains(list(of), principal)
	})
	return found
}

// canonical returns a key's name as the table of keys has it.
func canonical(name string) string {
	for i := range keys {
		if strings.EqualFold(keys[i].name, name) {
			return keys[i].name
		}
	}
	return name
}

func list(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []string:
		return v
	}
	return nil
}

// looseType reports whether a pattern has a wildcard, other than a lone star, before the first slash or
// colon of a resource part that begins with a type.
func looseType(pattern string) bool {
	parts := strings.SplitN(pattern, ":", 6)
	if len(parts) < 6 || parts[4] == "" || parts[2] == "sqs" || parts[5] == "*" {
		return false
	}
	first := strings.IndexAny(parts[5], "*?")
	name := strings.IndexAny(parts[5], "/:")
	return first >= 0 && (name < 0 || first < name)
}
