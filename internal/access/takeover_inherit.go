package access

import (
	"fmt"

	"drawbridge/internal/iam"
)

// inherit: become a principal that the cluster lets in with strong powers, by changing who may take the role, or by making
// credentials of the user.
func (t *Takeovers) inherit(p *IAMPrincipal) Takeover {
	w := Takeover{ID: "inherit", Permit: Permit{Answer: No}}
	seen := map[*MappedAdmin]bool{}
	try := func(list byARN[*MappedAdmin], action, how string) {
		for _, m := range within(p, action, list) {
			if m.ARN == p.ARN {
				continue
			}
			permit := p.can(ask{action: action, resource: m.ARN})
			if permit.Answer != No {
				seen[m] = true
			}
			if better(permit, w.Permit) {
				permit.Why = append(permit.Why, m.Why...)
				w.Title, w.Permit = how+m.ARN+", which the cluster lets in with strong powers", permit
			}
		}
	}
	try(t.roles, "iam:UpdateAssumeRolePolicy", "change who may take role ")
	try(t.users, "iam:CreateAccessKey", "make access keys of user ")
	try(t.users, "iam:CreateLoginProfile", "give a console password to user ")
	try(t.users, "iam:UpdateLoginProfile", "change the console password of user ")
	if n := len(seen); n > 1 {
		w.Title += fmt.Sprintf(" (and %d more such principals)", n-1)
	}
	return w
}

// inheritByName: take the name of a principal that a row of aws-auth lets in with strong powers, for rows ask for the name
// only: an access entry is bound to the principal's unique id, a row is not.
func (t *Takeovers) inheritByName(p *IAMPrincipal) Takeover {
	w := Takeover{ID: "inherit-name", Permit: Permit{Answer: No}}
	if !p.may.has("iam:CreateRole") && !p.may.has("iam:CreateUser") {
		return w
	}
	for _, m := range t.names.all {
		if m.ARN == p.ARN {
			continue
		}
		kind, asks := "user", []ask{{action: "iam:CreateUser", resource: m.ARN}, {action: "iam:CreateAccessKey", resource: m.ARN}}
		remove := "iam:DeleteUser"
		if m.IsRole {
			kind, asks, remove = "role", []ask{{action: "iam:CreateRole", resource: m.ARN}}, "iam:DeleteRole"
		}
		title := fmt.Sprintf("create %s %s, which does not exist and which aws-auth lets in with strong powers", kind, m.ARN)
		if m.Presence == Present {
			asks = append(asks, ask{action: remove, resource: m.ARN})
			title = fmt.Sprintf("delete %s %s and create it again for itself: aws-auth lets in whoever bears the name", kind, m.ARN)
		}
		if permit := p.can(asks...); better(permit, w.Permit) {
			permit.Why = append(permit.Why, m.Why...)
			w.Title, w.Permit = title, permit
		}
		if w.Answer == Yes {
			break
		}
	}
	return w
}

// passedAdmin is a role that the cluster lets in with strong powers, and a way to run code with it.
type passedAdmin struct {
	admin   *MappedAdmin
	way     []need
	service string
}

// passable finds the services that the roles trust and that run code.
func (t *Takeovers) passable() []passedAdmin {
	var all []passedAdmin
	for _, m := range t.roles.all {
		role, presence := t.cluster.all.Role(m.ARN)
		trust := t.cluster.all.Trust(role)
		if presence != Present || trust == nil {
			continue
		}
		for i := range privileges {
			for _, way := range privileges[i].ways {
				if service := passesTo(way); service != "" && namesService(trust.policy, service) && trust.names(service) {
					all = append(all, passedAdmin{m, way, service})
				}
			}
		}
	}
	return all
}

// passMapped: run code with a role that the cluster lets in with strong powers, where the role trusts the service that runs it.
func (t *Takeovers) passMapped(p *IAMPrincipal) Takeover {
	w := Takeover{ID: "inherit-pass", Permit: Permit{Answer: No}}
	if !p.may.has("iam:PassRole") {
		return w
	}
	for _, x := range t.passing {
		if x.admin.ARN == p.ARN {
			continue
		}
		if permit := p.throughRole(x.way, t.cluster.Region, x.admin.ARN); better(permit, w.Permit) {
			permit.Why = append(permit.Why, x.admin.Why...)
			w.Title, w.Permit = fmt.Sprintf("pass role %s, which the cluster lets in with strong powers, to %s and run code as it", x.admin.ARN, x.service), permit
		}
		if w.Answer == Yes {
			break
		}
	}
	return w
}

// passesTo is the service to which a way passes a role, or "".
func passesTo(way []need) string {
	for _, n := range way {
		if n.passedTo != "" && n.resource == anyRole {
			return n.passedTo
		}
	}
	return ""
}

// names says whether the trust policy may let a service take the role, whatever its conditions.
func (t *Trust) names(service string) bool {
	return !t.ask(iam.ServicePrincipal(service), new(iam.Context), none, "sts:AssumeRole").Not()
}
