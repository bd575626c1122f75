package migrate

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"drawbridge/internal/access"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// annotated decides what becomes of a service account whose pods name a role for kube2iam or kiam. Both hand the role out from
// the place of the metadata service, which the SDKs ask last.
func (p *planner) annotated(of *usage) Holder {
	h := Holder{Account: of.account, From: FromKube2IAM, Outcome: BecomesPodIdentity, existing: p.cluster.Association(of.account.Namespace, of.account.Name)}
	roles := slices.Sorted(maps.Keys(of.annotated))
	h.RoleARN = p.annotatedARN(roles[0])
	if irsa := access.IRSARole(of.account); irsa != "" || h.existing != nil && h.existing.RoleARN != h.RoleARN && h.existing.TargetRoleARN != h.RoleARN {
		if h.existing != nil {
			irsa = h.existing.RoleARN
		}
		h.Outcome, h.Why = Nothing, fmt.Sprintf("its service account holds role %s, which every SDK takes before what the annotation %s gives: the annotation does nothing", irsa, kube2iamRole)
		return h
	}
	h.Why = p.cannotMoveAnnotated(&h, of, roles)
	switch e := h.existing; {
	case h.Why != "":
	case e == nil && h.foreign(p.cluster):
		h.Why = p.firstRole(&h)
	case e != nil:
		h.Outcome = Moving
		if e.TargetRoleARN == h.RoleARN {
			h.FirstARN = e.RoleARN
			h.first, _ = p.all.Role(e.RoleARN)
		}
	}
	if h.Why != "" {
		h.Outcome = Blocked
		return h
	}
	h.Notes = append(h.Notes, "it gains the role by the proof: that kube2iam or kiam gives it the role already is told by no policy")
	if len(p.agentsOf("kube2iam"))+len(p.agentsOf("kiam")) == 0 {
		h.Notes = append(h.Notes, "nothing in the cluster looks like kube2iam or kiam: if neither runs under another name, it has no role today")
	}
	return h
}

// annotatedARN is the role that an annotation names: an ARN, or a name with its path in the cluster's account.
func (p *planner) annotatedARN(text string) string {
	if strings.HasPrefix(text, "arn:") {
		return text
	}
	arn := "arn:" + p.partition() + ":iam::" + p.cluster.Account + ":role/" + strings.TrimPrefix(text, "/")
	if role, _ := p.all.Role(arn); role == nil {
		if role, _ := p.all.RoleByName(p.cluster.Account, text); role != nil {
			return role.ARN
		}
	}
	return arn
}

func (p *planner) cannotMoveAnnotated(h *Holder, of *usage, roles []string) string {
	if len(roles) > 1 {
		return fmt.Sprintf("its pods name several roles for kube2iam or kiam (%s), and a service account has one association: give each workload a service account of its own", strings.Join(roles, ", "))
	}
	units := of.annotated[roles[0]]
	if why := p.alone(of, units, slices.Concat(of.bare, of.keyed)); why != "" {
		return why
	}
	arn, err := iam.ParseARN(h.RoleARN)
	if err != nil || !arn.IsRole() {
		return fmt.Sprintf("the annotation %s of %s names %q, which is no role", kube2iamRole, unitsText(units), roles[0])
	}
	if why := p.notPermitted(of.account.Namespace, arn, roles[0]); why != "" {
		return why
	}
	if why := p.readRole(h); why != "" {
		return why
	}
	if len(p.takers(h.role)) == 0 {
		return "its role lets no role or user of AWS in, so that neither kube2iam nor kiam can take it: it holds nothing now"
	}
	return p.unfit(of.account)
}

// readRole finds the role of a holder and its trust policy, or says why it cannot be carried over.
func (p *planner) readRole(h *Holder) string {
	arn, _ := iam.ParseARN(h.RoleARN)
	var presence access.Presence
	if h.role, presence = p.all.Role(h.RoleARN); h.role == nil {
		switch {
		case presence == access.Absent:
			return "its role does not exist"
		case arn.Account != p.cluster.Account:
			return fmt.Sprintf("its role, of account %s, was not read, so that its trust cannot be carried over: --account-role names a role of that account to read it with, and -f takes what `aws iam get-account-authorization-details` prints there", arn.Account)
		}
		return "its role was not read, so that its trust cannot be carried over"
	}
	if p.all.Trust(h.role) == nil {
		return "the trust policy of its role cannot be read"
	}
	return ""
}

