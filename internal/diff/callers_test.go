package diff

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drawbridge/internal/iam"
)

const role = "arn:aws:iam::111122223333:role/app"

func policy(t testing.TB, statements string) iam.Named {
	p, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":[` + statements + `]}`))
	if err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
	return iam.Named{Name: "inline policy p", Policy: p}
}

// allow is a statement; lists are separated by spaces.
func allow(actions, resources string, condition ...string) string {
	s := fmt.Sprintf(`{"Effect":"Allow","Action":[%s],"Resource":[%s]`, quoted(actions), quoted(resources))
	if len(condition) > 0 {
		s += `,"Condition":` + condition[0]
	}
	return s + "}"
}

func deny(actions, resources string, condition ...string) string {
	return strings.Replace(allow(actions, resources, condition...), "Allow", "Deny", 1)
}

func quoted(words string) string { return `"` + strings.Join(strings.Fields(words), `","`) + `"` }

func app(t testing.TB, statements ...string) Caller {
	return Caller{Principal: iam.ParsePrincipal(role), Policies: iam.Policies{Identity: []iam.Named{policy(t, strings.Join(statements, ","))}}, Context: new(iam.Context).Set("aws:SecureTransport", "true")}
}

func inWords(only []Permission, open []Open) []string {
	var out []string
	list := func(all, but []string) string {
		s := strings.Join(all, ",")
		if len(but) > 0 {
			s += " but " + strings.Join(but, ",")
		}
		return s
	}
	for _, p := range only {
		s := list(p.Actions, p.ExceptActions) + " on " + list(p.Resources, p.ExceptResources)
		if len(p.If) > 0 {
			s += " if " + strings.Join(p.If, " and ")
		}
		if len(p.Unless) > 0 {
			s += " unless " + strings.Join(p.Unless, " or ")
		}
		out = append(out, s)
	}
	for _, o := range open {
		out = append(out, "? "+strings.Join(o.Actions, ",")+" on "+strings.Join(o.Resources, ",")+": "+o.Why)
	}
	return out
}

// objectARNs are the ARNs of n objects.
func objectARNs(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("arn:aws:s3:::b-%d/k", i)
	}
	return strings.Join(all, " ")
}

