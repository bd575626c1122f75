package detect

import (
	"slices"
	"strings"
	"time"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/awsdata"
	"drawbridge/internal/event"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// entryFacts are the changes of the access entry of one principal, in clusters of one name.
type entryFacts struct{ Changes []entryChange }

// entryChange is one call that changed an access entry, or one of its policy associations.
type entryChange struct {
	Fact
	Cluster event.Cluster
	// Action is the API action.
	Action string
	// By is the actor in words, Principal its ARN.
	By, Principal string
	// Entry is the ARN of the entry's principal as EKS has it.
	Entry, Type, Username string
	Groups                []string
	// Told says that the record tells the groups.
	Told       bool
	Policy     string
	Scope      string // cluster, or namespace
	Namespaces []string
}

// scope is the access scope of an association. One that is not told is taken for the whole cluster.
func (c *entryChange) scope() model.AccessScope {
	if c.Scope == model.ScopeNamespace {
		return model.AccessScope{Type: model.ScopeNamespace, Namespaces: c.Namespaces}
	}
	return model.AccessScope{Type: model.ScopeCluster}
}

// What is asked for stands in the request, what became of it in the answer (EKS API reference, CreateAccessEntry,
// UpdateAccessEntry and AssociateAccessPolicy, 2026-11).
var (
	pathEntryPrincipal  = event.ParsePath(event.CloudTrail, "requestParameters.principalArn")
	pathEntryType       = event.ParsePath(event.CloudTrail, "requestParameters.type")
	pathEntryUsername   = event.ParsePath(event.CloudTrail, "requestParameters.username")
	pathEntryGroups     = event.ParsePath(event.CloudTrail, "requestParameters.kubernetesGroups")
	pathPolicyARN       = event.ParsePath(event.CloudTrail, "requestParameters.policyArn")
	pathScopeType       = event.ParsePath(event.CloudTrail, "requestParameters.accessScope.type")
	pathScopeNamespaces = event.ParsePath(event.CloudTrail, "requestParameters.accessScope.namespaces")

	pathEntryTypeAnswer     = event.ParsePath(event.CloudTrail, "responseElements.accessEntry.type")
	pathEntryUsernameAnswer = event.ParsePath(event.CloudTrail, "responseElements.accessEntry.username")
	pathEntryGroupsAnswer   = event.ParsePath(event.CloudTrail, "responseElements.accessEntry.kubernetesGroups")
)

var entryActions = []string{"CreateAccessEntry", "UpdateAccessEntry", "DeleteAccessEntry", "AssociateAccessPolicy", "DisassociateAccessPolicy"}

// change is what a call about an access entry says.
func (l *look) change() entryChange {
	c := l.Cluster()
	groups := pathEntryGroupsAnswer
	if l.Find(groups).First().Kind() == event.Absent {
		groups = pathEntryGroups
	}
	return entryChange{
		Fact: l.fact(), Cluster: event.Cluster{Name: strings.Clone(c.Name), Account: strings.Clone(c.Account), Region: strings.Clone(c.Region)},
		Action: l.text(event.EventName), By: actorText(l.actor()), Principal: strings.Clone(l.actor().Principal),
		Entry: l.first(pathEntryPrincipal), Type: l.either(pathEntryTypeAnswer, pathEntryType), Username: l.either(pathEntryUsernameAnswer, pathEntryUsername),
		Groups: l.texts(groups), Told: l.Find(groups).First().Kind() != event.Absent,
		Policy: l.first(pathPolicyARN), Scope: l.first(pathScopeType), Namespaces: l.texts(pathScopeNamespaces),
	}
}

// noteEntry takes changes of access entries that were carried out.
func (g *Ledger) noteEntry(l *look) {
	if !slices.Contains(entryActions, l.Field(event.EventName).String()) || !succeeded(l.Event) {
		return
	}
	c := l.change()
	f := g.Entries.at(memberKey(c.Cluster, c.Entry), g.Limit)
	f.Changes = note(f.Changes, c, func(c *entryChange) Fact { return c.Fact })
}

// memberKey is the key of an IAM principal in a cluster. The transport of an audit log often knows no more of the cluster
// than its name, and the log writes roles without their paths.
func memberKey(c event.Cluster, principal string) string {
	return key(c.Name, strings.ToLower(bare(principal)))
}

// bare is the ARN of an IAM role or user without path, of a session that of its role: names of roles and users are unique
// in an account, whatever the path and whatever the case (IAM User Guide, "IAM identifiers", 2026-11).
func bare(arn string) string {
	if canonical, err := authenticator.Canonicalize(arn); err == nil {
		arn = canonical
	}
	head, name, cut := strings.Cut(arn, ":user/")
	kind := ":user/"
	if !cut {
		kind = ":role/"
		if head, name, cut = strings.Cut(arn, kind); !cut {
			return arn
		}
	}
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return head + kind + name[i+1:]
	}
	return arn
}

