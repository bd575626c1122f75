package migrate

import (
	"fmt"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// The outcomes of service accounts.
const (
	BecomesPodIdentity Outcome = "Pod Identity" // an association with its role
	Moving             Outcome = "moving"       // it has its role by Pod Identity already; what it had before is to go
)

// Holder is a service account whose pods have AWS credentials from some source, and what becomes of it.
type Holder struct {
	Account *model.ServiceAccount
	From    Source
	// RoleARN is the role that it holds, or, of one with keys, the role that is to stand in for them; empty for none.
	RoleARN string
	// FirstARN is the role of the cluster's account through which Pod Identity goes on to a role of another account; empty
	// where RoleARN is of the cluster's account.
	FirstARN string
	Outcome  Outcome
	Why      string
	Notes    []string

	role, first *model.IAMRole
	existing    *model.PodIdentityAssociation
	settled     bool   // its role needs no step of its own
	lacks       string // the user whose keys allow more than the role does
}

// PodIdentity plans the move of a cluster's service accounts to Pod Identity, from IRSA, from kube2iam and kiam with the same
// roles, and from access keys: associations first, each let in by its role for its own namespace and service account of this
// cluster only; what they had before goes when pods were seen to use the new way.
func PodIdentity(s *model.Snapshot, a *access.Access, c *access.Cluster, o Options) *Migration {
	p := &planner{Options: o, snapshot: s, all: a, cluster: c}
	m := &Migration{Cluster: c, RoleNames: o.RoleNames}
	if !m.needs(model.AreaCluster, model.AreaPodIdentityAssociations, model.AreaServiceAccounts, model.AreaPods, model.AreaWorkloads, model.AreaFargateProfiles) {
		return m
	}
	m.Holders = p.holders()
	known := map[string]bool{}
	for _, h := range m.Holders {
		known[h.Account.Namespace+"/"+h.Account.Name] = true
	}
	if p.relying(m, known); len(m.Holders) == 0 {
		return m
	}
	if d := c.Description; d != nil && !d.AutoMode && len(c.Agents()) == 0 {
		m.Blockers = append(m.Blockers, "no node runs the Pod Identity agent: install the add-on eks-pod-identity-agent first")
	}
	phases := p.podPhases(m)
	for _, h := range m.Holders {
		if h.Outcome == Blocked {
			m.Blockers = append(m.Blockers, fmt.Sprintf("service account %s/%s: %s", h.Account.Namespace, h.Account.Name, h.Why))
		}
		if h.lacks != "" {
			m.Warnings = append(m.Warnings, fmt.Sprintf("service account %s/%s: its role does not allow all that user %s may, whose keys its pods have", h.Account.Namespace, h.Account.Name, h.lacks))
		}
	}
	m.Warnings = append(m.Warnings, "whether the AWS SDK in an image is new enough for Pod Identity is not told by a snapshot: see EKS User Guide, \"Use Pod Identity with the AWS SDK\"")
	m.Warnings = append(m.Warnings, p.packed(m.Holders)...)
	m.Phases = phases
	return m
}

// holders are the service accounts whose pods have AWS credentials in a way that Pod Identity replaces: those of IRSA first.
func (p *planner) holders() []Holder {
	var all []Holder
	for _, sa := range p.cluster.ServiceAccounts {
		if role := access.IRSARole(sa); role != "" {
			all = append(all, p.move(sa, role))
		}
	}
	for _, of := range p.usages() {
		role, _ := p.cluster.HoldsAWSRole(of.account.Namespace, of.account.Name)
		if len(of.annotated) > 0 {
			h := p.annotated(of)
			if all = append(all, h); h.Outcome != Blocked && role == "" {
				role = h.RoleARN
			}
		}
		if len(of.keyed) > 0 {
			all = append(all, p.keyed(of, role))
		}
	}
	return all
}

// move decides what becomes of a service account.
func (p *planner) move(sa *model.ServiceAccount, role string) Holder {
	h := Holder{Account: sa, From: FromIRSA, RoleARN: role, Outcome: BecomesPodIdentity, existing: p.cluster.Association(sa.Namespace, sa.Name)}
	why := p.cannotMove(&h)
	switch e := h.existing; {
	case why != "":
	case e == nil && h.foreign(p.cluster):
		why = p.firstRole(&h)
	case e == nil:
	case e.TargetRoleARN == role && h.foreign(p.cluster):
		h.Outcome, h.FirstARN = Moving, e.RoleARN
		h.first, _ = p.all.Role(e.RoleARN)
	case e.RoleARN == role && e.TargetRoleARN == "":
		h.Outcome = Moving
	case e.TargetRoleARN != "":
		why = fmt.Sprintf("it has an association with another role, %s by way of %s, which new pods get already", e.TargetRoleARN, e.RoleARN)
	default:
		why = fmt.Sprintf("it has an association with another role, %s, which new pods get already", e.RoleARN)
	}
	if why != "" {
		h.Outcome, h.Why = Blocked, why
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
	if why := p.readRole(h); why != "" {
		return why
	}
	trust := p.all.Trust(h.role)
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

// foreign says that the role is of another account than the cluster.
func (h *Holder) foreign(c *access.Cluster) bool {
	arn, _ := iam.ParseARN(h.RoleARN)
	return arn.Account != c.Account
}

func (h *Holder) item(label string) Item {
	return Item{Cluster: label, Subject: finding.Subject{Kind: "ServiceAccount", Namespace: h.Account.Namespace, Name: h.Account.Name}, From: h.From, Becomes: h.Outcome, Principal: h.RoleARN, Why: h.Why, Notes: h.Notes}
}
