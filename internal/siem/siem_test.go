package siem_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/siem"
	"drawbridge/internal/sigma"
)

var update = flag.Bool("update", false, "write the golden files")

func rules(t testing.TB, file string) []*sigma.Rule {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := sigma.Parse(file, text)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func show(r siem.Result) string {
	var b strings.Builder
	for _, n := range r.Needs {
		fmt.Fprintf(&b, "needs: %s\n", n)
	}
	for _, rule := range r.Rules {
		fmt.Fprintf(&b, "\n=== %s: %s\n", rule.Title, rule.Verdict)
		for _, l := range rule.Losses {
			fmt.Fprintf(&b, "  - %s\n", l)
		}
		b.WriteString(rule.Text)
	}
	return b.String()
}

// TestGolden has every target's form of the rules in testdata/rules.yml.
func TestGolden(t *testing.T) {
	all := rules(t, "testdata/rules.yml")
	for _, name := range siem.Targets() {
		t.Run(name, func(t *testing.T) {
			r, err := siem.Export(all, name)
			if err != nil {
				t.Fatal(err)
			}
			got := show(r)
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("run with -update if this is meant:\n%s", diff)
			}
		})
	}
}

func export(t *testing.T, target, detection string) siem.Rule {
	t.Helper()
	parsed, err := sigma.Parse("r.yml", []byte("title: t\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n"+detection))
	if err != nil {
		t.Fatal(err)
	}
	r, err := siem.Export(parsed, target)
	if err != nil {
		t.Fatal(err)
	}
	return r.Rules[0]
}

