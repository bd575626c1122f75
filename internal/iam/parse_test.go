package iam

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// written compares what of a policy its author wrote.
var written = cmp.Options{
	cmpopts.IgnoreUnexported(Statement{}, Principals{}, Condition{}),
	cmpopts.EquateEmpty(),
}

// TestParseForms covers "Grammar of the IAM JSON policy language" (IAM User Guide, 2026-11).
func TestParseForms(t *testing.T) {
	for _, tt := range []struct {
		name, doc string
		want      Policy
	}{
		{
			"single statement, strings for lists",
			`{"Version":"2012-10-17","Id":"x","Statement":{"Sid":"s","Effect":"Allow","Action":"s3:Get*","Resource":"*"}}`,
			Policy{Version: "2012-10-17", ID: "x", Statements: []Statement{{Sid: "s", Index: 1, Effect: Allow, Action: []string{"s3:Get*"}, Resource: []string{"*"}}}},
		},
		{
			"lists, no version, two statements",
			`{"Statement":[{"Effect":"Deny","NotAction":["a:b","a:c"],"NotResource":["x","y"]},{"Effect":"Allow","Action":[],"Resource":[]}]}`,
			Policy{Statements: []Statement{
				{Index: 1, Effect: Deny, NotAction: []string{"a:b", "a:c"}, NotResource: []string{"x", "y"}},
				{Index: 2, Effect: Allow, Action: []string{}, Resource: []string{}},
			}},
		},
		{
			"names without regard to case",
			`{"version":"2008-10-17","STATEMENT":{"effect":"Allow","action":"*","resource":"*","principal":{"aws":"*"},"condition":{}}}`,
			Policy{Version: "2008-10-17", Statements: []Statement{{Index: 1, Effect: Allow, Action: []string{"*"}, Resource: []string{"*"}, Principal: &Principals{Everyone: true, AWS: []string{"*"}}}}},
		},
		{
			"every kind of principal",
			`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*"},{"Effect":"Allow","Action":"*","NotPrincipal":
			{"AWS":["111122223333"],"Service":"a.amazonaws.com","Federated":["p"],"CanonicalUser":"c","Alien":["x","y"]}}]}`,
			Policy{Statements: []Statement{
				{Index: 1, Effect: Allow, Action: []string{"*"}, Principal: &Principals{Everyone: true}},
				{Index: 2, Effect: Allow, Action: []string{"*"}, NotPrincipal: &Principals{
					AWS: []string{"111122223333"}, Service: []string{"a.amazonaws.com"},
					Federated: []string{"p"}, CanonicalUser: []string{"c"}, Other: []string{"Alien:x", "Alien:y"},
				}},
			}},
		},
		{
			"condition values of every type",
			`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"k":true},"NumericEquals":{"n":[1,2.50],"m":"3"},"NoSuch":{"k":"v"}}}}`,
			Policy{Statements: []Statement{{Index: 1, Effect: Allow, Action: []string{"*"}, Resource: []string{"*"}, Conditions: []Condition{
				{Operator: "Bool", Key: "k", Values: []string{"true"}},
				{Operator: "NumericEquals", Key: "n", Values: []string{"1", "2.50"}},
				{Operator: "NumericEquals", Key: "m", Values: []string{"3"}},
				{Operator: "NoSuch", Key: "k", Values: []string{"v"}},
			}}}},
		},
		{
			"percent-encoded, as the IAM API returns it",
			"%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22a%3Ab+c%22%2c%22Resource%22%3A%22%2A%22%7D%7D",
			Policy{Statements: []Statement{{Index: 1, Effect: Allow, Action: []string{"a:b+c"}, Resource: []string{"*"}}}},
		},
		{
			"not percent-encoded, with a percent sign",
			` {"Statement":{"Effect":"Allow","Action":"a:%62","Resource":"*"}}`,
			Policy{Statements: []Statement{{Index: 1, Effect: Allow, Action: []string{"a:%62"}, Resource: []string{"*"}}}},
		},
		{
			"what is not known is kept",
			`{"Version":"2030-01-01","Comment":{"a":[1,{"b":null}]},"Statement":{"Effect":"Maybe","When":1,"Action":"*","Resource":"*"}}`,
			Policy{Version: "2030-01-01", Unknown: []string{"element Comment", "Version 2030-01-01"}, Statements: []Statement{{
				Index: 1, Effect: "Maybe",
				Action: []string{"*"}, Resource: []string{"*"}, Unknown: []string{"element When", `Effect "Maybe"`},
			}}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse([]byte(tt.doc))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got, written); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ name, doc, want string }{
		{"nothing", "", "document: "},
		{"not an object", `["x"]`, "document: want an object, got a list at offset 0"},
		{"no statement", `{"Version":"2012-10-17"}`, "no Statement"},
		{"broken off", `{"Statement":[{"Effect":"Allow"`, "statement 1"},
		{"data after the end", `{"Statement":[]} {}`, "data after the document"},
		{"garbage after the end", `{"Statement":[]}x`, "data after the document"},
		{"a name twice", `{"Statement":[{"Effect":"Allow","Effect":"Deny"}]}`, `duplicate object member name "Effect"`},
		{"a name twice but for case", `{"Statement":[{},{"Effect":"Allow","effect":"Deny"}]}`, `statement 2: statement: "effect" is given twice`},
		{"a name twice, escaped", `{"Statement":[{"Action":"a:b","\u0041ction":"*"}]}`, "duplicate object member name"},
		{"a key twice", `{"Statement":[{"Condition":{"Bool":{"aws:X":"true","AWS:x":"false"}}}]}`, `"AWS:x" is given twice`},
		{"action of another type", `{"Statement":[{"Action":7}]}`, "statement 1: Action: want a string, got a number at offset"},
		{"list in a list", `{"Statement":[{"Action":[["a:b"]]}]}`, "Action: want a string, got a list"},
		{"null value", `{"Statement":[{"Condition":{"Bool":{"k":null}}}]}`, "Condition Bool k: want a string, number or boolean, got null"},
		{"principal of another type", `{"Statement":[{"Principal":["*"]}]}`, "Principal: want an object, got a list"},
		{"deep nesting", `{"X":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `,"Statement":[]}`, "nested too deeply"},
		{"deep nesting of objects", `{"X":` + strings.Repeat(`{"a":`, 50) + "1" + strings.Repeat("}", 50) + `,"Statement":[]}`, "nested too deeply"},
		{"invalid UTF-8", "{\"Statement\":[{\"Sid\":\"\xff\"}]}", "statement 1: Sid: "},
		{"broken percent-encoding", "%7B%2", "broken percent-encoding at offset 3"},
		{"too large", strings.Repeat(" ", maxSize+1), "more than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse([]byte(tt.doc))
			if err == nil {
				t.Fatalf("was read as %+v", p)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
		})
	}
}

func TestStatementText(t *testing.T) {
	p := policy(t, `{"Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":"*","Condition":{"Bool":{"aws:SecureTransport":true},"StringLike":{"k":["a","b"]}}}`,
		`{"Sid":"Out","Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"NotAction":"iam:*","NotResource":"arn:aws:s3:::b"}`,
		`{"Principal":{"Service":"pods.eks.amazonaws.com"},"Action":"sts:AssumeRole","Colour":"red"}`)
	var got []string
	for i := range p.Statements {
		got = append(got, p.Statements[i].Name()+": "+p.Statements[i].String())
	}
	want := []string{
		"statement 1: Allow s3:Get*, s3:List* on * if Bool aws:SecureTransport = true and StringLike k = a or b",
		"Out: Deny everyone but AWS:111122223333 to everything but iam:* on everything but arn:aws:s3:::b",
		`statement 3: (no effect) Service:pods.eks.amazonaws.com to sts:AssumeRole (not understood: element Colour, Effect "")`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"Version":"2012-10-17","Statement":[` + allowAll + `,` + denyGet + `]}`,
		`{"Statement":` + trustOf(`{"Federated":"`+provider+`"}`, `,"Condition":{"ForAnyValue:StringLikeIfExists":{"${x}":["${aws:username, 'a'}*",1,true]}}`) + `}`,
		`{"Statement":{"NotPrincipal":{"AWS":["*","arn:aws:iam::1:role/*"]},"NotAction":"*","NotResource":["arn:aws:s3:::${a:b}?*:x","${","${}"],"Condition":{"Null":{"a":"true"},"IpAddress":{"b":["::/0","x"]},"DateLessThan":{"c":["2020","1"]}}}}`,
		"%7B%22Statement%22:%5B%5D%7D", "{", `{"a":[[[[]]]]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		p, err := Parse(doc)
		if err != nil {
			return
		}
		who := RoleSession(roleARN, "alice")
		open, closed := new(Context), new(Context).Set("aws:username", "x", "y").Set("a:b", "*").Close()
		set := []Named{{"p", p}}
		for _, c := range []*Context{open, closed} {
			r := Request{Principal: who, Action: "s3:GetObject", Resource: object, Context: c}
			for _, ps := range []Policies{{Identity: set}, {Resource: set, Boundary: &set[0]}, {Trust: &set[0], SCP: [][]Named{set}}} {
				d := Evaluate(ps, r)
				if d.Verdict == Undecided && len(d.Unknowns()) == 0 && len(ps.Resource) == 0 && ps.Trust == nil {
					t.Fatalf("unknown without a reason: %s", doc)
				}
				_ = d.String()
			}
		}
	})
}
