package run

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Level is how full a stream is.
type Level struct {
	Bytes uint64
	Limit int64 // none where it is not above 0
}

// Queue is what waits in front of a consumer.
type Queue struct {
	Pending uint64        // not handed out yet
	InHand  uint64        // handed out, not settled
	Oldest  time.Duration // age of the oldest message that is not handed out
}

// Flow is a part of the broker that a process shows on /metrics: how full streams are, and what waits in front of
// consumers. It asks at each scrape. The broker has no such port of its own. In a process of several services no two may
// show the same.
type Flow struct {
	Streams []string
	// Consumers are shown by their names, which are unique over all streams.
	Consumers []string
	Level     func(ctx context.Context, stream string) (Level, error)
	Queue     func(ctx context.Context, consumer string) (Queue, error)
}

// flowWait bounds the questions of one scrape. What is not answered by then is left out.
const flowWait = 3 * time.Second

// Figures that a [Flow] shows.
const (
	streamBytes  = "tidings_stream_bytes"
	streamLimit  = "tidings_stream_limit_bytes"
	queuePending = "tidings_consumer_pending"
	queueInHand  = "tidings_consumer_ack_pending"
	queueOldest  = "tidings_oldest_pending_seconds"
)

// flowDesc describes a figure of one stream or consumer. The object is a constant label, so that several processes in one,
// each with streams of its own, may register in one registry, and take it back.
func flowDesc(name, object string) *prometheus.Desc {
	label, help := "consumer", map[string]string{
		streamBytes:  "Bytes that a stream holds.",
		streamLimit:  "Bytes that a stream may hold.",
		queuePending: "Messages in front of a consumer that were not handed out yet.",
		queueInHand:  "Messages of a consumer that were handed out and are not settled.",
		queueOldest:  "Age of the oldest message in front of a consumer that was not handed out, 0 where there is none.",
	}[name]
	if name == streamBytes || name == streamLimit {
		label = "stream"
	}
	return prometheus.NewDesc(name, help, nil, prometheus.Labels{label: object})
}

// flow is a [Flow] in a registry.
type flow struct {
	Flow
	descs map[[2]string]*prometheus.Desc
}

var _ prometheus.Collector = (*flow)(nil)

// NewFlow makes a collector of f.
func NewFlow(f Flow) prometheus.Collector {
	c := &flow{f, map[[2]string]*prometheus.Desc{}}
	for _, s := range f.Streams {
		for _, name := range []string{streamBytes, streamLimit} {
			c.descs[[2]string{name, s}] = flowDesc(name, s)
		}
	}
	for _, s := range f.Consumers {
		for _, name := range []string{queuePending, queueInHand, queueOldest} {
			c.descs[[2]string{name, s}] = flowDesc(name, s)
		}
	}
	return c
}

// Describe implements [prometheus.Collector].
func (f *flow) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range f.descs {
		ch <- d
	}
}

// Collect implements [prometheus.Collector]. A figure that cannot be had is absent: that NATS is away, other metrics say.
func (f *flow) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), flowWait)
	defer cancel()
	show := func(name, object string, value float64) {
		ch <- prometheus.MustNewConstMetric(f.descs[[2]string{name, object}], prometheus.GaugeValue, value)
	}
	for _, s := range f.Streams {
		l, err := f.Level(ctx, s)
		if err != nil {
			continue
		}
		show(streamBytes, s, float64(l.Bytes))
		if l.Limit > 0 {
			show(streamLimit, s, float64(l.Limit))
		}
	}
	for _, c := range f.Consumers {
		q, err := f.Queue(ctx, c)
		if err != nil {
			continue
		}
		show(queuePending, c, float64(q.Pending))
		show(queueInHand, c, float64(q.InHand))
		show(queueOldest, c, q.Oldest.Seconds())
	}
}

// EndToEnd is a histogram of the time from the fetch of an article until something became of it.
func EndToEnd(until string) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "tidings_end_to_end_seconds", Help: "Time from the fetch of a new article, or a new version of one, until it was enriched, until a feed shows it, and until its first post was sent by a channel that lets posts go by themselves.",
		ConstLabels: prometheus.Labels{"until": until},
		Buckets:     []float64{.1, .3, 1, 3, 10, 30, 60, 120, 300, 900, 3600},
	})
}
