package access

import (
	"slices"
	"strings"

	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// WhoCanAWS returns everybody who may do something in AWS, or for whom that is unknown, each once and by its shortest way:
// roles, users and root users by themselves or over further roles, service accounts and workloads through the roles that new
// pods get and running ones can reach, and pods where they hold something else than their workload gives new ones.
func (a *Access) WhoCanAWS(q AWSQuestion) []Grant {
	q, _ = q.Normal()
	w := a.newWho(&q)
	var all []Grant
	for _, n := range w.nodes {
		if n.verdict != Denied {
			all = append(all, w.grant(n))
		}
	}
	for _, c := range a.Clusters() {
		all = append(all, w.cluster(c)...)
	}
	slices.SortStableFunc(all, func(g, h Grant) int {
		if d := g.Verdict.rank() - h.Verdict.rank(); d != 0 {
			return d
		}
		return g.Identity.Compare(h.Identity)
	})
	return all
}

// who are the principals of a snapshot with what each of them can do about one question.
type who struct {
	all    *Access
	q      *AWSQuestion
	nodes  []*whoNode
	byRole map[*model.IAMRole]*whoNode
	byKey  map[string][]*whoNode // by principal key and unique id
	// assuming are those whose own policies may let them assume roles: by the ARN of the role, and of an account those whose
	// statements name roles by a pattern, or are not known.
	assuming map[string][]*whoNode
	patterns map[string][]*whoNode
	// edges remember who can assume which role.
	edges map[[2]*whoNode]Verdict
	// ways lead into the roles that matter.
	ways *ways
}

// whoNode is one principal.
type whoNode struct {
	session AWSSession
	own     *decision // what it may do by itself
	scope   string
	verdict Verdict  // by itself, or over further roles
	next    *whoNode // the role that it goes on into; nil where it may do it by itself
}

func (a *Access) newWho(q *AWSQuestion) *who {
	w := &who{
		all: a, q: q, byRole: map[*model.IAMRole]*whoNode{}, byKey: map[string][]*whoNode{}, assuming: map[string][]*whoNode{},
		patterns: map[string][]*whoNode{}, edges: map[[2]*whoNode]Verdict{},
	}
	for _, acct := range a.snapshot.Accounts {
		for _, r := range acct.Roles {
			w.byRole[r] = w.add(a.roleSession(r))
		}
		for _, u := range acct.Users {
			w.add(a.userSession(u))
		}
		if len(acct.ID) == 12 && (q.owner() == "" || q.owner() == acct.ID) {
			root := iam.ARN{Partition: partitionOf(acct), Service: "iam", Account: acct.ID, Resource: "root"}
			w.add(a.rootSession(IdentityOfARN(root)))
		}
	}
	w.spread(Allowed)
	w.spread(Unknown)
	var matter []*model.IAMRole // those that are certain first, as mostly one is enough
	for _, v := range []Verdict{Allowed, Unknown} {
		for _, n := range w.nodes {
			if r, ok := n.session.principal.(*model.IAMRole); ok && n.verdict == v {
				matter = append(matter, r)
			}
		}
	}
	w.ways = a.newWays(matter)
	return w
}

func partitionOf(acct *model.Account) string {
	if acct.Partition == "" {
		return "aws"
	}
	return acct.Partition
}

func (w *who) add(s AWSSession) *whoNode {
	n := &whoNode{session: s}
	n.own, n.scope = w.all.rate(&n.session, w.q)
	n.verdict = n.own.verdict
	w.nodes = append(w.nodes, n)
	w.byKey[principalKey(s.ARN)] = append(w.byKey[principalKey(s.ARN)], n)
	if s.Principal.UniqueID != "" {
		w.byKey[s.Principal.UniqueID] = append(w.byKey[s.Principal.UniqueID], n)
	}
	arns, literal := targets(s.Policies.Identity, assumeRole)
	if !literal || slices.Contains(s.Policies.Unread, iam.IdentityPolicy) {
		w.patterns[s.Principal.Account] = append(w.patterns[s.Principal.Account], n)
		return n
	}
	for _, arn := range arns {
		w.assuming[arn] = append(w.assuming[arn], n)
	}
	return n
}

// spread goes from the roles that may do it back to whoever can assume them, breadth first, so that each finds its shortest
// way: over what is certain, and then over what is not.
func (w *who) spread(worst Verdict) {
	var queue []*whoNode
	for _, n := range w.nodes {
		if n.verdict.rank() <= worst.rank() {
			queue = append(queue, n)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		target := queue[0]
		role, ok := target.session.principal.(*model.IAMRole)
		if !ok {
			continue
		}
		w.callers(role, func(n *whoNode) {
			if n == target || n.verdict.rank() <= worst.rank() || w.edge(n, target, role).rank() > worst.rank() {
				return
			}
			n.verdict, n.next = worst, target
			queue = append(queue, n)
		})
	}
}

// callers calls do for everybody who may be able to assume a role, as far as can be told at a glance.
func (w *who) callers(role *model.IAMRole, do func(*whoNode)) {
	in := w.all.Trust(role).callers()
	if in.anybody {
		for _, n := range w.nodes {
			do(n)
		}
		return
	}
	for _, key := range in.named {
		for _, n := range w.byKey[key] {
			do(n)
		}
	}
	for _, account := range in.accounts {
		for _, n := range w.assuming[role.ARN] {
			if n.session.Principal.Account == account {
				do(n)
			}
		}
		for _, n := range w.patterns[account] {
			do(n)
		}
	}
}

func (w *who) edge(from, to *whoNode, role *model.IAMRole) Verdict {
	key := [2]*whoNode{from, to}
	v, known := w.edges[key]
	if !known {
		v = w.all.assume(&from.session, role).verdict
		w.edges[key] = v
	}
	return v
}

// grant puts into words how a principal may do it.
func (w *who) grant(n *whoNode) Grant {
	g := w.from(n, n.session)
	g.Identity = n.session.Holder
	return g
}

// from goes the way of a principal with a session of it.
func (w *who) from(n *whoNode, s AWSSession) Grant {
	for n.next != nil {
		role := n.next.session.principal.(*model.IAMRole)
		s = w.all.Through(s, w.all.hop(&s, role))
		n = n.next
	}
	return w.all.direct(&s, w.q)
}

// leadsNowhere says of a role whether nobody who holds it may do it, by itself or over further roles.
func (w *who) leadsNowhere(r *model.IAMRole) bool { return w.byRole[r].verdict == Denied }

// held says of the ARN of a role whether it matters who holds it: a role that was not read may do anything.
func (w *who) held(arn string) bool {
	r, presence := w.all.Role(arn)
	return presence == Unread || r != nil && !w.leadsNowhere(r)
}

// cluster returns who of a cluster may do it.
func (w *who) cluster(c *Cluster) []Grant {
	var all []Grant
	label := c.label()
	add := func(id Identity, sessions []AWSSession) {
		id.Cluster = label
		if g, ok := w.best(sessions); ok {
			g.Identity = id
			all = append(all, g)
		}
	}
	nodes := w.nodesThatMatter(c)
	reaches := func(p *model.Pod) bool { return nodes[p.NodeName] }
	for _, sa := range c.accountNames() {
		id := Identity{Kind: KindServiceAccount, Cluster: label, Namespace: sa.namespace, Name: sa.name}
		if w.given(c, sa) || len(nodes) > 0 && slices.ContainsFunc(c.PodsOf(sa.namespace, sa.name), reaches) {
			sessions, _ := c.awsSessions(id)
			add(id, sessions)
		}
	}
	for _, u := range c.Units() {
		matters := w.given(c, name{u.Namespace, u.ServiceAccount()})
		workload, ok := u.Object.(*model.Workload)
		if ok && (matters || tokensOf(u.Spec) != Injection{} || len(StaticKeys(u.Spec)) > 0 || slices.ContainsFunc(u.Pods, reaches)) {
			id := Identity{Kind: KindWorkload, Cluster: label, Namespace: workload.Namespace, Name: strings.ToLower(workload.Kind) + "/" + workload.Name}
			add(id, c.sessionsOfTemplate(id, &podTemplate{u.Namespace, u.ServiceAccount(), u.Labels, u.Annotations, u.Spec}, u.Pods))
		}
		given := c.injection(u)
		for _, p := range u.Pods {
			in, keys := tokensOf(&p.PodSpec), len(StaticKeys(&p.PodSpec)) > 0
			switch other := in != given || keys != (len(StaticKeys(u.Spec)) > 0); {
			case ok && !other: // it holds what its workload gives new pods
			case matters || keys || in != Injection{} || reaches(p):
				id := Identity{Kind: KindPod, Cluster: label, Namespace: p.Namespace, Name: p.Name}
				add(id, c.sessionsOfPod(id, p))
			}
		}
	}
	return all
}

// injection is what the webhook puts into new pods of a unit.
func (c *Cluster) injection(u *Unit) Injection {
	in := tokensOf(u.Spec)
	if optedOutOfAll(u.Labels, u.Annotations, u.Spec) != "" {
		return in
	}
	switch _, via := c.HoldsAWSRole(u.Namespace, u.ServiceAccount()); via {
	case ViaPodIdentity:
		in.PodIdentity = true
	case ViaIRSA:
		in.IRSA = true
	}
	return in
}

// accountNames are the service accounts of a cluster, with those that only an association names, sorted.
func (c *Cluster) accountNames() []name {
	var all []name
	for _, sa := range c.ServiceAccounts {
		all = append(all, name{sa.Namespace, sa.Name})
	}
	for _, p := range c.PodIdentityAssociations {
		all = append(all, name{p.Namespace, p.ServiceAccount})
	}
	slices.SortFunc(all, func(a, b name) int {
		if d := strings.Compare(a.namespace, b.namespace); d != 0 {
			return d
		}
		return strings.Compare(a.name, b.name)
	})
	return slices.Compact(all)
}

// given says whether the role that a service account gives new pods matters.
func (w *who) given(c *Cluster, sa name) bool {
	if p := c.Association(sa.namespace, sa.name); p != nil {
		if p.TargetRoleARN != "" {
			return w.held(p.TargetRoleARN)
		}
		return w.held(p.RoleARN)
	}
	role, _ := c.HoldsAWSRole(sa.namespace, sa.name)
	return role != "" && (w.held(role) || w.ways.letIn(c.Issuer(), Subject(sa.namespace, sa.name)))
}

// nodesThatMatter are the nodes whose role matters, or is not known.
func (w *who) nodesThatMatter(c *Cluster) map[string]bool {
	matter, known := map[string]bool{}, map[string]bool{}
	for _, n := range c.Nodes {
		arn, _ := c.NodeRole(n)
		if _, ok := known[arn]; !ok {
			known[arn] = arn != "" && w.held(arn)
		}
		if known[arn] {
			matter[n.Name] = true
		}
	}
	return matter
}

// best is what somebody with several sessions may do.
func (w *who) best(sessions []AWSSession) (Grant, bool) {
	best := Grant{Verdict: Denied}
	for i := range sessions {
		if g := w.with(&sessions[i]); g.Verdict.rank() < best.Verdict.rank() {
			best = g
		}
	}
	return best, best.Verdict != Denied
}

// with answers for one session.
func (w *who) with(s *AWSSession) Grant {
	denied := Grant{Verdict: Denied}
	role, ok := s.principal.(*model.IAMRole)
	switch own := s.Verdict != Denied && (!ok || !w.leadsNowhere(role)); {
	case !own && (s.token == nil || !w.ways.letIn(s.token.Issuer, s.token.Subject)):
		return denied
	case own && s.ARN == "" && s.Via != ViaStaticKeys && s.Via != ViaIRSA:
		return denied // which role it is was not read: the gaps say so, once
	}
	return w.all.bestWay(s, w.ways, w.direct)
}

// direct answers for one session by itself. What its role is allowed whatever is not known of a session, it is allowed too,
// unless it is limited or older.
func (w *who) direct(s *AWSSession) Grant {
	role, ok := s.principal.(*model.IAMRole)
	if ok && s.Verdict != Denied && s.fresh && s.Policies.Session == nil && !slices.Contains(s.Policies.Unread, iam.SessionPolicy) {
		if n := w.byRole[role]; n.own.verdict == Allowed {
			return w.all.grant(s, w.q, n.own, n.scope)
		}
	}
	return w.all.direct(s, w.q)
}