// notPermitted says why the namespace keeps kube2iam or kiam from giving its pods a role, or "". Kiam gives roles only where the
// regular expression of the namespace's annotation matches them; kube2iam looks at its list only with --namespace-restrictions,
// and a list that has wildcards is not read here (READMEs of both, 2026-11).
func (p *planner) notPermitted(namespace string, role iam.ARN, written string) string {
	i := slices.IndexFunc(p.cluster.Namespaces, func(n *model.Namespace) bool { return n.Name == namespace })
	if i < 0 {
		return ""
	}
	annotations := p.cluster.Namespaces[i].Annotations
	spellings := []string{written, role.String(), role.Resource, role.RoleName(), strings.TrimPrefix(role.Resource, "role")}
	if kiam := len(p.agentsOf("kiam")) > 0; kiam {
		permitted, err := regexp.Compile(annotations["iam.amazonaws.com/permitted"])
		if err == nil && (annotations["iam.amazonaws.com/permitted"] == "" || !slices.ContainsFunc(spellings, permitted.MatchString)) {
			return fmt.Sprintf("namespace %s does not permit the role (annotation iam.amazonaws.com/permitted), so that kiam gives it nothing now", namespace)
		}
	}
	var allowed []string
	if json.Unmarshal([]byte(annotations["iam.amazonaws.com/allowed-roles"]), &allowed) != nil || len(allowed) == 0 || len(p.agentsOf("kube2iam")) == 0 {
		return ""
	}
	if slices.ContainsFunc(allowed, func(a string) bool { return slices.Contains(spellings, a) || strings.ContainsAny(a, "*?[]^$()|+") }) {
		return ""
	}
	return fmt.Sprintf("namespace %s allows other roles only (annotation iam.amazonaws.com/allowed-roles): where kube2iam runs with --namespace-restrictions, it gives it nothing now", namespace)
}

// agentsOf are the units that run an image of that name.
func (p *planner) agentsOf(name string) []*access.Unit {
	if p.agents == nil {
		p.agents = map[string][]*access.Unit{}
		for _, u := range p.cluster.Units() {
			for _, c := range u.Spec.Containers {
				repository, _, _ := strings.Cut(c.Image[strings.LastIndexByte(c.Image, '/')+1:], ":")
				repository, _, _ = strings.Cut(repository, "@")
				if repository == "kube2iam" || repository == "kiam" {
					p.agents[repository] = append(p.agents[repository], u)
				}
			}
		}
	}
	return p.agents[name]
}

// takers are the roles and users of AWS that a role lets in by name, whatever the conditions.
func (p *planner) takers(role *model.IAMRole) []string {
	doc, err := p.all.Parse(role.Trust)
	if err != nil {
		return nil
	}
	var all []string
	for i := range doc.Statements {
		s := &doc.Statements[i]
		if s.Effect == iam.Deny || s.MatchesAction("sts:AssumeRole") == iam.False || s.Principal == nil {
			continue
		}
		all = append(all, s.Principal.AWS...)
		if s.Principal.Everyone {
			all = append(all, "*")
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// unneeded are the node roles of the cluster that a role need not let in any longer, when its service accounts are moved: none
// while something that stays names the role too.
func (p *planner) unneeded(role *model.IAMRole, stays map[string]bool) []string {
	if stays[role.ARN] {
		return nil
	}
	return slices.DeleteFunc(p.takers(role), func(taker string) bool { return !p.ownNodes()[taker] })
}

// ownNodes are the roles that nodes of this cluster alone have: whether another cluster needs one is decided there.
func (p *planner) ownNodes() map[string]bool {
	if p.nodes != nil {
		return p.nodes
	}
	p.nodes = map[string]bool{}
	for arn := range p.cluster.NodeRoles() {
		p.nodes[arn] = true
	}
	for _, c := range p.all.Clusters() {
		if c.ID() == p.cluster.ID() {
			continue
		}
		for arn := range c.NodeRoles() {
			delete(p.nodes, arn)
		}
	}
	return p.nodes
}
