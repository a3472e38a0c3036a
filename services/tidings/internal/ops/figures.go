package ops

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
)

// Figures registers what only the operator sees of the broker: the streams and consumers that no service shows, the dead
// letters, and when the last backup was made.
func (o *Ops) Figures(r prometheus.Registerer) error {
	t, err := Topology(o.nats)
	if err != nil {
		return err
	}
	streamOf := map[string]string{}
	f := run.Flow{}
	for _, s := range t.Streams {
		if !slices.Contains(shownStreams, s.Name) {
			f.Streams = append(f.Streams, s.StreamName())
		}
	}
	for _, c := range t.Consumers {
		if !slices.Contains(shownConsumers, c.Name) {
			streamOf[c.Name] = c.Stream
			f.Consumers = append(f.Consumers, c.Name)
		}
	}
	f.Level = func(ctx context.Context, stream string) (run.Level, error) {
		s, err := o.bus.StreamState(ctx, stream)
		return run.Level{Bytes: s.Bytes, Limit: s.MaxBytes}, err
	}
	f.Queue = func(ctx context.Context, consumer string) (run.Queue, error) {
		l, err := o.bus.Backlog(ctx, streamOf[consumer], consumer)
		return run.Queue{Pending: l.Pending, InHand: l.AckPending, Oldest: l.Oldest}, err
	}
	if err := errors.Join(r.Register(run.NewFlow(f)), r.Register(newKept(o.bus))); err != nil {
		return fault.Errorf(fault.Internal, "register metrics: %w", err)
	}
	return nil
}

// What ingest and publish show, which see it anyway.
var (
	shownStreams   = []string{event.StreamRaw, event.StreamArticles, event.StreamPosts, event.StreamFeeds}
	shownConsumers = []string{event.ConsumerEnrich, event.ConsumerBackfill, event.ConsumerComposer}
)

// kept shows what the broker keeps for the operator: the dead letters, and word of the last backup.
type kept struct {
	bus    *bus.Bus
	dead   *prometheus.Desc
	backup *prometheus.Desc

	mu sync.Mutex
	// What was counted, and of which state of DEAD: it is read anew only when it has changed.
	of     deadState
	counts map[[2]string]int // by stage and reason
	made   time.Time         // of the newest backup that was seen: EVENTS forgets it after a week
}

type deadState struct {
	messages, last uint64
	created        time.Time
}

var _ prometheus.Collector = (*kept)(nil)

func newKept(b *bus.Bus) *kept {
	return &kept{
		bus:    b,
		dead:   prometheus.NewDesc("tidings_dead_letters", "Dead letters that wait for an operator, by the stage that could not take them and the reason.", []string{"stage", "reason"}, nil),
		backup: prometheus.NewDesc("tidings_backup_last_success_timestamp_seconds", "When the last backup was made, in seconds since 1970; absent where none is known.", nil, nil),
	}
}

// Describe implements [prometheus.Collector].
func (l *kept) Describe(ch chan<- *prometheus.Desc) {
	ch <- l.dead
	ch <- l.backup
}

// figuresWait bounds the questions of one scrape.
const figuresWait = 3 * time.Second

// Collect implements [prometheus.Collector]. What cannot be had is absent.
func (l *kept) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), figuresWait)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count(ctx) == nil {
		for of, n := range l.counts {
			ch <- prometheus.MustNewConstMetric(l.dead, prometheus.GaugeValue, float64(n), of[0], of[1])
		}
	}
	if r, err := l.bus.Last(ctx, backupSubject); err == nil && r != nil {
		l.made = r.Time
	}
	if !l.made.IsZero() {
		ch <- prometheus.MustNewConstMetric(l.backup, prometheus.GaugeValue, float64(l.made.UnixMilli())/1000)
	}
}

// backupSubject is that of the notice about a backup.
var backupSubject = string(event.SpaceEvent) + "." + Role + "." + noticeBackup

// count counts the dead letters.
func (l *kept) count(ctx context.Context) error {
	state, err := l.bus.StreamState(ctx, event.StreamDead)
	if err != nil {
		return err
	}
	now := deadState{state.Messages, state.Last, state.Created}
	if l.counts != nil && now == l.of {
		return nil
	}
	list, err := l.bus.DeadList(ctx, bus.DeadFilter{})
	if err != nil {
		return err
	}
	l.of, l.counts = now, map[[2]string]int{}
	for _, one := range list {
		l.counts[[2]string{one.Service, one.Reason}]++
	}
	return nil
}
