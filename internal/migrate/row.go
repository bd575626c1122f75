package migrate

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/authenticator"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/internal/rbac"
)

// Outcome is what becomes of a row of aws-auth.
type Outcome string

// The outcomes. A row that is blocked stays, and with it the authentication mode, until somebody decides.
const (
	BecomesEntry  Outcome = "entry"         // an access entry with the row's username and groups
	BecomesPolicy Outcome = "access policy" // an access entry with an access policy, besides username and groups
	BecomesNode   Outcome = "node entry"    // an access entry of a type for nodes
	Nothing       Outcome = "nothing"       // the row grants nobody anything, or an access entry does it already
	Blocked       Outcome = "blocked"
)

// Row is a row of aws-auth and what becomes of it.
type Row struct {
	Mapping *access.Mapping
	// Principal is the ARN of the IAM principal with its path; empty where it is not known or there is none.
	Principal string
	Outcome   Outcome
	// Why is the reason, for nothing and blocked.
	Why string
	// Notes are what whoever approves should know: what differs although the access is the same.
	Notes []string
	// Changes make the access entry.
	Changes []plan.Change
	// Offers are access policies that grant exactly what the row's groups and username do.
	Offers []Offer
}

// become decides what becomes of a row.
func (p *planner) become(m *access.Mapping) Row {
	r := Row{Mapping: m}
	for _, decide := range []func(*Row) bool{p.neverMatched, p.unreadable, p.resolve, p.overridden, p.node, p.standard} {
		if decide(&r) {
			break
		}
	}
	return r
}

// nothing and blocked settle a row.

func (r *Row) nothing(format string, args ...any) bool {
	r.Outcome, r.Why = Nothing, fmt.Sprintf(format, args...)
	return true
}

func (r *Row) blocked(format string, args ...any) bool {
	r.Outcome, r.Why = Blocked, fmt.Sprintf(format, args...)
	return true
}

// neverMatched settles rows that let nobody in.
func (p *planner) neverMatched(r *Row) bool {
	if p.unparsed(r.Mapping.Kind.Block()) != "" {
		return r.blocked("its block cannot be read")
	}
	switch e := r.Mapping.Effective; e.State {
	case authenticator.Dropped, authenticator.NeverMatches, authenticator.Shadowed:
		return r.nothing("it never let anybody in: %s", e.Why)
	case authenticator.Undetermined:
		return r.blocked("which row counts is left to chance: %s; remove one of them", e.Why)
	}
	return false
}

// unreadable settles rows that read otherwise than they were meant.
func (p *planner) unreadable(r *Row) bool {
	read := r.Mapping.Read
	for _, g := range read.Groups {
		if strings.Contains(g, "{{") {
			return r.blocked("group %q is a template, which lets callers choose their group; access entries have none", g)
		}
	}
	if read.SSO != nil {
		return r.blocked("it has an sso block, which EKS may or may not read; write the role's ARN instead")
	}
	if r.Mapping.ReadsOtherwise() {
		r.Notes = append(r.Notes, "the row reads otherwise than it is written; the access entry does what it does, not what it looks like")
	}
	return false
}

// resolve finds the principal with its path. It is never taken from another account than the row's: a role of the same name
// is another role.
func (p *planner) resolve(r *Row) bool {
	arn, err := iam.ParseARN(r.Mapping.Read.ARN)
	if err != nil || !arn.IsRole() && !arn.IsUser() && !arn.IsRoot() {
		arn, err = iam.ParseARN(strings.ToLower(r.Mapping.Read.ARN)) // as the authenticator finds it, whatever its case
	}
	if err != nil {
		return r.nothing("it never let anybody in: %s", err)
	}
	if arn.Account != p.cluster.Account && !slices.Contains(p.TrustedAccounts, arn.Account) {
		return r.blocked("it lets in a principal of account %s, which is not the cluster's; name the account with --trusted-account if that is meant", arn.Account)
	}
	if r.Mapping.Kind == authenticator.KindUser {
		return p.resolveUser(r, arn)
	}
	role, presence := p.all.RoleByName(arn.Account, arn.RoleName())
	switch {
	case presence == access.Absent:
		return r.nothing("role %s does not exist in account %s: nobody comes in, and whoever makes a role of that name would", arn.RoleName(), arn.Account)
	case presence == access.Unread && strings.HasPrefix(arn.RoleName(), "AWSReservedSSO_"):
		return r.blocked("the path of IAM Identity Center's role %s is not known, as the roles of account %s were not read; read them, or dump its `aws iam get-role`", arn.RoleName(), arn.Account)
	case presence == access.Unread:
		return r.blocked("the path of role %s is not known, as the roles of account %s were not read; read them, or dump its `aws iam get-role`", arn.RoleName(), arn.Account)
	}
	r.Principal = role.ARN
	if strings.Contains(role.ARN, ":role/aws-service-role/") {
		return r.nothing("%s is a service-linked role, for which AWS makes the access entries", arn.RoleName())
	}
	return false
}

