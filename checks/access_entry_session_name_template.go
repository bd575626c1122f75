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
						Fix("# updating replaces the whole list: this keeps the groups that are named in full; add those that were meant").
						Plan(plan.UpdateAccessEntry{Cluster: p.Cluster.ID(), PrincipalARN: e.PrincipalARN, Groups: fixedGroups(e)}).
						Key("group " + g)
				}
			}
			if authenticator.CallerChoosesUsername(e.Username, e.PrincipalARN) {
				r := p.Report(e, "sessions of %s choose their Kubernetes username through their session name: %s (medium: which usernames are bound decides what it gives)", e.PrincipalARN, e.Username).
					Severity(finding.Medium).
					Because(e, "username", "%s", e.Username).
					Key("username")
				if username, ok := authenticator.DefaultUsername(e.Type, e.PrincipalARN); ok {
					r.Fix("# AWS's own default keeps the role in the name; bindings of the old usernames do not count for it").
						Plan(plan.UpdateAccessEntry{Cluster: p.Cluster.ID(), PrincipalARN: e.PrincipalARN, Username: username})
				} else {
					r.Fix("# give it a username of its own").
						Fix(plan.Command(plan.UpdateAccessEntry{Cluster: p.Cluster.ID(), PrincipalARN: e.PrincipalARN, Username: "USERNAME"}))
				}
			}
		}
	},
}

// fixedGroups are the groups of an access entry that no caller chooses.
func fixedGroups(e *model.AccessEntry) []string {
	return slices.DeleteFunc(append([]string{}, e.Groups...), func(g string) bool { return authenticator.CallerChoosesGroup(g, e.PrincipalARN) })
}