func TestMinus(t *testing.T) {
	const bucket, objects = "arn:aws:s3:::b", "arn:aws:s3:::b/*"
	ip := func(cidr string) string { return `{"IpAddress":{"aws:SourceIp":"` + cidr + `"}}` }
	with := func(c Caller, set func(*iam.Policies)) Caller { set(&c.Policies); return c }
	w := NewAWS()
	for name, tc := range map[string]struct {
		a, b []Caller
		want []string
	}{
		"the same": {[]Caller{app(t, allow("s3:*", "*"))}, []Caller{app(t, allow("s3:*", "*"))}, nil},
		"split, reordered, in another case": {
			[]Caller{app(t, allow("s3:GetObject s3:PutObject", objects+" "+bucket))},
			[]Caller{app(t, allow("S3:putobject", bucket+" "+objects), allow("s3:getobject", objects), allow("s3:GetObject", bucket))},
			nil,
		},
		"a pattern and its members": {[]Caller{app(t, allow("sqs:Send*", "*"))}, []Caller{app(t, allow("sqs:SendMessage", "*"))}, nil},
		"another resource":          {[]Caller{app(t, allow("s3:GetObject", objects))}, []Caller{app(t, allow("s3:GetObject", "arn:aws:s3:::c/*"))}, []string{"s3:GetObject on arn:aws:s3:::b/*"}},
		"wider resource": {
			[]Caller{app(t, allow("s3:GetObject", "arn:aws:s3:::*/*"))},
			[]Caller{app(t, allow("s3:GetObject", objects))},
			[]string{"s3:GetObject on arn:aws:s3:::*/* but arn:aws:s3:::b/*"},
		},
		"more actions":      {[]Caller{app(t, allow("s3:GetObject s3:DeleteObject", objects))}, []Caller{app(t, allow("s3:GetObject", objects))}, []string{"s3:DeleteObject on arn:aws:s3:::b/*"}},
		"all but some":      {[]Caller{app(t, allow("*", "*"))}, []Caller{app(t, allow("iam:*", "*"))}, []string{"* but iam:* on *"}},
		"a condition goes":  {[]Caller{app(t, allow("s3:GetObject", objects))}, []Caller{app(t, allow("s3:GetObject", objects, ip("10.0.0.0/8")))}, []string{"s3:GetObject on arn:aws:s3:::b/* unless IpAddress aws:SourceIp = 10.0.0.0/8"}},
		"a condition comes": {[]Caller{app(t, allow("s3:GetObject", objects, ip("10.0.0.0/8")))}, []Caller{app(t, allow("s3:GetObject", objects))}, nil},
		"another condition": {[]Caller{app(t, allow("s3:GetObject", objects, ip("10.0.0.0/8")))}, []Caller{app(t, allow("s3:GetObject", objects, ip("192.0.2.0/24")))}, []string{"s3:GetObject on arn:aws:s3:::b/* if IpAddress aws:SourceIp = 10.0.0.0/8 unless IpAddress aws:SourceIp = 192.0.2.0/24"}},
		"a condition spelled otherwise": {
			[]Caller{app(t, allow("s3:GetObject", objects, `{"StringLike":{"s3:x":"a"}}`))},
			[]Caller{app(t, allow("s3:GetObject", objects, `{"StringEquals":{"s3:x":"a"}}`))},
			[]string{"? s3:GetObject on arn:aws:s3:::b/*: depends on what cannot be compared: StringLike s3:x = a; but not StringEquals s3:x = a"},
		},
		"a condition that is known": {[]Caller{app(t, allow("s3:GetObject", objects))}, []Caller{app(t, allow("s3:GetObject", objects, `{"Bool":{"aws:SecureTransport":"true"}}`))}, nil},
		"a deny goes":               {[]Caller{app(t, allow("s3:*", "*"))}, []Caller{app(t, allow("s3:*", "*"), deny("s3:DeleteBucket", "*"))}, []string{"s3:DeleteBucket on *"}},
		"a deny comes":              {[]Caller{app(t, allow("s3:*", "*"), deny("s3:DeleteBucket", "*"))}, []Caller{app(t, allow("s3:*", "*"))}, nil},
		"a boundary hides it": {
			[]Caller{with(app(t, allow("s3:* iam:*", "*")), func(p *iam.Policies) { n := policy(t, allow("s3:*", "*")); p.Boundary = &n })}, []Caller{app(t, allow("s3:*", "*"))}, nil,
		},
		"a boundary goes": {
			[]Caller{app(t, allow("s3:GetObject sqs:SendMessage", "*"))},
			[]Caller{with(app(t, allow("s3:GetObject sqs:SendMessage", "*")), func(p *iam.Policies) { n := policy(t, allow("s3:*", "*")); p.Boundary = &n })},
			[]string{"sqs:SendMessage on *"},
		},
		"two callers are as good as one": {[]Caller{app(t, allow("s3:GetObject sqs:SendMessage", "*"))}, []Caller{app(t, allow("s3:GetObject", "*")), app(t, allow("sqs:SendMessage", "*"))}, nil},
		"many resources by name": {
			[]Caller{app(t, allow("s3:GetObject", objectARNs(300)+" arn:aws:s3:::b-7*"))},
			[]Caller{app(t, allow("s3:GetObject", objectARNs(300)+" arn:aws:s3:::b-77*"))},
			[]string{"s3:GetObject on arn:aws:s3:::b-7* but arn:aws:s3:::b-7/k,arn:aws:s3:::b-70/k,arn:aws:s3:::b-71/k,arn:aws:s3:::b-72/k,arn:aws:s3:::b-73/k,arn:aws:s3:::b-74/k,arn:aws:s3:::b-75/k,arn:aws:s3:::b-76/k,arn:aws:s3:::b-77*,arn:aws:s3:::b-78/k,arn:aws:s3:::b-79/k"},
		},
		"an unknown service": {[]Caller{app(t, allow("nonesuch:Do*", "*"))}, []Caller{app(t, allow("nonesuch:Done", "*"))}, []string{"nonesuch:Do* but nonesuch:Done on *"}},
		"not read on one side": {
			[]Caller{app(t, allow("s3:GetObject", objects))},
			[]Caller{with(app(t), func(p *iam.Policies) { p.Unread = []iam.Layer{iam.IdentityPolicy} })},
			[]string{"? ", "? s3:GetObject on"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := inWords(w.Minus(tc.a, tc.b))
			if strings.HasPrefix(name, "not read") {
				for i := range got {
					got[i] = got[i][:min(len(got[i]), len(tc.want[i]))]
				}
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

var someActions = []string{"s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:ListAllMyBuckets", "sqs:SendMessage", "ec2:DescribeInstances", "nonesuch:Do", "nonesuch:Done"}

var someResources = []string{
	"arn:aws:s3:::b", "arn:aws:s3:::b/k", "arn:aws:s3:::b/d/k", "arn:aws:s3:::c", "arn:aws:s3:::c/k", "arn:aws:sqs:us-east-1:111122223333:q",
	"arn:aws:nonesuch:::x", "*",
}

func genStatement(t *rapid.T) string {
	list := func(label string, from ...string) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(from), 1, 2).Draw(t, label), " ")
	}
	s := allow(list("actions", "*", "s3:*", "s3:Get*", "s3:GetObject", "s3:*Object", "s3:List*", "sqs:SendMessage", "ec2:Describe*", "nonesuch:Do*", "nonesuch:Do", "n*:Done"),
		list("resources", "*", "arn:aws:s3:::*", "arn:aws:s3:::b", "arn:aws:s3:::b/*", "arn:aws:s3:::b/d/*", "arn:aws:s3:::*/k", "arn:aws:sqs:*:*:q", "arn:aws:s3:::?"))
	if rapid.IntRange(0, 2).Draw(t, "if") == 0 {
		c := rapid.SampledFrom([]string{
			`{"StringEquals":{"k":"a"}}`, `{"StringEquals":{"k":["b","a"]}}`, `{"StringNotEquals":{"k":"a"}}`, `{"StringLike":{"k":"a*"}}`, `{"Bool":{"aws:SecureTransport":"false"}}`,
			`{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, `{"Null":{"k":"true"}}`, `{"ForAllValues:StringEquals":{"k":["a","b"]}}`, `{"StringEquals":{"k":"a","j":"b"}}`,
		}).Draw(t, "condition")
		s = strings.TrimSuffix(s, "}") + `,"Condition":` + c + "}"
	}
	if rapid.IntRange(0, 3).Draw(t, "deny") == 0 {
		s = strings.Replace(s, "Allow", "Deny", 1)
	}
	if rapid.IntRange(0, 5).Draw(t, "not action") == 0 {
		s = strings.Replace(s, `"Action"`, `"NotAction"`, 1)
	}
	if rapid.IntRange(0, 5).Draw(t, "not resource") == 0 {
		s = strings.Replace(s, `"Resource"`, `"NotResource"`, 1)
	}
	return s
}

func genCallers(t *rapid.T, tb testing.TB) []Caller {
	var all []Caller
	for range rapid.IntRange(0, 2).Draw(t, "callers") {
		c := app(tb, rapid.SliceOfN(rapid.Custom(genStatement), 0, 3).Draw(t, "statements")...)
		if rapid.IntRange(0, 3).Draw(t, "bounded") == 0 {
			n := policy(tb, rapid.Custom(genStatement).Draw(t, "boundary"))
			c.Policies.Boundary = &n
		}
		if rapid.IntRange(0, 4).Draw(t, "unread") == 0 {
			c.Policies.Unread = []iam.Layer{iam.IdentityPolicy}
		}
		all = append(all, c)
	}
	return all
}

func verdict(callers []Caller, r iam.Request) iam.Verdict {
	best := iam.Denied
	for _, c := range callers {
		one := r
		one.Principal = c.Principal
		one.Context = r.Context
		switch d := iam.EvaluateIdentity(c.Policies, one); d.Verdict {
		case iam.Allowed:
			return iam.Allowed
		case iam.Undecided:
			best = iam.Undecided
		}
	}
	return best
}

func matchesAny(patterns []string, s string, fold bool) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if fold {
			p, s = strings.ToLower(p), strings.ToLower(s)
		}
		return textGlob(p).match(s)
	})
}

// Whatever one side allows and the other denies is in the difference or open, and every witness shows a difference.
func TestMinusAgreesWithRequests(t *testing.T) {
	w := NewAWS()
	proven, undecided, examples := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		a, b := genCallers(rt, t), genCallers(rt, t)
		only, open := w.Minus(a, b)
		proven, undecided = proven+len(only), undecided+len(open)
		for _, p := range only {
			if verdict(a[p.Caller:p.Caller+1], p.Witness) != iam.Allowed || verdict(b, p.Witness) != iam.Denied {
				rt.Fatalf("%s on %s is no witness of %s", p.Witness.Action, p.Witness.Resource, inWords(only, nil))
			}
		}
		if only, open := w.Minus(a, a); len(only)+len(open) > 0 {
			rt.Fatalf("a without itself: %s", inWords(only, open))
		}
		context := func() *iam.Context {
			c := new(iam.Context).Set("aws:SecureTransport", "true")
			c.Set("k", rapid.SampledFrom([][]string{nil, {"a"}, {"b"}, {"ab"}, {"z"}}).Draw(rt, "k")...)
			c.Set("j", rapid.SampledFrom([][]string{nil, {"b"}}).Draw(rt, "j")...)
			c.Set("aws:SourceIp", rapid.SampledFrom([]string{"10.1.1.1", "192.0.2.1"}).Draw(rt, "ip"))
			return c.Close()
		}()
		for _, action := range someActions {
			for _, resource := range someResources {
				r := iam.Request{Action: action, Resource: resource, Context: context}
				if !possible(action, resource) || verdict(a, r) != iam.Allowed || verdict(b, r) != iam.Denied || len(open) > 0 {
					continue
				}
				if slices.ContainsFunc(only, func(p Permission) bool { return strings.Contains(strings.Join(p.Resources, ","), "such as ") }) {
					examples++
					continue
				}
				if !slices.ContainsFunc(only, func(p Permission) bool {
					return (matchesAny(p.Actions, action, true) || slices.Contains(p.Actions, "(actions that AWS has not published)")) && !matchesAny(p.ExceptActions, action, true) &&
						matchesAny(p.Resources, resource, false) && !matchesAny(p.ExceptResources, resource, false)
				}) {
					rt.Fatalf("%s on %s is not in %s", action, resource, inWords(only, open))
				}
			}
		}
	})
	t.Logf("%d proven, %d open, %d by example", proven, undecided, examples)
}

// possible says whether AWS knows of such requests.
func possible(action, resource string) bool {
	f := formsOf(action)
	if resource == noResource {
		return !f.named
	}
	return slices.ContainsFunc(f.arns, func(form string) bool { return formGlob(form, "aws").match(resource) })
}
