package container

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/caisson-dev/caisson/core"
)

func TestFlightIsOneForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flights[int]
		var runs, events atomic.Int32
		release := make(chan struct{})
		work := func(_ context.Context, progress func(core.Progress)) (int, error) {
			runs.Add(1)
			<-release
			progress(core.Progress{Text: "almost"})
			return 7, nil
		}
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				v, err := f.do(t.Context(), "k", func(core.Progress) { events.Add(1) }, work)
				assert.NoError(t, err) //nolint:testifylint // require must not be called off the test's goroutine
				assert.Equal(t, 7, v)
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		require.EqualValues(t, 1, runs.Load())
		require.EqualValues(t, 200, events.Load())
		require.Empty(t, f.running)
	})
}

func TestFlightOutlivesWhoAskedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flights[int]
		release := make(chan struct{})
		first, giveUp := context.WithCancelCause(t.Context())
		why := errors.New("no patience")
		go func() {
			_, err := f.do(first, "k", func(core.Progress) {}, func(ctx context.Context, progress func(core.Progress)) (int, error) {
				<-release
				progress(core.Progress{})
				return 1, ctx.Err()
			})
			assert.ErrorIs(t, err, why)
		}()
		synctest.Wait()
		go func() {
			v, err := f.do(t.Context(), "k", func(core.Progress) {}, nil)
			assert.NoError(t, err)
			assert.Equal(t, 1, v)
		}()
		synctest.Wait()
		giveUp(why)
		synctest.Wait()
		close(release)
		synctest.Wait()
	})
}

func TestFlightEndsWithTheLastWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flights[int]
		ctx, cancel := context.WithCancel(t.Context())
		var cleaned atomic.Bool
		for range 2 {
			go func() {
				_, err := f.do(ctx, "k", func(core.Progress) {}, func(ctx context.Context, _ func(core.Progress)) (int, error) {
					<-ctx.Done()
					cleaned.Store(true)
					return 0, ctx.Err()
				})
				assert.ErrorIs(t, err, context.Canceled)
			}()
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		require.True(t, cleaned.Load())
		v, err := f.do(t.Context(), "k", func(core.Progress) {}, func(context.Context, func(core.Progress)) (int, error) { return 2, nil })
		require.NoError(t, err)
		require.Equal(t, 2, v)
	})
}

func TestFlightPassesErrorsOn(t *testing.T) {
	var f flights[int]
	_, err := f.do(t.Context(), "k", func(core.Progress) {}, func(context.Context, func(core.Progress)) (int, error) { return 0, core.ErrBuild })
	require.ErrorIs(t, err, core.ErrBuild)
	v, err := f.do(t.Context(), "k", func(core.Progress) {}, func(context.Context, func(core.Progress)) (int, error) { return 3, nil })
	require.NoError(t, err)
	require.Equal(t, 3, v)
}

// Who is slow to hear of progress holds up neither the work nor anybody else who waits for it.
func TestFlightDoesNotWaitForProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flights[int]
		start := time.Now()
		work := func(_ context.Context, progress func(core.Progress)) (int, error) {
			time.Sleep(time.Second)
			for i := range int64(1000) {
				progress(core.Progress{Kind: core.ProgressPull, Current: i})
			}
			for i := range int64(1000) {
				progress(core.Progress{Kind: core.ProgressLog, Current: i})
				if i%500 == 0 {
					progress(core.Progress{Kind: core.ProgressStep, Current: i})
				}
			}
			return int(time.Since(start).Seconds()), nil
		}
		slow, heard := make(chan int), []core.Progress{}
		go func() {
			v, err := f.do(t.Context(), "k", func(ev core.Progress) {
				heard = append(heard, ev)
				time.Sleep(time.Second)
			}, work)
			assert.NoError(t, err)
			slow <- v
		}()
		synctest.Wait()
		v, err := f.do(t.Context(), "k", func(core.Progress) {}, work)
		require.NoError(t, err)
		require.Equal(t, 1, v)
		require.Equal(t, time.Second, time.Since(start))
		require.Equal(t, 1, <-slow)
		require.LessOrEqual(t, len(heard), 2*maxNews+1)
		require.Contains(t, heard, core.Progress{Kind: core.ProgressStep, Current: 0})
		require.Contains(t, heard, core.Progress{Kind: core.ProgressStep, Current: 500})
		require.Contains(t, heard, core.Progress{Kind: core.ProgressLog, Current: 999}, "the latest")
	})
}

// A panic of the caller's reaches the caller, and leaves nothing behind.
func TestFlightWhoseProgressPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flights[int]
		ended := false
		work := func(ctx context.Context, progress func(core.Progress)) (int, error) {
			progress(core.Progress{})
			<-ctx.Done()
			ended = true
			return 0, ctx.Err()
		}
		require.PanicsWithValue(t, "boom", func() {
			_, _ = f.do(t.Context(), "k", func(core.Progress) { panic("boom") }, work)
		})
		require.True(t, ended)
		require.Empty(t, f.running)
	})
}
