package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
)

// One process shows every stream and every consumer once, whoever of its services does, and how long news take.
func TestEveryStreamAndConsumerIsMeasured(t *testing.T) {
	t.Parallel()
	dir, _, f, _ := scene(t)
	p := start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	f.Add(item(1))
	titles(t, p, item(0).Title, item(1).Title)
	verb(t, dir, 0, "backup", "tidings.tar")
	n := config.DefaultNATS()
	topology, err := event.NewTopology(event.Settings{
		Replicas: n.Replicas, MaxFile: int64(n.MaxFile), DedupeWindow: n.DedupeWindow,
		Retention: event.Retention{Raw: n.Retention.Raw, Articles: n.Retention.Articles, Posts: n.Retention.Posts, Stories: n.Retention.Stories},
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, s := range topology.Streams {
		want = append(want, fmt.Sprintf("tidings_stream_bytes{stream=%q} ", s.StreamName()), fmt.Sprintf("tidings_stream_limit_bytes{stream=%q} ", s.StreamName()))
	}
	for _, c := range topology.Consumers {
		for _, figure := range []string{"consumer_pending", "consumer_ack_pending", "oldest_pending_seconds"} {
			want = append(want, fmt.Sprintf("tidings_%s{consumer=%q} ", figure, c.Name))
		}
	}
	want = append(want, "tidings_backup_last_success_timestamp_seconds ")
	within(t, 30*time.Second, "all figures", func() (bool, string) {
		_, body, _ := get(p.address(t, "admin") + "/metrics")
		for _, line := range want {
			if strings.Count(string(body), "\n"+line) != 1 {
				return false, line + "in\n" + string(body) + p.errors()
			}
		}
		for _, until := range []string{"enriched", "served", "sent"} {
			if !strings.Contains(string(body), fmt.Sprintf("tidings_end_to_end_seconds_count{until=%q} 1\n", until)) {
				return false, "until " + until + " in\n" + string(body)
			}
		}
		return true, ""
	})
	if code := p.stop(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.errors())
	}
}
