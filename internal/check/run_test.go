package check_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// two are two clusters of two accounts with some namespaces; all of it was read.
func two() *model.Snapshot {
	s := &model.Snapshot{}
	for i, account := range []string{"111122223333", "444455556666"} {
		c := &model.Cluster{Name: fmt.Sprint("c", i), ARN: fmt.Sprintf("arn:aws:eks:us-east-1:%s:cluster/c%d", account, i), Account: account}
		for _, name := range []string{"a", "b", "c"} {
			c.Namespaces = append(c.Namespaces, &model.Namespace{Meta: model.Meta{Name: name}})
		}
		s.Clusters = append(s.Clusters, c)
		s.Accounts = append(s.Accounts, &model.Account{ID: account})
	}
	return s
}

// each reports every namespace of a cluster.
func each() *check.Check {
	return &check.Check{
		ID: "each", Title: "Namespace", Severity: finding.Medium, Techniques: []string{"T1098"},
		Run: func(p *check.Pass) {
			for _, n := range p.Cluster.Namespaces {
				p.Report(n, "%s is there", n.Name).Because(n, "metadata.name", "%s", n.Name).Fix("kubectl get namespaces").Fix("# done")
			}
		},
	}
}

func run(s *model.Snapshot, checks ...*check.Check) []finding.Finding {
	return check.Run(checks, s, check.Settings{})
}

