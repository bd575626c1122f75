package iam

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The generators draw from few words, so that statements often meet requests.
var (
	someActions    = []string{"s3:GetObject", "s3:PutObject", "sts:AssumeRole", "kms:Decrypt", "ec2:RunInstances"}
	actionPatterns = []string{"*", "s3:*", "s3:Get*", "S3:?utObject", "sts:AssumeRole", "kms:*", "ec2:Run*"}
	someResources  = []string{object, "arn:aws:s3:::bucket/red/x", "arn:aws:s3:::other/a:b", "arn:aws:iam::111122223333:role/target", "arn:aws:kms:eu-central-1:111122223333:key/1", "*"}
	resPatterns    = []string{"*", "arn:aws:s3:::*", "arn:aws:s3:::bucket/${k1}/*", "arn:aws:s3:::${k2, 'bucket'}/*", "arn:aws:s3:::o*r/a:?", "arn:aws:*", "arn:aws:iam::111122223333:role/*", "arn:aws:kms:*:*:key/*"}
	someKeys       = []string{"k1", "k2", "aws:PrincipalTag/x", "aws:SourceIp"}
	someValues     = []string{"red", "blue", "true", "10", "2026-11-01", "203.0.113.7", "arn:aws:s3:::bucket", "*", ""}
	valuePatterns  = []string{"red", "r*", "*", "true", "false", "10", "9.5", "2026", "203.0.113.0/24", "arn:aws:s3:::*", "${k1}", "${k2, 'red'}", "bl?e", ""}
	somePrincipals = []string{`"*"`, `{"AWS":"111122223333"}`, `{"AWS":"444455556666"}`, `{"AWS":"` + roleARN + `"}`, `{"AWS":"` + sessionARN + `"}`, `{"AWS":["` + userARN + `","AROAEXAMPLE"]}`, `{"Service":"pods.eks.amazonaws.com"}`, `{"Federated":"` + provider + `"}`, `{"AWS":["111122223333","` + roleARN + `","` + sessionARN + `"]}`, `{"CanonicalUser":"79a5"}`}
	someCallers    = []Principal{session(), RoleSession(roleARN, ""), ParsePrincipal(userARN), ParsePrincipal(home), ServicePrincipal("pods.eks.amazonaws.com"), FederatedPrincipal(provider), ParsePrincipal("*"), {}}
)

func conditionOperators() []string {
	var all []string
	for name := range operators {
		all = append(all, name, name+"IfExists", "ForAllValues:"+name, "ForAnyValue:"+name, "ForAnyValue:"+name+"IfExists")
	}
	slices.Sort(all)
	return append(all, "NoSuchOperator")
}