func (p *planner) resolveUser(r *Row, arn iam.ARN) bool {
	if arn.IsRoot() {
		return r.blocked("it lets in the root user of account %s, of whose access entries AWS publishes nothing; give a role what it grants", arn.Account)
	}
	user, presence := p.user(arn)
	switch presence {
	case access.Absent:
		return r.nothing("%s does not exist: nobody comes in, and whoever makes a user of that name would", arn)
	case access.Unread:
		if arn.IsUser() && arn.String() == r.Mapping.Read.ARN && r.Mapping.Read.ARN == r.Mapping.Written.ARN {
			r.Principal = r.Mapping.Read.ARN
			r.Notes = append(r.Notes, "the users of account "+arn.Account+" were not read: EKS refuses the access entry if there is no such user")
			return false
		}
		return r.blocked("the users of account %s were not read, and only they tell how %s is written", arn.Account, arn)
	}
	r.Principal = user
	return false
}

// user finds a user whatever the case in which a row writes its ARN.
func (p *planner) user(arn iam.ARN) (string, access.Presence) {
	if u, presence := p.all.User(arn.String()); presence != access.Absent {
		if u != nil {
			return u.ARN, presence
		}
		return "", presence
	}
	if acct := p.snapshot.Account(arn.Account); acct != nil {
		for _, u := range acct.Users {
			if strings.EqualFold(u.ARN, arn.String()) {
				return u.ARN, access.Present
			}
		}
	}
	return "", access.Absent
}

// overridden settles rows whose principal has an access entry, which counts alone (EKS User Guide, "Grant IAM users and roles
// access to Kubernetes APIs", 2026-11).
func (p *planner) overridden(r *Row) bool {
	e := p.cluster.EntryOf(r.Mapping)
	if e == nil {
		return false
	}
	if p.cluster.Dead(e) != nil {
		return r.blocked("the access entry of its principal is dead, because the principal was created again, so that the row counts; delete the entry first")
	}
	if want := nodeType(p.cluster, r); want != "" && e.Type != want {
		return r.blocked("its access entry is of type %s, but the row is that of %s nodes", e.Type, want)
	}
	if arn, err := iam.ParseARN(e.PrincipalARN); err == nil && p.snapshot.Account(arn.Account) == nil {
		r.Notes = append(r.Notes, "account "+arn.Account+" was not read: were the principal created again after its access entry, the entry would be dead and the row would count")
	}
	return r.nothing("the principal's access entry, of type %s, already counts instead of it", e.Type)
}

// node makes entries for the rows of nodes.
func (p *planner) node(r *Row) bool {
	kind := nodeType(p.cluster, r)
	if kind == "" {
		return false
	}
	if kind == ambiguous {
		return r.blocked("it may be for Fargate or for hybrid nodes, which the snapshot does not tell")
	}
	if arn, _ := iam.ParseARN(r.Principal); arn.Account != p.cluster.Account {
		return r.blocked("nodes of another account cannot have an access entry of type %s", kind)
	}
	r.Outcome = BecomesNode
	r.Changes = []plan.Change{plan.CreateAccessEntry{Cluster: p.cluster.ID(), PrincipalARN: r.Principal, Type: kind}}
	return true
}

// ambiguous is the type of nodes that only their owner can tell.
const ambiguous = "FARGATE_LINUX or HYBRID_LINUX"

