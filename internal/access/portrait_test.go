package access

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

func TestEverybodys(t *testing.T) {
	t.Parallel()
	of := func(verbs, groups, resources []string) *rbacv1.PolicyRule {
		return &rbacv1.PolicyRule{Verbs: verbs, APIGroups: groups, Resources: resources}
	}
	l := func(s ...string) []string { return s }
	for name, tc := range map[string]struct {
		rule *rbacv1.PolicyRule
		want bool
	}{
		"reviews of oneself":      {of(l("create"), l("authorization.k8s.io"), l("selfsubjectaccessreviews", "selfsubjectrulesreviews")), true},
		"reviews of others":       {of(l("create"), l("authorization.k8s.io"), l("selfsubjectaccessreviews", "subjectaccessreviews")), false},
		"another group":           {of(l("create"), l("authentication.k8s.io"), l("selfsubjectaccessreviews")), false},
		"pods":                    {of(l("create"), l(""), l("pods")), false},
		"more than create":        {of(l("create", "get"), l("authentication.k8s.io"), l("selfsubjectreviews")), false},
		"discovery":               {&rbacv1.PolicyRule{Verbs: l("get"), NonResourceURLs: l("/api", "/apis/*", "/version/")}, true},
		"metrics":                 {&rbacv1.PolicyRule{Verbs: l("get"), NonResourceURLs: l("/api", "/metrics")}, false},
		"writing where all read":  {&rbacv1.PolicyRule{Verbs: l("*"), NonResourceURLs: l("/api")}, false},
		"everything":              {of(l("*"), l("*"), l("*")), false},
		"nothing that is granted": {nil, false},
	} {
		if g := (Grant{Verdict: Allowed, Rule: tc.rule}); g.Everybodys() != tc.want {
			t.Errorf("%s: %v", name, !tc.want)
		}
	}
	if g := (Grant{Verdict: Unknown, Rule: of(l("create"), l("authentication.k8s.io"), l("selfsubjectreviews"))}); g.Everybodys() {
		t.Error("what is unknown is nobody's")
	}
}