func TestFinding(t *testing.T) {
	s := two()
	s.Clusters = s.Clusters[:1]
	s.Clusters[0].Namespaces = s.Clusters[0].Namespaces[:1]
	s.Clusters[0].Namespaces[0].Loc = &finding.Location{File: "ns.yaml", Line: 3}
	subject := finding.Subject{Kind: "Namespace", Name: "a"}
	want := []finding.Finding{{
		ID: "each", Title: "Namespace", Severity: finding.Medium, Status: finding.Fail, Cluster: "c0", Subject: subject, Message: "a is there",
		Evidence:    []finding.Evidence{{Text: "a", Source: "Namespace a metadata.name"}},
		Remediation: finding.Remediation{Text: "kubectl get namespaces\n# done"}, Controls: []finding.Control{}, Techniques: []string{"T1098"},
		Fingerprint: finding.Fingerprint("each", "arn:aws:eks:us-east-1:111122223333:cluster/c0", subject, ""),
		Location:    &finding.Location{File: "ns.yaml", Line: 3},
	}}
	if diff := cmp.Diff(want, run(s, each())); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// TestPlan: the commands of a plan stand among the lines of the remediation, and a plan that does not fit the snapshot is none.
func TestPlan(t *testing.T) {
	s := two()
	s.Clusters = s.Clusters[:1]
	c := s.Clusters[0]
	c.ServiceAccounts = []*model.ServiceAccount{{Meta: model.Meta{Namespace: "a", Name: "web"}}}
	one := func(changes ...plan.Change) finding.Remediation {
		return run(s, &check.Check{ID: "planned", Severity: finding.Low, Run: func(p *check.Pass) {
			p.Report(c, "x").Fix("# first").Plan(changes...).Fix("# then restart")
		}})[0].Remediation
	}
	off := plan.SetAutomount{Cluster: c.ID(), Kind: "ServiceAccount", Namespace: "a", Name: "web", Value: new(bool)}
	got := one(off)
	if want := "# first\n" + plan.Command(off) + "\n# then restart"; got.Text != want {
		t.Errorf("text\n%s\nwant\n%s", got.Text, want)
	}
	if got.Plan == nil || len(got.Plan.Steps) != 1 || !got.Plan.Steps[0].Reversible {
		t.Errorf("plan %+v", got.Plan)
	}
	if got := one(off, off); got.Plan != nil || !strings.Contains(got.Text, check.NoPlan) {
		t.Errorf("a plan whose second step does not fit: %+v", got)
	}
	if got := one(); got.Plan != nil || got.Text != "# first\n# then restart" {
		t.Errorf("no changes: %+v", got)
	}
}

// TestDeterministic: the same snapshot gives the same findings, whichever goroutine is faster.
func TestDeterministic(t *testing.T) {
	var checks []*check.Check
	for i := range 40 {
		c := each()
		c.ID = fmt.Sprint("each-", i)
		checks = append(checks, c)
	}
	want := run(two(), checks...)
	if len(want) != 40*2*3 {
		t.Fatalf("%d findings", len(want))
	}
	for range 20 {
		slices.Reverse(checks)
		if diff := cmp.Diff(want, run(two(), checks...)); diff != "" {
			t.Fatalf("findings differ between runs (-first +later):\n%s", diff)
		}
	}
}

// TestFingerprints: they stay when wording, severity and order change, and differ where cluster, object or key do.
func TestFingerprints(t *testing.T) {
	prints := func(s *model.Snapshot, c *check.Check) map[string]string {
		all := map[string]string{}
		for _, f := range run(s, c) {
			if other, twice := all[f.Fingerprint]; twice {
				t.Errorf("%s and %s %s have one fingerprint", other, f.Cluster, f.Subject)
			}
			all[f.Fingerprint] = f.Cluster + " " + f.Subject.String()
		}
		return all
	}
	before := prints(two(), each())
	shuffled := two()
	slices.Reverse(shuffled.Clusters)
	for _, c := range shuffled.Clusters {
		slices.Reverse(c.Namespaces)
	}
	reworded := each()
	reworded.Title, reworded.Severity = "Another title", finding.Low
	reworded.Run = func(p *check.Pass) {
		for _, n := range p.Cluster.Namespaces {
			p.Report(n, "other words").Severity(finding.High)
		}
	}
	if diff := cmp.Diff(before, prints(shuffled, reworded)); diff != "" {
		t.Errorf("fingerprints (-before +after):\n%s", diff)
	}

	keyed := each()
	keyed.Run = func(p *check.Pass) {
		for _, n := range p.Cluster.Namespaces {
			p.Report(n, "one").Key("one")
			p.Report(n, "two").Key("two")
			p.Report(n, "three").Key("three")
			p.Report(n, "three again").Key("three")
		}
	}
	if got := len(prints(two(), keyed)); got != 2*3*4 {
		t.Errorf("%d fingerprints, want 24", got)
	}
}

func TestGaps(t *testing.T) {
	gap := func(area model.Area, cluster, account string) finding.Gap {
		return finding.Gap{Area: string(area), Action: "list " + string(area), Reason: "forbidden", Cluster: cluster, Account: account}
	}
	tests := []struct {
		name                 string
		needs, needsComplete []model.Area
		gaps                 []finding.Gap
		unknown              []string
		fails                int    // on c0
		message              string // of the not-assessed finding on c0, "" for none
	}{
		{name: "nothing missing", needs: []model.Area{model.AreaNamespaces}, fails: 3},
		{name: "something else is missing", needs: []model.Area{model.AreaNamespaces}, gaps: []finding.Gap{gap(model.AreaPods, "c0", "")}, fails: 3},
		{name: "missing in another cluster", needs: []model.Area{model.AreaNamespaces}, gaps: []finding.Gap{gap(model.AreaNamespaces, "c1", "")}, fails: 3},
		{name: "missing in another account", needs: []model.Area{model.AreaTrails}, gaps: []finding.Gap{gap(model.AreaTrails, "", "444455556666")}, fails: 3},
		{
			name: "needed", needs: []model.Area{model.AreaNamespaces}, gaps: []finding.Gap{gap(model.AreaNamespaces, "c0", "")},
			fails: 3, message: "not assessed in full: list namespaces (forbidden)",
		},
		{
			name: "needed of the account", needs: []model.Area{model.AreaTrails}, gaps: []finding.Gap{gap(model.AreaTrails, "", "111122223333")},
			fails: 3, message: "not assessed in full: list trails (forbidden)",
		},
		{
			name: "needed of an account that is not known", needs: []model.Area{model.AreaTrails}, gaps: []finding.Gap{gap(model.AreaTrails, "", "")},
			fails: 3, message: "not assessed in full: list trails (forbidden)",
		},
		{
			name: "needed in full", needsComplete: []model.Area{model.AreaNamespaces}, gaps: []finding.Gap{gap(model.AreaNamespaces, "c0", "")},
			message: "not assessed: list namespaces (forbidden)",
		},
		{
			name: "both", needs: []model.Area{model.AreaPods}, needsComplete: []model.Area{model.AreaNodes},
			gaps:    []finding.Gap{gap(model.AreaPods, "c0", ""), gap(model.AreaNodes, "c0", "")},
			message: "not assessed: list pods (forbidden); list nodes (forbidden)",
		},
		{
			name: "the check could not tell", unknown: []string{"a policy is not published", "a policy is not published"}, fails: 3,
			message: "not assessed in full: a policy is not published",
		},
		{
			name: "more than can be read", needs: []model.Area{model.AreaPods, model.AreaNodes, model.AreaRoles, model.AreaAddons}, unknown: []string{"x", "y"},
			gaps:  []finding.Gap{gap(model.AreaPods, "c0", ""), gap(model.AreaNodes, "c0", ""), gap(model.AreaRoles, "c0", ""), gap(model.AreaAddons, "c0", "")},
			fails: 3, message: "not assessed in full: list pods (forbidden); list nodes (forbidden); list roles (forbidden); list addons (forbidden); and 2 more",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := two()
			s.Gaps = tt.gaps
			c := each()
			c.Needs, c.NeedsComplete = tt.needs, tt.needsComplete
			report := c.Run
			c.Run = func(p *check.Pass) {
				report(p)
				for _, u := range tt.unknown {
					p.NotAssessed("%s", u)
				}
			}
			fails, message := 0, ""
			for _, f := range run(s, c) {
				switch {
				case f.Cluster != "c0":
				case f.Status == finding.Fail:
					fails++
				case message != "":
					t.Errorf("two findings are not assessed: %q and %q", message, f.Message)
				default:
					message = f.Message
					if f.Subject != s.Clusters[0].Subject() || f.Severity != c.Severity || len(f.Evidence) != len(tt.gaps) {
						t.Errorf("not assessed: subject %v, severity %s, evidence %v", f.Subject, f.Severity, f.Evidence)
					}
					for _, g := range tt.gaps {
						if !slices.Contains(f.Evidence, finding.Evidence{Text: g.Reason, Source: g.Action}) || !strings.Contains(f.Remediation.Text, "grant "+g.Action) {
							t.Errorf("%s is missing in evidence %v or remediation %q", g.Action, f.Evidence, f.Remediation.Text)
						}
					}
				}
			}
			if fails != tt.fails || message != tt.message {
				t.Errorf("%d findings and %q; want %d and %q", fails, message, tt.fails, tt.message)
			}
		})
	}
}

