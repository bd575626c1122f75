package access

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

const (
	testIssuer      = "oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
	dualStackIssuer = "oidc-eks.us-east-1.api.aws/id/0123456789ABCDEF0123456789ABCDEF"
	foreignIssuer   = "oidc.eks.us-east-1.amazonaws.com/id/FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
	chinaIssuer     = "oidc.eks.cn-north-1.amazonaws.com.cn/id/0123456789ABCDEF0123456789ABCDEF"
)

// web lets tokens of an issuer in; I in the condition stands for the issuer.
func web(issuer, condition string) string {
	return `{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/` + issuer +
		`"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{` + strings.ReplaceAll(condition, "I:", issuer+":") + `}}`
}

func china(s string) string { return strings.ReplaceAll(s, "arn:aws:", "arn:aws-cn:") }

const aud = `"StringEquals":{"I:aud":"sts.amazonaws.com"}`

func TestWebIdentity(t *testing.T) {
	exact := `"StringEquals":{"I:aud":"sts.amazonaws.com","I:sub":"system:serviceaccount:payments:api"}`
	tests := []struct {
		name  string
		role  string
		trust []string
		token WebToken
		want  iam.Verdict
		why   string
	}{
		{"exact", testRole, []string{web(testIssuer, exact)}, WebToken{}, iam.Allowed, ""},
		{"another service account", testRole, []string{web(testIssuer, exact)}, WebToken{Subject: Subject("payments", "web")}, iam.Denied, "system:serviceaccount:payments:api does not hold"},
		{"another audience", testRole, []string{web(testIssuer, exact)}, WebToken{Audience: "vault"}, iam.Denied, "aud = sts.amazonaws.com does not hold"},
		{"foreign issuer", testRole, []string{web(foreignIssuer, exact)}, WebToken{}, iam.Denied, "the issuer of another cluster"},
		{"dual-stack issuer", testRole, []string{web(dualStackIssuer, exact)}, WebToken{}, iam.Denied, "the same cluster by another address"},
		{"dual-stack token, dual-stack trust", testRole, []string{web(dualStackIssuer, exact)}, WebToken{Issuer: dualStackIssuer}, iam.Allowed, ""},
		{"dual-stack key under the right provider", testRole, []string{strings.ReplaceAll(web(testIssuer, exact), `"`+testIssuer+`:sub`, `"`+dualStackIssuer+`:sub`)}, WebToken{}, iam.Denied, "dual-stack"},
		{"several issuers", testRole, []string{web(foreignIssuer, exact), web(testIssuer, exact)}, WebToken{}, iam.Allowed, ""},
		{"literal *", testRole, []string{web(testIssuer, `"StringEquals":{"I:sub":"system:serviceaccount:payments:*"}`)}, WebToken{}, iam.Denied, "takes * and ? for ordinary characters"},
		{"StringLike", testRole, []string{web(testIssuer, `"StringLike":{"I:sub":"system:serviceaccount:payments:*"}`)}, WebToken{}, iam.Allowed, ""},
		{"provider of a foreign account", "arn:aws:iam::444455556666:role/app", []string{web(testIssuer, exact)}, WebToken{}, iam.Denied, "a provider of account 111122223333"},
		{"other providers and kinds of principals beside it", testRole, []string{web(testIssuer, `"StringEquals":{"I:sub":"system:serviceaccount:shop:web"}`), web("gitlab.example.org", ""), `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole"}`}, WebToken{}, iam.Denied, "system:serviceaccount:shop:web does not hold"},
		{"GitLab only", testRole, []string{web("gitlab.example.org", "")}, WebToken{}, iam.Denied, "it trusts arn:aws:iam::111122223333:oidc-provider/gitlab.example.org"},
		{"another provider denied", testRole, []string{`{"Sid":"D","Effect":"Deny","Principal":"*","Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"` + testIssuer + `:sub":"system:serviceaccount:payments:web"}}}`}, WebToken{}, iam.Denied, "no statement allows"},
		{"no web identity", testRole, []string{pods("")}, WebToken{}, iam.Denied, "no statement allows"},
		{"China", "arn:aws-cn:iam::111122223333:role/app", []string{china(web(chinaIssuer, exact))}, WebToken{Issuer: chinaIssuer}, iam.Allowed, ""},
		{"a key of another issuer is absent", testRole, []string{web(testIssuer, `"StringEqualsIfExists":{"`+foreignIssuer+`:sub":"system:serviceaccount:shop:web"}`)}, WebToken{}, iam.Allowed, ""},
		{"address", testRole, []string{web(testIssuer, exact+`,"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}`)}, WebToken{}, iam.Undecided, ""},
		{"session name, which the bearer chooses", testRole, []string{web(testIssuer, exact+`,"StringLike":{"sts:RoleSessionName":"api-*"}`)}, WebToken{}, iam.Allowed, ""},
		{"denied", testRole, []string{web(testIssuer, exact), `{"Sid":"Not","Effect":"Deny","Principal":"*","Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringLike":{"` + testIssuer + `:sub":"system:serviceaccount:payments:*"}}}`}, WebToken{}, iam.Denied, "Not denies it"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if tc.token.Issuer == "" {
				tc.token.Issuer = testIssuer
			}
			if tc.token.Subject == "" {
				tc.token.Subject = Subject("payments", "api")
			}
			if tc.token.Audience == "" {
				tc.token.Audience = IRSAAudience
			}
			trust := trustOf(t, tc.role, tc.trust...)
			if got := trust.WebIdentity(tc.token); got.Verdict != tc.want {
				t.Errorf("%v, want %v; %+v", got.Verdict, tc.want, got)
			}
			if why := strings.Join(trust.WhyNot(tc.token), "; "); tc.want == iam.Denied && (tc.why == "" || !strings.Contains(why, tc.why)) {
				t.Errorf("why not: %q, want %q", why, tc.why)
			}
		})
	}
}