// oneCluster says whether two records can be about one cluster: the names are the same, and nothing else is known to differ.
func oneCluster(a, b event.Cluster) bool {
	return a.Name == b.Name && (a.Account == "" || b.Account == "" || a.Account == b.Account) && (a.Region == "" || b.Region == "" || a.Region == b.Region)
}

// texts are all values of a field.
func (l *look) texts(p event.Path) []string {
	var out []string
	for v := range l.Find(p).All() {
		if v.Kind() == event.String {
			out = append(out, strings.Clone(v.String()))
		}
	}
	return out
}

// changesOf are the changes of the access entry of a principal in the cluster of the event, in order of time.
func (l *look) changesOf(principal string) []entryChange {
	f := l.ledger.Entries.get(memberKey(l.Cluster(), principal))
	if f == nil {
		return nil
	}
	c := l.Cluster()
	return slices.DeleteFunc(slices.Clone(f.Changes), func(e entryChange) bool { return !oneCluster(e.Cluster, c) })
}

// entryState is an access entry at a time, as far as it is known.
type entryState struct {
	// named says that the username and the groups are known.
	named    bool
	username string
	groups   []string
	scopes   map[string]model.AccessScope // of access policies, by ARN
}

// before is the access entry before the event: as the snapshot has it, where that is older, with what the events changed
// since.
func (l *look) before() entryState {
	s := entryState{scopes: map[string]model.AccessScope{}}
	principal := l.first(pathEntryPrincipal)
	if c := l.snapshotCluster(); c != nil {
		if e := c.AccessEntry(principal); e != nil && older(e.Modified, l.Time()) {
			s.named, s.username, s.groups = true, e.Username, e.Groups
		}
		for _, a := range c.PolicyAssociationsOf(principal) {
			if older(a.Modified, l.Time()) {
				s.scopes[a.PolicyARN] = a.Scope
			}
		}
	}
	now := l.now()
	for _, e := range l.changesOf(principal) {
		if !e.before(now) {
			break
		}
		s.apply(&e)
	}
	return s
}

func older(t, than time.Time) bool { return !t.IsZero() && t.Before(than) }

func (s *entryState) apply(e *entryChange) {
	switch e.Action {
	case "CreateAccessEntry":
		*s = entryState{named: true, username: e.Username, groups: e.Groups, scopes: map[string]model.AccessScope{}}
	case "UpdateAccessEntry":
		s.named = s.named || e.Told && e.Username != ""
		if e.Told {
			s.groups = e.Groups
		}
		if e.Username != "" {
			s.username = e.Username
		}
	case "DeleteAccessEntry":
		*s = entryState{scopes: map[string]model.AccessScope{}}
	case "AssociateAccessPolicy":
		s.scopes[e.Policy] = e.scope()
	case "DisassociateAccessPolicy":
		delete(s.scopes, e.Policy)
	}
}

// identityChange is how an update changes the username and the groups, in words; empty if it changes neither. What was
// before, and is not known, is said to be.
func (l *look) identityChange() string {
	e := l.change()
	if e.Action != "UpdateAccessEntry" {
		return ""
	}
	was := l.before()
	var out []string
	if name := l.first(pathEntryUsername); name != "" && (!was.named || name != was.username) {
		out = append(out, "username "+from(was.named, was.username)+" to "+name)
	}
	asked := l.Find(pathEntryGroups).First().Kind() != event.Absent
	if asked && (!was.named || !slices.Equal(sorted(e.Groups), sorted(was.groups))) {
		out = append(out, "groups "+from(was.named, strings.Join(was.groups, ", "))+" to "+orNone(strings.Join(e.Groups, ", ")))
	}
	return strings.Join(out, ", ")
}

