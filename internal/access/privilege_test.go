package access

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/awsdata"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

func statements(list ...string) model.Document {
	return model.Document(`{"Version":"2012-10-17","Statement":[` + strings.Join(list, ",") + `]}`)
}

func allow(resource string, actions ...string) string {
	return fmt.Sprintf(`{"Effect":"Allow","Action":["%s"],"Resource":"%s"}`, strings.Join(actions, `","`), resource)
}

// held lists the privileges of one role, "?" behind those that are not certain.
func held(role *model.IAMRole, policies ...*model.IAMPolicy) []string {
	role.ARN, role.Name = "arn:aws:iam::111122223333:role/app/r", "r"
	acct := &model.Account{ID: "111122223333", Partition: "aws", Roles: []*model.IAMRole{role}, Policies: policies}
	a := New(&model.Snapshot{Accounts: []*model.Account{acct}})
	var ids []string
	for _, p := range a.IAMRole(role).Privileges("eu-west-1") {
		id := p.ID
		if p.Answer == Maybe {
			id += "?"
		}
		ids = append(ids, id)
	}
	return ids
}

const tagged = `{"Effect":"Allow","Action":"iam:AttachRolePolicy","Resource":"*","Condition":{"ArnEquals":{"iam:PolicyARN":"arn:aws:iam::111122223333:policy/base"}}}`

