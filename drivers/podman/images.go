package podman

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/caisson-dev/caisson/core"
)

func (e *engine) Pull(ctx context.Context, ref string, progress func(core.Progress)) error {
	res, err := e.request(ctx, http.MethodPost, "/images/pull", url.Values{"reference": {qualified(ref)}}, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	err = e.follow(ctx, res.Body, func(text string) error {
		if text = strings.TrimSpace(text); text != "" {
			progress(core.Progress{Kind: core.ProgressPull, Text: text})
		}
		return nil
	})
	if err != nil {
		if _, ok := errors.AsType[*core.Error](err); ok {
			return err
		}
		for _, phrase := range []string{"manifest unknown", "not found", "does not exist", "requested access to the resource is denied"} {
			if strings.Contains(err.Error(), phrase) {
				return core.Errorf(core.ErrNotFound, "", "%w", err)
			}
		}
		return core.Errorf(core.ErrUnavailable, "", "%w", err)
	}
	return nil
}

// qualified adds the registry that Docker means by a short name. Podman would
// search the registries that its host's configuration lists.
func qualified(ref string) string {
	host, _, found := strings.Cut(ref, "/")
	switch {
	case !found:
		return "docker.io/library/" + ref
	case strings.ContainsAny(host, ".:") || host == "localhost":
		return ref
	}
	return "docker.io/" + ref
}

// follow passes on the texts of a stream and returns the error that it holds. The status of the answer was 200 all the same.
func (e *engine) follow(ctx context.Context, body io.Reader, text func(string) error) error {
	for dec := json.NewDecoder(body); ; {
		var ev struct {
			Stream string `json:"stream"`
			Error  string `json:"error"`
		}
		err := dec.Decode(&ev)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return e.unreachable(ctx, err)
		case ev.Error != "":
			return errors.New(strings.TrimSpace(ev.Error))
		case ev.Stream != "":
			if err := text(ev.Stream); err != nil {
				return err
			}
		}
	}
}
