package graph

import (
	"fmt"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// The steps of this file are how pods and nodes come to AWS credentials.

// podIdentity: the role of an association goes to whoever runs as the service account.
func podIdentity(b *builder) {
	for _, c := range b.clusters {
		for _, a := range c.PodIdentityAssociations {
			s, ok := c.given(b, a)
			if !ok {
				continue
			}
			at, answer := c.association(b, a), yesOrMaybe(s.Verdict)
			conditions := s.Conditions
			if answer == access.Yes {
				conditions = nil // what is taken for granted
			}
			fact := b.says(Fact{Text: "take role " + roleOf(a) + " through Pod Identity", If: conditions, Evidence: s.Chain})
			b.step(b.newPod(c, a.Namespace, a.ServiceAccount), at, answer, fact, 0)
			for _, k := range c.runningAs[[2]string{a.Namespace, a.ServiceAccount}] {
				if k.podIdentity {
					b.step(k.at, at, answer, fact, 0)
				}
			}
			b.step(b.minted(c, a.Namespace, a.ServiceAccount), at, access.Maybe, b.says(Fact{
				Text: "exchange a token of the service account for credentials of " + roleOf(a), Evidence: s.Chain,
				If: append([]string{"if it also has a principal that may eks-auth:AssumeRoleForPodIdentity, as nodes have"}, conditions...),
			}), 0)
		}
	}
}

// given is the session that an association gives, and false where it gives none.
func (c *cluster) given(b *builder, a *model.PodIdentityAssociation) (access.AWSSession, bool) {
	id := access.Identity{Kind: access.KindServiceAccount, Cluster: c.label, Namespace: a.Namespace, Name: a.ServiceAccount}
	for _, s := range b.all.AWSSessions(id) {
		if s.Via == access.ViaPodIdentity && s.Verdict != access.Denied && s.ARN != "" {
			return s, true
		}
	}
	return access.AWSSession{}, false
}

// roleOf is the role whose credentials the pods of an association get.
func roleOf(a *model.PodIdentityAssociation) string {
	if a.TargetRoleARN != "" {
		return a.TargetRoleARN
	}
	return a.RoleARN
}

// association is the place of whoever got the credentials of an association, on the way to the role: the role itself, or a
// session of it that is not like others, see limit and tag.
func (c *cluster) association(b *builder, a *model.PodIdentityAssociation) int32 {
	k := key{anAssociation, c.n, a.Namespace, a.ServiceAccount}
	if at, made := b.keys[k]; made {
		return at
	}
	at := b.vertex(k, access.Identity{}, false)
	role := b.principal(roleOf(a))
	if v, other := c.sessions[a]; other {
		role = v
	}
	b.link(at, role, 0, b.grant(costAssociation, func() Removal { return removeAssociation(c, a) }))
	return at
}

// limit enters the sessions that session policies limit as actors of their own: what they may do is less than their role.
func (c *cluster) limit(b *builder) {
	for _, a := range c.PodIdentityAssociations {
		role, _ := b.all.Role(roleOf(a))
		if a.Policy == "" || role == nil {
			continue
		}
		p := b.all.WithSession(b.all.IAMRole(role), a.Subject().String(), a.Policy)
		v := c.session(b, a, role.ARN)
		for _, acct := range b.accounts {
			if acct.id == accountOf(role.ARN) {
				acct.actors = append(acct.actors, actor{p, v, false, a, newMemo()})
			}
		}
	}
}

// tag makes sessions of their own of those that EKS tags and that could go on into other roles: the tags go along, and not
// every trust policy lets them.
func (c *cluster) tag(b *builder) {
	for _, a := range c.PodIdentityAssociations {
		arn := roleOf(a)
		if a.DisableSessionTags || !b.hopping[arn] {
			continue
		}
		at := c.session(b, a, arn)
		b.link(at, b.permissions(arn), 0, 0)
		b.sessionHops(c, a, at)
	}
}

// session is the place of a session of a role that an association gives.
func (c *cluster) session(b *builder, a *model.PodIdentityAssociation, arn string) int32 {
	v := b.vertex(key{aPermission, c.n, arn, a.Namespace + "/" + a.ServiceAccount}, b.vertices[b.principal(arn)].id, false)
	b.vertices[v].part = true
	c.sessions[a] = v
	return v
}

// sessionHops draws where the session of an association goes on.
func (b *builder) sessionHops(c *cluster, a *model.PodIdentityAssociation, from int32) {
	if s, ok := c.given(b, a); ok {
		b.hops(from, b.all.ReadHops(s, false))
	}
}

func accountOf(arn string) string {
	parsed, err := iam.ParseARN(arn)
	if err != nil {
		return ""
	}
	return parsed.Account
}

func answerOf(e access.Entry) (access.Answer, []string) {
	switch e.Verdict {
	case iam.Allowed:
		return access.Yes, nil
	case iam.Denied:
		return access.No, nil
	}
	conditions := []string{"if its conditions let it in"}
	if len(e.If) > 0 {
		conditions = []string{"only if " + strings.Join(e.If, " and ")}
	}
	return access.Maybe, conditions
}

// irsa: a role's trust policy lets in tokens of service accounts, whether or not an annotation names it.
func irsa(b *builder) {
	for _, c := range b.clusters {
		issuer := c.Issuer()
		for _, acct := range b.accounts {
			for _, arn := range acct.roles {
				r, _ := b.all.Role(arn)
				if issuer == "" || !strings.Contains(string(r.Trust), issuer) {
					continue
				}
				if trust := b.all.Trust(r); trust != nil && trust.Trusts(issuer) && b.all.HasProvider(trust, issuer) != access.Absent {
					c.letIn(b, r, trust, issuer)
				}
			}
		}
		for _, sa := range c.ServiceAccounts {
			arn := access.IRSARole(sa)
			role, presence := b.all.Role(arn)
			if arn == "" || presence == access.Absent || issuer != "" && b.all.Trust(role) != nil {
				continue
			}
			b.step(b.webToken(c, sa.Namespace, sa.Name), b.principal(arn), access.Maybe, b.with(func() Fact {
				return Fact{
					Text: "take role " + arn + " with a token of the service account", Evidence: []finding.Evidence{evidence(sa, "%s is %s", access.RoleAnnotation, arn)},
					If: []string{"if the trust policy of " + arn + " lets it in: the policy, or the cluster's issuer, was not read"},
				}
			}), 0)
		}
	}
}

// letIn draws from the tokens that a trust policy names to its role, and from those that patterns match.
func (c *cluster) letIn(b *builder, r *model.IAMRole, trust *access.Trust, issuer string) {
	at := b.vertex(key{anAssociation, c.n, "trust", r.ARN}, access.Identity{}, false)
	b.link(at, b.principal(r.ARN), 0, b.grant(costTrust, func() Removal {
		return Removal{Object: r.Subject(), Text: "narrow the trust policy of " + r.ARN + " for tokens of cluster " + c.label}
	}))
	draw := func(from int32, answer access.Answer, conditions, statements []string) {
		b.step(from, at, answer, b.with(func() Fact {
			return Fact{
				Text: "take role " + r.ARN + " with a token of the service account", If: conditions,
				Evidence: []finding.Evidence{{Text: strings.Join(statements, "; "), Source: r.Subject().String() + " trust policy"}},
			}
		}), 0)
	}
	for _, sa := range trust.NamedSubjects(issuer) {
		entry := trust.WebIdentity(access.WebToken{Issuer: issuer, Subject: access.Subject(sa[0], sa[1]), Audience: access.IRSAAudience})
		if answer, conditions := answerOf(entry); answer != access.No {
			draw(b.webToken(c, sa[0], sa[1]), answer, conditions, entry.Statements)
		}
	}
	for _, o := range trust.Openings(issuer) {
		answer, conditions := access.Yes, []string(nil)
		if len(o.If) > 0 {
			answer, conditions = access.Maybe, []string{"only if " + strings.Join(o.If, " and ")}
		}
		draw(c.matching(b, o.Pattern), answer, conditions, o.Statements)
	}
}

// matching is any service account whose subject matches a pattern; "" is any at all.
func (c *cluster) matching(b *builder, pattern string) int32 {
	k := key{anyMatching, c.n, pattern, ""}
	if v, made := b.keys[k]; made {
		return v
	}
	title := "any service account"
	if pattern != "" {
		title += " named like " + strings.TrimPrefix(pattern, subjectPrefix)
	}
	at := b.vertex(k, access.Identity{Kind: KindAny, Cluster: c.label, Name: title}, true)
	c.patterns = append(c.patterns, pattern)
	for _, namespace := range c.namespaces {
		for _, sa := range c.accounts[namespace] {
			if pattern == "" || matchesPattern(pattern, access.Subject(namespace, sa)) {
				b.link(b.webToken(c, namespace, sa), at, 0, 0)
			}
		}
	}
	return at
}

// webToken is a token of a service account for STS. Whoever runs a pod as it, or mints its tokens, has one.
func (b *builder) webToken(c *cluster, namespace, name string) int32 {
	k := key{aWebToken, c.n, namespace, name}
	if v, made := b.keys[k]; made {
		return v
	}
	v := b.part(aWebToken, c, namespace, name)
	b.link(b.minted(c, namespace, name), v, 0, 0)
	for _, k := range c.runningAs[[2]string{namespace, name}] {
		if k.irsa {
			b.link(k.at, v, b.says(Fact{Evidence: []finding.Evidence{evidence(k.unit.Object, "mounts a token for %s", access.IRSAAudience)}}), 0)
		}
	}
	return v
}

// matchesPattern matches a pattern of IAM, in which * stands for any run of characters and ? for one. It goes back to the
// last * only, so that no pattern takes long.
func matchesPattern(pattern, s string) bool {
	star, mark, p := -1, 0, 0
	for i := 0; i < len(s); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// evidence is what an object says.
func evidence(o model.Object, format string, args ...any) finding.Evidence {
	return finding.Evidence{Text: fmt.Sprintf(format, args...), Source: o.Subject().String()}
}
