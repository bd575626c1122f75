package checks

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var irsaPodIdentityCandidate = &check.Check{
	ID:       "irsa-pod-identity-candidate",
	Title:    "Service account could move from IRSA to Pod Identity",
	Severity: finding.Informational,
	Needs: []model.Area{
		model.AreaCluster, model.AreaServiceAccounts, model.AreaWorkloads, model.AreaPods, model.AreaNodes, model.AreaFargateProfiles, model.AreaIAMRoles,
	},
	NeedsComplete: []model.Area{model.AreaPodIdentityAssociations},
	Since:         "0.1",
	Run: func(p *check.Pass) {
		units := map[[2]string][]*access.Unit{}
		for _, u := range p.Access.Units() {
			name := [2]string{u.Namespace, u.ServiceAccount()}
			units[name] = append(units[name], u)
		}
		agent := agentState(p)
		for _, sa := range p.Cluster.ServiceAccounts {
			role := access.IRSARole(sa)
			parsed, err := iam.ParseARN(role)
			if err != nil || !parsed.IsRole() || p.Access.Association(sa.Namespace, sa.Name) != nil {
				continue
			}
			blocks := migrationBlocks(p, sa, parsed, units[[2]string{sa.Namespace, sa.Name}])
			if agent != "" {
				blocks = append(blocks, agent)
			}
			reportCandidate(p, sa, parsed, blocks)
		}
	},
}

// agentState says why no agent would answer, or "".
func agentState(p *check.Pass) string {
	if d := p.Cluster.Description; d != nil && d.AutoMode || len(p.Access.Agents()) > 0 {
		return ""
	}
	if !p.Access.Complete(model.AreaWorkloads) {
		return "whether the Pod Identity agent runs was not read"
	}
	return "the Pod Identity agent is not installed"
}

// migrationBlocks says what stands in the way of Pod Identity for a service account (EKS User Guide, "Learn how EKS Pod
// Identity grants pods access to AWS services", 2026-11).
func migrationBlocks(p *check.Pass, sa *model.ServiceAccount, role iam.ARN, units []*access.Unit) []string {
	var blocks []string
	for _, u := range units {
		name := u.Object.Subject().Name
		if why := unsupportedUnit(p.Access, u); why != "" {
			blocks = append(blocks, fmt.Sprintf("%s runs on %s", name, why))
		}
		if by := access.OptedOut(u.Labels, u.Annotations); by != "" {
			blocks = append(blocks, fmt.Sprintf("%s keeps the webhook away (%s)", name, by))
		}
	}
	if role.Account != p.Cluster.Account {
		blocks = append(blocks, "the role is of account "+role.Account+": Pod Identity needs a role of the cluster's account, with this one as the target role")
	}
	if a := sa.Annotations[access.AudienceAnnotation]; a != "" && a != access.IRSAAudience {
		blocks = append(blocks, "its tokens are made out for "+a+", which something else may rely on")
	}
	return blocks
}

func reportCandidate(p *check.Pass, sa *model.ServiceAccount, role iam.ARN, blocks []string) {
	var r *check.Report
	if len(blocks) == 0 {
		r = p.Report(sa, "%s/%s can move from IRSA to Pod Identity with %s: nothing that was read blocks it; versions of AWS SDKs cannot be seen", sa.Namespace, sa.Name, role)
	} else {
		r = p.Report(sa, "%s/%s uses IRSA with %s and cannot move to Pod Identity yet: %s", sa.Namespace, sa.Name, role, check.Some(blocks, 4))
	}
	r.Because(sa, "metadata.annotations", "%s: %s", access.RoleAnnotation, role)
	for _, b := range blocks[:min(len(blocks), 20)] {
		r.Because(sa, "", "%s", b)
	}
	found, _ := p.Access.Access().Role(role.String())
	if trust := p.Access.Access().Trust(found); trust != nil {
		if others := otherIssuers(trust, p.Access.Issuer()); len(others) > 0 {
			r.Because(found, "AssumeRolePolicyDocument", "trusts %s as well: leave those statements as they are", check.Some(others, 3))
		}
	}
	if role.Account != p.Cluster.Account {
		r.Fix("# make a role in account " + plan.Shell(p.Cluster.Account) + " that may assume this one, and associate it with this one as its target")
		return
	}
	r.Fix("# 1. add to the trust policy, and keep the statement for IRSA until the end").
		Fix(podIdentityTrustStatement(p.Cluster.ARN, []*model.PodIdentityAssociation{{Namespace: sa.Namespace, ServiceAccount: sa.Name}})).
		Fix("# 2. associate, then restart the workloads").
		Fix(plan.Command(plan.CreatePodIdentityAssociation{Cluster: p.Cluster.ID(), Namespace: sa.Namespace, ServiceAccount: sa.Name, RoleARN: role.String()})).
		Fix("# 3. see AssumeRole by pods.eks.amazonaws.com in CloudTrail, then take away annotation and IRSA statement").
		Fix(plan.Command(plan.UnannotateServiceAccount{Cluster: p.Cluster.ID(), Namespace: sa.Namespace, Name: sa.Name, Key: access.RoleAnnotation}))
}

// otherIssuers are the OIDC providers besides the cluster's own that a role trusts.
func otherIssuers(t *access.Trust, issuer string) []string {
	return slices.DeleteFunc(t.Providers(), func(provider string) bool { return issuer != "" && strings.HasSuffix(provider, "/"+issuer) })
}
