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
			p.Report(b, "%s can %s aws-auth, and so map any IAM principal to any username and group", subjectList(subjects), writeVerbs(absent)).
				Because(b, "subjects", "%s", subjectList(subjects)).
				Because(role, "rules", "%s", strings.Join(role.Rules[rule].Verbs, ", ")+" on configmaps").
				Fix("# name the ConfigMaps that are needed (resourceNames), in the namespace where they are").
				Fix(narrow(b, role))
		}
		for _, e := range p.Cluster.AccessEntries {
			for _, a := range p.Access.PolicyAssociationsOf(e.PrincipalARN) {
				rules, known := access.PolicyRules(a.PolicyARN)
				if !a.Scope.Covers("kube-system") || a.PolicyName() == "AmazonEKSClusterAdminPolicy" && a.Scope.Type == model.ScopeCluster {
					continue // access-entry-cluster-admin speaks of that
				}
				if !known && !awsOwn(p, e, a) {
					p.NotAssessed("whether %s lets %s write aws-auth: AWS does not publish its rules", a.PolicyName(), e.PrincipalARN)
				}
				if writesAWSAuth(rules, absent) < 0 {
					continue
				}
				p.Report(e, "%s can %s aws-auth through %s on %s, and so map any IAM principal to any username and group", e.PrincipalARN, writeVerbs(absent), a.PolicyName(), a.Scope).
					Because(e, "associatedAccessPolicies", "%s on %s", a.PolicyARN, a.Scope).
					Fix("# leave kube-system out of the scope; associating a policy again replaces its scope").
					Fix(plan.Shell("aws", "eks", "associate-access-policy", "--cluster-name", p.Cluster.Name, "--region", p.Cluster.Region,
						"--principal-arn", e.PrincipalARN, "--policy-arn", a.PolicyARN, "--access-scope", "type=namespace,namespaces=NAMESPACE")).
					Key(a.PolicyARN)
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
	command := func(verb, kind, namespace, name string) string {
		args := []string{"kubectl", verb}
		if namespace != "" {
			args = append(args, "-n", namespace)
		}
		return plan.Shell(append(args, strings.ToLower(kind)+"/"+name)...) // so that a name like --all is a name
	}
	shared := role.Aggregation != nil || role.Labels["kubernetes.io/bootstrapping"] == "rbac-defaults" || slices.Contains([]string{"cluster-admin", "admin", "edit", "view"}, role.Name) ||
		strings.HasPrefix(role.Name, "system:") || strings.HasPrefix(role.Name, "eks:")
	if role.Namespace == "" && shared {
		return "# ClusterRole " + plan.Shell(role.Name) + " is not only theirs: bind one of your own that grants less, then\n" + deleteBinding(b)
	}
	s := role.Subject()
	return command("edit", s.Kind, s.Namespace, s.Name)
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
