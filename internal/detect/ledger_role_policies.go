package detect

import (
	"cmp"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/event"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// rolePolicyFacts are what calls to IAM told of the policies of one role: its account and name.
type rolePolicyFacts struct {
	// Trust are its trust policies, Policies what was attached to it and taken from it.
	Trust    []trustChange
	Policies []policyChange
}

// trustChange is a trust policy that a role got; an empty document is the end of the role.
type trustChange struct {
	Fact
	Document string
}

// policyChange is a policy that a role got or lost.
type policyChange struct {
	Fact
	// Name is the ARN of a managed policy, or the name of one of the role's own, which has a Document.
	Name, Document string
	Managed, Gone  bool
}

// changesKept is how many changes of a role's policies are kept.
const changesKept = 16

var (
	pathRoleName       = event.ParsePath(event.CloudTrail, "requestParameters.roleName")
	pathPolicyName     = event.ParsePath(event.CloudTrail, "requestParameters.policyName")
	pathAttachedPolicy = event.ParsePath(event.CloudTrail, "requestParameters.policyArn")
	pathPolicyDocument = event.ParsePath(event.CloudTrail, "requestParameters.policyDocument")
	pathTrustOfNewRole = event.ParsePath(event.CloudTrail, "requestParameters.assumeRolePolicyDocument")
	pathOIDCURL        = event.ParsePath(event.CloudTrail, "requestParameters.url")
)

const updateTrust = "UpdateAssumeRolePolicy"

// policyKey is the key of a role: its name is unique in an account, whatever its path and case (IAM User Guide, "IAM
// identifiers", 2026-11).
func policyKey(account, role string) string { return key(account, strings.ToLower(role)) }

// notePolicy takes what calls to IAM that were carried out say of a role's policies.
func (g *Ledger) notePolicy(l *look) {
	name := l.first(pathRoleName)
	if name == "" || !succeeded(l.Event) {
		return
	}
	trust, policy := trustChange{Fact: l.fact()}, policyChange{Fact: l.fact()}
	switch action := l.Field(event.EventName).String(); action {
	case "CreateRole":
		trust.Document = l.first(pathTrustOfNewRole)
	case updateTrust:
		trust.Document = l.first(pathPolicyDocument)
	case "DeleteRole":
	case "AttachRolePolicy", "DetachRolePolicy":
		policy.Name, policy.Managed, policy.Gone = l.first(pathAttachedPolicy), true, action == "DetachRolePolicy"
	case "PutRolePolicy", "DeleteRolePolicy":
		policy.Name, policy.Document, policy.Gone = l.first(pathPolicyName), l.first(pathPolicyDocument), action == "DeleteRolePolicy"
	default:
		return
	}
	f := g.RolePolicies.at(policyKey(l.Field(event.RecipientAccount).String(), name), g.Limit)
	if policy.Name != "" {
		f.Policies = newest(note(f.Policies, policy, func(c *policyChange) Fact { return c.Fact }))
		return
	}
	f.Trust = newest(note(f.Trust, trust, func(c *trustChange) Fact { return c.Fact }))
}

func newest[T any](list []T) []T {
	if extra := len(list) - changesKept; extra > 0 {
		return slices.Delete(list, 0, extra)
	}
	return list
}

// iamRoleAt is a role as it was until a time: as the snapshot has it, with the policies that the ledger tells of.
func (l *look) iamRoleAt(arn string) (*access.Access, *model.IAMRole) {
	a, err := iam.ParseARN(arn)
	if err != nil || !a.IsRole() {
		return nil, nil
	}
	role := &model.IAMRole{ARN: arn, Name: a.Name()}
	all := l.ctx.Access
	if all != nil {
		if known, presence := all.RoleByName(a.Account, a.Name()); presence == access.Present {
			copied := *known
			role = &copied
		}
	} else {
		all = access.New(&model.Snapshot{Accounts: []*model.Account{{ID: a.Account, Partition: a.Partition}}})
	}
	f := l.ledger.RolePolicies.get(policyKey(a.Account, a.Name()))
	if f == nil {
		return all, role
	}
	role.Attached, role.Inline = slices.Clone(role.Attached), slices.Clone(role.Inline)
	now := l.now()
	for i := range f.Policies {
		c := &f.Policies[i]
		if now.before(c.Fact) {
			break
		}
		role.Attached = slices.DeleteFunc(role.Attached, func(arn string) bool { return c.Managed && arn == c.Name })
		role.Inline = slices.DeleteFunc(role.Inline, func(p model.InlinePolicy) bool { return !c.Managed && p.Name == c.Name })
		switch {
		case c.Gone:
		case c.Managed:
			role.Attached = append(role.Attached, c.Name)
		default:
			role.Inline = append(role.Inline, model.InlinePolicy{Name: c.Name, Document: model.Document(c.Document)})
		}
	}
	return all, role
}

// privileges are what makes the role privileged that the pods of an association get: the most serious kind, and each in
// words. Without the snapshot only those of policies that events attached are known.
func (l *look) privileges() (kind access.PrivilegeKind, titles []string) {
	a, ok := l.association()
	if !ok || !l.final || a.role == "" {
		return "", nil // a policy may yet be taken away again
	}
	all, role := l.iamRoleAt(cmp.Or(a.target, a.role))
	if role == nil {
		return "", nil
	}
	serious := []access.PrivilegeKind{access.Administers, access.WritesIAM, access.Escalates, access.HasService, access.ReadsAll}
	worst := len(serious)
	for _, p := range all.IAMRole(role).Privileges(l.Field(event.Region).String()) {
		if p.Answer != access.Yes {
			continue
		}
		worst = min(worst, slices.Index(serious, p.Kind))
		titles = append(titles, p.Title)
	}
	if len(titles) == 0 {
		return "", nil
	}
	return serious[worst], titles
}

// rolePolicyFields are about the policies of IAM roles.
var rolePolicyFields = []enrichment{
	{
		Name: "drawbridge.association.privilege", Text: "the most serious way in which the role is privileged that an association gives: `administrator`, `IAM write`, `escalation`, `whole service`, `reads secrets`; absent until nothing more can tell",
		Planes: onCloudTrail, Ledger: true, Snapshot: true, Of: func(l *look) []string {
			kind, _ := l.privileges()
			return some(string(kind))
		},
	},
	{
		Name: "drawbridge.association.privileges", Text: "what that role can do that makes it privileged", Planes: onCloudTrail, Ledger: true, Snapshot: true,
		Of: func(l *look) []string {
			_, titles := l.privileges()
			if len(titles) > 4 {
				titles = append(titles[:3], "more")
			}
			return some(strings.Join(titles, "; "))
		},
	},
	{Name: "drawbridge.trust.widened", Text: "what the new trust policy of a workload's role lets in that the one before did not", Planes: onCloudTrail, Ledger: true, Snapshot: true, Of: trustWidened},
	{Name: "drawbridge.trust.open", Text: "what a new trust policy of a workload's role leaves open, where the one before is not known, once nothing more can tell", Planes: onCloudTrail, Ledger: true, Snapshot: true, Of: trustOpen},
	{Name: "drawbridge.trust.role", Text: "name of the role whose trust policy the event sets", Planes: onCloudTrail, Of: func(l *look) []string { return some(l.first(pathRoleName)) }},
	{Name: "drawbridge.oidc.issuer", Text: "issuer of the OIDC provider that is created", Planes: onCloudTrail, Of: func(l *look) []string { return some(access.IssuerOf(l.first(pathOIDCURL))) }},
	{
		Name: "drawbridge.oidc.kind", Text: "whose issuer that is: `cluster` of the snapshot, `eks` for one of EKS that is not in it, `eks unknown` without a snapshot, `other`", Planes: onCloudTrail, Snapshot: true,
		Of: func(l *look) []string {
			issuer := access.IssuerOf(l.first(pathOIDCURL))
			_, eks := access.ParseEKSIssuer(issuer)
			switch {
			case issuer == "":
				return nil
			case !eks:
				return []string{"other"}
			case l.ctx.Access == nil:
				return []string{"eks unknown"}
			case l.clusterOfIssuer(issuer) != nil:
				return []string{"cluster"}
			}
			return []string{"eks"}
		},
	},
}
