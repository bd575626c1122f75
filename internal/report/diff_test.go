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

// aDifference is what a synthetic pull request gave to whom.
func aDifference() *access.Difference {
	secrets := &rbacv1.PolicyRule{Verbs: []string{"get", "list"}, APIGroups: []string{""}, Resources: []string{"secrets"}}
	everything := &rbacv1.PolicyRule{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}
	link := func(text, source string) finding.Evidence { return finding.Evidence{Text: text, Source: source} }
	jenkins := access.Identity{Kind: access.KindServiceAccount, Cluster: "prod", Namespace: "ci", Name: "jenkins"}
	gain := []access.Change{{
		Grant: access.Grant{Verdict: access.Allowed, Cluster: "prod", Scope: "namespace/shop", Rule: secrets, Chain: []finding.Evidence{
			link("binds ServiceAccount ci/jenkins to Role shop/s", "RoleBinding shop/s"), link("get, list on secrets", "Role shop/s rules[0]"),
		}},
		Witness: access.Witness{Verb: "get", Resource: "secrets", Namespace: "shop"}, Strong: true,
	}}
	power := access.PowerChanges{Gained: []access.NamedPower{{ID: "read-secrets", Title: "read Secrets", Strong: true, Verdict: access.Allowed, Cluster: "prod", Scope: "namespace/shop"}}}
	workload := jenkins
	workload.Kind, workload.Name = access.KindWorkload, "statefulset/jenkins"
	role := access.Identity{Kind: access.KindIAMRole, ARN: "arn:aws:iam::111122223333:role/ops"}
	return &access.Difference{
		Version: finding.Version, Kind: access.KindDiff, Tool: finding.Tool{Version: "v0.0.0"}, Time: time.Date(2026, 11, 20, 9, 14, 0, 0, time.UTC),
		Before: "before.json", After: "after.json", Clusters: []finding.Cluster{{Name: "prod"}},
		Identities: []access.IdentityDifference{
			{Identity: role, Gained: []access.Change{
				{
					Grant: access.Grant{
						Verdict: access.Allowed, Scope: "arn:aws:s3:::prod/*", Statement: &access.Statement{Actions: []string{"s3:DeleteObject"}, Resources: []string{"arn:aws:s3:::prod/*"}},
						Chain: []finding.Evidence{link("the IAM role ops", "IAMRole ops"), link("Allow s3:DeleteObject on arn:aws:s3:::prod/*", "IAMRole ops inline policy p, statement 1")},
					},
					Unless: []string{"IpAddress aws:SourceIp = 10.0.0.0/8"}, Witness: access.Witness{Action: "s3:DeleteObject", Resource: "arn:aws:s3:::prod/example"},
				},
			}, Lost: []access.Change{{
				Grant:  access.Grant{Verdict: access.Allowed, Cluster: "prod", Scope: access.ScopeCluster, Rule: everything, Chain: []finding.Evidence{link("may do everything", "Group system:masters")}},
				Except: []access.ScopedRule{{Scope: "namespace/shop", Rule: *secrets}}, Witness: access.Witness{Verb: "get", Resource: "secrets"},
			}}, Unknown: []access.Undecided{{Side: access.SideGained, Cluster: "prod", Scope: access.ScopeCluster, Reason: "the rules of access policy Mine, which AWS does not publish"}}},
			{Identity: jenkins, Gained: gain, Lost: []access.Change{}, Unknown: []access.Undecided{}, Powers: power},
			{Identity: workload, Gained: gain, Lost: []access.Change{}, Unknown: []access.Undecided{}, Powers: power},
		},
		Unknown: []access.Undecided{{Cluster: "prod", Reason: "pods (list pods) was not read in full before"}},
		Notes:   []string{"cluster blue before is compared with cluster prod after: they have different names"},
		Gaps:    []finding.Gap{{Area: "nodes", Action: "list nodes", Reason: "not in the input", Cluster: "prod"}, {Area: "iamRoles", Action: "iam:GetAccountAuthorizationDetails", Reason: "AccessDenied", Account: "111122223333"}},
	}
}

func TestDiffFormats(t *testing.T) {
	for _, f := range DiffFormats {
		t.Run(f.Name, func(t *testing.T) {
			var out bytes.Buffer
			if err := f.Write(&out, aDifference(), Options{Width: 100, Unicode: true}); err != nil {
				t.Fatal(err)
			}
			golden(t, "diff."+f.Name, out.String())
		})
	}
}

// Whatever things are called, nothing that was read can steer a terminal or break out of a comment.
func TestHostileDiff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := func(name string) string { return hostileString().Draw(t, name) }
		d := aDifference()
		d.Before, d.After, d.Notes[0], d.Clusters[0].Name, d.Unknown[0].Reason = s("before"), s("after"), s("note"), s("cluster"), s("reason")
		for i := range d.Identities {
			one := &d.Identities[i]
			one.Identity.Name, one.Identity.Namespace, one.Identity.ARN, one.Identity.Cluster = s("name"), s("namespace"), s("arn"), s("of")
			for j := range one.Gained {
				c := &one.Gained[j]
				c.Chain[0].Text, c.Chain[0].Source, c.Scope, c.Witness.Resource, c.Conditions = s("text"), s("source"), s("scope"), s("resource"), []string{s("condition")}
				if c.Statement != nil {
					c.Statement.Actions[0] = s("action")
				} else {
					c.Rule = &rbacv1.PolicyRule{Verbs: []string{s("verb")}, Resources: []string{s("rule")}, APIGroups: []string{s("group")}}
				}
			}
		}
		for _, f := range DiffFormats {
			var out bytes.Buffer
			if err := f.Write(&out, d, Options{Width: 80}); err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			if i := strings.IndexFunc(out.String(), odd); i >= 0 {
				t.Fatalf("%s: hidden character in %q", f.Name, out.String()[max(0, i-40):min(out.Len(), i+40)])
			}
			if f.Name != "markdown" {
				continue
			}
			if _, err := markdownElements(out.String(), " h2 h3 p strong table thead tbody tr th td code ul li details summary br "); err != nil {
				t.Fatalf("%v in %s", err, out.String())
			}
		}
	})
}
