package access

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// podSessions are the sessions of a service account, workload or pod, in every cluster that it is asked of and known in.
func (a *Access) podSessions(id Identity) []AWSSession {
	var all []AWSSession
	unread := false
	for _, c := range a.Clusters() {
		label := c.label()
		if id.Cluster != "" && id.Cluster != label {
			continue
		}
		of := id
		of.Cluster = label
		sessions, presence := c.awsSessions(of)
		unread = unread || presence == Unread
		all = append(all, sessions...)
	}
	if len(all) > 0 {
		return all
	}
	none := without(id, id.Cluster, finding.Evidence{Text: fmt.Sprintf("there is no %s in the clusters that were read", id), Source: id.String()})
	if unread || len(a.snapshot.Clusters) == 0 {
		none.Verdict, none.Via, none.Chain = Unknown, ViaUnknown, nil
		none.Conditions = []string{fmt.Sprintf("whether there is a %s, and what it holds: not read", id)}
	}
	return []AWSSession{none}
}

// awsSessions are those of an identity of this cluster, whose label it bears. There are none where the cluster does not know it.
func (c *Cluster) awsSessions(id Identity) ([]AWSSession, Presence) {
	switch id.Kind {
	case KindPod:
		if p := c.pod(id); p != nil {
			return c.sessionsOfPod(id, p), Present
		}
		return nil, c.presence(model.AreaPods)
	case KindWorkload:
		if u := c.unitNames()[unitName(id.Namespace, id.Name)]; u != nil {
			return c.sessionsOfTemplate(id, &podTemplate{u.Namespace, u.ServiceAccount(), u.Labels, u.Annotations, u.Spec}, u.Pods), Present
		}
		return nil, c.presence(model.AreaWorkloads)
	}
	_, presence := c.ServiceAccount(id.Namespace, id.Name)
	pods := c.PodsOf(id.Namespace, id.Name)
	if presence != Present && c.Association(id.Namespace, id.Name) == nil && len(pods) == 0 {
		if presence == Absent && !c.Complete(model.AreaPodIdentityAssociations) {
			presence = Unread
		}
		return nil, presence
	}
	sessions := c.sessionsOfTemplate(id, &podTemplate{namespace: id.Namespace, account: id.Name}, pods)
	if presence == Absent {
		for i := range sessions {
			sessions[i].Conditions = append(sessions[i].Conditions, fmt.Sprintf("service account %s/%s does not exist: whoever makes it and runs a pod as it has this", id.Namespace, id.Name))
		}
	}
	return sessions, Present
}

// presence is what the absence of an object means, given whether its area was read.
func (c *Cluster) presence(area model.Area) Presence {
	if c.Complete(area) {
		return Absent
	}
	return Unread
}

// podTemplate is what is known of new pods. Without a specification they are any pods of a service account.
type podTemplate struct {
	namespace, account  string
	labels, annotations map[string]string
	spec                *model.PodSpec
}

// sessionsOfTemplate are what new pods get, and the node roles that running ones reach.
func (c *Cluster) sessionsOfTemplate(id Identity, t *podTemplate, pods []*model.Pod) []AWSSession {
	all := []AWSSession{c.newPods(id, t, pods)}
	if byHand := t.spec != nil && Injected(t.spec).IRSA; all[0].Via == ViaIRSA && !byHand && !c.Complete(model.AreaPodIdentityAssociations) {
		all = append(all, c.ofUnreadAssociation(id, t))
	}
	nodes := c.nodeSessions(id, pods)
	if all[0].Via == ViaNothing && len(nodes) > 0 {
		return nodes
	}
	return append(all, nodes...)
}

