package run

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func sampleFlow(streams, consumers []string) Flow {
	return Flow{
		Streams: streams, Consumers: consumers,
		Level: func(_ context.Context, stream string) (Level, error) {
			if stream == "AWAY" {
				return Level{}, errors.New("no answer")
			}
			return Level{Bytes: 10, Limit: 40}, nil
		},
		Queue: func(_ context.Context, consumer string) (Queue, error) {
			if consumer == "away" {
				return Queue{}, errors.New("no answer")
			}
			return Queue{Pending: 3, InHand: 2, Oldest: 1500 * time.Millisecond}, nil
		},
	}
}

// Names, labels and help are a contract with dashboards and alert rules.
func TestFlowMetricsAreTheGoldenOnes(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	r.MustRegister(NewFlow(sampleFlow([]string{"RAW"}, []string{"enrich"})), EndToEnd("enriched"), EndToEnd("served"))
	if problems, err := testutil.GatherAndLint(r); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
	golden(t, "testdata/flow_metrics.golden", r)
}

// Services of one process register beside each other, and take back what is theirs. What does not answer hides nothing.
func TestFlowsShareARegistry(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	first, second := NewFlow(sampleFlow([]string{"RAW"}, []string{"enrich"})), NewFlow(sampleFlow([]string{"AWAY", "POSTS"}, []string{"away", "composer"}))
	r.MustRegister(first, second)
	want := `# HELP tidings_consumer_pending Messages in front of a consumer that were not handed out yet.
# TYPE tidings_consumer_pending gauge
tidings_consumer_pending{consumer="composer"} 3
tidings_consumer_pending{consumer="enrich"} 3
# HELP tidings_stream_bytes Bytes that a stream holds.
# TYPE tidings_stream_bytes gauge
tidings_stream_bytes{stream="POSTS"} 10
tidings_stream_bytes{stream="RAW"} 10
`
	if err := testutil.GatherAndCompare(r, strings.NewReader(want), "tidings_consumer_pending", "tidings_stream_bytes"); err != nil {
		t.Error(err)
	}
	if !r.Unregister(first) {
		t.Error("a flow cannot be taken back")
	}
	if err := r.Register(NewFlow(sampleFlow([]string{"POSTS"}, nil))); err == nil {
		t.Error("one stream is shown twice")
	}
}
