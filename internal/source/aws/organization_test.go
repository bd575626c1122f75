package aws

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/google/go-cmp/cmp"

	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/model"
)

// levels prints the levels of an organization with their policies, and what is not known of them.
func levels(o *model.Organization) []string {
	if o == nil {
		return []string{"none"}
	}
	lines := []string{o.ID + " " + o.ManagementAccount + " " + o.FeatureSet}
	for _, l := range o.Levels {
		line := l.ID
		for _, p := range slices.Concat(l.SCPs, l.RCPs) {
			if line += " " + p.Name; p.Document == "" {
				line += "?"
			}
		}
		lines = append(lines, line)
	}
	if o.SCPsUnknown {
		lines = append(lines, "SCPs unknown")
	}
	if o.RCPsUnknown {
		lines = append(lines, "RCPs unknown")
	}
	return lines
}

func TestOrganization(t *testing.T) {
	const denied = " AccessDeniedException"
	head := "o-example123 777788889999 ALL"
	for _, test := range []struct {
		name   string
		change func(*lab.Server, *lab.Organization)
		want   []string
		gaps   []string
		calls  int // of the organization
	}{
		{"as a delegated administrator", nil, []string{
			head, "r-ab12 FullAWSAccess RCPFullAWSAccess fence", "ou-ab12-11111111 FullAWSAccess guard RCPFullAWSAccess", "111122223333 FullAWSAccess RCPFullAWSAccess",
		}, nil, 1 + 2 + 3*2 + 4},
		{
			"as a member", func(_ *lab.Server, o *lab.Organization) { o.Delegated = nil },
			[]string{head, "SCPs unknown", "RCPs unknown"},
			[]string{"organizations:ListParents" + denied},
			2,
		},
		{"in the management account", func(_ *lab.Server, o *lab.Organization) {
			o.ManagementAccount, o.Root.Accounts[0].ID, o.Root.Units[0].Accounts[0].ID = account, account, management
		}, []string{"o-example123 111122223333 ALL", "r-ab12", "111122223333"}, nil, 2},
		{"in no organization", func(_ *lab.Server, o *lab.Organization) { o.Root.Units = nil }, []string{"none"}, nil, 1},
		{
			"bills only", func(_ *lab.Server, o *lab.Organization) { o.FeatureSet = "CONSOLIDATED_BILLING" },
			[]string{"o-example123 777788889999 CONSOLIDATED_BILLING", "r-ab12", "ou-ab12-11111111", "111122223333"},
			nil, 3,
		},
		{
			"bills only, as a member", func(_ *lab.Server, o *lab.Organization) { o.FeatureSet, o.Delegated = "CONSOLIDATED_BILLING", nil },
			[]string{"o-example123 777788889999 CONSOLIDATED_BILLING"},
			[]string{"organizations:ListParents" + denied},
			2,
		},
		{
			"one type enabled", func(_ *lab.Server, o *lab.Organization) { o.Policies, o.Root.Attached = o.Policies[:1], nil },
			[]string{head, "r-ab12 FullAWSAccess", "ou-ab12-11111111 FullAWSAccess guard", "111122223333 FullAWSAccess"},
			nil, 1 + 2 + 3*2 + 2,
		},
		{
			"lists refused", func(s *lab.Server, _ *lab.Organization) { s.Deny("organizations:ListPoliciesForTarget") },
			[]string{head, "r-ab12", "ou-ab12-11111111", "111122223333", "SCPs unknown", "RCPs unknown"},
			[]string{"organizations:ListPoliciesForTarget" + denied + " for RESOURCE_CONTROL_POLICY at r-ab12, SERVICE_CONTROL_POLICY at r-ab12"},
			1 + 2 + 2,
		},
		{
			"documents refused", func(s *lab.Server, _ *lab.Organization) { s.Deny("organizations:DescribePolicy") },
			[]string{head, "r-ab12 FullAWSAccess? RCPFullAWSAccess? fence?", "ou-ab12-11111111 FullAWSAccess? guard? RCPFullAWSAccess?", "111122223333 FullAWSAccess? RCPFullAWSAccess?"},
			[]string{"organizations:DescribePolicy" + denied + " for p-FullAWSAccess, p-RCPFullAWSAccess, p-fence123, p-guard123"},
			1 + 2 + 3*2 + 4,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := fleet(t, lab.Options{})
			o := organization()
			if test.change != nil {
				test.change(s, &o)
			}
			s.PutOrganization(o)
			s.ForgetCalls()
			got := collect(t, options(s))
			acct := got.Accounts[0]
			if diff := cmp.Diff(test.want, levels(acct.Organization)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var gaps []string
			for _, g := range got.Gaps {
				reason, _, _ := strings.Cut(g.Reason, ": ")
				gaps = append(gaps, g.Action+" "+reason)
				if g.Account != account || g.Area != string(model.AreaOrganization) {
					t.Errorf("gap %+v", g)
				}
			}
			if diff := cmp.Diff(test.gaps, gaps); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
			calls := 0
			for _, c := range s.Calls() {
				if strings.HasPrefix(c.Action, "organizations:") {
					calls++
				}
			}
			if calls != test.calls || !acct.Read[model.AreaOrganization] {
				t.Errorf("%d calls, want %d; read %v", calls, test.calls, acct.Read[model.AreaOrganization])
			}
		})
	}
}

