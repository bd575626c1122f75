package aws_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"drawbridge/internal/lab/aws"
)

const (
	management = "777788889999"
	denyAll    = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`
)

// someOrganization has an account in a unit within a unit, and one policy of each type. Synthetic.
func someOrganization() aws.Organization {
	return aws.Organization{
		ID: "o-example123", ManagementAccount: management, Delegated: []string{other},
		Policies: []aws.OrganizationPolicy{
			{ID: "p-guard123", Name: "guard", Type: "SERVICE_CONTROL_POLICY", Content: denyAll},
			{ID: "p-fence123", Name: "fence", Type: "RESOURCE_CONTROL_POLICY", Content: denyAll},
		},
		Root: aws.Unit{
			ID: "r-ab12", Attached: []string{"p-fence123"}, Accounts: []aws.Member{{ID: management}},
			Units: []aws.Unit{{ID: "ou-ab12-11111111", Units: []aws.Unit{{
				ID: "ou-ab12-22222222", Attached: []string{"p-FullAWSAccess", "p-guard123"}, Accounts: []aws.Member{{ID: account}, {ID: other}},
			}}}},
		},
	}
}

func organizationClient(srv *aws.Server, account string) *organizations.Client {
	return organizations.NewFromConfig(noRetry(srv.Config(account, "eu-central-1")))
}

func TestOrganizations(t *testing.T) {
	srv, _, _ := newLab(t, aws.Options{PageSize: 1})
	ctx := t.Context()
	for _, id := range []string{management, other, "123456789012"} {
		srv.Account(id, "aws")
	}
	srv.PutOrganization(someOrganization())

	member := organizationClient(srv, account)
	o := must(member.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{}))(t).Organization
	equal(t, []string{"o-example123", management, "ALL", "arn:aws:organizations::777788889999:organization/o-example123"},
		[]string{*o.Id, *o.MasterAccountId, string(o.FeatureSet), *o.Arn})
	_, err := member.ListParents(ctx, &organizations.ListParentsInput{ChildId: str(account)})
	wantCode(t, err, "AccessDeniedException", 403)
	_, err = organizationClient(srv, "123456789012").DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	wantCode(t, err, "AWSOrganizationsNotInUseException", 404)

	for _, who := range []string{management, other} {
		t.Run("as "+who, func(t *testing.T) {
			equal(t, []string{
				"111122223333 SERVICE_CONTROL_POLICY p-FullAWSAccess", "111122223333 RESOURCE_CONTROL_POLICY p-RCPFullAWSAccess",
				"ORGANIZATIONAL_UNIT ou-ab12-22222222 SERVICE_CONTROL_POLICY p-FullAWSAccess", "ORGANIZATIONAL_UNIT ou-ab12-22222222 SERVICE_CONTROL_POLICY p-guard123",
				"ORGANIZATIONAL_UNIT ou-ab12-22222222 RESOURCE_CONTROL_POLICY p-RCPFullAWSAccess",
				"ORGANIZATIONAL_UNIT ou-ab12-11111111 SERVICE_CONTROL_POLICY p-FullAWSAccess", "ORGANIZATIONAL_UNIT ou-ab12-11111111 RESOURCE_CONTROL_POLICY p-RCPFullAWSAccess",
				"ROOT r-ab12 SERVICE_CONTROL_POLICY p-FullAWSAccess", "ROOT r-ab12 RESOURCE_CONTROL_POLICY p-RCPFullAWSAccess", "ROOT r-ab12 RESOURCE_CONTROL_POLICY p-fence123",
			}, climb(t, organizationClient(srv, who), account))
		})
	}
	c := organizationClient(srv, management)
	p := must(c.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: str("p-guard123")}))(t).Policy
	equal(t, []string{denyAll, "guard", "arn:aws:organizations::777788889999:policy/o-example123/service_control_policy/p-guard123"},
		[]string{*p.Content, *p.PolicySummary.Name, *p.PolicySummary.Arn})
	p = must(c.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: str("p-RCPFullAWSAccess")}))(t).Policy
	equal(t, []any{true, "arn:aws:organizations::aws:policy/resource_control_policy/p-RCPFullAWSAccess"}, []any{p.PolicySummary.AwsManaged, *p.PolicySummary.Arn})
	_, err = c.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: str("p-none1234")})
	wantCode(t, err, "PolicyNotFoundException", 404)
	_, err = c.ListParents(ctx, &organizations.ListParentsInput{ChildId: str("123456789012")})
	wantCode(t, err, "ChildNotFoundException", 404)
	_, err = c.ListPoliciesForTarget(ctx, &organizations.ListPoliciesForTargetInput{TargetId: str("123456789012"), Filter: orgtypes.PolicyTypeServiceControlPolicy})
	wantCode(t, err, "TargetNotFoundException", 404)
	_, err = c.ListPoliciesForTarget(ctx, &organizations.ListPoliciesForTargetInput{TargetId: str(account), Filter: "SOMETHING"})
	wantCode(t, err, "InvalidInputException", 400)
	srv.Deny("organizations:*")
	_, err = c.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	wantCode(t, err, "AccessDeniedException", 403)
}

// TestOrganizationWithoutPolicies: a type of policy that is not enabled has no policies anywhere.
func TestOrganizationWithoutPolicies(t *testing.T) {
	srv, _, _ := newLab(t, aws.Options{})
	srv.Account(management, "aws")
	o := someOrganization()
	o.Policies = o.Policies[:1]
	srv.PutOrganization(o)
	srv.PutOrganization(o) // replaces
	if all := climb(t, organizationClient(srv, management), account); slices.ContainsFunc(all, func(s string) bool { return s == "111122223333 RESOURCE_CONTROL_POLICY p-RCPFullAWSAccess" }) {
		t.Errorf("resource control policies without the type: %v", all)
	}
}

// climb lists the policies of an account and of every level above it.
func climb(t *testing.T, c *organizations.Client, target string) (found []string) {
	t.Helper()
	label := target
	for {
		for _, kind := range []orgtypes.PolicyType{orgtypes.PolicyTypeServiceControlPolicy, orgtypes.PolicyTypeResourceControlPolicy} {
			for p := organizations.NewListPoliciesForTargetPaginator(c, &organizations.ListPoliciesForTargetInput{TargetId: &target, Filter: kind}); p.HasMorePages(); {
				for _, one := range must(p.NextPage(t.Context()))(t).Policies {
					found = append(found, fmt.Sprintf("%s %s %s", label, one.Type, *one.Id))
				}
			}
		}
		if target[:2] == "r-" {
			return found
		}
		parents := must(c.ListParents(t.Context(), &organizations.ListParentsInput{ChildId: &target}))(t).Parents
		target, label = *parents[0].Id, string(parents[0].Type)+" "+*parents[0].Id
	}
}

// TestOrganizationAgainstMoto makes an organization in moto, seeds the lab with the same, and compares what both answer.
func TestOrganizationAgainstMoto(t *testing.T) {
	endpoint := startMoto(t)
	srv := aws.New(aws.Options{}).Start(t)
	srv.Account(motoAccount, "aws")
	cfg := noRetry(srv.Config(motoAccount, region))
	ours := organizations.NewFromConfig(cfg)
	cfg.BaseEndpoint = &endpoint
	theirs := organizations.NewFromConfig(cfg)
	ctx := t.Context()

	compare := func(name, differs string, call func(context.Context, *organizations.Client) (any, error)) {
		t.Run(name, func(t *testing.T) {
			of := func(c *organizations.Client) any {
				return outcome(t, step{name, differs, func(x context.Context, _ clients) (any, error) { return call(x, c) }}, clients{})
			}
			equal(t, of(theirs), of(ours))
		})
	}
	compare("no organization", "", func(x context.Context, c *organizations.Client) (any, error) {
		return c.DescribeOrganization(x, &organizations.DescribeOrganizationInput{})
	})

	o := must(theirs.CreateOrganization(ctx, &organizations.CreateOrganizationInput{FeatureSet: orgtypes.OrganizationFeatureSetAll}))(t).Organization
	root := *must(theirs.ListRoots(ctx, &organizations.ListRootsInput{}))(t).Roots[0].Id
	unit := *must(theirs.CreateOrganizationalUnit(ctx, &organizations.CreateOrganizationalUnitInput{ParentId: &root, Name: str("prod")}))(t).OrganizationalUnit.Id
	made := *must(theirs.CreateAccount(ctx, &organizations.CreateAccountInput{AccountName: str("a"), Email: str("a@example.com")}))(t).CreateAccountStatus.AccountId
	must(theirs.MoveAccount(ctx, &organizations.MoveAccountInput{AccountId: &made, SourceParentId: &root, DestinationParentId: &unit}))(t)
	must(theirs.EnablePolicyType(ctx, &organizations.EnablePolicyTypeInput{RootId: &root, PolicyType: orgtypes.PolicyTypeServiceControlPolicy}))(t)
	policy := must(theirs.CreatePolicy(ctx, &organizations.CreatePolicyInput{
		Name: str("guard"), Description: str(""), Type: orgtypes.PolicyTypeServiceControlPolicy, Content: str(denyAll),
	}))(t).Policy.PolicySummary
	must(theirs.AttachPolicy(ctx, &organizations.AttachPolicyInput{PolicyId: policy.Id, TargetId: &unit}))(t)
	srv.PutOrganization(aws.Organization{
		ID: *o.Id, ManagementAccount: motoAccount,
		Policies: []aws.OrganizationPolicy{{ID: *policy.Id, Name: "guard", Type: "SERVICE_CONTROL_POLICY", Content: denyAll}},
		Root: aws.Unit{ID: root, Accounts: []aws.Member{{ID: motoAccount}}, Units: []aws.Unit{{
			ID: unit, Attached: []string{"p-FullAWSAccess", *policy.Id}, Accounts: []aws.Member{{ID: made}},
		}}},
	})

	compare("organization", "MasterAccountEmail AvailablePolicyTypes", func(x context.Context, c *organizations.Client) (any, error) {
		return c.DescribeOrganization(x, &organizations.DescribeOrganizationInput{})
	})
	for _, child := range []string{made, unit} {
		compare("parents of "+child, "", func(x context.Context, c *organizations.Client) (any, error) {
			return c.ListParents(x, &organizations.ListParentsInput{ChildId: &child})
		})
	}
	for _, target := range []string{root, unit, made} { // moto gives AWS's own policy an ARN of the account
		compare("policies of "+target, "Description Arn", func(x context.Context, c *organizations.Client) (any, error) {
			return c.ListPoliciesForTarget(x, &organizations.ListPoliciesForTargetInput{TargetId: &target, Filter: orgtypes.PolicyTypeServiceControlPolicy})
		})
	}
	for _, id := range []string{*policy.Id, "p-none1234"} {
		compare("policy "+id, "Description", func(x context.Context, c *organizations.Client) (any, error) {
			return c.DescribePolicy(x, &organizations.DescribePolicyInput{PolicyId: &id})
		})
	}
}