func from(known bool, s string) string {
	if !known {
		return "from what is not known"
	}
	return "from " + orNone(s)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// widened is the narrower scope that an association had before the call; false where it had none, or none that is known.
func (l *look) widened() (model.AccessScope, bool) {
	e := l.change()
	if e.Action != "AssociateAccessPolicy" {
		return model.AccessScope{}, false
	}
	was, ok := l.before().scopes[e.Policy]
	if !ok || was.Type == model.ScopeCluster {
		return was, false
	}
	now := e.scope()
	if now.Type == model.ScopeCluster {
		return was, true
	}
	// A pattern covers another one if it matches its text: its wildcards alone can stand for those of the other.
	return was, slices.ContainsFunc(now.Namespaces, func(n string) bool { return !was.Covers(n) })
}

// isNodeType says whether entries of the type make their principal a node (EKS User Guide, "Create access entries", 2026-11).
func isNodeType(t string) bool { return t != "" && !strings.EqualFold(t, authenticator.TypeStandard) }

// ofAccount is the account of the entry's principal.
func (l *look) ofAccount() string {
	arn, err := iam.ParseARN(l.first(pathEntryPrincipal))
	if err != nil {
		return ""
	}
	return arn.Account
}

// foreign says whether the entry's principal is of an account that is neither the cluster's nor a trusted one.
func (l *look) foreign() []string {
	account, own := l.ofAccount(), l.Cluster().Account
	if account == "" || own == "" {
		return nil
	}
	return yes(account != own && !slices.Contains(l.ctx.Trusted, account))
}

// self says how the entry's principal is the one who acts: "itself", or "behind" where the actor's session came from it by
// access keys that the events told of. It is empty where nothing says that it is.
func (l *look) self() string {
	entry := bare(l.first(pathEntryPrincipal))
	a := l.actor()
	if entry == "" || a.Principal == "" {
		return ""
	}
	if strings.EqualFold(bare(a.Principal), entry) {
		return "itself"
	}
	k := a.AccessKey
	for range 5 { // a chain of roles
		f := l.ledger.Keys.get(k)
		if k == "" || f == nil || f.Issue == nil {
			return ""
		}
		if strings.EqualFold(bare(f.Issue.Asker), entry) || strings.EqualFold(bare(f.Issue.Role), entry) {
			return "behind"
		}
		k = f.Issue.FromKey
	}
	return ""
}

// reservedGrant says whether the call gives an access policy that AWS keeps to its service-linked roles, or is about such a
// role: nobody but AWS can make one (IAM User Guide, "Create a service-linked role", 2026-11).
func (l *look) reservedGrant() bool {
	e := l.change()
	if strings.Contains(e.Entry, ":role/aws-service-role/") {
		return true
	}
	p, ok := awsdata.LookupAccessPolicy(e.Policy)
	return ok && p.ServiceLinkedRoleOnly
}

// outsidePipeline says whether the actor is none of the roles by which entries are to be changed. It goes by the role and its
// account, never by the names of sessions, which callers choose. AWS itself is not asked.
func (l *look) outsidePipeline() []string {
	if len(l.ctx.Pipelines) == 0 || l.Field(event.UserType).Is("AWSService") {
		return nil
	}
	who := bare(l.actor().Principal)
	return yes(!slices.ContainsFunc(l.ctx.Pipelines, func(p string) bool { return strings.EqualFold(bare(p), who) }))
}

// createdAgo is when the entry of the event was created, by the last creation in the data before it.
func (l *look) createdBefore() (entryChange, bool) {
	for _, c := range slices.Backward(l.changesOf(l.first(pathEntryPrincipal))) {
		if c.Action == "CreateAccessEntry" && !c.At.After(l.Time()) {
			return c, true
		}
	}
	return entryChange{}, false
}

// entryFields are about access entries, and about the settings that decide who comes into a cluster and who sees it.
var entryFields = slices.Concat(changeFields, privilegeFields, silenceFields, settingFields)

// changeFields are about the change of an access entry.
var changeFields = []enrichment{
	{
		Name: "drawbridge.entry.created_by", Text: "who created the access entry that the event is about, where an event told", Planes: onCloudTrail, Ledger: true,
		Of: func(l *look) []string {
			c, ok := l.createdBefore()
			if !ok {
				return nil
			}
			return some(c.By)
		},
	},
	{
		Name: "drawbridge.entry.created_within_hour", Text: "when the access entry that the event is about was created, where that is at most an hour before", Planes: onCloudTrail, Ledger: true,
		Of: func(l *look) []string {
			if c, ok := l.createdBefore(); ok && l.Time().Sub(c.At) <= time.Hour {
				return some(stamp(c.At))
			}
			return nil
		},
	},
	{
		Name: "drawbridge.entry.used", Text: "whether the principal of the entry made requests to the cluster between its creation and the event, in words", Planes: onCloudTrail, Ledger: true,
		Of: func(l *look) []string { return some(l.usedSince()) },
	},
	{
		Name: "drawbridge.entry.member", Text: "the IAM principal whose access to a cluster the event is about, without path, as both logs can tell it: the principal of the access entry, or whoever made the request to the API server",
		Of: func(l *look) []string {
			if l.Plane() == event.Kubernetes {
				return some(bare(l.actor().Principal))
			}
			return some(bare(l.first(pathEntryPrincipal)))
		},
	},
	{
		Name: "drawbridge.entry.account", Text: "account of the principal of the access entry", Planes: onCloudTrail,
		Of: func(l *look) []string { return some(l.ofAccount()) },
	},
	{
		Name: "drawbridge.entry.foreign", Text: "whether the principal of the access entry is of another account than the cluster, and not of a trusted one", Planes: onCloudTrail,
		Of: func(l *look) []string { return l.foreign() },
	},
	{
		Name: "drawbridge.entry.self", Text: "`itself` where the principal of the access entry is the role or user who acts, `behind` where the actor's session came from it", Planes: onCloudTrail, Ledger: true,
		Of: func(l *look) []string { return some(l.self()) },
	},
	{
		Name: "drawbridge.entry.identity_change", Text: "how an update changes the username and the groups of an access entry, in words", Planes: onCloudTrail, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { return some(l.identityChange()) },
	},
	{
		Name: "drawbridge.entry.scope", Text: "access scope of the association that the call makes, in words", Planes: onCloudTrail,
		Of: func(l *look) []string {
			if e := l.change(); e.Action == "AssociateAccessPolicy" {
				return some(e.scope().String())
			}
			return nil
		},
	},
	{
		Name: "drawbridge.entry.scope_was", Text: "access scope that the same association had before, in words, where it was a narrower one", Planes: onCloudTrail, Ledger: true, Snapshot: true,
		Of: func(l *look) []string {
			if was, ok := l.widened(); ok {
				return some(was.String())
			}
			return nil
		},
	},
	{
		Name: "drawbridge.entry.policy", Text: "name of the access policy", Planes: onCloudTrail,
		Of: func(l *look) []string { return some(policyName(l.first(pathPolicyARN))) },
	},
	{
		Name: "drawbridge.entry.outside_pipeline", Text: "whether the actor is none of the roles of `--pipeline-role`; absent without them, and for AWS itself", Planes: onCloudTrail,
		Of: func(l *look) []string { return l.outsidePipeline() },
	},
	{
		Name: "drawbridge.entry.node_role", Text: "`yes` where nodes use the role of the entry, `no` where somebody else does", Planes: onCloudTrail, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { answer, _ := l.nodeRole(); return some(answer) },
	},
	{
		Name: "drawbridge.entry.node_role_why", Text: "what tells that the role of the entry is no node's, in words", Planes: onCloudTrail, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { _, why := l.nodeRole(); return some(why) },
	},
	{
		Name: "drawbridge.entry.aws_auth_row", Text: "what aws-auth of the snapshot maps the principal of the entry to: it counts again when the entry is gone", Planes: onCloudTrail, Snapshot: true,
		Of: func(l *look) []string { return some(l.awsAuthRow()) },
	},
	{
		Name: "drawbridge.entry.last_change", Text: "the last change of the access entry of the one who makes the request, in words", Planes: onKubernetes, Ledger: true,
		Of: func(l *look) []string { return some(l.lastGrant()) },
	},
	{
		Name: "drawbridge.cluster.name", Text: "name of the cluster that the event is about: all that both logs can tell of it",
		Of: func(l *look) []string { return some(l.Cluster().Name) },
	},
}

// lastGrant is the last change before the request that gave its maker something.
func (l *look) lastGrant() string {
	for _, e := range slices.Backward(l.changesOf(l.actor().Principal)) {
		if e.At.After(l.Time()) || strings.HasPrefix(e.Action, "D") { // deleted, disassociated
			continue
		}
		what := e.Action
		if e.Policy != "" {
			what += " of " + policyName(e.Policy) + " on " + e.scope().String()
		}
		return what + " by " + e.By + " at " + stamp(e.At)
	}
	return ""
}
