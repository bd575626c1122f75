package migrate

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// The outcomes of service accounts.
const (
	BecomesPodIdentity Outcome = "Pod Identity" // an association with the same role
	Moving             Outcome = "moving"       // it has an association already; what IRSA left behind is to go
)

// The phases of a migration to Pod Identity.
const (
	PhaseTrust      = "trust"
	PhaseAssociate  = "associate"
	PhaseRestart    = "restart"
	PhaseUnannotate = "remove-annotations"
	PhaseUntrust    = "remove-trust"
)

// Holder is a service account that holds an IAM role through IRSA, and what becomes of it.
type Holder struct {
	Account *model.ServiceAccount
	RoleARN string
	Outcome Outcome
	Why     string
	Notes   []string

	role *model.IAMRole
}

// PodIdentity plans the move of a cluster's service accounts from IRSA to Pod Identity with the same roles: associations first,
// each let in by its role for its own namespace and service account of this cluster only; annotations and the trust in this
// cluster's issuer go when pods were seen to use the new way.
func PodIdentity(s *model.Snapshot, a *access.Access, c *access.Cluster, o Options) *Migration {
	p := &planner{Options: o, snapshot: s, all: a, cluster: c}
	m := &Migration{Cluster: c}
	if !m.needs(model.AreaCluster, model.AreaPodIdentityAssociations, model.AreaServiceAccounts, model.AreaPods, model.AreaWorkloads, model.AreaFargateProfiles) {
		return m
	}
	for _, sa := range c.ServiceAccounts {
		if role := access.IRSARole(sa); role != "" {
			m.Holders = append(m.Holders, p.move(sa, role))
		}
	}
	if len(m.Holders) == 0 {
		return m
	}
	if d := c.Description; d != nil && !d.AutoMode && len(c.Agents()) == 0 {
		m.Blockers = append(m.Blockers, "no node runs the Pod Identity agent: install the add-on eks-pod-identity-agent first")
	}
	for _, h := range m.Holders {
		if h.Outcome == Blocked {
			m.Blockers = append(m.Blockers, fmt.Sprintf("service account %s/%s: %s", h.Account.Namespace, h.Account.Name, h.Why))
		}
	}
	m.Warnings = append(m.Warnings, "whether the AWS SDK in an image is new enough for Pod Identity is not told by a snapshot: see EKS User Guide, \"Use Pod Identity with the AWS SDK\"")
	p.podPhases(m)
	return m
}

// move decides what becomes of a service account.
func (p *planner) move(sa *model.ServiceAccount, role string) Holder {
	h := Holder{Account: sa, RoleARN: role, Outcome: BecomesPodIdentity}
	if why := p.cannotMove(&h); why != "" {
		h.Outcome, h.Why = Blocked, why
		return h
	}
	if existing := p.cluster.Association(sa.Namespace, sa.Name); existing != nil {
		if existing.RoleARN != role {
			h.Outcome, h.Why = Blocked, fmt.Sprintf("it has an association with another role, %s, which new pods get already", existing.RoleARN)
			return h
		}
		h.Outcome = Moving
	}
	return h
}

// cannotMove says why a service account stays with IRSA until somebody decides, or "".
func (p *planner) cannotMove(h *Holder) string {
	sa, c := h.Account, p.cluster
	arn, err := iam.ParseARN(h.RoleARN)
	if err != nil || !arn.IsRole() {
		return fmt.Sprintf("its annotation names %q, which is no role", h.RoleARN)
	}
	if arn.Account != c.Account {
		return fmt.Sprintf("its role is of account %s; Pod Identity takes roles of the cluster's account: make a role there that may take this one, and give the association this one as targetRoleArn", arn.Account)
	}
	var presence access.Presence
	if h.role, presence = p.all.Role(h.RoleARN); h.role == nil {
		if presence == access.Absent {
			return "its role does not exist"
		}
		return "its role was not read, so that its trust cannot be carried over"
	}
	trust := p.all.Trust(h.role)
	if trust == nil {
		return "the trust policy of its role cannot be read"
	}
	w := access.WebToken{Issuer: c.Issuer(), Subject: access.Subject(sa.Namespace, sa.Name), Audience: access.IRSAAudience}
	if trust.WebIdentity(w).Not() {
		return "its role does not let it in, so that it holds nothing now: " + strings.Join(trust.WhyNot(w), "; ")
	}
	if audience := sa.Annotations[access.AudienceAnnotation]; audience != "" && audience != access.IRSAAudience {
		return fmt.Sprintf("its tokens are made out for %s, not for AWS STS: something else reads them", audience)
	}
	if others := p.otherIssuers(trust); len(others) > 0 {
		return "its role is shared with other clusters, by " + strings.Join(others, ", ") + ": give this cluster a role of its own first"
	}
	return p.unfit(sa)
}

// otherIssuers are the EKS clusters besides this one that a role lets in.
func (p *planner) otherIssuers(t *access.Trust) []string {
	var others []string
	for _, provider := range t.Providers() {
		if _, issuer, ok := strings.Cut(provider, ":oidc-provider/"); ok && issuer != p.cluster.Issuer() {
			if _, eks := access.ParseEKSIssuer(issuer); eks {
				others = append(others, provider)
			}
		}
	}
	return others
}

