package iam

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEditStatements(t *testing.T) {
	const doc = `{"Version": "2012-10-17", "Statement": [{"Sid": "a", "Effect": "Allow", "Action": "x:y"}, {"Sid": "b", "Effect":"Deny","Action":"*"}], "Id": "z"}`
	drop := func(sid string) func(*Statement, []byte) ([]byte, error) {
		return func(s *Statement, text []byte) ([]byte, error) {
			if s.Sid == sid {
				return nil, nil
			}
			return text, nil
		}
	}
	for _, tt := range []struct {
		name, doc, want string
		edit            func(*Statement, []byte) ([]byte, error)
	}{
		{"nothing", doc, `{"Version":"2012-10-17","Statement":[{"Sid": "a", "Effect": "Allow", "Action": "x:y"},{"Sid": "b", "Effect":"Deny","Action":"*"}],"Id":"z"}`, drop("")},
		{"one is dropped", doc, `{"Version":"2012-10-17","Statement":[{"Sid": "b", "Effect":"Deny","Action":"*"}],"Id":"z"}`, drop("a")},
		{"a lone statement, an element in other letters", `{"statement": {"Sid": "a", "Effect": "Allow", "Action": "x:y"}}`, `{"statement":[]}`, drop("a")},
		{"percent-encoded", `%7B%22Statement%22%3A%5B%5D%7D`, `{"Statement":[]}`, drop("a")},
		{"no policy", `{"Statement": [`, "", drop("a")},
		{"an error", doc, "", func(*Statement, []byte) ([]byte, error) { return nil, errors.New("no") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := EditStatements([]byte(tt.doc), tt.edit)
			if (err != nil) != (tt.want == "") {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAddStatement(t *testing.T) {
	const one = `{"Sid":"n","Effect":"Deny","Action":"*"}`
	for in, want := range map[string]string{
		`{"Statement":[]}`: `{"Statement":[` + one + `]}`,
		`{"Version":"2012-10-17","statement": {"Effect":"Allow","Action":"a:b"},"Id":"z"}`: `{"Version":"2012-10-17","statement":[{"Effect":"Allow","Action":"a:b"},` + one + `],"Id":"z"}`,
		`{"Statement":[ {"Effect":"Allow","Action":"a:b"} ]}`:                              `{"Statement":[{"Effect":"Allow","Action":"a:b"},` + one + `]}`,
		`%7B%22Statement%22%3A%5B%5D%7D`:                                                   `{"Statement":[` + one + `]}`,
		`{"Version":"2012-10-17"}`:                                                         "",
		`{"Statement":`:                                                                    "",
	} {
		got, err := AddStatement([]byte(in), []byte(one))
		if (err != nil) != (want == "") {
			t.Errorf("%s: %v", in, err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s: %s", in, diff)
		}
	}
}

func TestWithoutPrincipal(t *testing.T) {
	for in, want := range map[string]string{
		`{"Effect":"Allow","Principal":{"Federated":"p"}}`:                          "",
		`{"Effect":"Allow","principal":{"federated":["p","p"]}}`:                    "",
		`{"Effect":"Allow","Principal":{"Federated":["q","p"],"Service":"s"}}`:      `{"Effect":"Allow","Principal":{"Federated":["q"],"Service":"s"}}`,
		`{"Effect":"Allow","Principal":{"AWS":"p"}}`:                                `{"Effect":"Allow","Principal":{"AWS":"p"}}`,
		`{"Effect":"Allow","Principal":"*","Condition":{"Bool":{"Federated":"p"}}}`: `{"Effect":"Allow","Principal":"*","Condition":{"Bool":{"Federated":"p"}}}`,
	} {
		got, err := WithoutPrincipal([]byte(in), "Federated", "p")
		if err != nil || string(got) != want {
			t.Errorf("%s becomes %s, %v; want %s", in, got, err, want)
		}
	}
}

func TestSetConditions(t *testing.T) {
	for _, tt := range []struct {
		name, statement, want string
	}{
		{"none", `{"Effect":"Allow"}`, `{"Effect":"Allow","Condition":{"StringEquals":{"i:aud":"sts","i:sub":["a","b"]}}}`},
		{"an empty statement", `{ }`, `{"Condition":{"StringEquals":{"i:aud":"sts","i:sub":["a","b"]}}}`},
		{
			"conditions on the keys go, whatever the operator and the letters", `{"condition":{"StringLike":{"I:SUB":"*"},"Bool":{"x":"true"}},"Effect":"Allow"}`,
			`{"Effect":"Allow","Condition":{"Bool":{"x":"true"},"StringEquals":{"i:aud":"sts","i:sub":["a","b"]}}}`,
		},
		{"an operator that is there", `{"Condition":{"stringequals":{"i:sub":"x","y":"z"}}}`, `{"Condition":{"stringequals":{"i:aud":"sts","i:sub":["a","b"],"y":"z"}}}`},
		{"a condition that would be widened", `{"Condition":{"StringEquals":{"I:aud":"other"}}}`, ""},
		{"no object", `[]`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := SetConditions([]byte(tt.statement), []string{"i:sub"}, "StringEquals", map[string][]string{"i:aud": {"sts"}, "i:sub": {"a", "b"}})
			if (err != nil) != (tt.want == "") {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzEditStatements: a document that parses and is edited parses again, with the statements that were not touched.
func FuzzEditStatements(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"a:b","Condition":{"StringLike":{"k":["*"]}}},{"Effect":"Deny","Action":"*"}]}`)
	f.Add(`{"statement":{"Effect":"Allow","condition":{}}}`)
	f.Fuzz(func(t *testing.T, doc string) {
		before, err := Parse([]byte(doc))
		if err != nil {
			return
		}
		out, err := EditStatements([]byte(doc), func(s *Statement, text []byte) ([]byte, error) {
			if s.Index > 1 {
				return text, nil
			}
			changed, err := SetConditions(text, []string{"k"}, "StringEquals", map[string][]string{"k": {"v"}})
			if err != nil {
				return text, nil //nolint:nilerr // what cannot be edited stays
			}
			return changed, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		after, err := Parse(out)
		if err != nil {
			t.Fatalf("%s becomes %s: %v", doc, out, err)
		}
		if len(after.Statements) != len(before.Statements) {
			t.Fatalf("%s becomes %s", doc, out)
		}
		for i := range after.Statements {
			if i > 0 && after.Statements[i].String() != before.Statements[i].String() {
				t.Fatalf("statement %d: %s becomes %s", i+1, &before.Statements[i], &after.Statements[i])
			}
		}
	})
}
