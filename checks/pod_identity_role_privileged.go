package checks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var podIdentityRolePrivileged = &check.Check{
	ID:         "pod-identity-role-privileged",
	Title:      "Pods hold a privileged IAM role through Pod Identity",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaPodIdentityAssociations, model.AreaIAMRoles, model.AreaIAMPolicies},
	Techniques: []string{"T1078.004", "T1098.001"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		roles := &roleHolders{pass: p}
		for _, a := range p.Cluster.PodIdentityAssociations {
			field := "roleArn"
			if a.TargetRoleARN != "" {
				field = "targetRoleArn"
			}
			roles.add(cmp.Or(a.TargetRoleARN, a.RoleARN), roleHolder{
				text:    "service account " + a.Namespace + "/" + a.ServiceAccount,
				why:     finding.Evidence{Text: cmp.Or(a.TargetRoleARN, a.RoleARN), Source: a.Subject().String() + " " + field},
				session: a.Policy,
			})
		}
		roles.report("which %s gets through Pod Identity,")
	},
}

// roleHolder is who has a role, and by what.
type roleHolder struct {
	text    string
	why     finding.Evidence
	session model.Document // limits what is held; "" where nothing does
}

// roleHolders gathers who holds which roles, and reports the roles that are privileged.
type roleHolders struct {
	pass   *check.Pass
	roles  []*model.IAMRole
	held   map[*model.IAMRole][]roleHolder
	unread []string
}

// add notes a holder of a role. A role that does not exist is another check's business.
func (h *roleHolders) add(arn string, holder roleHolder) {
	role, presence := h.pass.Access.Access().Role(arn)
	switch {
	case presence == access.Unread && arn != "":
		h.unread = append(h.unread, fmt.Sprintf("role %s of %s was not read", arn, holder.text))
	case role != nil:
		if h.held == nil {
			h.held = map[*model.IAMRole][]roleHolder{}
		}
		if h.held[role] == nil {
			h.roles = append(h.roles, role)
		}
		h.held[role] = append(h.held[role], holder)
	}
}

// report reports each privileged role once, with those of its holders that have its privileges; how says how they have it.
func (h *roleHolders) report(how string) {
	all := h.pass.Access.Access()
	missing, roles := map[string]int{}, []string{}
	for _, role := range h.roles {
		var best []access.Privilege
		var holders []roleHolder
		principal := all.IAMRole(role)
		for _, holder := range h.held[role] {
			limited := all.WithSession(principal, holder.text, holder.session)
			privileges := limited.Privileges(h.pass.Cluster.Region)
			if len(privileges) == 0 {
				continue
			}
			holders = append(holders, holder)
			if privilegeSeverity(privileges).Rank() > privilegeSeverity(best).Rank() {
				best = privileges
			}
		}
		for _, u := range principal.Unread {
			if !strings.HasPrefix(u, "arn:") {
				u += " of role " + role.Name
			}
			if missing[u]++; missing[u] == 1 {
				roles = append(roles, u)
			}
		}
		if len(best) > 0 {
			h.reportOne(role, principal, best, holders, how)
		}
	}
	for _, u := range roles {
		h.pass.NotAssessed("%s is not in the snapshot or not understood (roles that it counts for: %d)", u, missing[u])
	}
	for _, u := range h.unread {
		h.pass.NotAssessed("%s", u)
	}
}

