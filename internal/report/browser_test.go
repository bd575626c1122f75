package report

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"drawbridge/internal/finding"
)

// browser is a Chromium that writes down what a page complains about and what it asks the network for.
type browser struct {
	ctx      context.Context
	mu       sync.Mutex
	problems []string
}

func openBrowser(t *testing.T) *browser {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("no Chromium: install the package chromium")
		}
		t.Skip("no Chromium on this machine: install the package chromium to run the browser tests")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true), chromedp.UserDataDir(t.TempDir()))
	allocator, cancelAllocator := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancelAllocator)
	b := &browser{}
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithListener(func(ev any) {
		switch e := ev.(type) {
		case *runtime.EventConsoleAPICalled:
			b.note("console: %v", e.Type)
		case *runtime.EventExceptionThrown:
			b.note("exception: %v", e.ExceptionDetails)
		case *log.EventEntryAdded:
			b.note("log: %s %s", e.Entry.Text, e.Entry.URL)
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(e.Request.URL, "file://") || e.Type != network.ResourceTypeDocument {
				b.note("request: %s", e.Request.URL)
			}
		}
	}))
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	b.ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	call(t, b, network.Enable, network.EnableParams{})
	call(t, b, log.Enable, cdp.Empty{})
	return b
}

func (b *browser) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, fmt.Sprintf(format, args...))
}

func call[P, R any](t *testing.T, b *browser, cmd cdp.Command[P, R], params P) R {
	t.Helper()
	result, err := chromedp.Call(b.ctx, cmd, params)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (b *browser) run(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

func result[T any](t *testing.T, b *browser, action chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(b.ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// shown is what the filter says after the page has drawn itself: it answers to input with the next frame.
func (b *browser) shown(t *testing.T) string {
	t.Helper()
	text, _ := b.eval(t, `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(document.getElementById("shown").textContent))))`).(string)
	return text
}

func (b *browser) eval(t *testing.T, js string) any {
	t.Helper()
	return result(t, b, chromedp.Evaluate[any](js, chromedp.EvalAwaitPromise))
}

func (b *browser) shot(t *testing.T, name string) {
	t.Helper()
	saveArtifact(t, name+".png", result(t, b, chromedp.FullScreenshot(100)))
}

func (b *browser) dark(t *testing.T, on bool) {
	value := "light"
	if on {
		value = "dark"
	}
	call(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}}})
}

func saveArtifact(t *testing.T, name string, content []byte) {
	t.Helper()
	path := filepath.Join(t.ArtifactDir(), name)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Log("saved", path)
}

// quiet fails the test if the page complained or asked the network for anything.
func (b *browser) quiet(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		t.Error(p)
	}
}

func htmlFile(t *testing.T, r *finding.Result, p func(string) (Page, bool)) string {
	t.Helper()
	return saveHTML(t, render(t, "html", r, Options{Pages: p}))
}

