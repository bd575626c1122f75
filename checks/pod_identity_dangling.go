package checks

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/internal/rbac"
)

var podIdentityDangling = &check.Check{
	ID:       "pod-identity-dangling",
	Title:    "Pod Identity association for something that does not exist",
	Severity: finding.Medium,
	Needs: append([]model.Area{
		model.AreaPodIdentityAssociations, model.AreaNamespaces, model.AreaServiceAccounts, model.AreaIAMRoles,
	}, areasOfRights...),
	Techniques: []string{"T1078.004", "T1098"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		claims := &roleClaims{p: p}
		for _, a := range p.Cluster.PodIdentityAssociations {
			_, account := p.Access.ServiceAccount(a.Namespace, a.ServiceAccount)
			switch namespace := p.Access.Namespace(a.Namespace); {
			case namespace == access.Absent:
				reportVacant(p, a, claims.ofNamespace(a), "namespace "+a.Namespace)
			case namespace == access.Present && account == access.Absent:
				reportVacant(p, a, claims.ofServiceAccount(a), "service account "+a.Namespace+"/"+a.ServiceAccount)
			}
			if _, role := p.Access.Access().Role(a.RoleARN); role == access.Absent && a.RoleARN != "" {
				r := p.Report(a, "the association gives %s/%s the IAM role %s, which does not exist; low, because pods get no credentials until somebody creates a role of that name",
					a.Namespace, a.ServiceAccount, a.RoleARN).
					Severity(finding.Low).
					Because(a, "roleArn", "%s is not among the roles of account %s", a.RoleARN, p.Cluster.Account).
					Key("role")
				deleteAssociation(r, p, a)
			}
		}
	},
}

// areasOfRights are the areas that say who could create what is missing.
var areasOfRights = []model.Area{
	model.AreaRoles, model.AreaClusterRoles, model.AreaRoleBindings, model.AreaClusterRoleBindings,
	model.AreaAccessEntries, model.AreaPolicyAssociations,
}

// deleteAssociation proposes to delete an association that nothing uses. One that an add-on made is the add-on's to take away.
func deleteAssociation(r *check.Report, p *check.Pass, a *model.PodIdentityAssociation) {
	if a.OwnerARN != "" {
		r.Fix("# the association is part of add-on " + plan.Shell(a.OwnerARN) + ": take it out of the add-on's podIdentityAssociations")
		return
	}
	r.Plan(dissociation(p, a))
}

func dissociation(p *check.Pass, a *model.PodIdentityAssociation) plan.Change {
	return plan.DeletePodIdentityAssociation{Cluster: p.Cluster.ID(), Namespace: a.Namespace, ServiceAccount: a.ServiceAccount, ID: a.ID}
}

// reportVacant reports an association whose service account anybody could still be.
func reportVacant(p *check.Pass, a *model.PodIdentityAssociation, c claimants, what string) {
	perhaps := ""
	if len(c.unpublished) > 0 {
		perhaps = fmt.Sprintf("; perhaps %s can too, as AWS does not publish what its access policy grants", check.Some(c.unpublished, 2))
	}
	who := "whoever creates it and runs pods with it gets the role"
	switch {
	case len(c.others) > 0:
		who = check.Some(c.others, 4) + " can create it and run pods with the role"
	case len(c.unpublished) == 0 && c.complete:
		who += "; now only cluster admins and the cluster's own controllers can"
	}
	if !c.complete {
		perhaps += "; who can was not read in full"
	}
	r := p.Report(a, "%s does not exist but has IAM role %s waiting: %s%s", what, a.RoleARN, who, perhaps).
		Because(a, "", "gives %s to %s/%s", a.RoleARN, a.Namespace, a.ServiceAccount).
		Evidence("cluster "+p.Cluster.Name, "%s is not there", what).
		Chain(c.evidence).
		Fix("# nothing uses it: take the association away, or make what it is for before somebody else does").
		Key("service-account")
	deleteAssociation(r, p, a)
	if len(c.others) > 0 {
		r.Severity(finding.High)
	}
}

// claimants are those who could create what is missing and run pods with it.
type claimants struct {
	others      []string // besides cluster admins and the cluster's own controllers
	unpublished []string // through access policies whose rules nobody knows
	evidence    []finding.Evidence
	complete    bool
}

// roleClaims finds claimants. Who holds a request is asked once for all namespaces.
type roleClaims struct {
	p                           *check.Pass
	asked                       bool
	namespaces, accounts, pods  map[string][]rbac.Grant // by the namespace where the grant counts
	createNamespaces, createSAs rbac.Request
	createPods                  []rbac.Request
	found                       map[string]claimants // by what is missing
}

// once finds claimants once for everything that is missing in one place.
func (r *roleClaims) once(place string, find func() claimants) claimants {
	r.ask()
	c, ok := r.found[place]
	if !ok {
		c = find()
		r.found[place] = c
	}
	return c
}

func (r *roleClaims) ask() {
	if r.asked {
		return
	}
	r.asked, r.found = true, map[string]claimants{}
	index := r.p.Access.RBAC()
	hold := func(requests ...rbac.Request) map[string][]rbac.Grant {
		by := map[string][]rbac.Grant{}
		for _, q := range requests {
			for _, g := range index.HoldersAnywhere(q) {
				by[g.Binding.Namespace] = append(by[g.Binding.Namespace], g)
			}
		}
		return by
	}
	create := func(group, resource string) rbac.Request {
		return rbac.Request{Verb: "create", APIGroup: group, Resource: resource}
	}
	r.createNamespaces, r.createSAs = create("", "namespaces"), create("", "serviceaccounts")
	r.createPods = []rbac.Request{
		create("", "pods"), create("", "replicationcontrollers"), create("apps", "deployments"), create("apps", "daemonsets"),
		create("apps", "statefulsets"), create("apps", "replicasets"), create("batch", "jobs"), create("batch", "cronjobs"),
	}
	r.namespaces, r.accounts, r.pods = hold(r.createNamespaces), hold(r.createSAs), hold(r.createPods...)
}

