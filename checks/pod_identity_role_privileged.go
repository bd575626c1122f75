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
			roles.add(cmp.Or(a.TargetRoleARN, a.RoleARN), roleHolder{a, field, "service account " + a.Namespace + "/" + a.ServiceAccount, a.Policy})
		}
		roles.report("which %s gets through Pod Identity,")
	},
}

// roleHolder is an object that gives somebody a role.
type roleHolder struct {
	object  model.Object
	field   string
	text    string
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
		h.pass.NotAssessed("%s is not in the snapshot or not understood, and counts for %d roles", u, missing[u])
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
		r.Because(holder.object, holder.field, "%s", role.ARN)
	}
	explainPrivileges(r, principal, privileges)
	r.Fix("# see what it used, give it a policy of that, and take the rest away").
		Fix(check.Shell("aws", "iam", "generate-service-last-accessed-details", "--arn", role.ARN))
	for _, policy := range policiesOf(privileges) {
		if inline, ok := strings.CutPrefix(policy, "inline policy "); ok {
			r.Fix(check.Shell("aws", "iam", "put-role-policy", "--role-name", role.Name, "--policy-name", inline, "--policy-document", "file://narrow.json"))
		} else {
			r.Fix(check.Shell("aws", "iam", "detach-role-policy", "--role-name", role.Name, "--policy-arn", policy))
		}
	}
}

// explainPrivileges adds the evidence: everything that the principal can do, the statements, the conditions and the limits.
func explainPrivileges(r *check.Report, principal *access.IAMPrincipal, privileges []access.Privilege) {
	var statements []finding.Evidence
	for _, v := range privileges {
		text := "can " + v.Title
		if v.Answer == access.Maybe {
			text = "may " + v.Title + ": " + strings.Join(v.If, "; ")
		}
		r.Evidence(string(v.Kind)+" "+v.ID, "%s", text)
		for _, s := range v.Why {
			if !slices.Contains(statements, s) {
				statements = append(statements, s)
			}
		}
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
	var can, may, conditions []string
	for _, v := range privileges {
		if v.Answer == access.Yes {
			can = append(can, v.Title)
			continue
		}
		may = append(may, v.Title)
		conditions = append(conditions, v.If...)
	}
	switch {
	case len(can) > 0 && privileges[0].Kind == access.Administers && privileges[0].Answer == access.Yes:
		return "is an administrator: it can do everything in the account"
	case len(can) == 1 && len(may) == 0 && privileges[0].Kind == access.ReadsAll:
		return "can " + can[0] + ", though change nothing of note"
	case len(can) > 0 && len(may) > 0:
		return "can " + check.Some(can, 3) + "; under conditions it may also " + check.Some(may, 2)
	case len(can) > 0:
		return "can " + check.Some(can, 3)
	}
	return "may " + check.Some(may, 3) + ", which the snapshot does not decide: " + check.Some(conditions, 2)
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
