package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// interruption is the cause of a context that a signal ended.
type interruption struct{ signal syscall.Signal }

func (i interruption) Error() string { return fmt.Sprintf("interrupted by signal %d", int(i.signal)) }

// status is what a shell reports of a program that the signal killed.
func (i interruption) status() int { return exitSignaled + int(i.signal) }

// catchSignals returns a context that the first SIGINT, SIGTERM or SIGHUP
// ends. The second calls abandon and ends the program, the third ends it at
// once. The caller must call release.
func catchSignals(ctx context.Context, abandon func()) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	caught := make(chan os.Signal, 3)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		var first interruption
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			case sig := <-caught:
				switch n {
				case 1:
					first = interruption{sig.(syscall.Signal)}
					cancel(first)
				case 2:
					go func() {
						abandon()
						os.Exit(first.status())
					}()
				default:
					os.Exit(first.status())
				}
			}
		}
	}()
	return ctx, func() {
		signal.Stop(caught)
		close(done)
		cancel(nil)
	}
}

// interrupted returns the exit status of a signal that ended ctx, or else err.
func interrupted(ctx context.Context, err error) error {
	if sig, ok := errors.AsType[interruption](context.Cause(ctx)); ok {
		return status(sig.status())
	}
	return err
}
