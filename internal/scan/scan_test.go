package scan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/scan"
)

func named(ids ...string) []*check.Check {
	var all []*check.Check
	for _, id := range ids {
		all = append(all, &check.Check{ID: id, Severity: finding.High, Run: func(*check.Pass) {}})
	}
	return all
}

func ids(all []*check.Check) []string {
	var out []string
	for _, c := range all {
		out = append(out, c.ID)
	}
	return out
}

func TestChoose(t *testing.T) {
	all := named("access-entry-iam-user", "aws-auth-duplicate", "cluster-endpoint-public")
	all[1].Aliases = []string{"aws-auth-twice"}
	tests := []struct {
		name       string
		only, skip []string
		want       []string
		err        string
	}{
		{name: "all", want: ids(all)},
		{name: "only, in the order of the list", only: []string{"cluster-endpoint-public", "access-entry-iam-user"}, want: []string{"access-entry-iam-user", "cluster-endpoint-public"}},
		{name: "twice is once", only: []string{"aws-auth-duplicate", "aws-auth-duplicate"}, want: []string{"aws-auth-duplicate"}},
		{name: "by a former id", only: []string{"aws-auth-twice"}, want: []string{"aws-auth-duplicate"}},
		{name: "all but", skip: []string{"aws-auth-duplicate"}, want: []string{"access-entry-iam-user", "cluster-endpoint-public"}},
		{name: "all but, by a former id", skip: []string{"aws-auth-twice"}, want: []string{"access-entry-iam-user", "cluster-endpoint-public"}},
		{name: "skip wins", only: []string{"aws-auth-duplicate", "cluster-endpoint-public"}, skip: []string{"aws-auth-duplicate"}, want: []string{"cluster-endpoint-public"}},
		{name: "none is left", only: []string{"aws-auth-duplicate"}, skip: []string{"aws-auth-duplicate"}},
		{name: "unknown", only: []string{"aws-auth-duplicate", "zzz"}, err: `there is no check "zzz"`},
		{name: "unknown, near one with other dashes", only: []string{"aws_auth_duplicates"}, err: `there is no check "aws_auth_duplicates"; near it: aws-auth-duplicate`},
		{name: "unknown, near two, the nearer first", only: []string{"cluster-iam-user"}, err: `there is no check "cluster-iam-user"; near it: access-entry-iam-user, cluster-endpoint-public`},
		{name: "unknown, near one", skip: []string{"cluster-endpoint-publik"}, err: `there is no check "cluster-endpoint-publik"; near it: cluster-endpoint-public`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := scan.Choose(all, tt.only, tt.skip)
			if diff := cmp.Diff(tt.want, ids(got)); diff != "" {
				t.Errorf("chosen (-want +got):\n%s", diff)
			}
			if text := fmt.Sprint(err); text != tt.err && (err != nil || tt.err != "") {
				t.Errorf("error %q, want %q", text, tt.err)
			}
		})
	}
}

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// prod is a cluster of which nothing but its description and its namespaces was read.
func prod() *model.Snapshot {
	c := &model.Cluster{
		Name: "prod", ARN: "arn:aws:eks:us-east-1:111122223333:cluster/prod", Account: "111122223333", Region: "us-east-1", Partition: "aws",
		Description: &model.Description{AuthenticationMode: "API", KubernetesVersion: "1.34"},
		Namespaces:  []*model.Namespace{{Meta: model.Meta{Name: "a"}}, {Meta: model.Meta{Name: "b"}}},
	}
	c.MarkRead(model.AreaCluster, model.AreaNamespaces)
	return &model.Snapshot{Clusters: []*model.Cluster{c}}
}

// namespaces reports each namespace, and needs the pods, which were not read.
func namespaces() *check.Check {
	return &check.Check{ID: "ns", Severity: finding.High, Needs: []model.Area{model.AreaPods}, Run: func(p *check.Pass) {
		for _, n := range p.Cluster.Namespaces {
			p.Report(n, "%s", n.Name)
		}
	}}
}

