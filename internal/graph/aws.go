package graph

import (
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// The steps of this file lead from IAM principals to others.

// actor is an IAM principal, or a session of it that a session policy limits, with the vertex that its permissions count at.
type actor struct {
	*access.IAMPrincipal
	at   int32
	user bool
	// limited is the association whose session policy limits the session, or nil.
	limited *model.PodIdentityAssociation
	memo    *memo
}

// memo is what several kinds of steps ask of a principal.
type memo struct {
	privileges    map[string][]access.Privilege // by region
	administrator *access.Permit
}

func newMemo() *memo { return &memo{privileges: map[string][]access.Privilege{}} }

func (p actor) privileges(region string) []access.Privilege {
	held, known := p.memo.privileges[region]
	if !known {
		held = p.Privileges(region)
		p.memo.privileges[region] = held
	}
	return held
}

func (p actor) administrator() access.Permit {
	if p.memo.administrator == nil {
		permit := p.Administrator()
		p.memo.administrator = &permit
	}
	return *p.memo.administrator
}

// administers says whether a principal certainly may do everything in its account: what it can do besides is told of
// administrators.
func (p actor) administers() bool { return p.administrator().Answer == access.Yes }

// administer: an administrator of an account is at the target.
func administer(b *builder) {
	for _, acct := range b.accounts {
		for _, p := range acct.actors {
			b.permitted(p, p.administrator(), b.accountAdmin(acct.id), "do everything in account "+acct.id)
		}
	}
}

// permitted draws a step that a principal's own policies allow. The policies are what can be taken away.
func (b *builder) permitted(p actor, permit access.Permit, to int32, text string) {
	if permit.Answer == access.No {
		return
	}
	fact := b.with(func() Fact { return Fact{Text: text, Evidence: permit.Why, If: permit.If} })
	b.step(b.byPolicies(p, permit.Policies), to, permit.Answer, fact, 0)
}

// byPolicies is where a principal stands as long as it has some policies.
func (b *builder) byPolicies(p actor, policies []string) int32 {
	k := key{aPolicy, 0, b.nameOf(p.at), strings.Join(policies, " ")}
	if v, made := b.keys[k]; made {
		return v
	}
	v := b.vertex(k, access.Identity{}, false)
	b.link(p.at, v, 0, b.grant(costStatement*max(1, len(policies)), func() Removal { return narrow(p, policies) }))
	return v
}

// doubted is a permit with a condition more.
func doubted(p access.Permit, condition string) access.Permit {
	p.If = append(p.If[:len(p.If):len(p.If)], condition)
	p.Answer = access.Maybe
	return p
}

// writeIAM: whoever changes what principals may do becomes an administrator. What is done to one principal alone is told by
// the kinds that follow.
func writeIAM(b *builder) {
	for _, acct := range b.accounts {
		for _, p := range acct.actors {
			for _, held := range p.privileges(acct.region) {
				if held.Kind == access.WritesIAM {
					b.writes(acct, p, held)
				}
			}
		}
	}
}

// writes draws what one privilege over IAM gives: some are as good as everything for a role, some for a user, and some for
// whoever is also somebody else.
func (b *builder) writes(acct *account, p actor, held access.Privilege) {
	permit := held.Permit
	switch held.ID {
	case "iam:UpdateAssumeRolePolicy", "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile":
		return // see updateTrust and makeCredentials
	case "iam:*", "own-inline-policy", "own-attached-policy", "own-managed-policy":
	case "iam:AttachRolePolicy", "iam:PutRolePolicy":
		if p.user {
			permit = doubted(permit, "if it can take some role of the account")
		}
	case "iam:AttachUserPolicy", "iam:PutUserPolicy":
		if !p.user {
			permit = doubted(permit, "if it can act as some user of the account")
		}
	default:
		permit = doubted(permit, "if the group, policy or provider that it changes is that of somebody it can act as")
	}
	b.permitted(p, permit, b.accountAdmin(acct.id), held.Title)
}

// updateTrust: who writes a role's trust policy takes the role.
func updateTrust(b *builder) {
	b.onPrincipals("iam:UpdateAssumeRolePolicy", anyRole, "change who may take role ")
}

// makeCredentials: who makes credentials of a user is the user.
func makeCredentials(b *builder) {
	b.onPrincipals("iam:CreateAccessKey", anyIAMUser, "make access keys of user ")
	b.onPrincipals("iam:CreateLoginProfile", anyIAMUser, "give a console password to user ")
	b.onPrincipals("iam:UpdateLoginProfile", anyIAMUser, "change the console password of user ")
}

// onPrincipals draws steps to the roles or users that an action can be done to: any, or those that policies name.
func (b *builder) onPrincipals(action string, w what, text string) {
	for _, acct := range b.accounts {
		all, kind := acct.roles, "role "
		if w == anyIAMUser {
			all, kind = acct.users, "user "
		}
		for _, p := range acct.actors {
			if p.administers() {
				continue // does that as what it is
			}
			permit := access.Permit{Answer: access.No}
			for _, held := range p.privileges(acct.region) {
				if held.ID == action {
					permit = held.Permit
				}
			}
			if permit.Answer != access.No {
				b.permitted(p, permit, b.anyOf(w, acct.id), strings.TrimSuffix(text, kind)+"any "+kind)
			}
			if permit.Answer == access.Yes {
				continue
			}
			for _, arn := range named(all, p.Targets(action)) {
				if arn != p.ARN && !protected(arn) {
					b.permitted(p, p.May(access.Ask{Action: action, Resource: arn}), b.principal(arn), text+arn)
				}
			}
		}
	}
}

// named lists those of some ARNs, which are sorted, that patterns may mean, as far as the patterns' beginnings tell. A
// pattern that begins like all of them means none by name.
func named(arns, patterns []string) []string {
	var some []string
	for _, pattern := range patterns {
		prefix := pattern
		if i := strings.IndexAny(pattern, "*?$"); i >= 0 {
			prefix = pattern[:i]
		}
		from, found := slices.BinarySearch(arns, prefix)
		if prefix == pattern {
			if found {
				some = append(some, prefix)
			}
			continue
		}
		for ; from < len(arns) && strings.HasPrefix(arns[from], prefix); from++ {
			some = append(some, arns[from])
		}
	}
	slices.Sort(some)
	return slices.Compact(some)
}

// protected says whether nobody but AWS changes a principal: those of IAM Identity Center stand under a path of their own
// (IAM Identity Center User Guide, "Referencing permission sets in resource policies", 2026-11).
func protected(arn string) bool { return strings.Contains(arn, ":role/aws-reserved/") }

// assumeRole: a role's trust policy lets in, and the principal's own policies let go. Whoever may take any role is led
// through one place for all of the account, where the trust policies that leave it to the account let in.
func assumeRole(b *builder) {
	for _, acct := range b.accounts {
		for _, p := range acct.actors {
			if p.limited == nil {
				b.assumes(acct, p)
			}
		}
		b.trusting(acct)
	}
	for _, c := range b.clusters {
		c.tag(b)
		for _, a := range c.PodIdentityAssociations {
			if from, own := c.sessions[a]; own && a.Policy != "" {
				b.sessionHops(c, a, from)
			}
		}
	}
}

func (b *builder) assumes(acct *account, p actor) {
	named := p.administers()
	b.hopping[p.ARN] = named
	for _, held := range p.privileges(acct.region) {
		if held.ID == "assume-any-role" && held.Answer == access.Yes {
			b.permitted(p, held.Permit, b.anyOf(anyTrusting, acct.id), "take any role whose trust policy leaves it to the account")
			named, b.hopping[p.ARN] = true, true
		}
	}
	from := b.principal(p.ARN)
	for _, s := range b.all.AWSSessions(b.vertices[from].id) {
		if s.Verdict == access.Denied {
			continue
		}
		further := b.all.ReadHops(s, named)
		b.hopping[p.ARN] = b.hopping[p.ARN] || len(further) > 0
		b.hops(from, further)
	}
}

// trusting links the place of those who may take any role of an account to the roles that leave it to the account.
func (b *builder) trusting(acct *account) {
	if _, made := b.keys[key{anyTrusting, 0, acct.id, ""}]; made {
		b.leaving(acct, func(role *model.IAMRole, answer access.Answer, fact, grant int32) {
			if accountOf(role.ARN) == acct.id {
				b.join(b.anyOf(anyTrusting, acct.id), b.principal(role.ARN), answer, fact, grant)
			}
		})
	}
}

// leaving finds the roles, of whatever account, that leave it to an account who takes them.
func (b *builder) leaving(acct *account, found func(role *model.IAMRole, answer access.Answer, fact, grant int32)) {
	for _, other := range b.accounts {
		for _, arn := range other.roles {
			role, _ := b.all.Role(arn)
			trust := b.all.Trust(role)
			if trust == nil || !strings.Contains(string(role.Trust), acct.id) && !strings.Contains(string(role.Trust), "*") {
				continue
			}
			answer, conditions := answerOf(trust.Account(acct.id))
			fact := b.with(func() Fact {
				return Fact{Text: "take role " + arn, If: conditions, Evidence: []finding.Evidence{{Text: "its trust policy leaves it to account " + acct.id, Source: role.Subject().String()}}}
			})
			found(role, answer, fact, b.grant(costTrust, func() Removal {
				return Removal{Object: role.Subject(), Text: "name in the trust policy of " + role.ARN + " who of account " + acct.id + " may take it"}
			}))
		}
	}
}

// hops draws where a session goes on by sts:AssumeRole.
func (b *builder) hops(from int32, hops []access.Hop) {
	for _, h := range hops {
		b.step(from, b.principal(h.Role.ARN), yesOrMaybe(h.Verdict), b.with(func() Fact {
			return Fact{Text: "take role " + h.Role.ARN + " by sts:AssumeRole", Evidence: h.Chain, If: h.Conditions}
		}), b.grant(costTrust, func() Removal {
			return Removal{Object: h.Role.Subject(), Text: "take " + b.vertices[from].id.ARN + " out of the trust policy of " + h.Role.ARN}
		}))
	}
}

func yesOrMaybe(v access.Verdict) access.Answer {
	if v == access.Allowed {
		return access.Yes
	}
	return access.Maybe
}

// passRole: a service runs code with a role that is passed to it.
func passRole(b *builder) {
	passes := access.Passes()
	for _, acct := range b.accounts {
		trusting := map[string][]string{}
		for _, p := range acct.actors {
			patterns := p.Targets("iam:PassRole")
			if len(patterns) == 0 || p.administers() {
				continue
			}
			for _, x := range passes {
				permit := p.CanPass(x, acct.region, "")
				if permit.Answer != access.No {
					b.permitted(p, permit, b.passed(acct, x.Service), x.Title)
				}
				if permit.Answer == access.Yes {
					continue
				}
				roles, known := trusting[x.Service]
				if !known {
					roles = slices.Sorted(slices.Values(b.all.TrustingService(acct.id, x.Service)))
					trusting[x.Service] = roles
				}
				for _, arn := range named(roles, patterns) {
					b.permitted(p, p.CanPass(x, acct.region, arn), b.principal(arn), strings.Replace(x.Title, "any role that", "role "+arn+", which", 1))
				}
			}
		}
		b.passedRoles(acct)
	}
}

// passed is any role that a service may take.
func (b *builder) passed(acct *account, service string) int32 {
	if !slices.Contains(acct.services, service) {
		acct.services = append(acct.services, service)
	}
	return b.vertex(key{anyPassed, 0, acct.id, service}, access.Identity{Kind: KindAny, Name: "any role that " + service + " may take"}, true)
}

func (b *builder) passedRoles(acct *account) {
	for ; acct.linked < len(acct.services); acct.linked++ {
		service := acct.services[acct.linked]
		for _, arn := range b.all.TrustingService(acct.id, service) {
			role, _ := b.all.Role(arn)
			answer, conditions := answerOf(b.all.Trust(role).Service(service))
			fact := b.with(func() Fact {
				return Fact{If: conditions, Evidence: []finding.Evidence{{Text: "its trust policy lets " + service + " in", Source: role.Subject().String()}}}
			})
			b.join(b.passed(acct, service), b.principal(arn), answer, fact, 0)
		}
	}
}

// computes are the privileges over what already runs with some role of a service.
var computes = map[string]string{
	"lambda:UpdateFunctionCode": "lambda.amazonaws.com", "ssm:SendCommand": "ec2.amazonaws.com", "ssm:StartSession": "ec2.amazonaws.com",
	"ec2:ModifyInstanceAttribute": "ec2.amazonaws.com", "ecs:ExecuteCommand": "ecs-tasks.amazonaws.com", "codebuild:StartBuild": "codebuild.amazonaws.com",
	"cloudformation:UpdateStack": "cloudformation.amazonaws.com", "sagemaker:CreatePresignedNotebookInstanceUrl": "sagemaker.amazonaws.com",
	"glue:UpdateDevEndpoint": "glue.amazonaws.com",
}

// runAsRole: who runs code where a role is held acts as the role.
func runAsRole(b *builder) {
	for _, acct := range b.accounts {
		for _, p := range acct.actors {
			for _, held := range p.privileges(acct.region) {
				if service := computes[held.ID]; service != "" {
					b.permitted(p, doubted(held.Permit, "if something runs with such a role: snapshots hold instances of clusters only"), b.passed(acct, service), held.Title)
				}
			}
		}
		b.passedRoles(acct)
	}
}

// runOnNode: a shell on an instance of a cluster is the node.
func runOnNode(b *builder) {
	for _, c := range b.clusters {
		var arns []string
		nodes := map[string]string{}
		for _, n := range c.Nodes {
			if id := n.InstanceID(); id != "" {
				arn := "arn:" + c.Partition + ":ec2:" + c.Region + ":" + c.Account + ":instance/" + id
				arns, nodes[arn] = append(arns, arn), n.Name
			}
		}
		slices.Sort(arns)
		for _, p := range c.account.actors {
			b.shells(c, p, arns, nodes)
		}
	}
}

func (b *builder) shells(c *cluster, p actor, arns []string, nodes map[string]string) {
	var patterns []string
	for _, action := range []string{"ssm:StartSession", "ssm:SendCommand", "ec2:ModifyInstanceAttribute"} {
		patterns = append(patterns, p.Targets(action)...)
	}
	if len(patterns) == 0 || p.administers() {
		return
	}
	any := access.No
	for _, held := range p.privileges(c.Region) {
		if computes[held.ID] == "ec2.amazonaws.com" {
			b.permitted(p, held.Permit, b.nodes(c), held.Title)
			if any != access.Yes {
				any = held.Answer
			}
		}
	}
	if any == access.Yes {
		return
	}
	for _, arn := range named(arns, patterns) {
		for _, asks := range [][]access.Ask{
			{{Action: "ssm:StartSession", Resource: arn}},
			{{Action: "ssm:SendCommand", Resource: arn}, {Action: "ssm:SendCommand", Resource: "arn:" + c.Partition + ":ssm:" + c.Region + "::document/AWS-RunShellScript"}},
			{{Action: "ec2:ModifyInstanceAttribute", Resource: arn}, {Action: "ec2:StopInstances", Resource: arn}, {Action: "ec2:StartInstances", Resource: arn}},
		} {
			b.permitted(p, p.May(asks...), b.node(c, nodes[arn]), "run commands on node "+nodes[arn])
		}
	}
}

// useResource: what policies let somebody do with a resource that is asked about. The resource's own policy is not looked
// at; in another account it decides too.
func useResource(b *builder) {
	for _, t := range b.asked {
		if t.Kind != KindResource {
			continue
		}
		to := b.vertex(key{theResource, 0, t.ARN, ""}, t, false)
		actions, owner := access.ActionsOn(t.ARN), accountOf(t.ARN)
		for _, acct := range b.accounts {
			for _, p := range acct.actors {
				action, permit := p.UseOf(t.ARN, actions)
				if owner != "" && owner != acct.id && permit.Answer != access.No {
					permit = doubted(permit, "if the resource's own policy lets account "+acct.id+" in, which was not read")
				}
				b.permitted(p, permit, to, "do "+action+" on "+t.ARN)
			}
		}
	}
}