// newPods is the session that new pods get of their own. The webhook puts Pod Identity before IRSA and looks at nothing but
// namespace and service account, and at what the pod says against it.
func (c *Cluster) newPods(id Identity, t *podTemplate, running []*model.Pod) AWSSession {
	s := AWSSession{Holder: id, Cluster: id.Cluster}
	var in Injection
	if t.spec != nil {
		if keys := StaticKeys(t.spec); len(keys) > 0 {
			return s.staticKeys(finding.Evidence{Text: keys[0] + " is set, which every AWS SDK uses first", Source: id.String()})
		}
		in = tokensOf(t.spec)
	}
	association := c.Association(t.namespace, t.account)
	sa, presence := c.ServiceAccount(t.namespace, t.account)
	opted := ""
	if t.spec != nil {
		opted = optedOutOfAll(t.labels, t.annotations, t.spec)
	}
	switch {
	case in.IRSA:
		return c.irsa(s, t, finding.Evidence{Text: "mounts a token for AWS by its own specification, which the AWS SDKs use before container credentials", Source: id.String()})
	case opted != "" && !in.PodIdentity && (association != nil || IRSARole(sa) != ""):
		return without(id, id.Cluster, finding.Evidence{Text: opted + " keeps the pod-identity webhook away from its pods", Source: id.String()})
	case association != nil:
		s = c.podIdentitySession(s, association, "")
		return c.served(s, t, running)
	case IRSARole(sa) != "":
		s = c.irsa(s, t)
		if before := "no Pod Identity association, which would go before IRSA (not read)"; !c.Complete(model.AreaPodIdentityAssociations) {
			s.doubt(before)
			s.token.open = []string{before}
		}
		return s
	case presence == Unread || !c.Complete(model.AreaPodIdentityAssociations):
		s.Via, s.Verdict = ViaUnknown, Unknown
		s.Conditions = []string{fmt.Sprintf("which role service account %s/%s holds: its association and annotation were not read", t.namespace, t.account)}
		return s
	case !c.Complete(model.AreaPods):
		s.Via, s.Verdict = ViaUnknown, Unknown
		s.Conditions = []string{"which nodes' roles its pods can reach: pods were not read"}
		return s
	}
	return without(id, id.Cluster, finding.Evidence{
		Text:   "it has neither a Pod Identity association nor an IRSA annotation",
		Source: fmt.Sprintf("ServiceAccount %s/%s", t.namespace, t.account),
	})
}

// ofUnreadAssociation is the session of whatever role an association gives that was not read: it would go before IRSA, so that
// what the role of the annotation denies is not denied.
func (c *Cluster) ofUnreadAssociation(id Identity, t *podTemplate) AWSSession {
	return AWSSession{
		Holder: id, Cluster: id.Cluster, Via: ViaUnknown, Verdict: Unknown,
		Conditions: []string{fmt.Sprintf("which role an association gives service account %s/%s: not read", t.namespace, t.account)},
	}
}

// doubt takes an allowed session back to unknown, with what it depends on.
func (s *AWSSession) doubt(condition string) {
	if s.Verdict != Denied {
		s.Verdict = Unknown
		s.Conditions = append(s.Conditions, condition)
	}
}

// staticKeys is the session of whoever owns access keys in an environment: no snapshot says who that is.
func (s AWSSession) staticKeys(why ...finding.Evidence) AWSSession {
	s.Via, s.Verdict, s.Chain = ViaStaticKeys, Unknown, why
	s.Conditions = []string{"whose access keys they are"}
	return s
}

// optedOutOfAll says by what all containers of a pod keep the webhook away, or "".
func optedOutOfAll(labels, annotations map[string]string, spec *model.PodSpec) string {
	by := OptedOut(labels, annotations)
	if !strings.HasPrefix(by, "annotation ") {
		return by
	}
	skipped := strings.Split(annotations[SkipContainersAnnotation], ",")
	for _, k := range spec.Containers {
		if k.Kind != "ephemeral" && !slices.ContainsFunc(skipped, func(n string) bool { return strings.TrimSpace(n) == k.Name }) {
			return ""
		}
	}
	return by
}

// served says whether the pods of a Pod Identity session can fetch it where they run.
func (c *Cluster) served(s AWSSession, t *podTemplate, running []*model.Pod) AWSSession {
	if t.spec != nil {
		on := c.Unsupported(t.namespace, t.labels, t.spec)
		elsewhere := slices.ContainsFunc(running, func(p *model.Pod) bool {
			return p.NodeName != "" && c.Unsupported(p.Namespace, p.Labels, &p.PodSpec) == ""
		})
		switch {
		case on != "" && !elsewhere:
			s.Verdict = Denied
			s.Chain = append(s.Chain, finding.Evidence{Text: "its pods run on " + on + ", where Pod Identity does not work", Source: s.Holder.String()})
		case !elsewhere && !c.Complete(model.AreaFargateProfiles):
			s.doubt("no Fargate profile selects its pods: not read")
		}
	}
	switch c.agent() {
	case Absent:
		s.doubt("a Pod Identity agent on its nodes: none was found in the cluster, and without one pods get nothing")
	case Unread:
		s.Conditions = append(s.Conditions, "a Pod Identity agent runs on its nodes (not read)")
	}
	return s
}

// findAgent says whether something answers pods with Pod Identity credentials: the agent, or Auto Mode, which has it built in.
func (c *Cluster) findAgent() Presence {
	switch {
	case len(c.Agents()) > 0, c.Description != nil && c.Description.AutoMode,
		slices.ContainsFunc(c.Nodes, func(n *model.Node) bool { return n.Labels[ComputeTypeLabel] == AutoComputeType }):
		return Present
	case c.Complete(model.AreaWorkloads) && c.Complete(model.AreaCluster):
		return Absent
	}
	return Unread
}

