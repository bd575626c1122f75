package detect

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/access"
	"drawbridge/internal/event"
	"drawbridge/internal/model"
)

// request is an audit event as the predicates see it. Its members are those of the record, as JSON.
func request(t testing.TB, members string) *look {
	t.Helper()
	return lookAt(t, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"ResponseComplete","requestReceivedTimestamp":"2026-11-01T10:00:00Z",`+members+`}`, &Context{}, newLedger(1000))
}

func TestDone(t *testing.T) {
	for name, c := range map[string]struct {
		members string
		want    bool
	}{
		"created":                   {`"auditID":"a","verb":"create","responseStatus":{"code":201}`, true},
		"refused":                   {`"auditID":"a","verb":"create","responseStatus":{"code":403}`, false},
		"no answer":                 {`"auditID":"a","verb":"create"`, false},
		"dry run":                   {`"auditID":"a","verb":"create","requestURI":"/x?dryRun=All","responseStatus":{"code":201}`, false},
		"dry run, encoded":          {`"auditID":"a","verb":"patch","requestURI":"/x?dry%52un=%41ll","responseStatus":{"code":200}`, false},
		"not All":                   {`"auditID":"a","verb":"create","requestURI":"/x?dryRun=","responseStatus":{"code":201}`, true},
		"in a name":                 {`"auditID":"a","verb":"create","requestURI":"/dryRun=All","responseStatus":{"code":201}`, true},
		"delete, body says so":      {`"auditID":"a","verb":"delete","requestURI":"/x","requestObject":{"dryRun":["All"]},"responseStatus":{"code":200}`, false},
		"delete, body overrides":    {`"auditID":"a","verb":"delete","requestURI":"/x?dryRun=All","requestObject":{},"responseStatus":{"code":200}`, true},
		"delete, no body":           {`"auditID":"a","level":"Request","verb":"delete","requestURI":"/x?dryRun=All","responseStatus":{"code":200}`, false},
		"delete, body not recorded": {`"auditID":"a","level":"Metadata","verb":"delete","requestURI":"/x?dryRun=All","responseStatus":{"code":200}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := request(t, c.members).done(); got != c.want {
				t.Errorf("done %v, want %v", got, c.want)
			}
		})
	}
}

