package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
	xhtml "golang.org/x/net/html"
	rbacv1 "k8s.io/api/rbac/v1"
	"pgregory.net/rapid"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
)

func accessResult() *access.Result {
	ops := access.Identity{Kind: access.KindIAMRole, ARN: "arn:aws:iam::111122223333:role/ops"}
	entry := finding.Evidence{Text: "lets it in as ops in group ops", Source: "AccessEntry arn:aws:iam::111122223333:role/ops username"}
	policy := []finding.Evidence{
		entry,
		{Text: "associates AmazonEKSEditPolicy with namespaces a, b", Source: "AccessEntry arn:aws:iam::111122223333:role/ops associatedAccessPolicies"},
		{Text: "get on secrets", Source: "access policy AmazonEKSEditPolicy rules[14]"},
	}
	sa := access.Identity{Kind: access.KindServiceAccount, Cluster: "prod", Namespace: "shop", Name: "web"}
	binding := []finding.Evidence{{Text: "binds ServiceAccount shop/web to Role shop/reader", Source: "RoleBinding shop/web"}, {Text: "get on secrets named db", Source: "Role shop/reader rules[0]"}}
	return &access.Result{
		Version: finding.Version, Kind: access.KindResult, Tool: finding.Tool{Version: "test"}, Time: time.Date(2026, 11, 20, 9, 14, 0, 0, time.UTC),
		Question: "Who can get secrets in any namespace?",
		Clusters: []finding.Cluster{
			{Name: "prod", ARN: "arn:aws:eks:eu-central-1:111122223333:cluster/prod", Account: "111122223333", Region: "eu-central-1", Partition: "aws", AuthenticationMode: "API", KubernetesVersion: "1.36"},
			{Name: "test", ARN: "arn:aws:eks:eu-central-1:111122223333:cluster/test", Account: "111122223333", Region: "eu-central-1", Partition: "aws"},
		},
		Answers: []access.Grant{
			{Identity: ops, Verdict: access.Allowed, Cluster: "prod", Scope: "namespace/a", Chain: policy},
			{Identity: ops, Verdict: access.Allowed, Cluster: "prod", Scope: "namespace/b", Chain: policy},
			{Identity: sa, Verdict: access.Allowed, Cluster: "prod", Scope: "namespace/shop", Chain: binding, Rule: &rbacv1.PolicyRule{Verbs: []string{"get"}, Resources: []string{"secrets"}, ResourceNames: []string{"db"}}},
			{Identity: access.Identity{Kind: access.KindGroup, Cluster: "prod", Name: "devs"}, Verdict: access.Unknown, Cluster: "prod", Scope: access.ScopeCluster, Chain: []finding.Evidence{}, Conditions: []string{"the rules of ClusterRole gone, which was not read and which ClusterRoleBinding x binds"}},
			{Identity: ops, Verdict: access.Allowed, Scope: "arn:aws:s3:::bucket/*", Chain: []finding.Evidence{{Text: "Allow s3:*", Source: "inline policy p"}}, Statement: &access.Statement{Actions: []string{"s3:*"}, Resources: []string{"*"}}},
		},
		Gaps: []finding.Gap{{Area: "clusterRoles", Action: "list clusterroles.rbac.authorization.k8s.io", Reason: "forbidden", Cluster: "test"}},
	}
}

