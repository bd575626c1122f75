package migrate

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"drawbridge/internal/access"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// firstRole finds the role of the cluster's account from which Pod Identity goes on to the holder's own, which is of another
// account: the one that the user names, or the one of the name that the convention gives. It says what to make where there is
// none, or "" (EKS User Guide, "Access AWS resources using EKS Pod Identity Target IAM Roles", 2026-11).
func (p *planner) firstRole(h *Holder) string {
	sa, c := h.Account, p.cluster
	target, _ := iam.ParseARN(h.RoleARN)
	name := p.RoleName(c.Name, sa.Namespace, sa.Name)
	role, presence := p.all.RoleByName(c.Account, name)
	named := p.roleOf(sa.Namespace, sa.Name)
	if named != "" {
		role, presence = p.all.Role(named)
	}
	switch arn, err := iam.ParseARN(named); {
	case named != "" && (err != nil || !arn.IsRole() || arn.Account != c.Account):
		return fmt.Sprintf("its role is of account %s, and %q, which is to go before it, is no role of account %s", target.Account, named, c.Account)
	case role == nil && presence == access.Unread:
		return fmt.Sprintf("its role is of account %s, and the roles of account %s, of which Pod Identity takes one first, were not read", target.Account, c.Account)
	case role == nil && named != "":
		return fmt.Sprintf("its role is of account %s, and %s, which is to go before it, does not exist", target.Account, named)
	case role == nil:
		trust, err := letPodsIn(`{"Version":"2012-10-17","Statement":[]}`, access.PodSession{ClusterARN: c.ARN, Namespace: sa.Namespace, ServiceAccount: sa.Name})
		if err != nil {
			return err.Error()
		}
		h.Notes = append(h.Notes, fmt.Sprintf("what makes that role, in account %s: %s", c.Account, plan.Shell("aws", "iam", "create-role", "--role-name", name, "--assume-role-policy-document", string(trust))))
		return fmt.Sprintf("its role is of account %s, and Pod Identity takes a role of account %s first, from which it goes on (targetRoleArn): make one named %s that may do nothing yet, or name one with --role %s/%s=ARN, and plan again", target.Account, c.Account, name, sa.Namespace, sa.Name)
	case p.all.Trust(role) == nil:
		return fmt.Sprintf("its role is of account %s, and the trust policy of %s, which is to go before it, cannot be read", target.Account, role.ARN)
	}
	h.first, h.FirstARN = role, role.ARN
	h.Notes = append(h.Notes, fmt.Sprintf("through role %s of account %s, which goes on to it (targetRoleArn)", role.ARN, c.Account))
	return ""
}

// onward lets the first role of a holder take the other one, if its own policies do not let it already.
func (s *podSteps) onward(h *Holder, session access.PodSession) (plan.Plan, string) {
	if h.first == nil {
		return nil, ""
	}
	actions := []string{"sts:AssumeRole", "sts:TagSession"}
	if session.Untagged {
		actions = actions[:1]
	}
	allowed := true
	for _, action := range actions {
		d := iam.EvaluateIdentity(s.all.RolePolicies(h.first), iam.Request{Principal: iam.RoleSession(h.FirstARN, ""), Action: action, Resource: h.RoleARN})
		if d.Explicit {
			return nil, fmt.Sprintf("the policies of %s forbid it to go on to %s", h.FirstARN, h.RoleARN)
		}
		allowed = allowed && d.Verdict == iam.Allowed
	}
	target, _ := iam.ParseARN(h.RoleARN)
	put := plan.PutInlinePolicy{PrincipalARN: h.FirstARN, Name: "go-on-to-" + target.Account + "-" + target.RoleName()}
	if allowed || slices.ContainsFunc(s.trust, func(c plan.Change) bool {
		other, ok := c.(plan.PutInlinePolicy)
		return ok && other.PrincipalARN == put.PrincipalARN && other.Name == put.Name
	}) {
		return nil, ""
	}
	if slices.ContainsFunc(h.first.Inline, func(p model.InlinePolicy) bool { return p.Name == put.Name }) {
		return nil, fmt.Sprintf("%s has an inline policy %s, which does not let it go on to %s", h.FirstARN, put.Name, h.RoleARN)
	}
	text, err := json.Marshal(map[string]any{
		"Version":   "2012-10-17",
		"Statement": []any{map[string]any{"Effect": "Allow", "Action": actions, "Resource": h.RoleARN}},
	}, json.Deterministic(true))
	if err != nil {
		return nil, err.Error()
	}
	put.After = model.Document(text)
	return plan.Plan{put}, ""
}

// onlyPods says whether nobody can take a role but EKS for a pod: what its sessions may do is what pods may do.
func onlyPods(a *access.Access, arn string) bool {
	role, _ := a.Role(arn)
	if role == nil {
		return false
	}
	doc, err := a.Parse(role.Trust)
	if err != nil || len(doc.Unknown) > 0 {
		return false
	}
	return !slices.ContainsFunc(doc.Statements, func(s iam.Statement) bool {
		if s.Effect == iam.Deny {
			return false
		}
		p := s.Principal
		return len(s.Unknown) > 0 || p == nil || p.Everyone || len(p.AWS)+len(p.Federated)+len(p.CanonicalUser)+len(p.Other) > 0 ||
			slices.ContainsFunc(p.Service, func(service string) bool { return service != access.PodIdentityService })
	})
}