func (h *roleHolders) reportOne(role *model.IAMRole, principal *access.IAMPrincipal, privileges []access.Privilege, holders []roleHolder, how string) {
	names := make([]string, len(holders))
	for i, holder := range holders {
		names[i] = holder.text
	}
	r := h.pass.Report(role, "role %s, "+how+" %s", role.Name, check.Some(names, 2), privilegeText(privileges)).Severity(privilegeSeverity(privileges))
	for i, holder := range holders {
		if i == 10 {
			r.Evidence("and more", "%d more hold it", len(holders)-i)
			break
		}
		r.Chain([]finding.Evidence{holder.why})
	}
	explainPrivileges(r, principal, privileges)
	r.Fix("# see what it used, give it a policy of that, and take the rest away").
		Fix(plan.Shell("aws", "iam", "generate-service-last-accessed-details", "--arn", role.ARN))
	for _, policy := range policiesOf(privileges) {
		if inline, ok := strings.CutPrefix(policy, "inline policy "); ok {
			r.Fix(plan.Shell("aws", "iam", "put-role-policy", "--role-name", role.Name, "--policy-name", inline, "--policy-document", "file://narrow.json"))
		} else {
			r.Fix(plan.Shell("aws", "iam", "detach-role-policy", "--role-name", role.Name, "--policy-arn", policy))
		}
	}
}

// explainPrivileges adds the evidence: everything that the principal can do, the statements, the conditions and the limits.
func explainPrivileges(r *check.Report, principal *access.IAMPrincipal, privileges []access.Privilege) {
	var statements []finding.Evidence
	var services []string
	for _, v := range privileges {
		for _, s := range v.Why {
			if !slices.Contains(statements, s) {
				statements = append(statements, s)
			}
		}
		switch {
		case v.Answer == access.Maybe:
			r.Evidence(string(v.Kind)+" "+v.ID, "may %s: %s", v.Title, strings.Join(v.If, "; "))
		case v.Kind == access.HasService:
			services = append(services, v.ID)
		default:
			r.Evidence(string(v.Kind)+" "+v.ID, "can %s", v.Title)
		}
	}
	if len(services) > 0 {
		r.Evidence(string(access.HasService), "%s on all resources", strings.Join(services, ", "))
	}
	r.Chain(statements)
	if principal.Boundary != "" {
		r.Because(principal.Object, "permissionsBoundary", "%s", principal.Boundary)
	}
	for _, u := range principal.Unread {
		r.Because(principal.Object, "policies", "%s was not read: it may allow more, or deny", u)
	}
}

// policiesOf lists the policies that give privileges.
func policiesOf(privileges []access.Privilege) []string {
	var all []string
	for _, v := range privileges {
		all = append(all, v.Policies...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// privilegeText says what privileges amount to, certain ones first.
func privilegeText(privileges []access.Privilege) string {
	var can, services, may, conditions []string
	for _, v := range privileges {
		switch {
		case v.Answer == access.Maybe:
			may = append(may, v.Title)
			conditions = append(conditions, v.If...)
		case v.Kind == access.HasService:
			services = append(services, strings.TrimPrefix(v.Title, "do everything in "))
		default:
			can = append(can, v.Title)
		}
	}
	first := privileges[0]
	if len(services) > 0 {
		can = append(can[:min(2, len(can))], "do everything in "+check.Some(services, 3))
	}
	switch {
	case first.Kind == access.Administers && first.Answer == access.Yes:
		return "is an administrator: it can do everything in the account"
	case len(can) == 1 && len(may) == 0 && first.Kind == access.ReadsAll:
		return "can " + can[0] + ", but change nothing that makes it privileged"
	case len(can) > 0 && len(may) > 0:
		return "can " + check.Some(can, 3) + "; under conditions it may also " + check.Some(may, 2)
	case len(can) > 0:
		return "can " + check.Some(can, 3)
	}
	return "may " + check.Some(may, 3) + ", which the snapshot does not decide: " + check.Some(slices.Compact(conditions), 2)
}

// privilegeSeverity is critical for administrators, high for other privileges, and lower where only credentials can be read
// or where conditions decide that the snapshot does not tell.
func privilegeSeverity(privileges []access.Privilege) finding.Severity {
	var worst finding.Severity
	for _, v := range privileges {
		s := finding.High
		switch {
		case v.Answer == access.Maybe && v.Kind == access.ReadsAll:
			s = finding.Low
		case v.Answer == access.Maybe, v.Kind == access.ReadsAll:
			s = finding.Medium
		case v.Kind == access.Administers:
			s = finding.Critical
		}
		if s.Rank() > worst.Rank() {
			worst = s
		}
	}
	return worst
}
