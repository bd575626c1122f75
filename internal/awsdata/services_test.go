package awsdata

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestAction(t *testing.T) {
	for name, want := range map[string]ActionInfo{
		"s3:getobject": {
			Name: "s3:GetObject", AccessLevel: "Read",
			ResourceTypes: []ActionResource{{Type: "accesspointobject"}, {Type: "object"}},
		},
		"IAM:PassRole": {
			Name: "iam:PassRole", AccessLevel: "Write", ConditionKeys: []string{"iam:AssociatedResourceArn", "iam:PassedToService"},
			ResourceTypes: []ActionResource{{Type: "role", Required: true}},
		},
		"ec2:DescribeInstances": {Name: "ec2:DescribeInstances", AccessLevel: "List", ConditionKeys: []string{"ec2:Region"}},
		"eks:TagResource":       {Name: "eks:TagResource", AccessLevel: "Tagging"},
		"s3:PutBucketPolicy":    {Name: "s3:PutBucketPolicy", AccessLevel: "Permissions management"},
	} {
		got, ok := Action(name)
		switch name {
		case "s3:getobject": // has many keys
			got.ConditionKeys = nil
			for i := range got.ResourceTypes {
				got.ResourceTypes[i].ConditionKeys = nil
			}
		case "eks:TagResource", "s3:PutBucketPolicy":
			got.ConditionKeys, got.ResourceTypes = nil, nil
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); !ok || diff != "" {
			t.Errorf("%s: known %v, %s", name, ok, diff)
		}
	}
	for _, name := range []string{"", ":", "s3", "s3:", "s3:GetNothing", "nothing:Get", "GetObject", "s3:GetObject\tRead", "s3:*"} {
		if a, ok := Action(name); ok {
			t.Errorf("%q is known: %v", name, a)
		}
	}
}

func TestService(t *testing.T) {
	s, ok := Service("EKS")
	if !ok || s.Prefix != "eks" || s.Name != "Amazon Elastic Kubernetes Service" {
		t.Fatalf("%v %+v", ok, s)
	}
	for _, name := range []string{
		"eks:CreateAccessEntry", "eks:AssociateAccessPolicy", "eks:UpdateAccessEntry", "eks:CreatePodIdentityAssociation", "eks:UpdatePodIdentityAssociation",
		"eks:CreateCapability", "eks:AccessKubernetesApi", "eks:CreateCertificateAuthority",
	} {
		if !slices.Contains(s.Actions(), name) {
			t.Errorf("%s is missing", name)
		}
	}
	types := map[string]string{}
	for _, k := range s.ConditionKeys {
		types[k.Key] = k.Type
	}
	for key, want := range map[string]string{"eks:policyArn": "ARN", "eks:accessScope": "String", "eks:namespaces": "ArrayOfString", "eks:kubernetesGroups": "ArrayOfString"} {
		if types[key] != want {
			t.Errorf("%s is %q, want %q", key, types[key], want)
		}
	}
	entry := s.resourceType("access-entry")
	if entry == nil || !slices.Contains(entry.ConditionKeys, "eks:principalArn") || !strings.HasPrefix(entry.ARNs[0], "arn:${Partition}:eks:${Region}:${Account}:access-entry/") {
		t.Errorf("access-entry: %+v", entry)
	}
}

// TestServices takes every service apart.
func TestServices(t *testing.T) {
	if _, err := time.Parse(time.DateOnly, ServiceDataDate()); err != nil {
		t.Error(err)
	}
	actions := 0
	for _, prefix := range Services() {
		s, ok := Service(prefix)
		if !ok || s.Name == "" {
			t.Fatalf("%s: %v %+v", prefix, ok, s)
		}
		for _, name := range s.Actions() {
			actions++
			a, ok := Action(name)
			if !ok || a.Name != name {
				t.Errorf("%s is not found: %v", name, a)
			}
			if !slices.Contains([]string{"List", "Read", "Write", "Permissions management", "Tagging"}, a.AccessLevel) {
				t.Errorf("%s: access level %q", name, a.AccessLevel)
			}
			for _, r := range a.ResourceTypes {
				if s.resourceType(r.Type) == nil {
					t.Errorf("%s: resource type %q is not one of the service", name, r.Type)
				}
			}
		}
		for _, r := range s.ResourceTypes {
			for _, arn := range r.ARNs {
				if !strings.HasPrefix(arn, "arn:") && arn != "*" || strings.Count(arn, ":") < 5 {
					t.Errorf("%s: resource type %s is %q", prefix, r.Name, arn)
				}
			}
		}
	}
	if len(Services()) < 456 || actions < 22091 {
		t.Errorf("%d services, %d actions: want at least the 456 and 22,091 of 2026-09", len(Services()), actions)
	}
}

