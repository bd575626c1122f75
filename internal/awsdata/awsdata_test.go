package awsdata

import "testing"

func TestLookupAccessPolicy(t *testing.T) {
	for arn, want := range map[string]bool{
		"arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy":        true,
		"arn:aws-cn:eks::aws:cluster-access-policy/AmazonEKSViewPolicy":     true,
		"arn:aws-us-gov:eks::aws:cluster-access-policy/AmazonEKSViewPolicy": true,
		"arn:aws:eks::aws:cluster-access-policy/AmazonEKSNewPolicy":         false,
		"arn:aws:iam::aws:policy/AmazonEKSViewPolicy":                       false,
		"AmazonEKSViewPolicy": false,
		"":                    false,
	} {
		if _, got := LookupAccessPolicy(arn); got != want {
			t.Errorf("%q: known %v, want %v", arn, got, want)
		}
	}
}

// TestAccessPolicyTable guards the one mistake that would make the table lie: a policy without published rules that
// looks as if it granted nothing.
func TestAccessPolicyTable(t *testing.T) {
	if n := len(AccessPolicies()); n < 38 {
		t.Errorf("%d policies, want at least the 38 known on 2026-11-22", n)
	}
	for _, p := range AccessPolicies() {
		if p.RulesPublished != (len(p.Rules) > 0) {
			t.Errorf("%s: rulesPublished %v with %d rules", p.Name, p.RulesPublished, len(p.Rules))
		}
		for i, r := range p.Rules {
			if len(r.Verbs) == 0 || len(r.NonResourceURLs) == 0 && (len(r.Resources) == 0 || len(r.APIGroups) == 0) {
				t.Errorf("%s: rule %d grants nothing: %+v", p.Name, i, r)
			}
		}
	}
}
