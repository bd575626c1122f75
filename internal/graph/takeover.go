package graph

import (
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/authenticator"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// The steps of this file lead from IAM principals into clusters by changing what EKS and IAM hold about them.

// takeover is what one principal can do to a cluster.
type takeover struct {
	who  actor
	ways []access.Takeover
}

// takeovers asks every principal of the cluster's account once, but for administrators: what those can do is told of them
// all.
func (c *cluster) takeovers() []takeover {
	if !c.asked {
		c.asked = true
		all := c.Takeovers()
		for _, p := range c.account.actors {
			if p.administers() {
				continue
			}
			if ways := all.Of(p.IAMPrincipal); len(ways) > 0 {
				c.taken = append(c.taken, takeover{p, ways})
			}
		}
	}
	return c.taken
}

// takeOver draws the ways by which principals give themselves a cluster that already takes access entries.
func takeOver(ids ...string) func(*builder) {
	return func(b *builder) {
		b.takeOver(func(c *cluster, id string) bool {
			return slices.Contains(ids, id) && (c.AuthenticationMode() != model.ModeConfigMap || !slices.Contains(afterMode, id))
		})
	}
}

// afterMode are the ways that need access entries, and in mode CONFIG_MAP another mode first.
var afterMode = []string{"access-entry", "access-entry-group", "capability", "node-entry"}

// changeMode draws those that change the authentication mode before.
func changeMode(b *builder) {
	b.takeOver(func(c *cluster, id string) bool {
		return c.AuthenticationMode() == model.ModeConfigMap && slices.Contains(afterMode, id)
	})
}

func (b *builder) takeOver(of func(c *cluster, id string) bool) {
	for _, c := range b.clusters {
		for _, t := range c.takeovers() {
			for _, w := range t.ways {
				if of(c, w.ID) {
					b.takesOver(c, t.who, w)
				}
			}
		}
	}
}

func (b *builder) takesOver(c *cluster, p actor, w access.Takeover) {
	to, permit := b.admin(c, ""), w.Permit
	switch {
	case w.ID == "nodegroup" || w.ID == "node-entry":
		to, permit = b.ownNode(c), doubted(permit, "as far as pods are placed on the node that it adds")
	case strings.HasSuffix(w.ID, "-group") || w.ID == "identity-provider":
		s := c.OpenSubject()
		switch {
		case s == nil:
			permit = doubted(permit, "if RBAC binds a group or user that it may claim")
		case s.Kind == "Group":
			to = b.group(c, s.Name)
		default:
			to = b.user(c, s.Name)
		}
	case w.Short != "":
		permit = doubted(permit, w.Short)
	}
	b.permitted(p, permit, to, w.Title)
}

// attachRole: an association gives a role to a service account.
func attachRole(b *builder) {
	for _, c := range b.clusters {
		attachers := c.Attachers()
		for _, p := range c.account.actors {
			a := attachers.Of(p.IAMPrincipal)
			if a.Answer() == access.No || p.administers() {
				continue
			}
			act := a.Creates
			if act.Answer == access.No {
				act = a.Updates
			}
			for _, r := range a.Roles {
				b.attaches(c, p, both(act, r.Permit), r.Role.ARN)
			}
		}
	}
}

// attaches draws the step as one that is possible, as long as it is not known whether the principal can run a pod as well.
func (b *builder) attaches(c *cluster, p actor, permit access.Permit, role string) {
	if permit.Answer == access.No {
		return
	}
	one := &attached{cluster: c, from: p.at}
	fact := b.with(func() Fact {
		f := Fact{Text: "make a Pod Identity association of cluster " + c.label + " with role " + role, Evidence: permit.Why, If: permit.If}
		if !one.runs {
			f.If = append(f.If[:len(f.If):len(f.If)], "if it can also run a pod in the cluster")
		}
		return f
	})
	from := b.byPolicies(p, permit.Policies)
	one.edge = len(b.edges)
	b.step(from, b.principal(role), access.Maybe, fact, 0)
	if permit.Answer == access.Yes {
		b.attached = append(b.attached, one)
	}
}

// attached is a step that is certain for whoever can run a pod in the cluster.
type attached struct {
	cluster *cluster
	from    int32
	edge    int
	runs    bool
}

// settle makes steps certain whose condition all the other steps fulfil for certain.
func (b *builder) settle() {
	away := map[*cluster][]int32{} // how far each vertex is from running a pod
	for _, one := range b.attached {
		d, known := away[one.cluster]
		if !known {
			d = b.distances(b.anywhere(one.cluster), nil)
			away[one.cluster] = d
		}
		if one.runs = d[one.from] < doubt; one.runs {
			b.edges[one.edge].possible = false
		}
	}
}

// both is the permit of two things that are needed together.
func both(x, y access.Permit) access.Permit {
	p := access.Permit{Answer: access.Yes, If: slices.Concat(x.If, y.If), Why: slices.Concat(x.Why, y.Why), Policies: slices.Concat(x.Policies, y.Policies)}
	slices.Sort(p.Policies)
	p.Policies = slices.Compact(p.Policies)
	switch {
	case x.Answer == access.No || y.Answer == access.No:
		p.Answer = access.No
	case x.Answer == access.Maybe || y.Answer == access.Maybe:
		p.Answer = access.Maybe
	}
	return p
}

// recreate: rows of aws-auth ask for a name only, so that whoever makes a principal of that name is let in. An access entry
// is bound to the principal's unique id and is not.
func recreate(b *builder) {
	for _, c := range b.clusters {
		for _, m := range c.Mappings() {
			arn, err := iam.ParseARN(m.Read.ARN)
			if err != nil || arn.Account != c.Account || !c.counts(m) {
				continue
			}
			session := b.rowComer(c, m)
			for _, p := range c.account.actors {
				b.recreates(p, m, session)
			}
		}
	}
}

func (b *builder) recreates(p actor, m *access.Mapping, session int32) {
	arn := m.Read.ARN
	var presence access.Presence
	parsed, _ := iam.ParseARN(arn)
	kind, asks, remove := "user", []access.Ask{{Action: "iam:CreateUser"}, {Action: "iam:CreateAccessKey"}}, "iam:DeleteUser"
	if m.Kind == authenticator.KindRole {
		kind, asks, remove = "role", []access.Ask{{Action: "iam:CreateRole"}}, "iam:DeleteRole"
		var role *model.IAMRole
		if role, presence = b.all.RoleByName(parsed.Account, parsed.RoleName()); role != nil {
			arn = role.ARN
		}
	} else {
		_, presence = b.all.User(arn)
	}
	if arn == p.ARN || protected(arn) || len(p.Targets(asks[0].Action)) == 0 || p.administers() {
		return
	}
	text := "create " + kind + " " + arn + ", which does not exist and which aws-auth lets in"
	if presence != access.Absent {
		asks = append(asks, access.Ask{Action: remove})
		text = "delete " + kind + " " + arn + " and create it again for itself: aws-auth lets in whoever bears the name"
	}
	for i := range asks {
		asks[i].Resource = arn
	}
	b.permitted(p, p.May(asks...), session, text)
}
