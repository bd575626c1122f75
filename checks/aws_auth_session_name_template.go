package checks

import (
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
		for _, m := range awsAuthRows(p) {
			if !m.CanMap() || nodeUsername(m.Read.Username) {
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
			if authenticator.CallerChoosesUsername(m.Read.Username, m.Read.ARN) {
				p.Report(m, "sessions of %s choose their Kubernetes username through their session name: %s (medium: which usernames are bound decides what it gives)", m.Read.ARN, m.Read.Username).
					Severity(finding.Medium).
					Because(p.Cluster.AWSAuth, "data."+m.Kind.Block(), "line %d: username %s", m.Line, m.Read.Username).
					Fix("# keep the role in the name: \"ROLE:{{SessionName}}\" is not enough if others are bound by that prefix").Fix(edit).
					Key(m.Key() + " username")
			}
		}
	},
}

// nodeUsername says whether a username is the one that EKS gives nodes; the instance's or the Fargate pod's name is then
// in it, and the node authorizer decides.
func nodeUsername(s string) bool {
	return s == "system:node:{{EC2PrivateDNSName}}" || s == "system:node:{{SessionName}}"
}
