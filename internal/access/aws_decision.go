package access

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// decision is what the policies say of one thing that a session asks for, which may take several requests that must all be
// allowed. Its reasons are put into words when they are asked for.
type decision struct {
	session *AWSSession
	role    *model.IAMRole // whose trust policy counts; nil for none
	verdict Verdict
	// parts are the decisions that make up the verdict.
	parts []part
	// open are what an unknown verdict depends on besides conditions; because says why a verdict is denied without a policy.
	open    []string
	because string
}

type part struct {
	policies iam.Policies
	request  iam.Request
	decision iam.Decision
}

// ask adds a request to the decision. Conditions on what the caller chooses do not stand in its way.
func (d *decision) ask(p iam.Policies, r iam.Request) {
	one := part{p, r, iam.Evaluate(p, r)}
	verdict := verdictOf(one.decision.Verdict)
	if verdict == Unknown && one.free() {
		verdict = Allowed
	}
	if verdict != Allowed && verdict != d.verdict {
		d.parts = nil // the worst decides, and explains
	}
	if verdict == Denied || d.verdict == Allowed {
		d.verdict = verdict
	}
	if verdict == d.verdict {
		d.parts = append(d.parts, one)
	}
}

func verdictOf(v iam.Verdict) Verdict {
	switch v {
	case iam.Allowed:
		return Allowed
	case iam.Denied:
		return Denied
	}
	return Unknown
}

// free says whether an undecided part depends on nothing but the name of a session, which whoever opens it chooses.
func (p *part) free() bool {
	return !slices.ContainsFunc(p.decision.UnknownKeys(), func(k string) bool { return !chosenByBearer(k) }) &&
		len(unmet(p.decision, &p.request, chosenByBearer)) == 0
}

// conditions are what an unknown verdict depends on, each once.
func (d *decision) conditions() []string {
	if d.verdict != Unknown {
		return nil
	}
	all := slices.Clone(d.open)
	for i := range d.parts {
		for _, c := range unmet(d.parts[i].decision, &d.parts[i].request, chosenByBearer) {
			if len(d.session.Unread) == 0 || !unreadLayer(c) {
				all = appendNew(all, c)
			} else {
				for _, name := range d.session.Unread {
					all = appendNew(all, name+" (not read)")
				}
			}
		}
	}
	return all
}

// unreadLayer says whether a condition is that a layer of the caller's own policies was not read in full.
func unreadLayer(c string) bool {
	for _, l := range []iam.Layer{iam.IdentityPolicy, iam.Boundary, iam.SessionPolicy} {
		if c == l.String()+" (not read)" {
			return true
		}
	}
	return false
}

// chain are the statements that decide, with their places; a denial for want of an Allow says what does not allow.
func (d *decision) chain() []finding.Evidence {
	if d.because != "" {
		return []finding.Evidence{{Text: d.because, Source: d.session.ARN}}
	}
	var all []finding.Evidence
	for i := range d.parts {
		by := d.parts[i].decision.By()
		for _, m := range by {
			if m.Layer != iam.ResourcePolicy { // which only stands in for those that no snapshot holds
				all = appendNew(all, d.evidence(m))
			}
		}
		if d.verdict == Denied && len(by) == 0 {
			all = append(all, d.missing(&d.parts[i]))
		}
	}
	return all
}

// evidence is a statement and where it stands.
func (d *decision) evidence(m iam.Match) finding.Evidence {
	return finding.Evidence{Text: shortened(m.Statement.String()), Source: d.place(m.Layer, m.Policy) + ", " + m.Statement.Name()}
}

// place names the policy that a statement stands in.
func (d *decision) place(l iam.Layer, policy string) string {
	switch {
	case l == iam.TrustPolicy:
		return d.role.Subject().String() + " trust policy"
	case l == iam.IdentityPolicy && !strings.HasPrefix(policy, "arn:") && d.session.principal != nil:
		return d.session.principal.Subject().String() + " " + policy
	case l == iam.IdentityPolicy:
		return "IAMPolicy " + policy
	}
	return strings.TrimSpace(l.String() + " " + policy)
}

