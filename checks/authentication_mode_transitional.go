package checks

import (
	"strings"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

var authenticationModeTransitional = &check.Check{
	ID:         "authentication-mode-transitional",
	Title:      "Two stores decide who gets in",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaCluster, model.AreaAWSAuth, model.AreaAccessEntries},
	Techniques: []string{"T1098.006"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		c := p.Cluster
		if c.AuthenticationMode() != model.ModeAPIConfigMap {
			return
		}
		toAPI := check.Shell("aws", "eks", "update-cluster-config", "--name", c.Name, "--region", c.Region, "--access-config", "authenticationMode=API")
		if !p.Access.Complete(model.AreaAWSAuth) {
			p.Report(c, "authentication mode is API_AND_CONFIG_MAP; what stands in aws-auth was not read").
				Because(c, "accessConfig.authenticationMode", "API_AND_CONFIG_MAP").
				Fix("# read aws-auth before closing it: kubectl get configmap -n kube-system aws-auth -o yaml")
			return
		}
		blocking, accounts := aloneInAWSAuth(p)
		if len(blocking)+len(accounts) == 0 {
			p.Report(c, "authentication mode is API_AND_CONFIG_MAP and nothing in aws-auth lets anybody in who has no access entry: the last step is open").
				Because(c, "accessConfig.authenticationMode", "API_AND_CONFIG_MAP").
				Fix("# keep a copy: kubectl get configmap -n kube-system aws-auth -o yaml > aws-auth.yaml\n# there is no way back from API").
				Fix(toAPI)
			return
		}
		r := p.Report(c, "authentication mode is API_AND_CONFIG_MAP: %s and %s of aws-auth have no access entry and block the step to API", check.Count(len(blocking), "row"), check.Count(len(accounts), "whole account")).
			Because(c, "accessConfig.authenticationMode", "API_AND_CONFIG_MAP").
			Fix("# make an access entry for each row first; then close the ConfigMap for good")
		for i, row := range blocking {
			if i < 10 {
				r.Because(c.AWSAuth, row.Kind.Block(), "%s is %s with groups %s", row.Read.ARN, orNobody(row.Read.Username), orNobody(strings.Join(row.Read.Groups, ", ")))
				r.Fix(check.Shell("aws", "eks", "create-access-entry", "--cluster-name", c.Name, "--region", c.Region, "--principal-arn", row.Read.ARN))
			}
		}
		for _, a := range accounts {
			r.Because(c.AWSAuth, "mapAccounts", "any principal of account %s", a.ID)
		}
		r.Fix("# " + toAPI)
	},
}

// aloneInAWSAuth returns the rows and accounts of aws-auth that can map somebody who has no access entry.
func aloneInAWSAuth(p *check.Pass) (rows []authenticator.Row, accounts []authenticator.Account) {
	parsed := p.Access.ParsedAWSAuth()
	if parsed == nil {
		return nil, nil
	}
	held := map[string]bool{}
	for _, e := range p.Cluster.AccessEntries {
		if bare, err := authenticator.StripPath(e.PrincipalARN); err == nil {
			held[strings.ToLower(bare)] = true
		}
	}
	for _, row := range parsed.Rows {
		if row.CanMap() && !held[strings.ToLower(row.Read.ARN)] {
			rows = append(rows, row)
		}
	}
	for _, a := range parsed.Accounts {
		if a.Valid {
			accounts = append(accounts, a)
		}
	}
	return rows, accounts
}

func orNobody(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}
