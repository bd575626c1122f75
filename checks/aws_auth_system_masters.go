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
		for _, m := range p.Access.Mappings() {
			if !m.CanMap() {
				continue // aws-auth-ineffective speaks of rows that map nobody
			}
			if slices.Contains(m.Read.Groups, rbac.GroupMasters) {
				p.Report(m, "%s is a member of system:masters, which no RBAC limits and nothing but this row can take away", m.Read.ARN).
					Because(p.Cluster.AWSAuth, m.Kind.Block(), "line %d: groups %s", m.Line, strings.Join(m.Read.Groups, ", ")).
					Fix("# make an access entry with what is needed, then take the row out").
					Fix(check.Shell("aws", "eks", "create-access-entry", "--cluster-name", p.Cluster.Name, "--region", p.Cluster.Region, "--principal-arn", m.Read.ARN)).
					Fix("kubectl edit configmap -n kube-system aws-auth").
					Key(m.Key())
				continue
			}
			powers, _ := p.Access.PowersOf(rbac.Holder{Groups: m.Read.Groups})
			i := slices.IndexFunc(powers, func(h access.HeldPower) bool { return h.Power.ID == "everything" && h.Namespace == "" })
			if i < 0 {
				continue
			}
			p.Report(m, "%s can do everything in the whole cluster, through RBAC for its groups %s", m.Read.ARN, strings.Join(m.Read.Groups, ", ")).
				Because(p.Cluster.AWSAuth, m.Kind.Block(), "line %d: groups %s", m.Line, strings.Join(m.Read.Groups, ", ")).
				Chain(powers[i].Chain).
				Fix("# bind the group to what is needed, or take the row out").
				Fix("kubectl edit configmap -n kube-system aws-auth").
				Key(m.Key())
		}
	},
}
