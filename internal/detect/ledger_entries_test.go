package detect

import (
	"testing"

	"drawbridge/internal/event"
)

func TestBare(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:iam::111122223333:role/new":                              "arn:aws:iam::111122223333:role/new",
		"arn:aws:iam::111122223333:role/team/a/new":                       "arn:aws:iam::111122223333:role/new",
		"arn:aws-cn:sts::111122223333:assumed-role/new/jane":              "arn:aws-cn:iam::111122223333:role/new",
		"arn:aws:iam::111122223333:user/team/joe":                         "arn:aws:iam::111122223333:user/joe",
		"arn:aws:iam::111122223333:user/joe":                              "arn:aws:iam::111122223333:user/joe",
		"arn:aws:iam::111122223333:root":                                  "arn:aws:iam::111122223333:root",
		"arn:aws:iam::111122223333:role/":                                 "arn:aws:iam::111122223333:role/",
		"arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/x": "arn:aws:iam::111122223333:role/x",
		"no ARN": "no ARN",
		"":       "",
	} {
		if got := bare(arn); got != want {
			t.Errorf("bare(%q) = %q, want %q", arn, got, want)
		}
	}
}

func TestOneCluster(t *testing.T) {
	full := event.Cluster{Name: "prod", Account: "111122223333", Region: "eu-central-1"}
	for _, c := range []struct {
		b    event.Cluster
		want bool
	}{
		{full, true},
		{event.Cluster{Name: "prod"}, true},
		{event.Cluster{Name: "prod", Account: "111122223333"}, true},
		{event.Cluster{Name: "dev", Account: "111122223333", Region: "eu-central-1"}, false},
		{event.Cluster{Name: "prod", Account: "444455556666", Region: "eu-central-1"}, false},
		{event.Cluster{Name: "prod", Account: "111122223333", Region: "eu-west-1"}, false},
	} {
		if oneCluster(full, c.b) != c.want || oneCluster(c.b, full) != c.want {
			t.Errorf("%v and %v: want %v", full, c.b, c.want)
		}
	}
}

// TestScopeBefore: the association before a call is what the last calls before it made of it, in whatever order they came.
func TestScopeBefore(t *testing.T) {
	principal := `"principalArn":"arn:aws:iam::111122223333:role/team/new"`
	policy := `,"policyArn":"arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"`
	events := map[string]string{
		"web":    associate(10, "AmazonEKSViewPolicy", inWeb),
		"kube":   associate(20, "AmazonEKSViewPolicy", inKube),
		"gone":   call(30, "DisassociateAccessPolicy", principal+policy),
		"delete": call(30, "DeleteAccessEntry", principal),
		"other":  associate(30, "AmazonEKSEditPolicy", inWeb),
		"later":  associate(50, "AmazonEKSViewPolicy", inAny),
	}
	now := associate(40, "AmazonEKSViewPolicy", wholeCluster)
	for _, c := range []struct {
		events []string
		want   string // scope before, "" for none that is narrower
	}{
		{nil, ""},
		{[]string{"web"}, "namespaces web"},
		{[]string{"kube", "web"}, "namespaces web, kube-*"},
		{[]string{"other", "web", "kube"}, "namespaces web, kube-*"},
		{[]string{"gone", "web"}, ""},
		{[]string{"delete", "kube"}, ""},
		{[]string{"other", "later"}, ""},
	} {
		g := newLedger(10)
		for _, e := range append(c.events, c.events...) {
			g.note(lookAt(t, events[e], &Context{}, g))
		}
		got := ""
		if was, ok := lookAt(t, now, &Context{}, g).widened(); ok {
			got = was.String()
		}
		if got != c.want {
			t.Errorf("after %v: before it was %q, want %q", c.events, got, c.want)
		}
	}
}

func TestLogs(t *testing.T) {
	l := lookAt(t, call(0, "UpdateClusterConfig", `"logging":{"clusterLogging":[{"types":["api","audit"],"enabled":true},{"types":["authenticator"],"enabled":false},{"types":["scheduler"]},{"enabled":false},"odd"]}`), &Context{}, newLedger(1))
	on, off := l.logs(true), l.logs(false)
	if len(on) != 2 || on[1] != "audit" || len(off) != 1 || off[0] != "authenticator" {
		t.Errorf("on %q, off %q", on, off)
	}
}
