// Package iam is the IAM policy language: it parses policy documents, matches their actions, resources,
// principals and conditions, and evaluates a set of policies for one request as AWS documents it.
//
// It works in three-valued logic. A request may be known only in part, a policy may use what this package
// does not know, and then the answer is unknown: never allowed, never denied, unless it would be so
// whatever the unknown turns out to be. "Is this allowed without conditions?" is therefore the verdict
// Allowed on a request whose context is unknown.
//
// It is not a client of AWS, knows no service's list of actions or keys, and validates no policy.
package iam

import (
	"fmt"
	"strings"
)

// Policy is a parsed policy document. It is read-only: what it needs for matching is compiled by Parse.
type Policy struct {
	Version    string // as written; empty means 2008-10-17
	ID         string
	Statements []Statement
	// Unknown names what of the document this package does not understand, empty for a policy that it
	// understands in full. All its statements then evaluate to unknown.
	Unknown []string
}

// Effect is what a statement does when it applies. The words are case-sensitive (IAM User Guide, "IAM
// JSON policy elements: Effect", 2026-11); every other text is an effect that is not known.
type Effect string

// The two effects of the language.
const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// Statement is one statement of a policy. The exported fields hold it as written; an element that is
// absent is nil.
type Statement struct {
	Sid                    string
	Index                  int // from 1, in the order of the document
	Effect                 Effect
	Principal              *Principals
	NotPrincipal           *Principals
	Action, NotAction      []string
	Resource, NotResource  []string
	Conditions             []Condition
	Unknown                []string // what of the statement this package does not understand
	actions, notActions    []pattern
	resources, notResource []resourcePattern
	opaque                 bool // in a policy of unknown grammar
	onPrincipalARN         bool // has a condition on aws:PrincipalArn
}

// Name returns the Sid, or "statement 3" for a third statement without one.
func (s *Statement) Name() string {
	if s.Sid != "" {
		return s.Sid
	}
	return fmt.Sprintf("statement %d", s.Index)
}

// String sums the statement up in one line, for evidence: "Allow s3:Get*, s3:List* on * if Bool
// aws:SecureTransport = true".
func (s *Statement) String() string {
	var b strings.Builder
	if b.WriteString(string(s.Effect)); s.Effect == "" {
		b.WriteString("(no effect)")
	}
	list := func(word string, items []string) {
		if items != nil {
			b.WriteString(word + strings.Join(items, ", "))
		}
	}
	if s.Principal != nil {
		list(" ", s.Principal.list())
		b.WriteString(" to")
	}
	if s.NotPrincipal != nil {
		list(" everyone but ", s.NotPrincipal.list())
		b.WriteString(" to")
	}
	list(" ", s.Action)
	list(" everything but ", s.NotAction)
	list(" on ", s.Resource)
	list(" on everything but ", s.NotResource)
	for i := range s.Conditions {
		word := " if "
		if i > 0 {
			word = " and "
		}
		b.WriteString(word + s.Conditions[i].String())
	}
	if len(s.Unknown) > 0 {
		list(" (not understood: ", s.Unknown)
		b.WriteString(")")
	}
	return b.String()
}

// MatchesAction tests the statement's Action or NotAction only.
func (s *Statement) MatchesAction(action string) Truth {
	switch {
	case (s.Action == nil) == (s.NotAction == nil):
		return Unknown
	case s.NotAction != nil:
		return -anyAction(s.notActions, action)
	}
	return anyAction(s.actions, action)
}

func anyAction(patterns []pattern, action string) Truth {
	for i := range patterns {
		if patterns[i].match(action, nil) == True {
			return True
		}
	}
	return False
}

// MatchesResource tests the statement's Resource or NotResource only. A statement with neither, as in a
// trust policy, is about the resource that carries the policy.
func (s *Statement) MatchesResource(r *Request) Truth {
	switch {
	case s.Resource != nil && s.NotResource != nil:
		return Unknown
	case s.NotResource != nil:
		return -anyResource(s.notResource, r)
	case s.Resource != nil:
		return anyResource(s.resources, r)
	}
	return True
}

func anyResource(patterns []resourcePattern, r *Request) Truth {
	outcome := False
	for i := range patterns {
		if outcome = or(outcome, patterns[i].match(r.Resource, r)); outcome == True {
			break
		}
	}
	return outcome
}

// MeetsConditions tests the statement's Condition element only: all conditions must hold.
func (s *Statement) MeetsConditions(r *Request) Truth {
	outcome := True
	for i := range s.Conditions {
		if outcome = and(outcome, s.Conditions[i].Test(r)); outcome == False {
			break
		}
	}
	return outcome
}

// reach is how a statement reaches a principal: three ways that count differently when the principal's
// own policies do not allow the request.
type reach struct {
	direct  Truth // the user, the session, the service
	role    Truth // the role of the session, everyone
	account Truth // the account, which leaves it to its own policies
}

func (w reach) any() Truth { return or(or(w.direct, w.role), w.account) }

// unsure reports whether one of the ways is unknown.
func (w reach) unsure() bool { return w.direct == Unknown || w.role == Unknown || w.account == Unknown }

func (w reach) and(t Truth) reach {
	return reach{and(w.direct, t), and(w.role, t), and(w.account, t)}
}

func (w reach) or(v reach) reach {
	return reach{or(w.direct, v.direct), or(w.role, v.role), or(w.account, v.account)}
}

var nowhere = reach{False, False, False}

// applies tests the whole statement. In a policy of a resource it must name a principal; elsewhere it
// must not, and must name resources: AWS refuses policies that don't, so what they would do is unknown.
// Bounded tells whether the principal has a permissions boundary.
func (s *Statement) applies(r *Request, l Layer, bounded Truth) reach {
	if s.opaque {
		return reach{Unknown, Unknown, Unknown}
	}
	rest := s.MatchesAction(r.Action)
	if rest == False {
		return nowhere
	}
	if rest = and(rest, s.MatchesResource(r)); rest == False {
		return nowhere
	}
	who := reach{True, False, False}
	switch named := s.Principal != nil || s.NotPrincipal != nil; {
	case named != l.ofResource() || s.Principal != nil && s.NotPrincipal != nil:
		who.direct = Unknown
	case s.Principal != nil:
		if who = s.Principal.match(&r.Principal); s.Principal.Everyone && s.onPrincipalARN {
			who.direct = True
		}
	case s.NotPrincipal != nil:
		who.direct = s.NotPrincipal.excludes(&r.Principal, bounded)
		if l != ResourcePolicy || s.Effect != Deny {
			// Elsewhere NotPrincipal is "not supported" (IAM User Guide, "AWS JSON policy elements:
			// NotPrincipal", 2026-11).
			who.direct = and(who.direct, Unknown)
		}
	}
	if who.any() == False {
		return nowhere
	}
	if !l.ofResource() && s.Resource == nil && s.NotResource == nil || len(s.Unknown) > 0 {
		rest = Unknown
	}
	return who.and(and(rest, s.MeetsConditions(r)))
}