func TestPrivileges(t *testing.T) {
	const boundary = "arn:aws:iam::111122223333:policy/limit"
	limit := func(s ...string) *model.IAMPolicy {
		return &model.IAMPolicy{ARN: boundary, Document: statements(s...)}
	}
	for _, c := range []struct {
		name     string
		inline   model.Document
		attached []string
		boundary *model.IAMPolicy
		want     []string
	}{
		{name: "nothing"},
		{name: "everything", inline: statements(allow("*", "*")), want: []string{"administrator"}},
		{name: "everything, written otherwise", inline: statements(allow("*", "*:*")), want: []string{"administrator"}},
		{
			name: "everything with a condition", want: []string{"administrator?"},
			inline: statements(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}`),
		},
		{
			name: "everything with a condition that is met", want: []string{"administrator"},
			inline: statements(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}`),
		},
		{
			name: "everything, with a deny that spares it", want: []string{"administrator"},
			inline: statements(allow("*", "*"), `{"Effect":"Deny","Action":"organizations:LeaveOrganization","Resource":"*"}`),
		},
		{name: "everything on one bucket", inline: statements(allow("arn:aws:s3:::one/*", "*"))},
		{name: "all of s3 on one bucket", inline: statements(allow("arn:aws:s3:::one/*", "s3:*"))},
		{name: "all of s3", inline: statements(allow("*", "s3:*")), want: []string{"s3:*"}},
		{name: "all of s3, every bucket by ARN", inline: statements(allow("arn:aws:s3:::*", "s3:*")), want: []string{"s3:*"}},
		{name: "reading s3", inline: statements(allow("*", "s3:Get*", "s3:List*"))},
		{name: "a bucket named by a tag", inline: statements(allow("arn:aws:s3:::${aws:PrincipalTag/team}*", "s3:*"))},
		{name: "all secrets", inline: statements(allow("*", "secretsmanager:GetSecretValue")), want: []string{"secretsmanager:GetSecretValue"}},
		{name: "attach", inline: statements(allow("arn:aws:iam::*:role/*", "iam:AttachRolePolicy")), want: []string{"iam:AttachRolePolicy"}},
		{name: "attach to roles of one path", inline: statements(allow("arn:aws:iam::*:role/team/*", "iam:AttachRolePolicy"))},
		{name: "attach to itself", inline: statements(allow("arn:aws:iam::*:role/app/*", "iam:AttachRolePolicy")), want: []string{"own-attached-policy"}},
		{name: "attach one policy", inline: statements(tagged), want: []string{"iam:AttachRolePolicy?"}},
		{name: "all of IAM", inline: statements(allow("*", "iam:*")), want: []string{"iam:*"}},
		{name: "pass one role", inline: statements(allow("arn:aws:iam::111122223333:role/node", "iam:PassRole"), allow("*", "ec2:RunInstances"))},
		{name: "pass any role, nothing to run it", inline: statements(allow("*", "iam:PassRole"))},
		{name: "pass any role to EC2", inline: statements(allow("*", "iam:PassRole", "ec2:RunInstances")), want: []string{"pass-role-ec2"}},
		{name: "pass any role, but not to EC2", inline: statements(allow("*", "ec2:RunInstances"),
			`{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"eks.amazonaws.com"}}}`)},
		{name: "a Lambda function without a way to run it", inline: statements(allow("*", "iam:PassRole", "lambda:CreateFunction"))},
		{name: "a Lambda function by URL", inline: statements(allow("*", "iam:PassRole", "lambda:Create*")), want: []string{"pass-role-lambda"}},
		{name: "commands on one instance", inline: statements(allow("arn:aws:ec2:*:*:instance/i-1", "ssm:SendCommand"), allow("arn:aws:ssm:*:*:document/*", "ssm:SendCommand"))},
		{name: "commands", inline: statements(allow("arn:aws:ec2:*:*:instance/*", "ssm:SendCommand"), allow("arn:aws:ssm:*:*:document/*", "ssm:SendCommand")), want: []string{"ssm:SendCommand"}},
		{name: "any role", inline: statements(allow("*", "sts:AssumeRole")), want: []string{"assume-any-role"}},
		{name: "one role", inline: statements(allow("arn:aws:iam::444455556666:role/dns", "sts:AssumeRole"))},
		{name: "administrator by name", attached: []string{"arn:aws-cn:iam::aws:policy/AdministratorAccess"}, want: []string{"administrator"}},
		{name: "a customer's policy of that name", attached: []string{"arn:aws:iam::111122223333:policy/AdministratorAccess"}},
		{name: "the node policies by name", attached: []string{"arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"}},
		{name: "everything within a boundary", inline: statements(allow("*", "*")), boundary: limit(allow("*", "s3:*", "lambda:Get*")), want: []string{"s3:*"}},
		{name: "everything within a boundary of reading", inline: statements(allow("*", "*")), boundary: limit(allow("*", "s3:Get*"))},
		{name: "everything within a boundary that was not read", inline: statements(allow("*", "*")), boundary: &model.IAMPolicy{ARN: boundary}, want: []string{"administrator?"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &model.IAMRole{Attached: c.attached}
			if c.inline != "" {
				r.Inline = []model.InlinePolicy{{Name: "p", Document: c.inline}}
			}
			var managed []*model.IAMPolicy
			if c.boundary != nil {
				r.Boundary, managed = boundary, append(managed, c.boundary)
			}
			if diff := cmp.Diff(c.want, held(r, managed...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPowerUser(t *testing.T) {
	got := held(&model.IAMRole{Attached: []string{"arn:aws:iam::aws:policy/PowerUserAccess"}})
	for _, id := range []string{"s3:*", "eks:*", "ssm:SendCommand", "assume-any-role"} {
		if !slices.Contains(got, id) {
			t.Errorf("%s is missing in %v", id, got)
		}
	}
	for _, id := range got {
		if id == administrator || strings.HasPrefix(id, "iam:") || strings.HasPrefix(id, "pass-role") || strings.HasPrefix(id, "organizations") {
			t.Errorf("%s: PowerUserAccess leaves IAM out", id)
		}
	}
}

func TestUnreadPolicies(t *testing.T) {
	r := &model.IAMRole{
		ARN: "arn:aws:iam::111122223333:role/r", Name: "r", PoliciesUnknown: true, Attached: []string{"arn:aws:iam::aws:policy/Other"},
		Inline: []model.InlinePolicy{{Name: "broken", Document: "{"}},
	}
	want := []string{"policies that were not listed", "inline policy broken", "arn:aws:iam::aws:policy/Other"}
	if diff := cmp.Diff(want, New(&model.Snapshot{}).IAMRole(r).Unread); diff != "" {
		t.Error(diff)
	}
}

// TestConditionsArePrinted holds the promise that no condition that was not evaluated gets lost.
func TestConditionsOfPrivilegesArePrinted(t *testing.T) {
	r := &model.IAMRole{ARN: "arn:aws:iam::111122223333:role/r", Name: "r", Inline: []model.InlinePolicy{{Name: "p", Document: statements(tagged,
		`{"Sid":"Guard","Effect":"Deny","Action":"iam:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalTag/team":"identity"}}}`)}}}
	got := New(&model.Snapshot{}).IAMRole(r).Privileges("eu-west-1")
	if len(got) != 1 {
		t.Fatalf("%d privileges", len(got))
	}
	want := []string{
		"only if ArnEquals iam:PolicyARN = arn:aws:iam::111122223333:policy/base",
		"unless denied by Guard of inline policy p, if StringNotEquals aws:PrincipalTag/team = identity",
	}
	if diff := cmp.Diff(want, got[0].If); diff != "" {
		t.Error(diff)
	}
}

// BenchmarkPrivileges asks 5,000 roles with documents of their own.
func BenchmarkPrivileges(b *testing.B) {
	acct := &model.Account{ID: "111122223333", Partition: "aws"}
	for i := range 5000 {
		doc := statements(allow(fmt.Sprintf("arn:aws:s3:::team-%d/*", i), "s3:GetObject", "s3:PutObject", "s3:List*"), allow("*", "logs:*", "ec2:Describe*"),
			allow(fmt.Sprintf("arn:aws:iam::111122223333:role/team-%d", i), "iam:PassRole", "sts:AssumeRole"))
		acct.Roles = append(acct.Roles, &model.IAMRole{ARN: fmt.Sprintf("arn:aws:iam::111122223333:role/team-%d", i), Inline: []model.InlinePolicy{{Name: "p", Document: doc}}})
	}
	s := &model.Snapshot{Accounts: []*model.Account{acct}}
	for b.Loop() {
		a := New(s)
		for _, p := range a.IAMPrincipals(acct) {
			p.Privileges("eu-west-1")
		}
	}
}

// TestAskedActions holds what is asked for to the Service Authorization Reference: the actions exist in this spelling, and
// take the resources that they are asked on; "*" is for actions without resource types, and else only statements on
// everything would be seen.
func TestAskedActions(t *testing.T) {
	p := &IAMPrincipal{ARN: "arn:aws:iam::111122223333:role/r", arn: iam.ARN{Partition: "aws", Service: "iam", Account: "111122223333", Resource: "role/r"}}
	for i := range privileges {
		for _, way := range privileges[i].ways {
			for _, n := range way {
				if strings.HasSuffix(n.action, ":"+anyAction) {
					continue
				}
				a, ok := awsdata.Action(n.action)
				if !ok || a.Name != n.action {
					t.Errorf("%s: %s is not an action of AWS (%q)", privileges[i].id, n.action, a.Name)
					continue
				}
				switch resource := p.fill(n.resource, "eu-west-1"); {
				case n.resource == ownUser || n.resource == ownPolicy:
				case n.resource == everywhere && len(a.ResourceTypes) > 0:
					t.Errorf("%s: %s is asked on *, and takes resources: %v", privileges[i].id, n.action, a.ResourceTypes)
				case !a.Takes(resource):
					t.Errorf("%s: %s takes no %s, but %v", privileges[i].id, n.action, resource, a.ResourceTypes)
				}
			}
		}
	}
	for _, action := range askedFor().names {
		if a, ok := awsdata.Action(action); !strings.HasSuffix(action, ":"+anyAction) && (!ok || a.Name != action) {
			t.Errorf("%s is not an action of AWS", action)
		}
	}
}
