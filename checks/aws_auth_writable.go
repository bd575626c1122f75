package checks

import (
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/internal/rbac"

	rbacv1 "k8s.io/api/rbac/v1"
)

var awsAuthWritable = &check.Check{
	ID:       "aws-auth-writable",
	Title:    "Somebody beside the admins can write aws-auth",
	Severity: finding.High,
	Needs: []model.Area{
		model.AreaCluster, model.AreaAWSAuth, model.AreaClusterRoles, model.AreaRoles, model.AreaClusterRoleBindings, model.AreaRoleBindings,
		model.AreaAccessEntries, model.AreaPolicyAssociations,
	},
	Techniques: []string{"T1098.006"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		if !p.Access.ReadsAWSAuth() {
			return
		}
		absent := p.Cluster.AWSAuth == nil && p.Access.Complete(model.AreaAWSAuth)
		for _, b := range p.Access.Bindings() {
			if b.Namespace != "" && b.Namespace != "kube-system" {
				continue
			}
			role := p.Access.RoleOf(b)
			if role == nil || b.Namespace == "" && grantsEverything(role) {
				continue // whoever may do everything in the whole cluster needs no aws-auth
			}
			rule := writesAWSAuth(role.Rules, absent)
			subjects := access.Strangers(b)
			if rule < 0 || len(subjects) == 0 {
				continue
			}
			r := p.Report(b, "%s can %s aws-auth, and so map any IAM principal to any username and group", subjectList(subjects), writeVerbs(absent)).
				Because(b, "subjects", "%s", subjectList(subjects)).
				Because(role, "rules", "%s", strings.Join(role.Rules[rule].Verbs, ", ")+" on configmaps")
			if rules, ok := withoutName(role, "aws-auth"); ok && writesAWSAuth(rules, absent) < 0 {
				r.Plan(plan.PutRoleRules{Cluster: p.Cluster.ID(), Namespace: role.Namespace, Name: role.Name, Before: role.Rules, After: rules})
			} else {
				r.Fix("# name the ConfigMaps that are needed (resourceNames), in the namespace where they are").
					Fix(narrow(b, role))
			}
		}
		for _, e := range p.Cluster.AccessEntries {
			for _, a := range p.Access.PolicyAssociationsOf(e.PrincipalARN) {
				rules, known := access.PolicyRules(a.PolicyARN)
				if !a.Scope.Covers("kube-system") || isClusterWideAdmin(a) {
					continue // access-entry-cluster-admin speaks of that
				}
				if !known && !awsOwn(p, e, a) {
					p.NotAssessed("whether %s lets %s write aws-auth: AWS does not publish its rules", a.PolicyName(), e.PrincipalARN)
				}
				if writesAWSAuth(rules, absent) < 0 {
					continue
				}
				r := p.Report(e, "%s can %s aws-auth through %s on %s, and so map any IAM principal to any username and group", e.PrincipalARN, writeVerbs(absent), a.PolicyName(), a.Scope).
					Because(e, "associatedAccessPolicies", "%s on %s", a.PolicyARN, a.Scope).
					Fix("# leave kube-system out of the scope; associating a policy again replaces its scope").
					Key(a.PolicyARN)
				narrowScope(r, p, a, func(pattern model.AccessScope) bool { return pattern.Covers("kube-system") })
			}
		}
	},
}

// writesAWSAuth returns the index of a rule by which aws-auth can be written, or -1. Creating counts where there is none, or
// for those who may delete it first: the name of an object that is created cannot be limited by RBAC.
func writesAWSAuth(rules []rbacv1.PolicyRule, absent bool) int {
	may := func(verb, named string) int {
		return slices.IndexFunc(rules, func(r rbacv1.PolicyRule) bool {
			return rbac.Allows(r, rbac.Request{Verb: verb, Resource: "configmaps", Name: named, Namespace: "kube-system"})
		})
	}
	create := may("create", "")
	if absent {
		return create
	}
	for _, verb := range []string{"update", "patch"} {
		if i := may(verb, "aws-auth"); i >= 0 {
			return i
		}
	}
	if may("delete", "aws-auth") >= 0 || may("deletecollection", "") >= 0 {
		return create
	}
	return -1
}

func writeVerbs(absent bool) string {
	if absent {
		return "create"
	}
	return "write"
}

// narrow is the command by which the permissions of a binding's subjects are made smaller. Roles that Kubernetes and EKS
// make, or fill by aggregation, are everybody's: there the binding has to change.
func narrow(b *model.Binding, role *model.Role) string {
	if role.Namespace == "" && isShared(role) {
		return "# ClusterRole " + plan.Shell(role.Name) + " is not only theirs: bind one of your own that grants less, then\n" + plan.Command(plan.DeleteBinding{Namespace: b.Namespace, Name: b.Name})
	}
	return narrowRole(role)
}

// narrowRole is the command by which a role is edited.
func narrowRole(role *model.Role) string {
	args := []string{"kubectl", "edit"}
	if role.Namespace != "" {
		args = append(args, "-n", role.Namespace)
	}
	return plan.Shell(append(args, strings.ToLower(role.Subject().Kind)+"/"+role.Name)...) // so that a name like --all is a name
}

// isShared says whether a role is one that Kubernetes or EKS makes, or fills by aggregation.
func isShared(role *model.Role) bool {
	return role.Aggregation != nil || role.Labels["kubernetes.io/bootstrapping"] == "rbac-defaults" || slices.Contains([]string{"cluster-admin", "admin", "edit", "view"}, role.Name) ||
		strings.HasPrefix(role.Name, "system:") || strings.HasPrefix(role.Name, "eks:")
}

// withoutName returns the rules of a role without the name of one ConfigMap, where they name it.
func withoutName(role *model.Role, name string) (rules []rbacv1.PolicyRule, ok bool) {
	for _, r := range role.Rules {
		if slices.Contains(r.ResourceNames, name) && slices.Equal(r.Resources, []string{"configmaps"}) {
			ok = true
			r.ResourceNames = slices.DeleteFunc(slices.Clone(r.ResourceNames), func(n string) bool { return n == name })
			if len(r.ResourceNames) == 0 {
				continue // without names it would be about all
			}
		}
		rules = append(rules, r)
	}
	return rules, ok && !isShared(role)
}

func grantsEverything(r *model.Role) bool {
	for _, rule := range r.Rules {
		if rbac.Allows(rule, rbac.Request{Verb: "*", APIGroup: "*", Resource: "*"}) {
			return true
		}
	}
	return false
}

// subjectList names a few subjects and counts the rest.
func subjectList(subjects []rbacv1.Subject) string {
	const few = 3
	var names []string
	for i, s := range subjects {
		if i == few {
			names = append(names, "and more")
			break
		}
		names = append(names, access.SubjectText(s))
	}
	return strings.Join(names, ", ")
}