func TestPart(t *testing.T) {
	for name, c := range map[string]struct{ user, want string }{
		"kubelet":                        {`{"username":"system:node:a","groups":["system:nodes"]}`, partKubelet},
		"called a node":                  {`{"username":"system:node:a","groups":["developers"]}`, ""},
		"controller manager":             {`{"username":"system:kube-controller-manager"}`, partControlPlane},
		"controller manager through IAM": {`{"username":"system:kube-controller-manager","extra":{"accessKeyId":["ASIAEXAMPLEEXAMPLE01"]}}`, ""},
		"controller":                     {`{"username":"system:serviceaccount:kube-system:job-controller"}`, partController},
		"controller in a pod":            {`{"username":"system:serviceaccount:kube-system:job-controller","extra":{"authentication.kubernetes.io/pod-name":["x"]}}`, ""},
		"its name elsewhere":             {`{"username":"system:serviceaccount:web:job-controller"}`, ""},
		"not a controller":               {`{"username":"system:serviceaccount:kube-system:my-controller"}`, ""},
		"EKS":                            {`{"username":"eks:addon-manager"}`, partEKS},
		"somebody":                       {`{"username":"jane","groups":["system:masters"]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := request(t, `"auditID":"a","verb":"get","user":`+c.user).part(); got != c.want {
				t.Errorf("part %q, want %q", got, c.want)
			}
		})
	}
	if got := request(t, `"auditID":"a","verb":"get","user":{"username":"eks:addon-manager"},"impersonatedUser":{"username":"x"}`).part(); got != "" {
		t.Errorf("who impersonates is part %q, want none", got)
	}
}

func TestMappings(t *testing.T) {
	row := func(arn, user, groups string) string {
		return fmt.Sprintf("- rolearn: %s\n  username: %q\n  groups: [%s]\n", arn, user, groups)
	}
	const role = "arn:aws:iam::111122223333:role/"
	for name, c := range map[string]struct {
		was, is string
		want    awsAuthChange
	}{
		"nothing": {row(role+"a", "a", "g"), row(role+"A", "a", "g"), awsAuthChange{}},
		"order":   {row(role+"a", "a", "g, h"), row(role+"a", "a", "h, g"), awsAuthChange{}},
		"group": {row(role+"a", "a", "g"), row(role+"a", "a", "g, system:masters"), awsAuthChange{
			gained: []string{role + "a joins system:masters"}, strong: []string{role + "a: system:masters may do everything"},
		}},
		"left and joined": {row(role+"a", "a", "g"), row(role+"a", "a", "h"), awsAuthChange{gained: []string{role + "a joins h"}, lost: []string{role + "a leaves g"}}},
		"name": {row(role+"a", "a", ""), row(role+"a", "system:kube-controller-manager", ""), awsAuthChange{
			gained: []string{role + "a becomes system:kube-controller-manager"},
			strong: []string{role + "a: username system:kube-controller-manager is Kubernetes' or EKS' own"},
		}},
		"node": {"", row(role+"n", "system:node:{{EC2PrivateDNSName}}", "system:bootstrappers, system:nodes"), awsAuthChange{
			gained: []string{role + "n may sign in as system:node:{{EC2PrivateDNSName}} in system:bootstrappers and system:nodes"}, nodes: true,
		}},
		"node by a fixed name": {"", row(role+"n", "system:node:a", "system:nodes"), awsAuthChange{
			gained: []string{role + "n may sign in as system:node:a in system:nodes"},
			strong: []string{role + "n: group system:nodes is Kubernetes' or EKS' own"},
		}},
		"chosen group": {"", row(role+"a", "a", `"{{SessionName}}"`), awsAuthChange{
			gained: []string{role + "a may sign in as a in {{SessionName}}"},
			strong: []string{role + "a: whoever takes the role chooses the group {{SessionName}}"},
		}},
		"gone": {row(role+"a", "a", "g"), "", awsAuthChange{lost: []string{role + "a is no longer mapped"}}},
	} {
		t.Run(name, func(t *testing.T) {
			body := func(roles string) string {
				b, _ := json.Marshal(map[string]any{"kind": "ConfigMap", "metadata": map[string]string{"name": "aws-auth"}, "data": map[string]string{"mapRoles": roles}})
				return string(b)
			}
			const ref = `"verb":"update","objectRef":{"resource":"configmaps","namespace":"kube-system","name":"aws-auth"},"responseStatus":{"code":200},"responseObject":`
			l := request(t, `"auditID":"b",`+ref+body(c.is))
			before := request(t, `"auditID":"a",`+ref+body(c.was))
			l.ledger.note(before)
			l.ledger.note(l)
			got, ok := l.awsAuthChange()
			if !ok || !got.known {
				t.Fatalf("ok %v, known %v", ok, got.known)
			}
			c.want.known = true
			got.nodes = got.nodes && len(got.gained) > 0
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(awsAuthChange{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCloudAudience(t *testing.T) {
	for audience, want := range map[string]bool{
		"pods.eks.amazonaws.com": true, "sts.amazonaws.com": true, "sts.amazonaws.com.cn": true, "sts.eu-central-1.amazonaws.com": true, "https://sts.amazonaws.com/": true,
		"sts.cn-north-1.amazonaws.com.cn": true, "STS.AMAZONAWS.COM": true,
		"": false, "vault": false, "https://kubernetes.default.svc": false, "xsts.amazonaws.com": false, "sts.amazonaws.com.example.com": false, "s3.amazonaws.com": false,
	} {
		if got := cloudAudience(audience); got != want {
			t.Errorf("%q: %v, want %v", audience, got, want)
		}
	}
}

func TestKubeletPath(t *testing.T) {
	for uri, want := range map[string][2]string{
		"/api/v1/nodes/n/proxy/exec/web/a/c?command=sh":        {"/exec/web/a/c", "command"},
		"/api/v1/nodes/https:n:10250/proxy/run/web/a/c":        {"/run/web/a/c", "command"},
		"/api/v1/nodes/n/proxy/%65xec/web/a/c":                 {"/exec/web/a/c", "command"},
		"/api/v1/nodes/n/proxy//./metrics/../portForward/a/b":  {"/portForward/a/b", "command"},
		"/api/v1/nodes/n/proxy/EXEC/a":                         {"/EXEC/a", "command"},
		"/api/v1/nodes/n/proxy/metrics/cadvisor":               {"/metrics/cadvisor", "metrics"},
		"/api/v1/nodes/n/proxy/":                               {"/", "read"},
		"/api/v1/nodes/n/proxy":                                {"/", "read"},
		"/api/v1/nodes/n/proxy/logs/?query=/exec":              {"/logs", "read"},
		"/api/v1/nodes/n/proxy/%zz":                            {"/%zz", "read"},
		"/api/v1/nodes/n/proxy/runningpods/":                   {"/runningpods", "read"},
		"/api/v1/nodes/n/proxy/containerLogs/web/a/c?follow=1": {"/containerLogs/web/a/c", "read"},
	} {
		l := request(t, fmt.Sprintf(`"auditID":"a","verb":"get","requestURI":%q,"objectRef":{"resource":"nodes","subresource":"proxy","name":"n"}`, uri))
		p := l.kubeletPath()
		if got := [2]string{p, kubeletAction(p)}; got != want {
			t.Errorf("%s: %q, want %q", uri, got, want)
		}
	}
	if p := request(t, `"auditID":"a","verb":"get","requestURI":"/api/v1/nodes/n/proxy/exec","objectRef":{"resource":"pods","subresource":"proxy"}`).kubeletPath(); p != "" {
		t.Errorf("of a pod's proxy: %q", p)
	}
}

func TestRisks(t *testing.T) {
	for spec, want := range map[string][2][]string{
		`{}`: {},
		`{"containers":[{"securityContext":{"privileged":true}}]}`:                                                       {{"privileged"}, {"privileged"}},
		`{"containers":[{"securityContext":{"\u0070rivileged":true}}]}`:                                                  {{"privileged"}, {"privileged"}},
		`{"containers":[{"securityContext":{"privileged":false}},{}]}`:                                                   {},
		`{"initContainers":[{"securityContext":{"capabilities":{"add":["cap_sys_admin","NET_RAW","CHOWN"]}}}]}`:          {{"capability NET_RAW", "capability SYS_ADMIN"}, {"capability SYS_ADMIN"}},
		`{"hostNetwork":true,"containers":[{"securityContext":{"capabilities":{"add":["NET_ADMIN"]}}}]}`:                 {{"capability NET_ADMIN", "hostNetwork"}, {"capability NET_ADMIN"}},
		`{"containers":[{"securityContext":{"capabilities":{"add":["NET_ADMIN"]}}}]}`:                                    {{"capability NET_ADMIN"}, nil},
		`{"hostIPC":true,"hostNetwork":true}`:                                                                            {{"hostIPC", "hostNetwork"}, nil},
		`{"volumes":[{"hostPath":{"path":"/var/log"}},{"hostPath":{"path":"/var/run/../../"}}]}`:                         {{"hostPath /", "hostPath /var/log"}, {"hostPath /"}},
		`{"volumes":[{"hostPath":{"path":"/var/lib"}},{"hostPath":{"path":"/var/lib/kubelet/pods/x"}},{"emptyDir":{}}]}`: {{"hostPath /var/lib", "hostPath /var/lib/kubelet/pods/x"}, {"hostPath /var/lib", "hostPath /var/lib/kubelet/pods/x"}},
		`{"securityContext":{"windowsOptions":{"hostProcess":true}}}`:                                                    {{"hostProcess"}, {"hostProcess"}},
		`{"serviceAccountName":"daemon-set-controller"}`:                                                                 {{"service account daemon-set-controller"}, {"service account daemon-set-controller"}},
	} {
		l := request(t, `"auditID":"a","verb":"create","objectRef":{"resource":"jobs","namespace":"kube-system"},"responseStatus":{"code":201},"responseObject":{"kind":"Job","spec":{"template":{"spec":`+spec+`}}}`)
		all, added := l.risks()
		if !slices.Equal(all, added) {
			t.Errorf("%s: of a job that is made %q are added, want %q", spec, added, all)
		}
		var strong []string
		for _, r := range added {
			if strongRisk(r, "kube-system", added) {
				strong = append(strong, r)
			}
		}
		if diff := cmp.Diff(want, [2][]string{all, strong}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", spec, diff)
		}
	}
}

func TestRolePowers(t *testing.T) {
	rule := func(group, resource string, verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
	}
	for name, c := range map[string]struct {
		rules     []rbacv1.PolicyRule
		namespace string
		wild      []string
		powers    []string
	}{
		"everything":             {[]rbacv1.PolicyRule{rule("*", "*", "*")}, "", []string{everything}, []string{everything}},
		"own group of resources": {[]rbacv1.PolicyRule{rule("shop.example.com", "*", "*")}, "", nil, nil},
		"all verbs":              {[]rbacv1.PolicyRule{rule("", "events", "*")}, "", []string{"* on events"}, nil},
		"harmless":               {[]rbacv1.PolicyRule{rule("", "pods", "get", "list")}, "", nil, nil},
		"tokens":                 {[]rbacv1.PolicyRule{rule("", "serviceaccounts/token", "create")}, "web", nil, []string{"mint-tokens"}},
		"kubelets":               {[]rbacv1.PolicyRule{rule("", "nodes/proxy", "get")}, "", nil, []string{"reach-kubelets"}},
		"kubelets in a Role":     {[]rbacv1.PolicyRule{rule("", "nodes/proxy", "get")}, "web", nil, nil},
		"any ConfigMap":          {[]rbacv1.PolicyRule{rule("", "configmaps", "update")}, "", nil, nil},
		"aws-auth":               {[]rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"aws-auth"}, Verbs: []string{"update"}}}, "", nil, []string{"write-aws-auth"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.wild, wildcards(c.rules)); diff != "" {
				t.Errorf("wildcards (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.powers, powersOf(c.rules, c.namespace)); diff != "" {
				t.Errorf("powers (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPodsOfOneName: a pod of a StatefulSet has its predecessor's name; which of them a request is about does not depend on
// the order in which the log was read.
func TestPodsOfOneName(t *testing.T) {
	var made []string
	for i := range 5 {
		made = append(made, fmt.Sprintf(`"auditID":"a%d","verb":"create","objectRef":{"resource":"pods","namespace":"web","name":"db-0"},"responseStatus":{"code":201},
			"responseObject":{"kind":"Pod","metadata":{"name":"db-0","uid":"u%d"},"spec":{"containers":[{"name":"c"}]}}`, i, i))
	}
	for seed := range uint64(20) {
		order := rand.New(rand.NewPCG(seed, 1)).Perm(len(made))
		g := newLedger(100)
		for _, i := range order {
			at := start.Add(time.Duration(i) * time.Hour).Format(time.RFC3339)
			g.note(lookAt(t, `{"kind":"Event","stage":"ResponseComplete","requestReceivedTimestamp":"`+at+`",`+made[i]+`}`, &Context{}, g))
		}
		for i := range made {
			if p := g.podNamed("", "web", "db-0", start.Add(time.Duration(i)*time.Hour+time.Minute)); p == nil || p.UID != fmt.Sprintf("u%d", i) {
				t.Fatalf("in order %v, at hour %d: %+v", order, i, p)
			}
		}
		if p := g.podNamed("", "web", "db-0", start.Add(-time.Hour)); p == nil || p.UID != "u0" {
			t.Fatalf("before the first: %+v, want the first", p)
		}
	}
}

func TestAccessPolicyOfReason(t *testing.T) {
	const policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
	for reason, want := range map[string]string{
		byPolicy + `ClusterRoleBinding "arn:aws:iam::111122223333:role/a+` + policy + `" of ClusterRole "` + policy + `" to User "AROA"`: "everything",
		byPolicy + `RoleBinding "arn:aws:iam::111122223333:role/a+` + policy + `" of ClusterRole "` + policy + `" to User "AROA"`:        "namespace",
		`RBAC: allowed by ClusterRoleBinding "` + byPolicy + `" of ClusterRole "` + policy + `" to Group "g"`:                            "",
		byPolicy:                        "",
		byPolicy + ` of ClusterRole "x`: "",
	} {
		quoted, _ := json.Marshal(reason)
		l := request(t, `"auditID":"a","verb":"get","annotations":{"authorization.k8s.io/reason":`+string(quoted)+`}`)
		if got := l.policyReach().String(); got != want {
			t.Errorf("%s: reach %q, want %q", reason, got, want)
		}
	}
}

func TestNodeElsewhere(t *testing.T) {
	for name, c := range map[string]struct{ user, from, want string }{
		"at home":   {"system:node:ip-10-0-1-1.eu-central-1.compute.internal", "10.0.1.1", ""},
		"elsewhere": {"system:node:ip-10-0-1-1.eu-central-1.compute.internal", "10.0.9.9", "10.0.1.1"},
		"public":    {"system:node:ip-10-0-1-1.eu-central-1.compute.internal", "203.0.113.7", ""},
		"by id":     {"system:node:i-0123456789abcdef0.eu-central-1.compute.internal", "10.0.9.9", ""},
		"odd":       {"system:node:ip-10-0-1", "10.0.9.9", ""},
		"no node":   {"ip-10-0-1-1", "10.0.9.9", ""},
		"no source": {"system:node:ip-10-0-1-1", "", ""},
	} {
		l := request(t, fmt.Sprintf(`"auditID":"a","verb":"get","user":{"username":%q},"sourceIPs":[%q]`, c.user, c.from))
		if got, _ := l.nodeElsewhere(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// FuzzRequestFields: no object that somebody sends to the API server makes a field or the ledger fail.
func FuzzRequestFields(f *testing.F) {
	for _, s := range []string{
		`{"kind":"Role","metadata":{"name":"x"},"rules":[{"verbs":["*"],"resources":["*"],"apiGroups":["*"]}],"subjects":[{"kind":"User","name":"x"}],"roleRef":{"kind":"ClusterRole","name":"x"}}`,
		`[{"op":"add","path":"/rules/-","value":{"verbs":["*"]}},{"op":"add","path":1},{"path":"/metadata/annotations","value":{"eks.amazonaws.com/role-arn":"x"}}]`,
		`{"data":{"mapRoles":"- rolearn: [","mapUsers":1},"spec":{"containers":{"env":1},"volumes":[{"projected":{"sources":[{"serviceAccountToken":{"audience":"sts.amazonaws.com"}}]}}],"request":"LS0tLS1CRUdJTg=="}}`,
		`{"webhooks":[{"clientConfig":{"service":[]},"rules":[{"resources":["*/*"]}]}],"spec":{"template":{"spec":{"hostPID":"true"}}}}`,
		`"text"`, `null`, `[]`, `{"kind":"Status"}`,
	} {
		f.Add(s, uint8(len(s)))
	}
	resources := []string{"pods", "deployments", "cronjobs", "configmaps", "serviceaccounts", "roles", "clusterrolebindings", "certificatesigningrequests", "nodes", "mutatingwebhookconfigurations", "daemonsets"}
	verbs := []string{"create", "update", "patch", "delete", "get"}
	f.Fuzz(func(t *testing.T, object string, which uint8) {
		if !json.Valid([]byte(object)) {
			object = fmt.Sprintf("%q", strings.ToValidUTF8(object, ""))
			if !json.Valid([]byte(object)) {
				return
			}
		}
		resource, verb := resources[int(which)%len(resources)], verbs[int(which)/len(resources)%len(verbs)]
		for _, where := range []string{`"requestObject":` + object, `"responseObject":` + object, `"requestObject":` + object + `,"responseObject":` + object} {
			record := `{"kind":"Event","auditID":"a","stage":"ResponseComplete","verb":"` + verb + `","requestReceivedTimestamp":"2026-11-01T10:00:00Z","user":{"username":"u"},
				"objectRef":{"resource":"` + resource + `","namespace":"kube-system","name":"aws-auth"},"responseStatus":{"code":200},` + where + `}`
			if event.Scan([]byte(record), new(event.Event)) != nil {
				continue // the scanner says so: it is counted
			}
			l := lookAt(t, record, &Context{}, newLedger(16))
			for range 2 {
				l.ledger.note(l)
				for i := range requestFields {
					requestFields[i].Of(l)
				}
				for i := range podFields {
					podFields[i].Of(l)
				}
			}
		}
	})
}

// TestAWSAuthBefore: what was there before a change is told by the newer of the log and the snapshot, and by neither of what
// came after.
func TestAWSAuthBefore(t *testing.T) {
	version := func(id, at, roles string) string {
		return `{"kind":"Event","auditID":"` + id + `","stage":"ResponseComplete","verb":"update","requestReceivedTimestamp":"2026-11-01T` + at + `:00:00Z",
			"objectRef":{"resource":"configmaps","namespace":"kube-system","name":"aws-auth"},"responseStatus":{"code":200},
			"responseObject":{"kind":"ConfigMap","metadata":{"name":"aws-auth"},"data":{"mapRoles":"` + roles + `"}}}`
	}
	for name, c := range map[string]struct {
		logged, snapshot string // hours
		want             string
	}{
		"nothing":              {"", "", ""},
		"log":                  {"08", "", "logged"},
		"snapshot":             {"", "08", "snapshot"},
		"snapshot after it":    {"", "12", ""},
		"log is newer":         {"09", "08", "logged"},
		"snapshot is newer":    {"08", "09", "snapshot"},
		"log, snapshot after":  {"08", "12", "logged"},
		"logged only later on": {"11", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, g := &Context{}, newLedger(10)
			if c.snapshot != "" {
				at, err := time.Parse("15", c.snapshot)
				if err != nil {
					t.Fatal(err)
				}
				ctx.Access = access.New(&model.Snapshot{
					Time:     time.Date(2026, 11, 1, at.Hour(), 0, 0, 0, time.UTC),
					Clusters: []*model.Cluster{{AWSAuth: &model.AWSAuth{Data: map[string]string{"mapRoles": "snapshot"}}}},
				})
			}
			if c.logged != "" {
				g.note(lookAt(t, version("a", c.logged, "logged"), ctx, g))
			}
			l := lookAt(t, version("b", "10", "now"), ctx, g)
			g.note(l)
			data, known := l.awsAuthBefore()
			if got := data["mapRoles"]; got != c.want || known != (c.want != "") {
				t.Errorf("%q, known %v; want %q", got, known, c.want)
			}
		})
	}
}
