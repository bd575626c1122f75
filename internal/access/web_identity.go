package access

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

const webIdentityAction = "sts:AssumeRoleWithWebIdentity"

// Issuer is the issuer of the cluster's service-account tokens without https://, as trust policies name it, or "" where
// it is not known.
func (c *Cluster) Issuer() string {
	if c.Description == nil {
		return ""
	}
	return IssuerOf(c.Description.Issuer)
}

// IssuerOf is an issuer's URL without https:// and without a slash at its end.
func IssuerOf(url string) string {
	return strings.TrimSuffix(strings.TrimPrefix(url, "https://"), "/")
}

// EKSIssuer is an issuer that EKS made for a cluster.
type EKSIssuer struct {
	Region, ID string
	// DualStack says that the issuer is named by its address for IPv4 and IPv6.
	DualStack bool
}

// The domains of AWS' endpoints, and of those for IPv4 and IPv6, in each partition (AWS SDKs, partitions.json, 2026-11). A
// name that only begins like an issuer of EKS is somebody else's.
var (
	awsDomains       = []string{"amazonaws.com", "amazonaws.com.cn", "c2s.ic.gov", "sc2s.sgov.gov", "cloud.adc-e.uk", "csp.hci.ic.gov", "amazonaws.eu"}
	dualStackDomains = []string{"api.aws", "api.amazonwebservices.com.cn", "api.aws.ic.gov", "api.aws.scloud", "api.cloud-aws.adc-e.uk", "api.aws.hci.ic.gov", "api.amazonwebservices.eu"}
)

// ParseEKSIssuer recognises the issuer of an EKS cluster, oidc.eks.REGION.amazonaws.com/id/ID, or its dual-stack form
// oidc-eks.REGION.api.aws/id/ID, in the domains of any partition.
func ParseEKSIssuer(issuer string) (EKSIssuer, bool) {
	host, id, ok := strings.Cut(IssuerOf(issuer), "/id/")
	if !ok || id == "" || strings.Contains(id, "/") {
		return EKSIssuer{}, false
	}
	host = strings.ToLower(host)
	if rest, ok := strings.CutPrefix(host, "oidc.eks."); ok {
		region, domain, _ := strings.Cut(rest, ".")
		if slices.Contains(awsDomains, domain) {
			return EKSIssuer{Region: region, ID: id}, true
		}
	}
	if rest, ok := strings.CutPrefix(host, "oidc-eks."); ok {
		region, domain, _ := strings.Cut(rest, ".")
		if slices.Contains(dualStackDomains, domain) {
			return EKSIssuer{Region: region, ID: id, DualStack: true}, true
		}
	}
	return EKSIssuer{}, false
}

// Subject is the subject of a service account's tokens.
func Subject(namespace, serviceAccount string) string {
	return subjectPrefix + namespace + ":" + serviceAccount
}

const subjectPrefix = "system:serviceaccount:"

// WebToken is what a service account's token says. Empty parts are not known.
type WebToken struct {
	Issuer, Subject, Audience string
}

// Provider is the IAM OIDC provider that a token of the issuer goes through on its way to the role: one of the role's own
// account.
func (t *Trust) Provider(issuer string) string {
	return "arn:" + t.arn.Partition + ":iam::" + t.arn.Account + ":oidc-provider/" + issuer
}

// WebIdentity says whether the bearer of a token can take the role. That an OIDC provider exists is taken for granted.
func (t *Trust) WebIdentity(w WebToken) Entry { return t.webIdentity(w, chosenByBearer) }

// chosenByBearer says whether whoever brings a token chooses the key's value.
func chosenByBearer(key string) bool { return strings.EqualFold(key, "sts:RoleSessionName") }

func (t *Trust) webIdentity(w WebToken, free func(string) bool) Entry {
	return t.ask(iam.FederatedPrincipal(t.Provider(w.Issuer)), t.webContext(w), free, webIdentityAction)
}