func saveHTML(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

func TestHTMLInBrowser(t *testing.T) {
	b := openBrowser(t)
	url := htmlFile(t, readRun(t), pages)
	b.run(t, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(url))
	if got := b.shown(t); got != "17 shown" {
		t.Errorf("at first: %q", got)
	}
	b.shot(t, "desktop")

	b.run(t, chromedp.Click(chromedp.CSS(`.severities .critical span`)))
	if got := b.shown(t); got != "2 of 17 shown" {
		t.Errorf("critical: %q", got)
	}
	if hash := b.eval(t, "location.hash"); hash != "#severity=critical" {
		t.Errorf("hash %v", hash)
	}
	b.run(t, chromedp.Click(chromedp.CSS("#reset")), chromedp.SendKeys(chromedp.CSS("[name=q]"), "partner-support"))
	if got := b.shown(t); got != "1 of 17 shown" {
		t.Errorf("text: %q", got)
	}
	for hash, want := range map[string]string{
		"status=not-assessed":                  "3 of 17 shown",
		"status=suppressed":                    "2 of 17 shown",
		"cluster=staging&status=fail":          "4 of 17 shown",
		"check=access-entry-cluster-admin":     "4 of 17 shown",
		"severity=low%2Cinformational":         "3 of 17 shown",
		"q=nothing+has+this":                   "0 of 17 shown",
		"severity=bogus&cluster=%3Cscript%3E":  "17 shown",
		"severity=critical&q=AC-6&status=fail": "1 of 17 shown",
	} {
		b.eval(t, fmt.Sprintf("location.hash = %q; dispatchEvent(new HashChangeEvent('hashchange'))", hash))
		if got := b.shown(t); got != want {
			t.Errorf("%s: %q, want %q", hash, got, want)
		}
	}
	b.eval(t, "location.hash = 'severity=critical'; dispatchEvent(new HashChangeEvent('hashchange'))")
	b.run(t, chromedp.Click(chromedp.CSS("#reset")), chromedp.Click(chromedp.CSS(".finding summary")), chromedp.WaitVisible(chromedp.CSS(".finding[open] .code button")))
	b.shot(t, "open")
	b.dark(t, true)
	b.shot(t, "dark")
	b.dark(t, false)
	b.run(t, chromedp.EmulateViewport(390, 844))
	if width := b.eval(t, "document.documentElement.scrollWidth"); width.(float64) > 390 {
		t.Errorf("a phone must scroll sideways: %v pixels", width)
	}
	b.shot(t, "phone")
	b.quiet(t)
}

// A closed finding is printed open, by the script and, without scripts, by the style.
func TestHTMLPrint(t *testing.T) {
	for _, scripts := range []bool{true, false} {
		t.Run(fmt.Sprintf("scripts %v", scripts), func(t *testing.T) {
			b := openBrowser(t)
			call(t, b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts})
			b.run(t, chromedp.Navigate(htmlFile(t, readRun(t), pages)))
			pdf := result(t, b, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4), chromedp.PDFPreferCSSPageSize(), chromedp.PDFPrintBackground()))
			saveArtifact(t, "print.pdf", pdf)
			if text, err := exec.LookPath("pdftotext"); err == nil {
				cmd := exec.Command(text, "-", "-")
				cmd.Stdin = strings.NewReader(string(pdf))
				out, err := cmd.Output()
				if err != nil {
					t.Fatal(err)
				}
				for _, want := range []string{"How to fix", "delete-access-entry", "Why it matters", "Not assessed"} {
					if !strings.Contains(strings.ToLower(string(out)), strings.ToLower(want)) {
						t.Errorf("not printed: %s", want)
					}
				}
			}
			b.quiet(t)
		})
	}
}

// Five thousand findings stay below 15 MB and answer to the filter at once.
func TestHTMLLarge(t *testing.T) {
	r := readRun(t)
	small := r.Findings
	for i := 0; len(r.Findings) < 5000; i++ {
		f := small[i%len(small)]
		f.Subject.Name = fmt.Sprintf("%s-%d", f.Subject.Name, i)
		f.Fingerprint = finding.Fingerprint(f.ID, f.Cluster, f.Subject, "")
		r.Findings = append(r.Findings, f)
	}
	r.Summary = finding.Count(r.Findings)
	url := htmlFile(t, r, pages)
	info, err := os.Stat(strings.TrimPrefix(url, "file://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d findings: %.1f MB", len(r.Findings), float64(info.Size())/1e6)
	if info.Size() > 15_000_000 {
		t.Errorf("%d bytes", info.Size())
	}
	b := openBrowser(t)
	start := time.Now()
	b.run(t, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(url))
	t.Logf("loaded in %s", time.Since(start).Round(time.Millisecond))
	took := b.eval(t, `(() => { const q = document.querySelector("[name=q]"); q.value = "partner-support"; const t = performance.now(); q.dispatchEvent(new Event("input", {bubbles: true}));
		return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - t)))) })()`)
	t.Logf("filter: %v", took)
	b.quiet(t)
}
