package sessions_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/sessions"
)

// recorder takes metrics and spans down as lines of text.
type recorder struct {
	mu    sync.Mutex
	lines []string
	live  int64
}

func (r *recorder) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

type meters struct {
	metricnoop.MeterProvider
	*recorder
}

func (m meters) Meter(string, ...metric.MeterOption) metric.Meter { return meter{recorder: m.recorder} }

type meter struct {
	metricnoop.Meter
	*recorder
}

func (m meter) Int64UpDownCounter(string, ...metric.Int64UpDownCounterOption) (metric.Int64UpDownCounter, error) {
	return upDown{recorder: m.recorder}, nil
}

func (m meter) Int64Counter(name string, _ ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return counter{name: name, recorder: m.recorder}, nil
}

func (m meter) Float64Histogram(name string, _ ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return histogram{name: name, recorder: m.recorder}, nil
}

type upDown struct {
	metricnoop.Int64UpDownCounter
	*recorder
}

func (u upDown) Add(_ context.Context, n int64, _ ...metric.AddOption) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.live += n
}

type counter struct {
	metricnoop.Int64Counter
	*recorder
	name string
}

func (c counter) Add(_ context.Context, _ int64, o ...metric.AddOption) {
	set := metric.NewAddConfig(o).Attributes()
	c.add(c.name + " " + set.Encoded(attribute.DefaultEncoder()))
}

type histogram struct {
	metricnoop.Float64Histogram
	*recorder
	name string
}

func (h histogram) Record(_ context.Context, _ float64, o ...metric.RecordOption) {
	set := metric.NewRecordConfig(o).Attributes()
	h.add(h.name + " " + set.Encoded(attribute.DefaultEncoder()))
}

type tracers struct {
	tracenoop.TracerProvider
	*recorder
}

func (t tracers) Tracer(string, ...trace.TracerOption) trace.Tracer {
	return tracer{recorder: t.recorder}
}

type tracer struct {
	tracenoop.Tracer
	*recorder
}

func (t tracer) Start(ctx context.Context, name string, o ...trace.SpanStartOption) (context.Context, trace.Span) {
	c := trace.NewSpanStartConfig(o...)
	t.add("span " + name + " " + c.Attributes()[0].Value.AsString())
	return ctx, tracenoop.Span{}
}

func TestTelemetry(t *testing.T) {
	d := fake.New(nil)
	r := &recorder{}
	var log bytes.Buffer
	m := manage(t, d, func(o *sessions.Options) {
		o.MeterProvider, o.TracerProvider = meters{recorder: r}, tracers{recorder: r}
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	s := get(t, m, "a b")
	sh(t, s, "true")
	require.EqualValues(t, 1, r.live)
	_, err := s.Execute(t.Context(), &core.Command{})
	require.ErrorIs(t, err, core.ErrInvalid)
	_, err = m.Release(t.Context(), "a b")
	require.NoError(t, err)
	d.Inject(fake.StartFails)
	_, err = m.GetOrCreate(t.Context(), "c", nil)
	require.Error(t, err)
	require.Zero(t, r.live)
	require.Equal(t, []string{
		"span sessions.create a%20b",
		"caisson.session.create.duration outcome=ok,source=start",
		"caisson.session.exec.duration outcome=exited",
		"caisson.session.exec.duration outcome=invalid",
		"span sessions.end a%20b",
		"caisson.session.ends outcome=ok,reason=released",
		"span sessions.create c",
		"caisson.session.create.duration outcome=resource,source=start",
	}, r.lines)
	require.Contains(t, log.String(), `msg="session ready" session="a b"`)
	require.Contains(t, log.String(), `level=WARN msg="session not created" session=c`)
}
