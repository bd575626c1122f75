package iam

import (
	"testing"
)

// TestPrincipalElement covers "AWS JSON policy elements: Principal" (IAM User Guide, 2026-11).
func TestPrincipalElement(t *testing.T) {
	const other = "arn:aws:iam::111122223333:role/app/writer"
	reader, readerOnly := session(), ParsePrincipal(sessionARN)
	deleted := RoleSession(roleARN, "alice")
	deleted.UniqueID = "AROAEXAMPLEEXAMPLE001"
	user := ParsePrincipal(userARN)
	pods := ServicePrincipal("pods.eks.amazonaws.com")
	everyone := reach{Unknown, True, False}
	direct, role, account := reach{True, False, False}, reach{False, True, False}, reach{False, False, True}
	for _, tt := range []struct {
		name, element string
		who           Principal
		want          reach
	}{
		{"everyone", `"*"`, reader, everyone},
		{"everyone, in the list", `{"AWS":["111122223333","*"]}`, ParsePrincipal("*"), everyone},
		{"account id", `{"AWS":"111122223333"}`, reader, account},
		{"account root", `{"AWS":"arn:aws:iam::111122223333:root"}`, user, account},
		{"account root of another partition", `{"AWS":"arn:aws-cn:iam::111122223333:root"}`, ParsePrincipal("arn:aws-cn:iam::111122223333:user/x"), account},
		{"another account", `{"AWS":"444455556666"}`, reader, nowhere},
		{"root user itself", `{"AWS":"111122223333"}`, ParsePrincipal(home), reach{True, False, True}},
		{"role", `{"AWS":"` + roleARN + `"}`, reader, role},
		{"role, path of the caller not known", `{"AWS":"` + roleARN + `"}`, readerOnly, role},
		{"role without its path", `{"AWS":"arn:aws:iam::111122223333:role/reader"}`, reader, nowhere},
		{"another role", `{"AWS":"` + other + `"}`, reader, nowhere},
		{"role and its account", `{"AWS":["` + roleARN + `","111122223333"]}`, reader, reach{False, True, True}},
		{"session", `{"AWS":"` + sessionARN + `"}`, reader, direct},
		{"another session", `{"AWS":"` + sessionARN + `x"}`, reader, nowhere},
		{"session, caller's not known", `{"AWS":"` + sessionARN + `"}`, RoleSession(roleARN, ""), reach{Unknown, False, False}},
		{"session of another role", `{"AWS":"arn:aws:sts::111122223333:assumed-role/writer/alice"}`, RoleSession(roleARN, ""), nowhere},
		{"user", `{"AWS":"` + userARN + `"}`, user, direct},
		{"user, other case", `{"AWS":"arn:aws:iam::111122223333:user/Carlos"}`, user, nowhere},
		{"wildcard that AWS does not allow", `{"AWS":"arn:aws:iam::111122223333:role/*"}`, reader, reach{Unknown, False, False}},
		{"wildcard elsewhere", `{"AWS":"arn:aws:iam::444455556666:role/*"}`, reader, nowhere},
		{"unique id of another", `{"AWS":"AROAEXAMPLEEXAMPLE001"}`, reader, nowhere},
		{"unique id", `{"AWS":"AROAEXAMPLEEXAMPLE001"}`, deleted, role},
		{"service", `{"Service":["ec2.amazonaws.com","pods.eks.amazonaws.com"]}`, pods, direct},
		{"another service", `{"Service":"ec2.amazonaws.com"}`, pods, nowhere},
		{"every service", `{"Service":"*"}`, pods, reach{Unknown, False, False}},
		{"service, for a role", `{"Service":"*"}`, reader, nowhere},
		{"provider", `{"Federated":"` + provider + `"}`, FederatedPrincipal(provider), direct},
		{"provider of another account", `{"Federated":"arn:aws:iam::444455556666:oidc-provider/` + oidc + `"}`, ParsePrincipal(provider), nowhere},
		{"web identity", `{"Federated":"accounts.google.com"}`, ParsePrincipal("accounts.google.com"), direct},
		{"canonical user", `{"CanonicalUser":"79a5"}`, user, reach{False, False, Unknown}},
		{"canonical user, for a service", `{"CanonicalUser":"79a5"}`, pods, nowhere},
		{"kind not known", `{"Martian":"x"}`, pods, reach{Unknown, False, False}},
		{"text that is not *", `"` + roleARN + `"`, reader, reach{Unknown, False, False}},
		{"nothing known of the caller", `{"AWS":"111122223333"}`, ParsePrincipal("nonsense"), reach{Unknown, False, False}},
		{"anonymous", `{"AWS":"111122223333"}`, ParsePrincipal("*"), nowhere},
		{"federated user", `{"AWS":"arn:aws:sts::111122223333:federated-user/carlos"}`, ParsePrincipal("arn:aws:sts::111122223333:federated-user/carlos"), direct},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &policy(t, grantTo(tt.element)).Statements[0]
			if got := s.Principal.match(&tt.who); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestNotPrincipal covers "AWS JSON policy elements: NotPrincipal" (IAM User Guide, 2026-11).
func TestNotPrincipal(t *testing.T) {
	chain := `{"AWS":["111122223333","` + roleARN + `","` + sessionARN + `"]}`
	boundary := policies(t, "b", allowAll)
	for _, tt := range []struct {
		name, effect, element string
		p                     Policies
		who                   Principal
		want                  Verdict
	}{
		{"not listed", "Deny", `{"AWS":"444455556666"}`, Policies{}, session(), Denied},
		{"listed with role and account", "Deny", chain, Policies{}, session(), Allowed},
		{"listed in part", "Deny", `{"AWS":"` + roleARN + `"}`, Policies{}, session(), Undecided},
		{"user and account", "Deny", `{"AWS":["` + userARN + `","111122223333"]}`, Policies{}, ParsePrincipal(userARN), Allowed},
		{"user alone", "Deny", `{"AWS":["` + userARN + `"]}`, Policies{}, ParsePrincipal(userARN), Undecided},
		{"always denied under a boundary", "Deny", chain, Policies{Boundary: &boundary[0]}, session(), Denied},
		{"boundary not read", "Deny", chain, Policies{Unread: []Layer{Boundary}}, session(), Undecided},
		{"everyone", "Deny", `"*"`, Policies{}, session(), Allowed},
		{"with Allow not supported", "Allow", `{"AWS":"444455556666"}`, Policies{}, ServicePrincipal("ec2.amazonaws.com"), Undecided},
		{"the service", "Deny", `{"Service":"ec2.amazonaws.com"}`, Policies{Resource: policies(t, "r", grantTo(`"*"`))}, ServicePrincipal("ec2.amazonaws.com"), Allowed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.p.Identity = policies(t, "i", allowAll)
			tt.p.Resource = append(tt.p.Resource, policies(t, "n", `{"Effect":"`+tt.effect+`","NotPrincipal":`+tt.element+`,"Action":"s3:*","Resource":"*"}`)...)
			d := Evaluate(tt.p, Request{Principal: tt.who, Action: "s3:GetObject", Resource: object, ResourceAccount: home})
			if d.Verdict != tt.want {
				t.Errorf("got %v, want %v", d, tt.want)
			}
		})
	}
}

func TestParsePrincipal(t *testing.T) {
	for s, want := range map[string]PrincipalKind{
		roleARN: Role, sessionARN: Role, userARN: User, provider: Federated, "111122223333": RootUser, "*": Anonymous,
		"arn:aws:iam::111122223333:root": RootUser, "pods.eks.amazonaws.com": Service, "ec2.amazonaws.com.cn": Service,
		"cognito-identity.amazonaws.com": Federated, "arn:aws:iam::111122223333:saml-provider/idp": Federated,
		"": NoPrincipal, "alice": NoPrincipal, "arn:aws:iam::1:role/r": NoPrincipal, "arn:aws:s3:::b": NoPrincipal, "AROAEXAMPLE": NoPrincipal,
	} {
		p := ParsePrincipal(s)
		if p.Kind != want {
			t.Errorf("%q is %v, want %v", s, p.Kind, want)
		}
		if p.Kind != NoPrincipal && p.Kind != RootUser && p.String() != s {
			t.Errorf("%q prints as %q", s, p)
		}
	}
}
