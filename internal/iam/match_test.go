package iam

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestAction covers "IAM JSON policy elements: Action" (IAM User Guide, 2026-11): prefix and name are not
// case-sensitive, * and ? are wildcards.
func TestAction(t *testing.T) {
	for _, tt := range []struct {
		pattern, action string
		want            Truth
	}{
		{"*", "eks:CreateAccessEntry", True},
		{"eks:*", "eks:CreateAccessEntry", True},
		{"EKS:createaccess*", "eks:CreateAccessEntry", True},
		{"eks:*Access*", "eks:CreateAccessEntry", True},
		{"eks:?reateAccessEntry", "eks:CreateAccessEntry", True},
		{"eks:CreateAccessEntr", "eks:CreateAccessEntry", False},
		{"eks:CreateAccessEntry?", "eks:CreateAccessEntry", False},
		{"eks-auth:*", "eks:CreateAccessEntry", False},
		{"ec2:*", "eks:CreateAccessEntry", False},
		{"${*}", "eks:CreateAccessEntry", False},
		{"", "eks:CreateAccessEntry", False},
	} {
		t.Run(tt.pattern, func(t *testing.T) {
			s := &policy(t, `{"Effect":"Allow","Action":"`+tt.pattern+`","Resource":"*"}`).Statements[0]
			if got := s.MatchesAction(tt.action); got != tt.want {
				t.Errorf("Action: %v, want %v", got, tt.want)
			}
			s = &policy(t, `{"Effect":"Allow","NotAction":["x:y","`+tt.pattern+`"],"Resource":"*"}`).Statements[0]
			if got := s.MatchesAction(tt.action); got != -tt.want {
				t.Errorf("NotAction: %v, want %v", got, -tt.want)
			}
		})
	}
}

