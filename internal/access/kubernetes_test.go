package access

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

const (
	home    = "111122223333"
	foreign = "444455556666"
)

func roleARN(path string) string { return "arn:aws:iam::" + home + ":role/" + path }
func userARN(path string) string { return "arn:aws:iam::" + home + ":user/" + path }

func session(role, n string) string {
	return "arn:aws:sts::" + home + ":assumed-role/" + role + "/" + n
}

// world is a small synthetic snapshot of one cluster of which everything was read.
type world struct {
	*model.Snapshot
	c    *model.Cluster
	acct *model.Account
}

func newWorld() *world {
	w := &world{
		Snapshot: &model.Snapshot{},
		c: &model.Cluster{
			Name: "prod", ARN: "arn:aws:eks:eu-central-1:" + home + ":cluster/prod", Account: home, Region: "eu-central-1", Partition: "aws",
			Description: &model.Description{KubernetesVersion: "1.36", AuthenticationMode: model.ModeAPIConfigMap},
		},
		acct: &model.Account{ID: home, Partition: "aws"},
	}
	for _, a := range model.Areas {
		if a.OfAccount {
			w.acct.MarkRead(a.Area)
		} else {
			w.c.MarkRead(a.Area)
		}
	}
	w.Clusters, w.Accounts = []*model.Cluster{w.c}, []*model.Account{w.acct}
	return w
}

var longAgo, lately = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

func (w *world) role(path string, created time.Time) {
	w.acct.Roles = append(w.acct.Roles, &model.IAMRole{ARN: roleARN(path), Name: path[strings.LastIndexByte(path, '/')+1:], Created: created})
}

func (w *world) entry(principal, username string, groups ...string) *model.AccessEntry {
	e := &model.AccessEntry{PrincipalARN: principal, Type: model.EntryStandard, Username: username, Groups: groups, Created: lately.Add(-time.Hour)}
	w.c.AccessEntries = append(w.c.AccessEntries, e)
	return e
}

func (w *world) policy(principal, policy string, namespaces ...string) {
	scope := model.AccessScope{Type: model.ScopeCluster}
	if len(namespaces) > 0 {
		scope = model.AccessScope{Type: model.ScopeNamespace, Namespaces: namespaces}
	}
	w.c.PolicyAssociations = append(w.c.PolicyAssociations, &model.PolicyAssociation{
		PrincipalARN: principal, PolicyARN: "arn:aws:eks::aws:cluster-access-policy/" + policy, Scope: scope,
	})
}

func (w *world) awsAuth(data map[string]string) {
	w.c.AWSAuth = &model.AWSAuth{Meta: model.Meta{Namespace: "kube-system", Name: "aws-auth"}, Data: data}
}

// bind binds a ClusterRole, in a namespace or in the whole cluster.
func (w *world) bind(namespace, role string, subjects ...rbacv1.Subject) {
	b := &model.Binding{Meta: model.Meta{Namespace: namespace, Name: role + "-" + subjects[0].Name}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: role}, Subjects: subjects}
	if namespace == "" {
		w.c.ClusterRoleBindings = append(w.c.ClusterRoleBindings, b)
	} else {
		w.c.RoleBindings = append(w.c.RoleBindings, b)
	}
}

func (w *world) clusterRole(n string, rules ...rbacv1.PolicyRule) {
	w.c.ClusterRoles = append(w.c.ClusterRoles, &model.Role{Meta: model.Meta{Name: n}, Rules: rules})
}

