package access

import (
	"slices"
	"strings"
	"time"

	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// ViaItself is how an IAM principal comes to its own permissions.
const ViaItself Via = "itself"

// AWSSession is a set of AWS credentials that an identity holds, or fails to hold: whose they are, which policies count for
// them, and what is known of the requests made with them.
type AWSSession struct {
	// Holder is who was asked about; Cluster is the label of the cluster that gives it the credentials, empty in AWS.
	Holder  Identity
	Cluster string
	Via     Via
	// ARN is the IAM role, user or root user that AWS sees; empty where it is not known, or where there is none.
	ARN string
	// Verdict says whether the identity has the session. Unknown and Denied come with a reason in Conditions or Chain.
	Verdict Verdict
	// Chain is the way from the identity to the principal.
	Chain []finding.Evidence
	// Conditions are what an unknown verdict depends on, and what an allowed one takes for granted.
	Conditions []string

	// Principal, Policies and Context are what iam.Evaluate wants of the caller. The policies are those that could be read;
	// Policies.Unread says where some are missing, and Unread names them.
	Principal iam.Principal
	Policies  iam.Policies
	Context   *iam.Context
	Unread    []string

	principal model.Object // *model.IAMRole or *model.IAMUser; nil for others
	tags      *PodSession  // session tags that go on into every further session; nil for none
	token     *heldToken   // a token that other roles may let in too; nil for none
	fresh     bool         // opened at the time of the snapshot
}

// AWSSessions returns the AWS sessions of an identity. An IAM principal has its own. A pod has what it holds now, and its
// node's role where it can reach it; a service account or workload has what new pods get, and the node roles that its
// running pods can reach. There is always at least one session for every cluster that knows the identity; the one of an
// identity that holds nothing is denied and says why.
func (a *Access) AWSSessions(id Identity) []AWSSession {
	switch id.Kind {
	case KindIAMRole, KindIAMUser, KindRoot:
		return []AWSSession{a.ownSession(id)}
	case KindServiceAccount, KindWorkload, KindPod:
		return a.podSessions(id)
	case KindUser, KindGroup:
		return []AWSSession{without(id, "", finding.Evidence{Text: "a Kubernetes user or group holds no AWS credentials; whoever signs in as it may", Source: id.String()})}
	}
	s := AWSSession{Holder: id, Via: ViaItself, ARN: id.ARN, Verdict: Unknown, Principal: iam.ParsePrincipal(id.ARN), Context: a.requests("")}
	s.Policies.Unread = []iam.Layer{iam.IdentityPolicy, iam.SessionPolicy}
	s.Conditions = []string{"what " + id.ARN + " may do: it is no IAM role, user or account root"}
	return []AWSSession{s}
}

// without is the session of an identity that has none.
func without(id Identity, cluster string, why ...finding.Evidence) AWSSession {
	return AWSSession{Holder: id, Cluster: cluster, Via: ViaNothing, Verdict: Denied, Chain: why}
}

// ownSession is the session of an IAM principal.
func (a *Access) ownSession(id Identity) AWSSession {
	arn, err := iam.ParseARN(id.ARN)
	var presence Presence
	switch {
	case err != nil:
	case id.Kind == KindRoot:
		return a.rootSession(id)
	case id.Kind == KindIAMUser:
		u, found := a.User(id.ARN)
		if u != nil {
			return a.userSession(u)
		}
		presence = found
	default:
		r, found := a.Role(id.ARN)
		if arn.IsAssumedRole() {
			r, found = a.RoleByName(arn.Account, arn.RoleName())
		}
		if r != nil {
			s := a.roleSession(r)
			s.Holder = id
			if name := arn.SessionName(); name != "" {
				s.Principal = iam.RoleSession(r.ARN, name)
				s.Principal.UniqueID = r.ID
			}
			return s
		}
		presence = found
	}
	return a.unreadable(AWSSession{Holder: id, Via: ViaItself, ARN: id.ARN}, presence)
}

func (a *Access) rootSession(id Identity) AWSSession {
	s := AWSSession{Holder: id, Via: ViaItself, ARN: id.ARN, Verdict: Allowed, Principal: iam.ParsePrincipal(id.ARN)}
	s.Context, s.Policies.SCP = a.requests(s.Principal.Account), a.Guardrails(s.Principal.Account).SCP
	s.Chain = []finding.Evidence{{Text: "the root user of account " + s.Principal.Account, Source: id.ARN}}
	return s
}

// roleSession is a session of a role that somebody opens now.
func (a *Access) roleSession(r *model.IAMRole) AWSSession {
	s := a.as(AWSSession{Holder: Identity{Kind: KindIAMRole, ARN: r.ARN}, Via: ViaItself, Verdict: Allowed}, r)
	s.Context = a.sessionContext(r, nil, a.taggable(r))
	s.opened(a)
	return s
}

// unreadable is a session of a principal that is not in the snapshot: either it does not exist, or nothing is known.
func (a *Access) unreadable(s AWSSession, presence Presence) AWSSession {
	what := finding.Evidence{Text: "there is no such principal in its account", Source: s.ARN}
	if presence == Absent {
		s.Verdict, s.Chain = Denied, append(s.Chain, what)
		return s
	}
	arn, _ := iam.ParseARN(s.ARN)
	s.Verdict, s.Principal, s.Context = Unknown, iam.ParsePrincipal(s.ARN), a.requests(arn.Account)
	s.Policies = iam.Policies{SCP: a.Guardrails(arn.Account).SCP, Unread: []iam.Layer{iam.IdentityPolicy, iam.Boundary}}
	s.Unread = []string{"policies of " + s.ARN}
	what.Text = "the principal was not read"
	s.Chain = append(s.Chain, what)
	s.Conditions = append(s.Conditions, s.ARN+" (not read)")
	return s
}

func (a *Access) userSession(u *model.IAMUser) AWSSession {
	s := AWSSession{Holder: Identity{Kind: KindIAMUser, ARN: u.ARN}, Via: ViaItself, ARN: u.ARN, Verdict: Allowed, principal: u}
	s.Policies, s.Unread = a.UserPolicies(u), a.unreadOfUser(u)
	s.Principal = iam.ParsePrincipal(u.ARN)
	s.Principal.UniqueID = u.ID
	s.Context = withTags(a.requests(s.Principal.Account), principalTag, u.Tags)
	if u.ID != "" {
		s.Context.Set("aws:userid", u.ID)
	}
	s.Chain = append(s.Chain, finding.Evidence{Text: "the IAM user " + u.Name, Source: u.Subject().String()})
	return s
}

// as makes a session one of a role. Principal and context remain to be set.
func (a *Access) as(s AWSSession, r *model.IAMRole) AWSSession {
	s.principal, s.ARN = r, r.ARN
	s.Policies, s.Unread = a.RolePolicies(r), a.unreadOfRole(r)
	s.Principal = iam.RoleSession(r.ARN, "")
	s.Principal.UniqueID = r.ID
	if s.Via == ViaItself {
		s.Chain = append(s.Chain, finding.Evidence{Text: "the IAM role " + r.Name, Source: r.Subject().String()})
	}
	return s
}

// requests is what is known of every request from an account: a caller who wants to can encrypt it, makes it itself, and
// makes it at the time of the snapshot.
func (a *Access) requests(account string) *iam.Context {
	c := new(iam.Context).Set("aws:SecureTransport", "true").Set("aws:ViaAWSService", "false").SetAbsent("aws:CalledVia")
	if t := a.snapshot.Time; !t.IsZero() {
		c.Set("aws:CurrentTime", t.UTC().Format(time.RFC3339)).Set("aws:EpochTime", t.UTC().Format(time.RFC3339))
	}
	return a.Guardrails(account).keys(c, "aws:PrincipalOrg")
}

// opened says that a session was opened at the time of the snapshot, so that a policy which revokes older ones spares it.
func (s *AWSSession) opened(a *Access) {
	s.fresh = true
	if t := a.snapshot.Time; !t.IsZero() {
		s.Context.Set("aws:TokenIssueTime", t.UTC().Format(time.RFC3339))
	}
}

// sessionContext is what is known of the requests of a role's session. Session tags go before the role's own of the same
// key (IAM User Guide, "Pass session tags in AWS STS", 2026-11); where whoever opens the session may choose them, no tag
// is known.
func (a *Access) sessionContext(r *model.IAMRole, pod *PodSession, anyTags bool) *iam.Context {
	arn, _ := iam.ParseARN(r.ARN)
	c := a.requests(arn.Account)
	if anyTags {
		return c
	}
	withTags(c, principalTag, r.Tags)
	if pod != nil && !pod.Untagged {
		pod.tag(c, principalTag)
	}
	return c
}

// What the keys of tags begin with.
const (
	principalTag = "aws:PrincipalTag/"
	resourceTag  = "aws:ResourceTag/"
)

// withTags says that a principal or a resource has these tags and no others.
func withTags(c *iam.Context, prefix string, tags map[string]string) *iam.Context {
	c.AbsentUnder(prefix)
	for k, v := range tags {
		c.Set(prefix+k, v)
	}
	return c
}

// taggable says whether somebody may give a role's sessions tags: for that its trust policy must allow sts:TagSession.
func (a *Access) taggable(r *model.IAMRole) bool {
	trust := a.Trust(r)
	return trust == nil || slices.ContainsFunc(trust.policy.Statements, func(s iam.Statement) bool {
		return s.Effect != iam.Deny && s.MatchesAction("sts:TagSession") != iam.False
	}) || len(trust.policy.Unknown) > 0
}

// unreadOfRole names the policies of a role that count and that the snapshot lacks, or that cannot be read.
func (a *Access) unreadOfRole(r *model.IAMRole) []string {
	return a.unreadPolicies(r.Inline, r.Attached, r.Boundary, r.PoliciesUnknown)
}

func (a *Access) unreadOfUser(u *model.IAMUser) []string {
	inline, attached, unknown := a.userPolicies(u)
	return a.unreadPolicies(inline, attached, u.Boundary, unknown)
}

func (a *Access) unreadPolicies(inline []model.InlinePolicy, attached []string, boundary string, unknown bool) []string {
	var names []string
	if unknown {
		names = append(names, "policies that were not listed")
	}
	for _, i := range inline {
		if _, err := a.Parse(i.Document); err != nil {
			names = append(names, "inline policy "+i.Name+" ("+strings.TrimPrefix(err.Error(), "policy: ")+")")
		}
	}
	for _, arn := range append(attached[:len(attached):len(attached)], boundary) {
		if arn != "" && a.managedPolicy(arn).Policy == nil {
			names = append(names, arn)
		}
	}
	return names
}

// read says whether an area of an account was read without a gap, so that absence means something.
func (a *Access) read(account string, area model.Area) bool {
	acct := a.snapshot.Account(account)
	if acct == nil || !acct.Read[area] {
		return false
	}
	return !slices.ContainsFunc(a.snapshot.Gaps, func(g finding.Gap) bool {
		return g.Area == string(area) && (g.Account == account || g.Account == "")
	})
}
