package iam

import (
	"slices"
	"strings"
)

// PrincipalKind says what sort of caller a Principal is.
type PrincipalKind uint8

// The kinds of principals. NoPrincipal is a caller of which nothing is known.
const (
	NoPrincipal PrincipalKind = iota
	RootUser
	User
	Role          // a role, or a session of it whose name may be unknown
	FederatedUser // a session of sts:GetFederationToken
	Service
	Federated // someone whom an OIDC or SAML provider vouches for
	Anonymous
)

// Principal is who makes a request. Make one with ParsePrincipal, or with the constructors when more is
// known than an ARN says.
type Principal struct {
	Kind    PrincipalKind
	Account string // 12 digits; empty for services and federated and anonymous callers
	// UniqueID is the principal's unique id (AROA…, AIDA…), when known. A policy shows such an id in
	// place of an ARN when the principal that it meant was deleted.
	UniqueID string

	arn        [1]string // ARN of the role, user or root; name of a service or provider
	role       string    // name of a role, without path
	path       bool      // the path of the role is known
	session    string    // ARN of the session, empty when it is not known
	accountKey [1]string
	userName   [1]string
}

// ParsePrincipal recognises an ARN of a role, user, account root, role session, federated-user session or
// identity provider, a service name (pods.eks.amazonaws.com), a web identity provider's name
// (accounts.google.com), a bare account id (its root user) and "*" (an anonymous caller). Anything else
// is a principal of which nothing is known. The path of a role cannot be told from the ARN of its session.
func ParsePrincipal(s string) Principal {
	a, err := ParseARN(s)
	switch {
	case s == "*":
		return Principal{Kind: Anonymous}
	case isAccountID(s):
		return newPrincipal(RootUser, ARN{"aws", "iam", "", s, "root"})
	case err != nil && isServiceName(s):
		return ServicePrincipal(s)
	case err != nil && isHostName(s):
		return FederatedPrincipal(s)
	case err != nil || !isAccountID(a.Account):
		return Principal{}
	case a.IsRoot():
		return newPrincipal(RootUser, a)
	case a.IsRole():
		return RoleSession(s, "")
	case a.IsUser():
		return newPrincipal(User, a)
	case a.IsAssumedRole():
		p := RoleSession(a.Canonical().String(), a.SessionName())
		p.path = false
		return p
	case a.Service == "sts" && hasName(a.Resource, "federated-user/"):
		return newPrincipal(FederatedUser, a)
	case a.Service == "iam" && (hasName(a.Resource, "oidc-provider/") || hasName(a.Resource, "saml-provider/")):
		return FederatedPrincipal(s)
	}
	return Principal{}
}

// RoleSession is a session of the role with this ARN, path included; the empty session name is any
// session.
func RoleSession(roleARN, sessionName string) Principal {
	a, err := ParseARN(roleARN)
	if err != nil || !a.IsRole() || !isAccountID(a.Account) {
		return Principal{}
	}
	p := newPrincipal(Role, a)
	p.role, p.path = a.RoleName(), true
	if sessionName != "" {
		p.session = "arn:" + a.Partition + ":sts::" + a.Account + ":assumed-role/" + p.role + "/" + sessionName
	}
	return p
}

// ServicePrincipal is an AWS service by its principal name.
func ServicePrincipal(name string) Principal {
	return Principal{Kind: Service, arn: [1]string{name}}
}

// FederatedPrincipal is a caller with a token or assertion of this provider: the ARN of an IAM OIDC or
// SAML provider, or the name of a built-in web identity provider.
func FederatedPrincipal(provider string) Principal {
	return Principal{Kind: Federated, arn: [1]string{provider}}
}

func newPrincipal(k PrincipalKind, a ARN) Principal {
	p := Principal{Kind: k, Account: a.Account, arn: [1]string{a.String()}, accountKey: [1]string{a.Account}}
	if k == User {
		p.userName[0] = a.Name()
	}
	return p
}

