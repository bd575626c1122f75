package checks

import (
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/internal/rbac"
)

var accessEntryGroupPrivileged = &check.Check{
	ID:         "access-entry-group-privileged",
	Title:      "Access entry takes strong RBAC through its groups or username",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaAccessEntries, model.AreaClusterRoleBindings, model.AreaRoleBindings, model.AreaClusterRoles, model.AreaRoles},
	Techniques: []string{"T1098.006"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, e := range p.Cluster.AccessEntries {
			if e.IsNode() || p.Access.ServiceOwned(e.PrincipalARN) != "" {
				continue
			}
			for i, holder := range p.Access.EntryHolders(e) {
				held, missing := p.Access.PowersOf(holder)
				if len(missing) > 0 && !(p.Access.Complete(model.AreaClusterRoles) && p.Access.Complete(model.AreaRoles)) {
					p.NotAssessed("roles that bindings of %s refer to were not read", e.PrincipalARN)
				}
				j := slices.IndexFunc(held, access.HeldPower.Strong)
				if j < 0 {
					continue
				}
				chosen := ""
				if i > 0 {
					chosen = holder.User
				}
				reportStrongEntry(p, e, holder, held[j], chosen)
				break // the strongest tells; the rest has the same remedy
			}
		}
	},
}

// reportStrongEntry reports what an access entry gives through RBAC. chosen is the username that a session name makes, if it
// is through one.
func reportStrongEntry(p *check.Pass, e *model.AccessEntry, holder rbac.Holder, h access.HeldPower, chosen string) {
	through := heldAs(e)
	if chosen != "" {
		through = "username " + chosen + ", which a session name of the caller's choice makes"
	}
	severity, why := finding.High, ""
	if h.Namespace != "" && !access.IsSystemNamespace(h.Namespace) {
		severity, why = finding.Medium, " (medium: in that namespace only)"
	}
	r := p.Report(e, "%s can %s %s, through RBAC for its %s%s", e.PrincipalARN, h.Power.Title, h.Where(), through, why).
		Severity(severity).
		Because(e, "kubernetesGroups", "%s", orNobody(strings.Join(e.Groups, ", "))).
		Because(e, "username", "%s", orNobody(e.Username)).
		Chain(h.Chain).
		Key(h.Power.ID + "@" + h.Namespace)
	keep, strong := weakGroups(p, holder.Groups)
	if strong {
		update := plan.UpdateAccessEntry{Cluster: p.Cluster.ID(), PrincipalARN: e.PrincipalARN, Groups: keep}
		r.Fix("# take the strong groups off the entry; updating replaces the whole list, and this keeps the others")
		if strongByName(p, e) {
			r.Fix(plan.Command(update)) // which is not enough
		} else {
			r.Plan(update)
			return
		}
	}
	r.Fix("# take username " + plan.Shell(holder.User) + " out of the binding that the evidence names, or bind it to what is needed").
		Fix("kubectl get clusterrolebindings,rolebindings -A -o wide")
}

// weakGroups returns the groups that are not strong by themselves, and whether any is.
func weakGroups(p *check.Pass, groups []string) (weak []string, strong bool) {
	weak = []string{}
	for _, g := range groups {
		held, _ := p.Access.PowersOf(rbac.Holder{Groups: []string{g}})
		if slices.ContainsFunc(held, access.HeldPower.Strong) {
			strong = true
		} else {
			weak = append(weak, g)
		}
	}
	return weak, strong
}

// strongByName says whether an access entry is strong through a username alone.
func strongByName(p *check.Pass, e *model.AccessEntry) bool {
	return slices.ContainsFunc(p.Access.EntryHolders(e), func(h rbac.Holder) bool {
		held, _ := p.Access.PowersOf(rbac.Holder{User: h.User})
		return slices.ContainsFunc(held, access.HeldPower.Strong)
	})
}

func heldAs(e *model.AccessEntry) string {
	if len(e.Groups) == 0 {
		return "username"
	}
	return "groups or username"
}
