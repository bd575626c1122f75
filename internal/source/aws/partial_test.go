package aws

import (
	"context"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/model"
)

// flaky is an EKS whose add-ons come in two pages, of which the second may fail, and whose describe fails for some.
type flaky struct {
	eksAPI
	secondPage error
	describe   map[string]error
}

func (f *flaky) ListAddons(_ context.Context, in *eks.ListAddonsInput, _ ...func(*eks.Options)) (*eks.ListAddonsOutput, error) {
	if in.NextToken == nil {
		return &eks.ListAddonsOutput{Addons: []string{"b", "a"}, NextToken: awssdk.String("2")}, nil
	}
	return &eks.ListAddonsOutput{Addons: []string{"c"}}, f.secondPage
}

func (f *flaky) DescribeAddon(_ context.Context, in *eks.DescribeAddonInput, _ ...func(*eks.Options)) (*eks.DescribeAddonOutput, error) {
	return &eks.DescribeAddonOutput{Addon: &types.Addon{AddonName: in.AddonName}}, f.describe[*in.AddonName]
}

func TestPartOfAnArea(t *testing.T) {
	notFound, broken := apiError("ResourceNotFoundException", "No addon"), apiError("ServerException", "oops")
	for _, test := range []struct {
		name  string
		eks   flaky
		names []string
		gaps  []string
	}{
		{"all", flaky{}, []string{"a", "b", "c"}, nil},
		{"one vanished between list and describe", flaky{describe: map[string]error{"b": notFound}}, []string{"a", "c"}, nil},
		{"one cannot be described", flaky{describe: map[string]error{"b": broken}}, []string{"a", "c"}, []string{"eks:DescribeAddon ServerException for b: oops"}},
		{"the second page fails", flaky{secondPage: broken}, []string{"a", "b"}, []string{"eks:ListAddons ServerException: oops"}},
		{"the cluster vanished", flaky{secondPage: notFound}, []string{"a", "b"}, []string{"eks:ListAddons ResourceNotFoundException: No addon"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &reader{collector: &collector{}, region: &region{slots: make(slots, 2), eks: &test.eks}, cluster: &model.Cluster{Name: "prod"}}
			r.readAddons(context.Background())
			var names, found []string
			for _, a := range r.cluster.Addons {
				names = append(names, a.Name)
			}
			for _, g := range gaps(r.failures, func(c *model.Cluster) string { return c.Name }, account) {
				found = append(found, g.Action+" "+g.Reason)
			}
			if diff := cmp.Diff(test.names, names); diff != "" {
				t.Errorf("add-ons (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.gaps, found); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
			if !r.cluster.Read[model.AreaAddons] {
				t.Error("the area does not count as read")
			}
		})
	}
}

// Where IAM cannot be read as a whole, what the clusters refer to is read as the sweep would have read it, and nothing else.
func TestOneByOne(t *testing.T) {
	s := fleet(t, lab.Options{PageSize: 1})
	o := options(s)
	swept := collect(t, o).Accounts[0]
	s.Deny("iam:GetAccountAuthorizationDetails")
	got := collect(t, o)
	acct := got.Accounts[0]
	want := &model.Account{
		ID: swept.ID, Partition: swept.Partition, AllClustersOf: swept.AllClustersOf, Read: swept.Read, Groups: swept.Groups, Policies: swept.Policies,
		OIDCProviders: swept.OIDCProviders, Trails: swept.Trails, Organization: swept.Organization,
	}
	for _, r := range swept.Roles {
		if r.Name != "unrelated" && r.Name != "target" {
			want.Roles = append(want.Roles, r)
		}
	}
	for _, u := range swept.Users {
		if u.Name != "unrelated" {
			want.Users = append(want.Users, u)
		}
	}
	if diff := cmp.Diff(want, acct); diff != "" {
		t.Errorf("(-sweep +one by one):\n%s", diff)
	}
	if len(got.Gaps) != 4 {
		t.Errorf("gaps %v", gapLines(got))
	}
	for _, g := range got.Gaps {
		if g.Action != "iam:GetAccountAuthorizationDetails" || g.Account != account || !strings.HasSuffix(g.Reason, "; only what the clusters refer to was read, one by one") {
			t.Errorf("gap %+v", g)
		}
	}
	o.Principals = []string{arnOf("role/target"), "arn:aws:sts::" + account + ":assumed-role/unrelated/x", arnOf("user/unrelated"), arnOf("role/deleted"), "arn:aws:iam::" + foreign + ":role/x", "nonsense"}
	more := collect(t, o)
	if diff := cmp.Diff([]any{swept.Roles, swept.Users, 4}, []any{more.Accounts[0].Roles, more.Accounts[0].Users, len(more.Gaps)}); diff != "" {
		t.Errorf("with further principals (-want +got):\n%s", diff)
	}
}

// Policies that could not be read are unknown, of a user also those of its groups.
func TestPoliciesUnknown(t *testing.T) {
	for action, user := range map[string]bool{
		"iam:ListRolePolicies": false, "iam:GetRolePolicy": false, "iam:ListAttachedRolePolicies": false,
		"iam:ListUserPolicies": true, "iam:GetUserPolicy": true, "iam:ListAttachedUserPolicies": true, "iam:ListGroupsForUser": true,
		"iam:ListGroupPolicies": true, "iam:GetGroupPolicy": true, "iam:ListAttachedGroupPolicies": true,
	} {
		t.Run(action, func(t *testing.T) {
			s := fleet(t, lab.Options{})
			s.Deny("iam:GetAccountAuthorizationDetails", action)
			acct := collect(t, options(s)).Accounts[0]
			for _, r := range acct.Roles {
				if r.Name == "app" && r.PoliciesUnknown == user {
					t.Errorf("role %s: unknown %v", r.Name, r.PoliciesUnknown)
				}
			}
			if u := acct.Users[0]; u.PoliciesUnknown != user {
				t.Errorf("user %s: unknown %v", u.Name, u.PoliciesUnknown)
			}
		})
	}
}

// Of AWS's own policies only those that something refers to are kept, boundaries included.
func TestUsedPolicies(t *testing.T) {
	const aws = "arn:aws-cn:iam::aws:policy/"
	c := &collector{account: &model.Account{
		Roles:  []*model.IAMRole{{Attached: []string{aws + "role"}, Boundary: aws + "boundary"}},
		Users:  []*model.IAMUser{{Attached: []string{aws + "user"}}},
		Groups: []*model.IAMGroup{{Attached: []string{aws + "group"}}},
	}}
	var policies []*model.IAMPolicy
	for _, arn := range []string{aws + "boundary", aws + "group", aws + "other", aws + "role", aws + "user", arnOf("policy/own")} {
		policies = append(policies, &model.IAMPolicy{ARN: arn})
	}
	var kept []string
	for _, p := range c.used(policies) {
		kept = append(kept, p.ARN)
	}
	if diff := cmp.Diff([]string{aws + "boundary", aws + "group", aws + "role", aws + "user", arnOf("policy/own")}, kept); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
