package checks

import (
	"slices"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var accessEntrySessionNameTemplate = &check.Check{
	ID:         "access-entry-session-name-template",
	Title:      "Whoever takes the role chooses its group or username",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaAccessEntries},
	Techniques: []string{"T1078.004", "T1134"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, e := range p.Cluster.AccessEntries {
			if e.IsNode() {
				continue // EKS sets and fixes usernames of nodes
			}
			for _, g := range e.Groups {
				if authenticator.CallerChoosesGroup(g, e.PrincipalARN) {
					p.Report(e, "sessions of %s choose their Kubernetes group through their session name: %s", e.PrincipalARN, g).
						Because(e, "kubernetesGroups", "%s", g).
						Fix("# name groups in full; updating replaces the whole list, and this keeps the others").
						Fix(plan.Shell(append([]string{
							"aws", "eks", "update-access-entry", "--cluster-name", p.Cluster.Name, "--region", p.Cluster.Region,
							"--principal-arn", e.PrincipalARN, "--kubernetes-groups",
						}, append(fixedGroups(e), "GROUP")...)...)).
						Key("group " + g)
				}
			}
			if authenticator.CallerChoosesUsername(e.Username, e.PrincipalARN) {
				p.Report(e, "sessions of %s choose their Kubernetes username through their session name: %s (medium: which usernames are bound decides what it gives)", e.PrincipalARN, e.Username).
					Severity(finding.Medium).
					Because(e, "username", "%s", e.Username).
					Fix("# AWS's own default keeps the role in the name: arn:aws:sts::ACCOUNT:assumed-role/ROLE/{{SessionName}}").
					Fix(plan.Shell("aws", "eks", "update-access-entry", "--cluster-name", p.Cluster.Name, "--region", p.Cluster.Region,
						"--principal-arn", e.PrincipalARN, "--username", "USERNAME")).
					Key("username")
			}
		}
	},
}

// fixedGroups are the groups of an access entry that no caller chooses.
func fixedGroups(e *model.AccessEntry) []string {
	return slices.DeleteFunc(slices.Clone(e.Groups), func(g string) bool { return authenticator.CallerChoosesGroup(g, e.PrincipalARN) })
}
