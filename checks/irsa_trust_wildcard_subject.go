package checks

import (
	"fmt"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
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
	subject := "system:serviceaccount:NAMESPACE:NAME"
	if len(users) > 0 {
		namespace, name, _ := strings.Cut(users[0], "/")
		subject = access.Subject(namespace, name)
	}
	r.Fix("# replace the statement for this provider in the trust policy, one subject for each service account that needs the role").
		Fix(webTrustStatement(trust.Provider(issuer), issuer, subject)).
		Fix(plan.Shell("aws", "iam", "update-assume-role-policy", "--role-name", role.Name, "--policy-document", "file://trust.json")).
		Key(o.Pattern)
}

func webTrustStatement(provider, issuer, subject string) string {
	return fmt.Sprintf(`{"Effect": "Allow", "Principal": {"Federated": %q}, "Action": "sts:AssumeRoleWithWebIdentity",
 "Condition": {"StringEquals": {
  %q: "sts.amazonaws.com",
  %q: %q}}}`, provider, issuer+":aud", issuer+":sub", subject)
}
