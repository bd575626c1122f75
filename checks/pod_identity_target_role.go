package checks

import (
	"fmt"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var podIdentityTargetRole = &check.Check{
	ID:         "pod-identity-target-role",
	Title:      "Pod Identity association chains into a target role",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaPodIdentityAssociations, model.AreaIAMRoles},
	Techniques: []string{"T1550.001", "T1078.004"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, a := range p.Cluster.PodIdentityAssociations {
			if a.TargetRoleARN == "" {
				continue
			}
			says, severity, evidence := targetTrust(p, a)
			target, _ := iam.ParseARN(a.TargetRoleARN)
			where := "of account " + target.Account
			switch {
			case target.Account == p.Cluster.Account:
				where = "of the same account"
			case !p.Trusts(target.Account):
				where += ", which is not a trusted account"
				severity = finding.Medium
			}
			p.Report(a, "pods of %s/%s act as %s %s, through %s: %s", a.Namespace, a.ServiceAccount, a.TargetRoleARN, where, a.RoleARN, says).
				Because(a, "roleArn", "%s", a.RoleARN).
				Because(a, "targetRoleArn", "%s", a.TargetRoleARN).
				Chain(evidence).
				Severity(severity).
				Fix("# in the target's account: let in this role for this service account only").
				Fix(targetTrustStatement(p.Access, a)).
				Fix(plan.Shell("aws", "iam", "update-assume-role-policy", "--role-name", target.RoleName(), "--policy-document", "file://trust.json"))
		}
	},
}

// targetTrust says what the target's trust policy does with the association, and how much that matters.
func targetTrust(p *check.Pass, a *model.PodIdentityAssociation) (says string, s finding.Severity, evidence []finding.Evidence) {
	all := p.Access.Access()
	role, presence := all.Role(a.TargetRoleARN)
	trust := all.Trust(role)
	switch {
	case presence == access.Absent:
		return "that role does not exist", finding.Medium, nil
	case trust == nil:
		return "what that role trusts was not read", finding.Medium, nil
	}
	session := p.Access.Session(a)
	entry, reach := trust.Chain(a.RoleARN, session, p.Access.ExternalID(a)), trust.ChainReach(a.RoleARN, session)
	for _, line := range entry.Statements {
		evidence = append(evidence, finding.Evidence{Text: line, Source: role.Subject().String() + " AssumeRolePolicyDocument"})
	}
	condition := func(e access.Entry) string {
		if len(e.If) == 0 {
			return ""
		}
		return " if " + strings.Join(e.If, " and ")
	}
	switch {
	case entry.Not():
		says, s = "its trust policy does not let this association in, so its pods get no credentials", finding.Medium
	case !reach.Anybody.Not():
		says, s = "its trust policy lets in every principal of account "+p.Cluster.Account+" that may assume it"+condition(reach.Anybody), finding.Medium
	case !reach.AnyPod.Not():
		says, s = "its trust policy lets in every association of the first role, whatever cluster, namespace and service account"+condition(reach.AnyPod), finding.Medium
	default:
		says, s = "low, because its trust policy lets in this role for certain associations only"+condition(entry), finding.Low
	}
	if first, _ := all.Role(a.RoleARN); first != nil && !entry.Not() {
		policies, request := all.RolePolicies(first), iam.Request{Principal: iam.RoleSession(first.ARN, ""), Action: "sts:AssumeRole", Resource: a.TargetRoleARN}
		if iam.EvaluateIdentity(policies, request).Verdict == iam.Denied {
			by := "the service control policies of its account"
			if policies.SCP = nil; iam.EvaluateIdentity(policies, request).Verdict == iam.Denied {
				by = "the first role's policies"
			}
			says += "; but " + by + " do not allow it to assume the target"
			evidence = append(evidence, all.IAMRole(first).Copied()...)
		}
	}
	if !reach.Tagging.Not() && reach.Anybody.Not() {
		evidence = append(evidence, finding.Evidence{
			Text:   "sts:TagSession is open to every principal of account " + p.Cluster.Account + ", which alone lets nobody in",
			Source: role.Subject().String() + " AssumeRolePolicyDocument",
		})
	}
	return says, s, evidence
}

func targetTrustStatement(c *access.Cluster, a *model.PodIdentityAssociation) string {
	action, condition := `"sts:AssumeRole"`, fmt.Sprintf(`"sts:ExternalId": %q`, c.ExternalID(a))
	if !a.DisableSessionTags {
		action = `["sts:AssumeRole", "sts:TagSession"]`
		condition = fmt.Sprintf("\"aws:RequestTag/eks-cluster-arn\": %q,\n  \"aws:RequestTag/kubernetes-namespace\": %q,\n  \"aws:RequestTag/kubernetes-service-account\": %q",
			c.ARN, a.Namespace, a.ServiceAccount)
	}
	return fmt.Sprintf("{\"Effect\": \"Allow\", \"Principal\": {\"AWS\": %q}, \"Action\": %s,\n \"Condition\": {\"StringEquals\": {\n  %s}}}", a.RoleARN, action, condition)
}
