package detect

import (
	"slices"
	"strings"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/event"
	"drawbridge/internal/rbac"
)

// awsAuthFacts are the versions of the ConfigMap kube-system/aws-auth of one cluster.
type awsAuthFacts struct{ Versions []awsAuthVersion }

// awsAuthVersion is aws-auth as one request left it.
type awsAuthVersion struct {
	Fact
	// Known says that the log has the content. EKS logs the creation without it (EKS Best Practices Guide, "Auditing and
	// logging", 2026-11).
	Known bool
	Data  map[string]string
}

var awsAuthKeys = []string{"mapRoles", "mapUsers", "mapAccounts"}

func (l *look) isAWSAuth() bool {
	return l.Plane() == event.Kubernetes && l.Field(event.Resource).Is("configmaps") && l.Field(event.Namespace).Is("kube-system") &&
		l.Field(event.Subresource).String() == "" && l.Field(event.APIGroup).String() == "" && l.name() == "aws-auth"
}

// noteAWSAuth takes what aws-auth became.
func (g *objects) noteAWSAuth(l *look, limit int) {
	if !l.isAWSAuth() || !l.done() {
		return
	}
	v := awsAuthVersion{Fact: l.fact()}
	switch l.Field(event.Verb).String() {
	case "create", "update", "patch":
		v.Data, v.Known = l.awsAuthData()
	case "delete", "deletecollection":
		v.Known = true
	default:
		return
	}
	f := g.AWSAuth.at(clusterOf(l.Event), limit)
	f.Versions = note(f.Versions, v, func(v *awsAuthVersion) Fact { return v.Fact })
}

// awsAuthData is the content that the request left; false where the log does not have all of it.
func (l *look) awsAuthData() (map[string]string, bool) {
	o := l.Field(event.ResponseObject)
	if o.Kind() != event.Object || o.Find("kind").First().Is("Status") {
		if l.Field(event.Verb).Is("patch") {
			return nil, false
		}
		if o = l.Field(event.RequestObject); o.Kind() != event.Object {
			return nil, false
		}
	}
	data := map[string]string{}
	for _, k := range awsAuthKeys {
		if s := o.Find("data." + k).First(); s.Kind() == event.String {
			data[k] = strings.Clone(s.String())
		}
	}
	return data, true
}

// awsAuthBefore is the content before the event, as events or the snapshot tell; false where neither does.
func (l *look) awsAuthBefore() (map[string]string, bool) {
	c := l.snapshotCluster()
	if f := l.ledger.Objects.AWSAuth.get(clusterOf(l.Event)); f != nil {
		for _, v := range slices.Backward(f.Versions) {
			if !v.before(l.now()) {
				continue
			}
			if c != nil && c.AWSAuth != nil && v.At.Before(l.ctx.Access.Time()) && !l.ctx.Access.Time().After(l.Time()) {
				break // the snapshot is newer
			}
			return v.Data, v.Known
		}
	}
	if c == nil || l.ctx.Access.Time().IsZero() || l.ctx.Access.Time().After(l.Time()) {
		return nil, false
	}
	if c.AWSAuth == nil {
		return nil, false
	}
	return c.AWSAuth.Data, true
}

// awsAuthChange is who gained and who lost what by a change of aws-auth.
type awsAuthChange struct {
	known        bool
	gained, lost []string
	// strong are those of the gains that amount to the cluster, or to a part of Kubernetes.
	strong []string
	// nodes says that all gains are of nodes, as EKS writes them.
	nodes bool
}

func (l *look) awsAuthChange() (awsAuthChange, bool) {
	var out awsAuthChange
	if !l.isAWSAuth() || !l.done() {
		return out, false
	}
	after, ok := l.awsAuthData()
	if !ok {
		return out, false
	}
	before, known := l.awsAuthBefore()
	if l.creates() {
		before, known = nil, true
	}
	out.known = known
	old, now := mappings(before), mappings(after)
	out.nodes = true
	were, are := byKey(old), byKey(now)
	for _, m := range now {
		o := were[m.key]
		gain := m.gain(o)
		if gain == "" {
			continue
		}
		out.gained = append(out.gained, gain)
		if why := m.strong(o, l); why != "" {
			out.strong = append(out.strong, m.arn+": "+why)
		}
		out.nodes = out.nodes && m.node()
	}
	for _, m := range old {
		if loss := m.loss(are[m.key]); loss != "" {
			out.lost = append(out.lost, loss)
		}
	}
	return out, true
}

// mapping is a row of aws-auth that lets somebody in, or an account.
type mapping struct {
	key, arn, username string
	groups             []string
	account            bool
}

