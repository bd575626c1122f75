package checktest

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// held lists what identities hold in a snapshot.
func held(s *model.Snapshot) map[string]bool {
	all := map[string]bool{}
	facts := access.New(s)
	for _, c := range facts.Clusters() {
		has := func(who string, powers []access.HeldPower) {
			for _, h := range powers {
				for _, name := range slices.Concat(h.Names, []string{"any"})[:max(len(h.Names), 1)] {
					all[fmt.Sprintf("%s: %s can %s %s: %s", c.Name, who, h.Power.Title, h.Where(), name)] = true
				}
			}
		}
		for _, arn := range principals(s, c) {
			r := c.Mapper().Resolve(arn, "")
			if r.Username == "" && len(r.Groups) == 0 {
				continue
			}
			powers, _ := c.PowersOf(rbac.Holder{User: r.Username, Groups: r.Groups})
			has(arn, powers)
			for _, a := range c.PolicyAssociationsOf(arn) {
				powers, known := c.PowersOfAssociation(a)
				has(arn, powers)
				if !known {
					all[fmt.Sprintf("%s: %s has %s on %s", c.Name, arn, a.PolicyARN, a.Scope)] = true
				}
			}
		}
		for _, b := range c.Bindings() {
			powers, _ := c.BindingPowers(b)
			for _, who := range b.Subjects {
				has(access.SubjectText(who), powers)
			}
		}
		accounts(s, facts, c, all)
	}
	return all
}

// accounts lists the roles that the service accounts of a cluster can take.
func accounts(s *model.Snapshot, facts *access.Access, c *access.Cluster, all map[string]bool) {
	for _, sa := range c.AWSServiceAccounts() {
		role, via := c.HoldsAWSRole(sa.Namespace, sa.Name)
		r, _ := facts.Role(role)
		trust := facts.Trust(r)
		in := access.Entry{Verdict: iam.Undecided}
		switch {
		case trust != nil && via == access.ViaIRSA:
			in = trust.WebIdentity(access.WebToken{Issuer: c.Issuer(), Subject: access.Subject(sa.Namespace, sa.Name)})
		case trust != nil && c.Association(sa.Namespace, sa.Name) != nil:
			in = trust.PodIdentity(c.Session(c.Association(sa.Namespace, sa.Name)))
		}
		if !in.Not() {
			all[fmt.Sprintf("%s: %s/%s takes %s through %s", c.Name, sa.Namespace, sa.Name, role, via)] = true
		}
	}
	for _, acct := range s.Accounts {
		for _, role := range acct.Roles {
			if trust := facts.Trust(role); trust != nil {
				for _, o := range trust.Openings(c.Issuer()) {
					all[fmt.Sprintf("%s lets in %s", role.ARN, o.Pattern)] = true
				}
				if trust.PodIdentityReach(c.Region).Anybody != access.No {
					all[role.ARN+" is open to Pod Identity"] = true
				}
			}
		}
	}
}

// principals are the IAM principals of whom a cluster or its account knows.
func principals(s *model.Snapshot, c *access.Cluster) []string {
	var arns []string
	for _, e := range c.AccessEntries {
		arns = append(arns, e.PrincipalARN)
	}
	for _, m := range c.Mappings() {
		if strings.HasPrefix(m.Read.ARN, "arn:") {
			arns = append(arns, m.Read.ARN)
		}
	}
	for _, a := range s.Accounts {
		for _, r := range a.Roles {
			arns = append(arns, r.ARN)
		}
		for _, u := range a.Users {
			arns = append(arns, u.ARN)
		}
	}
	return arns
}
