package detect

import (
	"fmt"
	"strings"
	"testing"

	"drawbridge/internal/access"
	"drawbridge/internal/awsdata"
	"drawbridge/internal/event"
	"drawbridge/internal/model"

	rbacv1 "k8s.io/api/rbac/v1"
)

// lookAt is a look at a record, with what a run knows.
func lookAt(t testing.TB, record string, ctx *Context, g *Ledger) *look {
	t.Helper()
	e := new(event.Event)
	if err := event.Scan([]byte(record), e); err != nil {
		t.Fatal(err)
	}
	l := &look{ctx: ctx, ledger: g, memo: make([]remembered, len(enrichments))}
	l.reset(e, true)
	l.class = &class{changes: e.Plane() == event.Kubernetes && changes(l)}
	return l
}

// call is a record of EKS at a second of the minute 10:00; params are its request parameters besides name.
func call(second int, action, params string) string {
	return fmt.Sprintf(`{"userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/joe","accountId":"111122223333"},"eventTime":"2026-11-01T10:00:%02dZ","eventSource":"eks.amazonaws.com","eventName":%q,"awsRegion":"eu-central-1","requestParameters":{"name":"prod",%s},"eventID":"e%02d-%s","recipientAccountId":"111122223333"}`,
		second, action, params, second, action)
}

func associate(second int, policy, scope string) string {
	return call(second, "AssociateAccessPolicy", fmt.Sprintf(`"principalArn":"arn%%3Aaws%%3Aiam%%3A%%3A111122223333%%3Arole%%2Fteam%%2Fnew","policyArn":"arn:aws:eks::aws:cluster-access-policy/%s","accessScope":%s`, policy, scope))
}

const (
	wholeCluster = `{"type":"cluster"}`
	inWeb        = `{"type":"namespace","namespaces":["web"]}`
	inKube       = `{"type":"namespace","namespaces":["web","kube-*"]}`
	inAny        = `{"type":"namespace","namespaces":["*"]}`
)

func TestPrivilegeOfPolicies(t *testing.T) {
	for _, c := range []struct {
		policy, scope  string
		admin, secrets reach
		unknown        bool
	}{
		{"AmazonEKSClusterAdminPolicy", wholeCluster, reachEverything, reachEverything, false},
		{"AmazonEKSClusterAdminPolicy", inWeb, reachNamespace, reachNamespace, false},
		{"AmazonEKSClusterAdminPolicy", inAny, reachSystem, reachSystem, false},
		{"AmazonEKSAdminPolicy", wholeCluster, reachCluster, reachCluster, false},
		{"AmazonEKSEditPolicy", wholeCluster, reachCluster, reachCluster, false},
		{"AmazonEKSEditPolicy", inWeb, reachNamespace, reachNamespace, false},
		{"AmazonEKSEditPolicy", inKube, reachSystem, reachSystem, false},
		{"AmazonEKSAdminViewPolicy", wholeCluster, reachCluster, reachCluster, false}, // nodes/proxy
		{"AmazonEKSAdminViewPolicy", inWeb, reachNone, reachNamespace, false},
		{"AmazonEKSSecretReaderPolicy", wholeCluster, reachNone, reachCluster, false},
		{"AmazonEKSSecretReaderPolicy", inKube, reachNone, reachSystem, false},
		{"AmazonEKSViewPolicy", wholeCluster, reachNone, reachNone, false},
		{"AmazonEKSKROPolicy", wholeCluster, reachNone, reachNone, true},
		{"AmazonEKSNewerThanTheTablePolicy", inWeb, reachNone, reachNone, true},
	} {
		t.Run(c.policy+" "+c.scope, func(t *testing.T) {
			p := lookAt(t, associate(0, c.policy, c.scope), &Context{}, newLedger(10)).privilege()
			if p.admin != c.admin || p.secrets != c.secrets || (p.unknown != "") != c.unknown {
				t.Errorf("administers %q, reads Secrets %q, unknown %q; want %q, %q, %v", p.admin, p.secrets, p.unknown, c.admin, c.secrets, c.unknown)
			}
			if (p.admin != reachNone) != (p.does != "") || (p.secrets != reachNone) != (p.secretsDo != "") {
				t.Errorf("why: %q, %q", p.does, p.secretsDo)
			}
		})
	}
}

