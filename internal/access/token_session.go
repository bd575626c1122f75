package access

import (
	"slices"
	"strings"

	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// heldToken is a service account's token that a pod can show to AWS.
type heldToken struct {
	WebToken
	why []finding.Evidence
	// open are what decides whether a pod has it.
	open []string
}

// tokensOf says which tokens a pod has for AWS: those that the webhook injected, and those that its own specification
// mounts, for which no webhook is needed.
func tokensOf(s *model.PodSpec) Injection {
	in := Injected(s)
	for _, v := range s.Volumes {
		for _, t := range v.Tokens {
			in.PodIdentity = in.PodIdentity || t.Audience == PodIdentityAudience
			in.IRSA = in.IRSA || t.Audience == IRSAAudience
		}
	}
	return in
}

// irsa is the session that a pod opens with its token and the role that its service account names. A running pod, or one
// that mounts the token by its own specification, comes with the reason.
func (c *Cluster) irsa(s AWSSession, t *podTemplate, why ...finding.Evidence) AWSSession {
	sa, presence := c.ServiceAccount(t.namespace, t.account)
	s.Via, s.Verdict, s.Chain, s.ARN = ViaIRSA, Allowed, why, IRSARole(sa)
	s.token = &heldToken{WebToken: WebToken{Issuer: c.Issuer(), Subject: Subject(t.namespace, t.account), Audience: IRSAAudience}, why: why}
	switch {
	case sa != nil && sa.Annotations[AudienceAnnotation] != "":
		s.token.Audience = sa.Annotations[AudienceAnnotation]
	case presence == Unread:
		s.token.Audience = ""
	}
	if s.ARN == "" {
		s.Verdict = Unknown
		s.Conditions = []string{"which role it names: the service account has no annotation, or was not read"}
		return s
	}
	s.Chain = append(slices.Clip(s.Chain), fact(sa, "metadata.annotations", "%s is %s", RoleAnnotation, s.ARN))
	if len(why) == 0 {
		s.token.why = s.Chain
	}
	role, found := c.all.Role(s.ARN)
	if role == nil {
		return c.all.unreadable(s, found)
	}
	s = c.all.as(s, role)
	s.Context = c.all.sessionContext(role, nil, false)
	if len(why) == 0 {
		s.opened(c.all)
	}
	c.all.exchange(&s, role, s.token.WebToken)
	return s
}

// exchange notes whether a token gets a session into a role.
func (a *Access) exchange(s *AWSSession, role *model.IAMRole, token WebToken) {
	if token.Issuer == "" {
		s.doubt("the cluster's issuer (not read)")
		return
	}
	trust := a.Trust(role)
	s.enter(role, trust, func(t *Trust) Entry { return t.WebIdentity(token) }, func(t *Trust) []string { return t.WhyNot(token) })
	if trust != nil {
		s.Context.Set("aws:FederatedProvider", trust.Provider(token.Issuer))
		a.vouched(s, trust, token)
	}
}

// vouched notes whether the role's account has the OIDC provider that a token needs, for the token's audience.
func (a *Access) vouched(s *AWSSession, t *Trust, token WebToken) {
	arn := t.Provider(token.Issuer)
	provider := a.OIDCProvider(arn)
	switch {
	case provider == nil && a.read(t.arn.Account, model.AreaOIDCProviders):
		s.Verdict = Denied
		s.Chain = append(s.Chain, finding.Evidence{Text: "there is no such OIDC provider in the account, so AWS takes no token of the cluster", Source: arn})
	case provider == nil:
		s.doubt("OIDC provider " + arn + " (not read)")
	case len(provider.ClientIDs) > 0 && token.Audience != "" && !slices.Contains(provider.ClientIDs, token.Audience):
		s.Verdict = Denied
		s.Chain = append(s.Chain, fact(provider, "clientIds", "audience %s is not among those of the provider", token.Audience))
	}
}

// byToken is what a session becomes that shows its token to another role than the one it was meant for: which role a
// service account's annotation names is no limit, only trust policies are.
func (a *Access) byToken(s *AWSSession, role *model.IAMRole) AWSSession {
	next := AWSSession{Holder: s.Holder, Cluster: s.Cluster, Via: ViaIRSA, Verdict: Allowed}
	next.Chain = append(slices.Clip(s.token.why), finding.Evidence{Text: "shows its token to role " + role.ARN, Source: role.Subject().String()})
	for _, open := range s.token.open {
		next.doubt(open)
	}
	next = a.as(next, role)
	next.Context = a.sessionContext(role, nil, false)
	next.opened(a)
	a.exchange(&next, role, s.token.WebToken)
	return next
}

// tokenIndex finds the roles that may let in a service account's token of one issuer.
type tokenIndex struct {
	bySubject map[string][]*model.IAMRole
	others    []*model.IAMRole // that name subjects by a pattern, or not at all
}

// anyIssuer is where the roles stand that let in everyone.
const anyIssuer = "*"

// byToken are the roles that may let in a token.
func (x *ways) byToken(t WebToken) []*model.IAMRole {
	some := slices.Clone(x.tokens[anyIssuer].others)
	if of := x.tokens[t.Issuer]; of != nil {
		some = append(append(some, of.others...), of.bySubject[t.Subject]...)
	}
	return some
}

// letIn says whether there are any.
func (x *ways) letIn(issuer, subject string) bool {
	of := x.tokens[issuer]
	return len(x.tokens[anyIssuer].others) > 0 || of != nil && (len(of.others) > 0 || len(of.bySubject[subject]) > 0)
}

// addTokens enters a role under the issuers whose tokens a statement of its trust policy may let in.
func (x *ways) addTokens(r *model.IAMRole, trust *Trust) {
	if trust == nil {
		return
	}
	for i := range trust.policy.Statements {
		s := &trust.policy.Statements[i]
		if s.Effect == iam.Deny || s.Principal == nil || s.MatchesAction(webIdentityAction) == iam.False {
			continue
		}
		if s.Principal.Everyone {
			x.tokens[anyIssuer].others = append(x.tokens[anyIssuer].others, r)
		}
		for _, f := range s.Principal.Federated {
			_, issuer, ok := strings.Cut(f, ":oidc-provider/")
			if !ok {
				continue
			}
			if x.tokens[issuer] == nil {
				x.tokens[issuer] = &tokenIndex{bySubject: map[string][]*model.IAMRole{}}
			}
			x.tokens[issuer].add(r, s, issuer)
		}
	}
}

// add enters a role under the subjects that a statement lists.
func (x *tokenIndex) add(r *model.IAMRole, s *iam.Statement, issuer string) {
	for i := range s.Conditions {
		c := &s.Conditions[i]
		if strings.EqualFold(c.Operator, "StringEquals") && strings.EqualFold(c.Key, issuer+":sub") && !slices.ContainsFunc(c.Values, func(v string) bool { return strings.Contains(v, "$") }) {
			for _, v := range c.Values {
				x.bySubject[v] = append(x.bySubject[v], r)
			}
			return
		}
	}
	x.others = append(x.others, r)
}
