package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"pgregory.net/rapid"

	"drawbridge/internal/finding"
)

// frameworkOf makes a small framework of a result: one control of each status.
func frameworkOf(r *finding.Result) finding.FrameworkReport {
	rep := finding.FrameworkReport{
		Tool: r.Tool, Time: r.Time, ID: "iso-27001", Title: "ISO/IEC 27001 Annex A", Edition: "2022",
		Source: "Mapping by drawbridge; the standard itself names no Kubernetes objects.",
	}
	for _, c := range r.Clusters {
		rep.Clusters = append(rep.Clusters, c.ARN)
	}
	with := func(id string, status finding.Status) (out []finding.Finding) {
		for _, f := range r.Findings {
			if f.Status == status && slices.Contains(f.Controls, finding.Control{Framework: "iso-27001", ID: id}) {
				out = append(out, f)
			}
		}
		return out
	}
	rep.Controls = []finding.FrameworkControl{
		{ID: "A.5.15", Title: "Access control", Status: finding.ControlFail, Checks: []string{"access-entry-external-account", "authentication-mode-config-map"}, Findings: with("A.5.15", finding.Fail)},
		{ID: "A.5.17", Title: "Authentication information", Status: finding.ControlPass, Checks: []string{"node-role-extra-permissions"}},
		{ID: "A.5.18", Title: "Access rights", Status: finding.ControlFail, Checks: []string{"aws-auth-missing-principal"}, Findings: with("A.5.18", finding.Fail)},
		{ID: "A.7.4", Title: "Physical security monitoring", Status: finding.ControlNotCovered},
		{ID: "A.8.2", Title: "Privileged access rights", Status: finding.ControlFail, Checks: []string{"access-entry-cluster-admin", "pod-identity-role-admin"}, Findings: with("A.8.2", finding.Fail)},
		{ID: "A.8.15", Title: "Logging", Status: finding.ControlNotAssessed, Checks: []string{"irsa-trust-wildcard"}, Findings: r.Findings[len(r.Findings)-1:]},
	}
	return rep
}

func writeFramework(t testing.TB, format string, r finding.FrameworkReport, o Options) string {
	t.Helper()
	var out bytes.Buffer
	if err := Framework(&out, format, r, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestFramework(t *testing.T) {
	rep := frameworkOf(readRun(t))
	for _, format := range FrameworkFormats {
		t.Run(format, func(t *testing.T) {
			golden(t, "framework."+format, writeFramework(t, format, rep, Options{Unicode: true}))
		})
	}
	var out bytes.Buffer
	if err := Framework(&out, "sarif", rep, Options{}); err == nil || !strings.Contains(err.Error(), "table, markdown") {
		t.Errorf("sarif: %v", err)
	}
}

func TestFrameworkHostile(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := func(name string) string { return hostileString().Draw(rt, name) }
		rep := finding.FrameworkReport{ID: s("id"), Title: s("title"), Edition: s("edition"), Source: s("source"), Clusters: []string{s("cluster"), "c1"}}
		for range rapid.IntRange(0, 3).Draw(rt, "controls") {
			rep.Controls = append(rep.Controls, finding.FrameworkControl{
				ID: s("control"), Title: s("control title"), Status: rapid.SampledFrom(append(controlStatuses, finding.ControlStatus(s("status")))).Draw(rt, "status"),
				Checks: []string{s("check")}, Findings: rapid.SliceOfN(hostileFinding(), 0, 2).Draw(rt, "findings"),
			})
		}
		for _, format := range FrameworkFormats {
			var out bytes.Buffer
			if err := Framework(&out, format, rep, Options{Unicode: true, Wide: true}); err != nil {
				rt.Fatal(err)
			}
			if err := clean(out.String()); err != nil {
				rt.Fatalf("%s: %v", format, err)
			}
			var err error
			switch format {
			case "markdown":
				err = markdownBack(out.String(), nil)
			case "html":
				err = elementsBack(out.String(), 0)
			}
			if err != nil {
				rt.Fatalf("%s: %v", format, err)
			}
		}
	})
}

func TestFrameworkInBrowser(t *testing.T) {
	b := openBrowser(t)
	b.run(t, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(saveHTML(t, writeFramework(t, "html", frameworkOf(readRun(t)), Options{}))))
	b.run(t, chromedp.Click(chromedp.CSS(".control summary")), chromedp.WaitVisible(chromedp.CSS(".control[open] .finding")))
	b.shot(t, "framework")
	b.dark(t, true)
	b.shot(t, "framework-dark")
	b.quiet(t)
}