// fail makes an area one that could not be read.
func (w *world) fail(area model.Area) {
	g := finding.Gap{Area: string(area), Reason: "denied", Cluster: "prod"}
	if info, _ := area.Info(); info.OfAccount {
		g.Cluster, g.Account = "", home
		delete(w.acct.Read, area)
	} else {
		delete(w.c.Read, area)
	}
	w.Gaps = append(w.Gaps, g)
	switch area {
	case model.AreaCluster:
		w.c.Description = nil
	case model.AreaAccessEntries:
		w.c.AccessEntries = nil
	case model.AreaPolicyAssociations:
		w.c.PolicyAssociations = nil
	case model.AreaAWSAuth:
		w.c.AWSAuth = nil
	case model.AreaClusterRoles:
		w.c.ClusterRoles = nil
	case model.AreaRoles:
		w.c.Roles = nil
	case model.AreaClusterRoleBindings:
		w.c.ClusterRoleBindings = nil
	case model.AreaRoleBindings:
		w.c.RoleBindings = nil
	case model.AreaPods:
		w.c.Pods = nil
	case model.AreaWorkloads:
		w.c.Workloads = nil
	case model.AreaServiceAccounts:
		w.c.ServiceAccounts = nil
	case model.AreaInstances:
		w.c.Instances = nil
	case model.AreaIAMRoles:
		w.acct.Roles = nil
	case model.AreaIAMUsers:
		w.acct.Users = nil
	}
}

func (w *world) access() *Cluster { return New(w.Snapshot).Cluster(w.c) }

func user(n string) rbacv1.Subject  { return rbacv1.Subject{Kind: "User", Name: n} }
func group(n string) rbacv1.Subject { return rbacv1.Subject{Kind: "Group", Name: n} }
func sa(namespace, n string) rbacv1.Subject {
	return rbacv1.Subject{Kind: "ServiceAccount", Namespace: namespace, Name: n}
}

func rule(verb, resource string, names ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: []string{verb}, APIGroups: []string{""}, Resources: []string{resource}, ResourceNames: names}
}

func selector(key, value string) metav1.LabelSelector {
	return metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
}

