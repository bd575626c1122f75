package iam

import (
	"strings"
	"testing"
)

// All accounts, roles and policies in the tests of this package are made up.
const (
	roleARN    = "arn:aws:iam::111122223333:role/app/reader"
	sessionARN = "arn:aws:sts::111122223333:assumed-role/reader/alice"
	userARN    = "arn:aws:iam::111122223333:user/carlos"
	object     = "arn:aws:s3:::bucket/key"
	oidc       = "oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
	provider   = "arn:aws:iam::111122223333:oidc-provider/" + oidc
	home       = "111122223333"
	abroad     = "444455556666"
)

// policy parses statements, given as JSON objects.
func policy(t testing.TB, statements ...string) *Policy {
	t.Helper()
	p, err := Parse([]byte(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func policies(t testing.TB, name string, statements ...string) []Named {
	t.Helper()
	return []Named{{name, policy(t, statements...)}}
}

func session() Principal { return RoleSession(roleARN, "alice") }

const (
	allowAll = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	allowGet = `{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}`
	allowEC2 = `{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`
	denyGet  = `{"Sid":"NoReading","Effect":"Deny","Action":"s3:Get*","Resource":"*"}`
)

func grantTo(principal string) string {
	return `{"Effect":"Allow","Principal":` + principal + `,"Action":"s3:*","Resource":"*"}`
}

func trustOf(principal, rest string) string {
	return `{"Effect":"Allow","Principal":` + principal + `,"Action":["sts:AssumeRole","sts:AssumeRoleWithWebIdentity","sts:TagSession"]` + rest + `}`
}

// TestEvaluateWithinAccount covers "Policy evaluation for requests within a single account" and "How AWS
// enforcement code logic evaluates requests to allow or deny access" (IAM User Guide, 2026-11).
func TestEvaluateWithinAccount(t *testing.T) {
	ec2 := policies(t, "b", allowEC2)
	tests := []struct {
		name string
		p    Policies
		who  Principal
		want Verdict
	}{
		{"no policy", Policies{}, session(), Denied},
		{"identity allows", Policies{Identity: policies(t, "i", allowGet)}, session(), Allowed},
		{"explicit deny wins", Policies{Identity: policies(t, "i", allowAll, denyGet)}, session(), Denied},
		{"boundary limits", Policies{Identity: policies(t, "i", allowAll), Boundary: &ec2[0]}, session(), Denied},
		{"session policy limits", Policies{Identity: policies(t, "i", allowAll), Session: ec2}, session(), Denied},
		{"session policy allows", Policies{Identity: policies(t, "i", allowAll), Session: policies(t, "s", allowGet)}, session(), Allowed},
		{"an empty session policy allows nothing", Policies{Identity: policies(t, "i", allowAll), Session: []Named{}}, session(), Denied},
		{"each SCP level must allow", Policies{Identity: policies(t, "i", allowAll), SCP: [][]Named{policies(t, "root", allowAll), ec2}}, session(), Denied},
		{"one SCP of a level suffices", Policies{Identity: policies(t, "i", allowAll), SCP: [][]Named{append(policies(t, "root", allowAll), ec2...)}}, session(), Allowed},
		{"an SCP alone allows nothing", Policies{SCP: [][]Named{policies(t, "root", allowAll)}}, session(), Denied},
		{"RCP denies", Policies{Identity: policies(t, "i", allowAll), RCP: [][]Named{policies(t, "root",
			`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`,
			`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}`)}}, session(), Denied},
		{
			"service-linked roles are outside SCPs",
			Policies{Identity: policies(t, "i", allowAll), SCP: [][]Named{ec2}},
			RoleSession("arn:aws:iam::111122223333:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS", "x"), Allowed,
		},
		{"root has full access", Policies{}, ParsePrincipal(home), Allowed},
		{"root is under SCPs", Policies{SCP: [][]Named{ec2}}, ParsePrincipal(home), Denied},
		{"resource policy to the user", Policies{Resource: policies(t, "r", grantTo(`{"AWS":"`+userARN+`"}`)), Boundary: &ec2[0]}, ParsePrincipal(userARN), Allowed},
		{"resource policy to the role", Policies{Resource: policies(t, "r", grantTo(`{"AWS":"`+roleARN+`"}`))}, session(), Allowed},
		{"resource policy to the role, boundary limits", Policies{Resource: policies(t, "r", grantTo(`{"AWS":"`+roleARN+`"}`)), Boundary: &ec2[0]}, session(), Denied},
		{"resource policy to the role, session policy limits", Policies{Resource: policies(t, "r", grantTo(`{"AWS":"`+roleARN+`"}`)), Session: ec2}, session(), Denied},
		{"resource policy to the session", Policies{Resource: policies(t, "r", grantTo(`{"AWS":"`+sessionARN+`"}`)), Boundary: &ec2[0], Session: ec2}, session(), Allowed},
		{"resource policy to a session, name unknown", Policies{Resource: policies(t, "r", grantTo(`{"AWS":"`+sessionARN+`"}`))}, RoleSession(roleARN, ""), Undecided},
		{"resource policy to the account only delegates", Policies{Resource: policies(t, "r", grantTo(`{"AWS":"`+home+`"}`))}, session(), Denied},
		{"resource policy to everyone", Policies{Resource: policies(t, "r", grantTo(`"*"`))}, session(), Allowed},
		{"resource policy to everyone, boundary limits", Policies{Resource: policies(t, "r", grantTo(`"*"`)), Boundary: &ec2[0]}, session(), Undecided},
		{"resource policy to everyone with this role's ARN, boundary does not limit", Policies{Resource: policies(t, "r",
			`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"ArnEquals":{"aws:PrincipalArn":"`+roleARN+`"}}}`), Boundary: &ec2[0]}, session(), Allowed},
		{"resource policy to a service", Policies{Resource: policies(t, "r", grantTo(`{"Service":"pods.eks.amazonaws.com"}`))}, ServicePrincipal("pods.eks.amazonaws.com"), Allowed},
		{"anonymous", Policies{Resource: policies(t, "r", grantTo(`{"AWS":"*"}`))}, ParsePrincipal("*"), Allowed},
		{"identity policies not read", Policies{Unread: []Layer{IdentityPolicy}}, session(), Undecided},
		{"SCPs not read", Policies{Identity: policies(t, "i", allowGet), Unread: []Layer{SCP}}, session(), Undecided},
		{"SCPs not read change no denial", Policies{Identity: policies(t, "i", denyGet), Unread: []Layer{SCP}}, session(), Denied},
		{"nothing known of the principal", Policies{Identity: policies(t, "i", allowGet)}, Principal{}, Undecided},
		{"federated user without session policy", Policies{Identity: policies(t, "i", allowAll)}, ParsePrincipal("arn:aws:sts::111122223333:federated-user/carlos"), Denied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Evaluate(tt.p, Request{Principal: tt.who, Action: "s3:GetObject", Resource: object, ResourceAccount: home})
			if d.Verdict != tt.want {
				t.Errorf("got %v, want %v", d.String(), tt.want)
			}
		})
	}
}

// TestEvaluateAcrossAccounts covers "Cross-account policy evaluation logic" (IAM User Guide, 2026-11).
func TestEvaluateAcrossAccounts(t *testing.T) {
	mine := policies(t, "i", allowGet)
	for _, tt := range []struct {
		name, account string
		identity      []Named
		principal     string
		want          Verdict
	}{
		{"both allow", abroad, mine, `{"AWS":"` + roleARN + `"}`, Allowed},
		{"both allow, to the account", abroad, mine, `{"AWS":"arn:aws:iam::111122223333:root"}`, Allowed},
		{"only the resource", abroad, nil, `{"AWS":"` + sessionARN + `"}`, Denied},
		{"only the identity", abroad, mine, `{"AWS":"777788889999"}`, Denied},
		{"account of the bucket unknown, both allow", "", mine, `"*"`, Allowed},
		{"account of the bucket unknown, identity allows", "", mine, `{"AWS":"777788889999"}`, Undecided},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := Policies{Identity: tt.identity, Resource: policies(t, "r", grantTo(tt.principal))}
			d := Evaluate(p, Request{Principal: session(), Action: "s3:GetObject", Resource: object, ResourceAccount: tt.account})
			if d.Verdict != tt.want {
				t.Errorf("got %v, want %v", d.String(), tt.want)
			}
		})
	}
}