// ofNamespace finds who can create the namespace and then what it takes in it: rights in the whole cluster, since nothing
// can be bound in a namespace that does not exist.
func (r *roleClaims) ofNamespace(a *model.PodIdentityAssociation) claimants {
	inCluster := func(s model.AccessScope) bool { return s.Type == model.ScopeCluster }
	if a.ServiceAccount == "default" { // comes with the namespace
		return r.once("new namespace, default", func() claimants {
			return r.holders([][]rbac.Grant{r.namespaces[""], r.pods[""]}, [][]rbac.Request{{r.createNamespaces}, r.createPods}, inCluster)
		})
	}
	return r.once("new namespace", func() claimants {
		return r.holders([][]rbac.Grant{r.namespaces[""], r.accounts[""], r.pods[""]},
			[][]rbac.Request{{r.createNamespaces}, {r.createSAs}, r.createPods}, inCluster)
	})
}

// ofServiceAccount finds who can create the service account in its namespace and run pods there.
func (r *roleClaims) ofServiceAccount(a *model.PodIdentityAssociation) claimants {
	return r.once("namespace "+a.Namespace, func() claimants {
		here := func(by map[string][]rbac.Grant) []rbac.Grant { return slices.Concat(by[""], by[a.Namespace]) }
		return r.holders([][]rbac.Grant{here(r.accounts), here(r.pods)}, [][]rbac.Request{{r.createSAs}, r.createPods},
			func(s model.AccessScope) bool { return s.Covers(a.Namespace) })
	})
}

// holders returns the subjects that hold every step, and the principals whose access policies allow every need.
func (r *roleClaims) holders(steps [][]rbac.Grant, needs [][]rbac.Request, covers func(model.AccessScope) bool) claimants {
	c := claimants{complete: true}
	for _, area := range areasOfRights {
		c.complete = c.complete && r.p.Access.Complete(area)
	}
	chains := map[string][]rbac.Grant{}
	for i, grants := range steps {
		for _, g := range grants {
			if who := claimantName(g.Binding, g.SubjectOf()); len(chains[who]) == i {
				chains[who] = append(chains[who], g)
			}
		}
	}
	for who, chain := range chains {
		if len(chain) == len(steps) && who != "" && !isClusterAdmin(chain) {
			c.others = append(c.others, who)
		}
	}
	slices.Sort(c.others)
	for _, who := range c.others[:min(len(c.others), 10)] {
		for _, g := range chains[who] {
			c.evidence = append(c.evidence, r.p.Access.Chain(g)...)
		}
	}
	for _, e := range r.p.Cluster.AccessEntries {
		for _, assoc := range r.p.Access.PolicyAssociationsOf(e.PrincipalARN) {
			if !covers(assoc.Scope) || assoc.PolicyName() == "AmazonEKSClusterAdminPolicy" {
				continue
			}
			rules, known := access.PolicyRules(assoc.PolicyARN)
			switch {
			case !known && !strings.Contains(e.PrincipalARN, ":role/aws-service-role/"):
				c.unpublished = append(c.unpublished, e.PrincipalARN)
			case known && allowsEach(rules, needs):
				c.others = append(c.others, e.PrincipalARN)
				c.evidence = append(c.evidence, finding.Evidence{Text: assoc.PolicyARN + " on " + assoc.Scope.String(), Source: e.Subject().String()})
			}
		}
	}
	c.others, c.unpublished = slices.Compact(c.others), slices.Compact(c.unpublished)
	return c
}

// allowsEach says whether rules allow at least one request of every need.
func allowsEach(rules []rbacv1.PolicyRule, needs [][]rbac.Request) bool {
	for _, need := range needs {
		if !slices.ContainsFunc(need, func(q rbac.Request) bool {
			return slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool { return rbac.Allows(rule, q) })
		}) {
			return false
		}
	}
	return true
}

// isClusterAdmin says whether somebody holds a step by a rule that allows everything: they need no association.
func isClusterAdmin(chain []rbac.Grant) bool {
	return slices.ContainsFunc(chain, func(g rbac.Grant) bool {
		r := g.PolicyRule()
		return g.Binding.Namespace == "" && slices.Contains(r.Verbs, "*") && slices.Contains(r.Resources, "*") && slices.Contains(r.APIGroups, "*")
	})
}

// claimantName names a subject, or is "" for the parts of Kubernetes and EKS themselves: controllers and what else runs in
// kube-system, and users with their reserved prefixes.
func claimantName(b *rbac.Binding, s *rbacv1.Subject) string {
	user, group := rbac.Names(*s, b.Namespace)
	switch {
	case group == rbac.GroupMasters || strings.HasPrefix(user, "system:serviceaccount:kube-system:") || strings.HasPrefix(user, "eks:"):
		return ""
	case group != "":
		return "Group " + group
	case strings.HasPrefix(user, "system:serviceaccount:"):
		return "ServiceAccount " + strings.Replace(strings.TrimPrefix(user, "system:serviceaccount:"), ":", "/", 1)
	case strings.HasPrefix(user, "system:") && user != "system:anonymous":
		return ""
	}
	return "User " + user
}
