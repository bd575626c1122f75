package checks

import (
	"time"

	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var clusterCreatorAdmin = &check.Check{
	ID:         "cluster-creator-admin",
	Title:      "Whoever created the cluster is its admin",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaCluster, model.AreaAccessEntries, model.AreaPolicyAssociations},
	Techniques: []string{"T1078.004"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		c, d := p.Cluster, p.Cluster.Description
		if d == nil {
			return
		}
		if d.AuthenticationMode == model.ModeConfigMap {
			p.Report(c, "the principal that created the cluster is a member of system:masters, is shown nowhere and cannot be removed (high for that reason)").
				Severity(finding.High).
				Because(c, "accessConfig.authenticationMode", "CONFIG_MAP, in which the creator's power cannot be seen or taken away").
				Fix("# who it was: the CreateCluster record in CloudTrail, if it is still kept").
				Fix("# with access entries on, EKS shows an entry for the creator, which can be deleted").
				Fix(plan.Command(plan.SetAuthenticationMode{Cluster: c.ID(), Mode: model.ModeAPIConfigMap}))
			return
		}
		if d.BootstrapAdmin != nil && !*d.BootstrapAdmin {
			return
		}
		admins := clusterWideAdmins(p)
		for _, e := range c.AccessEntries {
			for _, a := range p.Access.PolicyAssociationsOf(e.PrincipalARN) {
				if !isClusterWideAdmin(a) || !madeWith(d.Created, e.Created) {
					continue
				}
				r := p.Report(e, "%s is cluster admin through an entry made with the cluster, as EKS makes one for whoever creates it", e.PrincipalARN).
					Because(c, "accessConfig.bootstrapClusterCreatorAdminPermissions", "true, or not told").
					Because(e, "createdAt", "%s; the cluster was created at %s", e.Created.Format(time.RFC3339), d.Created.Format(time.RFC3339)).
					Because(e, "associatedAccessPolicies", "%s with access scope cluster", a.PolicyARN).
					Key(a.PolicyARN)
				if otherAdmins(admins, e) {
					r.Fix("# make sure that those who are admin besides are the right ones, then delete the entry")
					deleteEntry(r, p, e)
				} else {
					r.Fix("# make somebody else admin, then delete the entry").
						Fix(plan.Command(plan.DeleteAccessEntry{Cluster: c.ID(), PrincipalARN: e.PrincipalARN}))
				}
			}
		}
	},
}

// clusterWideAdmins are the principals that access entries make admin of the whole cluster.
func clusterWideAdmins(p *check.Pass) map[string]bool {
	admins := map[string]bool{}
	for _, a := range p.Cluster.PolicyAssociations {
		if isClusterWideAdmin(a) {
			admins[a.PrincipalARN] = true
		}
	}
	return admins
}

// otherAdmins says whether somebody besides an entry's principal is admin: else nobody could put back what is taken away.
func otherAdmins(admins map[string]bool, e *model.AccessEntry) bool {
	return len(admins) > 1 || len(admins) == 1 && !admins[e.PrincipalARN]
}

func isClusterWideAdmin(a *model.PolicyAssociation) bool {
	return a.PolicyName() == "AmazonEKSClusterAdminPolicy" && a.Scope.Type == model.ScopeCluster
}

// madeWith says whether an entry was made while the cluster was being created, which takes EKS well under an hour.
func madeWith(cluster, entry time.Time) bool {
	return !cluster.IsZero() && !entry.IsZero() && entry.Sub(cluster).Abs() < time.Hour
}