func drawStatement(t *rapid.T, l Layer, effect string) string {
	m := map[string]any{"Effect": effect}
	either := func(name string, patterns []string) {
		if rapid.IntRange(0, 4).Draw(t, "not") == 0 {
			name = "Not" + name
		}
		m[name] = rapid.SliceOfN(rapid.SampledFrom(patterns), 1, 2).Draw(t, name)
	}
	either("Action", actionPatterns)
	if l != TrustPolicy {
		either("Resource", resPatterns)
	}
	if l.ofResource() {
		name := "Principal"
		if l == ResourcePolicy && rapid.IntRange(0, 5).Draw(t, "not") == 0 {
			name = "NotPrincipal"
		}
		m[name] = json.RawMessage(rapid.SampledFrom(somePrincipals).Draw(t, name))
	}
	if rapid.IntRange(0, 9).Draw(t, "odd") == 0 {
		m["Odd"] = 1
	}
	conditions := map[string]map[string][]string{}
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		operator := rapid.SampledFrom(conditionOperators()).Draw(t, "operator")
		conditions[operator] = map[string][]string{rapid.SampledFrom(someKeys).Draw(t, "key"): rapid.SliceOfN(rapid.SampledFrom(valuePatterns), 0, 2).Draw(t, "values")}
	}
	m["Condition"] = conditions
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func drawPolicy(t *rapid.T, l Layer) Named {
	var all []string
	for range rapid.IntRange(1, 3).Draw(t, "statements") {
		all = append(all, drawStatement(t, l, rapid.SampledFrom([]string{"Allow", "Allow", "Allow", "Deny"}).Draw(t, "effect")))
	}
	p, err := Parse([]byte(`{"Version":"2012-10-17","Statement":[` + strings.Join(all, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return Named{l.String(), p}
}

func drawPolicies(t *rapid.T) Policies {
	var p Policies
	list := func(l Layer, least int) []Named {
		var all []Named
		for range rapid.IntRange(least, 2).Draw(t, l.String()) {
			all = append(all, drawPolicy(t, l))
		}
		return all
	}
	p.Identity, p.Resource, p.Session = list(IdentityPolicy, 0), list(ResourcePolicy, 0), list(SessionPolicy, 0)
	if rapid.Bool().Draw(t, "boundary") {
		b := drawPolicy(t, Boundary)
		p.Boundary = &b
	}
	if rapid.Bool().Draw(t, "trust") {
		b := drawPolicy(t, TrustPolicy)
		p.Trust = &b
	}
	for range rapid.IntRange(0, 1).Draw(t, "scp levels") {
		p.SCP = append(p.SCP, list(SCP, 1))
	}
	for range rapid.IntRange(0, 1).Draw(t, "rcp levels") {
		p.RCP = append(p.RCP, list(RCP, 1))
	}
	if rapid.IntRange(0, 4).Draw(t, "unread") == 0 {
		p.Unread = []Layer{Layer(rapid.IntRange(0, int(layers)-1).Draw(t, "layer"))}
	}
	return p
}

// drawRequest returns a request of which some is unknown.
func drawRequest(t *rapid.T) Request {
	r := Request{
		Principal: rapid.SampledFrom(someCallers).Draw(t, "principal"),
		Action:    rapid.SampledFrom(someActions).Draw(t, "action"),
		Resource:  rapid.SampledFrom(append(someResources, "")).Draw(t, "resource"),
		Context:   new(Context),
	}
	r.ResourceAccount = rapid.SampledFrom([]string{"", home, abroad}).Draw(t, "account")
	for _, k := range someKeys {
		if rapid.Bool().Draw(t, k+" known") {
			r.Context.Set(k, drawValues(t)...)
		}
	}
	return r
}

func drawValues(t *rapid.T) []string {
	return rapid.SliceOfN(rapid.SampledFrom(someValues), 0, 2).Draw(t, "values")
}

// TestUnknownRefines: whatever an unknown part of a request or of the policies turns out to be, it never
// contradicts a verdict reached without it.
func TestUnknownRefines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, r := drawPolicies(t), drawRequest(t)
		before := Evaluate(p, r)
		r.Context = r.Context.Clone()
		what := "nothing"
		switch rapid.IntRange(0, 5).Draw(t, "refine") {
		case 0:
			if r.Principal.Kind == Role && r.Principal.session == "" {
				what, r.Principal = "session", session()
			}
		case 1:
			if r.Principal.Kind == NoPrincipal {
				what, r.Principal = "principal", rapid.SampledFrom(someCallers).Draw(t, "principal")
			}
		case 2:
			if r.Resource == "" {
				what, r.Resource = "resource", rapid.SampledFrom(someResources).Draw(t, "resource")
				if a, err := ParseARN(r.Resource); r.ResourceAccount == "" && (err != nil || a.Account == "") {
					r.ResourceAccount = r.Principal.Account // as an empty resource is documented to be
				}
			}
		case 3:
			if r.ResourceAccount == "" && strings.HasPrefix(r.Resource, "arn:aws:s3:::") {
				what, r.ResourceAccount = "account", rapid.SampledFrom([]string{home, abroad}).Draw(t, "account")
			}
		case 4:
			if len(p.Unread) > 0 {
				what = "layer"
				readLayer(t, &p)
			}
		default:
			key := rapid.SampledFrom(someKeys).Draw(t, "key")
			if _, known := r.Context.lookup(strings.ToLower(key)); !known {
				what = key
				r.Context.Set(key, drawValues(t)...)
			}
		}
		after := Evaluate(p, r)
		if before.Verdict != Undecided && after.Verdict != before.Verdict {
			t.Fatalf("%s turns %v into %v", what, before.Verdict, after)
		}
		for _, d := range []Decision{before, after} {
			if d.Verdict == Undecided && len(d.Unknowns()) == 0 {
				t.Fatal("unknown without a reason")
			}
			if d.Explicit && len(d.By()) == 0 {
				t.Fatal("denied by nothing")
			}
		}
	})
}

