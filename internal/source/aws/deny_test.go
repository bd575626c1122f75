package aws

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/model"
)

// denied is what is not read of cluster prod and its account when one action is refused: the areas with a gap, and of
// these the ones that still count as read, because something of them was. Actions that only the fallback calls are
// refused together with the sweep.
var denied = map[string]struct{ gaps, read []model.Area }{
	"cloudtrail:DescribeTrails":           {gaps: []model.Area{model.AreaTrails}},
	"cloudtrail:GetEventSelectors":        {gaps: []model.Area{model.AreaTrails}, read: []model.Area{model.AreaTrails}},
	"cloudtrail:GetTrailStatus":           {gaps: []model.Area{model.AreaTrails}, read: []model.Area{model.AreaTrails}},
	"ec2:DescribeInstances":               {gaps: []model.Area{model.AreaInstances}},
	"ec2:DescribeLaunchTemplateVersions":  {gaps: []model.Area{model.AreaLaunchTemplates}},
	"eks:DescribeAccessEntry":             {gaps: []model.Area{model.AreaAccessEntries}, read: []model.Area{model.AreaAccessEntries}},
	"eks:DescribeAddon":                   {gaps: []model.Area{model.AreaAddons}, read: []model.Area{model.AreaAddons}},
	"eks:DescribeCapability":              {gaps: []model.Area{model.AreaCapabilities}, read: []model.Area{model.AreaCapabilities}},
	"eks:DescribeCluster":                 {gaps: []model.Area{model.AreaCluster}},
	"eks:DescribeFargateProfile":          {gaps: []model.Area{model.AreaFargateProfiles}, read: []model.Area{model.AreaFargateProfiles}},
	"eks:DescribeIdentityProviderConfig":  {gaps: []model.Area{model.AreaIdentityProviders}, read: []model.Area{model.AreaIdentityProviders}},
	"eks:DescribeNodegroup":               {gaps: []model.Area{model.AreaLaunchTemplates, model.AreaNodegroups}, read: []model.Area{model.AreaNodegroups}},
	"eks:DescribePodIdentityAssociation":  {gaps: []model.Area{model.AreaPodIdentityAssociations}, read: []model.Area{model.AreaPodIdentityAssociations}},
	"eks:ListAccessEntries":               {gaps: []model.Area{model.AreaAccessEntries, model.AreaPolicyAssociations}},
	"eks:ListAccessPolicies":              {gaps: []model.Area{model.AreaAccessPolicies}},
	"eks:ListAddons":                      {gaps: []model.Area{model.AreaAddons}},
	"eks:ListAssociatedAccessPolicies":    {gaps: []model.Area{model.AreaPolicyAssociations}},
	"eks:ListCapabilities":                {gaps: []model.Area{model.AreaCapabilities}},
	"eks:ListFargateProfiles":             {gaps: []model.Area{model.AreaFargateProfiles}},
	"eks:ListIdentityProviderConfigs":     {gaps: []model.Area{model.AreaIdentityProviders}},
	"eks:ListNodegroups":                  {gaps: []model.Area{model.AreaLaunchTemplates, model.AreaNodegroups}},
	"eks:ListPodIdentityAssociations":     {gaps: []model.Area{model.AreaPodIdentityAssociations}},
	"iam:GetAccountAuthorizationDetails":  {gaps: iamAreas, read: iamAreas},
	"iam:GetGroupPolicy":                  {gaps: []model.Area{model.AreaIAMGroups}, read: iamAreas},
	"iam:GetInstanceProfile":              {gaps: []model.Area{model.AreaIAMRoles}, read: iamAreas},
	"iam:GetOpenIDConnectProvider":        {gaps: []model.Area{model.AreaOIDCProviders}, read: []model.Area{model.AreaOIDCProviders}},
	"iam:GetPolicy":                       {gaps: []model.Area{model.AreaIAMPolicies}, read: []model.Area{model.AreaIAMRoles, model.AreaIAMUsers, model.AreaIAMGroups}},
	"iam:GetPolicyVersion":                {gaps: []model.Area{model.AreaIAMPolicies}, read: []model.Area{model.AreaIAMRoles, model.AreaIAMUsers, model.AreaIAMGroups}},
	"iam:GetRole":                         {gaps: []model.Area{model.AreaIAMRoles}, read: []model.Area{model.AreaIAMUsers, model.AreaIAMGroups, model.AreaIAMPolicies}},
	"iam:GetRolePolicy":                   {gaps: []model.Area{model.AreaIAMRoles}, read: iamAreas},
	"iam:GetUser":                         {gaps: []model.Area{model.AreaIAMUsers}, read: []model.Area{model.AreaIAMRoles, model.AreaIAMPolicies}},
	"iam:GetUserPolicy":                   {gaps: []model.Area{model.AreaIAMUsers}, read: iamAreas},
	"iam:ListAttachedGroupPolicies":       {gaps: []model.Area{model.AreaIAMGroups}, read: iamAreas},
	"iam:ListAttachedRolePolicies":        {gaps: []model.Area{model.AreaIAMRoles}, read: iamAreas},
	"iam:ListAttachedUserPolicies":        {gaps: []model.Area{model.AreaIAMUsers}, read: iamAreas},
	"iam:ListGroupPolicies":               {gaps: []model.Area{model.AreaIAMGroups}, read: iamAreas},
	"iam:ListGroupsForUser":               {gaps: []model.Area{model.AreaIAMUsers}, read: []model.Area{model.AreaIAMRoles, model.AreaIAMUsers, model.AreaIAMPolicies}},
	"iam:ListOpenIDConnectProviders":      {gaps: []model.Area{model.AreaOIDCProviders}},
	"iam:ListRolePolicies":                {gaps: []model.Area{model.AreaIAMRoles}, read: iamAreas},
	"iam:ListUserPolicies":                {gaps: []model.Area{model.AreaIAMUsers}, read: iamAreas},
	"logs:DescribeLogGroups":              {gaps: []model.Area{model.AreaLogGroup}},
	"logs:DescribeSubscriptionFilters":    {gaps: []model.Area{model.AreaLogGroup}, read: []model.Area{model.AreaLogGroup}},
	"organizations:DescribeOrganization":  {gaps: []model.Area{model.AreaOrganization}},
	"organizations:DescribePolicy":        {gaps: []model.Area{model.AreaOrganization}, read: []model.Area{model.AreaOrganization}},
	"organizations:ListParents":           {gaps: []model.Area{model.AreaOrganization}, read: []model.Area{model.AreaOrganization}},
	"organizations:ListPoliciesForTarget": {gaps: []model.Area{model.AreaOrganization}, read: []model.Area{model.AreaOrganization}},
}