func renderAccess(t testing.TB, format string, r *access.Result, o Options) string {
	t.Helper()
	f, ok := FindAccess(format)
	if !ok {
		t.Fatalf("no format %s", format)
	}
	var out bytes.Buffer
	if err := f.Write(&out, r, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestAccessFormats(t *testing.T) {
	t.Parallel()
	for _, f := range AccessFormats {
		golden(t, "access."+f.Name, renderAccess(t, f.Name, accessResult(), Options{Unicode: true}))
	}
	golden(t, "access.60.table", renderAccess(t, "table", accessResult(), Options{Width: 60}))
	one := accessResult()
	one.Question, one.Answers = "Can role/ops get secrets in namespace a?", one.Answers[:1]
	golden(t, "access.one.table", renderAccess(t, "table", one, Options{Width: 120, Unicode: true}))
	one.Answers, one.Gaps = nil, nil
	golden(t, "access.none.table", renderAccess(t, "table", one, Options{Width: 80}))
}

// TestParseAccess: the same answers come back, and what is no such result is refused.
func TestParseAccess(t *testing.T) {
	t.Parallel()
	text := renderAccess(t, "json", accessResult(), Options{})
	got, err := ParseAccess([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(accessResult(), got); diff != "" {
		t.Error(diff)
	}
	for n, tc := range map[string]struct{ text, want string }{
		"another kind":    {strings.Replace(text, "AccessResult", "ScanResult", 1), `"ScanResult": want AccessResult`},
		"another version": {strings.Replace(text, "drawbridge/v1", "drawbridge/v9", 1), "drawbridge/v9"},
		"unknown member":  {strings.Replace(text, `"scope"`, `"scop"`, 1), "scop"},
		"unknown verdict": {strings.Replace(text, `"allowed"`, `"maybe"`, 1), `verdict "maybe"`},
		"no JSON":         {"x", "read result"},
	} {
		if _, err := ParseAccess([]byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q", n, err, tc.want)
		}
	}
}

func hostileAccess() *rapid.Generator[*access.Result] {
	return rapid.Custom(func(t *rapid.T) *access.Result {
		s := func(name string) string { return hostileString().Draw(t, name) }
		r := &access.Result{Version: finding.Version, Kind: access.KindResult, Question: s("question"), Tool: finding.Tool{Version: s("version")}}
		r.Clusters = []finding.Cluster{{Name: "c1", ARN: s("arn"), Account: s("account"), Partition: s("partition"), Region: s("region")}}
		r.Gaps = []finding.Gap{{Area: s("area"), Action: s("action"), Reason: s("reason"), Cluster: s("where")}}
		for range rapid.IntRange(0, 4).Draw(t, "answers") {
			g := access.Grant{
				Identity: access.Identity{Kind: access.Kind(rapid.SampledFrom([]string{"Pod", "User", "IAMRole", "Workload"}).Draw(t, "kind")), ARN: s("principal"), Namespace: s("namespace"), Name: s("name")},
				Verdict:  rapid.SampledFrom([]access.Verdict{access.Allowed, access.Denied, access.Unknown}).Draw(t, "verdict"), Cluster: rapid.SampledFrom([]string{"c1", "", s("cluster")}).Draw(t, "of"),
				Scope: s("scope"), Chain: []finding.Evidence{{Text: s("text"), Source: s("source")}}, Conditions: []string{s("condition")},
			}
			if rapid.Bool().Draw(t, "narrow") {
				g.Rule = &rbacv1.PolicyRule{Verbs: []string{s("verb")}, Resources: []string{s("resource")}, ResourceNames: []string{s("named")}}
			}
			r.Answers = append(r.Answers, g)
		}
		return r
	})
}

// TestHostileAccess: whatever things are called, every format keeps its structure and holds no raw control character.
func TestHostileAccess(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := hostileAccess().Draw(t, "result")
		for _, f := range AccessFormats {
			var out bytes.Buffer
			if err := f.Write(&out, r, Options{Unicode: true}); err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			if err := clean(out.String()); err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			switch f.Name {
			case "csv":
				accessCSVBack(t, out.String(), r)
			case "markdown":
				accessMarkdownBack(t, out.String())
			}
		}
	})
}

func accessCSVBack(t *rapid.T, text string, r *access.Result) {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 1+len(r.Answers) || strings.Count(text, "\n") != len(rows) {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if strings.IndexAny(strings.TrimLeft(cell, " "), "=+-@＝＋－＠\t\r") == 0 {
				t.Fatalf("formula %q", cell)
			}
		}
	}
}

// accessMarkdownBack renders as GitHub does, with raw HTML on: only the elements that we wrote may be in it.
func accessMarkdownBack(t *rapid.T, text string) {
	var page bytes.Buffer
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
	if err := md.Convert([]byte(text), &page); err != nil {
		t.Fatal(err)
	}
	headings := 0
	err := eachElement(page.String(), func(name string, attrs []xhtml.Attribute) error {
		if !strings.Contains(" h1 h2 p strong em br table thead tbody tr th td code ul li ", " "+name+" ") {
			return fmt.Errorf("element %s", name)
		}
		if name == "h1" {
			headings++
		}
		return nil
	})
	if err != nil || headings != 1 {
		t.Fatalf("%d h1: %v\n%s", headings, err, text)
	}
}
