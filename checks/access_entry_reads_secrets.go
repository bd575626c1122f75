package checks

import (
	"slices"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var accessEntryReadsSecrets = &check.Check{
	ID:         "access-entry-reads-secrets",
	Title:      "Access entry reaches Secrets",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaAccessEntries, model.AreaPolicyAssociations, model.AreaCluster},
	Techniques: []string{"T1552.007"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, e := range p.Cluster.AccessEntries {
			for _, a := range p.Access.PolicyAssociationsOf(e.PrincipalARN) {
				if isClusterWideAdmin(a) {
					continue // access-entry-cluster-admin speaks of that
				}
				powers, known := p.Access.PowersOfAssociation(a)
				if !known {
					reportMayReachSecrets(p, e, a)
					continue
				}
				reportReachesSecrets(p, e, a, powers)
			}
		}
	},
}

func reportReachesSecrets(p *check.Pass, e *model.AccessEntry, a *model.PolicyAssociation, powers []access.HeldPower) {
	var secrets, kubelets, exec *access.HeldPower
	for i := range powers {
		switch powers[i].Power.ID {
		case "read-secrets":
			secrets = &powers[i]
		case "reach-kubelets":
			kubelets = &powers[i]
		case "enter-pods":
			exec = &powers[i]
		}
	}
	if secrets == nil {
		return
	}
	more := ""
	if a.PolicyName() == "AmazonEKSAdminViewPolicy" {
		switch {
		case kubelets != nil && exec != nil:
			more = "; it only looks read-only: in this version of Kubernetes get is enough to run commands in pods, also through nodes/proxy"
		case kubelets != nil:
			more = "; it only looks read-only: get on nodes/proxy is enough to run commands in any pod through the kubelets"
		case exec != nil:
			more = "; it only looks read-only: in this version of Kubernetes get is enough to run commands in pods"
		}
	}
	severity, why := finding.High, ""
	if a.Scope.Type != model.ScopeCluster && !a.Scope.Covers("kube-system") {
		severity, why = finding.Medium, " (medium: in these namespaces only)"
	}
	r := p.Report(e, "%s reads Secrets on %s through %s%s%s", e.PrincipalARN, a.Scope, a.PolicyName(), why, more).
		Severity(severity).
		Chain(secrets.Chain).
		Fix("# where Secrets are not needed: AmazonEKSViewPolicy, or a group of your own bound to what is needed").
		Key(a.PolicyARN)
	view := plan.AssociateAccessPolicy{Cluster: p.Cluster.ID(), PrincipalARN: e.PrincipalARN, PolicyARN: accessPolicyARN(p, "AmazonEKSViewPolicy"), Scope: a.Scope}
	if a.PolicyName() == "AmazonEKSAdminViewPolicy" && !hasPolicy(p, e, view.PolicyARN) { // AmazonEKSViewPolicy is the part of it without Secrets
		r.Plan(view, disassociate(p, e, a))
		return
	}
	r.Fix(plan.Command(view)).Fix(plan.Command(disassociate(p, e, a)))
}

func hasPolicy(p *check.Pass, e *model.AccessEntry, policy string) bool {
	return slices.ContainsFunc(p.Access.PolicyAssociationsOf(e.PrincipalARN), func(a *model.PolicyAssociation) bool { return a.PolicyARN == policy })
}

// reportMayReachSecrets says what cannot be told: AWS describes the policy in words or not at all.
func reportMayReachSecrets(p *check.Pass, e *model.AccessEntry, a *model.PolicyAssociation) {
	if awsOwn(p, e, a) {
		return
	}
	p.Report(e, "%s may reach Secrets on %s: AWS does not publish the rules of %s (low: nothing more is known)", e.PrincipalARN, a.Scope, a.PolicyName()).
		Severity(finding.Low).
		Because(e, "associatedAccessPolicies", "%s on %s", a.PolicyARN, a.Scope).
		Fix("# ask the API server as that principal: kubectl auth can-i get secrets -n NAMESPACE").
		Fix(plan.Command(disassociate(p, e, a))).
		Key(a.PolicyARN)
}

// awsOwn says whether an access policy stands where EKS itself puts it or asks for it: on the entry of a service-linked or
// capability role, or on that of Auto Mode nodes.
func awsOwn(p *check.Pass, e *model.AccessEntry, a *model.PolicyAssociation) bool {
	return p.Access.ServiceOwned(e.PrincipalARN) != "" || e.Type == model.EntryEC2 && a.PolicyName() == "AmazonEKSAutoNodePolicy"
}

func disassociate(p *check.Pass, e *model.AccessEntry, a *model.PolicyAssociation) plan.Change {
	return plan.DisassociateAccessPolicy{Cluster: p.Cluster.ID(), PrincipalARN: e.PrincipalARN, PolicyARN: a.PolicyARN}
}