// mappings are the rows that count. A row is one of its principal: the authenticator compares without regard to case.
func mappings(data map[string]string) []mapping {
	parsed := authenticator.ParseConfigMap(data)
	var out []mapping
	for i := range parsed.Rows {
		if r := &parsed.Rows[i]; r.CanMap() {
			out = append(out, mapping{key: string(r.Kind) + strings.ToLower(r.Read.ARN), arn: r.Read.ARN, username: r.Read.Username, groups: r.Read.Groups})
		}
	}
	for _, a := range parsed.Accounts {
		if a.Valid {
			out = append(out, mapping{key: "account" + a.ID, arn: "every principal of account " + a.ID, account: true})
		}
	}
	return out
}

func byKey(all []mapping) map[string]*mapping {
	out := make(map[string]*mapping, len(all))
	for i := range all {
		out[all[i].key] = &all[i]
	}
	return out
}

// gain is what m has that old had not, in words.
func (m mapping) gain(old *mapping) string {
	switch {
	case old == nil && m.account:
		return m.arn + " may sign in"
	case old == nil:
		return m.arn + " may sign in as " + m.username + inGroups(m.groups)
	}
	var parts []string
	if fresh := without(m.groups, old.groups); len(fresh) > 0 {
		parts = append(parts, "joins "+strings.Join(fresh, " and "))
	}
	if m.username != old.username {
		parts = append(parts, "becomes "+m.username)
	}
	if len(parts) == 0 {
		return ""
	}
	return m.arn + " " + strings.Join(parts, " and ")
}

// loss is what m had and now has not.
func (m mapping) loss(now *mapping) string {
	if now == nil {
		return m.arn + " is no longer mapped"
	}
	if gone := without(m.groups, now.groups); len(gone) > 0 {
		return m.arn + " leaves " + strings.Join(gone, " and ")
	}
	return ""
}

func inGroups(groups []string) string {
	if len(groups) == 0 {
		return " without groups"
	}
	return " in " + strings.Join(groups, " and ")
}

func without(a, b []string) []string {
	var out []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

// node says that the row is one of nodes, as EKS and its guides write them.
func (m mapping) node() bool {
	return strings.HasPrefix(m.username, "system:node:{{") && len(without(m.groups, []string{"system:nodes", "system:bootstrappers", "system:node-proxier", "eks:kube-proxy-windows"})) == 0
}

// strong says why what m gained amounts to the cluster; empty if it does not, or nothing tells.
func (m mapping) strong(old *mapping, l *look) string {
	if m.account || m.node() {
		return ""
	}
	groups, username := m.groups, m.username
	if old != nil {
		groups = without(groups, old.groups)
		if username == old.username {
			username = ""
		}
	}
	for _, g := range groups {
		switch {
		case g == rbac.GroupMasters:
			return "system:masters may do everything"
		case strings.HasPrefix(g, "system:"), strings.HasPrefix(g, "eks:"):
			return "group " + g + " is Kubernetes' or EKS' own"
		case authenticator.CallerChoosesGroup(g, m.arn):
			return "whoever takes the role chooses the group " + g
		}
	}
	switch {
	case strings.HasPrefix(username, "system:"), strings.HasPrefix(username, "eks:"):
		return "username " + username + " is Kubernetes' or EKS' own"
	case username == "kubernetes-admin":
		return "username kubernetes-admin is the cluster creator's"
	case username != "" && authenticator.CallerChoosesUsername(username, m.arn):
		return "whoever takes the role chooses the username " + username
	}
	c := l.snapshotCluster()
	if c == nil {
		return ""
	}
	held, _ := c.PowersOf(rbac.Authenticated(username, groups...))
	for _, h := range held {
		if h.Namespace == "" && h.Power.ID == "everything" {
			return "RBAC lets it do everything"
		}
	}
	return ""
}

// awsAuthFields are about changes of aws-auth.
var awsAuthFields = []enrichment{
	{
		Name: "drawbridge.aws_auth.known", Text: "whether it is known what aws-auth said before the change", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: ofAWSAuth(func(c awsAuthChange) []string { return yes(c.known) }),
	},
	{
		Name: "drawbridge.aws_auth.gained", Text: "who gained what by the change of aws-auth; where it is not known what was there before, all who are mapped", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: ofAWSAuth(func(c awsAuthChange) []string { return c.gained }),
	},
	{
		Name: "drawbridge.aws_auth.lost", Text: "who lost what by the change of aws-auth", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: ofAWSAuth(func(c awsAuthChange) []string { return c.lost }),
	},
	{
		Name: "drawbridge.aws_auth.strong", Text: "those of the gains by a change of aws-auth that amount to the cluster, and why", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: ofAWSAuth(func(c awsAuthChange) []string { return c.strong }),
	},
	{
		Name: "drawbridge.aws_auth.nodes", Text: "whether all gains by a change of aws-auth are of nodes", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: ofAWSAuth(func(c awsAuthChange) []string { return yes(c.nodes && len(c.gained) > 0) }),
	},
}

func ofAWSAuth(what func(awsAuthChange) []string) func(*look) []string {
	return func(l *look) []string {
		c, ok := l.awsAuthChange()
		if !ok {
			return nil
		}
		return what(c)
	}
}
