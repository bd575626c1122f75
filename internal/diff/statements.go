package diff

import (
	"slices"
	"strings"

	"drawbridge/internal/iam"
)

// Caller is somebody with AWS credentials: what iam.EvaluateIdentity wants of them. Policies of resources are not looked at.
type Caller struct {
	Principal iam.Principal
	Policies  iam.Policies
	Context   *iam.Context
}

// statement is one statement of a caller as far as what is known of the caller leaves it open.
type statement struct {
	*iam.Statement
	caller *caller
	layer  iam.Layer
	policy string
	// conditions are those that the request decides.
	conditions []*condition
	// meaning is the same for statements that mean the same.
	meaning string
	// odd says that it is not understood.
	odd bool

	actions set // once the universe is known
}

// condition is a condition that a request decides, and what it means.
type condition struct {
	*iam.Condition
	meaning string
	keys    []string
}

// place is where statements stand one of which must allow: the identity policies, or one of the limits.
type place []*statement

// caller is a Caller read.
type caller struct {
	Caller
	index   int
	request iam.Request // without action and resource
	root    bool
	unread  []iam.Layer

	allow  place   // identity policies
	limits []place // boundary, session policies, each level of service control policies
	deny   []*statement
	all    []*statement
}

func readCaller(c Caller) *caller {
	r := &caller{Caller: c, request: iam.Request{Principal: c.Principal, Context: c.Context}, root: c.Principal.Kind == iam.RootUser}
	r.allow = r.read(iam.IdentityPolicy, c.Policies.Identity)
	if b := c.Policies.Boundary; b != nil {
		r.limits = append(r.limits, r.read(iam.Boundary, []iam.Named{*b}))
	}
	if c.Policies.Session != nil {
		r.limits = append(r.limits, r.read(iam.SessionPolicy, c.Policies.Session))
	}
	for _, level := range c.Policies.SCP {
		r.limits = append(r.limits, r.read(iam.SCP, level))
	}
	r.unread = layersOf(r.Policies.Unread)
	return r
}

