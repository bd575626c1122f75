package access

import (
	"fmt"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// TestMayAllow compares the set by which principals are picked with asking each statement for each action.
func TestMayAllow(t *testing.T) {
	a := New(&model.Snapshot{})
	for _, statement := range []string{
		allow("*", "*"), allow("*", "iam:*"), allow("*", "IAM:pass*"), allow("*", "i?m:PassRole"), allow("*", "*:CreateAccessEntry"), allow("*", "eks:*Entry", "s3:Get*"),
		`{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`, `{"Effect":"Allow","NotAction":["eks:*","*:DrawbridgeAsks"],"Resource":"*"}`,
		`{"Effect":"Deny","Action":"*","Resource":"*"}`, allow("*", "ec2:Describe*"),
	} {
		doc, err := iam.Parse([]byte(statements(statement)))
		if err != nil {
			t.Fatal(err)
		}
		set := a.mayAllow(doc)
		for _, action := range askedFor().names {
			s := &doc.Statements[0]
			if want := s.Effect == iam.Allow && s.MatchesAction(action) == iam.True; set.has(action) != want {
				t.Errorf("%s: %s in the set: %v, want %v", statement, action, !want, want)
			}
		}
	}
	if !new(actionSet).has("a:ActionThatNobodyListed") {
		t.Error("an action that is not listed counts as one that nobody allows")
	}
}

func TestOpenSubject(t *testing.T) {
	bind := func(role string, subjects ...rbacv1.Subject) *model.Binding {
		return &model.Binding{Meta: model.Meta{Name: role}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: role}, Subjects: subjects}
	}
	group := func(n string) rbacv1.Subject { return rbacv1.Subject{Kind: "Group", Name: n} }
	user := func(n string) rbacv1.Subject { return rbacv1.Subject{Kind: "User", Name: n} }
	for _, c := range []struct {
		name     string
		bindings []*model.Binding
		want     string
	}{
		{"nothing bound", nil, ""},
		{"weak", []*model.Binding{bind("view", group("devs"))}, ""},
		{"reserved", []*model.Binding{bind("cluster-admin", group("system:masters"), user("system:admin"), user("eks:addon-manager"))}, ""},
		{"a service account", []*model.Binding{bind("cluster-admin", rbacv1.Subject{Kind: "ServiceAccount", Namespace: "a", Name: "b"})}, ""},
		{"a group before a user", []*model.Binding{bind("cluster-admin", user("root"), group("admins"))}, "group admins"},
		{"a user", []*model.Binding{bind("cluster-admin", user("root"))}, "user root"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &model.Cluster{Name: "lab", ClusterRoleBindings: c.bindings, ClusterRoles: []*model.Role{
				{Meta: model.Meta{Name: "cluster-admin"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}}},
				{Meta: model.Meta{Name: "view"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}}},
			}}
			got := ""
			if s := New(&model.Snapshot{Clusters: []*model.Cluster{m}}).Cluster(m).OpenSubject(); s != nil {
				got = s.String()
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestMappedAdmins(t *testing.T) {
	const account = "111122223333"
	role := func(path string) string { return "arn:aws:iam::" + account + ":role/" + path }
	c := &model.Cluster{
		Name: "lab", ARN: "arn:aws:eks:us-east-1:" + account + ":cluster/lab", Account: account, Description: &model.Description{AuthenticationMode: model.ModeAPIConfigMap},
		AccessEntries: []*model.AccessEntry{
			{PrincipalARN: role("team/boss"), Type: "STANDARD"},
			{PrincipalARN: role("viewer"), Type: "STANDARD"},
			{PrincipalARN: role("scoped"), Type: "STANDARD"},
			{PrincipalARN: "arn:aws:iam::444455556666:role/far", Type: "STANDARD"},
			{PrincipalARN: role("aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS"), Type: "STANDARD"},
			{PrincipalARN: role("overridden"), Type: "STANDARD"},
		},
		AWSAuth: &model.AWSAuth{Data: map[string]string{"mapRoles": "- {rolearn: " + role("old") + ", username: old, groups: [system:masters]}\n" +
			"- {rolearn: " + role("overridden") + ", username: o, groups: [system:masters]}\n- {rolearn: " + role("weak") + ", username: w, groups: [devs]}\n"}},
	}
	for p, scope := range map[string]string{
		role("team/boss"): "cluster", role("scoped"): "namespace", "arn:aws:iam::444455556666:role/far": "cluster",
		role("aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS"): "cluster",
	} {
		c.PolicyAssociations = append(c.PolicyAssociations, &model.PolicyAssociation{
			PrincipalARN: p,
			PolicyARN:    "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy", Scope: model.AccessScope{Type: scope, Namespaces: []string{"a"}},
		})
	}
	c.PolicyAssociations = append(c.PolicyAssociations, &model.PolicyAssociation{
		PrincipalARN: role("viewer"),
		PolicyARN:    "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", Scope: model.AccessScope{Type: "cluster"},
	})
	acct := &model.Account{ID: account, Roles: []*model.IAMRole{{ARN: role("team/boss"), Name: "boss"}, {ARN: role("x/old"), Name: "old"}}}
	acct.MarkRead(model.AreaIAMRoles, model.AreaIAMUsers)
	var got []string
	for _, m := range New(&model.Snapshot{Clusters: []*model.Cluster{c}, Accounts: []*model.Account{acct}}).Cluster(c).MappedAdmins() {
		got = append(got, fmt.Sprintf("%s present=%v by name=%v", m.ARN, m.Presence == Present, m.ByName))
	}
	want := []string{role("team/boss") + " present=true by name=false", role("x/old") + " present=true by name=true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestTakeoverPartitions asks in every partition, with a policy that names the partition's own ARNs.
func TestTakeoverPartitions(t *testing.T) {
	for _, partition := range []string{"aws", "aws-cn", "aws-us-gov"} {
		arn := "arn:" + partition + ":eks:r-1:111122223333:"
		c := &model.Cluster{
			Name: "lab", ARN: arn + "cluster/lab", Account: "111122223333", Region: "r-1", Partition: partition,
			Description: &model.Description{AuthenticationMode: model.ModeAPI},
		}
		doc := statements(allow(arn+"cluster/lab", "eks:CreateAccessEntry"), fmt.Sprintf(`{"Effect":"Allow","Action":"eks:AssociateAccessPolicy","Resource":"%saccess-entry/lab/role/111122223333/r/*",
			"Condition":{"ArnEquals":{"eks:policyArn":"arn:%s:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"}}}`, arn, partition))
		r := &model.IAMRole{ARN: "arn:" + partition + ":iam::111122223333:role/team/r", Name: "r", Inline: []model.InlinePolicy{{Name: "p", Document: doc}}}
		a := New(&model.Snapshot{Clusters: []*model.Cluster{c}})
		ways := a.Cluster(c).Takeovers().Of(a.IAMRole(r))
		if len(ways) != 1 || ways[0].ID != "access-entry" || ways[0].Answer != Yes {
			t.Errorf("%s: %+v", partition, ways)
		}
	}
}

// BenchmarkTakeovers asks 5,000 roles, a tenth of which may do all of EKS, about a cluster with 500 access entries.
func BenchmarkTakeovers(b *testing.B) {
	const account = "111122223333"
	acct := &model.Account{ID: account, Partition: "aws"}
	c := &model.Cluster{
		Name: "lab", ARN: "arn:aws:eks:us-east-1:" + account + ":cluster/lab", Account: account, Region: "us-east-1", Partition: "aws",
		Description: &model.Description{AuthenticationMode: model.ModeAPI},
	}
	for i := range 5000 {
		arn := fmt.Sprintf("arn:aws:iam::%s:role/team-%d", account, i)
		list := []string{allow(fmt.Sprintf("arn:aws:s3:::team-%d/*", i), "s3:*"), allow(arn, "iam:PassRole", "iam:UpdateAssumeRolePolicy"), allow("*", "eks:Describe*", "ssm:GetParameter")}
		if i%10 == 0 {
			list = append(list, allow("*", "eks:*"))
		}
		acct.Roles = append(acct.Roles, &model.IAMRole{
			ARN: arn, Inline: []model.InlinePolicy{{Name: "p", Document: statements(list...)}},
			Trust: model.Document(`{"Statement":{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}}`),
		})
		if i%10 == 5 {
			c.AccessEntries = append(c.AccessEntries, &model.AccessEntry{PrincipalARN: arn, Type: "STANDARD"})
			c.PolicyAssociations = append(c.PolicyAssociations, &model.PolicyAssociation{
				PrincipalARN: arn,
				PolicyARN:    "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy", Scope: model.AccessScope{Type: "cluster"},
			})
		}
	}
	s := &model.Snapshot{Clusters: []*model.Cluster{c}, Accounts: []*model.Account{acct}}
	for b.Loop() {
		a := New(s)
		takeovers, attachers := a.Cluster(c).Takeovers(), a.Cluster(c).Attachers()
		for _, p := range a.IAMPrincipals(acct) {
			takeovers.Of(p)
			attachers.Of(p)
		}
	}
}
