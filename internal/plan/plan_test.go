package plan

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/model"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	lab      = "arn:aws:eks:us-east-1:111122223333:cluster/lab"
	roleA    = "arn:aws:iam::111122223333:role/team/a"
	viewARN  = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
	adminARN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
	readOnly = "arn:aws:iam::aws:policy/ReadOnlyAccess"
)

var (
	shop      = model.AccessScope{Type: model.ScopeNamespace, Namespaces: []string{"shop", "dev-*"}}
	wholeLab  = model.AccessScope{Type: model.ScopeCluster}
	devs      = rbacv1.Subject{Kind: rbacv1.GroupKind, Name: "devs"}
	getPods   = []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}
	denyAll   = model.Document(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`)
	trustPods = model.Document(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`)
)

// TestForms holds the text, the JSON form and the command of every change to what they are: the JSON is a format that others
// keep, the commands get pasted.
func TestForms(t *testing.T) {
	examples := []Change{
		CreateAccessEntry{Cluster: lab, PrincipalARN: roleA, Username: "jane", Groups: []string{"devs", "ops"}, Tags: map[string]string{"team": "a"}},
		CreateAccessEntry{Cluster: lab, PrincipalARN: roleA, Type: model.EntryEC2Linux},
		UpdateAccessEntry{Cluster: lab, PrincipalARN: roleA, Groups: []string{}},
		UpdateAccessEntry{Cluster: lab, PrincipalARN: roleA, Groups: []string{"devs"}, Username: "jane"},
		DeleteAccessEntry{lab, roleA},
		AssociateAccessPolicy{lab, roleA, viewARN, shop},
		DisassociateAccessPolicy{lab, roleA, viewARN},
		SetAuthenticationMode{lab, model.ModeAPI},
		UpdateClusterLogging{Cluster: lab, Enable: []string{"audit", "authenticator"}},
		UpdateClusterLogging{Cluster: lab, Enable: []string{"audit"}, Disable: []string{"api"}},
		SetLogRetention{lab, "/aws/eks/lab/cluster", 90},
		SetLogRetention{lab, "/aws/eks/lab/cluster", 0},
		CreatePodIdentityAssociation{Cluster: lab, Namespace: "shop", ServiceAccount: "web", RoleARN: roleA, TargetRoleARN: "arn:aws:iam::444455556666:role/t", DisableSessionTags: true, Policy: denyAll, Tags: map[string]string{"team": "a"}},
		UpdatePodIdentityAssociation{Cluster: lab, Namespace: "shop", ServiceAccount: "web", ID: "a-1", DisableSessionTags: new(bool)},
		DeletePodIdentityAssociation{lab, "shop", "web", "a-1"},
		DeletePodIdentityAssociation{lab, "shop", "web", ""},
		RemoveAWSAuthRow{lab, authenticator.KindRole, 2, "arn:aws:iam::111122223333:role/a", "jane", []string{"devs"}},
		PutAWSAuth{lab, map[string]string{"mapRoles": "[]\n", "mapAccounts": "- x\n"}, map[string]string{"mapRoles": "- rolearn: x\n"}},
		CreateBinding{Cluster: lab, Namespace: "shop", Name: "devs", Labels: map[string]string{"team": "a"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"}, Subjects: []rbacv1.Subject{devs}},
		DeleteBinding{lab, "", "devs"},
		AddSubject{lab, "shop", "devs", 1, devs},
		RemoveSubject{lab, "shop", "devs", 1, devs},
		PutRoleRules{lab, "shop", "edit", getPods, nil},
		CreateServiceAccount{lab, "shop", "web"},
		DeleteServiceAccount{lab, "shop", "web"},
		AnnotateServiceAccount{lab, "shop", "web", "eks.amazonaws.com/role-arn", roleA},
		UnannotateServiceAccount{lab, "shop", "web", "eks.amazonaws.com/role-arn"},
		SetAutomount{lab, "ServiceAccount", "shop", "web", new(bool)},
		SetAutomount{lab, "Workload", "shop", "cronjob/web", nil},
		AttachPolicy{roleA, readOnly},
		DetachPolicy{"arn:aws:iam::111122223333:user/u", readOnly},
		PutInlinePolicy{roleA, "no", "", denyAll},
		DeleteInlinePolicy{roleA, "it's"},
		UpdateTrustPolicy{roleA, "{}", trustPods},
		DeleteAccessEntry{"bare", "$(reboot)\x1b"},
	}
	shown := map[string]bool{}
	var b strings.Builder
	for _, c := range examples {
		shown[reflect.TypeOf(c).Name()] = true
		text, err := Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		d := c.details()
		fmt.Fprintf(&b, "%q\n%s\n%s\nbefore: %s\nafter: %s\ntarget: %s %s\n\n", c.String(), text, d.command, d.precondition, d.verify, d.target, d.target.Cluster)
	}
	for _, c := range changes {
		if !shown[reflect.TypeOf(c).Name()] {
			t.Errorf("%T is not shown", c)
		}
	}
	golden := filepath.Join("testdata", "forms.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
}

// one returns a snapshot with one cluster that has entries of a role and of nodes, and rows for both.
func one() *model.Snapshot {
	c := &model.Cluster{
		Name: "lab", ARN: lab, Account: "111122223333", Region: "us-east-1",
		Description: &model.Description{AuthenticationMode: model.ModeAPIConfigMap},
		AccessEntries: []*model.AccessEntry{
			{PrincipalARN: roleA, Type: model.EntryStandard, Username: "jane", Groups: []string{"devs"}},
			{PrincipalARN: "arn:aws:iam::111122223333:role/node", Type: model.EntryEC2Linux, Username: "system:node:{{EC2PrivateDNSName}}", Groups: []string{"system:nodes"}},
		},
		PolicyAssociations: []*model.PolicyAssociation{{PrincipalARN: roleA, PolicyARN: viewARN, Scope: shop}, {PrincipalARN: roleA, PolicyARN: adminARN, Scope: wholeLab}},
		AWSAuth:            &model.AWSAuth{Data: map[string]string{"mapRoles": "- rolearn: arn:aws:iam::111122223333:role/a\n  username: jane\n", "other": ""}},
		LogGroup:           &model.LogGroup{Name: "/aws/eks/lab/cluster", RetentionDays: 365},
	}
	return &model.Snapshot{Clusters: []*model.Cluster{c}, Accounts: []*model.Account{{ID: "111122223333"}}}
}

// TestSemantics holds changes to what AWS and Kubernetes do, where that is not what one would think.
func TestSemantics(t *testing.T) {
	simulate := func(t *testing.T, p ...Change) *model.Cluster {
		t.Helper()
		after, err := Plan(p).Simulate(one())
		if err != nil {
			t.Fatal(err)
		}
		return after.Clusters[0]
	}
	t.Run("deleting an entry drops its access policies, and undoing brings them back with their scopes", func(t *testing.T) {
		if c := simulate(t, DeleteAccessEntry{lab, roleA}); len(c.AccessEntries) != 1 || len(c.PolicyAssociations) != 0 {
			t.Errorf("%d entries, %d associations", len(c.AccessEntries), len(c.PolicyAssociations))
		}
		back, err := DeleteAccessEntry{lab, roleA}.Inverse(one())
		want := []Change{
			CreateAccessEntry{Cluster: lab, PrincipalARN: roleA, Type: model.EntryStandard, Username: "jane", Groups: []string{"devs"}},
			AssociateAccessPolicy{lab, roleA, viewARN, shop},
			AssociateAccessPolicy{lab, roleA, adminARN, wholeLab},
		}
		if diff := cmp.Diff(want, back); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
	t.Run("associating a policy again replaces its scope", func(t *testing.T) {
		c := simulate(t, AssociateAccessPolicy{lab, roleA, viewARN, wholeLab})
		if len(c.PolicyAssociations) != 2 || c.PolicyAssociations[0].Scope.Type != model.ScopeCluster {
			t.Errorf("%+v", c.PolicyAssociations[0])
		}
	})
	t.Run("an entry without a username gets EKS's, and one of nodes EKS's group", func(t *testing.T) {
		c := simulate(t, CreateAccessEntry{Cluster: lab, PrincipalARN: "arn:aws:iam::111122223333:role/x/y"}, CreateAccessEntry{Cluster: lab, PrincipalARN: "arn:aws:iam::111122223333:role/n", Type: model.EntryEC2Linux})
		if e := c.AccessEntries[2]; e.Username != "arn:aws:sts::111122223333:assumed-role/y/{{SessionName}}" || e.Type != model.EntryStandard {
			t.Errorf("%+v", e)
		}
		if e := c.AccessEntries[3]; e.Username != "system:node:{{EC2PrivateDNSName}}" || !cmp.Equal(e.Groups, []string{"system:nodes"}) {
			t.Errorf("%+v", e)
		}
	})
	t.Run("blocks of aws-auth that are not named stay", func(t *testing.T) {
		c := simulate(t, PutAWSAuth{lab, map[string]string{"mapRoles": one().Clusters[0].AWSAuth.Data["mapRoles"]}, map[string]string{"mapUsers": "[]\n"}})
		if diff := cmp.Diff(map[string]string{"mapUsers": "[]\n", "other": ""}, c.AWSAuth.Data); diff != "" {
			t.Error(diff)
		}
	})
	for _, tt := range []struct {
		name   string
		change Change
		want   string
	}{
		{"modes go one step at a time", SetAuthenticationMode{lab, model.ModeConfigMap}, "mode API_AND_CONFIG_MAP or API"},
		{"an entry with a reserved group", CreateAccessEntry{Cluster: lab, PrincipalARN: "arn:aws:iam::111122223333:role/x", Groups: []string{"system:masters"}}, "found group system:masters"},
		{"an entry with a reserved username", CreateAccessEntry{Cluster: lab, PrincipalARN: "arn:aws:iam::111122223333:role/x", Username: "eks:x"}, "reserved prefix eks:"},
		{"a session name without a colon before it", CreateAccessEntry{Cluster: lab, PrincipalARN: "arn:aws:iam::111122223333:role/x", Username: "x-{{SessionNameRaw}}"}, "without a colon"},
		{"an entry of a service-linked role", CreateAccessEntry{Cluster: lab, PrincipalARN: "arn:aws:iam::111122223333:role/aws-service-role/x/y"}, "service-linked"},
		{"an entry of a session", CreateAccessEntry{Cluster: lab, PrincipalARN: "arn:aws:sts::111122223333:assumed-role/x/y"}, "no IAM role or user"},
		{"a second entry that is otherwise", CreateAccessEntry{Cluster: lab, PrincipalARN: roleA, Username: "else"}, "expected none, found one of type STANDARD with username"},
		{"a second entry", CreateAccessEntry{Cluster: lab, PrincipalARN: roleA}, "expected none, found one"},
		{"access policies for nodes", AssociateAccessPolicy{lab, "arn:aws:iam::111122223333:role/node", viewARN, wholeLab}, "type EC2_LINUX"},
		{"a scope of no namespaces", AssociateAccessPolicy{lab, roleA, viewARN, model.AccessScope{Type: model.ScopeNamespace}}, "at least one namespace"},
		{"a role of another account", CreatePodIdentityAssociation{Cluster: lab, Namespace: "a", ServiceAccount: "b", RoleARN: "arn:aws:iam::444455556666:role/x"}, "a role of account 444455556666"},
		{"a session policy beside session tags", CreatePodIdentityAssociation{Cluster: lab, Namespace: "a", ServiceAccount: "b", RoleARN: roleA, Policy: denyAll}, "beside session tags"},
		{"a row that is not where it was", RemoveAWSAuthRow{lab, authenticator.KindRole, 0, "arn:aws:iam::111122223333:role/b", "", nil}, "role/a (username jane, groups none)"},
		{"aws-auth that was edited", PutAWSAuth{lab, nil, map[string]string{"mapRoles": ""}}, "expected the text that was read"},
		{"an annotation that is not IRSA's", AnnotateServiceAccount{lab, "a", "b", "x", "y"}, "expected one, found none"},
		{"a cluster that is not there", DeleteAccessEntry{"other", roleA}, "cluster other"},
		{"what is so already", UpdateAccessEntry{Cluster: lab, PrincipalARN: roleA, Username: "jane"}, "those already"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Plan{tt.change}.Simulate(one())
			if _, ok := errors.AsType[*Unmet](err); !ok || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// TestIrreversible: what cannot be undone says so before it is done.
func TestIrreversible(t *testing.T) {
	gone := one()
	gone.Accounts[0].MarkRead(model.AreaIAMRoles)
	for _, tt := range []struct {
		name   string
		in     *model.Snapshot
		change Change
		want   string
	}{
		{"modes", one(), SetAuthenticationMode{lab, model.ModeAPI}, "forward only"},
		{"an entry whose principal is gone", gone, DeleteAccessEntry{lab, roleA}, "the principal is gone"},
		{"events that are deleted", one(), SetLogRetention{lab, "/aws/eks/lab/cluster", 30}, "older than 30 days"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.change.Inverse(tt.in)
			stuck, ok := errors.AsType[*Irreversible](err)
			if !ok || !strings.Contains(stuck.Why, tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			p, err := Plan{tt.change}.Render(tt.in)
			if err != nil || p.Steps[0].Reversible || p.Steps[0].Irreversible != stuck.Why {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
}

// TestDecode: what is not a change is none.
func TestDecode(t *testing.T) {
	for _, text := range []string{"", "null", "[]", "{}", `{"action":1}`, `{"action":"Reboot"}`, `{"action":"DeleteAccessEntry","more":1}`, `{"action":"SetAutomount","value":3}`} {
		if c, err := Decode([]byte(text)); err == nil {
			t.Errorf("%s is %v", text, c)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range changes {
		b, err := Encode(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Decode(b)
		if err != nil {
			return
		}
		_ = c.String() + Command(c)
		if _, err := (Plan{c}).Simulate(one()); err == nil {
			if _, err := c.Inverse(one()); err != nil {
				if _, ok := errors.AsType[*Irreversible](err); !ok {
					t.Fatalf("%s fits, and its inverse says %v", c, err)
				}
			}
		}
		again, err := Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Decode(again); err != nil || back.String() != c.String() {
			t.Fatalf("%s becomes %v (%v)", c, back, err)
		}
	})
}