func TestOpenings(t *testing.T) {
	sub := func(operator, value string) string {
		return aud + `,"` + operator + `":{"I:sub":"` + value + `"}`
	}
	tests := []struct {
		name      string
		condition string
		want      string // pattern, with ! for any namespace and "any" for any subject
		needs     string
	}{
		{"exact", sub("StringLike", "system:serviceaccount:payments:api"), "", ""},
		{"no subject", aud, "any", ""},
		{"no condition at all", "", "any", ""},
		{"all", sub("StringLike", "*"), "any", ""},
		{"all service accounts", sub("StringLike", "system:serviceaccount:*"), "any", ""},
		{"a namespace", sub("StringLike", "system:serviceaccount:payments:*"), "system:serviceaccount:payments:*", ""},
		{"a name in every namespace", sub("StringLike", "system:serviceaccount:*:external-dns"), "system:serviceaccount:*:external-dns!", ""},
		{"namespaces by prefix", sub("StringLike", "system:serviceaccount:team-*:api"), "system:serviceaccount:team-*:api!", ""},
		{"prefix across the colon", sub("StringLike", "system:serviceaccount:pay*"), "system:serviceaccount:pay*!", ""},
		{"names by prefix", sub("StringLike", "system:serviceaccount:payments:api-*"), "system:serviceaccount:payments:api-*", ""},
		{"the name ends", sub("StringLike", "*:api"), "*:api!", ""},
		{"a * for what is always there", sub("StringLike", "*:payments:api"), "", ""},
		{"one character", sub("StringLike", "system:serviceaccount:payments:ap?"), "system:serviceaccount:payments:ap?", ""},
		{"literal *", `"StringEquals":{"I:aud":"sts.amazonaws.com","I:sub":"system:serviceaccount:payments:*"}`, "", ""},
		{"literal * with ForAllValues", sub("ForAllValues:StringEquals", "system:serviceaccount:payments:*"), "", ""},
		{"all but one", sub("StringNotEquals", "system:serviceaccount:dev:default"), "any", ""},
		{"the wrong issuer's key with IfExists", aud + `,"StringEqualsIfExists":{"` + foreignIssuer + `:sub":"system:serviceaccount:payments:api"}`, "any", ""},
		{"the wrong issuer's key with ForAllValues", aud + `,"ForAllValues:StringEquals":{"` + foreignIssuer + `:sub":"system:serviceaccount:payments:api"}`, "any", ""},
		{"from an address", aud + `,"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}`, "any", "IpAddress aws:SourceIp = 192.0.2.0/24"},
		{"custom audience is the bearer's choice", `"StringEquals":{"I:aud":"vault"}`, "any", ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var got, needs []string
			for _, o := range trustOf(t, testRole, web(testIssuer, tc.condition)).Openings(testIssuer) {
				switch {
				case o.Pattern == "":
					got = append(got, "any")
				case o.AnyNamespace:
					got = append(got, o.Pattern+"!")
				default:
					got = append(got, o.Pattern)
				}
				needs = append(needs, o.If...)
			}
			if s := strings.Join(got, " "); s != tc.want {
				t.Errorf("got %q, want %q", s, tc.want)
			}
			if s := strings.Join(needs, "; "); s != tc.needs {
				t.Errorf("if %q, want %q", s, tc.needs)
			}
		})
	}
}

