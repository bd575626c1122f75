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

var iamAttachesPodIdentity = &check.Check{
	ID:       "iam-attaches-pod-identity",
	Title:    "IAM principal can attach roles to service accounts",
	Severity: finding.Medium,
	Needs: []model.Area{
		model.AreaCluster, model.AreaPodIdentityAssociations, model.AreaIAMRoles, model.AreaIAMUsers, model.AreaIAMGroups, model.AreaIAMPolicies,
	},
	Techniques: []string{"T1098.003", "T1548.005"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		attachers := p.Access.Attachers()
		principals := &accountPrincipals{pass: p}
		for _, who := range p.Access.Access().IAMPrincipals(p.Account) {
			a := attachers.Of(who)
			able := a.Answer() != access.No
			if !principals.note(who, able) && able {
				reportAttachment(p, who, a)
			}
		}
		principals.report("can attach any role that trusts Pod Identity to service accounts", "iam:PassRole and eks:CreatePodIdentityAssociation")
	},
}

func reportAttachment(p *check.Pass, who *access.IAMPrincipal, a *access.Attachment) {
	subject := who.Object.Subject()
	kind := strings.ToLower(strings.TrimPrefix(subject.Kind, "IAM"))
	verb, conditions := "can", []string(nil)
	if a.Answer() == access.Maybe {
		verb = "may, under conditions that the snapshot does not decide,"
		conditions = attachmentConditions(a)
	}
	what := "make pod identity associations for any service account of the cluster"
	if a.Creates.Answer == access.No {
		what = "change the role of the pod identity association of " + a.Updated.Namespace + "/" + a.Updated.ServiceAccount
	}
	roles, severity := passableRoles(a)
	if len(conditions) > 0 {
		roles += ": " + check.Some(conditions, 3)
	}
	r := p.Report(who.Object, "%s %s %s %s, with %s", kind, subject.Name, verb, what, roles).Severity(severity)
	var statements []finding.Evidence
	for _, why := range slices.Concat(a.Creates.Why, a.Updates.Why, a.AnyRole.Why) {
		if !slices.Contains(statements, why) {
			statements = append(statements, why)
		}
	}
	r.Chain(statements)
	for i, role := range a.Roles {
		if i == 10 {
			r.Evidence("and more", "%d more roles can be passed", len(a.Roles)-i)
			break
		}
		text := "can be passed, and trusts " + access.PodIdentityService
		if len(role.Privileges) > 0 {
			text += "; " + privilegeText(role.Privileges)
		}
		r.Because(role.Role, "AssumeRolePolicyDocument", "%s", text)
		if a.AnyRole.Answer != access.Yes {
			r.Chain(role.Why)
		}
	}
	for _, c := range conditions {
		r.Evidence("conditions", "%s", c)
	}
	if who.Boundary != "" {
		r.Because(who.Object, "permissionsBoundary", "%s", who.Boundary)
	}
	document, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": map[string]any{
		"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:" + p.Cluster.Partition + ":iam::" + p.Cluster.Account + ":role/pods/*",
		"Condition": map[string]any{
			"StringEquals": map[string]string{"iam:PassedToService": access.PodIdentityService},
			"ArnEquals":    map[string]string{"iam:AssociatedResourceArn": p.Cluster.ARN},
		},
	}})
	if err != nil {
		return
	}
	r.Fix("# associations have no condition key for the role: allow iam:PassRole only to the roles that it needs (here: a path of their own)").
		Fix("# and for this cluster, and take the statement out that allows more").
		Fix(plan.Shell("aws", "iam", "put-"+kind+"-policy", "--"+kind+"-name", subject.Name, "--policy-name", "pass-pod-roles", "--policy-document", string(document)))
}

// passableRoles says which roles can be handed over, and how bad that is: high where one of them is privileged, low where
// there is none yet, and a step less where conditions decide.
func passableRoles(a *access.Attachment) (string, finding.Severity) {
	severities := []finding.Severity{finding.Low, finding.Medium, finding.High}
	step := 1
	var names []string
	strong := ""
	for _, r := range a.Roles {
		names = append(names, r.Role.Name)
		if strong == "" && len(r.Privileges) > 0 && r.Privileges[0].Answer == access.Yes {
			strong = fmt.Sprintf(", of which %s %s", r.Role.Name, privilegeText(r.Privileges))
			step = 2
		}
	}
	if len(names) == 0 {
		return "any role, though none of the account trusts Pod Identity yet", finding.Low
	}
	if a.Answer() == access.Maybe {
		step--
	}
	text := fmt.Sprintf("%d roles (%s)", len(names), check.Some(names, 3))
	if len(names) == 1 {
		text = "role " + names[0]
	}
	return text + strong, severities[step]
}

// attachmentConditions are the conditions of all that the attachment needs.
func attachmentConditions(a *access.Attachment) []string {
	var all []string
	add := func(action string, permit access.Permit) {
		for _, c := range permit.If {
			all = append(all, action+" "+c)
		}
	}
	if a.Creates.Answer != access.No {
		add("eks:CreatePodIdentityAssociation", a.Creates)
	} else {
		add("eks:UpdatePodIdentityAssociation", a.Updates)
	}
	if a.AnyRole.Answer != access.No {
		add("iam:PassRole", a.AnyRole)
	} else {
		for _, r := range a.Roles {
			add("iam:PassRole of "+r.Role.Name, r.Permit)
		}
	}
	return all
}
