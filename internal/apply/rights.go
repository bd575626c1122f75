package apply

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	arn "drawbridge/internal/iam"
	"drawbridge/internal/plan"
)

// Rights are what carrying something out takes, reading before and after included.
type Rights struct {
	// Actions are IAM actions, sorted.
	Actions []string
	// Rules are of Kubernetes RBAC, one for each resource.
	Rules []rbacv1.PolicyRule
	// Confirming are rules that it goes without: with them the authorizer is asked whether a step does what it is for.
	Confirming []rbacv1.PolicyRule
}

// RightsOf returns the least rights for a plan. Those that EKS and Kubernetes demand besides, for what is in the objects, are
// part of them as far as AWS documents them: to pass the roles of nodes and of Pod Identity associations (EKS User Guide,
// "Create access entries" and "Assign an IAM role to a Kubernetes service account", 2026-11). Whoever writes roles and bindings
// must also hold what these give, or the verbs escalate and bind (Kubernetes documentation, "Using RBAC Authorization", 2026-11).
func RightsOf(p plan.Plan) (Rights, error) {
	all, err := reachOfAll(p)
	if err != nil {
		return Rights{}, err
	}
	actions := map[string]bool{}
	verbs := map[kind]map[string]bool{}
	allow := func(k kind, verb string) {
		if verbs[k] == nil {
			verbs[k] = map[string]bool{}
		}
		verbs[k][verb] = true
	}
	for _, part := range all.parts {
		for _, a := range reads(part) {
			actions[a] = true
		}
		if _, ok := resources[part.kind]; ok {
			allow(part.kind, "get")
		}
	}
	if all.kubernetes() {
		allow(partNamespace, "get") // kube-system tells clusters apart
	}
	for _, c := range p {
		for _, a := range calls(c) {
			actions[a] = true
		}
		if verb := verbOf(c); verb != "" {
			r, err := reachOf(c)
			if err != nil {
				return Rights{}, err
			}
			allow(r.parts[len(r.parts)-1].kind, verb)
		}
	}
	out := Rights{}
	for a := range actions {
		out.Actions = append(out.Actions, a)
	}
	slices.Sort(out.Actions)
	for k, set := range verbs {
		rule := rbacv1.PolicyRule{APIGroups: []string{resources[k].Group}, Resources: []string{resources[k].Resource}}
		for v := range set {
			rule.Verbs = append(rule.Verbs, v)
		}
		slices.Sort(rule.Verbs)
		if k == partAWSAuth {
			rule.ResourceNames = []string{"aws-auth"}
		}
		out.Rules = append(out.Rules, rule)
	}
	if slices.ContainsFunc(p, func(c plan.Change) bool { _, policy := c.(plan.AssociateAccessPolicy); return letsIn(c) && !policy }) {
		out.Confirming = []rbacv1.PolicyRule{asking}
	}
	slices.SortFunc(out.Rules, func(a, b rbacv1.PolicyRule) int {
		return cmp.Or(strings.Compare(a.APIGroups[0], b.APIGroups[0]), strings.Compare(a.Resources[0], b.Resources[0]))
	})
	return out, nil
}

// reads are the actions with which a part is read.
func reads(p part) []string {
	who := "Role"
	if isUser(p.name) {
		who = "User"
	}
	switch p.kind {
	case partMode, partLogs:
		return []string{"eks:DescribeCluster"}
	case partEntry:
		return []string{"eks:DescribeAccessEntry", "eks:ListAssociatedAccessPolicies"}
	case partAssociation:
		return []string{"eks:DescribeCluster", "eks:DescribePodIdentityAssociation", "eks:ListPodIdentityAssociations"}
	case partLogGroup:
		return []string{"logs:DescribeLogGroups"}
	case partTrust:
		return []string{"iam:GetRole"}
	case partAttached:
		return []string{"iam:Get" + who, "iam:ListAttached" + who + "Policies"}
	case partInline:
		return []string{"iam:Get" + who, "iam:Get" + who + "Policy"}
	}
	return nil
}

