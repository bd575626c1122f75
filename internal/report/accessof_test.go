package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"pgregory.net/rapid"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
)

// aPortrait is everything that a synthetic service account can do.
func aPortrait() *access.Portrait {
	jenkins := access.Identity{Kind: access.KindServiceAccount, Cluster: "prod", Namespace: "ci", Name: "jenkins"}
	link := func(text, source string) finding.Evidence { return finding.Evidence{Text: text, Source: source} }
	grant := func(scope string, rule *rbacv1.PolicyRule, binding string) access.Grant {
		return access.Grant{
			Identity: jenkins, Verdict: access.Allowed, Cluster: "prod", Scope: scope, Rule: rule,
			Chain: []finding.Evidence{link("binds ServiceAccount ci/jenkins to ClusterRole deploy", binding), link("a rule", "ClusterRole deploy rules[0]")},
		}
	}
	pods := &rbacv1.PolicyRule{Verbs: []string{"create"}, APIGroups: []string{""}, Resources: []string{"pods"}}
	reviews := &rbacv1.PolicyRule{Verbs: []string{"create"}, APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"selfsubjectreviews"}}
	unknown := grant(access.ScopeCluster, nil, "ClusterRoleBinding x")
	unknown.Verdict, unknown.Conditions = access.Unknown, []string{"the rules of ClusterRole x, which was not read"}
	inAWS := access.Grant{
		Identity: jenkins, Verdict: access.Allowed, Cluster: "prod", Scope: "*", Statement: &access.Statement{Actions: []string{"s3:*"}, Resources: []string{"*"}},
		Chain: []finding.Evidence{link("holds role deploy", "PodIdentityAssociation ci/jenkins roleArn"), link("Allow s3:* on *", "IAMRole deploy inline policy p, statement 1")}, Conditions: []string{"within permissions boundary arn:aws:iam::111122223333:policy/b"},
	}
	return &access.Portrait{
		Result: access.Result{
			Version: finding.Version, Kind: access.KindResult, Tool: finding.Tool{Version: "v0.0.0"}, Time: time.Date(2026, 11, 20, 9, 14, 0, 0, time.UTC),
			Clusters: []finding.Cluster{{Name: "prod", Region: "eu-central-1"}, {Name: "test", Region: "eu-central-1"}}, Question: "What can sa/ci/jenkins do?",
			Answers: []access.Grant{
				grant("namespace/a", pods, "RoleBinding a/deploy"), grant("namespace/b", pods, "RoleBinding b/deploy"), grant("namespace/c", pods, "RoleBinding c/deploy"),
				grant("namespace/d", pods, "RoleBinding d/deploy"), grant(access.ScopeCluster, reviews, "ClusterRoleBinding system:basic-user"), unknown,
				{Identity: jenkins, Verdict: access.Denied, Cluster: "test", Scope: access.ScopeCluster, Chain: []finding.Evidence{link("there is no service account ci/jenkins", "list serviceaccounts")}},
				inAWS,
			},
			Gaps: []finding.Gap{{Area: "nodes", Action: "list nodes", Reason: "denied", Cluster: "prod"}},
		},
		Powers: []access.NamedPower{
			{ID: "run-pods", Title: "run pods as any service account of the namespace", Strong: true, Verdict: access.Allowed, Cluster: "prod", Scope: "namespace/a"},
			{ID: "s3:*", Title: "do everything in S3", Verdict: access.Unknown, Scope: "arn:aws:iam::111122223333:role/deploy"},
		},
	}
}

func TestPortraitFormats(t *testing.T) {
	for _, f := range AccessFormats {
		t.Run(f.Name, func(t *testing.T) {
			var out bytes.Buffer
			if err := WritePortrait(&out, f.Name, aPortrait(), Options{Width: 100, Unicode: true}); err != nil {
				t.Fatal(err)
			}
			golden(t, "portrait."+f.Name, out.String())
		})
	}
}

func TestHostilePortrait(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := func(name string) string { return hostileString().Draw(t, name) }
		p := aPortrait()
		p.Question, p.Clusters[0].Name, p.Powers[0].Title, p.Powers[0].Names = s("question"), s("cluster"), s("title"), []string{s("name")}
		for i := range p.Answers {
			g := &p.Answers[i]
			g.Identity.Name, g.Scope, g.Conditions, g.Chain[0].Text, g.Chain[0].Source = s("identity"), s("scope"), []string{s("condition")}, s("text"), s("source")
			if g.Rule != nil {
				g.Rule = &rbacv1.PolicyRule{Verbs: []string{s("verb")}, Resources: []string{s("resource")}, APIGroups: []string{s("group")}}
			}
		}
		for _, f := range AccessFormats {
			var out bytes.Buffer
			if err := WritePortrait(&out, f.Name, p, Options{Width: 80}); err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			if i := strings.IndexFunc(out.String(), odd); i >= 0 {
				t.Fatalf("%s: hidden character in %q", f.Name, out.String()[max(0, i-40):min(out.Len(), i+40)])
			}
			if f.Name == "markdown" {
				if _, err := markdownElements(out.String(), " h1 h2 p strong em table thead tbody tr th td code ul li br "); err != nil {
					t.Fatalf("%v in %s", err, out.String())
				}
			}
		}
		lines, err := NewAccessLines(&bytes.Buffer{}, "json")
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.Answers {
			if err := lines.Write(&p.Answers[i]); err != nil {
				t.Fatal(err)
			}
		}
	})
}
