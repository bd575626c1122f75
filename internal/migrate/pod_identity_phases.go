package migrate

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// The phases of a migration to Pod Identity.
const (
	PhaseTrust         = "trust"
	PhaseTargetTrust   = "target-trust" // in other accounts
	PhaseAssociate     = "associate"
	PhaseRestart       = "restart"
	PhaseUnannotate    = "remove-annotations"
	PhaseUntrust       = "remove-trust"
	PhaseUntrustTarget = "remove-target-trust" // in other accounts
	PhaseDeleteKeys    = "delete-keys"
)

// podSteps are the changes of a migration to Pod Identity as they are found, and what the policies they write are by then.
type podSteps struct {
	*planner
	trust, targets, associate, unannotate, untrust, untrustTargets plan.Plan
	// from are the sources of what is moved.
	from []Source
	// trusts are trust policies by role, as the steps so far leave them.
	trusts map[string]model.Document
}

// edit is a trust policy that is about to be written.
type edit struct {
	role          *model.IAMRole
	before, after model.Document
}

// podPhases puts the changes in order. Service accounts whose roles cannot be written are blocked.
func (p *planner) podPhases(m *Migration) []Phase {
	s := &podSteps{planner: p, trusts: map[string]model.Document{}}
	stays := map[string]bool{} // roles that some service account goes on to use in the old way
	for i := range m.Holders {
		h := &m.Holders[i]
		if h.Outcome != Blocked && h.Outcome != Nothing && !h.settled {
			if why := s.give(h); why != "" {
				h.Outcome, h.Why = Blocked, why
			}
		}
		if h.Outcome == Blocked && h.From != FromKeys {
			stays[h.RoleARN] = true
		}
	}
	cleaned := map[string]bool{}
	for i := range m.Holders {
		h := &m.Holders[i]
		if h.Outcome == Blocked || h.Outcome == Nothing {
			continue
		}
		s.from = append(s.from, h.From)
		if h.From == FromIRSA {
			s.unannotate = append(s.unannotate, plan.UnannotateServiceAccount{Cluster: p.cluster.ID(), Namespace: h.Account.Namespace, Name: h.Account.Name, Key: access.RoleAnnotation})
		}
		if key := string(h.From) + " " + h.RoleARN; !cleaned[key] {
			cleaned[key] = true
			if why := s.clean(h, stays); why != "" {
				m.Blockers = append(m.Blockers, why)
			}
		}
	}
	return s.phases()
}

// give lets a service account in to its role and associates it, or says why that cannot be.
func (s *podSteps) give(h *Holder) string {
	sa := h.Account
	session := access.PodSession{ClusterARN: s.cluster.ARN, Namespace: sa.Namespace, ServiceAccount: sa.Name}
	externalID := ""
	if h.existing != nil {
		session, externalID = s.cluster.Session(h.existing), s.cluster.ExternalID(h.existing)
	}
	if why := s.untaggable(session); why != "" {
		return why
	}
	first := h.role
	if h.FirstARN != "" {
		first = h.first
	}
	var edits []edit
	if first != nil && s.all.Trust(first).PodIdentity(session).Verdict != iam.Allowed {
		if session.Untagged {
			return "its association has no session tags, and its role does not let EKS in without them: nothing narrow can be written, so turn the tags on"
		}
		e, why := s.edit(first, func(doc model.Document) (model.Document, error) {
			return letPodsIn(doc, session)
		})
		if why != "" {
			return why
		}
		edits = append(edits, e)
	}
	var onward plan.Plan
	if h.FirstARN != "" {
		if s.all.Trust(h.role).Chain(h.FirstARN, session, externalID).Verdict != iam.Allowed {
			e, why := s.edit(h.role, func(doc model.Document) (model.Document, error) {
				return letFirstIn(doc, h.FirstARN, session, externalID)
			})
			if why != "" {
				return why
			}
			edits = append(edits, e)
		}
		var why string
		if onward, why = s.onward(h, session); why != "" {
			return why
		}
	}
	for _, e := range edits {
		s.write(e, &s.trust, &s.targets)
	}
	s.trust = append(s.trust, onward...)
	if h.Outcome == BecomesPodIdentity {
		c := plan.CreatePodIdentityAssociation{Cluster: s.cluster.ID(), Namespace: sa.Namespace, ServiceAccount: sa.Name, RoleARN: h.RoleARN}
		if h.FirstARN != "" {
			c.RoleARN, c.TargetRoleARN = h.FirstARN, h.RoleARN
		}
		s.associate = append(s.associate, c)
	}
	return ""
}

// edit works out what becomes of a trust policy, as far as the steps so far leave it, or says why it cannot be written.
func (s *podSteps) edit(role *model.IAMRole, change func(model.Document) (model.Document, error)) (edit, string) {
	e := edit{role: role, before: role.Trust}
	if now, known := s.trusts[role.ARN]; known {
		e.before = now
	}
	var err error
	if e.after, err = change(e.before); err != nil {
		return edit{}, fmt.Sprintf("the trust policy of %s: %s", role.ARN, err)
	}
	return e, s.tooLong(e)
}

