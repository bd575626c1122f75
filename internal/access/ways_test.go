package access

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

func TestActionsOn(t *testing.T) {
	for _, c := range []struct{ arn, first, has, not string }{
		{"arn:aws:s3:::orders/2026/11.csv", "s3:GetObject", "s3:PutObject", "s3:ListBucket"},
		{"arn:aws:s3:::orders", "", "s3:ListBucket", "s3:GetObject"},
		{"arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:db-AbCdEf", "", "secretsmanager:GetSecretValue", "secretsmanager:CreateSecretX"},
		{"arn:aws:sqs:us-east-1:111122223333:q", "", "sqs:SendMessage", "sqs:ListQueues"},
	} {
		got := ActionsOn(c.arn)
		if !slices.Contains(got, c.has) || slices.Contains(got, c.not) || c.first != "" && got[0] != c.first {
			t.Errorf("%s: %v", c.arn, got)
		}
	}
	for _, arn := range []string{"", "*", "arn:aws:nosuchservice:::x", "arn:aws:s3"} {
		if got := ActionsOn(arn); len(got) > 0 {
			t.Errorf("%s: %v", arn, got)
		}
	}
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		form, arn string
		want      int
	}{
		{"arn:${Partition}:s3:::${Bucket}/${Key}", "arn:aws:s3:::b/k/l", 11},
		{"arn:${Partition}:s3:::${Bucket}", "arn:aws:s3:::b/k/l", 10},
		{"arn:${Partition}:s3:::${Bucket}/${Key}", "arn:aws:s3:::b", -1},
		{"fixed", "fixed", 5},
		{"fixed", "fixed and more", -1},
		{"", "", 0},
	} {
		if got := fits(c.form, c.arn); got != c.want {
			t.Errorf("%s of %s: %d, want %d", c.arn, c.form, got, c.want)
		}
	}
}

func TestOutsiders(t *testing.T) {
	const github = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
	statement := func(principal, action, condition string) string {
		return `{"Effect":"Allow","Principal":` + principal + `,"Action":"` + action + `"` + condition + `}`
	}
	for _, c := range []struct {
		name, trust string
		want        []string
	}{
		{"its own account", statement(`{"AWS":"arn:aws:iam::111122223333:root"}`, "sts:AssumeRole", ""), nil},
		{"another account", statement(`{"AWS":"444455556666"}`, "sts:AssumeRole", ""), []string{"444455556666 allowed"}},
		{"another account, with a condition", statement(`{"AWS":"444455556666"}`, "sts:AssumeRole", `,"Condition":{"StringEquals":{"sts:ExternalId":"x"}}`), []string{"444455556666 undecided"}},
		{"one principal of another account", statement(`{"AWS":"arn:aws:iam::444455556666:role/ci"}`, "sts:AssumeRole", ""), []string{"arn:aws:iam::444455556666:role/ci allowed"}},
		{"everybody", statement(`"*"`, "sts:AssumeRole", ""), []string{"* allowed"}},
		{"everybody of the account's organization", statement(`"*"`, "sts:AssumeRole", `,"Condition":{"StringEquals":{"aws:PrincipalAccount":"111122223333"}}`), nil},
		{"a public provider", statement(`{"Federated":"`+github+`"}`, "sts:AssumeRoleWithWebIdentity", ""), []string{github + " allowed"}},
		{"a public provider, for another audience", statement(`{"Federated":"`+github+`"}`, "sts:AssumeRoleWithWebIdentity", `,"Condition":{"StringEquals":{"token.actions.githubusercontent.com:aud":"other"}}`), nil},
		{"a service", statement(`{"Service":"ec2.amazonaws.com"}`, "sts:AssumeRole", ""), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &model.IAMRole{ARN: "arn:aws:iam::111122223333:role/r", Name: "r", Trust: statements(c.trust)}
			trust := New(&model.Snapshot{}).Trust(r)
			if trust == nil {
				t.Fatal("the trust policy is not read")
			}
			var got []string
			for _, o := range trust.Outsiders(func(id string) bool { return id == "111122223333" }, func(string) bool { return false }) {
				answer := map[iam.Verdict]string{iam.Allowed: "allowed", iam.Undecided: "undecided"}[o.Verdict]
				got = append(got, o.Principal+" "+answer)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
