package checks

import (
	"time"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var accessEntryGhostPrincipal = &check.Check{
	ID:            "access-entry-ghost-principal",
	Title:         "Access entry of a principal that is gone",
	Severity:      finding.Low,
	Needs:         []model.Area{model.AreaAccessEntries},
	NeedsComplete: []model.Area{model.AreaIAMRoles, model.AreaIAMUsers},
	Techniques:    []string{"T1078.004"},
	Since:         "0.1",
	Run: func(p *check.Pass) {
		elsewhere := 0
		for _, e := range p.Cluster.AccessEntries {
			created, presence := principalCreated(p, e.PrincipalARN)
			remove := plan.Shell("aws", "eks", "delete-access-entry", "--cluster-name", p.Cluster.Name, "--region", p.Cluster.Region, "--principal-arn", e.PrincipalARN)
			switch {
			case presence == access.Unread:
				elsewhere++
			case presence == access.Absent:
				p.Report(e, "%s does not exist any more; its entry does nothing but hide that", e.PrincipalARN).
					Because(e, "principalArn", "%s", e.PrincipalARN).
					Evidence("iam:GetAccountAuthorizationDetails", "no role or user of that ARN in the account").
					Fix("# first look for a row of aws-auth for the same principal: it would take over").
					Fix(remove)
			case created.After(e.Created) && !e.Created.IsZero():
				p.Report(e, "%s was recreated after its entry was made; the entry is bound to the one that was deleted and is dead", e.PrincipalARN).
					Because(e, "createdAt", "%s", e.Created.Format(time.RFC3339)).
					Evidence(e.PrincipalARN+" CreateDate", "%s", created.Format(time.RFC3339)).
					Fix("# if the new principal should have access, delete the entry and create it again").
					Fix(remove)
			}
		}
		if elsewhere > 0 {
			p.NotAssessed("principals of %s belong to accounts that were not read", check.Count(elsewhere, "access entry"))
		}
	},
}

// principalCreated says when an IAM principal was created, and whether it is there.
func principalCreated(p *check.Pass, arn string) (time.Time, access.Presence) {
	all := p.Access.Access()
	if parsed, err := iam.ParseARN(arn); err == nil && parsed.IsUser() {
		u, presence := all.User(arn)
		if u == nil {
			return time.Time{}, presence
		}
		return u.Created, presence
	}
	r, presence := all.Role(arn)
	if r == nil {
		return time.Time{}, presence
	}
	return r.Created, presence
}
