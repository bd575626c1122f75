package oracle

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"drawbridge/internal/migrate"
	"drawbridge/internal/model"
	"drawbridge/internal/projection"
	"drawbridge/oracle/kubebin/accesspolicy/decide"
)

// world is one cluster before its migration, and drawbridge's snapshot of it.
type world struct {
	gen
	principals []*principal
	state      state
	options    migrate.Options
	snapshot   *model.Snapshot

	clusterRoles []*rbacv1.ClusterRole
	roles        []*rbacv1.Role
	wide         []*rbacv1.ClusterRoleBinding
	narrow       []*rbacv1.RoleBinding
}

var (
	namespaces = []string{"shop", "dev-a", "prod"}
	groups     = []string{"dev", "ops", "auditors", "team:alice", "c"}
	// usernames are those of rows: plain, templated, and such as access entries cannot have.
	usernames = []string{
		"alice", "bob", "user:{{SessionName}}", "{{SessionName}}", "{{AccountID}}:{{SessionNameRaw}}", "u:{{SessionName}}:{{AccountID}}", "admin",
		"system:admin", "eks:x", "{{ SessionName }}", "{{Nothing}}", "key:{{AccessKeyID}}", "n:{{EC2PrivateDNSName}}",
		"arn:aws:sts::" + home + ":assumed-role/Dev/{{SessionName}}", "arn:aws:iam::" + home + ":user/carol",
	}
	// bound are usernames to which something is bound.
	bound = []string{
		"alice", "bob", "user:alice", "user:jane-example.com", "u:bob:" + home, home + ":alice", near + ":jane@example.com", "admin", "system:admin", "eks:x", "{{ SessionName }}", "{{Nothing}}", "n:" + instanceName,
		"arn:aws:sts::" + home + ":assumed-role/Dev/alice", "arn:aws:iam::" + home + ":user/carol", "system:node:" + instanceName,
	}
	policies = []string{"AmazonEKSClusterAdminPolicy", "AmazonEKSAdminPolicy", "AmazonEKSEditPolicy", "AmazonEKSViewPolicy", "AmazonEKSSecretReaderPolicy", "AmazonEKSKROPolicy"}
)

func newWorld(g gen) *world {
	w := &world{gen: g, principals: g.principals()}
	w.state.mode = pick(g, model.ModeConfigMap, model.ModeAPIConfigMap)
	if w.state.mode == model.ModeAPIConfigMap {
		w.entries()
	}
	w.state.awsAuth = w.awsAuth()
	w.rbac()
	read := []string{home}
	if g.chance(2) {
		read = append(read, near)
	}
	if g.chance(2) {
		w.options.TrustedAccounts = []string{near}
	}
	w.snapshot = &model.Snapshot{Clusters: []*model.Cluster{w.cluster()}, Accounts: accounts(w.principals, read)}
	w.snapshot.Sort()
	return w
}

// entries gives some principals access entries from before.
func (w *world) entries() {
	for _, p := range w.principals {
		if !p.isRole() && !p.isUser() || p.account == far || !w.chance(4) {
			continue
		}
		e := entry{arn: p.arn, unique: p.unique, kind: "STANDARD", username: pick(w.gen, "alice", "bob:x", p.sts("{{SessionName}}")), groups: w.some(0, 2, groups)}
		if p.recreated {
			e.unique = w.unique("AXXX")
		}
		if p.name() == "node" {
			e.kind, e.username, e.groups = "EC2_LINUX", "system:node:{{EC2PrivateDNSName}}", []string{"system:nodes"}
		}
		w.state.entries = append(w.state.entries, e)
		if e.kind != "STANDARD" || w.chance(2) {
			continue
		}
		a := decide.Association{PrincipalARN: p.arn, UniqueID: e.unique, PolicyARN: policyPrefix + pick(w.gen, policies...)}
		if w.chance(2) {
			a.Namespaces = w.some(1, 2, []string{"shop", "dev-*", "*"})
		}
		w.state.policies = append(w.state.policies, a)
	}
}