// TestVerdicts has what must never be called exact.
func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name, target, detection string
		want                    siem.Verdict
		why                     string
	}{
		{"field of ours", "athena", "  s: {drawbridge.entry.admin: true}\n  condition: s", siem.Refused, "drawbridge.entry.admin"},
		{"field of ours in sigma", "sigma", "  s: {drawbridge.entry.admin: true}\n  condition: s", siem.Refused, "drawbridge.entry.admin"},
		{"field of ours that is the record's", "athena", "  s: {drawbridge.actor.access_key: AKIA1}\n  condition: s", siem.Exact, ""},
		{"ours sets aside", "splunk", "  s: {eventName: x}\n  f: {drawbridge.actor.pipeline: true}\n  condition: s and not f", siem.Approximated, `fires also where drawbridge.actor.pipeline is "true"`},
		{"ours in a negated and", "splunk", "  s: {eventName: x}\n  f: {drawbridge.actor.pipeline: true, eventName: y}\n  condition: s and not f", siem.Approximated, `fires also where drawbridge.actor.pipeline is "true" and eventName is "y"`},
		{"ours twice negated", "splunk", "  s: {eventName: x}\n  f: {drawbridge.actor.pipeline: true}\n  condition: s and not not f", siem.Approximated, "fires also where it is not so"},
		{"ours, and no call", "splunk", "  s: {userIdentity.type: Root}\n  f: {drawbridge.actor.pipeline: true}\n  condition: s and f", siem.Refused, "names no call"},
		{"ours, and any call", "splunk", "  s: {eventName: '*'}\n  f: {drawbridge.actor.pipeline: true}\n  condition: s and f", siem.Refused, "names no call"},
		{"ours, and not a call", "splunk", "  s: {eventName: x}\n  f: {drawbridge.actor.pipeline: true}\n  condition: f and not s", siem.Refused, "names no call"},
		{"ours, and a call or not", "splunk", "  s: {eventName: x}\n  o: {eventSource: y}\n  f: {drawbridge.actor.pipeline: true}\n  condition: f and (s or o)", siem.Refused, "names no call"},
		{"ours, or a call", "splunk", "  s: {eventName: x}\n  f: {drawbridge.actor.pipeline: true}\n  condition: s or f", siem.Refused, "drawbridge.actor.pipeline"},
		{"ours, and what workloads do", "splunk", "  s: {eventName: AssumeRoleForPodIdentity}\n  f: {drawbridge.actor.pipeline: true}\n  condition: s and f", siem.Refused, "all the time"},
		{"what a target cannot say", "elastic", "  s: {eventName: x}\n  r: {userAgent|re: '\\d+'}\n  condition: s and r", siem.Approximated, "fires also where it is not so that userAgent matches"},
		{"a call that a target cannot say", "eventbridge", "  s: {eventName|re: 'x+'}\n  r: {userAgent: y}\n  condition: s and r", siem.Refused, "names no call"},
		{"two fields below a list", "eventbridge", "  s: {requestParameters.logging.clusterLogging.enabled: false, requestParameters.logging.clusterLogging.types: audit}\n  condition: s", siem.Approximated, "one element"},
		{"everything", "eventbridge", "  s: {errorCode: '*'}\n  condition: s", siem.Exact, ""},
		{"encoded in sigma", "sigma", "  s: {requestParameters.principalArn: 'arn:aws:iam::1:role/x'}\n  condition: s", siem.Approximated, "percent-encodes"},
		{"not of EKS", "sigma", "  s: {eventSource: sts.amazonaws.com, requestParameters.roleArn: 'arn:aws:iam::1:role/x'}\n  condition: s", siem.Exact, ""},
		{"encoded regular expression", "athena", "  s: {requestParameters.principalArn|re: 'role/x'}\n  condition: s", siem.Approximated, "percent-encodes"},
		{"encoded single character", "athena", "  s: {requestParameters.principalArn: 'arn?x'}\n  condition: s", siem.Approximated, "encoded character"},
		{"wildcard without case", "eventbridge", "  s: {userAgent|contains: kubectl}\n  condition: s", siem.Approximated, "with case"},
		{"wildcard with case", "eventbridge", "  s: {userAgent|contains|cased: kubectl}\n  condition: s", siem.Exact, ""},
		{"wildcard without letters", "eventbridge", "  s: {userAgent|contains: '/169.254/'}\n  condition: s", siem.Exact, ""},
		{"two demands", "eventbridge", "  a: {userAgent|startswith: x}\n  b: {userAgent|endswith: y}\n  condition: a and b", siem.Refused, "two things of one field"},
		{"there and absent", "eventbridge", "  a: {errorCode: AccessDenied}\n  b: {errorCode: null}\n  condition: a and b", siem.Refused, "never hold"},
		{"object's presence", "eventbridge", "  s: {responseElements|exists: true}\n  condition: s", siem.Refused, "is an object"},
		{"negated list", "eventbridge", "  s: {eventName: x}\n  f: {requestParameters.kubernetesGroups: viewers}\n  condition: s and not f", siem.Approximated, "where it is a list"},
		{"negated prefix", "eventbridge", "  s: {eventName: x}\n  f: {userAgent|startswith: eksctl}\n  condition: s and not f", siem.Approximated, "in these letters only"},
		{"keywords", "eventbridge", "  s: [abc]\n  condition: s", siem.Refused, "keywords"},
		{"keywords over columns", "athena", "  s: [abc]\n  condition: s", siem.Refused, "keywords"},
		{"no column", "athena", "  s: {tlsDetails.tlsVersion: x}\n  condition: s", siem.Refused, "no column"},
		{"lookalike classes", "elastic", "  s: {userAgent|re: '\\d+'}\n  condition: s", siem.Refused, "Lucene"},
		{"anchors", "elastic", "  s: {userAgent|re: '^aws-cli/[0-9]+'}\n  condition: s", siem.Exact, ""},
		{"lists by index", "logs-insights", "  s: {requestParameters.kubernetesGroups: x}\n  condition: s", siem.Approximated, "first 5 elements"},
		{"two fields", "opensearch", "  s: {userAgent|fieldref: eventName}\n  condition: s", siem.Refused, "compare two fields"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := export(t, c.target, c.detection)
			if got.Verdict != c.want || !strings.Contains(strings.Join(got.Losses, "\n"), c.why) {
				t.Errorf("%s %q, want %s %q", got.Verdict, got.Losses, c.want, c.why)
			}
			if (got.Verdict == siem.Refused) != (got.Text == "") {
				t.Errorf("%s, and the text is %q", got.Verdict, got.Text)
			}
		})
	}
}