// readLayer gives the unread layer some policies.
func readLayer(t *rapid.T, p *Policies) {
	l := p.Unread[0]
	p.Unread = nil
	n := drawPolicy(t, l)
	switch l {
	case IdentityPolicy:
		p.Identity = append(p.Identity, n)
	case Boundary:
		if p.Boundary == nil && rapid.Bool().Draw(t, "a boundary") {
			p.Boundary = &n
		}
	case SessionPolicy:
		if p.Session == nil && rapid.Bool().Draw(t, "a session policy") {
			p.Session = []Named{n}
		}
	case SCP:
		p.SCP = append(p.SCP, []Named{n})
	case RCP:
		p.RCP = append(p.RCP, []Named{n})
	case ResourcePolicy:
		p.Resource = append(p.Resource, n)
	case TrustPolicy:
		if p.Trust == nil {
			p.Trust = &n
		}
	}
}

// TestDenyOnlyDenies: one more Deny statement never opens anything.
func TestDenyOnlyDenies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, r := drawPolicies(t), drawRequest(t)
		before := Evaluate(p, r)
		l := rapid.SampledFrom([]Layer{IdentityPolicy, SCP, ResourcePolicy, TrustPolicy}).Draw(t, "layer")
		deny, err := Parse([]byte(`{"Version":"2012-10-17","Statement":` + drawStatement(t, l, "Deny") + `}`))
		if err != nil {
			t.Fatal(err)
		}
		n := Named{"deny", deny}
		switch l {
		case IdentityPolicy:
			p.Identity = append(p.Identity, n)
		case SCP:
			for i := range p.SCP {
				p.SCP[i] = append(p.SCP[i], n)
			}
		case ResourcePolicy:
			if len(p.Resource) > 0 {
				p.Resource = append(p.Resource, n)
			}
		case TrustPolicy:
			if p.Trust != nil {
				both := &Policy{Statements: append(slices.Clone(p.Trust.Policy.Statements), deny.Statements...)}
				p.Trust = &Named{"both", both}
			}
		}
		after := Evaluate(p, r)
		worse := map[Verdict][]Verdict{Denied: {Denied}, Undecided: {Undecided, Denied}, Allowed: {Allowed, Undecided, Denied}}
		if !slices.Contains(worse[before.Verdict], after.Verdict) {
			t.Fatalf("a Deny in the %v turns %v into %v", l, before.Verdict, after)
		}
	})
}

// TestParseNeverPanics on damaged policies.
func TestParseNeverPanics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := []byte(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[%s]}`, drawStatement(t, ResourcePolicy, "Allow")))
		for range rapid.IntRange(1, 4).Draw(t, "damages") {
			i := rapid.IntRange(0, len(doc)-1).Draw(t, "at")
			doc[i] = rapid.SampledFrom([]byte(`{}[]",:*?$%01 t`)).Draw(t, "byte")
		}
		if p, err := Parse(doc); err == nil {
			Evaluate(Policies{Resource: []Named{{"p", p}}}, drawRequest(t))
		}
	})
}