func short(r *finding.Result) (found, suppressed []string) {
	for _, f := range r.Findings {
		found = append(found, string(f.Status)+" "+f.Subject.String())
	}
	for _, f := range r.Suppressed {
		suppressed = append(suppressed, fmt.Sprintf("%s %s: %s (%s, %s)", f.Status, f.Subject, f.Suppression.Reason, f.Suppression.Owner, f.Suppression.Source))
	}
	return found, suppressed
}

func TestRun(t *testing.T) {
	accept := func(name, expiry string) scan.Suppression {
		return scan.Suppression{ID: "ns", Subject: scan.Subject{Name: name}, Reason: "wanted", Owner: "o", Expiry: expiry, Source: "s.yaml:1"}
	}
	all := scan.Run(prod(), scan.Options{Checks: []*check.Check{namespaces()}, Now: now})
	baseline := map[string]bool{}
	for _, f := range all.Findings {
		baseline[f.Fingerprint] = true
	}
	one := map[string]bool{all.Findings[0].Fingerprint: true}
	tests := []struct {
		name              string
		o                 scan.Options
		found, suppressed []string
	}{
		{name: "plain", found: []string{"fail Namespace a", "fail Namespace b", "not-assessed Cluster prod"}},
		{
			name: "accepted", o: scan.Options{Suppressions: []scan.Suppression{accept("b", "2026-11-23")}},
			found: []string{"fail Namespace a", "not-assessed Cluster prod"}, suppressed: []string{"fail Namespace b: wanted (o, s.yaml:1)"},
		},
		{
			name: "accepted until yesterday", o: scan.Options{Suppressions: []scan.Suppression{accept("b", "2026-11-22")}},
			found: []string{"fail Namespace a", "fail Namespace b", "not-assessed Cluster prod"},
		},
		{
			name: "expired, and accepted again", o: scan.Options{Suppressions: []scan.Suppression{accept("b", "2026-11-22"), accept("*", "")}},
			found: nil, suppressed: []string{"fail Namespace a: wanted (o, s.yaml:1)", "fail Namespace b: wanted (o, s.yaml:1)", "not-assessed Cluster prod: wanted (o, s.yaml:1)"},
		},
		{
			name: "known before", o: scan.Options{Baseline: one, BaselineFile: "last.json"},
			found: []string{"fail Namespace b", "not-assessed Cluster prod"}, suppressed: []string{"fail Namespace a: known before (, last.json)"},
		},
		{
			name: "a baseline never hides what is not known", o: scan.Options{Baseline: baseline, BaselineFile: "last.json"},
			found: []string{"not-assessed Cluster prod"}, suppressed: []string{"fail Namespace a: known before (, last.json)", "fail Namespace b: known before (, last.json)"},
		},
		{
			name: "a decision goes before a baseline", o: scan.Options{Suppressions: []scan.Suppression{accept("a", "")}, Baseline: one, BaselineFile: "last.json"},
			found: []string{"fail Namespace b", "not-assessed Cluster prod"}, suppressed: []string{"fail Namespace a: wanted (o, s.yaml:1)"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Checks, tt.o.Now = []*check.Check{namespaces()}, now
			r := scan.Run(prod(), tt.o)
			found, suppressed := short(r)
			if diff := cmp.Diff(tt.found, found); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.suppressed, suppressed); diff != "" {
				t.Errorf("suppressed (-want +got):\n%s", diff)
			}
			want := finding.Count(r.Findings)
			want.ChecksRun = 1
			if diff := cmp.Diff(want, r.Summary); diff != "" {
				t.Errorf("summary (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRunFrame: what a result says beside its findings.
func TestRunFrame(t *testing.T) {
	controls := func(id string) []finding.Control { return []finding.Control{{Framework: "f", ID: "of " + id}} }
	r := scan.Run(prod(), scan.Options{Checks: []*check.Check{namespaces()}, Controls: controls, Version: "1.2.3", Now: now.In(time.FixedZone("", 3600))})
	if r.Version != finding.Version || r.Kind != finding.KindScan || r.Tool.Version != "1.2.3" || !r.Time.Equal(now) || r.Time.Location() != time.UTC {
		t.Errorf("%s %s %s %s", r.Version, r.Kind, r.Tool.Version, r.Time)
	}
	want := []finding.Cluster{{Name: "prod", ARN: "arn:aws:eks:us-east-1:111122223333:cluster/prod", Account: "111122223333", Region: "us-east-1", Partition: "aws", AuthenticationMode: "API", KubernetesVersion: "1.34"}}
	if diff := cmp.Diff(want, r.Clusters); diff != "" {
		t.Errorf("clusters (-want +got):\n%s", diff)
	}
	for _, f := range r.Findings {
		if diff := cmp.Diff(controls("ns"), f.Controls); diff != "" {
			t.Errorf("controls of %s (-want +got):\n%s", f.Subject, diff)
		}
	}
	// What nobody looked at is a gap; what was read is none.
	areas := map[string]bool{}
	for _, g := range r.Gaps {
		areas[g.Area] = true
	}
	if len(r.Gaps) != len(slices.DeleteFunc(slices.Clone(model.Areas), func(a model.AreaInfo) bool { return a.Optional }))-2 || areas["namespaces"] || areas["cluster"] || !areas["pods"] || !areas["iamRoles"] {
		t.Errorf("gaps: %v", r.Gaps)
	}

	// No lists are null: scripts loop over them.
	empty := scan.Run(&model.Snapshot{}, scan.Options{Now: now})
	if empty.Clusters == nil || empty.Findings == nil || empty.Gaps == nil || empty.Suppressed == nil {
		t.Errorf("lists of an empty result: %+v", empty)
	}
}

func TestAssess(t *testing.T) {
	fail := func(id string) finding.Finding { return finding.Finding{ID: id, Status: finding.Fail} }
	unknown := func(id string) finding.Finding { return finding.Finding{ID: id, Status: finding.NotAssessed} }
	r := &finding.Result{
		Tool: finding.Tool{Version: "1"}, Time: now, Clusters: []finding.Cluster{{Name: "a", ARN: "arn:a"}, {Name: "b"}},
		Findings:   []finding.Finding{fail("fails"), fail("both"), unknown("both"), unknown("unknown"), fail("fails")},
		Suppressed: []finding.Suppressed{{Finding: fail("accepted")}},
	}
	ran := named("fails", "both", "unknown", "accepted", "passes")
	tests := []struct {
		checks   string
		want     finding.ControlStatus
		findings int
	}{
		{"passes", finding.ControlPass, 0},
		{"accepted", finding.ControlPass, 0},
		{"fails", finding.ControlFail, 2},
		{"both", finding.ControlFail, 2},
		{"unknown", finding.ControlNotAssessed, 1},
		{"unknown fails", finding.ControlFail, 3},
		{"passes unknown", finding.ControlNotAssessed, 1},
		{"passes fails", finding.ControlFail, 2},
		{"skipped", finding.ControlNotAssessed, 0},
		{"passes skipped", finding.ControlNotAssessed, 0},
		{"skipped fails", finding.ControlFail, 2},
		{"", finding.ControlNotCovered, 0},
	}
	var report finding.FrameworkReport
	for _, tt := range tests {
		report.Controls = append(report.Controls, finding.FrameworkControl{ID: tt.checks, Checks: strings.Fields(tt.checks)})
	}
	got := scan.Assess(report, r, ran)
	for i, tt := range tests {
		if c := got.Controls[i]; c.Status != tt.want || len(c.Findings) != tt.findings || c.Findings == nil {
			t.Errorf("%q: %s with %d findings, want %s with %d", tt.checks, c.Status, len(c.Findings), tt.want, tt.findings)
		}
	}
	if diff := cmp.Diff([]string{"arn:a", "b"}, got.Clusters); diff != "" || got.Tool != r.Tool || !got.Time.Equal(now) {
		t.Errorf("%v %s; clusters (-want +got):\n%s", got.Tool, got.Time, diff)
	}
}
