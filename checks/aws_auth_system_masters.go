package checks

import (
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

var awsAuthSystemMasters = &check.Check{
	ID:         "aws-auth-system-masters",
	Title:      "Row of aws-auth makes a cluster admin",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaCluster, model.AreaAWSAuth, model.AreaClusterRoleBindings, model.AreaClusterRoles},
	Techniques: []string{"T1098.006"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, m := range awsAuthRows(p) {
			if !m.CanMap() || entryBefore(p, m) {
				continue // aws-auth-ineffective and aws-auth-shadowed-by-access-entry speak of such rows
			}
			fix := "# bind what is needed only, or take the row out"
			var r *check.Report
			if slices.Contains(m.Read.Groups, rbac.GroupMasters) {
				r = p.Report(m, "%s is a member of system:masters, which no RBAC limits and nothing but this row can take away", m.Read.ARN)
				fix = "# make an access entry with what is needed, then take the row out\n" + entryForRow(p, m.Row)
			} else {
				through, chain := doesEverything(p, m)
				if through == "" {
					continue
				}
				r = p.Report(m, "%s can do everything in the whole cluster, through RBAC for its %s", m.Read.ARN, through).Chain(chain)
			}
			r.Because(p.Cluster.AWSAuth, "data."+m.Kind.Block(), "line %d: username %s, groups %s", m.Line, orNobody(m.Read.Username), orNobody(strings.Join(m.Read.Groups, ", "))).
				Fix(fix).
				Fix("kubectl edit configmap -n kube-system aws-auth").
				Key(m.Key())
		}
	},
}

// doesEverything says through which of its groups or usernames a row may do everything in the cluster, or "". Usernames
// count like groups: in aws-auth even those of EKS's own components can be taken.
func doesEverything(p *check.Pass, m *access.Mapping) (through string, chain []finding.Evidence) {
	for i, h := range p.Access.MappingHolders(m) {
		powers, _ := p.Access.PowersOf(h)
		j := slices.IndexFunc(powers, func(h access.HeldPower) bool { return h.Power.ID == "everything" && h.Namespace == "" })
		if j < 0 {
			continue
		}
		through = "username " + h.User
		if i > 0 {
			through += ", which a session name of the caller's choice makes"
		}
		if groups, _ := p.Access.PowersOf(rbac.Holder{Groups: h.Groups}); slices.ContainsFunc(groups, func(h access.HeldPower) bool { return h.Power.ID == "everything" && h.Namespace == "" }) {
			through = "groups " + strings.Join(h.Groups, ", ")
		}
		return through, powers[j].Chain
	}
	return "", nil
}

// entryBefore says whether an access entry counts instead of a row.
func entryBefore(p *check.Pass, m *access.Mapping) bool {
	return p.Cluster.AuthenticationMode() != model.ModeConfigMap && p.Access.EntryOf(m) != nil
}

// awsAuthRows returns the rows of aws-auth that count, and says so where some could not be evaluated: what they give is
// then unknown, not nothing.
func awsAuthRows(p *check.Pass) []*access.Mapping {
	if parsed := p.Access.ParsedAWSAuth(); parsed != nil && parsed.Unread != "" && p.Access.ReadsAWSAuth() {
		p.NotAssessed("aws-auth: %s", parsed.Unread)
	}
	return p.Access.Mappings()
}
