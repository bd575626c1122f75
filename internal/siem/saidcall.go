package siem

import (
	"strings"

	"drawbridge/internal/awsdata"
	"drawbridge/internal/detect"
	"drawbridge/internal/model"
	"drawbridge/internal/sigma"
)

// saidByCall is said of AWS' calls.
func (q *query) saidByCall(m *sigma.Match, b bound) sigma.Expr {
	switch m.Field {
	case "drawbridge.entry.scope":
		return worded(m, b, []word{{"the whole cluster", sigma.And{associates(), sigma.Not{X: namespaced()}}}, {"", sigma.And{associates(), namespaced()}}})
	case "drawbridge.grant.admin", "drawbridge.grant.secrets":
		return q.grant(m, b)
	case "drawbridge.grant.unknown":
		if b == below {
			return nil
		}
		q.also("as drawbridge without --snapshot: of every group it is unknown what RBAC gives it")
		return worded(m, b, []word{{"", sigma.Or{
			sigma.And{associates(), sigma.Not{X: compare(policyARN, sigma.Equals, publishedPolicies()...)}},
			sigma.And{changesEntry(), present(entryGroups, true)},
		}}})
	case "drawbridge.logging.disabled":
		return q.loggingDisabled(m, b)
	case "drawbridge.logging.cluster":
		const group = "requestParameters.logGroupName"
		return worded(m, b, []word{{"", sigma.And{compare(group, sigma.Equals, "/aws/eks/?*/cluster"), sigma.Not{X: compare(group, sigma.Equals, "/aws/eks/*/*/cluster")}}}})
	case "drawbridge.endpoint.opened":
		return q.endpointOpened(m, b)
	case "drawbridge.association.tags_turned_off":
		off := folded("requestParameters.disableSessionTags", sigma.Equals, "true")
		if is, ok := literalsOf(m); ok && b == above && len(is) == 1 && is[0] == "true" {
			q.also("fires also where the session tags were off before")
			return off
		}
	case "drawbridge.association.target_account":
		if b == above {
			q.also("fires also where the target role is of the cluster's account")
			return worded(m, b, []word{{"", present("requestParameters.targetRoleArn", true)}})
		}
	case "drawbridge.caller.kind":
		return q.caller(m, b)
	case "drawbridge.oidc.kind":
		return q.issuer(m, b)
	}
	return nil
}

// caller goes by the name of the session that asks EKS Auth, and by whether EC2 handed out its credentials. What an access entry
// tells of hybrid nodes is not known.
func (q *query) caller(m *sigma.Match, b bound) sigma.Expr {
	session := func(pattern string) sigma.Expr {
		return &sigma.Match{Field: "userIdentity.arn", Op: sigma.Regex, Values: []sigma.Value{sigma.NewRegexp(":assumed-role/[^/]*/" + pattern)}}
	}
	instance, hybrid := session("i-([0-9a-f]{8}|[0-9a-f]{17})$"), session("mi-")
	source := folded("eventSource", sigma.Equals, "eks-auth.amazonaws.com")
	delivered := present("userIdentity.sessionContext.ec2RoleDelivery", true)
	if b == below {
		return worded(m, b, []word{{"named like an instance", sigma.And{source, instance, sigma.Not{X: delivered}}}})
	}
	q.also("fires also where an access entry tells that the role is one of hybrid nodes")
	return worded(m, b, []word{
		{"instance", sigma.And{source, instance}},
		{"named like an instance", sigma.And{source, instance, sigma.Not{X: delivered}}},
		{"named like a hybrid node", sigma.And{source, hybrid}},
		{"hybrid node", source},
		{"no node", sigma.And{source, sigma.Not{X: sigma.Or{instance, hybrid}}}},
	})
}

// issuer goes by the URL: surely EKS' are those of the domains that most regions have, perhaps all with EKS' host.
func (q *query) issuer(m *sigma.Match, b bound) sigma.Expr {
	url := func(pattern string) sigma.Expr {
		return &sigma.Match{Field: "requestParameters.url", Op: sigma.Regex, Values: []sigma.Value{sigma.NewRegexp(pattern)}}
	}
	surely := url(`^(https://)?(?i:oidc\.eks\.[^./]+\.amazonaws\.com(\.cn)?|oidc-eks\.[^./]+\.api\.aws)/id/[^/]+/?$`)
	perhaps := url(`(?i)oidc[.-]eks\.`)
	there := present("requestParameters.url", true)
	if b == below {
		return worded(m, b, []word{{"other", sigma.And{there, sigma.Not{X: perhaps}}}, {"eks unknown", nil}, {"eks", nil}, {"cluster", nil}})
	}
	q.also("as drawbridge without --snapshot: which clusters there are is not known, and issuers of rarer partitions may count as others")
	return worded(m, b, []word{{"other", sigma.And{there, sigma.Not{X: surely}}}, {"eks unknown", perhaps}, {"eks", perhaps}, {"cluster", perhaps}})
}