// awsAuth writes the ConfigMap: rows for some of the principals and for ghosts, some of them doubled, broken or in vain.
func (w *world) awsAuth() map[string]string {
	var roles, users []string
	for _, p := range append(slices.Clone(w.principals), &principal{arn: "arn:aws:iam::" + home + ":role/gone", account: home}) {
		if p.account == far || w.chance(2) || p.name() == "fargate" && !w.chance(8) {
			continue
		}
		block, key := &users, "userarn"
		if p.isRole() {
			block, key = &roles, "rolearn"
		}
		arn := w.rowARN(p)
		*block = append(*block, w.row(key, arn, p))
		if !w.chance(10) {
			continue
		}
		if p.isRole() { // which of two users wins whose case differs is left to the order of a map
			arn = w.rowARN(p)
		}
		*block = append(*block, w.row(key, arn, p))
	}
	w.Shuffle(len(roles), func(i, j int) { roles[i], roles[j] = roles[j], roles[i] })
	data := map[string]string{"mapRoles": strings.Join(roles, ""), "mapUsers": strings.Join(users, "")}
	switch w.IntN(8) {
	case 0:
		data["mapAccounts"] = "- \"" + far + "\"\n"
	case 1:
		data["mapAccounts"] = "- \"" + near + "\"\n- 12\n"
	}
	if w.chance(20) {
		data["mapRoles"] += "- rolearn: [\n"
	}
	return data
}

// rowARN is how a row names a principal: mostly so that it counts.
func (w *world) rowARN(p *principal) string {
	switch w.IntN(16) {
	case 0:
		return p.arn // with the path, with which a role is never found
	case 1:
		return strings.ToLower(p.stripped())
	case 2:
		return p.sts("alice")
	case 3:
		return strings.ToUpper(p.stripped())
	}
	return p.stripped()
}

func (w *world) row(key, arn string, p *principal) string {
	switch {
	case p.name() == "node" && !w.chance(6):
		return fmt.Sprintf("- %s: %s\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:bootstrappers, system:nodes]\n", key, arn)
	case p.name() == "fargate" && !w.chance(6):
		return fmt.Sprintf("- %s: %s\n  username: system:node:{{SessionName}}\n  groups: [system:bootstrappers, system:nodes, system:node-proxier]\n", key, arn)
	}
	switch w.IntN(20) {
	case 0:
		return fmt.Sprintf("- %s: %s\n  username: %s\n  groups: [dev]\n", key, arn, pick(w.gen, "n", "123", "~", "''"))
	case 1:
		return fmt.Sprintf("- %s: %s\n  username: alice\n  groups: %s\n", key, arn, pick(w.gen, "dev", "[yes, c]", "{a: b}", "null"))
	case 2:
		return fmt.Sprintf("- %s: %s\n  groups: [ops]\n", key, arn)
	}
	list := w.some(0, 3, groups)
	switch w.IntN(8) {
	case 0, 1:
		list = append(list, "system:masters")
	case 2:
		list = append(list, pick(w.gen, "", "system:nodes", "system:authenticated", "team:{{SessionName}}", "{{c}}"))
	}
	var quoted []string
	for _, group := range list {
		quoted = append(quoted, fmt.Sprintf("%q", group))
	}
	return fmt.Sprintf("- %s: %s\n  username: %q\n  groups: [%s]\n", key, arn, pick(w.gen, usernames...), strings.Join(quoted, ", "))
}

var (
	verbs     = []string{"get", "list", "create", "delete", "bind", "impersonate", "*"}
	apiGroups = []string{"", "", "apps", "*"}
	resources = []string{"pods", "secrets", "configmaps", "deployments", "nodes", "pods/exec", "*", "*/log"}
	urls      = []string{"/healthz", "/metrics", "/api*", "*"}
)

func (g gen) rules(urlsToo bool) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	for range 1 + g.IntN(2) {
		r := rbacv1.PolicyRule{Verbs: g.some(1, 2, verbs)}
		if urlsToo && g.chance(6) {
			r.NonResourceURLs = g.some(1, 2, urls)
		} else {
			r.APIGroups, r.Resources = g.some(1, 2, apiGroups), g.some(1, 2, resources)
			if g.chance(4) {
				r.ResourceNames = g.some(1, 2, []string{"a", "b"})
			}
		}
		rules = append(rules, r)
	}
	return rules
}

