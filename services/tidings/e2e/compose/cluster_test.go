//go:build linux

package compose

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/tidings/e2e/history"
	"tidings.internal/services/tidings/internal/ops"
)

func servers() []string { return []string{"nats", "nats-2", "nats-3"} }

// together loses the server that leads, has the next leader leave, cuts one off and restarts all in turn, while articles
// come in.
func together(t *testing.T, s *stand) {
	w := newWorld(t, s)
	began := time.Now()
	s.compose(t, "up", "-d", "--no-build", "--scale", "enrich=2", "--scale", "publish=2")
	all := append(servers(), "ingest", "enrich", "publish", "deliver")
	s.healthy(t, all...)
	t.Logf("all healthy after %v", time.Since(began).Round(100*time.Millisecond))
	if n, m := len(s.ids(t, "enrich")), len(s.ids(t, "publish")); n != 2 || m != 2 {
		t.Errorf("%d containers of enrich, %d of publish", n, m)
	}
	b := s.admin(t)
	settings := config.DefaultNATS()
	settings.Replicas = 3
	top, err := ops.Topology(settings)
	if err != nil {
		t.Fatal(err)
	}
	if plan, err := b.Plan(t.Context(), top); err != nil || plan.Pending() {
		t.Fatalf("the streams are not as topology should have made them: %+v, %v", plan, err)
	}
	if err := history.Keep(t.Context(), b, top); err != nil {
		t.Fatal(err)
	}
	s.agreed(t, len(top.Streams))
	s.channel(t)

	ctx, cancel := context.WithCancel(t.Context())
	played := make(chan struct{})
	go func() {
		defer close(played)
		w.play(ctx, 500*time.Millisecond)
	}()
	w.served(t, s, w.add())
	for _, end := range []struct {
		how  string
		lose func(name string)
	}{
		{"was killed", func(name string) { docker(t, "kill", "-s", "KILL", s.ids(t, name)[0]) }},
		{"was told to leave", func(name string) { docker(t, "stop", "-t", "60", s.ids(t, name)[0]) }},
	} {
		leader, leads := s.agreed(t, len(top.Streams))
		lost := time.Now()
		end.lose(leader)
		t.Logf("%s, the leader of RAW and of %d streams in all, %s; an article of then was served after %v", leader, leads, end.how, w.served(t, s, w.add()).Round(100*time.Millisecond))
		gaps(t, b, lost)
		docker(t, "start", s.ids(t, leader)[0])
		s.healthy(t, all...)
		s.agreed(t, len(top.Streams))
	}
	leader, _ := s.agreed(t, len(top.Streams))
	lost := time.Now()
	back := s.cutOff(t, leader)
	t.Logf("%s, the leader of RAW, was cut off; an article of then was served after %v", leader, w.served(t, s, w.add()).Round(100*time.Millisecond))
	gaps(t, b, lost)
	back()
	s.healthy(t, all...)
	s.agreed(t, len(top.Streams))
	for _, name := range servers() {
		docker(t, "stop", "-t", "60", s.ids(t, name)[0])
		docker(t, "start", s.ids(t, name)[0])
		s.healthy(t, all...)
		s.agreed(t, len(top.Streams))
	}
	t.Logf("after each server was restarted in turn an article was served after %v", w.served(t, s, w.add()).Round(100*time.Millisecond))
	cancel()
	<-played
	h := w.history()
	until(t, 90*time.Second, "a history without a fault", func() (bool, string) {
		var err error
		if h.Log, h.Dead, err = history.Read(t.Context(), b); err != nil {
			return false, err.Error()
		}
		h.Calls = w.sink.Log()
		bad := history.Check(h)
		return len(bad) == 0, strings.Join(bad, "\n")
	})
	w.arrived(t, s)
	addresses := s.published(t)
	first, etag, err := get(addresses[0])
	if second, tag, err2 := get(addresses[1]); err != nil || err2 != nil || first != second || etag != tag {
		t.Errorf("two replicas of publish differ: %s, %s, %v, %v\n%s\n%s", etag, tag, err, err2, first, second)
	}
	t.Logf("%d items offered, %d records, %d calls at the receiver", len(h.Offers), len(h.Log), len(h.Calls))
}

