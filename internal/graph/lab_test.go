package graph

import (
	"fmt"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
)

// All of what these tests look at is synthetic.
const (
	home   = "111122223333"
	away   = "444455556666"
	issuer = "oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"

	podTrust = `{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}`
	noTrust  = `{"Effect":"Allow","Principal":{"Service":"unused.amazonaws.com"},"Action":"sts:AssumeRole"}`
)

// lab is a snapshot of one cluster and its account in which everything was read.
type lab struct {
	*model.Snapshot
	c *model.Cluster
	a *model.Account
}

func newLab() *lab {
	c := &model.Cluster{
		Name: "lab", ARN: "arn:aws:eks:us-east-1:" + home + ":cluster/lab", Account: home, Region: "us-east-1", Partition: "aws",
		Description: &model.Description{AuthenticationMode: model.ModeAPIConfigMap, KubernetesVersion: "1.36", Issuer: "https://" + issuer, AutoMode: true}, // with the Pod Identity agent built in
	}
	a := &model.Account{ID: home, Partition: "aws", OIDCProviders: []*model.OIDCProvider{{ARN: "arn:aws:iam::" + home + ":oidc-provider/" + issuer, URL: issuer}}}
	for _, info := range model.Areas {
		if info.OfAccount {
			a.MarkRead(info.Area)
		} else {
			c.MarkRead(info.Area)
		}
	}
	l := &lab{&model.Snapshot{Clusters: []*model.Cluster{c}, Accounts: []*model.Account{a}}, c, a}
	l.role("", "cluster-admin", rule("*", "*", "*"))
	l.namespaces("kube-system", "shop", "ops")
	l.sa("shop", "web")
	return l
}

func roleARN(name string) string { return "arn:aws:iam::" + home + ":role/" + name }

func rule(groups, resources, verbs string, names ...string) rbacv1.PolicyRule {
	group := strings.Split(groups, " ")
	if groups == "" {
		group = []string{""}
	}
	return rbacv1.PolicyRule{APIGroups: group, Resources: strings.Split(resources, " "), Verbs: strings.Split(verbs, " "), ResourceNames: names}
}

func (l *lab) namespaces(names ...string) {
	for _, n := range names {
		l.c.Namespaces = append(l.c.Namespaces, &model.Namespace{Meta: model.Meta{Name: n}})
	}
}

func (l *lab) sa(namespace, name string) *model.ServiceAccount {
	sa := &model.ServiceAccount{Meta: model.Meta{Namespace: namespace, Name: name}}
	l.c.ServiceAccounts = append(l.c.ServiceAccounts, sa)
	return sa
}

func (l *lab) role(namespace, name string, rules ...rbacv1.PolicyRule) {
	r := &model.Role{Meta: model.Meta{Namespace: namespace, Name: name}, Rules: rules}
	if namespace == "" {
		l.c.ClusterRoles = append(l.c.ClusterRoles, r)
	} else {
		l.c.Roles = append(l.c.Roles, r)
	}
}

// bind binds a ClusterRole to a subject, written as on the command line: sa/ns/name, user:name, group:name.
func (l *lab) bind(namespace, role string, subjects ...string) *model.Binding {
	b := &model.Binding{Meta: model.Meta{Namespace: namespace, Name: fmt.Sprintf("%s-%d", role, len(l.c.RoleBindings)+len(l.c.ClusterRoleBindings))}}
	b.RoleRef = rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	for _, s := range subjects {
		id, err := access.ParseIdentity(s)
		if err != nil {
			panic(err)
		}
		b.Subjects = append(b.Subjects, rbacv1.Subject{Kind: string(id.Kind), Namespace: id.Namespace, Name: id.Name})
	}
	if namespace == "" {
		l.c.ClusterRoleBindings = append(l.c.ClusterRoleBindings, b)
	} else {
		l.c.RoleBindings = append(l.c.RoleBindings, b)
	}
	return b
}

// grant gives a subject rules in a namespace, or with "" in the whole cluster.
func (l *lab) grant(namespace, subject string, rules ...rbacv1.PolicyRule) {
	name := fmt.Sprintf("role-%d", len(l.c.ClusterRoles))
	l.role("", name, rules...)
	l.bind(namespace, name, subject)
}