const (
	policyARN   = "requestParameters.policyArn"
	entryGroups = "requestParameters.kubernetesGroups"
)

func associates() sigma.Expr { return compare("eventName", sigma.Equals, "AssociateAccessPolicy") }

func changesEntry() sigma.Expr {
	return compare("eventName", sigma.Equals, "CreateAccessEntry", "UpdateAccessEntry")
}

// namespaced is an association whose scope is not the cluster.
func namespaced() sigma.Expr {
	return compare("requestParameters.accessScope.type", sigma.Equals, model.ScopeNamespace)
}

// grant is how far a change of an access entry goes where nothing is known of the cluster: by the published rules of access
// policies, and for the group that may do everything.
func (q *query) grant(m *sigma.Match, b bound) sigma.Expr {
	byScope := func(scope model.AccessScope, x sigma.Expr) []word {
		names := map[string][]string{}
		var order []string
		for _, p := range awsdata.AccessPolicies() {
			admin, secrets, _ := detect.PolicyReach(anyPolicy("aws", p.Name), scope)
			reach := admin
			if m.Field == "drawbridge.grant.secrets" {
				reach = secrets
			}
			if reach == "" {
				continue
			}
			if names[reach] == nil {
				order = append(order, reach)
			}
			names[reach] = append(names[reach], anyPolicy("aws*", p.Name))
		}
		var out []word
		for _, reach := range order {
			out = append(out, word{reach, sigma.And{associates(), x, compare(policyARN, sigma.Equals, names[reach]...)}})
		}
		return out
	}
	words := byScope(model.AccessScope{Type: model.ScopeCluster}, sigma.Not{X: namespaced()})
	for _, w := range byScope(model.AccessScope{Type: model.ScopeNamespace, Namespaces: []string{"any"}}, namespaced()) {
		words = append(words, w, word{"system namespace", w.x})
	}
	if b == above { // the group gives an entry of a node nothing
		words = append(words, word{"everything", sigma.And{changesEntry(), compare(entryGroups, sigma.Equals, "system:masters")}})
	}
	x := worded(m, b, words)
	if x != nil {
		q.also("as drawbridge without --snapshot: what RBAC gives the groups and the username of an entry is not known")
		q.also("fires also where a namespace is or is not one of the system's, and where an entry of a node has the group system:masters")
	}
	return x
}

// anyPolicy is the ARN of an access policy, with a pattern for the partition.
func anyPolicy(partition, name string) string {
	return "arn:" + partition + ":eks::aws:cluster-access-policy/" + name
}

func publishedPolicies() []string {
	var all []string
	for _, p := range awsdata.AccessPolicies() {
		if _, _, published := detect.PolicyReach(anyPolicy("aws", p.Name), model.AccessScope{Type: model.ScopeCluster}); published {
			all = append(all, anyPolicy("aws*", p.Name))
		}
	}
	return all
}

// loggingDisabled goes by the types and by what is turned off, not by whether the two are of one item of the list.
func (q *query) loggingDisabled(m *sigma.Match, b bound) sigma.Expr {
	const items = "requestParameters.logging.clusterLogging."
	there, _ := m.Values[0].Bool()
	if b == below || m.Op == sigma.Exists && !there {
		return nil
	}
	q.also("fires also where one item of the list names the type and another turns something off")
	off := sigma.And{folded(items+"enabled", sigma.Equals, "false")}
	if m.Op != sigma.Exists {
		c := *m
		c.Field = items + "types"
		off = append(off, &c)
	}
	return off
}

// endpointOpened goes by the settings of the public endpoint; how wide a network is, is not looked at.
func (q *query) endpointOpened(m *sigma.Match, b bound) sigma.Expr {
	const config = "requestParameters.resourcesVpcConfig."
	open := sigma.Not{X: folded(config+"endpointPublicAccess", sigma.Equals, "false")}
	public, networks := present(config+"endpointPublicAccess", true), present(config+"publicAccessCidrs", true)
	unsaid := sigma.And{open, public, sigma.Not{X: networks}}
	some := sigma.And{open, networks}
	if b == below {
		if m.Op == sigma.Exists {
			return worded(m, b, []word{{"", sigma.And{open, sigma.Or{public, networks}}}})
		}
		return worded(m, b, []word{{"unsaid", unsaid}})
	}
	if m.Op != sigma.Exists {
		q.also("fires also where %s, whose size is not looked at, are others", config+"publicAccessCidrs")
	}
	return worded(m, b, []word{{"everywhere", some}, {"networks", some}, {"unsaid", unsaid}})
}

// cutSubject cuts a subject of a binding, as drawbridge.binding.subjects has it.
func cutSubject(s string) (kind, name string, ok bool) { return strings.Cut(s, " ") }
