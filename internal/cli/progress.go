package cli

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// progress shows on a terminal how far a reading is that takes longer than a second. On anything else it is silent.
type progress struct {
	mu      sync.Mutex
	out     io.Writer // nil is silence
	started time.Time
	bars    *mpb.Progress
	byName  map[string]*bar
}

type bar struct {
	*mpb.Bar
	what string
}

func (e *env) newProgress() *progress {
	p := &progress{started: time.Now(), byName: map[string]*bar{}}
	if f, ok := e.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		p.out = f
	}
	return p
}

// show says that done of total pieces of a source were read, the last of them being what.
func (p *progress) show(source string, done, total int, what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out == nil || time.Since(p.started) < time.Second {
		return
	}
	if p.bars == nil {
		p.bars = mpb.New(mpb.WithOutput(p.out), mpb.WithWidth(40))
	}
	b := p.byName[source]
	if b == nil {
		b = &bar{}
		b.Bar = p.bars.AddBar(int64(total), mpb.BarRemoveOnComplete(), mpb.PrependDecorators(decor.Name(source+" "), decor.CountersNoUnit("%d of %d ")),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { p.mu.Lock(); defer p.mu.Unlock(); return " " + printable(b.what) })))
		p.byName[source] = b
	}
	b.what = what
	b.SetTotal(int64(total), false)
	b.SetCurrent(int64(done))
}

// done takes the bars off the screen.
func (p *progress) done() {
	p.mu.Lock()
	bars := p.bars
	p.bars, p.out = nil, nil
	for _, b := range p.byName {
		b.Abort(true)
	}
	p.mu.Unlock()
	if bars != nil {
		bars.Wait()
	}
}

// count says that so many things were read of an input whose length nobody knows.
func (p *progress) count(what string, n int64, input string) { p.show(what, int(n), 0, input) }
