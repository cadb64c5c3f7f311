package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docker/go-units"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/caisson-dev/caisson/core"
)

// progress shows how an image is pulled or built. On a terminal that is a bar of
// the pull, or of a step how long it takes and what it last said; elsewhere it
// is now and then a line.
type progress struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	log      bool          // print what the steps of a build say
	pool     *mpb.Progress // of the bar; it is the bar's own, so that its end takes the bar off the terminal
	bar      *mpb.Bar
	said     atomic.Pointer[string] // the last line of the present step
	lately   time.Time              // of the last line about a pull
}

// lineInterval is the time between two lines about a pull.
const lineInterval = 5 * time.Second

// firstLine is how long a pull lasts before it is worth a line.
const firstLine = time.Second

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, lately: time.Now().Add(firstLine - lineInterval)}
	f, ok := w.(*os.File)
	p.terminal = ok && term.IsTerminal(int(f.Fd()))
	return p
}

// event shows one event.
func (p *progress) event(ev core.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ev.Kind {
	case core.ProgressPull:
		if p.terminal {
			p.draw(ev)
		} else if time.Since(p.lately) >= lineInterval {
			p.lately = time.Now()
			fmt.Fprintln(p.w, "caisson: pulling"+amount(ev))
		}
	case core.ProgressStep:
		p.clear()
		fmt.Fprintf(p.w, "caisson: building: step %d of %d: %s\n", ev.Current, ev.Total, ev.Text)
		p.spin()
	case core.ProgressLog:
		switch {
		case p.log:
			p.clear()
			fmt.Fprintln(p.w, ev.Text)
		case p.terminal:
			p.said.Store(&ev.Text)
		}
	case core.ProgressDone:
		p.clear()
	}
}

func (p *progress) draw(ev core.Progress) {
	if p.bar == nil {
		p.pool = mpb.New(mpb.WithOutput(p.w), mpb.WithWidth(40))
		p.bar = p.pool.AddBar(0,
			mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name("pulling ")),
			mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f")))
	}
	p.bar.SetTotal(ev.Total, false) // grows while layers are found
	p.bar.SetCurrent(ev.Current)
}

// spin shows on a terminal that a step goes on, below the lines of the steps so far.
func (p *progress) spin() {
	if !p.terminal || p.log {
		return
	}
	p.said.Store(new(string))
	p.pool = mpb.New(mpb.WithOutput(p.w))
	p.bar = p.pool.New(0, mpb.SpinnerStyle(), mpb.BarRemoveOnComplete(), mpb.BarWidth(1),
		mpb.AppendDecorators(
			decor.Elapsed(decor.ET_STYLE_GO),
			decor.Any(func(decor.Statistics) string { return " " + *p.said.Load() })))
}

// clear takes the bar off the terminal.
func (p *progress) clear() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.pool.Wait()
		p.bar, p.pool = nil, nil
	}
}

// close ends the display; it may be called twice.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// amount says how much of a pull is done, as far as it is known.
func amount(ev core.Progress) string {
	if ev.Total <= 0 {
		return ""
	}
	return fmt.Sprintf(": %s of %s", units.BytesSize(float64(ev.Current)), units.BytesSize(float64(ev.Total)))
}