func (g gen) subjects() []rbacv1.Subject {
	var s []rbacv1.Subject
	for range 1 + g.IntN(2) {
		one := rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: pick(g, groups...)}
		switch g.IntN(6) {
		case 0, 1:
			one.Kind, one.Name = rbacv1.UserKind, pick(g, bound...)
		case 2:
			one.Name = pick(g, "system:bootstrappers", "system:nodes", "system:node-proxier", "system:authenticated", "yes", "true", "{{c}}")
		}
		s = append(s, one)
	}
	return s
}

// rbac makes roles and bindings, now and then of a role that is not there.
func (w *world) rbac() {
	for i := range 4 {
		w.clusterRoles = append(w.clusterRoles, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("r", i)}, Rules: w.rules(true)})
	}
	w.clusterRoles = append(w.clusterRoles, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "cluster-admin"}, Rules: []rbacv1.PolicyRule{
		{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}, {Verbs: []string{"*"}, NonResourceURLs: []string{"*"}},
	}})
	for _, ns := range namespaces {
		w.roles = append(w.roles, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "r0"}, Rules: w.rules(false)})
	}
	ref := func(kind string, names ...string) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: pick(w.gen, names...)}
	}
	for i := range 2 + w.IntN(4) {
		w.wide = append(w.wide, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("b", i)}, RoleRef: ref("ClusterRole", "r0", "r1", "r2", "r3"), Subjects: w.subjects()})
	}
	if w.chance(4) { // as every cluster has it
		w.wide = append(w.wide, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "cluster-admin"}, RoleRef: ref("ClusterRole", "cluster-admin"), Subjects: []rbacv1.Subject{
			{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "system:masters"},
		}})
	}
	for i := range 4 + w.IntN(6) {
		meta := metav1.ObjectMeta{Namespace: pick(w.gen, namespaces...), Name: fmt.Sprint("b", i)}
		to := ref("ClusterRole", "r0", "r1", "r2", "r3", "cluster-admin")
		if w.chance(3) {
			to = ref("Role", "r0", "r0", "r0", "gone")
		}
		w.narrow = append(w.narrow, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: to, Subjects: w.subjects()})
	}
}

// cluster is the snapshot of the cluster.
func (w *world) cluster() *model.Cluster {
	c := &model.Cluster{Name: "prod", ARN: cluster, Account: home, Region: "us-east-1", Partition: "aws", Description: &model.Description{AuthenticationMode: w.state.mode, KubernetesVersion: "1.36"}}
	for _, a := range model.Areas {
		if !a.OfAccount {
			c.MarkRead(a.Area)
		}
	}
	c.Instances = []*model.Instance{{ID: instance, InstanceProfileARN: nodeProfile, PrivateDNS: instanceName}}
	c.AWSAuth = &model.AWSAuth{Meta: model.Meta{Namespace: "kube-system", Name: "aws-auth"}, Data: w.state.awsAuth}
	for _, e := range w.state.entries {
		c.AccessEntries = append(c.AccessEntries, &model.AccessEntry{PrincipalARN: e.arn, Type: e.kind, Username: e.username, Groups: e.groups, Created: firstDay})
	}
	for _, a := range w.state.policies {
		scope := model.AccessScope{Type: model.ScopeCluster}
		if len(a.Namespaces) > 0 {
			scope = model.AccessScope{Type: model.ScopeNamespace, Namespaces: a.Namespaces}
		}
		c.PolicyAssociations = append(c.PolicyAssociations, &model.PolicyAssociation{PrincipalARN: a.PrincipalARN, PolicyARN: a.PolicyARN, Scope: scope})
	}
	for _, r := range w.clusterRoles {
		c.ClusterRoles = append(c.ClusterRoles, projection.ClusterRole(r))
	}
	for _, r := range w.roles {
		c.Roles = append(c.Roles, projection.Role(r))
	}
	for _, b := range w.wide {
		c.ClusterRoleBindings = append(c.ClusterRoleBindings, projection.ClusterRoleBinding(b))
	}
	for _, b := range w.narrow {
		c.RoleBindings = append(c.RoleBindings, projection.RoleBinding(b))
	}
	return c
}