// TestResource covers "IAM JSON policy elements: Resource" and "IAM policy elements: Variables and tags"
// (IAM User Guide, 2026-11).
func TestResource(t *testing.T) {
	c := func() *Context {
		return new(Context).Set("aws:PrincipalTag/team", "red").Set("aws:userid", "AROAEXAMPLE:alice").Set("k", "a", "b").Set("w", "r*").SetAbsent("aws:username")
	}
	for _, tt := range []struct {
		pattern, resource string
		want              Truth
	}{
		{"*", "arn:aws:s3:::b/k", True},
		{"*", "*", True},
		{"arn:aws:s3:::b", "*", False},
		{"arn:aws:s3:::b/*", "arn:aws:s3:::b/k/l", True},
		{"arn:aws:s3:::B/*", "arn:aws:s3:::b/k", False},
		{"arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/1/2/test/3", True},
		{"arn:aws:s3:::b?c", "arn:aws:s3:::b-c", True},
		{"arn:aws:sqs:*:111122223333:q", "arn:aws:sqs:eu-central-1:111122223333:q", True},
		{"arn:aws:sqs:*:111122223333:q", "arn:aws:sqs:eu-central-1:444455556666:q", False},
		{"arn:*:s3:::b", "arn:aws-us-gov:s3:::b", True},
		// A star that ends its segment "can expand to match beyond the colon boundaries".
		{"arn:aws:s3:*", "arn:aws:s3:::b/k", True},
		{"arn:*", "arn:aws:s3:::b/k", True},
		{"arn:aws:logs:*:111122223333:log-group:*:log-stream:x", "arn:aws:logs:eu-central-1:111122223333:log-group:a:b:log-stream:x", True},
		{"arn:aws:sqs:*:q", "arn:aws:sqs:eu-central-1:111122223333:q", True},
		// Of other wildcards the page only says that they stand for characters within a segment.
		{"arn:aws:sqs:eu*3:q", "arn:aws:sqs:eu-central-1:111122223333:q", Unknown},
		{"arn:aws:sqs:eu-central-1?111122223333:q", "arn:aws:sqs:eu-central-1:111122223333:q", Unknown},
		{"arn:aws:logs:*:111122223333:log-group:/aws*x", "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/eks:log-stream:x", True},
		{"arn:aws:s3:::b/a?b", "arn:aws:s3:::b/a:b", True},
		// Wildcards in the type of the resource are "not allowed".
		{"arn:aws:iam::111122223333:u*", "arn:aws:iam::111122223333:user/carlos", Unknown},
		{"arn:aws:eks:*:111122223333:*/prod", "arn:aws:eks:eu-central-1:111122223333:cluster/prod", Unknown},
		{"arn:aws:eks:*:111122223333:*/prod", "arn:aws:eks:eu-central-1:111122223333:cluster/test", False},
		{"arn:aws:iam::111122223333:*", "arn:aws:iam::111122223333:user/carlos", True},
		{"arn:aws:iam::111122223333:user/*", "arn:aws:iam::111122223333:user/carlos", True},
		{"arn:aws:s3:::*/k", "arn:aws:s3:::b/k", True},
		{"arn:aws:sns:*:111122223333:t*:*", "arn:aws:sns:eu-central-1:111122223333:topic:1", True},
		{"arn:aws:logs:eu-*1:111122223333:log-group:*", "arn:aws:logs:eu-central-1:111122223333:log-group:a:b", True},
		{"arn:aws:sqs:eu*4:q", "arn:aws:sqs:eu-central-1:111122223333:q", False},
		// Variables, defaults and escapes.
		{"arn:aws:s3:::b/${aws:PrincipalTag/team}/*", "arn:aws:s3:::b/red/x", True},
		{"arn:aws:s3:::b/${AWS:principaltag/TEAM}/*", "arn:aws:s3:::b/red/x", True},
		{"arn:aws:s3:::b/${aws:PrincipalTag/team}/*", "arn:aws:s3:::b/blue/x", False},
		{"arn:aws:s3:::b/${aws:userid}/*", "arn:aws:s3:::b/AROAEXAMPLE:alice/x", True},
		{"arn:aws:s3:::b/${aws:username}*", "arn:aws:s3:::b/", False},
		{"arn:aws:s3:::b/${aws:username, 'nobody'}", "arn:aws:s3:::b/nobody", True},
		{"arn:aws:s3:::b/${ aws:username , 'it''s' }", "arn:aws:s3:::b/it's", True},
		{"arn:aws:s3:::b/${aws:PrincipalTag/team, 'x'}", "arn:aws:s3:::b/x", False},
		{"arn:aws:s3:::b/${unknown}/x", "arn:aws:s3:::b/y/x", Unknown},
		{"arn:aws:s3:::b/${unknown, 'y'}/x", "arn:aws:s3:::b/y/x", Unknown},
		{"arn:aws:s3:::b/${unknown}/x", "arn:aws:s3:::c/y/x", False},
		{"arn:aws:s3:::b/${k}", "arn:aws:s3:::b/a", Unknown},
		{"arn:aws:s3:::b/${w}", "arn:aws:s3:::b/red", Unknown},
		{"arn:aws:s3:::b/${*}${?}${$}", "arn:aws:s3:::b/*?$", True},
		{"arn:aws:s3:::b/${*}", "arn:aws:s3:::b/x", False},
		{"arn:aws:s3:::b/$x", "arn:aws:s3:::b/$x", True},
		{"arn:aws:s3:::b/${broken", "arn:aws:s3:::b/x", Unknown},
		{"arn:aws:s3:::b/${k, broken}", "arn:aws:s3:::b/x", Unknown},
		{"arn:aws:s3:::b/${}", "arn:aws:s3:::b/x", Unknown},
		{"arn:aws:sqs:eu-central-1:${aws:PrincipalTag/team}:q", "arn:aws:sqs:eu-central-1:red:q", Unknown},
		// The resource is not known.
		{"*", "", True},
		{"arn:aws:s3:::*", "", Unknown},
	} {
		t.Run(tt.pattern+" on "+tt.resource, func(t *testing.T) {
			r := Request{Principal: session(), Resource: tt.resource, Context: c()}
			s := &policy(t, `{"Effect":"Allow","Action":"*","Resource":["arn:none","`+tt.pattern+`"]}`).Statements[0]
			if got := s.MatchesResource(&r); got != tt.want {
				t.Errorf("Resource: %v, want %v", got, tt.want)
			}
			s = &policy(t, `{"Effect":"Allow","Action":"*","NotResource":"`+tt.pattern+`"}`).Statements[0]
			if got := s.MatchesResource(&r); got != -tt.want {
				t.Errorf("NotResource: %v, want %v", got, -tt.want)
			}
		})
	}
}