// unfit says what of the workloads of a service account Pod Identity does not do, or "".
func (p *planner) unfit(sa *model.ServiceAccount) string {
	for _, w := range p.cluster.WorkloadsOf(sa.Namespace, sa.Name) {
		if why := p.unfitPod("workload "+strings.ToLower(w.Kind)+"/"+w.Name, sa.Namespace, w.TemplateLabels, w.TemplateAnnotations, &w.PodSpec); why != "" {
			return why
		}
		if access.Injected(&w.PodSpec).IRSA {
			return fmt.Sprintf("workload %s/%s sets AWS_WEB_IDENTITY_TOKEN_FILE by hand, which the SDKs use before Pod Identity", strings.ToLower(w.Kind), w.Name)
		}
	}
	for _, pod := range p.cluster.PodsOf(sa.Namespace, sa.Name) {
		if why := p.unfitPod("pod "+pod.Name, sa.Namespace, pod.Labels, pod.Annotations, &pod.PodSpec); why != "" {
			return why
		}
	}
	return ""
}

func (p *planner) unfitPod(what, namespace string, labels, annotations map[string]string, spec *model.PodSpec) string {
	if why := p.cluster.Unsupported(namespace, labels, spec); why != "" {
		return fmt.Sprintf("%s runs on %s, which Pod Identity does not serve", what, why)
	}
	if why := access.OptedOut(labels, annotations); why != "" {
		return fmt.Sprintf("%s keeps the webhook away by its %s", what, why)
	}
	return ""
}

// podPhases puts the changes in order.
func (p *planner) podPhases(m *Migration) {
	id, now := p.cluster.ID(), map[string]model.Document{} // trust policies by role, as the steps so far leave them
	var trust, associate, unannotate, untrust plan.Plan
	rewrite := func(steps *plan.Plan, role *model.IAMRole, edit func(model.Document) (model.Document, error)) bool {
		before, known := now[role.ARN]
		if !known {
			before = role.Trust
		}
		after, err := edit(before)
		if err != nil {
			m.Blockers = append(m.Blockers, fmt.Sprintf("the trust policy of %s: %s", role.ARN, err))
			return false
		}
		if after != before {
			*steps = append(*steps, plan.UpdateTrustPolicy{RoleARN: role.ARN, Before: before, After: after})
			now[role.ARN] = after
		}
		return true
	}
	stays := map[string]bool{} // roles that some service account goes on to use by IRSA
	for _, h := range m.Holders {
		if h.Outcome == Blocked {
			stays[h.RoleARN] = true
		}
	}
	var cleaned []string
	for _, h := range m.Holders {
		sa := h.Account
		switch h.Outcome {
		case BecomesPodIdentity:
			if !p.letsPodsIn(&h) && !rewrite(&trust, h.role, func(doc model.Document) (model.Document, error) {
				return letPodsIn(doc, p.cluster.ARN, sa.Namespace, sa.Name)
			}) {
				continue
			}
			associate = append(associate, plan.CreatePodIdentityAssociation{Cluster: id, Namespace: sa.Namespace, ServiceAccount: sa.Name, RoleARN: h.RoleARN})
		case Moving:
		default:
			continue
		}
		unannotate = append(unannotate, plan.UnannotateServiceAccount{Cluster: id, Namespace: sa.Namespace, Name: sa.Name, Key: access.RoleAnnotation})
		if !stays[h.RoleARN] && !slices.Contains(cleaned, h.RoleARN) {
			cleaned = append(cleaned, h.RoleARN)
		}
	}
	for _, arn := range cleaned {
		role, _ := p.all.Role(arn)
		rewrite(&untrust, role, func(doc model.Document) (model.Document, error) {
			return withoutProvider(doc, p.all.Trust(role).Provider(p.cluster.Issuer()))
		})
	}
	m.add(PhaseTrust, "let EKS take the roles for these service accounts of this cluster", trust, "nothing: nobody uses it yet")
	m.add(PhaseAssociate, "associate the roles with the service accounts", associate, "associations are seen within seconds; running pods keep IRSA")
	if len(unannotate) > 0 {
		m.Phases = append(m.Phases, Phase{
			ID: PhaseRestart, Title: "restart the workloads, and see them use Pod Identity",
			Wait: "every pod of these service accounts is newer than its association, and CloudTrail shows AssumeRoleForPodIdentity and no AssumeRoleWithWebIdentity for their roles",
		})
	}
	m.add(PhaseUnannotate, "take the role annotations off the service accounts", unannotate, "pods made from now on are given no web identity, should an association be deleted")
	m.add(PhaseUntrust, "take the trust in this cluster's issuer out of the roles", untrust, "nothing: the move is done")
}

// letsPodsIn says whether a role lets in its service account's pods already.
func (p *planner) letsPodsIn(h *Holder) bool {
	e := p.all.Trust(h.role).PodIdentity(access.PodSession{ClusterARN: p.cluster.ARN, Namespace: h.Account.Namespace, ServiceAccount: h.Account.Name})
	return e.Verdict == iam.Allowed
}

func (m *Migration) add(id, title string, changes plan.Plan, wait string) {
	if len(changes) > 0 {
		m.Phases = append(m.Phases, Phase{ID: id, Title: title, Plan: changes, Wait: wait})
	}
}

func (h *Holder) item(label string) Item {
	return Item{Cluster: label, Subject: finding.Subject{Kind: "ServiceAccount", Namespace: h.Account.Namespace, Name: h.Account.Name}, Becomes: h.Outcome, Principal: h.RoleARN, Why: h.Why, Notes: h.Notes}
}
