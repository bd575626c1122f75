package checks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var podIdentityTrustUnconditioned = &check.Check{
	ID:         "pod-identity-trust-unconditioned",
	Title:      "Trust policy lets any cluster of the account use the role through Pod Identity",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaPodIdentityAssociations, model.AreaIAMRoles},
	Techniques: []string{"T1078.004", "T1098.003"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		users := map[string][]*model.PodIdentityAssociation{}
		var arns []string
		for _, a := range p.Cluster.PodIdentityAssociations {
			if users[a.RoleARN] == nil {
				arns = append(arns, a.RoleARN)
			}
			users[a.RoleARN] = append(users[a.RoleARN], a)
		}
		slices.Sort(arns)
		everywhere := map[string][]roleUse{}
		for _, c := range p.Access.Access().Clusters() {
			for _, a := range c.PodIdentityAssociations {
				everywhere[a.RoleARN] = append(everywhere[a.RoleARN], roleUse{c, a})
			}
		}
		for _, arn := range arns {
			role, presence := p.Access.Access().Role(arn)
			trust := p.Access.Access().Trust(role)
			switch {
			case trust != nil:
				reportPodIdentityReach(p, role, trust.PodIdentityReach(p.Cluster.Region), users[arn], everywhere[arn])
			case presence != access.Absent: // a role that is gone is for pod-identity-dangling
				p.NotAssessed("the trust policy of %s was not read", arn)
			}
		}
	},
}

// roleUse is an association with a role, in any cluster.
type roleUse struct {
	cluster     *access.Cluster
	association *model.PodIdentityAssociation
}

func reportPodIdentityReach(p *check.Pass, role *model.IAMRole, reach access.PodIdentityReach, users []*model.PodIdentityAssociation, everywhere []roleUse) {
	var r *check.Report
	switch {
	case reach.Anybody == access.Yes && len(reach.Conditions) == 0:
		r = p.Report(role, "%s can be given to any service account in any namespace of any cluster of account %s: its trust policy sets Pod Identity no condition", role.Name, p.Cluster.Account)
	case reach.Anybody == access.Yes:
		r = p.Report(role, "%s can be given to any service account in any namespace of any cluster of account %s: no condition of its trust policy tells them apart (%s)",
			role.Name, p.Cluster.Account, strings.Join(reach.Conditions, "; "))
	case reach.AnyCluster == access.Yes:
		r = p.Report(role, "%s can be used from any cluster of account %s; low, because namespace or service account must have the right name, which another cluster's admins can choose (%s)",
			role.Name, p.Cluster.Account, strings.Join(reach.Conditions, "; ")).Severity(finding.Low)
	case reach.Anybody == access.Maybe || reach.AnyCluster == access.Maybe:
		p.NotAssessed("whether the trust policy of %s binds it to a cluster depends on what cannot be evaluated: %s", role.ARN, strings.Join(reach.If, "; "))
		return
	default:
		return
	}
	for _, s := range reach.Statements {
		r.Because(role, "AssumeRolePolicyDocument", "%s", s)
	}
	var names []string
	for _, a := range users {
		names = append(names, a.Namespace+"/"+a.ServiceAccount)
	}
	r.Evidence("cluster "+p.Cluster.Name, "associated with %s", check.Some(names, 10))
	if narrow, ok := toAssociations(p.Access.Access().Trust(role), everywhere); ok {
		r.Fix("# let in the service accounts that are associated with the role, in the clusters of this snapshot, and no other").Plan(narrow)
		return
	}
	r.Fix("# replace the statement for pods.eks.amazonaws.com in the trust policy, leaving others as they are").
		Fix(podIdentityTrustStatement(p.Cluster.ARN, users)).
		Fix(plan.Shell("aws", "iam", "update-assume-role-policy", "--role-name", role.Name, "--policy-document", "file://trust.json"))
	if slices.ContainsFunc(users, func(a *model.PodIdentityAssociation) bool { return a.DisableSessionTags }) {
		r.Fix("# session tags are disabled for an association: turn them on first, or these conditions keep its pods out")
	}
}

// toAssociations holds the statement for Pod Identity to the clusters, namespaces and service accounts that are associated with the
// role, which gives nobody anything: each of them is let in now. It takes that all their sessions have tags.
func toAssociations(trust *access.Trust, everywhere []roleUse) (plan.Change, bool) {
	set := map[string][]string{}
	add := func(key, value string) {
		if !slices.Contains(set[key], value) {
			set[key] = append(set[key], value)
		}
	}
	for _, use := range everywhere {
		if use.association.DisableSessionTags || use.cluster.ARN == "" {
			return nil, false
		}
		if trust.PodIdentity(use.cluster.Session(use.association)).Not() {
			continue
		}
		add("aws:RequestTag/eks-cluster-arn", use.cluster.ARN)
		add("aws:RequestTag/kubernetes-namespace", use.association.Namespace)
		add("aws:RequestTag/kubernetes-service-account", use.association.ServiceAccount)
	}
	if len(set) == 0 {
		return nil, false
	}
	return narrowTrust(trust.Role, access.PodIdentityService, func(text []byte) ([]byte, error) {
		return iam.SetConditions(text, slices.Sorted(maps.Keys(set)), "StringEquals", set)
	})
}

// podIdentityTrustStatement is a statement that lets in what is associated in this cluster and nothing else.
func podIdentityTrustStatement(clusterARN string, users []*model.PodIdentityAssociation) string {
	var namespaces, accounts []string
	for _, a := range users {
		namespaces = append(namespaces, fmt.Sprintf("%q", a.Namespace))
		accounts = append(accounts, fmt.Sprintf("%q", a.ServiceAccount))
	}
	list := func(items []string) string {
		slices.Sort(items)
		if items = slices.Compact(items); len(items) == 1 {
			return items[0]
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return fmt.Sprintf(`{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"],
 "Condition": {"StringEquals": {
  "aws:RequestTag/eks-cluster-arn": %q,
  "aws:RequestTag/kubernetes-namespace": %s,
  "aws:RequestTag/kubernetes-service-account": %s}}}`, clusterARN, list(namespaces), list(accounts))
}
