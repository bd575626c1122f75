package access

import (
	"slices"
	"strings"

	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// PodIdentityService is the service principal that takes roles for Pod Identity, in every partition (EKS User Guide,
// "Create IAM role with trust policy required by EKS Pod Identity", 2026-11).
const PodIdentityService = "pods.eks.amazonaws.com"

// Trust is a role's trust policy: it answers who of the workloads may take the role.
type Trust struct {
	Role   *model.IAMRole
	policy *iam.Policy
	arn    iam.ARN
	all    *Access
	rcp    bool // resource control policies count: see UnderRCP
}

// Trust reads a role's trust policy. It is nil where the document is missing or cannot be read: then nothing is known.
func (a *Access) Trust(r *model.IAMRole) *Trust {
	if r == nil || r.Trust == "" {
		return nil
	}
	policy, err := a.Parse(r.Trust)
	if err != nil {
		return nil
	}
	arn, err := iam.ParseARN(r.ARN)
	if err != nil {
		return nil
	}
	return &Trust{Role: r, policy: policy, arn: arn, all: a}
}

// Entry says whether somebody gets in by a trust policy. Only the trust policy is looked at: not the policies of who
// asks, and those of an organization only with UnderRCP.
type Entry struct {
	Verdict iam.Verdict
	// If is in print what an undecided answer depends on, as far as the question leaves it open.
	If []string
	// Statements are those that let in or keep out, in print.
	Statements []string
	keys       []string
	guards     []finding.Evidence // statements of resource control policies that keep out, or may
}

// Not says whether the trust policy keeps whoever asks out, whatever is not known of the request.
func (e Entry) Not() bool { return e.Verdict == iam.Denied }

// only returns the entry as it is where the given keys are not in the way: because whoever asks chooses their values, or
// because they are alike for all who could ask. Then only other conditions are left in If.
func (e Entry) only(free func(key string) bool) Entry {
	if e.Verdict != iam.Undecided || slices.ContainsFunc(e.keys, func(k string) bool { return !free(k) }) || len(e.If) > 0 {
		return e
	}
	e.Verdict = iam.Allowed
	return e
}

// ask evaluates the trust policy for requests that must all be allowed, leaving out of If the conditions on free keys.
func (t *Trust) ask(who iam.Principal, c *iam.Context, free func(key string) bool, actions ...string) Entry {
	e := Entry{Verdict: iam.Allowed}
	policies := iam.Policies{Trust: &iam.Named{Policy: t.policy}, Identity: everything}
	c = t.inOrganization(c, who)
	for _, action := range actions {
		if t.rcp {
			policies.RCP = t.all.Guardrails(t.arn.Account).RCP(action)
		}
		r := iam.Request{Principal: who, Action: action, Resource: t.Role.ARN, Context: c}
		d := iam.Evaluate(policies, r)
		for _, m := range d.By() {
			switch {
			case m.Layer == iam.TrustPolicy:
				e.Statements = append(e.Statements, m.Statement.Name()+": "+m.Statement.String())
			case m.Layer == iam.RCP && m.Statement.Effect == iam.Deny:
				e.guards = append(e.guards, finding.Evidence{Text: shortened(m.Statement.String()), Source: m.Layer.String() + " " + m.Policy + ", " + m.Statement.Name()})
			}
		}
		switch {
		case d.Verdict == iam.Denied || e.Verdict == iam.Denied:
			e.Verdict = iam.Denied
		case d.Verdict == iam.Undecided:
			e.Verdict = iam.Undecided
		}
		e.keys = append(e.keys, d.UnknownKeys()...)
		e.If = append(e.If, unmet(d, &r, free)...)
	}
	slices.Sort(e.If)
	e.If = slices.Compact(e.If)
	e.Statements = slices.Compact(e.Statements)
	if e.Verdict != iam.Undecided {
		e.If = nil
	}
	return e.only(free)
}

// unmet is what an undecided answer depends on, without the conditions that are about free keys alone.
func unmet(d iam.Decision, r *iam.Request, free func(key string) bool) []string {
	loose := map[string]bool{}
	for _, m := range d.By() {
		for i := range m.Statement.Conditions {
			c := &m.Statement.Conditions[i]
			if !c.Known() || c.Test(r) != iam.Unknown {
				continue
			}
			if one := (&iam.Statement{Conditions: m.Statement.Conditions[i : i+1]}).UnknownKeys(r); !slices.ContainsFunc(one, func(k string) bool { return !free(k) }) {
				loose[c.String()] = true
			}
		}
	}
	return slices.DeleteFunc(d.Unknowns(), func(s string) bool { return loose[s] })
}

// everything is an identity policy that allows all, so that the trust policy alone decides.
var everything = func() []iam.Named {
	p, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`))
	if err != nil {
		panic(err)
	}
	return []iam.Named{{Policy: p}}
}()

func none(string) bool { return false }

// conditions prints the conditions of the statements that allow one of the actions to somebody whom member picks.
func (t *Trust) conditions(member func(*iam.Principals) bool, actions ...string) []string {
	var all []string
	for i := range t.policy.Statements {
		s := &t.policy.Statements[i]
		if s.Effect == iam.Allow && allowsAny(s, actions) && (s.Principal == nil || s.Principal.Everyone || member(s.Principal)) {
			for j := range s.Conditions {
				all = append(all, s.Conditions[j].String())
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func allowsAny(s *iam.Statement, actions []string) bool {
	return slices.ContainsFunc(actions, func(a string) bool { return s.MatchesAction(a) != iam.False })
}

// stranger is a name that nobody gives to anything: what it passes, every name passes.
const stranger = "drawbridge-asks"

// PodSession is a session that EKS opens for a pod. Empty parts are not known.
type PodSession struct {
	ClusterARN, Namespace, ServiceAccount, Pod string
	// Untagged says that the association disables session tags.
	Untagged bool
}

// Session is the session that EKS opens for the pods of an association.
func (c *Cluster) Session(a *model.PodIdentityAssociation) PodSession {
	return PodSession{ClusterARN: c.ARN, Namespace: a.Namespace, ServiceAccount: a.ServiceAccount, Untagged: a.DisableSessionTags}
}

// The session tags of Pod Identity (EKS User Guide, "Grant Pods access to AWS resources based on tags", 2026-11).
var podTags = []string{"eks-cluster-arn", "eks-cluster-name", "kubernetes-namespace", "kubernetes-service-account", "kubernetes-pod-name", "kubernetes-pod-uid"}

// context is what is known of the request by which EKS opens the session. Whether EKS sends aws:SourceArn and
// aws:SourceAccount, and with which values, is not documented: they stay unknown.
func (s PodSession) context() *iam.Context { return s.request(new(iam.Context)) }

// request adds to a context what is known of the session tags that a request passes.
func (s PodSession) request(c *iam.Context) *iam.Context {
	c.AbsentUnder("aws:RequestTag/")
	if s.Untagged {
		return c.SetAbsent("aws:TagKeys").SetAbsent("sts:TransitiveTagKeys")
	}
	return s.tag(c, "aws:RequestTag/").Set("aws:TagKeys", podTags...).Set("sts:TransitiveTagKeys", podTags...)
}

// tag adds the session tags to a context, under the prefix of the keys that hold them.
func (s PodSession) tag(c *iam.Context, prefix string) *iam.Context {
	known := map[string]string{
		"eks-cluster-arn": s.ClusterARN, "kubernetes-namespace": s.Namespace, "kubernetes-service-account": s.ServiceAccount, "kubernetes-pod-name": s.Pod,
	}
	if s.ClusterARN != "" {
		known["eks-cluster-name"] = s.ClusterARN[strings.LastIndexByte(s.ClusterARN, '/')+1:]
	}
	for _, tag := range podTags {
		if v := known[tag]; v != "" {
			c.Set(prefix+tag, v)
		} else {
			c.SetUnknown(prefix + tag)
		}
	}
	return c
}

func (s PodSession) actions() []string {
	if s.Untagged {
		return []string{"sts:AssumeRole"}
	}
	return []string{"sts:AssumeRole", "sts:TagSession"}
}

// PodIdentity says whether EKS can take the role for a session. What is asked of a service account is asked of its workloads, and
// in every comparison, again: it is worked out once.
func (t *Trust) PodIdentity(s PodSession) Entry {
	key := podEntryKey{t.Role, s, t.rcp}
	if e, known := t.all.podEntries.Load(key); known {
		return e.(Entry)
	}
	e := t.podIdentity(s, none)
	if s.Pod == "" {
		t.all.podEntries.Store(key, e)
	}
	return e
}

type podEntryKey struct {
	role    *model.IAMRole
	session PodSession
	rcp     bool
}

func (t *Trust) podIdentity(s PodSession, free func(string) bool) Entry {
	e := t.ask(iam.ServicePrincipal(PodIdentityService), s.context(), free, s.actions()...)
	if cluster, err := iam.ParseARN(s.ClusterARN); t.rcp && e.Verdict == iam.Undecided && err == nil {
		// Either EKS says for whom it asks, or it does not: where both come to the same, it does not matter which.
		said := t.all.Guardrails(cluster.Account).keys(s.context().Set("aws:SourceAccount", cluster.Account), "aws:SourceOrg")
		silent := s.context().SetAbsent("aws:SourceAccount").SetAbsent("aws:SourceArn").SetAbsent("aws:SourceOrgID").SetAbsent("aws:SourceOrgPaths")
		with := t.ask(iam.ServicePrincipal(PodIdentityService), said, free, s.actions()...)
		if without := t.ask(iam.ServicePrincipal(PodIdentityService), silent, free, s.actions()...); with.Verdict == without.Verdict {
			return with
		}
	}
	return e
}

// PodIdentityReach says how far within its account a role is open to Pod Identity.
type PodIdentityReach struct {
	// Anybody: any service account in any namespace of any cluster.
	Anybody Answer
	// AnyCluster: any cluster, as long as namespace and service account have the right names, which whoever runs the
	// cluster chooses.
	AnyCluster Answer
	// Conditions are those of the statements that let Pod Identity in, in print.
	Conditions []string
	// If is what an answer Maybe depends on.
	If []string
	// Statements are the statements that let in, in print.
	Statements []string
}

// PodIdentityReach works out whom a role is open to through Pod Identity. It asks as a cluster of the same account and
// the given region, which may have any name, and as an association with and without session tags, because whoever makes
// the association decides about those. Conditions that all clusters of one account meet alike, on the account or the
// organization, do not count against it.
func (t *Trust) PodIdentityReach(region string) PodIdentityReach {
	foreign := "arn:" + t.arn.Partition + ":eks:" + region + ":" + t.arn.Account + ":cluster/" + stranger
	r := PodIdentityReach{Conditions: t.conditions(func(p *iam.Principals) bool { return slices.Contains(p.Service, PodIdentityService) }, "sts:AssumeRole")}
	free := func(key string) bool {
		return alikeInAccount(key) || strings.EqualFold(key, "aws:RequestTag/kubernetes-pod-name")
	}
	r.Anybody = r.note(
		t.podIdentity(PodSession{ClusterARN: foreign, Namespace: stranger, ServiceAccount: stranger}, free),
		t.podIdentity(PodSession{Untagged: true}, free))
	if r.Anybody == Yes {
		r.AnyCluster = Yes
		return r
	}
	chosen := func(key string) bool { return alikeInAccount(key) || isPodTag(key) }
	r.AnyCluster = r.note(t.podIdentity(PodSession{ClusterARN: foreign}, chosen))
	if r.Anybody == Maybe && r.AnyCluster == No {
		r.AnyCluster = Maybe
	}
	return r
}

// note joins entries of which one is enough.
func (r *PodIdentityReach) note(entries ...Entry) Answer {
	answer := No
	for _, e := range entries {
		switch {
		case e.Verdict == iam.Allowed:
			r.Statements = e.Statements
			return Yes
		case e.Verdict == iam.Undecided:
			answer = Maybe
			r.If = append(r.If, e.If...)
		}
	}
	slices.Sort(r.If)
	r.If = slices.Compact(r.If)
	return answer
}

func isPodTag(key string) bool {
	for _, tag := range podTags {
		if strings.EqualFold(key, "aws:RequestTag/"+tag) {
			return true
		}
	}
	return false
}

// alikeInAccount says whether a condition key has the same value for every cluster of an account.
func alikeInAccount(key string) bool {
	switch strings.ToLower(key) {
	case "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths", "aws:resourceaccount", "aws:resourceorgid", "aws:resourceorgpaths":
		return true
	}
	return false
}

// Chain says whether sessions of another role can take this one, as EKS does for an association with a target role. An
// empty external id is not known.
func (t *Trust) Chain(firstRoleARN string, s PodSession, externalID string) Entry {
	c := s.context()
	if externalID != "" {
		c.Set("sts:ExternalId", externalID)
	}
	return t.ask(iam.RoleSession(firstRoleARN, ""), c, none, s.actions()...)
}

// ChainReach says whom, besides one association, a target role lets in.
type ChainReach struct {
	// Anybody: any principal of the first role's account, as far as its own policies let it.
	Anybody Entry
	// AnyPod: every association with the first role, whatever its cluster, namespace and service account.
	AnyPod Entry
	// Tagging: any principal of the first role's account may pass session tags, which alone lets nobody in.
	Tagging Entry
}

// ChainReach works out whom else a target role lets in than the association for which EKS takes it: it asks as a role, and
// as an association, that nobody has.
func (t *Trust) ChainReach(firstRoleARN string, s PodSession) ChainReach {
	other := PodSession{ClusterARN: "arn:" + t.arn.Partition + ":eks:" + stranger + ":cluster/" + stranger, Namespace: stranger, ServiceAccount: stranger, Untagged: s.Untagged}
	foreign := ""
	if first, err := iam.ParseARN(firstRoleARN); err == nil {
		foreign = "arn:" + first.Partition + ":iam::" + first.Account + ":role/" + stranger
	}
	return ChainReach{
		Anybody: t.Chain(foreign, other, stranger),
		AnyPod:  t.Chain(firstRoleARN, other, stranger),
		Tagging: t.ask(iam.RoleSession(foreign, ""), other.context(), none, "sts:TagSession"),
	}
}
