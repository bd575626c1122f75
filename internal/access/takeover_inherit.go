package access

import (
	"fmt"

	"drawbridge/internal/iam"
)

// inherit: become a principal that the cluster lets in with strong powers, by changing who may take the role, or by making
// credentials of the user.
func (t *Takeovers) inherit(p *IAMPrincipal) Takeover {
	w := Takeover{ID: "inherit", Permit: Permit{Answer: No}}
	n := 0
	for _, m := range t.admins {
		if m.ARN == p.ARN || m.Presence == Absent || m.protected() {
			continue
		}
		var permit Permit
		var how string
		if m.IsRole() {
			permit, how = p.can(ask{action: "iam:UpdateAssumeRolePolicy", resource: m.ARN}), "change who may take role "
		} else {
			permit, how = Permit{Answer: No}, "make credentials of user "
			for _, action := range []string{"iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile"} {
				if one := p.can(ask{action: action, resource: m.ARN}); better(one, permit) {
					permit = one
				}
			}
		}
		if permit.Answer == No {
			continue
		}
		if n++; better(permit, w.Permit) {
			permit.Why = append(permit.Why, m.Why...)
			w.Title, w.Permit = how+m.ARN+", which the cluster lets in with strong powers", permit
		}
	}
	if n > 1 {
		w.Title += fmt.Sprintf(" (and %d more such principals)", n-1)
	}
	return w
}

// inheritByName: take the name of a principal that a row of aws-auth lets in with strong powers, for rows ask for the name
// only: an access entry is bound to the principal's unique id, a row is not.
func (t *Takeovers) inheritByName(p *IAMPrincipal) Takeover {
	w := Takeover{ID: "inherit-name", Permit: Permit{Answer: No}}
	for _, m := range t.admins {
		if !m.ByName || m.ARN == p.ARN || m.Presence == Unread || m.protected() {
			continue
		}
		kind, asks := "user", []ask{{action: "iam:CreateUser", resource: m.ARN}, {action: "iam:CreateAccessKey", resource: m.ARN}}
		remove := "iam:DeleteUser"
		if m.IsRole() {
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
	}
	return w
}

// passMapped: run code with a role that the cluster lets in with strong powers, where the role trusts the service that runs it.
func (t *Takeovers) passMapped(p *IAMPrincipal) Takeover {
	w := Takeover{ID: "inherit-pass", Permit: Permit{Answer: No}}
	if !p.may.has("iam:PassRole") {
		return w
	}
	for _, m := range t.admins {
		if !m.IsRole() || m.Presence != Present || m.ARN == p.ARN {
			continue
		}
		role, _ := t.cluster.all.Role(m.ARN)
		trust := t.cluster.all.Trust(role)
		if trust == nil {
			continue
		}
		for i := range privileges {
			for _, way := range privileges[i].ways {
				service := passesTo(way)
				if service == "" || !trust.names(service) {
					continue
				}
				if permit := p.throughRole(way, t.cluster.Region, m.ARN); better(permit, w.Permit) {
					permit.Why = append(permit.Why, m.Why...)
					w.Title, w.Permit = fmt.Sprintf("pass role %s, which the cluster lets in with strong powers, to %s and run code as it", m.ARN, service), permit
				}
			}
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
