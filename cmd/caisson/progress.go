package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/docker/go-units"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/caisson-dev/caisson/core"
)

// progress shows how an image is pulled or built: a bar on a terminal, else
// now and then a line.
type progress struct {
	mu     sync.Mutex
	w      io.Writer
	pool   *mpb.Progress // nil where there is no terminal
	bar    *mpb.Bar
	lately time.Time // of the last line about a pull
}

// lineInterval is the time between two lines about a pull.
const lineInterval = 5 * time.Second

// firstLine is how long a pull lasts before it is worth a line.
const firstLine = time.Second

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, lately: time.Now().Add(firstLine - lineInterval)}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.pool = mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))
	}
	return p
}

// event shows one event.
func (p *progress) event(ev core.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ev.Kind {
	case core.ProgressPull:
		if p.pool != nil {
			p.draw(ev)
		} else if time.Since(p.lately) >= lineInterval {
			p.lately = time.Now()
			fmt.Fprintln(p.w, "caisson: pulling"+amount(ev))
		}
	case core.ProgressStep:
		p.clear()
		fmt.Fprintf(p.w, "caisson: building: step %d of %d: %s\n", ev.Current, ev.Total, ev.Text)
	case core.ProgressDone:
		p.clear()
	}
}

func (p *progress) draw(ev core.Progress) {
	if p.bar == nil {
		p.bar = p.pool.AddBar(0,
			mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name("pulling ")),
			mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f")))
	}
	p.bar.SetTotal(ev.Total, false) // grows while layers are found
	p.bar.SetCurrent(ev.Current)
}

// clear takes the bar off the terminal.
func (p *progress) clear() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.bar.Wait()
		p.bar = nil
	}
}

// close ends the display; it may be called twice.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	if p.pool != nil {
		p.pool.Wait()
	}
}

// amount says how much of a pull is done, as far as it is known.
func amount(ev core.Progress) string {
	if ev.Total <= 0 {
		return ""
	}
	return fmt.Sprintf(": %s of %s", units.BytesSize(float64(ev.Current)), units.BytesSize(float64(ev.Total)))
}
