package access

import (
	"strings"

	"drawbridge/internal/iam"
)

// PrivilegeKind says in which way an IAM principal is privileged.
type PrivilegeKind string

// The kinds of privileges, most serious first.
const (
	Administers PrivilegeKind = "administrator" // everything in the account
	WritesIAM   PrivilegeKind = "IAM write"     // changes what principals may do, itself among them
	Escalates   PrivilegeKind = "escalation"    // takes the permissions of other roles
	HasService  PrivilegeKind = "whole service" // every action on every resource of a service that matters
	ReadsAll    PrivilegeKind = "reads secrets" // reads every credential that is kept in a place
)

// Privilege is one thing that makes an IAM principal privileged.
type Privilege struct {
	// ID is stable: an action ("iam:AttachRolePolicy"), a service ("s3:*"), or a name of ours ("pass-role-lambda").
	ID   string
	Kind PrivilegeKind
	// Title completes "can …".
	Title string
	Permit
}

// Privileges returns what makes a principal privileged, by its own policies and within its boundary, as far as the snapshot
// tells; region is where it is asked for resources that have one. Grants that are limited to some resources are none: what
// they reach has to be looked at one by one. An administrator's other privileges are left out, as are those that another
// one includes.
func (p *IAMPrincipal) Privileges(region string) []Privilege {
	var held []Privilege
	if p.may.empty() {
		return nil
	}
	answers := map[string]Answer{}
	for i := range privileges {
		t := &privileges[i]
		permit := Permit{Answer: No}
		covers, asked := answers[t.unless]
		if !asked || covers != Yes {
			permit = p.best(t, region)
		}
		if asked && (covers == Yes || covers == Maybe && permit.Answer == Maybe) {
			answers[t.id] = covers // for those that this one includes in turn
			continue
		}
		if permit.Answer == No {
			continue
		}
		answers[t.id] = permit.Answer
		if all, asked := answers[administrator]; asked && all == permit.Answer && t.id != administrator {
			continue // under the same conditions everything
		}
		held = append(held, Privilege{t.id, t.kind, t.title, permit})
		if t.id == administrator && permit.Answer == Yes {
			break
		}
	}
	return held
}

// Administrator says whether a principal may do everything in its account, in the region of its first cluster.
func (p *IAMPrincipal) Administrator() Permit { return p.best(&privileges[0], p.home) }

// best answers a privilege by the way that says most.
func (p *IAMPrincipal) best(t *privilege, region string) Permit {
	best := Permit{Answer: No}
	for _, way := range t.ways {
		permit := p.through(way, region)
		if permit.Answer == Yes {
			return permit
		}
		if permit.Answer == Maybe && best.Answer == No {
			best = permit
		}
	}
	return best
}

// through asks for everything that a way needs. A need that several of the principal's own policies could serve takes the
// first that does.
func (p *IAMPrincipal) through(way []need, region string) Permit {
	return p.throughRole(way, region, "")
}

// throughRole asks for a way in which one role is passed, or any where it is "".
func (p *IAMPrincipal) throughRole(way []need, region, role string) Permit {
	for i := range way {
		if !p.may.has(way[i].action) {
			return Permit{Answer: No}
		}
	}
	asks := make([]ask, len(way))
	for i, n := range way {
		asks[i] = ask{action: n.action, resource: p.fill(n.resource, region)}
		if p.placed {
			asks[i].context = p.context.Clone().Set("aws:RequestedRegion", region)
		}
		if n.passedTo != "" {
			asks[i].context = p.passing(n.passedTo)
			if role != "" {
				asks[i].resource = role
			}
		}
		switch n.resource {
		case ownPolicy:
			for _, arn := range p.customerManaged {
				asks[i].resource = arn
				if p.can(asks[i]).Answer != No {
					break
				}
			}
		case ownRole, ownUser:
			if (n.resource == ownRole) != p.arn.IsRole() {
				return Permit{Answer: No}
			}
		}
		if asks[i].resource == "" {
			return Permit{Answer: No}
		}
	}
	return p.can(asks...)
}

// passing is the context of handing a role to a service.
func (p *IAMPrincipal) passing(service string) *iam.Context {
	return p.context.Clone().Set("iam:PassedToService", service)
}

// fill turns the resource of a need into an ARN of the principal's account.
func (p *IAMPrincipal) fill(resource, region string) string {
	switch resource {
	case ownRole, ownUser:
		return p.ARN
	case ownPolicy:
		return ""
	}
	if !strings.Contains(resource, "$") {
		return resource
	}
	return strings.NewReplacer("$p", p.arn.Partition, "$a", p.arn.Account, "$r", region).Replace(resource)
}

// privilege is one row of the catalogue.
type privilege struct {
	id    string
	kind  PrivilegeKind
	title string
	// unless is the id of an earlier one that includes this one.
	unless string
	// ways: one is enough, and needs all of its needs.
	ways [][]need
}

// need is an action on a resource, for which $p, $a and $r stand for partition, account and region.
type need struct {
	action, resource string
	passedTo         string // of iam:PassRole, the service that gets the role
}

// Resources of needs that are the principal itself.
const (
	ownRole   = "own role"
	ownUser   = "own user"
	ownPolicy = "own policy"
)