// String returns the session's ARN if it is known, else the ARN or name of the principal.
func (p Principal) String() string {
	switch {
	case p.session != "":
		return p.session
	case p.Kind == Anonymous:
		return "*"
	case p.Kind == NoPrincipal:
		return "(unknown principal)"
	}
	return p.arn[0]
}

// isServiceLinked reports whether the principal is a service-linked role.
func (p *Principal) isServiceLinked() bool {
	return p.Kind == Role && strings.Contains(p.arn[0], ":role/aws-service-role/")
}

func isServiceName(s string) bool {
	return isHostName(s) && (strings.HasSuffix(s, ".amazonaws.com") || strings.HasSuffix(s, ".amazonaws.com.cn")) &&
		s != "cognito-identity.amazonaws.com"
}

func isHostName(s string) bool { return strings.Contains(s, ".") && !strings.ContainsAny(s, ":/*? ") }

// Principals is a Principal or NotPrincipal element, as written.
type Principals struct {
	Everyone      bool // "*", or "*" among AWS: both mean everyone
	AWS           []string
	Service       []string
	Federated     []string
	CanonicalUser []string
	Other         []string // of a kind this package does not know, as kind:value
	aws           []awsPrincipal
}

// list returns the element's members with their kind.
func (p *Principals) list() []string {
	var all []string
	if p.Everyone && !slices.Contains(p.AWS, "*") {
		all = append(all, "*")
	}
	for _, s := range p.AWS {
		all = append(all, "AWS:"+s)
	}
	for _, s := range p.Service {
		all = append(all, "Service:"+s)
	}
	for _, s := range p.Federated {
		all = append(all, "Federated:"+s)
	}
	for _, s := range p.CanonicalUser {
		all = append(all, "CanonicalUser:"+s)
	}
	return append(all, p.Other...)
}

// String lists the members with their kind: "AWS:arn:…, Service:pods.eks.amazonaws.com".
func (p *Principals) String() string { return strings.Join(p.list(), ", ") }

// awsPrincipal is one compiled member of the AWS list.
type awsPrincipal struct {
	text    string
	kind    PrincipalKind
	account string
	role    string  // the name, for a role
	session bool    // names a role session
	loose   bool    // with wildcards or variables, which the element does not allow
	pattern pattern // of a loose one
}

func (p *Principals) compile() {
	for _, text := range p.AWS {
		if text == "*" {
			p.Everyone = true
			continue
		}
		a := awsPrincipal{text: text}
		if strings.ContainsAny(text, "*?") || strings.Contains(text, "${") {
			a.loose = true
			a.pattern = compile(text, syntax{wildcards: true, variables: true})
		} else {
			q := ParsePrincipal(text)
			a.kind, a.account, a.role, a.session = q.Kind, q.Account, q.role, q.session != ""
		}
		p.aws = append(p.aws, a)
	}
}

// match tells how the element reaches a principal (IAM User Guide, "AWS JSON policy elements: Principal",
// 2026-11). A grant to everyone reaches a caller like one to its role; whether implicit denials of its
// boundary or session policies limit it is documented only together with aws:PrincipalArn (they do not).
func (p *Principals) match(q *Principal) reach {
	w := nowhere
	if len(p.Other) > 0 || q.Kind == NoPrincipal {
		w.direct = Unknown
	}
	if p.Everyone {
		return reach{Unknown, True, False}
	}
	switch q.Kind {
	case Service:
		w.direct = or(w.direct, named(p.Service, q.arn[0]))
	case Federated:
		w.direct = or(w.direct, named(p.Federated, q.arn[0]))
	case Anonymous, NoPrincipal:
	default:
		if len(p.CanonicalUser) > 0 {
			w.account = Unknown // the canonical id of an account cannot be told from its number
		}
		for i := range p.aws {
			w = w.or(p.aws[i].match(q))
		}
	}
	return w
}

// named looks a service or provider up. "*" in these lists is not documented.
func named(list []string, name string) Truth {
	outcome := False
	for _, s := range list {
		switch s {
		case name:
			return True
		case "*":
			outcome = Unknown
		}
	}
	return outcome
}