// TestSaid has fields of ours that follow from the record.
func TestSaid(t *testing.T) {
	parsed, err := sigma.Parse("r.yml", []byte(`title: t
logsource: {product: kubernetes, service: audit}
detection:
  s: {verb: create, drawbridge.done: "true"}
  part: {drawbridge.actor.part: [controller, control plane]}
  condition: s and not part
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"athena", "elastic", "opensearch", "splunk", "logs-insights"} {
		r, err := siem.Export(parsed, target)
		if err != nil {
			t.Fatal(err)
		}
		rule := r.Rules[0]
		for _, want := range []string{"dryRun=All", "system:serviceaccount:kube-system:job-controller", "impersonatedUser", "accessKeyId"} {
			if !strings.Contains(strings.ToLower(rule.Text), strings.ToLower(want)) {
				t.Errorf("%s: no %s in %s", target, want, rule.Text)
			}
		}
		if rule.Verdict != siem.Approximated || !strings.Contains(strings.Join(rule.Losses, "\n"), "dry run") {
			t.Errorf("%s: %s %q", target, rule.Verdict, rule.Losses)
		}
	}
}

// TestClusterKeys: what one log cannot tell joins nothing, and what stands in one of two fields is looked for in both.
func TestClusterKeys(t *testing.T) {
	parsed, err := sigma.Parse("k.yml", []byte(`title: burst
name: k
correlation: {type: temporal_ordered, rules: [k.a, k.b], group-by: [drawbridge.cluster], timespan: 5m}
---
title: a
name: k.a
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventSource: eks-auth.amazonaws.com}, condition: s}
---
title: b
name: k.b
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventSource: eks.amazonaws.com}, condition: s}
---
title: c
name: k.c
logsource: {product: kubernetes, service: audit}
detection: {s: {verb: get}, condition: s}
`))
	if err != nil {
		t.Fatal(err)
	}
	text := func(target string) string {
		r, err := siem.Export(parsed, target)
		if err != nil || len(r.Rules) != 1 || r.Rules[0].Verdict == siem.Refused {
			t.Fatalf("%s: %v %+v", target, err, r.Rules)
		}
		return r.Rules[0].Text
	}
	if got := text("athena"); !strings.Contains(got, `$."name"`) || !strings.Contains(got, `$."clusterName"`) {
		t.Errorf("one of the two names is not asked for:\n%s", got)
	}
	if r, err := siem.Export(parsed, "elastic"); err != nil || !r.Rules[0].Misses || !strings.Contains(r.Rules[0].Losses[0], "clusterName") {
		t.Errorf("joined by one of two fields, and that is not said: %+v", r.Rules)
	}
	parsed[0].Correlation.Rules[1] = "k.c"
	if got := text("athena"); strings.Contains(got, `$."name"`) || strings.Contains(got, `$."clusterName"`) {
		t.Errorf("an audit event tells no cluster, so that nothing would be joined:\n%s", got)
	}
}

// TestDetections sums up: one rule of two that is refused makes a detection one in part; the same text twice is said.
func TestDetections(t *testing.T) {
	parsed, err := sigma.Parse("d.yml", []byte(`title: first
name: d
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: x, drawbridge.entry.used: a}, condition: s}
---
title: second
name: d
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: x, drawbridge.entry.used: b}, condition: s}
---
title: third
name: d
logsource: {product: aws, service: cloudtrail}
detection: {s: {drawbridge.entry.used: c}, condition: s}
`))
	if err != nil {
		t.Fatal(err)
	}
	r, err := siem.Export(parsed, "athena")
	if err != nil {
		t.Fatal(err)
	}
	want := []siem.Detection{{ID: "d", Verdict: siem.Approximated, Rules: 3, Exported: 2}}
	if diff := cmp.Diff(want, r.Detections); diff != "" {
		t.Error(diff)
	}
	if r.Rules[0].SameAs != "" || r.Rules[1].SameAs != "first" || r.Rules[2].SameAs != "" {
		t.Errorf("same as: %q", []string{r.Rules[0].SameAs, r.Rules[1].SameAs, r.Rules[2].SameAs})
	}
	const summary = "of 1 detection: 0 exact, 1 approximated (1 of them in part), 0 refused; of 3 rules: 0 exact, 2 approximated (0 may miss something), 1 refused"
	if got := r.Summary(); got != summary {
		t.Errorf("%s", got)
	}
	var b strings.Builder
	if err := siem.WriteText(&b, r); err != nil || strings.Count(b.String(), "SELECT") != 1 {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestUnknownTarget(t *testing.T) {
	if _, err := siem.Export(nil, "qradar"); err == nil {
		t.Error("no error")
	}
}
