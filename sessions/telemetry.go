package sessions

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/caisson-dev/caisson/core"
)

// scope names the instrumentation.
const scope = "github.com/caisson-dev/caisson/sessions"

// telemetry holds the instruments. Ids of sessions are attributes of spans, never of metrics.
type telemetry struct {
	tracer trace.Tracer
	alive  metric.Int64UpDownCounter
	create metric.Float64Histogram
	exec   metric.Float64Histogram
	ends   metric.Int64Counter
}

func newTelemetry(o *Options) (*telemetry, error) {
	traces, meters := o.TracerProvider, o.MeterProvider
	if traces == nil {
		traces = otel.GetTracerProvider()
	}
	if meters == nil {
		meters = otel.GetMeterProvider()
	}
	meter := meters.Meter(scope)
	t := &telemetry{tracer: traces.Tracer(scope)}
	var errs [4]error
	t.alive, errs[0] = meter.Int64UpDownCounter("caisson.sessions.live",
		metric.WithDescription("sessions that have a sandbox"), metric.WithUnit("{session}"))
	t.create, errs[1] = meter.Float64Histogram("caisson.session.create.duration",
		metric.WithDescription("time to get a sandbox, by source (start, warm, adopted) and outcome"), metric.WithUnit("s"))
	t.exec, errs[2] = meter.Float64Histogram("caisson.session.exec.duration",
		metric.WithDescription("time of commands, by outcome"), metric.WithUnit("s"))
	t.ends, errs[3] = meter.Int64Counter("caisson.session.ends",
		metric.WithDescription("sessions ended, by reason and outcome"), metric.WithUnit("{session}"))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, core.Errorf(core.ErrInternal, "sessions", "metrics: %w", err)
	}
	return t, nil
}

// start begins a span.
func (t *telemetry) start(ctx context.Context, name, id string) (context.Context, trace.Span) {
	return t.tracer.Start(ctx, name, trace.WithAttributes(attribute.String("caisson.session", escape(id))))
}

func (t *telemetry) created(ctx context.Context, span trace.Span, from origin, err error, took time.Duration) {
	source := "start"
	switch {
	case from.adopted:
		source = "adopted"
	case from.warm:
		source = "warm"
	}
	attributes := []attribute.KeyValue{attribute.String("source", source), attribute.String("outcome", outcome(err))}
	t.create.Record(ctx, took.Seconds(), metric.WithAttributes(attributes...))
	if err == nil {
		t.alive.Add(ctx, 1)
	}
	finish(span, err, attributes)
}

func (t *telemetry) ended(ctx context.Context, span trace.Span, why Reason, err error) {
	attributes := []attribute.KeyValue{attribute.String("reason", string(why)), attribute.String("outcome", outcome(err))}
	t.ends.Add(ctx, 1, metric.WithAttributes(attributes...))
	if err == nil {
		t.alive.Add(ctx, -1)
	}
	finish(span, err, attributes)
}

// executed records a command. Its outcome is the error's code, or how it ended.
func (t *telemetry) executed(ctx context.Context, res *core.Result, err error, took time.Duration) {
	result := outcome(err)
	if err == nil {
		result = string(res.Reason)
	}
	t.exec.Record(ctx, took.Seconds(), metric.WithAttributes(attribute.String("outcome", result)))
}

func finish(span trace.Span, err error, attributes []attribute.KeyValue) {
	span.SetAttributes(attributes...)
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, outcome(err))
	}
	span.End()
}

// outcome is "ok" or the code of an error.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	return string(core.CodeOf(err))
}
