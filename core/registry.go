package core

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Opener makes a Driver from a URL of its scheme. It must refuse query keys
// that it does not know, and make no engine call that can wait for long.
type Opener func(ctx context.Context, u *url.URL) (Driver, error)

// Registry maps URL schemes to Openers. The zero value is ready to use, by many goroutines at once.
type Registry struct {
	mu      sync.RWMutex
	openers map[string]Opener
}

var drivers Registry

// Register adds an Opener for a scheme to the default registry. Drivers call
// it from init. It panics if the scheme is empty or taken.
func Register(scheme string, open Opener) { drivers.Register(scheme, open) }

// Open returns the driver for a URL such as "docker:", "podman:///run/podman/podman.sock",
// "fake:" or "auto:". Drivers are linked by blank import. Auto takes Docker if
// it answers, else Podman, else returns ErrUnavailable that names both endpoints.
// The caller must close the driver.
func Open(ctx context.Context, rawURL string) (Driver, error) { return drivers.Open(ctx, rawURL) }

// Schemes returns the registered schemes, sorted.
func Schemes() []string { return drivers.Schemes() }

// Register adds an Opener for a scheme. It panics if the scheme is empty or taken.
func (r *Registry) Register(scheme string, open Opener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if scheme == "" || scheme == auto || open == nil {
		panic("core: Register of an empty scheme, of auto or of a nil Opener")
	}
	if _, taken := r.openers[scheme]; taken {
		panic("core: Register called twice for " + scheme)
	}
	if r.openers == nil {
		r.openers = make(map[string]Opener)
	}
	r.openers[scheme] = open
}

// Schemes returns the registered schemes, sorted.
func (r *Registry) Schemes() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var schemes []string
	for s := range r.openers {
		schemes = append(schemes, s)
	}
	slices.Sort(schemes)
	return schemes
}

const auto = "auto"

// Open returns the driver for a URL; see the function Open.
func (r *Registry) Open(ctx context.Context, rawURL string) (Driver, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme == "" {
		return nil, Errorf(ErrInvalid, "open", "%q is not a driver URL; use one of %s", rawURL, r.known())
	}
	if u.User != nil {
		return nil, Errorf(ErrInvalid, "open", "a driver URL must not hold a user or password")
	}
	if u.Scheme == auto {
		return r.openAuto(ctx, u)
	}
	r.mu.RLock()
	open := r.openers[u.Scheme]
	r.mu.RUnlock()
	if open == nil {
		return nil, Errorf(ErrInvalid, "open", "no driver for %q; linked are %s (add one by importing its package, as in _ \"github.com/caisson-dev/caisson/drivers/docker\")",
			u.Scheme+":", r.known())
	}
	return open(ctx, u)
}

func (r *Registry) openAuto(ctx context.Context, u *url.URL) (Driver, error) {
	if u.Opaque != "" || u.Host != "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, Errorf(ErrInvalid, "open", "%q: auto: takes no more; name an engine to configure it", u.String())
	}
	var tried []error
	for _, scheme := range []string{"docker", "podman"} {
		drv, err := r.Open(ctx, scheme+":")
		if err == nil {
			if _, err = drv.Info(ctx); err == nil {
				return drv, nil
			}
			err = errors.Join(err, drv.Close())
		}
		if ctx.Err() != nil {
			return nil, Ended(ctx)
		}
		tried = append(tried, err)
	}
	return nil, &Error{Code: ErrUnavailable, Op: "open", Err: fmt.Errorf("no container engine answers: %w; %w", tried[0], tried[1])}
}

func (r *Registry) known() string {
	return strings.Join(append([]string{auto + ":"}, suffixed(r.Schemes(), ":")...), ", ")
}

func suffixed(list []string, suffix string) []string {
	for i := range list {
		list[i] += suffix
	}
	return list
}
