package iam

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMeaning(t *testing.T) {
	r := &Request{Principal: ParsePrincipal("arn:aws:iam::111122223333:user/ann"), Context: new(Context).Set("aws:PrincipalTag/team", "a*b")}
	meaning := func(conditions string) string {
		t.Helper()
		p, err := Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":` + conditions + `}}`))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := p.Statements[0].Conditions[0].Meaning(r)
		return text
	}
	for name, tc := range map[string]struct {
		a, b string
		same bool
	}{
		"order and repetition":       {`{"StringEquals":{"k":["a","b"]}}`, `{"StringEquals":{"k":["b","a","b"]}}`, true},
		"case of operator and key":   {`{"stringequals":{"S3:Prefix":"a"}}`, `{"StringEquals":{"s3:prefix":"a"}}`, true},
		"case of values":             {`{"StringEquals":{"k":"A"}}`, `{"StringEquals":{"k":"a"}}`, false},
		"case of values that fold":   {`{"StringEqualsIgnoreCase":{"k":"A"}}`, `{"StringEqualsIgnoreCase":{"k":"a"}}`, true},
		"booleans":                   {`{"Bool":{"k":true}}`, `{"Bool":{"k":"True"}}`, true},
		"ARN operators":              {`{"ArnEquals":{"k":"arn:aws:s3:::b*"}}`, `{"ArnLike":{"k":"arn:aws:s3:::b*"}}`, true},
		"and their negation":         {`{"ArnNotEquals":{"k":"arn:aws:s3:::b*"}}`, `{"ArnLike":{"k":"arn:aws:s3:::b*"}}`, false},
		"a variable that is known":   {`{"StringEquals":{"k":"x-${aws:username}"}}`, `{"StringEquals":{"k":"x-ann"}}`, true},
		"one that is not":            {`{"StringEquals":{"k":"${aws:sourceip}"}}`, `{"StringEquals":{"k":"10.0.0.1"}}`, false},
		"one with a default":         {`{"StringEquals":{"k":"${aws:sourceip, 'a'}"}}`, `{"StringEquals":{"k":"${aws:sourceip, 'b'}"}}`, false},
		"a value with wildcards":     {`{"StringLike":{"k":"${aws:PrincipalTag/team}"}}`, `{"StringLike":{"k":"a*b"}}`, false},
		"other operators":            {`{"StringEquals":{"k":"a"}}`, `{"StringLike":{"k":"a"}}`, false},
		"other keys":                 {`{"StringEquals":{"k":"a"}}`, `{"StringEquals":{"l":"a"}}`, false},
		"a value that runs together": {`{"StringEquals":{"k":["ab","c"]}}`, `{"StringEquals":{"k":["a","bc"]}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			if a, b := meaning(tc.a), meaning(tc.b); (a == b) != tc.same {
				t.Errorf("%q and %q", a, b)
			}
		})
	}
}

func TestResourcePatterns(t *testing.T) {
	p, err := Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:Get*","S3:?"],"Resource":["arn:aws:s3:::b/${aws:username}/${*}/?","arn:aws:s3:::${aws:PrincipalTag/x}/*"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	s := &p.Statements[0]
	got, sure := s.ResourcePatterns(&Request{Principal: ParsePrincipal("arn:aws:iam::111122223333:user/ann")})
	want := [][]Piece{
		{{Text: "arn:aws:s3:::b/"}, {Text: "ann"}, {Text: "/*/"}, {Wild: OneAny}},
		{{Text: "arn:aws:s3:::"}, {Wild: ManyAny}, {Text: "/"}, {Wild: ManyAny}},
	}
	if d := cmp.Diff(want, got); d != "" || sure {
		t.Errorf("sure %v: %s", sure, d)
	}
	if d := cmp.Diff([][]Piece{{{Text: "s3:Get"}, {Wild: ManyAny}}, {{Text: "S3:"}, {Wild: OneAny}}}, s.ActionPatterns()); d != "" {
		t.Error(d)
	}
}
