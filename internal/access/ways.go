package access

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/iam"
	"drawbridge/internal/rbac"
)

// WaysOf returns the powers that rules give where they are bound ("" is the whole cluster), each in every way that is open
// in the cluster's version of Kubernetes.
func (c *Cluster) WaysOf(rules []rbacv1.PolicyRule, namespace string) []rbac.Held {
	return slices.DeleteFunc(slices.Clone(c.all.powersOf(rules)), func(h rbac.Held) bool { return !c.open(h.Way) || !countsIn(h.Way, namespace) })
}

// NamedSubjects returns the service accounts that conditions of a trust policy name for an issuer, wildcards aside, as
// namespace and name. Whether they get in is for WebIdentity to say.
func (t *Trust) NamedSubjects(issuer string) [][2]string {
	var all [][2]string
	for i := range t.policy.Statements {
		for _, c := range t.policy.Statements[i].Conditions {
			if !strings.EqualFold(c.Key, issuer+":sub") {
				continue
			}
			for _, v := range c.Values {
				namespace, n, ok := strings.Cut(strings.TrimPrefix(v, subjectPrefix), ":")
				if ok && strings.HasPrefix(v, subjectPrefix) && !strings.ContainsAny(v, "*?") {
					all = append(all, [2]string{namespace, n})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(all)
}

// TrustingService returns the roles of an account whose trust policy may let a service take them.
func (a *Access) TrustingService(account, service string) []string {
	var arns []string
	for _, r := range a.trusting(account, service).all {
		arns = append(arns, r.ARN)
	}
	return arns
}

// Ask is one question about an IAM principal: may it do this?
type Ask struct {
	Action, Resource string
	// PassedTo is the service that gets the role, for iam:PassRole.
	PassedTo string
}

// May asks several questions that must all be answered yes, by the principal's own policies and within its boundary.
func (p *IAMPrincipal) May(asks ...Ask) Permit {
	all := make([]ask, len(asks))
	for i, q := range asks {
		all[i] = ask{action: q.Action, resource: q.Resource}
		if q.PassedTo != "" {
			all[i].context = p.passing(q.PassedTo)
		}
	}
	return p.can(all...)
}

// Targets returns the resources that the principal's statements name for an action, as patterns: a "*" matches any run of
// characters. It tells at a glance where asking is worth while: what is in none of them is not allowed.
func (p *IAMPrincipal) Targets(action string) []string {
	if !p.may.has(action) {
		return nil
	}
	var patterns []string
	for i := range p.policies.Identity {
		list := p.policies.Identity[i].Policy.Statements
		for j := range list {
			s := &list[j]
			if s.Effect != iam.Allow || s.MatchesAction(action) == iam.False {
				continue
			}
			if s.Resource == nil { // all but some
				return []string{"*"}
			}
			patterns = append(patterns, s.Resource...)
		}
	}
	slices.Sort(patterns)
	return slices.Compact(patterns)
}
