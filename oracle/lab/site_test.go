package oracle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"drawbridge/detections"
	"drawbridge/internal/detect"
	"drawbridge/internal/event"
	"drawbridge/internal/finding"
	"drawbridge/internal/lab/aws"
	"drawbridge/internal/lab/kube"
	"drawbridge/internal/model"
)

// clusterARN is the cluster whose log it is.
const clusterARN = "arn:aws:eks:" + region + ":" + home + ":cluster/" + cluster

// site is a cluster that looks like one of EKS, with EKS' audit policy: its people come through IAM, by the real
// authenticator, its controllers are the real ones under their own names, and a stand-in for EKS' webhook gives pods what
// they need for IRSA and Pod Identity. There are no kubelets; what they ask of the API server is asked in their names.
type site struct {
	kube  *kube.Cluster
	sts   callers
	nodes []string
	// webhook is the URL of the pod identity webhook.
	webhook string
	roles   map[string]mappedRole
	cfgs    map[string]*rest.Config // of sessions
	inMu    sync.Mutex
	// associated are the service accounts with a Pod Identity association, irsa those with a role: namespace/name.
	associated map[string]bool
	irsa       map[string]string
}

// mappedRole is an IAM role with an access entry.
type mappedRole struct {
	account, unique, username string
	groups                    []string
	policy                    string
}

// siteRoles are those who come in. The names of EKS' own users are those that EKS' audit logs show (EKS Best Practices Guide,
// "Auditing and logging", 2026-11); through which roles they come is synthetic.
func siteRoles() map[string]mappedRole {
	roles := map[string]mappedRole{
		"Ops":      {groups: []string{"ops"}},
		"Dev":      {groups: []string{"dev"}},
		"Pipeline": {groups: []string{"pipeline"}},
		"Nobody":   {groups: []string{"nobody"}},
		"Lead":     {policy: "AmazonEKSClusterAdminPolicy"},
		"Watch":    {policy: "AmazonEKSClusterAdminPolicy"},
		"ShopWeb":  {groups: []string{"dev"}},
		"node":     {username: "system:node:{{EC2PrivateDNSName}}", groups: []string{"system:bootstrappers", "system:nodes"}},
		"NodeOps":  {groups: []string{"ops"}},
	}
	for user, role := range map[string]string{"eks:addon-manager": "AddonManager", "eks:node-manager": "NodeManager", "eks:certificate-controller": "CertificateController"} {
		roles[role] = mappedRole{account: near, username: user}
	}
	i := 0
	for _, name := range []string{"Ops", "Dev", "Pipeline", "Nobody", "Lead", "Watch", "ShopWeb", "node", "NodeOps", "AddonManager", "NodeManager", "CertificateController"} {
		r := roles[name]
		r.unique = fmt.Sprintf("AROA%017d", i)
		if r.account == "" {
			r.account = home
		}
		if r.username == "" {
			r.username = "arn:aws:sts::" + r.account + ":assumed-role/" + name + "/{{SessionName}}"
		}
		roles[name] = r
		i++
	}
	for i := range attackers {
		name := attacker(i)
		roles[name] = mappedRole{account: home, unique: fmt.Sprintf("AROA1%016d", i), username: "arn:aws:sts::" + home + ":assumed-role/" + name + "/{{SessionName}}", groups: []string{"ops"}}
	}
	return roles
}

// attackers is how many roles there are for attacks: one each, for detections that look at several requests go by the role.
const attackers = 250

func attacker(i int) string { return fmt.Sprintf("Mallory%03d", i) }

func newSite(t *testing.T) *site {
	t.Helper()
	kube.Require(t)
	s := &site{
		roles: siteRoles(), cfgs: map[string]*rest.Config{},
		associated: map[string]bool{"shop/web": true}, irsa: map[string]string{"shop/cart": "arn:aws:iam::" + home + ":role/cart"},
	}
	cloud := aws.New(aws.Options{}).Start(t)
	r := cloud.Account(home, "aws").Region(region)
	for i := range nodeCount {
		n := kube.Node(i, "general")
		s.nodes = append(s.nodes, n.Name)
		r.PutInstance(aws.Instance{InstanceID: instanceOf(i), PrivateDNSName: n.Name, Tags: []aws.EC2Tag{{Key: "kubernetes.io/cluster/" + cluster, Value: "owned"}}})
	}
	rules, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	a := kube.Authenticator{Cluster: cluster, Mode: model.ModeAPIConfigMap, STS: &s.sts, Environment: cloud.Env(home, region)}
	p := kube.AccessPolicies{Published: rules}
	for name, r := range s.roles {
		arn := "arn:aws:iam::" + r.account + ":role/" + name
		a.Entries = append(a.Entries, kube.MappedPrincipal{ARN: arn, UniqueID: r.unique, Username: r.username, Groups: r.groups})
		if r.policy != "" {
			p.Associations = append(p.Associations, kube.PolicyAssociation{PrincipalARN: arn, UniqueID: r.unique, PolicyARN: policyPrefix + r.policy})
		}
	}
	controllers := append(kube.IdentityControllers(), kube.WorkloadControllers()...)
	controllers = append(controllers, "cronjob-controller", "statefulset-controller", "endpointslice-controller", "disruption-controller", "resourcequota-controller")
	s.kube = kube.New(t, kube.Options{Controllers: controllers, OwnAccounts: true, AuditPolicy: kube.EKSAudit, Authenticator: &a, AccessPolicies: &p, Prepare: reachKubelets(t)})
	s.install(t)
	return s
}

