package access

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseIdentity(t *testing.T) {
	for in, want := range map[string]Identity{
		"arn:aws:iam::111122223333:role/team/dev":             {Kind: KindIAMRole, ARN: "arn:aws:iam::111122223333:role/team/dev"},
		"arn:aws:sts::111122223333:assumed-role/dev/jane":     {Kind: KindIAMRole, ARN: "arn:aws:sts::111122223333:assumed-role/dev/jane"},
		"arn:aws-cn:iam::111122223333:user/jane":              {Kind: KindIAMUser, ARN: "arn:aws-cn:iam::111122223333:user/jane"},
		"arn:aws:iam::111122223333:root":                      {Kind: KindRoot, ARN: "arn:aws:iam::111122223333:root"},
		"arn:aws:iam::111122223333:oidc-provider/example.com": {Kind: KindPrincipal, ARN: "arn:aws:iam::111122223333:oidc-provider/example.com"},

		"sa/payments/api":                          {Kind: KindServiceAccount, Namespace: "payments", Name: "api"},
		"payments/api":                             {Kind: KindServiceAccount, Namespace: "payments", Name: "api"},
		"pod/payments/api-0":                       {Kind: KindPod, Namespace: "payments", Name: "api-0"},
		"deploy/payments/api":                      {Kind: KindWorkload, Namespace: "payments", Name: "deployment/api"},
		"cronjob/payments/nightly":                 {Kind: KindWorkload, Namespace: "payments", Name: "cronjob/nightly"},
		"user:jane":                                {Kind: KindUser, Name: "jane"},
		"user:system:serviceaccount:payments:api":  {Kind: KindServiceAccount, Namespace: "payments", Name: "api"},
		"user:system:serviceaccount:payments:a:pi": {Kind: KindUser, Name: "system:serviceaccount:payments:a:pi"},
		"group:system:masters":                     {Kind: KindGroup, Name: "system:masters"},
	} {
		got, err := ParseIdentity(in)
		if err != nil {
			t.Errorf("ParseIdentity(%q): %v", in, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParseIdentity(%q) (-want +got):\n%s", in, diff)
		}
		if again, err := ParseIdentity(got.String()); err != nil || again != got {
			t.Errorf("%q is written as %q, which reads as %v, %v", in, got, again, err)
		}
	}
	for _, in := range []string{"", "jane", "arn:aws", "sa/x", "deploy/api", "a/b/c", "sa//x", "user:", "group:", "a b/c", "sa/a/b/c", "arn:aws:s3:::shop-assets"} {
		if got, err := ParseIdentity(in); err == nil {
			t.Errorf("ParseIdentity(%q) = %v, want an error", in, got)
		}
	}
}