func mustIdentity(t testing.TB, s string) Identity {
	t.Helper()
	id, err := ParseIdentity(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestKubernetes(t *testing.T) {
	t.Parallel()
	dev := roleARN("dev")
	type want struct {
		verdict  Verdict
		user     string
		groups   string
		sessions string
		open     int
	}
	everybody := "system:authenticated"
	for n, tc := range map[string]struct {
		set  func(*world)
		id   string
		want want
	}{
		"entry":                  {func(w *world) { w.role("dev", longAgo); w.entry(dev, "dev", "devs") }, dev, want{Allowed, "dev", "devs " + everybody, "", 0}},
		"entry with path":        {func(w *world) { w.role("team/dev", longAgo); w.entry(roleARN("team/dev"), "dev") }, roleARN("team/dev"), want{Allowed, "dev", everybody, "", 0}},
		"asked without the path": {func(w *world) { w.role("team/dev", longAgo); w.entry(roleARN("team/dev"), "dev") }, dev, want{Allowed, "dev", everybody, "", 0}},
		"asked with another path": {
			func(w *world) { w.role("team/dev", longAgo); w.entry(roleARN("team/dev"), "dev") }, roleARN("x/dev"), want{Denied, "", "", "", 0},
		},
		"default username": {func(w *world) {
			w.role("dev", longAgo)
			w.entry(dev, session("dev", "{{SessionName}}"))
			w.bind("", "x", user(session("dev", "jane-example.com")), user(session("ops", "joe")))
		}, dev, want{Allowed, "", everybody, "jane-example.com=" + session("dev", "jane-example.com"), 0}},
		"session": {func(w *world) {
			w.role("dev", longAgo)
			w.entry(dev, session("dev", "{{SessionName}}"))
		}, session("dev", "jane@example.com"), want{Allowed, session("dev", "jane-example.com"), everybody, "", 0}},
		"entry before row": {func(w *world) {
			w.role("dev", longAgo)
			w.entry(dev, "dev")
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  username: other\n  groups: [system:masters]"})
		}, dev, want{Allowed, "dev", everybody, "", 0}},
		"entry of another life falls through to the row": {func(w *world) {
			w.role("dev", lately)
			w.entry(dev, "dev")
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  username: other\n  groups: [system:masters]"})
		}, dev, want{Allowed, "other", "system:masters " + everybody, "", 0}},
		"entry of another life": {func(w *world) { w.role("dev", lately); w.entry(dev, "dev") }, dev, want{Denied, "", "", "", 0}},
		"entry of nobody":       {func(w *world) { w.entry(dev, "dev") }, dev, want{Denied, "", "", "", 0}},
		"row of nobody counts for whoever comes": {func(w *world) {
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  username: other"})
		}, dev, want{Allowed, "other", everybody, "", 0}},
		"row in mode API": {func(w *world) {
			w.role("dev", longAgo)
			w.c.Description.AuthenticationMode = model.ModeAPI
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  username: other"})
		}, dev, want{Denied, "", "", "", 0}},
		"row in an unknown mode": {func(w *world) {
			w.role("dev", longAgo)
			w.fail(model.AreaCluster)
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  username: other"})
		}, dev, want{Unknown, "other", everybody, "", 1}},
		"entry in an unknown mode": {func(w *world) { w.role("dev", longAgo); w.fail(model.AreaCluster); w.entry(dev, "dev") }, dev, want{Allowed, "dev", everybody, "", 0}},
		"mode CONFIG_MAP has a hidden creator": {func(w *world) {
			w.role("dev", longAgo)
			w.c.Description.AuthenticationMode = model.ModeConfigMap
		}, dev, want{Unknown, "", "", "", 1}},
		"not one of another account": {func(w *world) {
			w.c.Description.AuthenticationMode = model.ModeConfigMap
		}, "arn:aws:iam::" + foreign + ":role/x", want{Denied, "", "", "", 0}},
		"mapAccounts": {func(w *world) {
			w.awsAuth(map[string]string{"mapAccounts": `["` + foreign + `"]`})
		}, "arn:aws:iam::" + foreign + ":user/x", want{Allowed, "arn:aws:iam::" + foreign + ":user/x", everybody, "", 0}},
		"account not asked about is taken for granted": {func(w *world) {
			w.entry("arn:aws:iam::"+foreign+":role/x", "x")
		}, "arn:aws:iam::" + foreign + ":role/x", want{Allowed, "x", everybody, "", 0}},
		"account that could not be read": {func(w *world) { w.entry(dev, "dev"); w.fail(model.AreaIAMRoles) }, dev, want{Unknown, "dev", everybody, "", 1}},
		"entries that could not be read": {func(w *world) {
			w.role("dev", longAgo)
			w.fail(model.AreaAccessEntries)
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  username: other"})
		}, dev, want{Unknown, "other", everybody, "", 1}},
		"aws-auth that could not be read": {func(w *world) { w.role("dev", longAgo); w.fail(model.AreaAWSAuth) }, dev, want{Unknown, "", "", "", 1}},
		"reserved prefix":                 {func(w *world) { w.role("dev", longAgo); w.entry(dev, "system:admin") }, dev, want{Denied, "", "", "", 0}},
		"group of the caller's choice": {func(w *world) {
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  username: u\n  groups: ['system:{{SessionName}}']"})
		}, dev, want{Allowed, "u", everybody, "masters=u,nodes=u", 0}},
		"node": {func(w *world) {
			w.role("node", longAgo)
			w.entry(roleARN("node"), "system:node:{{EC2PrivateDNSName}}", "system:nodes").Type = model.EntryEC2Linux
		}, roleARN("node"), want{Allowed, "", "system:nodes " + everybody, "", 0}},
		"kubelet": {func(w *world) {
			w.role("node", longAgo)
			w.entry(roleARN("node"), "system:node:{{EC2PrivateDNSName}}", "system:nodes").Type = model.EntryEC2Linux
			w.c.Instances = []*model.Instance{{ID: "i-0123456789abcdef0", PrivateDNS: "ip-10-0-0-1.ec2.internal"}}
		}, session("node", "i-0123456789abcdef0"), want{Allowed, "system:node:ip-10-0-0-1.ec2.internal", "system:nodes " + everybody, "", 0}},
		"Auto Mode node": {func(w *world) {
			w.role("auto", longAgo)
			w.entry(roleARN("auto"), "").Type = model.EntryEC2
		}, roleARN("auto"), want{Allowed, "", everybody, "", 2}},
		"service account":     {func(*world) {}, "sa/a/b", want{Allowed, "system:serviceaccount:a:b", "system:serviceaccounts system:serviceaccounts:a " + everybody, "", 0}},
		"pod that is gone":    {func(*world) {}, "pod/a/b", want{Denied, "", "", "", 0}},
		"pod that was unread": {func(w *world) { w.fail(model.AreaPods) }, "pod/a/b", want{Unknown, "", "", "", 1}},
		"anonymous":           {func(*world) {}, "user:system:anonymous", want{Allowed, "system:anonymous", "system:unauthenticated", "", 0}},
	} {
		t.Run(n, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			tc.set(w)
			k := w.access().Kubernetes(mustIdentity(t, tc.id))
			got := want{k.Verdict, k.Holder.User, strings.Join(k.Holder.Groups, " "), "", len(k.Open)}
			for _, s := range k.Sessions {
				got.sessions += "," + s.Name + "=" + s.Holder.User
			}
			got.sessions = strings.TrimPrefix(got.sessions, ",")
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s\nchain %v, open %q, assumed %q", tc.id, diff, k.Chain, k.Open, k.Assumed)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	dev := roleARN("dev")
	entry := func(w *world) { w.role("dev", longAgo); w.entry(dev, session("dev", "{{SessionName}}"), "devs") }
	secrets := rbac.Request{Verb: "get", Resource: "secrets", Namespace: "a"}
	clusterwide := rbac.Request{Verb: "get", Resource: "secrets"}
	for n, tc := range map[string]struct {
		set  func(*world)
		id   string
		r    rbac.Request
		want Verdict
		says string // in a condition, or at the end of the chain
	}{
		"through a group":          {func(w *world) { entry(w); w.clusterRole("s", rule("get", "secrets")); w.bind("a", "s", group("devs")) }, dev, secrets, Allowed, "ClusterRole s rules[0]"},
		"in one namespace only":    {func(w *world) { entry(w); w.clusterRole("s", rule("get", "secrets")); w.bind("b", "s", group("devs")) }, dev, secrets, Denied, "no binding of its username in groups devs, system:authenticated allows it"},
		"not in the whole cluster": {func(w *world) { entry(w); w.clusterRole("s", rule("get", "secrets")); w.bind("a", "s", group("devs")) }, dev, clusterwide, Denied, ""},
		"by a session name": {func(w *world) {
			entry(w)
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("a", "s", user(session("dev", "jane")))
		}, dev, secrets, Allowed, "the session is named jane"},
		"by another session": {func(w *world) {
			entry(w)
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("a", "s", user(session("dev", "jane")))
		}, session("dev", "joe"), secrets, Denied, ""},
		"by an access policy":       {func(w *world) { entry(w); w.policy(dev, "AmazonEKSAdminViewPolicy") }, dev, clusterwide, Allowed, "access policy AmazonEKSAdminViewPolicy rules[0]"},
		"by one with wildcards":     {func(w *world) { entry(w); w.policy(dev, "AmazonEKSEditPolicy", "x", "a*") }, dev, secrets, Allowed, "AmazonEKSEditPolicy"},
		"a namespace is no cluster": {func(w *world) { entry(w); w.policy(dev, "AmazonEKSEditPolicy", "*") }, dev, clusterwide, Denied, ""},
		"by a policy that is prose": {func(w *world) { entry(w); w.policy(dev, "AmazonEKSComputePolicy") }, dev, secrets, Unknown, "AmazonEKSComputePolicy, which AWS does not publish"},
		"prose elsewhere":           {func(w *world) { entry(w); w.policy(dev, "AmazonEKSComputePolicy", "b") }, dev, secrets, Denied, ""},
		"a policy nobody knows":     {func(w *world) { entry(w); w.policy(dev, "Mine") }, dev, secrets, Unknown, "access policy Mine"},
		"allowed beside prose": {func(w *world) {
			entry(w)
			w.policy(dev, "AmazonEKSComputePolicy")
			w.policy(dev, "AmazonEKSAdminViewPolicy")
		}, dev, secrets, Allowed, ""},
		"missing role":               {func(w *world) { entry(w); w.bind("a", "gone", group("devs")) }, dev, secrets, Unknown, "ClusterRole gone, which is not in the input"},
		"unread ClusterRoles":        {func(w *world) { entry(w); w.bind("a", "gone", group("devs")); w.fail(model.AreaClusterRoles) }, dev, secrets, Unknown, "ClusterRole gone, which was not read"},
		"unread bindings":            {func(w *world) { entry(w); w.fail(model.AreaClusterRoleBindings) }, dev, secrets, Unknown, "the ClusterRoleBindings, which were not all read"},
		"RoleBindings do not matter": {func(w *world) { entry(w); w.fail(model.AreaRoleBindings) }, dev, clusterwide, Denied, ""},
		"allowed whatever is unread": {func(w *world) {
			entry(w)
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("", "s", group("devs"))
			w.fail(model.AreaRoleBindings)
			w.fail(model.AreaPolicyAssociations)
		}, dev, secrets, Allowed, ""},
		"unread policy associations": {func(w *world) { entry(w); w.fail(model.AreaPolicyAssociations) }, dev, secrets, Unknown, "access policies of access entries, which were not all read"},
		"policies of an entry only": {func(w *world) {
			w.role("dev", longAgo)
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  username: x"})
			w.policy(dev, "AmazonEKSClusterAdminPolicy")
		}, dev, secrets, Denied, ""},
		"system:masters": {func(w *world) {
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  groups: [system:masters]"})
		}, dev, secrets, Allowed, "Group system:masters"},
		"system:masters by session": {func(w *world) {
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  username: x\n  groups: ['system:{{SessionName}}']"})
		}, dev, secrets, Allowed, "the session is named masters"},
		"a username with the access key in it": {func(w *world) {
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  username: 'key:{{AccessKeyID}}'"})
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("a", "s", user("key:ASIAEXAMPLE"))
		}, session("dev", "joe"), secrets, Unknown, "whether it is ever key:ASIAEXAMPLE"},
		"one with an access key, and nothing either way": {func(w *world) {
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  username: 'key:{{AccessKeyID}}'"})
		}, session("dev", "joe"), secrets, Denied, ""},
		"braces that nobody fills": {func(w *world) {
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  username: '{{ SessionName }}'\n  groups: ['{{x}}']"})
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("a", "s", group("{{x}}"))
		}, dev, secrets, Allowed, "Group {{x}}"},
		"an entry elsewhere that may be dead, before a row that lets in": {func(w *world) {
			role := "arn:aws:iam::" + foreign + ":role/dev"
			w.entry(role, "dev")
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + role + "\n  groups: [system:masters]"})
		}, "arn:aws:iam::" + foreign + ":role/dev", secrets, Unknown, "whether it was created again"},
		"an entry elsewhere, before a row that changes nothing": {func(w *world) {
			role := "arn:aws:iam::" + foreign + ":role/dev"
			w.entry(role, "dev")
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + role + "\n  username: x"})
		}, "arn:aws:iam::" + foreign + ":role/dev", secrets, Denied, ""},
		"hidden creator": {func(w *world) { w.role("dev", longAgo); w.c.Description.AuthenticationMode = model.ModeConfigMap }, dev, secrets, Unknown, "no API names it"},
		"unknown mode, and nothing either way": {func(w *world) {
			w.role("dev", longAgo)
			w.fail(model.AreaCluster)
			w.entry(roleARN("other"), "other")
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  username: x"})
		}, dev, secrets, Denied, ""},
		"unknown mode": {func(w *world) {
			w.role("dev", longAgo)
			w.fail(model.AreaCluster)
			w.entry(roleARN("other"), "other")
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  username: x"})
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("", "s", user("x"))
		}, dev, secrets, Unknown, "the authentication mode"},
		"service account through its groups": {func(w *world) {
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("a", "s", group("system:serviceaccounts:b"))
		}, "sa/b/x", secrets, Allowed, ""},
		"pod": {func(w *world) {
			w.c.Pods = []*model.Pod{{Meta: model.Meta{Namespace: "b", Name: "p"}}}
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("a", "s", sa("b", "default"))
		}, "pod/b/p", secrets, Allowed, "rules[0]"},
		"workload without a token": {func(w *world) {
			no := false
			w.c.Workloads = []*model.Workload{{Meta: model.Meta{Namespace: "b", Name: "web"}, Kind: "Deployment", PodSpec: model.PodSpec{Automount: &no}}}
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("a", "s", sa("b", "default"))
		}, "deploy/b/web", secrets, Allowed, "none is mounted"},
		"user with the name of a template's group": {func(w *world) { w.clusterRole("s", rule("get", "secrets")); w.bind("a", "s", user("devs")) }, "group:devs", secrets, Denied, ""},
		"no username is not the username that is empty": {func(w *world) {
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("a", "s", user(""))
		}, "group:devs", secrets, Denied, ""},
		"an empty username is one": {func(w *world) {
			w.role("dev", longAgo)
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  groups: [x]"})
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("a", "s", user(""))
		}, dev, secrets, Allowed, ""},
		"aggregated, not all read": {func(w *world) {
			w.c.ClusterRoles = append(w.c.ClusterRoles, &model.Role{Meta: model.Meta{Name: "agg"}, Aggregation: &rbacv1.AggregationRule{}})
			w.bind("a", "agg", user("x"))
			w.Gaps = append(w.Gaps, finding.Gap{Area: string(model.AreaClusterRoles), Cluster: "prod"})
		}, "user:x", secrets, Unknown, "ClusterRole agg, which is aggregated"},
		"URL": {func(w *world) {
			w.clusterRole("m", rbacv1.PolicyRule{Verbs: []string{"get"}, NonResourceURLs: []string{"/metrics"}})
			w.bind("", "m", user("x"))
		}, "user:x", rbac.Request{Verb: "get", NonResourceURL: "/metrics", Namespace: "a", Resource: "secrets"}, Allowed, ""},
		"URLs are of no namespace": {func(w *world) {
			w.clusterRole("m", rbacv1.PolicyRule{Verbs: []string{"get"}, NonResourceURLs: []string{"/metrics"}})
			w.bind("a", "m", user("x"))
		}, "user:x", rbac.Request{Verb: "get", NonResourceURL: "/metrics", Namespace: "a"}, Denied, ""},
		"exec by get": {func(w *world) { w.clusterRole("e", rule("get", "pods/exec")); w.bind("", "e", user("x")) }, "user:x", rbac.Request{Verb: "get", Resource: "pods", Subresource: "exec", Namespace: "a"}, Allowed, "create on pods/exec is asked for as well"},
		"exec by get before 1.35": {func(w *world) {
			w.c.Description.KubernetesVersion = "1.34"
			w.clusterRole("e", rule("get", "pods/exec"))
			w.bind("", "e", user("x"))
		}, "user:x", rbac.Request{Verb: "get", Resource: "pods", Subresource: "exec", Namespace: "a"}, Allowed, "Kubernetes 1.34 opens pods/exec"},
		"nodes/proxy": {func(w *world) { w.clusterRole("e", rule("get", "nodes/proxy")); w.bind("", "e", user("x")) }, "user:x", rbac.Request{Verb: "get", Resource: "nodes", Subresource: "proxy"}, Allowed, "runs commands"},
	} {
		t.Run(n, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			tc.set(w)
			g := w.access().Check(mustIdentity(t, tc.id), tc.r)
			text := strings.Join(g.Conditions, "\n")
			for _, e := range g.Chain {
				text += "\n" + e.Text + " <- " + e.Source
			}
			if g.Verdict != tc.want || !strings.Contains(text, tc.says) {
				t.Errorf("%s: %s, want %s and %q in:\n%s", tc.id, g.Verdict, tc.want, tc.says, text)
			}
			if len(g.Chain) == 0 && g.Verdict != Unknown || g.Verdict == Unknown && len(g.Conditions) == 0 {
				t.Errorf("%s without a reason: chain %v, conditions %v", g.Verdict, g.Chain, g.Conditions)
			}
			if slices.Contains(g.Conditions, "") {
				t.Errorf("an empty condition: %q", g.Conditions)
			}
		})
	}
}