func (l *lab) node(name string) *model.Node {
	id := "i-0" + strings.Repeat("0", 15-len(name)) + name
	n := &model.Node{Meta: model.Meta{Name: name, Labels: map[string]string{access.NodegroupLabel: "workers"}}, ProviderID: "aws:///us-east-1a/" + id}
	l.c.Nodes = append(l.c.Nodes, n)
	i := &model.Instance{ID: id}
	i.HTTPTokens, i.HopLimit = "required", 1
	l.c.Instances = append(l.c.Instances, i)
	return n
}

func (l *lab) pod(namespace, name, sa, node string) *model.Pod {
	p := &model.Pod{Meta: model.Meta{Namespace: namespace, Name: name}, PodSpec: model.PodSpec{ServiceAccount: sa, NodeName: node, Containers: []model.Container{{Name: "app"}}}, Phase: "Running"}
	l.c.Pods = append(l.c.Pods, p)
	return p
}

// iamRole makes an IAM role with a trust policy and permissions, given as statements.
func (l *lab) iamRole(name, trust string, statements ...string) *model.IAMRole {
	r := &model.IAMRole{ARN: roleARN(name), Name: name, Trust: document(trust)}
	if len(statements) > 0 {
		r.Inline = []model.InlinePolicy{{Name: "p", Document: document(statements...)}}
	}
	l.a.Roles = append(l.a.Roles, r)
	return r
}

func (l *lab) iamUser(name string, statements ...string) {
	u := &model.IAMUser{ARN: "arn:aws:iam::" + home + ":user/" + name, Name: name}
	if len(statements) > 0 {
		u.Inline = []model.InlinePolicy{{Name: "p", Document: document(statements...)}}
	}
	l.a.Users = append(l.a.Users, u)
}

func document(statements ...string) model.Document {
	return model.Document(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`)
}

func allow(resource string, actions ...string) string {
	return fmt.Sprintf(`{"Effect":"Allow","Action":["%s"],"Resource":"%s"}`, strings.Join(actions, `","`), resource)
}

func trustOf(principal string) string {
	return fmt.Sprintf(`{"Effect":"Allow","Principal":{"AWS":"%s"},"Action":"sts:AssumeRole"}`, principal)
}

func serviceTrust(service string) string {
	return fmt.Sprintf(`{"Effect":"Allow","Principal":{"Service":"%s"},"Action":"sts:AssumeRole"}`, service)
}

func irsaTrust(operator, subject string) string {
	return fmt.Sprintf(`{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::%s:oidc-provider/%s"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"%s":{"%s:sub":"%s"},"StringEqualsIgnoreCase":{"%s:aud":"sts.amazonaws.com"}}}`,
		home, issuer, operator, issuer, subject, issuer)
}

func (l *lab) entry(principal, username string, groups ...string) *model.AccessEntry {
	e := &model.AccessEntry{PrincipalARN: principal, Type: model.EntryStandard, Username: username, Groups: groups}
	l.c.AccessEntries = append(l.c.AccessEntries, e)
	return e
}

func (l *lab) policy(principal, policy string, namespaces ...string) {
	scope := model.AccessScope{Type: model.ScopeCluster}
	if len(namespaces) > 0 {
		scope = model.AccessScope{Type: model.ScopeNamespace, Namespaces: namespaces}
	}
	l.c.PolicyAssociations = append(l.c.PolicyAssociations, &model.PolicyAssociation{PrincipalARN: principal, PolicyARN: "arn:aws:eks::aws:cluster-access-policy/" + policy, Scope: scope})
}

func (l *lab) associate(namespace, sa, role string) *model.PodIdentityAssociation {
	a := &model.PodIdentityAssociation{ID: fmt.Sprintf("a-%d", len(l.c.PodIdentityAssociations)), Namespace: namespace, ServiceAccount: sa, RoleARN: roleARN(role)}
	l.c.PodIdentityAssociations = append(l.c.PodIdentityAssociations, a)
	return a
}

func (l *lab) awsAuth(rows string) {
	l.c.AWSAuth = &model.AWSAuth{Meta: model.Meta{Namespace: "kube-system", Name: "aws-auth"}, Data: map[string]string{"mapRoles": rows}}
}

func (l *lab) graph(objects ...Target) *Graph {
	return New(access.New(l.Snapshot), l.Snapshot, objects...)
}

func target(s string) Target {
	t, err := ParseTarget(s)
	if err != nil {
		panic(err)
	}
	return t
}