// write makes an edit a step: among the roles of the cluster's account, or among those of others.
func (s *podSteps) write(e edit, own, others *plan.Plan) {
	if e.after == e.before {
		return
	}
	steps := own
	if arn, _ := iam.ParseARN(e.role.ARN); arn.Account != s.cluster.Account {
		steps = others
	}
	*steps = append(*steps, plan.UpdateTrustPolicy{RoleARN: e.role.ARN, Before: e.before, After: e.after})
	s.trusts[e.role.ARN] = e.after
}

// clean takes out of a role's trust policy what let the holder in before, or says why that cannot be: this cluster's issuer, or
// its nodes, from which kube2iam and kiam take the role.
func (s *podSteps) clean(h *Holder, stays map[string]bool) string {
	var change func(model.Document) (model.Document, error)
	switch {
	case h.From == FromIRSA && !stays[h.RoleARN]:
		change = func(doc model.Document) (model.Document, error) {
			return withoutProvider(doc, s.all.Trust(h.role).Provider(s.cluster.Issuer()))
		}
	case h.From == FromKube2IAM:
		gone := s.unneeded(h.role, stays)
		left := slices.DeleteFunc(s.takers(h.role), func(taker string) bool { return slices.Contains(gone, taker) || taker == h.FirstARN })
		if len(left) > 0 {
			h.Notes = append(h.Notes, "its role goes on to let in "+listed(left, 3)+": take out what is there for kube2iam or kiam alone")
		}
		change = func(doc model.Document) (model.Document, error) { return withoutPrincipals(doc, gone) }
	default:
		return ""
	}
	e, why := s.edit(h.role, change)
	if why == "" {
		s.write(e, &s.untrust, &s.untrustTargets)
	}
	return why
}

// phases are the steps in their order. What no change can say, because it is in workloads, stands in what to wait for.
func (s *podSteps) phases() []Phase {
	var all []Phase
	add := func(id, title string, changes plan.Plan, wait string) {
		if len(changes) > 0 {
			all = append(all, Phase{ID: id, Title: title, Plan: changes, Wait: wait})
		}
	}
	add(PhaseTrust, "let EKS take the roles for these service accounts of this cluster", s.trust, "nothing: nobody uses it yet")
	add(PhaseTargetTrust, "let the first roles go on to the roles of "+accountsOf(s.targets)+", for these service accounts", s.targets, "nothing: nobody uses it yet")
	add(PhaseAssociate, "associate the roles with the service accounts", s.associate, "associations are seen within seconds; running pods keep what they have")
	if len(s.from) > 0 {
		all = append(all, s.restart())
	}
	add(PhaseUnannotate, "take the role annotations off the service accounts", s.unannotate, "pods made from now on are given no web identity, should an association be deleted")
	old := "the trust in this cluster's issuer"
	if slices.Contains(s.from, FromKube2IAM) {
		old += " and in its nodes"
	}
	add(PhaseUntrust, "take "+old+" out of the roles", s.untrust, "nothing: the move is done")
	add(PhaseUntrustTarget, "take "+old+" out of the roles of "+accountsOf(s.untrustTargets), s.untrustTargets, "nothing: the move is done")
	if slices.Contains(s.from, FromKeys) {
		all = append(all, Phase{
			ID: PhaseDeleteKeys, Title: "delete the access keys: by hand, and FOR GOOD",
			Wait: "the keys were inactive for weeks (aws iam update-access-key --status Inactive, which can be undone) and nothing missed them; aws iam delete-access-key cannot be undone, and the Secrets that held them go after it",
		})
	}
	return all
}

// restart is the phase in which people make pods use the new way.
func (s *podSteps) restart() Phase {
	p := Phase{
		ID: PhaseRestart, Title: "restart the workloads, and see them use Pod Identity",
		Wait: "every pod of these service accounts is newer than its association, and CloudTrail shows AssumeRoleForPodIdentity",
	}
	if slices.Contains(s.from, FromIRSA) {
		p.Wait += " and no AssumeRoleWithWebIdentity for their roles"
	}
	if slices.Contains(s.from, FromKeys) {
		p.Title = "take the access keys out of the workloads, restart them, and see them use Pod Identity"
		p.Wait += "; no pod has keys, which every SDK uses first, and CloudTrail shows nothing more of them"
	}
	if slices.Contains(s.from, FromNode) {
		p.Wait += "; CloudTrail shows nothing more from the sessions of the nodes that these need"
	}
	if slices.Contains(s.from, FromKube2IAM) {
		p.Wait += "; the annotation " + kube2iamRole + " is out of their workloads, and CloudTrail shows no AssumeRole of their roles by the nodes or by kiam"
	}
	return p
}

// accountsOf names the accounts of the roles that a plan writes.
func accountsOf(steps plan.Plan) string {
	var ids []string
	for _, c := range steps {
		arn, _ := iam.ParseARN(plan.Target(c).ARN)
		ids = append(ids, arn.Account)
	}
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) == 1 {
		return "account " + ids[0]
	}
	return "accounts " + strings.Join(ids, ", ")
}
