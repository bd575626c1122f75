package access

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

func TestHolders(t *testing.T) {
	users := []string{"admin", "admin:a", "admin:alice", "admin:alice@example.com", "admin:alice:x", "eks:addon-manager", "x-ab-ab", "x-ab-cd"}
	b := &model.Binding{Meta: model.Meta{Name: "b"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "r"}}
	for _, u := range users {
		b.Subjects = append(b.Subjects, rbacv1.Subject{Kind: "User", Name: u})
	}
	b.Subjects = append(b.Subjects, rbacv1.Subject{Kind: "ServiceAccount", Namespace: "kube-system", Name: "sync"})
	c := &model.Cluster{Name: "lab", ClusterRoleBindings: []*model.Binding{b}}
	k := New(&model.Snapshot{Clusters: []*model.Cluster{c}}).Cluster(c)
	const role, user = "arn:aws:iam::111122223333:role/r", "arn:aws:iam::111122223333:user/u"
	for _, tt := range []struct {
		name, arn, username string
		groups              []string
		entry, row          []rbac.Holder
	}{
		{"fixed", role, "admin", []string{"a"}, []rbac.Holder{{User: "admin", Groups: []string{"a"}}}, nil},
		{
			"a session name has no colon and two characters", role, "admin:{{SessionNameRaw}}", nil,
			[]rbac.Holder{{}, {User: "admin:alice"}, {User: "admin:alice@example.com"}},
			nil,
		},
		{
			"entries cannot take reserved names, rows can", role, "eks:{{SessionName}}", nil,
			[]rbac.Holder{{}},
			[]rbac.Holder{{}, {User: "eks:addon-manager"}},
		},
		{
			"service accounts are usernames", role, "system:serviceaccount:kube-system:{{SessionName}}", nil,
			[]rbac.Holder{{}},
			[]rbac.Holder{{}, {User: "system:serviceaccount:kube-system:sync"}},
		},
		{"one session name stands everywhere", role, "x-{{SessionName}}-{{SessionName}}", nil, []rbac.Holder{{}, {User: "x-ab-ab"}}, nil},
		{
			"the account's number", role, "u-{{AccountID}}",
			[]string{"g-{{AccountID}}", "g-{{SessionName}}"},
			[]rbac.Holder{{User: "u-111122223333", Groups: []string{"g-111122223333"}}},
			nil,
		},
		{"users have no session name", user, "admin{{SessionName}}", nil, []rbac.Holder{{User: "admin"}}, nil},
		{"AWS fills it, not the caller", role, "system:node:{{EC2PrivateDNSName}}", nil, []rbac.Holder{{}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.row == nil {
				tt.row = tt.entry
			}
			entry := k.EntryHolders(&model.AccessEntry{PrincipalARN: tt.arn, Username: tt.username, Groups: tt.groups})
			if diff := cmp.Diff(tt.entry, entry); diff != "" {
				t.Errorf("entry (-want +got):\n%s", diff)
			}
			row := k.MappingHolders(&Mapping{Row: &authenticator.Row{Read: authenticator.Fields{ARN: tt.arn, Username: tt.username, Groups: tt.groups}}})
			if diff := cmp.Diff(tt.row, row); diff != "" {
				t.Errorf("row (-want +got):\n%s", diff)
			}
		})
	}
}
