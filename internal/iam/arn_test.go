package iam

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestARN(t *testing.T) {
	type facts struct {
		Role, User                     bool
		RoleName, Session, Path, Canon string
	}
	for _, tt := range []struct {
		arn  string
		want facts
	}{
		{"arn:aws:iam::111122223333:role/reader", facts{Role: true, RoleName: "reader", Path: "/", Canon: "arn:aws:iam::111122223333:role/reader"}},
		{"arn:aws-cn:iam::111122223333:role/a/b/reader", facts{Role: true, RoleName: "reader", Path: "/a/b/", Canon: "arn:aws-cn:iam::111122223333:role/reader"}},
		{"arn:aws-us-gov:sts::111122223333:assumed-role/reader/alice", facts{RoleName: "reader", Session: "alice", Canon: "arn:aws-us-gov:iam::111122223333:role/reader"}},
		{"arn:aws-iso-b:iam::111122223333:user/ops/carlos", facts{User: true, Path: "/ops/", Canon: "arn:aws-iso-b:iam::111122223333:user/ops/carlos"}},
		{"arn:aws:iam::111122223333:role/", facts{Canon: "arn:aws:iam::111122223333:role/"}},
		{"arn:aws:sts::111122223333:assumed-role/reader", facts{Canon: "arn:aws:sts::111122223333:assumed-role/reader"}},
		{"arn:aws:iam::111122223333:rolex", facts{Canon: "arn:aws:iam::111122223333:rolex"}},
		{"arn:aws:s3:::bucket/a:b", facts{Canon: "arn:aws:s3:::bucket/a:b"}},
	} {
		t.Run(tt.arn, func(t *testing.T) {
			a, err := ParseARN(tt.arn)
			if err != nil {
				t.Fatal(err)
			}
			if a.String() != tt.arn {
				t.Errorf("String() = %q", a.String())
			}
			got := facts{a.IsRole(), a.IsUser(), a.RoleName(), a.SessionName(), a.Path(), a.Canonical().String()}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseARNRefuses(t *testing.T) {
	for _, s := range []string{"", "*", "arn", "arn:aws:iam::111122223333", "ARN:aws:iam::1:role/r", "arn::iam::1:role/r", "arn:aws:::1:role/r", "arn:aws:iam::1:", "x:arn:aws:iam::1"} {
		if a, err := ParseARN(s); err == nil {
			t.Errorf("%q was read as %+v", s, a)
		}
	}
}

func FuzzARN(f *testing.F) {
	for _, s := range []string{roleARN, sessionARN, userARN, provider, "arn:aws:sts::1:assumed-role//", ":::::", "111122223333", "pods.eks.amazonaws.com"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := ParseARN(s); err == nil {
			if a.String() != s {
				t.Fatalf("%q came back as %q", s, a.String())
			}
			if c := a.Canonical(); c != c.Canonical() {
				t.Fatalf("canonical form of %q is not stable", s)
			}
			_, _, _ = a.Path(), a.Name(), a.SessionName()
		}
		if p := ParsePrincipal(s); p.Kind != NoPrincipal && p.String() == "" {
			t.Fatalf("principal %q has no name", s)
		}
	})
}