// podIdentitySession is the session that EKS opens for an association; pod names one pod, or is empty for any.
func (c *Cluster) podIdentitySession(s AWSSession, a *model.PodIdentityAssociation, pod string) AWSSession {
	all, tags := c.all, c.Session(a)
	tags.Pod = pod
	s.Via, s.Verdict, s.ARN = ViaPodIdentity, Allowed, a.RoleARN
	s.Chain = append(s.Chain, fact(a, "roleArn", "Pod Identity gives service account %s/%s role %s", a.Namespace, a.ServiceAccount, a.RoleARN))
	role, presence := all.Role(a.RoleARN)
	if role == nil {
		s = all.unreadable(s, presence)
		if a.TargetRoleARN == "" || presence == Absent {
			return s
		}
	} else {
		s = all.as(s, role)
		all.inPod(&s, role, tags)
		s.enter(role, all.Trust(role), func(t *Trust) Entry { return t.PodIdentity(tags) }, func(*Trust) []string {
			return []string{"its trust policy does not let " + PodIdentityService + " in for this service account"}
		})
	}
	if !tags.Untagged {
		s.tags = &tags
	}
	if a.TargetRoleARN != "" {
		s = c.targetSession(s, a, tags)
	}
	if a.Policy != "" { // with a target role it limits that one only (EKS API, "policy", SDK 2026-11)
		s = all.limited(s, a)
	}
	return s
}

// inPod makes known of a session's requests what follows from EKS opening it.
func (a *Access) inPod(s *AWSSession, r *model.IAMRole, tags PodSession) {
	s.Context = a.sessionContext(r, &tags, false).SetAbsent("aws:FederatedProvider")
	if tags.Pod == "" { // a running pod's session may be older
		s.opened(a)
	}
}

// targetSession goes on from the first role of an association to the target role, as EKS does.
func (c *Cluster) targetSession(first AWSSession, a *model.PodIdentityAssociation, tags PodSession) AWSSession {
	s := AWSSession{Holder: first.Holder, Cluster: first.Cluster, Via: ViaPodIdentity, ARN: a.TargetRoleARN, Verdict: first.Verdict, Conditions: first.Conditions}
	s.Chain = append(first.Chain, fact(a, "targetRoleArn", "and goes on to role %s", a.TargetRoleARN))
	role, presence := c.all.Role(a.TargetRoleARN)
	if role == nil {
		return c.all.unreadable(s, presence)
	}
	s = c.all.as(s, role)
	c.all.inPod(&s, role, tags)
	s.tags = first.tags
	first.Context = tags.request(first.Context.Clone())
	if id := c.ExternalID(a); id != "" {
		first.Context.Set("sts:ExternalId", id)
	}
	h := c.all.hop(&first, role)
	s.Chain = append(s.Chain, h.Chain...)
	if h.Verdict == Denied {
		s.Verdict = Denied
	}
	for _, condition := range h.Conditions {
		if h.Verdict == Unknown {
			s.doubt(condition)
		} else {
			s.Conditions = append(s.Conditions, condition)
		}
	}
	return s
}

// ExternalID is the external id that EKS sends to the target role of an association: the one it names, or, without session
// tags, the form that it documents (EKS User Guide, "Access AWS resources in another account with Pod Identity", 2026-11).
// Empty is not known.
func (c *Cluster) ExternalID(a *model.PodIdentityAssociation) string {
	if a.ExternalID != "" || !a.DisableSessionTags {
		return a.ExternalID
	}
	return strings.Join([]string{c.Region, c.Account, c.Name, a.Namespace, a.ServiceAccount}, "/")
}

// limited is a session with the session policy of an association.
func (a *Access) limited(s AWSSession, of *model.PodIdentityAssociation) AWSSession {
	doc, err := a.Parse(of.Policy)
	if err != nil {
		s.Policies.Unread = append(slices.Clone(s.Policies.Unread), iam.SessionPolicy)
		s.Unread = append(slices.Clone(s.Unread), "session policy of "+of.Subject().String())
		return s
	}
	s.Policies.Session = []iam.Named{{Name: "of " + of.Subject().String(), Policy: doc}}
	s.Chain = append(s.Chain, fact(of, "policy", "a session policy limits it"))
	return s
}