// Whoever assumed the role that reads the account may be allowed what the account is not.
func TestOrganizationOfWhoAssumes(t *testing.T) {
	for _, test := range []struct {
		name   string
		hub    string // account of the role on the way
		change func(*lab.Server)
		want   []string
		gaps   int
	}{
		{"from the management account", management, nil, []string{"o-example123 777788889999 ALL", "r-ab12 FullAWSAccess RCPFullAWSAccess fence", foreign + " FullAWSAccess RCPFullAWSAccess"}, 0},
		{
			"from there, where the account itself may ask nothing", management, func(s *lab.Server) { s.Account(foreign, "aws").Deny("organizations:*") },
			[]string{"o-example123 777788889999 ALL", "r-ab12 FullAWSAccess RCPFullAWSAccess fence", foreign + " FullAWSAccess RCPFullAWSAccess"},
			0,
		},
		{"from another organization", "555566667777", nil, []string{"o-example123 777788889999 ALL", "SCPs unknown", "RCPs unknown"}, 1},
		{
			"from another organization, where the account itself may ask nothing", "555566667777",
			func(s *lab.Server) { s.Account(foreign, "aws").Deny("organizations:*") },
			[]string{"none"},
			1,
		},
		{"from no organization", "123456789012", nil, []string{"o-example123 777788889999 ALL", "SCPs unknown", "RCPs unknown"}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := fleet(t, lab.Options{Clock: time.Now}) // of which the SDK takes the time
			hub := s.Account(test.hub, "aws").PutRole(lab.Role{RoleName: "hub", AssumeRolePolicyDocument: trust})
			s.PutOrganization(lab.Organization{ID: "o-other12345", ManagementAccount: "555566667777", Root: lab.Unit{ID: "r-cd34", Accounts: []lab.Member{{ID: "555566667777"}}}})
			ours := organization()
			ours.Delegated = nil
			s.PutOrganization(ours)
			s.Account(foreign, "aws").Region(home).PutCluster(lab.Cluster{Name: "theirs"})
			o := options(s)
			o.RoleChain = []string{hub, s.Account(foreign, "aws").PutRole(lab.Role{RoleName: "auditor", AssumeRolePolicyDocument: trust})}
			if test.change != nil {
				test.change(s)
			}
			got := collect(t, o)
			if diff := cmp.Diff(test.want, levels(got.Accounts[0].Organization)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(got.Gaps) != test.gaps || got.Accounts[0].Read[model.AreaOrganization] != (test.want[0] != "none") {
				t.Errorf("gaps %v, read %v", gapLines(got), got.Accounts[0].Read[model.AreaOrganization])
			}
		})
	}
}

// endless is an organization in which every unit has another above it, and lists begin with an empty page.
type endless struct {
	organizationsAPI
	root bool
}

func (e *endless) ListParents(_ context.Context, in *organizations.ListParentsInput, _ ...func(*organizations.Options)) (*organizations.ListParentsOutput, error) {
	switch {
	case in.NextToken == nil:
		return &organizations.ListParentsOutput{NextToken: awssdk.String("2")}, nil
	case e.root:
		return &organizations.ListParentsOutput{Parents: []types.Parent{{Id: awssdk.String("r-1"), Type: types.ParentTypeRoot}}}, nil
	}
	return &organizations.ListParentsOutput{Parents: []types.Parent{{Id: awssdk.String("ou-1"), Type: types.ParentTypeOrganizationalUnit}}}, nil
}

func TestOrganizationLevels(t *testing.T) {
	c := &collector{account: &model.Account{ID: account}, iamSlots: make(slots, 1)}
	if got, err := c.organizationLevels(context.Background(), &endless{}); err == nil || got != nil {
		t.Errorf("levels without a root: %v, error %v", got, err)
	}
	got, err := c.organizationLevels(context.Background(), &endless{root: true})
	if diff := cmp.Diff([]model.OrganizationLevel{{ID: "r-1"}, {ID: account}}, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}
