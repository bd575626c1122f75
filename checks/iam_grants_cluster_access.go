package checks

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var iamGrantsClusterAccess = &check.Check{
	ID:       "iam-grants-cluster-access",
	Title:    "IAM principal can give itself the cluster",
	Severity: finding.High,
	Needs: []model.Area{
		model.AreaCluster, model.AreaAccessEntries, model.AreaPolicyAssociations, model.AreaAWSAuth, model.AreaIdentityProviders, model.AreaAddons,
		model.AreaInstances, model.AreaClusterRoles, model.AreaClusterRoleBindings, model.AreaIAMRoles, model.AreaIAMUsers, model.AreaIAMGroups, model.AreaIAMPolicies,
	},
	Techniques: []string{"T1098.003", "T1098.006"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		takeovers := p.Access.Takeovers()
		principals := &accountPrincipals{pass: p}
		for _, who := range p.Access.Access().IAMPrincipals(p.Account) {
			ways := takeovers.Of(who)
			if principals.note(who, len(ways) > 0) || len(ways) == 0 {
				continue
			}
			reportTakeover(p, who, ways, takeovers.Mapped(who))
		}
		principals.report("can give themselves the cluster", "iam:* and eks:* are enough to make an access entry, or to become somebody whom the cluster lets in")
	},
}

// accountPrincipals gathers what is said once for all principals of an account: who is an administrator and thereby can do
// anything, and whose policies are not known.
type accountPrincipals struct {
	pass           *check.Pass
	administrators []*access.IAMPrincipal
	unread         []string
}

// note says whether a principal is an administrator, of whom no more needs to be said.
func (a *accountPrincipals) note(p *access.IAMPrincipal, able bool) bool {
	if len(p.Unread) > 0 {
		a.unread = append(a.unread, p.Object.Subject().String())
	}
	if able && p.Administrator().Answer == access.Yes {
		a.administrators = append(a.administrators, p)
		return true
	}
	return false
}

// report reports administrators together, about the cluster: that they can is no news, only how many they are.
func (a *accountPrincipals) report(can, why string) {
	if n := len(a.administrators); n > 0 {
		names := make([]string, n)
		for i, p := range a.administrators {
			names[i] = p.Object.Subject().String()
		}
		r := a.pass.Report(a.pass.Cluster, "administrators of the account %s, as administrators can (hence low): %s", can, check.Some(names, 3)).
			Severity(finding.Low).Key("administrators").Evidence("administrators", "%s", why)
		for i, p := range a.administrators {
			if i == 20 {
				r.Evidence("and more", "%d more administrators", n-i)
				break
			}
			r.Chain(p.Administrator().Why)
		}
		r.Fix("# keep few administrators; service control policies bind them too: deny eks:CreateAccessEntry, eks:AssociateAccessPolicy,").
			Fix("# eks:UpdateAccessEntry and eks:CreatePodIdentityAssociation to all but one break-glass role")
	}
	if len(a.unread) > 0 {
		a.pass.NotAssessed("policies that are not in the snapshot or not understood count for %s", check.Some(a.unread, 3))
	}
}

func reportTakeover(p *check.Pass, who *access.IAMPrincipal, ways []access.Takeover, mapped []finding.Evidence) {
	best := slices.MaxFunc(ways, func(a, b access.Takeover) int { return takeoverSeverity(a).Rank() - takeoverSeverity(b).Rank() })
	severity := takeoverSeverity(best)
	text := takeoverText(best)
	if len(ways) > 1 {
		text += fmt.Sprintf(" (ways in all: %d)", len(ways))
	}
	if mapped != nil {
		text += "; the cluster lets it in with strong powers already"
		severity = finding.Low
	}
	name := strings.ToLower(strings.TrimPrefix(who.Object.Subject().Kind, "IAM")) + " " + who.Object.Subject().Name
	if own := p.Access.ServiceOwned(who.ARN); own != "" {
		name += ", " + own + ","
	}
	r := p.Report(who.Object, "%s %s", name, text).Severity(severity)
	var statements []finding.Evidence
	for _, w := range ways {
		r.Evidence("way "+w.ID, "%s", takeoverText(w))
		for _, why := range w.Why {
			if !slices.Contains(statements, why) {
				statements = append(statements, why)
			}
		}
	}
	r.Chain(statements).Chain(mapped)
	if who.Boundary != "" {
		r.Because(who.Object, "permissionsBoundary", "%s", who.Boundary)
	}
	fixTakeover(r, p, who, ways)
}

// takeoverText is a way as a sentence goes on: "can …", or "may …" with the conditions.
func takeoverText(w access.Takeover) string {
	text := "can " + w.Title
	if w.Answer == access.Maybe {
		text = "may " + w.Title + ", which the snapshot does not decide: " + check.Some(w.If, 3)
	}
	if w.Short != "" {
		text += "; " + w.Short
	}
	return text
}

// takeoverSeverity is a step lower for what conditions decide, and for what is not the whole cluster.
func takeoverSeverity(w access.Takeover) finding.Severity {
	switch {
	case w.Answer == access.Yes && w.Short == "":
		return finding.High
	case w.Answer == access.Yes, w.Short == "":
		return finding.Medium
	}
	return finding.Low
}

// takeoverActions are the actions to deny for each way.
var takeoverActions = map[string][]string{
	"access-entry":       {"eks:CreateAccessEntry", "eks:AssociateAccessPolicy", "eks:UpdateAccessEntry"},
	"own-entry":          {"eks:AssociateAccessPolicy", "eks:UpdateAccessEntry"},
	"others-entry":       {"eks:AssociateAccessPolicy", "eks:UpdateAccessEntry"},
	"access-entry-group": {"eks:CreateAccessEntry", "eks:UpdateAccessEntry"},
	"own-entry-group":    {"eks:UpdateAccessEntry"},
	"identity-provider":  {"eks:AssociateIdentityProviderConfig"},
	"capability":         {"eks:CreateCapability"},
	"addon":              {"eks:CreateAddon", "eks:UpdateAddon"},
	"nodegroup":          {"eks:CreateNodegroup"},
	"node-entry":         {"eks:CreateAccessEntry"},
}

// fixTakeover denies what concerns this cluster. What goes through other principals is to be narrowed by hand.
func fixTakeover(r *check.Report, p *check.Pass, who *access.IAMPrincipal, ways []access.Takeover) {
	var deny []string
	for _, w := range ways {
		if takeoverActions[w.ID] == nil {
			r.Fix("# narrow the statements by which it can " + plan.Shell(w.Title))
		}
		deny = append(deny, takeoverActions[w.ID]...)
	}
	if len(deny) == 0 {
		return
	}
	slices.Sort(deny)
	c := p.Cluster
	sub := "arn:" + c.Partition + ":eks:" + c.Region + ":" + c.Account + ":"
	document, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": map[string]any{
		"Effect": "Deny", "Action": slices.Compact(deny), "Resource": []string{c.ARN, sub + "access-entry/" + c.Name + "/*", sub + "addon/" + c.Name + "/*"},
	}})
	if err != nil {
		return
	}
	kind := strings.ToLower(strings.TrimPrefix(who.Object.Subject().Kind, "IAM"))
	r.Fix("# take the actions out of its policies, or deny them for this cluster").
		Fix(plan.Shell("aws", "iam", "put-"+kind+"-policy", "--"+kind+"-name", who.Object.Subject().Name, "--policy-name", "no-cluster-access-"+c.Name, "--policy-document", string(document)))
}