// siteObjects are who may do what, and what the shop runs.
const siteObjects = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: bank}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: ops}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: ops}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: pipeline}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: pipeline}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: dev, namespace: shop}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}, subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: dev}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: dev-view}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: dev}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: "eks:certificate-controller-approver"}, rules: [{apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests, certificatesigningrequests/approval], verbs: [get, list, watch, update]}, {apiGroups: [certificates.k8s.io], resources: [signers], resourceNames: [kubernetes.io/kubelet-serving], verbs: [approve]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: "eks:certificate-controller-approver"}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "eks:certificate-controller-approver"}, subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: "eks:certificate-controller"}]}
`

// install makes the cluster one of EKS before anybody looks.
func (s *site) install(t *testing.T) {
	t.Helper()
	config, err := s.kube.ServeWebhook(s.podWebhook())
	if err != nil {
		t.Fatal(err)
	}
	hook, err := clientcmd.BuildConfigFromFlags("", config)
	if err != nil {
		t.Fatal(err)
	}
	s.webhook = hook.Host + "/mutate"
	rows := "- rolearn: arn:aws:iam::" + home + ":role/OldNode\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:bootstrappers, system:nodes]\n"
	if err := s.kube.InstallEKS(t.Context(), kube.EKS{Name: cluster, WebhookURL: s.webhook, AWSAuth: map[string]string{"mapRoles": rows}}); err != nil {
		t.Fatal(err)
	}
	if err := s.kube.Apply(t.Context(), siteObjects); err != nil {
		t.Fatal(err)
	}
	ops := client(t, s.session(t, "Ops", "setup"))
	s.await(t, "the rights of people", func() bool {
		_, err := ops.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{Limit: 1})
		return err == nil
	})
}

func instanceOf(i int) string {
	id := kube.Node(i, "").Spec.ProviderID
	return id[strings.LastIndexByte(id, '/')+1:]
}

// session is the configuration of somebody who took an IAM role, with an access key of its own for each name.
func (s *site) session(t testing.TB, role, name string) *rest.Config {
	t.Helper()
	s.inMu.Lock()
	defer s.inMu.Unlock()
	if cfg := s.cfgs[role+"/"+name]; cfg != nil {
		return cfg
	}
	r, ok := s.roles[role]
	if !ok {
		t.Fatalf("no role %s", role)
	}
	c := s.sts.add("arn:aws:sts::"+r.account+":assumed-role/"+role+"/"+name, r.account, r.unique+":"+name)
	token, err := c.token(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &rest.Config{Host: s.kube.URL, TLSClientConfig: rest.TLSClientConfig{CAData: s.kube.CA}, BearerToken: token, QPS: -1, UserAgent: "kubectl/v1.36.0 (linux/amd64) kubernetes/0000000"}
	s.cfgs[role+"/"+name] = cfg
	return cfg
}

// accessKey is that of a session.
func (s *site) accessKey(role, name string) string {
	s.sts.mu.Lock()
	defer s.sts.mu.Unlock()
	for key, c := range s.sts.byKey {
		if strings.HasSuffix(c.arn, ":assumed-role/"+role+"/"+name) {
			return key
		}
	}
	return ""
}

// kubelet is the configuration of a node's.
func (s *site) kubelet(t testing.TB, i int) *rest.Config {
	cfg := rest.CopyConfig(s.session(t, "node", instanceOf(i)))
	cfg.UserAgent = "kubelet/v1.36.3-eks-0000000 (linux/amd64) kubernetes/0000000"
	return cfg
}

// part is the configuration of a part of the control plane, which has a certificate.
func (s *site) part(t testing.TB, name string) *rest.Config {
	t.Helper()
	cfg, err := s.kube.Config(name)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func client(t testing.TB, cfg *rest.Config) kubernetes.Interface {
	t.Helper()
	c, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func objectsOf(t testing.TB, cfg *rest.Config) dynamic.Interface {
	t.Helper()
	c, err := dynamic.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// await waits for something, for half a minute at most.
func (s *site) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("waited half a minute for %s", what)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// log is what the API server has written so far.
func (s *site) log(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(s.kube.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	return b[:bytes.LastIndexByte(b, '\n')+1]
}

// findings runs logs through all detections: what the API server wrote, and records of CloudTrail.
func findings(t testing.TB, audit []byte, trail ...string) (found []finding.Finding, stats detect.Stats) {
	t.Helper()
	program, err := detect.Load(detections.Files)
	if err != nil {
		t.Fatal(err)
	}
	g := detect.New(program, &detect.Context{}, detect.Options{}, func(f finding.Finding) { found = append(found, f) })
	for _, log := range [][]byte{[]byte(strings.Join(trail, "\n")), audit} {
		d := event.NewDecoder(bytes.NewReader(log), event.Options{Cluster: clusterARN})
		var e event.Event
		for {
			err := d.Next(&e)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("an event of the API server cannot be read: %v", err)
			}
			g.Add(&e)
		}
	}
	g.Flush()
	return found, g.Stats()
}