// gaps tells for how long each stage stored nothing, at most, from a moment on: articles come twice a second.
func gaps(t *testing.T, b *bus.Bus, from time.Time) {
	t.Helper()
	for _, stream := range []string{event.StreamRaw, event.StreamArticles, event.StreamPosts} {
		var longest time.Duration
		until(t, 2*time.Minute, "to read "+stream, func() (bool, string) { // the others may still be choosing its leader
			last := from
			longest = 0
			err := b.Read(t.Context(), stream, func(r bus.Record) error {
				if r.Time.After(last) {
					last, longest = r.Time, max(longest, r.Time.Sub(last))
				}
				return nil
			})
			return err == nil, fmt.Sprint(err)
		})
		t.Logf("%s was without a message for %v", stream, longest.Round(100*time.Millisecond))
	}
}

// cutOff takes a container off all its networks. back connects it again, under the names that it had.
func (s *stand) cutOff(t *testing.T, service string) (back func()) {
	t.Helper()
	id := s.ids(t, service)[0]
	var networks map[string]struct{ Aliases []string }
	if err := json.Unmarshal([]byte(docker(t, "inspect", "-f", "{{json .NetworkSettings.Networks}}", id)), &networks); err != nil || len(networks) == 0 {
		t.Fatal(networks, err)
	}
	for name := range networks {
		docker(t, "network", "disconnect", name, id)
	}
	return func() {
		t.Helper()
		for name, n := range networks {
			args := []string{"network", "connect"}
			for _, alias := range n.Aliases {
				if !strings.HasPrefix(id, alias) { // the engine gives that one itself
					args = append(args, "--alias", alias)
				}
			}
			docker(t, append(args, name, id)...)
		}
	}
}

// play adds items until ctx ends.
func (w *world) play(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.add()
		}
	}
}

// agreed waits until so many streams have a leader that says that the two other servers hold the same, and returns who
// leads RAW, and how many streams in all that server leads.
func (s *stand) agreed(t *testing.T, streams int) (leader string, leads int) {
	t.Helper()
	until(t, time.Minute, "three servers with every stream", func() (bool, string) {
		whole, by := 0, map[string]int{}
		for _, server := range servers() {
			for _, stream := range s.led(t, server) {
				by[server]++
				if stream.Name == "RAW" {
					leader = server
				}
				if r := stream.Cluster.Replicas; len(r) == 2 && r[0].Current && r[1].Current {
					whole++
				}
			}
		}
		leads = by[leader]
		return whole == streams && leader != "", fmt.Sprintf("%d of %d streams are whole; led: %v", whole, streams, by)
	})
	return leader, leads
}

// stream is what a server says of one.
type stream struct {
	Name    string
	Cluster struct {
		Leader   string
		Replicas []struct{ Current bool }
	}
}

// led lists the streams that a server leads: only the leader knows how far the others are.
func (s *stand) led(t *testing.T, server string) (led []stream) {
	t.Helper()
	text := docker(t, "exec", s.ids(t, server)[0], "wget", "-q", "-O", "-", "http://127.0.0.1:8222/jsz?accounts=true&streams=true")
	var figures struct {
		Accounts []struct {
			Streams []stream `json:"stream_detail"`
		} `json:"account_details"`
	}
	if err := json.Unmarshal([]byte(text), &figures); err != nil {
		t.Fatalf("%s says %v: %s", server, err, text)
	}
	for _, a := range figures.Accounts {
		for _, one := range a.Streams {
			if one.Cluster.Leader == server {
				led = append(led, one)
			}
		}
	}
	return led
}