// calls are the action of the call that makes a change, and those that it implies.
func calls(c plan.Change) []string {
	name := reflect.TypeOf(c).Name()
	who := func(text, before, after string) []string {
		if isUser(text) {
			return []string{"iam:" + before + "User" + after}
		}
		return []string{"iam:" + before + "Role" + after}
	}
	switch c := c.(type) {
	case plan.CreateAccessEntry:
		if strings.HasPrefix(c.Type, "EC2") {
			return []string{"eks:" + name, "iam:PassRole"}
		}
		return []string{"eks:" + name}
	case plan.DeleteAccessEntry:
		return append(who(c.PrincipalARN, "Get", ""), "eks:"+name) // whether its principal is still the one that it was made for
	case plan.UpdateAccessEntry, plan.AssociateAccessPolicy, plan.DisassociateAccessPolicy, plan.DeletePodIdentityAssociation:
		return []string{"eks:" + name}
	case plan.CreatePodIdentityAssociation, plan.UpdatePodIdentityAssociation:
		return []string{"eks:" + name, "iam:PassRole"}
	case plan.SetAuthenticationMode, plan.UpdateClusterLogging:
		return []string{"eks:UpdateClusterConfig"}
	case plan.SetLogRetention:
		if c.Days == 0 {
			return []string{"logs:DeleteRetentionPolicy"}
		}
		return []string{"logs:PutRetentionPolicy"}
	case plan.AttachPolicy:
		return who(c.PrincipalARN, "Attach", "Policy")
	case plan.DetachPolicy:
		return who(c.PrincipalARN, "Detach", "Policy")
	case plan.PutInlinePolicy:
		return who(c.PrincipalARN, "Put", "Policy")
	case plan.DeleteInlinePolicy:
		return who(c.PrincipalARN, "Delete", "Policy")
	case plan.UpdateTrustPolicy:
		return []string{"iam:UpdateAssumeRolePolicy"}
	}
	return nil
}

// verbOf is the Kubernetes verb of the call that makes a change, "" where it is none of Kubernetes.
func verbOf(c plan.Change) string {
	switch c.(type) {
	case plan.CreateBinding, plan.CreateServiceAccount:
		return "create"
	case plan.DeleteBinding, plan.DeleteServiceAccount:
		return "delete"
	}
	if _, ok := ofKubernetes(c); ok {
		return "patch"
	}
	return ""
}

func isUser(text string) bool {
	a, err := arn.ParseARN(text)
	return err == nil && a.IsUser()
}

// ChangeRights are the rights for one type of change.
type ChangeRights struct {
	Change string
	Rights
}

// changes are one of each that this package carries out, as far as the rights for it go: those about IAM roles stand for those
// about IAM users.
var changes = []plan.Change{
	plan.CreateAccessEntry{Cluster: "-", Type: "EC2_LINUX"},
	plan.UpdateAccessEntry{Cluster: "-"},
	plan.DeleteAccessEntry{Cluster: "-"},
	plan.AssociateAccessPolicy{Cluster: "-"},
	plan.DisassociateAccessPolicy{Cluster: "-"},
	plan.SetAuthenticationMode{Cluster: "-"},
	plan.UpdateClusterLogging{Cluster: "-"},
	plan.SetLogRetention{Cluster: "-", Days: 1},
	plan.CreatePodIdentityAssociation{Cluster: "-"},
	plan.UpdatePodIdentityAssociation{Cluster: "-"},
	plan.DeletePodIdentityAssociation{Cluster: "-"},
	plan.RemoveAWSAuthRow{Cluster: "-"},
	plan.PutAWSAuth{Cluster: "-"},
	plan.CreateBinding{Cluster: "-", Namespace: "-"},
	plan.DeleteBinding{Cluster: "-", Namespace: "-"},
	plan.AddSubject{Cluster: "-", Namespace: "-"},
	plan.RemoveSubject{Cluster: "-", Namespace: "-"},
	plan.PutRoleRules{Cluster: "-", Namespace: "-"},
	plan.CreateServiceAccount{Cluster: "-"},
	plan.DeleteServiceAccount{Cluster: "-"},
	plan.AnnotateServiceAccount{Cluster: "-"},
	plan.UnannotateServiceAccount{Cluster: "-"},
	plan.SetAutomount{Cluster: "-", Kind: "Workload", Name: "deployment/-"},
	plan.AttachPolicy{},
	plan.DetachPolicy{},
	plan.PutInlinePolicy{},
	plan.DeleteInlinePolicy{},
	plan.UpdateTrustPolicy{},
}

// RightsByChange returns the rights for each type of change, in the order of package plan.
func RightsByChange() []ChangeRights {
	out := make([]ChangeRights, len(changes))
	for i, c := range changes {
		rights, err := RightsOf(plan.Plan{c})
		if err != nil {
			panic("apply: " + err.Error()) // the list above is wrong, which a test tells
		}
		out[i] = ChangeRights{reflect.TypeOf(c).Name(), rights}
	}
	return out
}
