package migrate

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/awsdata"
	"drawbridge/internal/diff"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// Offer is an access policy that could take the place of RBAC bindings, because it grants exactly the same.
type Offer struct {
	Policy string
	Scope  model.AccessScope
}

// String is the offer in one sentence.
func (o Offer) String() string {
	return fmt.Sprintf("%s on %s grants exactly what the bindings do", o.Policy, o.Scope)
}

// offers finds the access policies that grant, in one scope, exactly what a username and groups are bound to. AWS widens its
// policies from time to time, so that an offer is never taken up unasked.
func (p *planner) offers(username string, groups []string) []Offer {
	grants, missing := p.cluster.RBAC().Grants(rbac.Holder{User: username, Groups: groups})
	if len(missing) > 0 || len(grants) == 0 || strings.Contains(username, "{{") {
		return nil
	}
	byNamespace := map[string][]rbacv1.PolicyRule{}
	for _, g := range grants {
		byNamespace[g.Binding.Namespace] = append(byNamespace[g.Binding.Namespace], *g.PolicyRule())
	}
	scope := model.AccessScope{Type: model.ScopeCluster}
	if byNamespace[""] == nil {
		scope.Type = model.ScopeNamespace
		for n := range byNamespace {
			scope.Namespaces = append(scope.Namespaces, n)
		}
		slices.Sort(scope.Namespaces)
	} else if len(byNamespace) > 1 {
		return nil // some in the whole cluster and some in namespaces: no one policy does that
	}
	var offers []Offer
	for _, policy := range awsdata.AccessPolicies() {
		if !policy.RulesPublished || policy.ServiceLinkedRoleOnly {
			continue
		}
		same := true
		for n, rules := range byNamespace {
			same = same && equal(rules, policy.Rules, n)
		}
		if same {
			offers = append(offers, Offer{policy.Name, scope})
		}
	}
	return offers
}

// equal says whether two lists of rules allow the same in a namespace, or in the whole cluster for "". What cannot be
// compared is not equal.
func equal(a, b []rbacv1.PolicyRule, namespace string) bool {
	in := func(rules []rbacv1.PolicyRule) []diff.Rule {
		out := make([]diff.Rule, len(rules))
		for i, r := range rules {
			out[i] = diff.Rule{PolicyRule: r}
			if namespace != "" {
				out[i].Namespaces = []string{namespace}
			}
		}
		return out
	}
	more, err := diff.Rules(in(a), in(b))
	if err != nil || len(more) > 0 {
		return false
	}
	less, err := diff.Rules(in(b), in(a))
	return err == nil && len(less) == 0
}
