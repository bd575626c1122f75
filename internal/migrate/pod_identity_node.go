package migrate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// reliant are the service accounts whose pods have nothing but their nodes' role, and the instances they run on.
func (p *planner) reliant() map[string][]string {
	all := map[string]map[string]bool{}
	for _, pod := range p.cluster.Pods {
		if p.cluster.CredentialsOf(pod).Via != access.ViaNodeRole {
			continue
		}
		who := pod.Namespace + "/" + access.ServiceAccountName(&pod.PodSpec)
		if all[who] == nil {
			all[who] = map[string]bool{}
		}
		if node := p.cluster.Node(pod); node != nil && node.InstanceID() != "" {
			all[who][node.InstanceID()] = true
		}
	}
	instances := make(map[string][]string, len(all))
	for who, on := range all {
		instances[who] = slices.Sorted(maps.Keys(on))
	}
	return instances
}

// relying decides what becomes of service accounts that rely on their nodes' role: those for which the user names a role. Which
// of the others need anything of AWS nobody can tell from here. Known are the service accounts that something was decided of.
func (p *planner) relying(m *Migration, known map[string]bool) {
	if len(p.Roles) == 0 && p.NodeUse == nil {
		return
	}
	on := p.reliant()
	for _, who := range slices.Sorted(maps.Keys(on)) {
		namespace, name, _ := strings.Cut(who, "/")
		held, _ := p.cluster.HoldsAWSRole(namespace, name) // by pods that are made from now on
		if role := p.roleOf(namespace, name); role != "" && held == "" && !known[who] {
			m.Holders = append(m.Holders, p.offNode(namespace, name, role, on[who]))
			delete(on, who)
		}
	}
	if p.NodeUse != nil {
		p.used(m, on)
	}
}

// offNode decides what becomes of a service account that relies on its nodes' role, and for which a role is named.
func (p *planner) offNode(namespace, name, role string, instances []string) Holder {
	sa, _ := p.cluster.ServiceAccount(namespace, name)
	if sa == nil {
		sa = &model.ServiceAccount{Meta: model.Meta{Namespace: namespace, Name: name}}
	}
	h := Holder{Account: sa, From: FromNode, RoleARN: role, Outcome: BecomesPodIdentity}
	switch {
	case h.foreign(p.cluster):
		h.Why = fmt.Sprintf("role %s is not of the cluster's account, %s", role, p.cluster.Account)
	case name == "default":
		h.Why = "as service account default runs whatever names none, and would get the role too: give what needs it a service account of its own"
	default:
		if h.Why = p.readRole(&h); h.Why == "" {
			h.Why = p.unfit(sa)
		}
	}
	if h.Why != "" {
		h.Outcome = Blocked
		return h
	}
	h.Notes = append(h.Notes, "the nodes' role stays within its reach until pods cannot reach the metadata service (hop limit 1)")
	if p.NodeUse != nil {
		calls, text := p.NodeUse.beyond(instances)
		if text != "" {
			h.Notes = append(h.Notes, "its nodes' sessions, which it shares with all that runs there, called "+text)
		}
		if denied := p.denied(role, calls); len(denied) > 0 {
			h.Notes = append(h.Notes, "of that, the role does not allow "+listed(denied, 5))
		}
	}
	return h
}

// denied are the calls that a role surely does not allow on any resource, as far as they are named in policies as in logs.
func (p *planner) denied(role string, calls []nodeCall) []string {
	id, err := access.ParseIdentity(role)
	if err != nil {
		return nil
	}
	var none []string
	for _, call := range calls {
		q, notes := access.AWSQuestion{Action: call.action()}.Normal()
		if len(notes) > 0 {
			continue
		}
		if grants := p.all.CheckAWS(id, q); len(grants) > 0 && grants[0].Verdict == access.Denied {
			none = append(none, call.String())
		}
	}
	return none
}

// used says what the roles of the cluster's nodes were used for, and which service accounts can have done it: all that reach them
// from these nodes and have nothing else. Which of them did is not said.
func (p *planner) used(m *Migration, on map[string][]string) {
	byRole := map[string][]string{}
	for _, node := range p.cluster.Nodes {
		if id := node.InstanceID(); id != "" && len(p.NodeUse.calls[id]) > 0 {
			role, _ := p.cluster.NodeRole(node)
			byRole[role] = append(byRole[role], id)
		}
	}
	for _, role := range slices.Sorted(maps.Keys(byRole)) {
		_, text := p.NodeUse.beyond(byRole[role])
		if text == "" {
			continue
		}
		var who []string
		for _, sa := range slices.Sorted(maps.Keys(on)) {
			if slices.ContainsFunc(on[sa], func(i string) bool { return slices.Contains(byRole[role], i) }) {
				who = append(who, sa)
			}
		}
		name := "the nodes' role, which was not read,"
		if arn, err := iam.ParseARN(role); err == nil {
			name = "role " + arn.RoleName() + " of the nodes"
		}
		said := fmt.Sprintf("%s was used for what AWS's policies for nodes do not allow: %s (%s)", name, text, p.NodeUse.span())
		switch len(who) {
		case 0:
			m.Warnings = append(m.Warnings, said+"; of the service accounts that run there now, none that stays has to rely on it")
		case 1:
			m.Blockers = append(m.Blockers, said+"; of the service accounts that run there now, only "+who[0]+" reaches it and has nothing else, but the nodes' own software does too: if it was the service account, name a role with --role "+who[0]+"=ARN")
		default:
			m.Blockers = append(m.Blockers, fmt.Sprintf("%s; %d service accounts that run there now reach it and have nothing else, and no log tells which of them it was: %s. Name a role with --role for those that need one", said, len(who), listed(who, 10)))
		}
	}
}
