// Command sessions measures what sessions cost: claims from a warm pool, asking
// for a live session, and the memory and goroutines of idle ones. It fails if one
// of them is worse than it is meant to be.
//
//	go run ./bench/sessions [-engines docker,podman] [-image IMAGE] [-live N]
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caisson-dev/caisson/core"
	_ "github.com/caisson-dev/caisson/drivers/docker"
	_ "github.com/caisson-dev/caisson/drivers/podman"
	"github.com/caisson-dev/caisson/sessions"
)

// What sessions are meant to cost.
const (
	claimGoal     = 5 * time.Millisecond
	getGoal       = 10 * time.Microsecond
	memoryGoal    = 64 << 10 // bytes of heap and stacks for an idle session
	goroutineGoal = 3.0      // for an idle session
)

const (
	claims  = 50
	gets    = 100_000
	atOnce  = 8
	warmMin = 5
)

func main() {
	engines := flag.String("engines", "docker,podman", "engines to measure; an address may follow, as in docker:///run/docker.sock")
	image := flag.String("image", "caisson-test/base:latest", "image of the sandboxes")
	live := flag.Int("live", 200, "how many sessions live at the same time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var failed []error
	for _, engine := range strings.Split(*engines, ",") {
		if !strings.Contains(engine, ":") {
			engine += ":"
		}
		b := &bench{image: *image, live: *live, name: engine}
		failed = append(failed, b.run(ctx))
	}
	if err := errors.Join(failed...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // what is deferred only gives back a signal handler
	}
}

// bench measures one engine.
type bench struct {
	name, image string
	live        int
	driver      core.Driver
	failed      []error
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.driver, err = core.Open(ctx, b.name); err != nil {
		return fmt.Errorf("%s %w", b.name, err)
	}
	defer b.driver.Close()
	for _, measure := range []func(context.Context) error{b.claim, b.idle} {
		if err := measure(ctx); err != nil {
			return fmt.Errorf("%s %w", b.name, err)
		}
	}
	return errors.Join(b.failed...)
}

// manager returns a manager whose sessions leave nothing, and what ends it.
func (b *bench) manager(pool *sessions.PoolOptions) (*sessions.Manager, func() error, error) {
	m, err := sessions.New(b.driver, &sessions.Options{
		Owner: "bench-" + strings.ToLower(rand.Text()), DefaultRuntime: &core.Runtime{Image: b.image}, Pool: pool, Ephemeral: true,
		Spec: core.Spec{Limits: core.Limits{Memory: core.MinMemory, PIDs: core.MinPIDs}},
	})
	if err != nil {
		return nil, nil, err
	}
	return m, func() error {
		_, err := m.Shutdown(context.Background())
		return err
	}, nil
}

// claim measures sessions that get a warm sandbox, one at a time.
func (b *bench) claim(ctx context.Context) (err error) {
	m, end, err := b.manager(&sessions.PoolOptions{Min: warmMin, Exhausted: sessions.ExhaustedWait})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	var took []time.Duration
	for i := range claims {
		for m.Warm() < warmMin && ctx.Err() == nil { // so that the engine has nothing else to do
			time.Sleep(50 * time.Millisecond)
		}
		began := time.Now()
		s, err := m.GetOrCreate(ctx, fmt.Sprint(i), nil)
		if err != nil {
			return err
		}
		took = append(took, time.Since(began))
		if err := s.Stop(ctx); err != nil {
			return err
		}
	}
	slices.Sort(took)
	p50 := took[claims/2]
	b.report("claim from a warm pool, p50", p50, claimGoal, fmt.Sprintf("p95 %v", took[claims*95/100]))
	return nil
}

// idle measures many sessions that do nothing.
func (b *bench) idle(ctx context.Context) (err error) {
	m, end, err := b.manager(nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	// What is made once per process, as the connections to the engine that are
	// kept, is no session's, whatever the number of those.
	if err := b.fill(ctx, m, "first ", atOnce); err != nil {
		return err
	}
	memory, goroutines := usage()
	began := time.Now()
	if err := b.fill(ctx, m, "", b.live); err != nil {
		return err
	}
	fmt.Printf("%-8s %d sessions created in %v\n", b.name, b.live, time.Since(began).Round(time.Millisecond))
	nowMemory, nowGoroutines := usage()
	b.report("memory of an idle session, bytes", (nowMemory-memory)/b.live, memoryGoal, "")
	b.report("goroutines of an idle session", float64(nowGoroutines-goroutines)/float64(b.live), goroutineGoal, "")

	began = time.Now()
	for i := range gets {
		if _, err := m.GetOrCreate(ctx, fmt.Sprint(i%b.live), nil); err != nil {
			return err
		}
	}
	b.report("GetOrCreate of a live session", time.Since(began)/gets, getGoal, "")
	return nil
}

// fill creates n sessions, a few at a time.
func (b *bench) fill(ctx context.Context, m *sessions.Manager, prefix string, n int) error {
	var all sync.WaitGroup
	places := make(chan struct{}, atOnce)
	errs := make([]error, n)
	for i := range n {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			_, errs[i] = m.GetOrCreate(ctx, prefix+fmt.Sprint(i), nil)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// usage returns the bytes of the heap and of stacks that are in use, and the number of goroutines.
func usage() (memory, goroutines int) {
	time.Sleep(time.Second) // for what is still ending
	for range 3 {
		runtime.GC()
	}
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	goroutines = runtime.NumGoroutine()
	for range 10 { // heartbeats come and go
		time.Sleep(20 * time.Millisecond)
		goroutines = min(goroutines, runtime.NumGoroutine())
	}
	return int(s.HeapInuse + s.StackInuse), goroutines
}

// report prints a figure, and remembers that it is worse than its goal.
func (b *bench) report(what string, got, goal any, more string) {
	fmt.Printf("%-8s %-36s %12v (goal %v) %s\n", b.name, what, got, goal, more)
	worse := false
	switch got := got.(type) {
	case time.Duration:
		worse = got > goal.(time.Duration)
	case int:
		worse = got > goal.(int)
	case float64:
		worse = got > goal.(float64)
	}
	if worse {
		b.failed = append(b.failed, fmt.Errorf("%s %s: %v, which is worse than %v", b.name, what, got, goal))
	}
}
