package checks

import (
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
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
			if role == nil || grantsEverything(role) {
				continue // whoever may do everything needs no aws-auth
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
				Fix(check.Shell("kubectl", "edit", strings.ToLower(role.Subject().Kind), "-n", "kube-system", role.Name))
		}
		for _, e := range p.Cluster.AccessEntries {
			for _, a := range p.Access.PolicyAssociationsOf(e.PrincipalARN) {
				rules, known := access.PolicyRules(a.PolicyARN)
				if !known || a.PolicyName() == "AmazonEKSClusterAdminPolicy" || !a.Scope.Covers("kube-system") || writesAWSAuth(rules, absent) < 0 {
					continue
				}
				p.Report(e, "%s can %s aws-auth through %s on %s, and so map any IAM principal to any username and group", e.PrincipalARN, writeVerbs(absent), a.PolicyName(), a.Scope).
					Because(e, "associatedAccessPolicies", "%s on %s", a.PolicyARN, a.Scope).
					Fix("# leave kube-system out of the scope; associating a policy again replaces its scope").
					Fix(check.Shell("aws", "eks", "associate-access-policy", "--cluster-name", p.Cluster.Name, "--region", p.Cluster.Region,
						"--principal-arn", e.PrincipalARN, "--policy-arn", a.PolicyARN, "--access-scope", "type=namespace,namespaces=NAMESPACE")).
					Key(a.PolicyARN)
			}
		}
	},
}

// writesAWSAuth returns the index of a rule by which aws-auth can be written, or -1. Creating counts only where there is
// none: the name of an object that is created cannot be limited by RBAC.
func writesAWSAuth(rules []rbacv1.PolicyRule, absent bool) int {
	for i, r := range rules {
		for _, verb := range []string{"update", "patch"} {
			if rbac.Allows(r, rbac.Request{Verb: verb, Resource: "configmaps", Name: "aws-auth", Namespace: "kube-system"}) && !absent {
				return i
			}
		}
		if absent && rbac.Allows(r, rbac.Request{Verb: "create", Resource: "configmaps", Namespace: "kube-system"}) {
			return i
		}
	}
	return -1
}

func writeVerbs(absent bool) string {
	if absent {
		return "create"
	}
	return "write"
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