// enter notes whether a role's trust policy lets the session in, by which statements or why not.
func (s *AWSSession) enter(role *model.IAMRole, trust *Trust, ask func(*Trust) Entry, whyNot func(*Trust) []string) {
	source := role.Subject().String() + " trust policy"
	if trust == nil {
		s.doubt("the trust policy of " + role.ARN + " (not read, or not readable)")
		return
	}
	e := ask(trust)
	switch {
	case e.Not():
		s.Verdict = Denied
		for _, why := range whyNot(trust) {
			s.Chain = append(s.Chain, finding.Evidence{Text: why, Source: source})
		}
		return
	case e.Verdict == iam.Undecided:
		for _, condition := range e.If {
			s.doubt("trust policy of " + role.ARN + ": " + condition)
		}
		if len(e.If) == 0 {
			s.doubt("the trust policy of " + role.ARN)
		}
	}
	for _, statement := range e.Statements {
		s.Chain = append(s.Chain, finding.Evidence{Text: statement, Source: source})
	}
	s.underRCP(e, ask(trust.UnderRCP()))
}

// sessionsOfPod are what a running pod holds now, first what its SDK takes, then what else code in it can fetch.
func (c *Cluster) sessionsOfPod(id Identity, p *model.Pod) []AWSSession {
	if finished(p) {
		return []AWSSession{without(id, id.Cluster, fact(p, "status.phase", "%s: its containers are gone", p.Phase))}
	}
	held, in := c.credentialsOf(p), tokensOf(&p.PodSpec)
	t := &podTemplate{p.Namespace, ServiceAccountName(&p.PodSpec), p.Labels, p.Annotations, &p.PodSpec}
	association := c.Association(t.namespace, t.account)
	base := AWSSession{Holder: id, Cluster: id.Cluster}
	var all []AWSSession
	if held.Via == ViaStaticKeys {
		all = append(all, base.staticKeys(held.Why...))
	}
	if in.IRSA {
		all = append(all, c.irsa(base, t, fact(p, "spec.volumes", "a token for AWS is mounted")))
	}
	if in.PodIdentity {
		s := base
		s.Chain = []finding.Evidence{fact(p, "spec.volumes", "a token for Pod Identity is mounted")}
		switch {
		case association != nil:
			all = append(all, c.served(c.podIdentitySession(s, association, p.Name), t, []*model.Pod{p}))
		case !c.Complete(model.AreaPodIdentityAssociations):
			s.Via, s.Verdict = ViaPodIdentity, Unknown
			s.Conditions = []string{"which role its association gives (not read)"}
			all = append(all, s)
		}
	}
	if held.Via == ViaUnknown && len(all) == 0 && c.NodeRoleReach(p).Answer != Maybe {
		s := base
		s.Via, s.Verdict, s.Chain, s.Conditions = ViaUnknown, Unknown, held.Why, []string{"what it holds: service accounts were not read"}
		all = append(all, s)
	}
	all = append(all, c.nodeSessions(id, []*model.Pod{p})...)
	if len(all) == 0 {
		return []AWSSession{without(id, id.Cluster, held.Why...)}
	}
	return all
}

// nodeSessions are the node roles that pods can take from the metadata service, each once.
func (c *Cluster) nodeSessions(id Identity, pods []*model.Pod) []AWSSession {
	type place struct {
		node string
		host bool
	}
	asked := map[place]bool{}
	var all []AWSSession
	for _, p := range pods {
		at := place{p.NodeName, p.HostNetwork}
		if asked[at] {
			continue
		}
		asked[at] = true
		if s, ok := c.nodeSession(id, p); ok && !slices.ContainsFunc(all, func(o AWSSession) bool { return o.ARN == s.ARN && o.Verdict == s.Verdict }) {
			all = append(all, s)
		}
	}
	return all
}

// nodeSession is the session of its node's role that a pod can take, and false if it cannot.
func (c *Cluster) nodeSession(id Identity, p *model.Pod) (AWSSession, bool) {
	reach := c.NodeRoleReach(p)
	if reach.Answer == No || finished(p) {
		return AWSSession{}, false
	}
	s := AWSSession{Holder: id, Cluster: id.Cluster, Via: ViaNodeRole, ARN: reach.RoleARN, Verdict: Allowed}
	s.Chain = append(s.Chain, fact(p, "spec.nodeName", "runs on node %s", p.NodeName))
	s.Chain = append(s.Chain, reach.Why...)
	if reach.Answer == Maybe {
		s.doubt("whether the pod reaches the metadata service of its node: not read")
	}
	if node := c.nodes[p.NodeName]; node != nil && !p.HostNetwork && c.instances[node.InstanceID()] == nil && !c.Complete(model.AreaInstances) {
		s.doubt("how the instance of node " + node.Name + " has its metadata service set: not read")
	}
	if s.ARN == "" {
		s.doubt("which role the node has: not read")
		return s, true
	}
	role, presence := c.all.Role(s.ARN)
	if role == nil {
		return c.all.unreadable(s, presence), true
	}
	s = c.all.as(s, role)
	s.Context = c.all.sessionContext(role, nil, false).SetAbsent("aws:FederatedProvider")
	return s, true
}