// webContext is what is known of the request. A token carries the keys of its own issuer only; those of others, also of
// the same cluster by another address, are absent.
func (t *Trust) webContext(w WebToken) *iam.Context {
	c := new(iam.Context).Set("aws:FederatedProvider", t.Provider(w.Issuer))
	for i := range t.policy.Statements {
		for _, cond := range t.policy.Statements[i].Conditions {
			if issuer, ok := claimIssuer(cond.Key); ok && !strings.EqualFold(issuer, w.Issuer) {
				c.SetAbsent(cond.Key)
			}
		}
	}
	if w.Subject != "" {
		c.Set(w.Issuer+":sub", w.Subject)
	}
	if w.Audience != "" {
		c.Set(w.Issuer+":aud", w.Audience)
	}
	return c
}

// claimIssuer returns the issuer of a condition key that is a claim of a token, such as oidc.eks.…/id/…:sub.
func claimIssuer(key string) (string, bool) {
	i := strings.LastIndexByte(key, ':')
	if i < 0 || !strings.Contains(key[:i], ".") {
		return "", false
	}
	return key[:i], true
}

// Providers are the OIDC providers that statements let in for web identity, sorted.
func (t *Trust) Providers() []string {
	var all []string
	for i := range t.policy.Statements {
		s := &t.policy.Statements[i]
		if s.Effect != iam.Allow || s.Principal == nil || s.MatchesAction(webIdentityAction) == iam.False {
			continue
		}
		for _, f := range s.Principal.Federated {
			if strings.Contains(f, ":oidc-provider/") {
				all = append(all, f)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Trusts says whether some token of the issuer gets in: not No as long as a token is thinkable.
func (t *Trust) Trusts(issuer string) bool { return !t.WebIdentity(WebToken{Issuer: issuer}).Not() }

// Opening is a set of service accounts, named by a pattern, that a trust policy lets in.
type Opening struct {
	// Pattern is the subject as the trust policy writes it; empty stands for any subject.
	Pattern string
	// AnyNamespace says that the namespace is open, not only the service account's name.
	AnyNamespace bool
	// If is in print what else must hold and could not be evaluated.
	If         []string
	Statements []string
}

// Openings returns the sets of service accounts of an issuer that a trust policy lets in by more than their own names:
// any at all, or those that a pattern with wildcards matches. It asks with subjects that nobody has: a literal * under
// StringEquals is no opening, because it matches nothing.
func (t *Trust) Openings(issuer string) []Opening {
	free := func(key string) bool { return chosenByBearer(key) || strings.EqualFold(key, issuer+":aud") }
	ask := func(subject string) (Opening, bool) {
		e := t.webIdentity(WebToken{Issuer: issuer, Subject: subject}, free)
		return Opening{If: e.If, Statements: e.Statements}, !e.Not()
	}
	if o, ok := ask(Subject(stranger, stranger)); ok {
		o.AnyNamespace = true
		return []Opening{o}
	}
	var all []Opening
	for _, pattern := range t.subjects(issuer) {
		for _, subject := range instances(pattern) {
			if o, ok := ask(subject); ok {
				o.Pattern = pattern
				namespace, _, _ := strings.Cut(strings.TrimPrefix(subject, subjectPrefix), ":")
				o.AnyNamespace = strings.Contains(namespace, stranger)
				all = append(all, o)
				break
			}
		}
	}
	return all
}

// subjects are the values with wildcards that conditions compare the issuer's subject with, sorted.
func (t *Trust) subjects(issuer string) []string {
	var all []string
	for i := range t.policy.Statements {
		for _, c := range t.policy.Statements[i].Conditions {
			if !strings.EqualFold(c.Key, issuer+":sub") {
				continue
			}
			for _, v := range c.Values {
				if strings.ContainsAny(v, "*?") {
					all = append(all, v)
				}
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// instances are subjects of service accounts that nobody has and that a pattern may match, a * being able to stand for
// several parts of a subject.
func instances(pattern string) []string {
	fill := func(p string) string {
		return strings.ReplaceAll(strings.ReplaceAll(p, "*", stranger), "?", "x")
	}
	all := []string{fill(pattern)}
	if i := strings.LastIndexByte(pattern, '*'); i >= 0 {
		all = append(all, fill(pattern[:i]+stranger+":"+stranger+pattern[i+1:]))
	}
	if rest, ok := strings.CutPrefix(pattern, "*"); ok {
		all = append(all, fill("system:serviceaccount"+rest), fill(subjectPrefix+stranger+rest))
	}
	return slices.DeleteFunc(all, func(s string) bool {
		namespace, name, ok := strings.Cut(strings.TrimPrefix(s, subjectPrefix), ":")
		own := !strings.Contains(s, stranger) && !strings.Contains(pattern, "?")
		return own || !ok || namespace == "" || name == "" || strings.Contains(name, ":") || !strings.HasPrefix(s, subjectPrefix)
	})
}

// AnyAudience says whether a token of the issuer gets in that was made out for somebody else than AWS: it asks with an
// audience that nobody has, and any subject.
func (t *Trust) AnyAudience(issuer string) Entry {
	return t.webIdentity(WebToken{Issuer: issuer, Audience: stranger}, func(key string) bool {
		return chosenByBearer(key) || strings.EqualFold(key, issuer+":sub")
	})
}

// WhyNot says why a token does not get in, statement by statement: the providers that are trusted instead, or the
// conditions that do not hold.
func (t *Trust) WhyNot(w WebToken) []string {
	r := iam.Request{Principal: iam.FederatedPrincipal(t.Provider(w.Issuer)), Action: webIdentityAction, Resource: t.Role.ARN, Context: t.webContext(w)}
	var why, others []string
	for i := range t.policy.Statements {
		s := &t.policy.Statements[i]
		if s.MatchesAction(webIdentityAction) == iam.False || s.Principal == nil {
			continue
		}
		if !s.Principal.Everyone && !slices.Contains(s.Principal.Federated, t.Provider(w.Issuer)) {
			others = append(others, s.Principal.Federated...)
			continue
		}
		if s.Effect == iam.Deny {
			if s.MeetsConditions(&r) == iam.True {
				why = append(why, s.Name()+" denies it")
			}
			continue
		}
		for j := range s.Conditions {
			if c := &s.Conditions[j]; c.Test(&r) == iam.False {
				why = append(why, failing(s, c))
			}
		}
	}
	if len(why) == 0 {
		why = t.whyNobody(w.Issuer, others)
	}
	slices.Sort(why)
	return slices.Compact(why)
}

func failing(s *iam.Statement, c *iam.Condition) string {
	text := s.Name() + ": " + c.String() + " does not hold"
	if !strings.Contains(strings.ToLower(c.Operator), "like") && slices.ContainsFunc(c.Values, func(v string) bool { return strings.ContainsAny(v, "*?") }) {
		text += ", as " + c.Operator + " takes * and ? for ordinary characters"
	}
	if issuer, ok := claimIssuer(c.Key); ok {
		if e, ok := ParseEKSIssuer(issuer); ok && e.DualStack {
			text += ", as the key is that of a dual-stack issuer"
		}
	}
	return text
}

// whyNobody explains a trust policy that names the issuer nowhere.
func (t *Trust) whyNobody(issuer string, others []string) []string {
	if len(others) == 0 {
		return []string{"no statement allows " + webIdentityAction}
	}
	own, _ := ParseEKSIssuer(issuer)
	var why []string
	for _, o := range others {
		arn, err := iam.ParseARN(o)
		name := strings.TrimPrefix(arn.Resource, "oidc-provider/")
		other, eks := ParseEKSIssuer(name)
		switch {
		case err == nil && arn.Account != t.arn.Account:
			why = append(why, fmt.Sprintf("it trusts %s, a provider of account %s, but only providers of the role's own account %s can count", o, arn.Account, t.arn.Account))
		case eks && other.ID == own.ID && other.DualStack != own.DualStack:
			why = append(why, fmt.Sprintf("it trusts %s, the same cluster by another address, but the cluster's issuer is %s", name, issuer))
		case eks:
			why = append(why, fmt.Sprintf("it trusts %s, the issuer of another cluster", name))
		default:
			why = append(why, "it trusts "+o)
		}
	}
	return why
}

// OIDCProvider finds an IAM OIDC provider by its ARN, or returns nil.
func (a *Access) OIDCProvider(arn string) *model.OIDCProvider {
	for _, acct := range a.snapshot.Accounts {
		for _, o := range acct.OIDCProviders {
			if o.ARN == arn {
				return o
			}
		}
	}
	return nil
}