func layersOf(list []iam.Layer) []iam.Layer {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// read takes the statements of one place, denials apart. One that can never apply to the caller is left out.
func (c *caller) read(l iam.Layer, policies []iam.Named) place {
	var p place
	for _, named := range policies {
		if named.Policy == nil {
			c.Policies.Unread = append(slices.Clip(c.Policies.Unread), l)
			continue
		}
		for i := range named.Policy.Statements {
			s := c.statement(l, named.Name, &named.Policy.Statements[i], len(named.Policy.Unknown) > 0)
			if s == nil {
				continue
			}
			c.all = append(c.all, s)
			if s.Effect != iam.Deny {
				p = append(p, s)
			}
			if s.Effect != iam.Allow {
				c.deny = append(c.deny, s)
			}
		}
	}
	return p
}

func (c *caller) statement(l iam.Layer, policy string, of *iam.Statement, odd bool) *statement {
	s := &statement{Statement: of, caller: c, layer: l, policy: policy}
	s.odd = odd || len(of.Unknown) > 0 || of.Effect != iam.Allow && of.Effect != iam.Deny || of.Principal != nil || of.NotPrincipal != nil ||
		(of.Action == nil) == (of.NotAction == nil) || (of.Resource == nil) == (of.NotResource == nil)
	var words []string
	for i := range of.Conditions {
		switch of.Conditions[i].Test(&c.request) {
		case iam.True:
			continue
		case iam.False:
			if !odd {
				return nil
			}
		}
		text, keys := of.Conditions[i].Meaning(&c.request)
		if slices.ContainsFunc(keys, ofCaller) {
			text = c.Principal.String() + "\x00" + text
		}
		s.conditions = append(s.conditions, &condition{&of.Conditions[i], text, keys})
		words = append(words, text)
	}
	slices.Sort(words)
	words = slices.Compact(words)
	resources, sure := of.ResourcePatterns(&c.request)
	lists := []string{
		string(of.Effect), spellPatterns(of.ActionPatterns(), true), mark(of.NotAction != nil), spellPatterns(resources, false), mark(of.NotResource != nil),
		strings.Join(words, "\x02"),
	}
	if !sure { // variables that are not known
		lists = append(lists, c.Principal.String(), strings.Join(sorted(of.Resource), "\x02"), strings.Join(sorted(of.NotResource), "\x02"))
	}
	if s.odd {
		lists = append(lists, of.String())
	}
	s.meaning = strings.Join(lists, "\x01")
	return s
}

// ofCaller says whether a condition key follows from who makes a request, so that it says something else of another caller.
func ofCaller(key string) bool {
	return strings.HasPrefix(key, "aws:principal") || strings.HasPrefix(key, "aws:user") || strings.HasPrefix(key, "aws:federatedprovider") ||
		strings.HasPrefix(key, "sts:") || strings.HasPrefix(key, "saml:") || strings.HasPrefix(key, "ec2:rolesession") || key == "ec2:sourceinstancearn" ||
		key == "aws:tokenissuetime" || key == "aws:sourceidentity" || strings.HasPrefix(key, "aws:multifactorauth") || key == "aws:assumedroot"
}

func mark(b bool) string { return map[bool]string{true: "not"}[b] }

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

func spellPatterns(patterns [][]iam.Piece, fold bool) string {
	all := make([]string, len(patterns))
	for i, pieces := range patterns {
		var b strings.Builder
		for _, p := range pieces {
			switch p.Wild {
			case iam.ManyAny:
				b.WriteByte('*')
			case iam.OneAny:
				b.WriteByte('?')
			default:
				b.WriteString(strings.NewReplacer("*", `\*`, "?", `\?`, `\`, `\\`).Replace(p.Text))
			}
		}
		if all[i] = b.String(); fold {
			all[i] = strings.ToLower(all[i])
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), "\x02")
}

// spell writes a place so that two which allow the same read the same.
func (p place) spell() string {
	words := make([]string, len(p))
	for i, s := range p {
		words[i] = s.meaning
	}
	slices.Sort(words)
	return strings.Join(slices.Compact(words), "\x03")
}

// Fingerprint is the same for callers that may do the same as far as can be told by putting their statements in order.
func (c *Caller) Fingerprint() string { return readCaller(*c).spell() }

func (c *caller) spell() string {
	lists := []string{c.allow.spell(), place(c.deny).spell(), mark(c.root)}
	lists = append(lists, c.spellLimits()...)
	for _, l := range c.unread {
		lists = append(lists, "unread "+l.String())
	}
	return strings.Join(lists, "\x04")
}

func (c *caller) spellLimits() []string {
	all := make([]string, len(c.limits))
	for i, p := range c.limits {
		all[i] = p.spell()
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// unlikeStatements are the statements of both sides for which one side may differ from the other: those that one lacks,
// or all where boundaries and their like differ.
func unlikeStatements(a, b []*caller) map[*statement]bool {
	const (
		allows = iota
		denies
	)
	sides := [2]map[string]int{{}, {}} // meaning and kind, by side
	limits := [2][]string{}
	for side, callers := range [2][]*caller{a, b} {
		for _, c := range callers {
			limits[side] = append(limits[side], strings.Join(c.spellLimits(), "\x04")+mark(c.root))
			for _, s := range c.allow {
				sides[side][s.meaning] |= 1 << allows
			}
			for _, s := range c.deny {
				sides[side][s.meaning] |= 1 << denies
			}
		}
		slices.Sort(limits[side])
		limits[side] = slices.Compact(limits[side])
	}
	// With several callers on a side it matters who holds what, so that only whole callers can be alike.
	everything := !slices.Equal(limits[0], limits[1]) || len(a) > 1 || len(b) > 1
	unlike := map[*statement]bool{}
	for side, callers := range [2][]*caller{a, b} {
		for _, c := range callers {
			for _, s := range c.all {
				if everything || s.layer == iam.IdentityPolicy && sides[1-side][s.meaning] == 0 || s.Effect != iam.Allow && sides[1-side][s.meaning] == 0 {
					unlike[s] = true
				}
			}
		}
	}
	return unlike
}

// dropAlike leaves out of a the callers that stand in b too.
func dropAlike(a, b []*caller) []*caller {
	have := map[string]bool{}
	for _, c := range b {
		have[c.spell()] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(c *caller) bool { return have[c.spell()] })
}