// TestPrivilegeOfEveryPolicy: no policy of the table is passed over: it is strong, or reads nothing secret by its rules, or is
// said not to be known.
func TestPrivilegeOfEveryPolicy(t *testing.T) {
	for _, a := range awsdata.AccessPolicies() {
		p := lookAt(t, associate(0, a.Name, wholeCluster), &Context{}, newLedger(10)).privilege()
		if !a.RulesPublished && p.unknown == "" {
			t.Errorf("%s: its rules are not published, and nothing is said to be unknown", a.Name)
		}
		for _, r := range a.Rules {
			if strings.Contains(strings.Join(r.Resources, " ")+" ", "secrets ") && strings.Join(r.APIGroups, "") == "" && p.secrets == reachNone {
				t.Errorf("%s: a rule names secrets, and they are said to be out of reach", a.Name)
			}
		}
	}
}

func TestPrivilegeOfGroups(t *testing.T) {
	role := func(name string, rules ...rbacv1.PolicyRule) *model.Role {
		return &model.Role{Meta: model.Meta{Name: name}, Rules: rules}
	}
	bind := func(to string, s rbacv1.Subject) *model.Binding {
		return &model.Binding{Meta: model.Meta{Name: to + s.Name}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: to}, Subjects: []rbacv1.Subject{s}}
	}
	group := func(n string) rbacv1.Subject {
		return rbacv1.Subject{Kind: "Group", APIGroup: "rbac.authorization.k8s.io", Name: n}
	}
	c := &model.Cluster{
		Name: "prod", ARN: "arn:aws:eks:eu-central-1:111122223333:cluster/prod", Account: "111122223333",
		ClusterRoles: []*model.Role{
			role("all", rbacv1.PolicyRule{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}),
			role("read", rbacv1.PolicyRule{Verbs: []string{"list"}, APIGroups: []string{""}, Resources: []string{"secrets"}}),
			role("run", rbacv1.PolicyRule{Verbs: []string{"create"}, APIGroups: []string{""}, Resources: []string{"pods"}}),
		},
		ClusterRoleBindings: []*model.Binding{
			bind("all", group("night")), bind("read", group("backup")), bind("gone", group("ghosts")),
			bind("all", rbacv1.Subject{Kind: "User", APIGroup: "rbac.authorization.k8s.io", Name: "oncall"}),
			bind("run", group("system:authenticated")),
		},
	}
	part := *c
	c.MarkRead(model.AreaRoles, model.AreaClusterRoles, model.AreaRoleBindings, model.AreaClusterRoleBindings)
	partly := &Context{Access: access.New(&model.Snapshot{Clusters: []*model.Cluster{&part}})}
	known := &Context{Access: access.New(&model.Snapshot{Clusters: []*model.Cluster{c}})}
	for _, x := range []struct {
		name, params   string
		ctx            *Context
		admin, secrets reach
		unknown        bool
	}{
		{"masters without a snapshot", `"kubernetesGroups":["system:masters"]`, &Context{}, reachEverything, reachEverything, false},
		{"a group without a snapshot", `"kubernetesGroups":["night"]`, &Context{}, reachNone, reachNone, true},
		{"no group, no snapshot", `"type":"STANDARD"`, &Context{}, reachNone, reachNone, false},
		{"a group that is bound", `"kubernetesGroups":["day","night"]`, known, reachEverything, reachEverything, false},
		{"a group that reads Secrets", `"kubernetesGroups":["backup"]`, known, reachNone, reachCluster, false},
		{"a username that is bound", `"username":"oncall"`, known, reachEverything, reachEverything, false},
		{"a group whose role is missing", `"kubernetesGroups":["ghosts"]`, known, reachNone, reachNone, true},
		{"a group in a snapshot without RBAC", `"kubernetesGroups":["day"]`, partly, reachNone, reachNone, true},
		{"a group that is bound in what was read", `"kubernetesGroups":["night"]`, partly, reachEverything, reachEverything, true},
		{"what everybody may is nothing given", `"kubernetesGroups":["day"]`, known, reachNone, reachNone, false},
		{"a node has no groups of its own", `"type":"EC2_LINUX","kubernetesGroups":["night"]`, known, reachNone, reachNone, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			for _, action := range []string{"CreateAccessEntry", "UpdateAccessEntry"} {
				p := lookAt(t, call(0, action, `"principalArn":"arn:aws:iam::111122223333:role/new",`+x.params), x.ctx, newLedger(10)).privilege()
				if p.admin != x.admin || p.secrets != x.secrets || (p.unknown != "") != x.unknown {
					t.Errorf("%s: administers %q, reads Secrets %q, unknown %q; want %q, %q, %v", action, p.admin, p.secrets, p.unknown, x.admin, x.secrets, x.unknown)
				}
			}
		})
	}
}
