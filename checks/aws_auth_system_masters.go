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
			if !m.CanMap() || p.Access.EntryOf(m) != nil {
				continue // aws-auth-ineffective and aws-auth-shadowed-by-access-entry speak of such rows
			}
			if slices.Contains(m.Read.Groups, rbac.GroupMasters) {
				p.Report(m, "%s is a member of system:masters, which no RBAC limits and nothing but this row can take away", m.Read.ARN).
					Because(p.Cluster.AWSAuth, m.Kind.Block(), "line %d: groups %s", m.Line, strings.Join(m.Read.Groups, ", ")).
					Fix(entryFor(p, m)).
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

// entryFor is how to make the access entry that can take a row's place: with the ARN and path of the principal that is
// there, and after access entries are on.
func entryFor(p *check.Pass, m *access.Mapping) string {
	arn, found := p.Access.PrincipalARN(m)
	text := "# make an access entry with what is needed, then take the row out"
	if !found {
		text += "\n# the principal was not found: an entry needs its ARN with the path, if it has one"
	}
	if p.Cluster.AuthenticationMode() == model.ModeConfigMap {
		text += "\n" + check.Shell("aws", "eks", "update-cluster-config", "--name", p.Cluster.Name, "--region", p.Cluster.Region, "--access-config", "authenticationMode=API_AND_CONFIG_MAP")
	}
	return text + "\n" + check.Shell("aws", "eks", "create-access-entry", "--cluster-name", p.Cluster.Name, "--region", p.Cluster.Region, "--principal-arn", arn)
}