// Each action refused in turn gives gaps that name it and its areas, and takes nothing from any other area.
func TestEachActionDenied(t *testing.T) {
	const sweep = "iam:GetAccountAuthorizationDetails"
	for _, action := range Actions() {
		if action == "eks:ListClusters" || action == "sts:GetCallerIdentity" {
			continue // without these there is no snapshot: TestErrors
		}
		t.Run(action, func(t *testing.T) {
			want, ok := denied[action]
			if !ok {
				t.Fatal("the table above lacks the action")
			}
			s := fleet(t, lab.Options{})
			o := options(s)
			o.AllClusters, o.Clusters = false, []string{"prod"}
			swept := collect(t, o)
			s.ForgetCalls()
			if collect(t, o); !calledAction(s, action) {
				s.Deny(sweep)
				swept = collect(t, o)
			}
			s.Deny(action)
			got := collect(t, o)
			var areas []model.Area
			for _, g := range got.Gaps {
				if g.Action == sweep && action != sweep {
					continue
				}
				areas = append(areas, model.Area(g.Area))
				if g.Action != action || !strings.Contains(g.Reason, "is not authorized to perform: "+action) && !strings.HasPrefix(action, "ec2:") {
					t.Errorf("gap %+v", g)
				}
				if info, _ := model.Area(g.Area).Info(); info.OfAccount != (g.Account == account) || info.OfAccount != (g.Cluster == "") {
					t.Errorf("gap about the wrong thing: %+v", g)
				}
			}
			slices.Sort(areas)
			if diff := cmp.Diff(slices.Sorted(slices.Values(want.gaps)), slices.Compact(areas)); diff != "" {
				t.Errorf("areas with gaps (-want +got):\n%s", diff)
			}
			checkRead(t, swept, got, want.gaps, want.read)
		})
	}
}

func calledAction(s *lab.Server, action string) bool {
	return slices.ContainsFunc(s.Calls(), func(c lab.Call) bool { return c.Action == action })
}

// checkRead: what has no gap is read and equal; what has one is read if the table says so.
func checkRead(t *testing.T, before, after *model.Snapshot, gaps, read []model.Area) {
	t.Helper()
	prod, acct := clusterOf(t, after, "prod", home), after.Accounts[0]
	for _, info := range model.Areas {
		if info.Action != "" && !strings.Contains(info.Action, ":") {
			continue // Kubernetes' areas
		}
		isRead := prod.Read[info.Area] || acct.Read[info.Area]
		gap, mayRead := slices.Contains(gaps, info.Area), slices.Contains(read, info.Area)
		follows := len(read) > 0 && slices.Contains(iamAreas, info.Area) // groups and policies of users that were not read
		if !gap && !isRead && !follows || gap && isRead != mayRead {
			t.Errorf("area %s: gap %v, read %v", info.Area, gap, isRead)
		}
	}
	if slices.Equal(gaps, iamAreas) || slices.ContainsFunc(gaps, func(a model.Area) bool { return slices.Contains(iamAreas, a) }) {
		return
	}
	before.Gaps, after.Gaps = nil, nil
	if diff := cmp.Diff(without(encoded(t, before), gaps), without(encoded(t, after), gaps)); diff != "" {
		t.Errorf("other areas changed:\n%s", diff)
	}
}

// without leaves the sections of some areas out of an encoded snapshot, of which each is a line.
func without(encoded string, areas []model.Area) []string {
	return slices.DeleteFunc(strings.Split(strings.ReplaceAll(encoded, ",\n", "\n"), "\n"), func(line string) bool {
		return slices.ContainsFunc(areas, func(a model.Area) bool { return strings.HasPrefix(line, `{"area":"`+string(a)+`",`) })
	})
}
