package checks

import (
	"slices"
	"strings"
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
			switch {
			case presence == access.Unread:
				elsewhere++
			case presence == access.Absent:
				r := p.Report(e, "%s does not exist any more; its entry does nothing but hide that", e.PrincipalARN).
					Because(e, "principalArn", "%s", e.PrincipalARN).
					Evidence("iam:GetAccountAuthorizationDetails", "no role or user of that ARN in the account")
				deleteEntry(r, p, e)
			case created.After(e.Created) && !e.Created.IsZero():
				r := p.Report(e, "%s was recreated after its entry was made; the entry is bound to the one that was deleted and is dead", e.PrincipalARN).
					Because(e, "createdAt", "%s", e.Created.Format(time.RFC3339)).
					Evidence(e.PrincipalARN+" CreateDate", "%s", created.Format(time.RFC3339)).
					Fix("# if the new principal should have access, delete the entry and create it again")
				if rows, known := rowsOf(p, e.PrincipalARN); known && len(rows) == 0 {
					r.Plan(plan.DeleteAccessEntry{Cluster: p.Cluster.ID(), PrincipalARN: e.PrincipalARN})
				} else { // the row lets the new one in, which may be what was meant
					r.Fix(plan.Command(plan.DeleteAccessEntry{Cluster: p.Cluster.ID(), PrincipalARN: e.PrincipalARN}))
				}
			}
		}
		if elsewhere > 0 {
			p.NotAssessed("principals of %s belong to accounts that were not read", check.Count(elsewhere, "access entry"))
		}
	},
}

// deleteEntry proposes to delete an access entry so that its principal has no way in any more: rows of aws-auth, which the entry
// goes before, would count again, so they go first. Where they were not read there is no plan, only the command.
func deleteEntry(r *check.Report, p *check.Pass, e *model.AccessEntry) {
	remove := plan.DeleteAccessEntry{Cluster: p.Cluster.ID(), PrincipalARN: e.PrincipalARN}
	rows, known := rowsOf(p, e.PrincipalARN)
	if !known {
		r.Fix("# first look for what aws-auth says of the same principal: it would count again").Fix(plan.Command(remove))
		return
	}
	if len(rows) > 0 {
		r.Fix("# the entry goes before the principal's row in aws-auth, which would count again: take that out first")
	}
	r.Plan(append(rows, remove)...)
}

// rowsOf are the changes that take all rows of a principal out of aws-auth, the last one first, so that none comes to count
// because another went. known is false where rows were not read, or the whole account of the principal is let in.
func rowsOf(p *check.Pass, principal string) (rows []plan.Change, known bool) {
	if !p.Access.ReadsAWSAuth() {
		return nil, true
	}
	parsed := p.Access.ParsedAWSAuth()
	if !p.Access.Complete(model.AreaAWSAuth) || parsed != nil && parsed.Unread != "" {
		return nil, false
	}
	arn, err := iam.ParseARN(principal)
	if parsed == nil || err != nil {
		return nil, err == nil
	}
	for _, a := range parsed.Accounts {
		if a.Valid && a.ID == arn.Account {
			return nil, false
		}
	}
	for _, m := range slices.Backward(p.Access.Mappings()) {
		if strings.EqualFold(m.Read.ARN, arn.Canonical().String()) || strings.EqualFold(m.Read.ARN, principal) {
			rows = append(rows, removeRow(p, m))
		}
	}
	return rows, true
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