func TestTakes(t *testing.T) {
	for _, c := range []struct {
		action, arn string
		want        bool
	}{
		{"s3:GetObject", "arn:aws:s3:::bucket/key/with/slashes", true},
		{"s3:GetObject", "arn:aws:s3:::bucket", false},
		{"s3:GetObject", "*", true},
		{"s3:GetObject", "arn:aws:sqs:eu-west-1:111122223333:queue", false},
		{"eks:DescribeCluster", "arn:aws-cn:eks:cn-north-1:111122223333:cluster/prod", true},
		{"eks:DescribeCluster", "arn:aws:iam::111122223333:role/x", false},
		{"eks:ListClusters", "*", true},
		{"eks:ListClusters", "arn:aws:eks:eu-west-1:111122223333:cluster/prod", false},
		{"lex:GetBot", "arn:aws:lex:eu-west-1:111122223333:bot:name:1", true}, // a type with two forms
	} {
		a, _ := Action(c.action)
		if got := a.Takes(c.arn); got != c.want {
			t.Errorf("%s takes %s: %v", c.action, c.arn, got)
		}
	}
}

func TestActionsMatching(t *testing.T) {
	has := func(pattern string, names ...string) {
		t.Helper()
		got := ActionsMatching(pattern)
		for _, n := range names {
			if !slices.Contains(got, n) {
				t.Errorf("%s: %s is missing in %d actions", pattern, n, len(got))
			}
		}
	}
	has("s3:Get*", "s3:GetObject", "s3:GetBucketPolicy")
	has("S3:get*", "s3:GetObject")
	has("*:GetObject", "s3:GetObject")
	has("*", "s3:GetObject", "eks:CreateAccessEntry")
	has("e?s:*AccessEntry", "eks:CreateAccessEntry")
	for pattern, want := range map[string][]string{
		"eks:CreateAccessEntry":    {"eks:CreateAccessEntry"},
		"eks:createaccessentr?":    {"eks:CreateAccessEntry"},
		"eks:*AccessPolicy":        {"eks:AssociateAccessPolicy", "eks:DisassociateAccessPolicy"},
		"eks:CreateAccessEntry?":   nil,
		"nothing:*":                nil,
		"":                         nil,
		"eks":                      nil,
		"eks:" + "*?*?*?*?*?*?x*?": nil,
	} {
		if diff := cmp.Diff(want, ActionsMatching(pattern)); diff != "" {
			t.Errorf("%s: %s", pattern, diff)
		}
	}
}

// TestGlob compares with the definition.
func TestGlob(t *testing.T) {
	var slow func(p, s string) bool
	slow = func(p, s string) bool {
		switch {
		case p == "":
			return s == ""
		case p[0] == '*':
			return slow(p[1:], s) || s != "" && slow(p, s[1:])
		}
		return s != "" && (p[0] == '?' || p[0] == s[0]) && slow(p[1:], s[1:])
	}
	rapid.Check(t, func(t *rapid.T) {
		p, s := rapid.StringMatching(`[ab*?]{0,8}`).Draw(t, "pattern"), rapid.StringMatching(`[ab]{0,8}`).Draw(t, "text")
		if glob(p, s) != slow(p, s) {
			t.Errorf("%q %q", p, s)
		}
	})
}

func TestNearestAction(t *testing.T) {
	for name, want := range map[string]string{
		"s3:GetObjcet":           "s3:GetObject",
		"s3:GetObjects":          "s3:GetObject",
		"ekss:CreateAccessEntry": "eks:CreateAccessEntry",
		"eks:createaccessentry":  "eks:CreateAccessEntry",
		"sts:AssumeRoll":         "sts:AssumeRole",
		"s3:SomethingElse":       "",
		"GetObject":              "",
		"":                       "",
		":":                      "",
		strings.Repeat("s", 1000) + ":" + strings.Repeat("x", 1000): "",
	} {
		if got := NearestAction(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func BenchmarkFirstAction(b *testing.B) {
	for b.Loop() {
		inflate("services", servicesFile)
	}
}

func BenchmarkAction(b *testing.B) {
	for b.Loop() {
		Action("ec2:RunInstances")
	}
}

func BenchmarkActionsMatching(b *testing.B) {
	for b.Loop() {
		ActionsMatching("s3:Get*")
	}
}

func BenchmarkNearestAction(b *testing.B) {
	for b.Loop() {
		NearestAction("s3:GetObjcet")
	}
}
