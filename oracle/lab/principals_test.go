package oracle

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"drawbridge/internal/lab/aws"
	"drawbridge/internal/lab/aws/wire"
	"drawbridge/internal/lab/kube"
)

// gen makes worlds; equal seeds make equal ones.
type gen struct{ *rand.Rand }

func pick[T any](g gen, list ...T) T { return list[g.IntN(len(list))] }

// chance is true once in n.
func (g gen) chance(n int) bool { return g.IntN(n) == 0 }

// some returns between min and max of the strings, repetitions included.
func (g gen) some(min, max int, list []string) []string {
	var out []string
	for range min + g.IntN(max-min+1) {
		out = append(out, pick(g, list...))
	}
	return out
}

const (
	region = "us-east-1"
	home   = "111122223333" // the cluster's account, the only one that drawbridge reads
	near   = "444455556666" // an account whose principals have access entries and rows too
	far    = "777788889999" // in mapAccounts of some worlds
)

// principal is an IAM principal that asks.
type principal struct {
	arn, account string
	unique       string   // what STS says now; access entries of recreated principals are bound to another
	sessions     []string // of a role
	recreated    bool
	// unsettled says why nobody can tell from a snapshot as whom it comes in, or is empty.
	unsettled string
}

func (p *principal) name() string { return p.arn[strings.LastIndex(p.arn, "/")+1:] }

func (p *principal) isRole() bool { return strings.Contains(p.arn, ":role/") }

// sts is the ARN of one of its sessions, or its own.
func (p *principal) sts(session string) string {
	if !p.isRole() {
		return p.arn
	}
	return "arn:aws:sts::" + p.account + ":assumed-role/" + p.name() + "/" + session
}

// stripped is the ARN without path under which the authenticator looks for a role.
func (p *principal) stripped() string {
	if !p.isRole() {
		return p.arn
	}
	return "arn:aws:iam::" + p.account + ":role/" + p.name()
}