// match tells how one member of the AWS list reaches an AWS principal.
func (a *awsPrincipal) match(q *Principal) reach {
	w := nowhere
	switch {
	case a.loose:
		// "You cannot use a wildcard to match part of a principal name or ARN" (same page): AWS
		// refuses to store it, so what it would match is not known.
		if glob(a.pattern.tokens, q.arn[0], false, nil) || q.session != "" && glob(a.pattern.tokens, q.session, false, nil) {
			w.direct = Unknown
		}
	case a.kind == RootUser:
		if a.account == q.Account {
			w.account = True
			if q.Kind == RootUser {
				w.direct = True
			}
		}
	case a.session:
		if q.Kind == Role && a.account == q.Account && a.role == q.role {
			if w.direct = Unknown; q.session != "" {
				w.direct = truth(a.text == q.session)
			}
		}
	case a.kind == Role && q.Kind == Role:
		// Role names are unique in an account whatever their path, so the name decides where the
		// path is not known.
		if a.text == q.arn[0] || !q.path && a.account == q.Account && a.role == q.role {
			w.role = True
		}
	case a.kind == User || a.kind == FederatedUser:
		w.direct = truth(a.text == q.arn[0])
	case q.UniqueID != "" && a.text == q.UniqueID:
		if w.direct = True; q.Kind == Role {
			w.direct, w.role = False, True
		}
	}
	return w
}

// excludes tells whether a NotPrincipal element leaves the principal under the statement. A user must be
// listed together with its account, a session together with its role and account, because AWS "might"
// validate these one after another: listed in part is Unknown. A Deny with NotPrincipal "will always deny
// any IAM principal that has a permissions boundary" (IAM User Guide, "AWS JSON policy elements:
// NotPrincipal", 2026-11).
func (p *Principals) excludes(q *Principal, bounded Truth) Truth {
	rest := p.leavesOut(q)
	switch {
	case q.Kind != User && q.Kind != Role:
		return rest
	case bounded == Unknown:
		return join(rest, True)
	}
	return or(rest, bounded)
}

func (p *Principals) leavesOut(q *Principal) Truth {
	w := p.match(q)
	switch {
	case p.Everyone:
		return False
	case w.any() == False:
		return True
	case q.Kind == Service || q.Kind == Federated || q.Kind == RootUser:
		return -w.any()
	case q.Kind == User && w.direct == True && w.account == True:
		return False
	case q.Kind == Role && q.session != "" && w.direct == True && w.role == True && w.account == True:
		return False
	}
	return Unknown
}

var (
	yes, no     = []string{"true"}, []string{"false"}
	typeOfCalls = [...][]string{
		RootUser: {"Account"}, User: {"User"}, Role: {"AssumedRole"},
		FederatedUser: {"FederatedUser"}, Anonymous: {"Anonymous"},
	}
)

// key returns a global condition key that follows from the principal.
func (p *Principal) key(key string) (presence, []string) {
	aws := p.Kind >= RootUser && p.Kind <= FederatedUser
	switch key {
	case "aws:principalarn":
		// "For IAM roles, the request context returns the ARN of the role", with its path.
		if p.Kind == Anonymous {
			return absent, nil
		} else if aws && (p.Kind != Role || p.path) {
			return present, p.arn[:]
		}
	case "aws:principalaccount":
		if aws {
			return present, p.accountKey[:]
		}
	case "aws:principaltype":
		if aws || p.Kind == Anonymous {
			return present, typeOfCalls[p.Kind]
		}
	case "aws:username":
		if p.Kind == User {
			return present, p.userName[:]
		} else if aws || p.Kind == Anonymous {
			return absent, nil
		}
	case "aws:principalisawsservice":
		if p.Kind == Service {
			return present, yes
		} else if aws {
			return present, no
		}
	case "aws:principalservicename":
		if p.Kind == Service {
			return present, p.arn[:]
		} else if aws {
			return absent, nil
		}
	}
	return unknown, nil
}