// missing says which of the policies that must allow a request does not.
func (d *decision) missing(p *part) finding.Evidence {
	resource := p.request.Resource
	if resource == "" {
		resource = "any resource"
	}
	what := fmt.Sprintf(" allows %s on %s", p.request.Action, resource)
	all := p.policies
	denied := func(q iam.Policies) bool { return iam.EvaluateIdentity(q, p.request).Verdict == iam.Denied }
	own := iam.Policies{Identity: all.Identity, Unread: slices.DeleteFunc(slices.Clone(all.Unread), func(l iam.Layer) bool { return l != iam.IdentityPolicy })}
	switch source := d.session.ARN; {
	case denied(own):
		return finding.Evidence{Text: "no identity policy" + what, Source: source}
	case all.Boundary != nil && denied(iam.Policies{Identity: own.Identity, Unread: own.Unread, Boundary: all.Boundary}):
		return finding.Evidence{Text: "nothing in the permissions boundary" + what, Source: "permissions boundary " + all.Boundary.Name}
	case all.Session != nil && denied(iam.Policies{Identity: own.Identity, Unread: own.Unread, Session: all.Session}):
		return finding.Evidence{Text: "nothing in the session policy" + what, Source: "session policy " + all.Session[0].Name}
	case denied(iam.Policies{Identity: own.Identity, Unread: own.Unread, SCP: all.SCP}):
		return finding.Evidence{Text: "no service control policy" + what, Source: "service control policies of account " + d.session.Principal.Account}
	case d.role != nil:
		return finding.Evidence{Text: "the trust policy does not let " + d.session.Principal.String() + " in for " + p.request.Action, Source: d.role.Subject().String() + " trust policy"}
	}
	return finding.Evidence{Text: "no resource control policy" + what, Source: "resource control policies of the resource's account"}
}

// Limits on the characters of policies, white space left out (IAM User Guide, "IAM and STS quotas", 2026-11).
const (
	maxManagedPolicy = 6144
	maxInlineOfRole  = 10240
	maxInlineOfUser  = 2048
)

// oversized names the policies of a session that are larger than AWS stores, so that somebody made the document up, or cut
// and pasted it together.
func (a *Access) oversized(s *AWSSession) []finding.Evidence {
	var all []finding.Evidence
	say := func(source string, size, most int) {
		if size > most {
			all = append(all, finding.Evidence{Text: fmt.Sprintf("takes %d characters, more than the %d that IAM stores: AWS would not have taken it", size, most), Source: source})
		}
	}
	inline := func(source string, list []model.InlinePolicy, most int) {
		size := 0
		for _, i := range list {
			size += characters(i.Document)
		}
		say(source+" inline policies together", size, most)
	}
	switch o := s.principal.(type) {
	case *model.IAMRole:
		inline(o.Subject().String(), o.Inline, maxInlineOfRole)
	case *model.IAMUser:
		inline(o.Subject().String(), o.Inline, maxInlineOfUser)
	}
	for _, arn := range a.attachedTo(s) {
		if m := a.managed[arn]; m != nil && !strings.Contains(arn, ":iam::aws:") {
			say("IAMPolicy "+arn, characters(m.Document), maxManagedPolicy)
		}
	}
	return all
}

// attachedTo are the managed policies of a session's principal, its boundary among them.
func (a *Access) attachedTo(s *AWSSession) []string {
	var arns []string
	var boundary string
	switch o := s.principal.(type) {
	case *model.IAMRole:
		arns, boundary = o.Attached, o.Boundary
	case *model.IAMUser:
		_, arns, _ = a.userPolicies(o)
		boundary = o.Boundary
	}
	if boundary != "" {
		arns = append(slices.Clip(arns), boundary)
	}
	return arns
}

// copies names drawbridge's copies of AWS managed policies that a decision stands on: those whose statements decide, and for
// a denial for want of an Allow all that the principal has.
func (a *Access) copies(s *AWSSession, d *decision) []finding.Evidence {
	var all []finding.Evidence
	say := func(arn string) {
		if m := a.managedPolicy(arn); m.copied != "" {
			all = appendNew(all, m.evidence())
		}
	}
	for i := range d.parts {
		by := d.parts[i].decision.By()
		for _, m := range by {
			if m.Layer == iam.IdentityPolicy || m.Layer == iam.Boundary {
				say(m.Policy)
			}
		}
		if d.verdict == Denied && len(by) == 0 {
			for _, arn := range a.attachedTo(s) {
				say(arn)
			}
		}
	}
	return all
}

func characters(d model.Document) int {
	n := 0
	for _, r := range d {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}