var (
	roleNames = []string{"Dev", "Ops", "Audit", "a+b=c,d.e@f-g_h", "AWSReservedSSO_Admin_0123456789abcdef", "AWSReservedSSO_ReadOnly_fedcba9876543210", "Release", "Lead"}
	userNames = []string{"alice", "bob", "carol", "dave"}
	sessions  = []string{"alice", "bob", "jane@example.com", "web", "i-0123456789abcdef9"}
)

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}`

// principals puts IAM principals into the lab's accounts and returns them.
func (g gen) principals(s *aws.Server) []*principal {
	var all []*principal
	for _, account := range []string{home, near, far} {
		a := s.Account(account, "aws")
		for _, name := range roleNames {
			path := pick(g, "/", "/", "/team/", "/a/b/")
			if strings.HasPrefix(name, "AWSReservedSSO") {
				path = pick(g, "/aws-reserved/sso.amazonaws.com/", "/aws-reserved/sso.amazonaws.com/eu-central-1/")
			}
			id := g.unique("AROA")
			arn := a.PutRole(aws.Role{RoleName: name, Path: path, RoleID: id, AssumeRolePolicyDocument: trust})
			all = append(all, &principal{arn: arn, account: account, unique: id, sessions: g.some(1, 2, sessions)})
		}
		for _, name := range userNames {
			id := g.unique("AIDA")
			arn := a.PutUser(aws.User{UserName: name, Path: pick(g, "/", "/", "/team/"), UserID: id})
			all = append(all, &principal{arn: arn, account: account, unique: id})
		}
		all = append(all, &principal{arn: "arn:aws:iam::" + account + ":root", account: account, unique: account})
	}
	return append(all, &principal{arn: "arn:aws:sts::" + home + ":federated-user/fay", account: home, unique: home + ":fay"})
}

func (g gen) unique(prefix string) string { return fmt.Sprintf("%s%017d", prefix, g.IntN(1e15)) }

// recreate deletes some principals and creates them again, so that access entries of theirs are dead.
func (g gen) recreate(s *aws.Server, all []*principal, at time.Time) {
	for _, p := range all {
		if (!p.isRole() && !strings.Contains(p.arn, ":user/")) || !g.chance(10) {
			continue
		}
		resource := p.arn[strings.LastIndex(p.arn, ":")+1:]
		path := resource[strings.Index(resource, "/") : strings.LastIndex(resource, "/")+1]
		a := s.Account(p.account, "aws")
		p.recreated = true
		if p.isRole() {
			p.unique = g.unique("AROA")
			a.PutRole(aws.Role{RoleName: p.name(), Path: path, RoleID: p.unique, CreateDate: wire.At(at), AssumeRolePolicyDocument: trust})
			continue
		}
		p.unique = g.unique("AIDA")
		a.PutUser(aws.User{UserName: p.name(), Path: path, UserID: p.unique, CreateDate: wire.At(at)})
	}
}

// fixed puts those into the home account who come in the same in every world: the roles of nodes, with instances that are
// the nodes of the cluster, and one that aws-auth makes a master.
func (g gen) fixed(s *aws.Server) []*principal {
	a := s.Account(home, "aws")
	var all []*principal
	for _, name := range []string{"node", "fargate", "breakglass"} {
		id := g.unique("AROA")
		all = append(all, &principal{arn: a.PutRole(aws.Role{RoleName: name, RoleID: id, AssumeRolePolicyDocument: trust}), account: home, unique: id})
	}
	for i := range nodeCount {
		n := kube.Node(i, "general")
		instance := n.Spec.ProviderID[strings.LastIndexByte(n.Spec.ProviderID, '/')+1:]
		a.Region(region).PutInstance(aws.Instance{InstanceID: instance, PrivateDNSName: n.Name, Tags: []aws.EC2Tag{{Key: "kubernetes.io/cluster/" + cluster, Value: "owned"}}})
		all[0].sessions = append(all[0].sessions, instance)
	}
	all[1].sessions = []string{"fargate-ip-10-0-0-9.ec2.internal"}
	all[2].sessions = []string{"alice"}
	return all
}

const nodeCount = 3

var (
	groups = []string{"dev", "ops", "auditors", "sre", "team:alice", "c", "{{c}}"}
	// templates are usernames that the EKS API takes: a colon comes before a session name.
	templates = []string{"", "", "", "user:{{SessionName}}", "{{AccountID}}:{{SessionName}}", "alice", "u:{{SessionNameRaw}}", "bob:x"}

	published   = []string{"AmazonEKSClusterAdminPolicy", "AmazonEKSAdminPolicy", "AmazonEKSEditPolicy", "AmazonEKSViewPolicy", "AmazonEKSViewPolicy", "AmazonEKSAdminViewPolicy", "AmazonEKSSecretReaderPolicy", "AmazonEKSSecretAdminPolicy", "AmazonEKSHybridPolicy", "AmazonARCRegionSwitchScalingPolicy"}
	unpublished = []string{"AmazonEKSClusterInsightsPolicy", "AmazonEKSKROPolicy"}

	namespaces = []string{"shop", "shop-dev", "dev-a", "dev-b", "prod", "team-1"}
	patterns   = []string{"shop", "prod", "dev-*", "dev-*", "*-dev", "s*p", "*", "team-1", "dev-a", "nowhere", "*-*"}
)

// entries gives some principals access entries with access policies.
func (g gen) entries(r *aws.Region, all []*principal) {
	for _, p := range all {
		if p.account == far || strings.HasSuffix(p.arn, ":root") || strings.Contains(p.arn, ":federated-user/") || g.chance(3) {
			continue
		}
		e := aws.AccessEntry{ClusterName: cluster, PrincipalARN: p.arn, Username: pick(g, templates...), KubernetesGroups: g.some(0, 2, append([]string{"team:{{SessionName}}"}, groups...))}
		if !p.isRole() && strings.Contains(e.Username, "{{Session") {
			e.Username = ""
		}
		r.PutAccessEntry(e, g.policies()...)
	}
}

func (g gen) policies() []aws.AssociatedAccessPolicy {
	var all []aws.AssociatedAccessPolicy
	have := map[string]bool{}
	for range g.IntN(4) {
		name := pick(g, published...)
		if g.chance(12) {
			name = pick(g, unpublished...)
		}
		scope := aws.AccessScope{Type: "cluster"}
		if !g.chance(3) || name == "AmazonEKSClusterAdminPolicy" && !g.chance(4) {
			scope = aws.AccessScope{Type: "namespace", Namespaces: g.some(1, 3, patterns)}
		}
		if !have[name] {
			all = append(all, aws.AssociatedAccessPolicy{PolicyARN: policyPrefix + name, AccessScope: scope})
		}
		have[name] = true
	}
	return all
}

const policyPrefix = "arn:aws:eks::aws:cluster-access-policy/"