// TestNotAssessedFingerprint: that a check could not tell is one finding whatever was missing, so that trackers keep it.
func TestNotAssessedFingerprint(t *testing.T) {
	print := func(reason string) string {
		c := &check.Check{ID: "c", Severity: finding.Low, Run: func(p *check.Pass) { p.NotAssessed("%s", reason) }}
		s := two()
		s.Clusters = s.Clusters[:1]
		return run(s, c)[0].Fingerprint
	}
	if a, b := print("one reason"), print("another"); a != b {
		t.Errorf("%s and %s", a, b)
	}
}

// TestPass: a check sees its own cluster and account, never nil, and whom the user trusts.
func TestPass(t *testing.T) {
	s := two()
	s.Accounts = s.Accounts[:1] // nothing was read of the other
	var mu sync.Mutex           // checks run side by side
	got := map[string][]string{}
	c := &check.Check{ID: "c", Severity: finding.Low, Run: func(p *check.Pass) {
		mu.Lock()
		defer mu.Unlock()
		if p.Snapshot != s || p.Access == nil || p.Account == nil || p.Account.ID != p.Cluster.Account {
			t.Errorf("cluster %s: %+v", p.Cluster.Name, p)
		}
		for _, id := range []string{"111122223333", "444455556666", "777788889999"} {
			if p.Trusts(id) {
				got[p.Cluster.Name] = append(got[p.Cluster.Name], id)
			}
		}
	}}
	check.Run([]*check.Check{c}, s, check.Settings{TrustedAccounts: []string{"777788889999"}})
	want := map[string][]string{"c0": {"111122223333", "777788889999"}, "c1": {"444455556666", "777788889999"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trusted accounts (-want +got):\n%s", diff)
	}
}

// TestLabels: clusters that share a name are told apart.
func TestLabels(t *testing.T) {
	s := two()
	s.Clusters[1].Name = "c0"
	got := map[string]bool{}
	for _, f := range run(s, each()) {
		got[f.Cluster] = true
	}
	want := map[string]bool{s.Clusters[0].ARN: true, s.Clusters[1].ARN: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}
