package checks

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var rbacMintsAWSTokens = &check.Check{
	ID:       "rbac-mints-aws-tokens",
	Title:    "Somebody can mint tokens of service accounts that hold AWS roles",
	Severity: finding.High,
	Needs: []model.Area{
		model.AreaClusterRoles, model.AreaRoles, model.AreaClusterRoleBindings, model.AreaRoleBindings, model.AreaServiceAccounts, model.AreaPodIdentityAssociations,
		model.AreaAccessEntries, model.AreaPolicyAssociations,
	},
	Techniques: []string{"T1528", "T1550.001"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		reportRolesInReach(p, []string{"mint-tokens"}, func(o model.Object, who string, h access.HeldPower, reach []access.AWSServiceAccount) *check.Report {
			return p.Report(o, "%s can mint tokens of %s, to be exchanged for AWS credentials from anywhere in the case of IRSA", who, rolesText(reach)).
				Fix("# take create on serviceaccounts/token away, or limit it to the service accounts it is for (resourceNames)")
		})
	},
}

// reportRolesInReach reports each binding whose subjects, and each access policy whose access entry, through one of the powers, become service accounts that hold an
// IAM role. Admins of the whole cluster, and Kubernetes' and EKS's own subjects, are left out: they hold everything anyway.
func reportRolesInReach(p *check.Pass, powers []string, report func(model.Object, string, access.HeldPower, []access.AWSServiceAccount) *check.Report) {
	byNamespace := map[string][]access.AWSServiceAccount{}
	var all []access.AWSServiceAccount
	for _, sa := range p.Access.AWSServiceAccounts() {
		if own := byNamespace[sa.Namespace]; len(own) > 0 && own[len(own)-1].Name == sa.Name {
			continue // held in two ways: once is enough
		}
		byNamespace[sa.Namespace] = append(byNamespace[sa.Namespace], sa)
		all = append(all, sa)
	}
	if len(all) == 0 {
		return
	}
	for _, b := range p.Access.Bindings() {
		held, known := p.Access.BindingPowers(b)
		if !known || b.Namespace == "" && grantsEverything(p.Access.RoleOf(b)) {
			continue
		}
		i, reach := rolesReached(held, powers, func() []access.AWSServiceAccount {
			if b.Namespace == "" {
				return all
			}
			return byNamespace[b.Namespace]
		})
		subjects := access.Strangers(b)
		if len(reach) == 0 || len(subjects) == 0 {
			continue
		}
		who := subjectList(subjects)
		r := report(b, who, held[i], reach).Because(b, "subjects", "%s", who).Chain(held[i].Chain)
		becauseOfRoles(r, reach)
		r.Fix(narrow(b, p.Access.RoleOf(b)))
	}
	for _, e := range p.Cluster.AccessEntries {
		for _, a := range p.Access.PolicyAssociationsOf(e.PrincipalARN) {
			if isClusterWideAdmin(a) {
				continue // access-entry-cluster-admin speaks of that
			}
			held, _ := p.Access.PowersOfAssociation(a)
			i, reach := rolesReached(held, powers, func() []access.AWSServiceAccount {
				return slices.DeleteFunc(slices.Clone(all), func(sa access.AWSServiceAccount) bool { return !a.Scope.Covers(sa.Namespace) })
			})
			if len(reach) == 0 {
				continue
			}
			r := report(e, e.PrincipalARN, held[i], reach).Chain(held[i].Chain)
			becauseOfRoles(r, reach)
			r.Fix(plan.Command(disassociate(p, e, a))).Key(a.PolicyARN)
		}
	}
}

// becauseOfRoles names a few service accounts with their roles as evidence.
func becauseOfRoles(r *check.Report, reach []access.AWSServiceAccount) {
	for i, sa := range reach {
		if i < 5 {
			r.Because(sa.Object, "", "%s/%s holds %s through %s", sa.Namespace, sa.Name, orNobody(sa.RoleARN), sa.Via)
		}
	}
}

// rolesReached returns the index of the first of the powers that is held, one without a limit to names if there is one, and
// the service accounts it reaches: where tokens may be minted of named ones only, those of all such rules.
func rolesReached(held []access.HeldPower, powers []string, all func() []access.AWSServiceAccount) (first int, reach []access.AWSServiceAccount) {
	first = -1
	var names []string
	for i, h := range held {
		if !slices.Contains(powers, h.Power.ID) {
			continue
		}
		if len(h.Names) == 0 {
			return i, all()
		}
		if first < 0 {
			first = i
		}
		names = append(names, h.Names...)
	}
	if first < 0 {
		return first, nil
	}
	reach = all()
	if held[first].Power.ID == "mint-tokens" {
		reach = slices.DeleteFunc(slices.Clone(reach), func(sa access.AWSServiceAccount) bool { return !slices.Contains(names, sa.Name) })
	}
	return first, reach
}

// rolesText names a few service accounts with their roles and counts the rest.
func rolesText(reach []access.AWSServiceAccount) string {
	const few = 2
	var names []string
	for i, sa := range reach {
		if i == few {
			names = append(names, fmt.Sprintf("%d more that hold IAM roles", len(reach)-few))
			break
		}
		names = append(names, sa.Namespace+"/"+sa.Name+" ("+sa.RoleARN[strings.LastIndexByte(sa.RoleARN, ':')+1:]+")")
	}
	return strings.Join(names, ", ")
}
