package access

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/awsdata"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// TestManagedPolicyCopy holds the order: what the snapshot has goes first, then our copy, which says so.
func TestManagedPolicyCopy(t *testing.T) {
	const arn = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
	_, version, ok := awsdata.ManagedPolicy(arn)
	if !ok {
		t.Fatal("there is no copy to test with")
	}
	copied := "AWS managed policy AmazonS3FullAccess " + version + ", drawbridge's copy of " + awsdata.ManagedPoliciesDate()
	limit := statements(allow("*", "s3:*", "ec2:*"))
	for _, c := range []struct {
		name, attached, boundary string
		policies                 []*model.IAMPolicy
		want, unread             []string
		source                   []string // of the evidence of the first privilege
		copied                   []string
	}{
		{
			name: "a copy", attached: arn,
			want: []string{"s3:*"}, source: []string{copied + ", statement 1"}, copied: []string{copied},
		},
		{
			name: "of another partition", attached: strings.Replace(arn, "aws", "aws-us-gov", 1),
			want: []string{"s3:*"}, source: []string{copied + " from partition aws, statement 1"}, copied: []string{copied + " from partition aws"},
		},
		{
			name: "the account's document goes first", attached: arn,
			policies: []*model.IAMPolicy{{ARN: arn, Version: "v9", Document: statements(allow("*", "kms:*"))}},
			want:     []string{"kms:*"}, source: []string{"IAMPolicy " + arn + ", statement 1"},
		},
		{
			name: "the account's document cannot be parsed", attached: arn,
			policies: []*model.IAMPolicy{{ARN: arn, Version: version, Document: "{"}}, unread: []string{arn},
		},
		{
			name: "the account's version is ours", attached: arn,
			policies: []*model.IAMPolicy{{ARN: arn, Version: version}}, want: []string{"s3:*"}, source: []string{copied + ", statement 1"}, copied: []string{copied},
		},
		{
			name: "the account's version is another", attached: arn,
			policies: []*model.IAMPolicy{{ARN: arn, Version: "v9999"}}, unread: []string{arn},
		},
		{name: "a name that AWS does not have", attached: "arn:aws:iam::aws:policy/AmazonNothing", unread: []string{"arn:aws:iam::aws:policy/AmazonNothing"}},
		{name: "a customer's policy of that name", attached: "arn:aws:iam::111122223333:policy/AmazonS3FullAccess", unread: []string{"arn:aws:iam::111122223333:policy/AmazonS3FullAccess"}},
		{
			name: "a boundary", attached: "arn:aws:iam::111122223333:policy/mine", boundary: arn,
			policies: []*model.IAMPolicy{{ARN: "arn:aws:iam::111122223333:policy/mine", Document: limit}},
			want:     []string{"s3:*"}, source: []string{"IAMPolicy arn:aws:iam::111122223333:policy/mine, statement 1", copied}, copied: []string{copied},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			role := &model.IAMRole{ARN: "arn:aws:iam::111122223333:role/r", Name: "r", Attached: []string{c.attached}, Boundary: c.boundary}
			acct := &model.Account{ID: "111122223333", Roles: []*model.IAMRole{role}, Policies: c.policies}
			p := New(&model.Snapshot{Accounts: []*model.Account{acct}}).IAMRole(role)
			var ids, source []string
			for i, v := range p.Privileges("eu-west-1") {
				if ids = append(ids, v.ID); i == 0 {
					source = sources(v.Why)
				}
			}
			if diff := cmp.Diff(c.want, ids); diff != "" {
				t.Error("privileges", diff)
			}
			if diff := cmp.Diff(c.source, source); diff != "" {
				t.Error("evidence", diff)
			}
			if diff := cmp.Diff(c.unread, p.Unread); diff != "" {
				t.Error("unread", diff)
			}
			if diff := cmp.Diff(c.copied, sources(p.Copied())); diff != "" {
				t.Error("copies", diff)
			}
		})
	}
}

func sources(evidence []finding.Evidence) []string {
	var all []string
	for _, e := range evidence {
		all = append(all, e.Source)
	}
	return all
}