// TestTrust covers role trust policies: they must always allow ("IAM roles: Compare to resource-based
// policies", 2026-11), and an allowed verdict on an unknown context means trust without conditions.
func TestTrust(t *testing.T) {
	may := policies(t, "i", `{"Effect":"Allow","Action":"sts:*","Resource":"*"}`)
	sub := `,"Condition":{"StringEquals":{"` + oidc + `:sub":"system:serviceaccount:shop:cart"}}`
	cluster := `,"Condition":{"ArnEquals":{"aws:SourceArn":"arn:aws:eks:eu-central-1:111122223333:cluster/prod"}}`
	for _, tt := range []struct {
		name     string
		identity []Named
		trust    string
		who      Principal
		want     Verdict
	}{
		{"identity alone", may, trustOf(`{"AWS":"777788889999"}`, ""), session(), Denied},
		{"role itself", nil, trustOf(`{"AWS":"`+roleARN+`"}`, ""), session(), Allowed},
		{"account without identity policy", nil, trustOf(`{"AWS":"111122223333"}`, ""), session(), Denied},
		{"account with identity policy", may, trustOf(`{"AWS":"111122223333"}`, ""), session(), Allowed},
		{"pods, bare", nil, trustOf(`{"Service":"pods.eks.amazonaws.com"}`, ""), ServicePrincipal("pods.eks.amazonaws.com"), Allowed},
		{"pods, conditioned", nil, trustOf(`{"Service":"pods.eks.amazonaws.com"}`, cluster), ServicePrincipal("pods.eks.amazonaws.com"), Undecided},
		{"another service", nil, trustOf(`{"Service":"ec2.amazonaws.com"}`, ""), ServicePrincipal("pods.eks.amazonaws.com"), Denied},
		{"provider, no sub", nil, trustOf(`{"Federated":"`+provider+`"}`, ""), FederatedPrincipal(provider), Allowed},
		{"provider, sub", nil, trustOf(`{"Federated":"`+provider+`"}`, sub), FederatedPrincipal(provider), Undecided},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := Policies{Identity: tt.identity, Trust: &Named{"trust", policy(t, tt.trust)}}
			d := Evaluate(p, Request{Principal: tt.who, Action: "sts:AssumeRole", Resource: "arn:aws:iam::111122223333:role/target"})
			if d.Verdict != tt.want {
				t.Errorf("got %v, want %v", d.String(), tt.want)
			}
		})
	}
	t.Run("trust policy not given", func(t *testing.T) {
		d := Evaluate(Policies{Identity: may}, Request{Principal: session(), Action: "sts:AssumeRole", Resource: "arn:aws:iam::111122223333:role/target"})
		if d.Verdict != Undecided {
			t.Errorf("got %v", d.Verdict)
		}
	})
}
