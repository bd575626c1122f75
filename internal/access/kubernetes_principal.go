package access

import (
	"fmt"
	"strings"
	"time"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// caller is an IAM principal at the door of a cluster.
type caller struct {
	arn      iam.ARN
	session  string // the name of the session, if it is a certain one
	presence Presence
	// role is the role that it is or is a session of, or nil.
	role *model.IAMRole
	// tried says that somebody tried to read the principal's account, so that what was not found may be there.
	tried bool
}

func (c *Cluster) caller(arn iam.ARN) caller {
	who := caller{arn: arn, session: arn.SessionName(), tried: c.all.tried[arn.Account] || c.all.tried[""]}
	switch {
	case arn.IsUser():
		_, who.presence = c.all.User(arn.String())
	case arn.IsRole(), arn.IsAssumedRole():
		who.role, who.presence = c.all.RoleByName(arn.Account, arn.RoleName())
	case arn.IsRoot():
		who.presence = Present
	}
	return who
}

// asPrincipal says as whom an IAM principal comes in.
func (c *Cluster) asPrincipal(id Identity) KubernetesIdentity {
	arn, err := iam.ParseARN(id.ARN)
	if err != nil {
		return KubernetesIdentity{Verdict: Denied, Chain: []finding.Evidence{{Text: err.Error(), Source: "the question"}}}
	}
	who := c.caller(arn)
	if r := who.role; r != nil && arn.IsRole() && arn.Path() != "/" && !strings.EqualFold(r.ARN, id.ARN) {
		return KubernetesIdentity{Verdict: Denied, Chain: []finding.Evidence{fact(r, "arn", "the account has another role of that name, %s", r.ARN)}}
	}
	k := c.door(who)
	if who.presence == Absent {
		gone := fmt.Sprintf("account %s has no %s now", arn.Account, strings.TrimPrefix(arn.String(), "arn:"+arn.Partition+":iam::"+arn.Account+":"))
		if k.Verdict == Denied {
			k.Chain = append(k.Chain, finding.Evidence{Text: gone, Source: "iam:GetAccountAuthorizationDetails"})
		} else {
			k.Assumed = append(k.Assumed, gone+": it counts for whoever creates it")
		}
	}
	return k
}

// door puts a caller to both stores and says what the answer leaves open.
func (c *Cluster) door(who caller) KubernetesIdentity {
	mapper := c.Mapper()
	r := c.mapped(mapper, who)
	var k KubernetesIdentity
	if e := c.entryByBare()[strings.ToLower(bare(who.arn))]; e != nil && r.Store != authenticator.StoreEntry && c.dead(e) != nil {
		k.Chain = append(k.Chain, c.dead(e)...)
	}
	if r.Outcome == authenticator.Unknown && r.Store == "" && c.ReadsAWSAuth() && c.readAWSAuth() != nil { // as whom aws-auth would let it in
		k.Open = append(k.Open, r.Why)
		mapper = c.rowMapper()
		r = c.mapped(mapper, who)
		c.fill(&k, who, r, mapper)
		k.Verdict = Unknown
		return k
	}
	c.fill(&k, who, r, mapper)
	c.doubtMode(&k, r)
	c.doubtCreator(&k, who)
	return k
}

// mapped puts a caller to a mapper: a certain session, or the principal with what is the same for all its sessions.
func (c *Cluster) mapped(m *authenticator.Mapper, who caller) authenticator.Result {
	if who.arn.IsUser() || who.arn.IsRole() || who.arn.IsRoot() {
		return m.Resolve(who.arn.String(), "")
	}
	return m.Map(authenticator.Identity{ARN: who.arn.String(), SessionName: who.session, EC2PrivateDNSName: c.privateDNS(who.session)})
}

func (c *Cluster) privateDNS(instance string) string {
	if i := c.instances[instance]; i != nil {
		return i.PrivateDNS
	}
	return ""
}

// fill turns the authenticator's answer into an identity.
func (c *Cluster) fill(k *KubernetesIdentity, who caller, r authenticator.Result, mapper *authenticator.Mapper) {
	k.Verdict = map[authenticator.Outcome]Verdict{authenticator.Mapped: Allowed, authenticator.Unknown: Unknown}[r.Outcome]
	switch r.Outcome {
	case authenticator.NotMapped:
		k.Verdict = Denied
		k.Chain = append(k.Chain, finding.Evidence{Text: notMapped(r), Source: c.stores()})
		return
	case authenticator.Denied:
		k.Verdict = Denied
		k.Chain = append(k.Chain, finding.Evidence{Text: "is refused: " + r.Why, Source: c.stores()})
		if r.Entry != nil && who.presence == Unread && who.tried {
			k.Verdict, k.various, k.Open = Unknown, true, append(k.Open, "whether "+who.exists(r.Entry))
		}
		return
	case authenticator.Unknown:
		k.Open = append(k.Open, r.Why)
		k.various = true
		if r.Store == "" {
			return
		}
	case authenticator.Mapped:
		k.Holder, k.Template = holderOf(r), r.Username
	}
	if r.Entry != nil {
		c.fillEntry(k, who, r)
	} else {
		k.Chain = append(k.Chain, c.rowLink(r))
	}
	if authenticator.Renders(k.Holder.User) {
		k.Holder.User, k.various = "", true
	}
	c.sessions(k, who, r, mapper)
}

func notMapped(r authenticator.Result) string {
	if r.Why != "" {
		return "is not mapped: " + r.Why
	}
	return "is not mapped to any username"
}

// stores names what was searched.
func (c *Cluster) stores() string {
	switch c.AuthenticationMode() {
	case model.ModeAPI:
		return "access entries"
	case model.ModeConfigMap:
		return "aws-auth"
	}
	return "access entries and aws-auth"
}

func (c *Cluster) fillEntry(k *KubernetesIdentity, who caller, r authenticator.Result) {
	e := c.AccessEntry(r.Entry.PrincipalARN)
	k.Chain = append(k.Chain, fact(e, "username", "lets it in as %s%s", nameOr(r.Username, nameOr(e.Username, "a node")), inGroups(r.Groups)))
	k.Policies = c.PolicyAssociationsOf(e.PrincipalARN)
	if !c.Complete(model.AreaPolicyAssociations) {
		k.Open = append(k.Open, "the access policies of access entries, which were not all read")
	}
	if r.Outcome == authenticator.Unknown && e.Username == "" && r.Entry.Type != "" { // it gets in, but as whom?
		if _, published := authenticator.DefaultUsername(e.Type, e.PrincipalARN); !published {
			k.Verdict, k.Holder.Groups = Allowed, holderOf(authenticator.Result{Groups: e.Groups}).Groups
		}
	}
	if r.Outcome == authenticator.Mapped && r.Why != "" && who.arn.IsRole() && who.arn.Path() != "/" {
		k.Verdict, k.Open = Unknown, append(k.Open, r.Why)
	}
	if e.IsNode() && len(e.Groups) == 0 {
		k.Open = append(k.Open, "the groups of access entries of type "+e.Type+", which AWS does not publish")
	}
	if who.presence == Unread {
		if who.tried {
			k.Verdict, k.Open = Unknown, append(k.Open, "whether "+who.exists(r.Entry))
		} else {
			k.Assumed = append(k.Assumed, who.exists(r.Entry))
			k.otherwise = c.otherwise(who)
		}
	}
}

// exists is what an access entry rests on: the principal for which it was made.
func (w caller) exists(e *authenticator.Entry) string {
	return fmt.Sprintf("%s exists, and was not created again after its access entry was made: account %s was not read", e.PrincipalARN, w.arn.Account)
}

// otherwise is as whom aws-auth lets a caller in, should its access entry be dead; nil is nobody.
func (c *Cluster) otherwise(who caller) *KubernetesIdentity {
	if !c.ReadsAWSAuth() || c.readAWSAuth() == nil {
		return nil
	}
	var k KubernetesIdentity
	mapper := c.rowMapper()
	if c.fill(&k, who, c.mapped(mapper, who), mapper); k.Verdict == Denied {
		return nil
	}
	return &k
}

func nameOr(n, otherwise string) string {
	if n == "" {
		return otherwise
	}
	return n
}

func inGroups(groups []string) string {
	switch len(groups) {
	case 0:
		return ""
	case 1:
		return " in group " + groups[0]
	}
	return " in groups " + strings.Join(groups, ", ")
}

// rowLink is how aws-auth lets somebody in.
func (c *Cluster) rowLink(r authenticator.Result) finding.Evidence {
	where, line := "mapAccounts", ""
	if r.Store == authenticator.StoreRow {
		where = "mapRoles"
		if r.Row != nil {
			where, line = r.Row.Kind.Block(), fmt.Sprintf("line %d: ", r.Row.Line)
		}
	}
	username := r.Username
	if username == "" && r.Row != nil {
		username = r.Row.Read.Username // a template that needs what is not known
	}
	return fact(c.AWSAuth, where, "%slets it in as %s%s", line, nameOr(username, `""`), inGroups(r.Groups))
}

// doubtMode takes back what counts in some authentication modes only, where the mode is not known. A cluster with access
// entries is not in mode CONFIG_MAP (EKS User Guide, "Change authentication mode to use access entries", 2026-11).
func (c *Cluster) doubtMode(k *KubernetesIdentity, r authenticator.Result) {
	if c.AuthenticationMode() != "" || r.Store == authenticator.StoreEntry {
		return
	}
	k.fallsOut = k.Verdict == Allowed && len(k.Open) == 0 && len(c.AccessEntries) > 0
	if k.Verdict == Allowed || len(c.AccessEntries) == 0 {
		k.Verdict = Unknown
		k.Open = append(k.Open, "the authentication mode, which was not read: not every mode lets aws-auth count")
	}
}

// doubtCreator keeps in mind that in mode CONFIG_MAP the principal that created the cluster is in system:masters, and that
// no API tells which one it is (EKS User Guide, "Grant IAM users and roles access to Kubernetes APIs", 2026-11).
func (c *Cluster) doubtCreator(k *KubernetesIdentity, who caller) {
	if c.AuthenticationMode() != model.ModeConfigMap || c.Account != "" && who.arn.Account != c.Account {
		return
	}
	if k.Verdict == Denied {
		k.Verdict, k.various = Unknown, true
	}
	k.Open = append(k.Open, "whether it created the cluster: in mode CONFIG_MAP that principal is in system:masters, and no API names it")
}

// dead says why an access entry lets nobody in, or nil: EKS binds it to the unique id of its principal, and that principal
// is gone (EKS User Guide, "Create access entries", 2026-11).
func (c *Cluster) dead(e *model.AccessEntry) []finding.Evidence {
	o, presence := c.all.principalObject(e.PrincipalARN)
	switch presence {
	case Absent:
		return []finding.Evidence{fact(e, "principalArn", "is dead: its principal does not exist any more")}
	case Unread:
		return nil
	}
	if created := createdAt(o); created.After(e.Created) && !e.Created.IsZero() {
		return []finding.Evidence{
			fact(e, "createdAt", "is dead: it was made on %s for a principal that was deleted", e.Created.Format(time.RFC3339)),
			fact(o, "CreateDate", "was created again on %s", created.Format(time.RFC3339)),
		}
	}
	return nil
}

func createdAt(o model.Object) time.Time {
	switch o := o.(type) {
	case *model.IAMRole:
		return o.Created
	case *model.IAMUser:
		return o.Created
	}
	return time.Time{}
}

// bare is the ARN by which both stores are searched: a role's without its path, a session's role.
func bare(arn iam.ARN) string { return arn.Canonical().String() }