// TestVariablesNeedVersion: without version 2012-10-17 variables "are treated as literal strings".
func TestVariablesNeedVersion(t *testing.T) {
	for _, version := range []string{`"Version":"2008-10-17",`, ""} {
		p, err := Parse([]byte(`{` + version + `"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/${aws:username}"}}`))
		if err != nil {
			t.Fatal(err)
		}
		for resource, want := range map[string]Truth{"arn:aws:s3:::b/carlos": False, "arn:aws:s3:::b/${aws:username}": True} {
			r := Request{Principal: ParsePrincipal(userARN), Resource: resource}
			if got := p.Statements[0].MatchesResource(&r); got != want {
				t.Errorf("%s on %s: %v, want %v", version, resource, got, want)
			}
		}
	}
}

// TestHostilePattern keeps matching linear where backtracking over every star would not end.
func TestHostilePattern(t *testing.T) {
	p := compileResource(strings.Repeat("a*", 5000)+"b", true)
	if got := p.match(strings.Repeat("a", 20000), nil); got != False {
		t.Errorf("got %v", got)
	}
	p = compileResource(strings.Repeat("a*a:*", 60)+"b", true)
	if got := p.match(strings.Repeat("aa:a", 60), nil); got != False {
		t.Errorf("got %v", got)
	}
}

// FuzzGlob compares matching with regular expressions, and the two readings of a resource pattern with
// each other: a match within segments is a match without regard to them.
func FuzzGlob(f *testing.F) {
	for _, s := range [][2]string{{"a*b?c", "axxbyc"}, {"*é?", "aéé"}, {"**", ""}, {"a:*b:c*", "a:b:c:d"}, {"S3:get*", "s3:GetObject"}, {"*a:?b*:c", "xa:yb:z:c"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		if !utf8.ValidString(text) || !utf8.ValidString(value) || len(text) > 100 || len(value) > 200 {
			return
		}
		quoted := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(text))
		want := regexp.MustCompile(`(?s)\A` + quoted + `\z`).MatchString(value)
		p := compile(text, syntax{wildcards: true})
		if got := p.match(value, nil); got != truth(want) {
			t.Fatalf("%q on %q: %v, want %v", text, value, got, want)
		}
		folded := compile(text, syntax{wildcards: true, fold: true})
		if got := folded.match(value, nil); got != truth(regexp.MustCompile(`(?si)\A`+quoted+`\z`).MatchString(value)) {
			t.Fatalf("%q on %q without regard to case: %v", text, value, got)
		}
		if value == "" {
			return
		}
		// Within segments: every wildcard of the first five but a star that ends one stays inside.
		parts := strings.SplitN(text, ":", 6)
		for i, part := range parts {
			part = regexp.QuoteMeta(part)
			if i < 5 {
				part = strings.NewReplacer(`\*`, "[^:]*", `\?`, "[^:]").Replace(part)
				if strings.HasSuffix(part, "[^:]*") {
					part = strings.TrimSuffix(part, "[^:]*") + ".*"
				}
			}
			parts[i] = strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(part)
		}
		inside := regexp.MustCompile(`(?s)\A` + strings.Join(parts, ":") + `\z`).MatchString(value)
		expect := truth(want)
		if want && !inside {
			expect = Unknown
		}
		r := compileResource(text, false)
		if r.looseType && isTyped(value) && want {
			expect = Unknown
		}
		if got := r.match(value, nil); got != expect {
			t.Fatalf("resource %q on %q: %v, want %v", text, value, got, expect)
		}
	})
}