func TestAnyAudience(t *testing.T) {
	tests := []struct {
		name, condition string
		want            iam.Verdict
	}{
		{"bound", `"StringEquals":{"I:aud":"sts.amazonaws.com","I:sub":"system:serviceaccount:payments:api"}`, iam.Denied},
		{"missing", `"StringEquals":{"I:sub":"system:serviceaccount:payments:api"}`, iam.Allowed},
		{"nothing", ``, iam.Allowed},
		{"any", `"StringLike":{"I:aud":"*"}`, iam.Allowed},
		{"a * that is none", `"StringEquals":{"I:aud":"*"}`, iam.Denied},
		{"of another issuer, if it exists", `"StringEqualsIfExists":{"` + foreignIssuer + `:aud":"sts.amazonaws.com"}`, iam.Allowed},
		{"missing, from an address", `"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}`, iam.Undecided},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := trustOf(t, testRole, web(testIssuer, tc.condition)).AnyAudience(testIssuer); got.Verdict != tc.want {
				t.Errorf("%v, want %v; %+v", got.Verdict, tc.want, got)
			}
		})
	}
}

func TestIssuer(t *testing.T) {
	c := &model.Cluster{}
	k := New(&model.Snapshot{Clusters: []*model.Cluster{c}}).Cluster(c)
	if got := k.Issuer(); got != "" {
		t.Errorf("without a description: %q", got)
	}
	c.Description = &model.Description{Issuer: "https://" + testIssuer + "/"}
	if got := k.Issuer(); got != testIssuer {
		t.Errorf("got %q", got)
	}
}

func TestTrusts(t *testing.T) {
	trust := trustOf(t, testRole, web(testIssuer, aud), strings.ReplaceAll(web(testIssuer, ""), "Federated", "AWS"), pods(""))
	if !trust.Trusts(testIssuer) || trust.Trusts(foreignIssuer) {
		t.Errorf("own %v, foreign %v", trust.Trusts(testIssuer), trust.Trusts(foreignIssuer))
	}
}

func TestProviders(t *testing.T) {
	got := trustOf(t, testRole, web(testIssuer, aud), web(foreignIssuer, aud), web(testIssuer, ""), pods(""),
		strings.Replace(web(chinaIssuer, aud), "Allow", "Deny", 1), `{"Effect":"Allow","Principal":{"Federated":"accounts.google.com"},"Action":"sts:*"}`).Providers()
	const prefix = "arn:aws:iam::111122223333:oidc-provider/"
	if diff := cmp.Diff([]string{prefix + testIssuer, prefix + foreignIssuer}, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseEKSIssuer(t *testing.T) {
	tests := []struct {
		issuer string
		want   EKSIssuer
		ok     bool
	}{
		{"https://" + testIssuer, EKSIssuer{Region: "us-east-1", ID: "0123456789ABCDEF0123456789ABCDEF"}, true},
		{dualStackIssuer, EKSIssuer{Region: "us-east-1", ID: "0123456789ABCDEF0123456789ABCDEF", DualStack: true}, true},
		{chinaIssuer, EKSIssuer{Region: "cn-north-1", ID: "0123456789ABCDEF0123456789ABCDEF"}, true},
		{"oidc-eks.cn-north-1.api.amazonwebservices.com.cn/id/AB", EKSIssuer{Region: "cn-north-1", ID: "AB", DualStack: true}, true},
		{"token.actions.githubusercontent.com", EKSIssuer{}, false},
		{"oidc.eks.us-east-1.amazonaws.com/id/", EKSIssuer{}, false},
		{"oidc.eks.us-east-1.amazonaws.com.example.org/id/AB", EKSIssuer{}, false},
		{"oidc-eks.us-east-1.api.aws.example.org/id/AB", EKSIssuer{}, false},
		{"oidc.eks.us-east-1.amazonaws.com", EKSIssuer{}, false},
		{"oidc.eks.us-east-1.amazonaws.com/id/AB/CD", EKSIssuer{}, false},
		{"", EKSIssuer{}, false},
	}
	for _, tc := range tests {
		if got, ok := ParseEKSIssuer(tc.issuer); got != tc.want || ok != tc.ok {
			t.Errorf("%q: %+v %v", tc.issuer, got, ok)
		}
	}
}