// nodeType recognises the rows of nodes by what they grant, as EKS, eksctl and Karpenter write them (EKS User Guide, "Create
// access entries" and "Grant IAM users access to Kubernetes with a ConfigMap", 2026-11), or returns "".
func nodeType(c *access.Cluster, r *Row) string {
	read := r.Mapping.Read
	if !slices.Contains(read.Groups, "system:nodes") {
		return ""
	}
	switch read.Username {
	case "system:node:{{EC2PrivateDNSName}}":
		if slices.Contains(read.Groups, "eks:kube-proxy-windows") {
			return model.EntryEC2Windows
		}
		return model.EntryEC2Linux
	case "system:node:{{SessionName}}":
		runs := func(f *model.FargateProfile) bool { return f.ExecutionRoleARN == r.Principal }
		if slices.Contains(read.Groups, "system:node-proxier") || slices.ContainsFunc(c.FargateProfiles, runs) {
			return model.EntryFargate
		}
		if c.Complete(model.AreaFargateProfiles) {
			return model.EntryHybrid
		}
		return ambiguous
	}
	return ""
}

// adminPolicy grants what system:masters is allowed, by rules.
const adminPolicy = "AmazonEKSClusterAdminPolicy"

// standard makes an entry with the row's username and groups.
func (p *planner) standard(r *Row) bool {
	read := r.Mapping.Read
	username, why := entryUsername(read.Username, r.Principal)
	if why != "" {
		return r.blocked("%s", why)
	}
	var groups []string
	masters := false
	for _, g := range read.Groups {
		switch {
		case g == rbac.GroupMasters:
			masters = true
		case g == "":
			r.Notes = append(r.Notes, "an empty group of the row is left out: nothing can be bound to it")
		case strings.HasPrefix(g, "system:"):
			return r.blocked("EKS refuses group %s to access entries; bind what it grants to a group of another name", g)
		case !slices.Contains(groups, g):
			groups = append(groups, g)
		}
	}
	r.Outcome = BecomesEntry
	r.Changes = []plan.Change{plan.CreateAccessEntry{Cluster: p.cluster.ID(), PrincipalARN: r.Principal, Username: username, Groups: groups}}
	if !masters {
		r.Offers = p.offers(read.Username, groups)
		return true
	}
	r.Outcome = BecomesPolicy
	r.Changes = append(r.Changes, plan.AssociateAccessPolicy{
		Cluster: p.cluster.ID(), PrincipalARN: r.Principal,
		PolicyARN: "arn:" + p.partition() + ":eks::aws:cluster-access-policy/" + adminPolicy, Scope: model.AccessScope{Type: model.ScopeCluster},
	})
	r.Notes = append(r.Notes, "system:masters becomes "+adminPolicy+" in the whole cluster: the same rules, but requests now go through authorization, "+
		"so that the audit log names the policy, impersonation and `kubectl auth can-i --list` do not show it, and bindings cannot be written that grant more than RBAC gives the caller")
	return true
}

// entryUsername is the username that an access entry gets for a row's: empty for EKS's default. The reason says why EKS would
// refuse it (EKS User Guide, "Create access entries", 2026-11).
func entryUsername(username, principal string) (entry, refused string) {
	if username == "" {
		return "", ""
	}
	if byDefault, ok := authenticator.DefaultUsername(model.EntryStandard, principal); ok && byDefault == username {
		return "", ""
	}
	if arn, err := iam.ParseARN(principal); err == nil {
		username = strings.ReplaceAll(username, "{{AccountID}}", arn.Account)
	}
	if prefix := authenticator.ReservedPrefix(username); prefix != "" {
		return "", fmt.Sprintf("EKS refuses username %s to access entries, because of its prefix %s; give the row another one, and its bindings too", username, prefix)
	}
	before, template, found := strings.Cut(username, "{{")
	if !found {
		return username, ""
	}
	if !strings.HasPrefix(template, "SessionName}}") && !strings.HasPrefix(template, "SessionNameRaw}}") {
		return "", fmt.Sprintf("username %s is made of something that access entries do not have", username)
	}
	if !strings.Contains(before, ":") {
		return "", fmt.Sprintf("EKS wants a colon before the session name in username %s", username)
	}
	return username, ""
}
