package access

import (
	"strings"

	"drawbridge/internal/model"
)

// attachActions give a service account of the cluster a role.
var attachActions = []string{"eks:CreatePodIdentityAssociation", "eks:UpdatePodIdentityAssociation"}

// Attachment is what an IAM principal can do with Pod Identity associations of a cluster.
type Attachment struct {
	// Creates and Updates say whether it makes associations for any service account, and changes the role of some that exist.
	Creates, Updates Permit
	// Updated is an association that it can change, where it cannot make any.
	Updated *model.PodIdentityAssociation
	// Roles are those that it can pass to Pod Identity and that trust it for this cluster.
	Roles []PassableRole
	// AnyRole says that it can pass every role, also those to come.
	AnyRole Permit
}

// PassableRole is a role that a principal can hand to pods.
type PassableRole struct {
	Role *model.IAMRole
	// Privileges are what makes the role privileged: see IAMPrincipal.Privileges.
	Privileges []Privilege
	Permit
}

// Answer says whether the principal can hand over a role at all, or could one that trusts Pod Identity.
func (a *Attachment) Answer() Answer {
	act := a.Creates
	if better(a.Updates, act) {
		act = a.Updates
	}
	pass := a.AnyRole
	for _, r := range a.Roles {
		if better(r.Permit, pass) {
			pass = r.Permit
		}
	}
	switch {
	case act.Answer == No || pass.Answer == No:
		return No
	case act.Answer == Yes && pass.Answer == Yes:
		return Yes
	}
	return Maybe
}

// Attachers knows about one cluster what decides who can attach roles to its service accounts. It is for one goroutine.
type Attachers struct {
	takeovers  Takeovers // for the keys of requests
	roles      byARN[*model.IAMRole]
	privileges map[*model.IAMRole][]Privilege // worked out when asked for
}

// Attachers prepares to ask principals of the cluster's account. A role can be attached if it is of that account and trusts
// Pod Identity for the cluster, whatever the namespace and service account.
func (c *Cluster) Attachers() *Attachers {
	t := &Attachers{takeovers: Takeovers{cluster: c}, privileges: map[*model.IAMRole][]Privilege{}}
	for _, r := range c.all.trusting(c.Account, PodIdentityService).all {
		trust := c.all.Trust(r)
		if trust.PodIdentity(PodSession{ClusterARN: c.ARN}).Not() && trust.PodIdentity(PodSession{Untagged: true}).Not() {
			continue
		}
		t.roles.add(r.ARN, r)
	}
	return t
}

// Of says what a principal can attach. Its answer No means nothing.
func (t *Attachers) Of(p *IAMPrincipal) *Attachment {
	nothing := Permit{Answer: No}
	a := &Attachment{Creates: nothing, Updates: nothing, AnyRole: nothing}
	c := t.takeovers.cluster
	if c.ARN == "" || !p.may.has("iam:PassRole") || !p.may.hasAny(attachActions) {
		return a
	}
	a.Creates = p.can(ask{"eks:CreatePodIdentityAssociation", c.ARN, t.takeovers.about(p)})
	if a.Creates.Answer != Yes {
		t.updates(p, a)
	}
	if a.Creates.Answer == No && a.Updates.Answer == No {
		return a
	}
	pass := t.takeovers.pass(p, PodIdentityService)
	a.AnyRole = p.can(pass)
	for _, r := range within(p, "iam:PassRole", t.roles) {
		permit := a.AnyRole
		if permit.Answer != Yes {
			pass.resource = r.ARN
			permit = p.can(pass)
		}
		if permit.Answer != No {
			held, known := t.privileges[r]
			if !known {
				held = c.all.IAMRole(r).Privileges(c.Region)
				t.privileges[r] = held
			}
			a.Roles = append(a.Roles, PassableRole{r, held, permit})
		}
	}
	return a
}

// updates finds an association that the principal can change.
func (t *Attachers) updates(p *IAMPrincipal, a *Attachment) {
	if !p.may.has("eks:UpdatePodIdentityAssociation") {
		return
	}
	for _, one := range t.takeovers.cluster.PodIdentityAssociations {
		arn := one.ARN
		if arn == "" {
			c := t.takeovers.cluster
			id := one.ID
			if id == "" {
				id = "a-" + anyName
			}
			arn = strings.Join([]string{"arn", c.Partition, "eks", c.Region, c.Account, "podidentityassociation/" + c.Name + "/" + id}, ":")
		}
		keys := withTags(p.context.Clone().Set("eks:clusterName", t.takeovers.cluster.Name), resourceTag, one.Tags)
		if permit := p.can(ask{"eks:UpdatePodIdentityAssociation", arn, keys}); better(permit, a.Updates) {
			a.Updates, a.Updated = permit, one
		}
		if a.Updates.Answer == Yes {
			return
		}
	}
}
