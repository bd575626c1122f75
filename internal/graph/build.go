package graph

import (
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
)

// builder makes a graph, one kind of step after the other.
type builder struct {
	*Graph
	keys     map[key]int32
	clusters []*cluster
	accounts []*account
	own      map[int32]bool  // service accounts of Kubernetes' own controllers
	hopping  map[string]bool // roles that go on into other roles
	attached []*attached
	asked    []Target
	kind     uint8 // of the steps that are being made
}

// key tells vertices apart: what they are, of which cluster (0 is none), and two names.
type key struct {
	what    what
	cluster int16
	a, b    string
}

// what a vertex is.
type what uint8

const (
	aServiceAccount what = iota // with its token for the Kubernetes API
	aNewPod                     // code in a pod of its own that runs as a service account
	aMinted                     // a service account's token for any audience
	aRunning                    // code in running pods
	aUser
	aGroup
	aSession // whoever came in by an access entry or a row of aws-auth
	aBinding
	aTogether  // what several bindings give together
	aRoleBound // what a ClusterRole gives where it is bound
	anAssociation
	aNode
	aPrincipal
	aPermission // what a principal may do, in whatever session
	aPolicy     // policies by which somebody goes from one place to another
	aWebToken   // a service account's token for STS
	anOutsider
	anyNewPod  // of a namespace, or "" of any
	anyRunning // likewise
	anyToken   // likewise
	anySecret  // likewise
	anyNamespaceAdmin
	anyIdentity
	anyNode
	anyUser
	anyPrincipal
	anyRole
	anyIAMUser
	anyTrusting // role that leaves it to an account who takes it
	anyPassed   // role that a service may take
	anyMade     // service account of an attacker's own making
	anyMatching // service account whose name matches a pattern
	theCluster
	theSecrets
	theAccount
	theSecret
	theResource
)

// Kinds of places besides those of package access.
const (
	KindClusterAdmin access.Kind = "ClusterAdmin" // may do everything in a cluster
	KindSecrets      access.Kind = "Secrets"      // reads all Secrets of a cluster
	KindSecret       access.Kind = "Secret"
	KindAccountAdmin access.Kind = "AccountAdmin" // may do everything in an AWS account; the name is its id
	KindNode         access.Kind = "Node"
	KindResource     access.Kind = "Resource" // an ARN that is no principal
	KindAny          access.Kind = "Any"      // one of many alike; the name says what
	KindOutside      access.Kind = "Outside"  // somebody of whom the snapshot knows no more than that they are let in
)

// cluster is what the steps of one cluster are made from.
type cluster struct {
	*access.Cluster
	n          int16
	label      string
	namespaces []string            // every one that anything names
	accounts   map[string][]string // service accounts by namespace
	holdings   map[string][]holding
	running    []*class
	runningAs  map[[2]string][]*class                  // by namespace and service account
	sessions   map[*model.PodIdentityAssociation]int32 // that are not like others of their role
	answers    map[string]int32                        // grants of metadata services that answer pods, by role
	patterns   []string                                // of subjects, that trust policies let in
	account    *account
	users      []int32
	taken      []takeover
	rights     map[*model.Role]rights
	asked      bool // for taken
}

// account is an AWS account of the snapshot, or one that the snapshot only names.
type account struct {
	id       string
	model    *model.Account // nil for one that the snapshot only names
	actors   []actor
	roles    []string // their ARNs, sorted
	users    []string
	clusters []*cluster
	region   string
	// services are those that somebody may pass a role to, and linked of how many the roles are.
	services []string
	linked   int
}

// New makes the graph of a snapshot; what somebody asks about is in it for that reason only.
func New(a *access.Access, s *model.Snapshot, asked ...Target) *Graph {
	b := &builder{
		Graph: &Graph{all: a, snapshot: s, facts: []func() Fact{nil}, grants: []Grant{{}}, starts: map[int32]bool{}, podAt: map[*model.Pod]int32{}},
		keys:  map[key]int32{}, own: map[int32]bool{}, hopping: map[string]bool{}, asked: asked,
	}
	b.survey()
	for _, c := range b.clusters {
		c.run(b)
		c.hold(b)
		c.together(b)
		c.bindNamed(b)
		c.limit(b)
	}
	for i := range Kinds {
		b.kind = uint8(i + 1)
		Kinds[i].edges(b)
	}
	b.kind = 0
	b.belongings()
	b.objects()
	for _, one := range b.attached {
		b.anywhere(one.cluster) // is there to be found
	}
	b.freeze()
	b.settle()
	return b.Graph
}

