package checks

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var irsaTrustWildcardSubject = &check.Check{
	ID:         "irsa-trust-wildcard-subject",
	Title:      "Trust policy lets in more service accounts than its own",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaCluster, model.AreaIAMRoles},
	Techniques: []string{"T1078.004", "T1550.001"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		issuer := p.Access.Issuer()
		if issuer == "" {
			return
		}
		users := irsaUsers(p)
		for _, acct := range p.Snapshot.Accounts {
			for _, role := range acct.Roles {
				trust := p.Access.Access().Trust(role)
				if trust == nil || !trust.Trusts(issuer) {
					continue
				}
				for _, o := range trust.Openings(issuer) {
					reportOpening(p, role, trust, issuer, o, users[role.ARN])
				}
			}
		}
	},
}

// irsaUsers lists the service accounts of the cluster by the role that they are annotated with.
func irsaUsers(p *check.Pass) map[string][]string {
	users := map[string][]string{}
	for _, sa := range p.Cluster.ServiceAccounts {
		if role := access.IRSARole(sa); role != "" {
			users[role] = append(users[role], sa.Namespace+"/"+sa.Name)
		}
	}
	return users
}

func reportOpening(p *check.Pass, role *model.IAMRole, trust *access.Trust, issuer string, o access.Opening, users []string) {
	condition := ""
	if len(o.If) > 0 {
		condition = " if " + strings.Join(o.If, " and ")
	}
	var r *check.Report
	switch {
	case o.Pattern == "":
		r = p.Report(role, "any service account of cluster %s can take %s%s: no condition of its trust policy holds the subject to one", p.Cluster.Name, role.Name, condition)
	case o.AnyNamespace:
		r = p.Report(role, "service accounts of cluster %s that match %s can take %s%s: whoever may make such a namespace and service account has the role", p.Cluster.Name, o.Pattern, role.Name, condition)
	default:
		r = p.Report(role, "service accounts of cluster %s that match %s can take %s%s; medium, because they are of one namespace", p.Cluster.Name, o.Pattern, role.Name, condition).
			Severity(finding.Medium)
	}
	for _, s := range o.Statements {
		r.Because(role, "AssumeRolePolicyDocument", "%s", s)
	}
	if len(users) > 0 {
		r.Evidence("list serviceaccounts", "annotated with the role: %s", check.Some(users, 10))
	}
	r.Key(o.Pattern)
	if narrow, ok := toSubjects(p, role, trust, issuer, users); ok {
		r.Fix("# let in the service accounts that are annotated with the role, and no other").Plan(narrow)
		return
	}
	subject := "system:serviceaccount:NAMESPACE:NAME"
	if len(users) > 0 {
		namespace, name, _ := strings.Cut(users[0], "/")
		subject = access.Subject(namespace, name)
	}
	r.Fix("# replace the statement for this provider in the trust policy, one subject for each service account that needs the role").
		Fix(webTrustStatement(trust.Provider(issuer), issuer, subject)).
		Fix(plan.Shell("aws", "iam", "update-assume-role-policy", "--role-name", role.Name, "--policy-document", "file://trust.json"))
}

// toSubjects holds the statement for an issuer to the service accounts that are annotated with the role and that it lets in, which
// gives nobody anything. It takes that all of them are known, and that there is one statement.
func toSubjects(p *check.Pass, role *model.IAMRole, trust *access.Trust, issuer string, users []string) (plan.Change, bool) {
	if !p.Access.Complete(model.AreaServiceAccounts) {
		return nil, false
	}
	var subjects []string
	for _, u := range users {
		namespace, name, _ := strings.Cut(u, "/")
		subject := access.Subject(namespace, name)
		if !trust.WebIdentity(access.WebToken{Issuer: issuer, Subject: subject, Audience: access.IRSAAudience}).Not() {
			subjects = append(subjects, subject)
		}
	}
	if len(subjects) == 0 {
		return nil, false
	}
	return narrowTrust(role, trust.Provider(issuer), func(text []byte) ([]byte, error) {
		return iam.SetConditions(text, []string{issuer + ":sub"}, "StringEquals", map[string][]string{issuer + ":sub": subjects})
	})
}

// narrowTrust changes the one statement of a trust policy that lets in a service or a provider. Where there are several, or it
// lets in others as well, it is not told which is meant for what.
func narrowTrust(role *model.IAMRole, who string, narrow func([]byte) ([]byte, error)) (plan.Change, bool) {
	narrowed, others := 0, 0
	after, err := iam.EditStatements([]byte(role.Trust), func(s *iam.Statement, text []byte) ([]byte, error) {
		switch {
		case s.Effect != iam.Allow || s.MatchesAction("sts:AssumeRole") == iam.False && s.MatchesAction("sts:AssumeRoleWithWebIdentity") == iam.False:
			return text, nil
		case s.Principal == nil || s.Principal.Everyone:
			others++
			return text, nil
		case !slices.Contains(s.Principal.Service, who) && !slices.Contains(s.Principal.Federated, who):
			return text, nil
		case !isOnly(s.Principal, who):
			others++
			return text, nil
		}
		narrowed++
		return narrow(text)
	})
	return plan.UpdateTrustPolicy{RoleARN: role.ARN, Before: role.Trust, After: model.Document(after)}, err == nil && narrowed == 1 && others == 0
}

func webTrustStatement(provider, issuer, subject string) string {
	return fmt.Sprintf(`{"Effect": "Allow", "Principal": {"Federated": %q}, "Action": "sts:AssumeRoleWithWebIdentity",
 "Condition": {"StringEquals": {
  %q: "sts.amazonaws.com",
  %q: %q}}}`, provider, issuer+":aud", issuer+":sub", subject)
}
