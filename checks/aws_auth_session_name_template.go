package checks

import (
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/authenticator"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

var awsAuthSessionNameTemplate = &check.Check{
	ID:         "aws-auth-session-name-template",
	Title:      "aws-auth lets the caller choose a group or username",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaCluster, model.AreaAWSAuth},
	Techniques: []string{"T1078.004", "T1134"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		fargate := map[string]bool{}
		for _, profile := range p.Cluster.FargateProfiles {
			if bare, err := authenticator.StripPath(profile.ExecutionRoleARN); err == nil {
				fargate[strings.ToLower(bare)] = true
			}
		}
		for _, m := range awsAuthRows(p) {
			if !m.CanMap() {
				continue
			}
			edit := "kubectl edit configmap -n kube-system aws-auth"
			for _, g := range m.Read.Groups {
				if authenticator.CallerChoosesGroup(g, m.Read.ARN) {
					p.Report(m, "sessions of %s choose their Kubernetes group through their session name: %s", m.Read.ARN, g).
						Because(p.Cluster.AWSAuth, "data."+m.Kind.Block(), "line %d: group %s", m.Line, g).
						Fix("# name groups in full").Fix(edit).
						Key(m.Key() + " group " + g)
				}
			}
			if authenticator.CallerChoosesUsername(m.Read.Username, m.Read.ARN) && !namesNode(p, m, fargate) {
				p.Report(m, "sessions of %s choose their Kubernetes username through their session name: %s (medium: which usernames are bound decides what it gives)", m.Read.ARN, m.Read.Username).
					Severity(finding.Medium).
					Because(p.Cluster.AWSAuth, "data."+m.Kind.Block(), "line %d: username %s", m.Line, m.Read.Username).
					Fix("# keep the role in the name: \"ROLE:{{SessionName}}\" is not enough if others are bound by that prefix").Fix(edit).
					Key(m.Key() + " username")
			}
		}
	},
}

// namesNode says whether a row's username is the one that EKS gives the nodes of Fargate, whose session names nobody
// chooses. For another role the same username lets the caller be any node; machines outside of AWS have it too, and which
// roles those take is not known.
func namesNode(p *check.Pass, m *access.Mapping, fargate map[string]bool) bool {
	switch {
	case m.Read.Username != "system:node:{{SessionName}}":
		return false
	case fargate[strings.ToLower(m.Read.ARN)]:
		return true
	case !p.Access.Complete(model.AreaFargateProfiles):
		p.NotAssessed("whether %s is the role of Fargate pods, as its username says, was not read", m.Read.ARN)
		return true
	case p.Cluster.Description != nil && p.Cluster.Description.HybridNodes:
		p.NotAssessed("whether %s is the role of hybrid nodes, as its username says, cannot be read", m.Read.ARN)
		return true
	}
	return false
}