// survey lists clusters and accounts, and in each cluster the namespaces and service accounts that anything names.
func (b *builder) survey() {
	byID := map[string]*account{}
	for _, m := range b.snapshot.Accounts {
		acct := &account{id: m.ID, model: m}
		byID[m.ID] = acct
		for _, p := range b.all.IAMPrincipals(m) {
			b.act(acct, p)
		}
		slices.Sort(acct.roles)
		slices.Sort(acct.users)
		b.accounts = append(b.accounts, acct)
	}
	for i, k := range b.all.Clusters() {
		c := &cluster{
			Cluster: k, n: int16(i + 1), label: b.snapshot.Label(k.Cluster), accounts: map[string][]string{}, holdings: map[string][]holding{},
			runningAs: map[[2]string][]*class{}, sessions: map[*model.PodIdentityAssociation]int32{}, rights: map[*model.Role]rights{}, answers: map[string]int32{},
		}
		if c.account = byID[k.Account]; c.account == nil {
			c.account = &account{id: k.Account}
			byID[k.Account] = c.account
			b.accounts = append(b.accounts, c.account)
		}
		c.account.clusters = append(c.account.clusters, c)
		if c.account.region == "" {
			c.account.region = k.Region
		}
		c.survey()
		b.clusters = append(b.clusters, c)
	}
}

func (c *cluster) survey() {
	spaces, accounts := map[string]bool{}, map[[2]string]bool{}
	add := func(namespace, sa string) {
		if namespace != "" {
			spaces[namespace] = true
			accounts[[2]string{namespace, sa}] = true
		}
	}
	for _, n := range c.Namespaces {
		spaces[n.Name] = true
	}
	for _, sa := range c.ServiceAccounts {
		add(sa.Namespace, sa.Name)
	}
	for _, p := range c.Pods {
		add(p.Namespace, access.ServiceAccountName(&p.PodSpec))
	}
	for _, w := range c.Workloads {
		add(w.Namespace, access.ServiceAccountName(&w.PodSpec))
	}
	for _, a := range c.PodIdentityAssociations {
		if _, presence := c.ServiceAccount(a.Namespace, a.ServiceAccount); presence != access.Absent {
			add(a.Namespace, a.ServiceAccount)
		}
	}
	for _, bind := range c.Bindings() {
		if bind.Namespace != "" {
			spaces[bind.Namespace] = true
		}
		for _, s := range bind.Subjects {
			if s.Kind == rbacv1.ServiceAccountKind && !c.Complete(model.AreaServiceAccounts) {
				add(s.Namespace, s.Name)
			}
		}
	}
	c.namespaces = slices.Sorted(maps.Keys(spaces))
	for sa := range accounts {
		if sa[1] != "" {
			c.accounts[sa[0]] = append(c.accounts[sa[0]], sa[1])
		}
	}
	for _, names := range c.accounts {
		slices.Sort(names)
	}
}

// scope returns the namespaces that a name stands for, which in access policies may hold wildcards.
func (c *cluster) scope(namespace string) []string {
	if !strings.Contains(namespace, "*") {
		return []string{namespace}
	}
	scope := model.AccessScope{Type: model.ScopeNamespace, Namespaces: []string{namespace}}
	var all []string
	for _, n := range c.namespaces {
		if scope.Covers(n) {
			all = append(all, n)
		}
	}
	return all
}

// vertex finds or makes the vertex of a key.
func (b *builder) vertex(k key, id access.Identity, passing bool) int32 {
	if v, ok := b.keys[k]; ok {
		return v
	}
	v := int32(len(b.vertices)) //nolint:gosec // a snapshot that large is not read
	b.vertices = append(b.vertices, vertex{id: id, passing: passing})
	b.keys[k] = v
	return v
}

// with makes a fact.
func (b *builder) with(f func() Fact) int32 {
	b.facts = append(b.facts, f)
	return int32(len(b.facts) - 1) //nolint:gosec // no more than edges
}

// says makes a fact that is known already.
func (b *builder) says(f Fact) int32 { return b.with(func() Fact { return f }) }

// grant makes something that can be taken away.
func (b *builder) grant(cost int, what func() Removal) int32 {
	b.grants = append(b.grants, Grant{cost, what})
	return int32(len(b.grants) - 1) //nolint:gosec // no more than edges
}

// link says that whoever is at one place is at another, too.
func (b *builder) link(from, to, fact, grant int32) {
	if from != to {
		b.edges = append(b.edges, edge{from: from, to: to, fact: fact, grant: grant})
	}
}

// maybe is a link that is only possible.
func (b *builder) maybe(from, to, fact, grant int32) {
	b.edges = append(b.edges, edge{from: from, to: to, fact: fact, grant: grant, possible: true})
}

// join is a link or one that is only possible; the answer No makes none.
func (b *builder) join(from, to int32, answer access.Answer, fact, grant int32) {
	switch answer {
	case access.Yes:
		b.link(from, to, fact, grant)
	case access.Maybe:
		b.maybe(from, to, fact, grant)
	}
}

// step adds a step of the kind that is being made. The answer No makes none.
func (b *builder) step(from, to int32, answer access.Answer, fact, grant int32) {
	if from == to || answer == access.No {
		return
	}
	b.edges = append(b.edges, edge{from: from, to: to, fact: fact, grant: grant, kind: b.kind, possible: answer != access.Yes})
}
