package event_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

func topology(t *testing.T, s event.Settings) event.Topology {
	t.Helper()
	top, err := event.NewTopology(s)
	if err != nil {
		t.Fatal(err)
	}
	return top
}

// The server refuses what exceeds its limit (JetStream errors 10023, 10047), and an unlimited stream would eat what
// others reserved.
func TestAllStreamsFitIntoTheFile(t *testing.T) {
	t.Parallel()
	for _, file := range []int64{event.MinFile, 20 << 30, 250 << 30, 1<<40 + 12345} {
		s := event.DefaultSettings()
		s.MaxFile = file
		sum := int64(0)
		for _, st := range topology(t, s).Streams {
			if st.MaxBytes <= 0 {
				t.Errorf("%s has no limit", st.Name)
			}
			if st.MaxMsgSize > 0 && st.MaxBytes < int64(st.MaxMsgSize) {
				t.Errorf("with %d bytes %s cannot hold one message", file, st.Name)
			}
			sum += st.MaxBytes
		}
		if sum > file*95/100 {
			t.Errorf("the streams reserve %d of %d bytes, more than 95 %%", sum, file)
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		change func(*event.Settings)
		want   string
	}{
		"two replicas":             {func(s *event.Settings) { s.Replicas = 2 }, "nats.replicas"},
		"no replica":               {func(s *event.Settings) { s.Replicas = 0 }, "nats.replicas"},
		"a small file":             {func(s *event.Settings) { s.MaxFile = event.MinFile - 1 }, "nats.max_file"},
		"a short window":           {func(s *event.Settings) { s.DedupeWindow = time.Minute }, "nats.dedupe_window"},
		"a long window":            {func(s *event.Settings) { s.DedupeWindow = time.Hour + 1 }, "nats.dedupe_window"},
		"a window longer than RAW": {func(s *event.Settings) { s.Retention.Raw = time.Hour / 2 }, "nats.dedupe_window"},
		"RAW for ever":             {func(s *event.Settings) { s.Retention.Raw = 0 }, "nats.retention"},
		"RAW as long as ARTICLES":  {func(s *event.Settings) { s.Retention.Raw = 30 * day }, "nats.retention"},
		"ARTICLES beyond POSTS":    {func(s *event.Settings) { s.Retention.Articles = 36 * day }, "nats.retention"},
		"POSTS beyond stories":     {func(s *event.Settings) { s.Retention.Posts = 46 * day }, "nats.retention"},
	} {
		s := event.DefaultSettings()
		c.change(&s)
		if _, err := event.NewTopology(s); fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v; want invalid, naming %s", name, err, c.want)
		}
	}
	s := event.DefaultSettings()
	s.Replicas, s.MaxFile, s.DedupeWindow = 3, event.MinFile, 2*time.Minute
	if top := topology(t, s); top.Streams[0].Replicas != 3 {
		t.Errorf("three replicas were asked for, %d declared", top.Streams[0].Replicas)
	}
}

func TestEverySpaceHasAStreamThatStoresIt(t *testing.T) {
	t.Parallel()
	top := topology(t, event.DefaultSettings())
	for _, space := range []event.Space{event.SpaceRaw, event.SpaceBackfill, event.SpaceEnriched, event.SpacePost, event.SpaceFeed, event.SpaceDead, event.SpaceEvent} {
		s, ok := top.Find(event.StreamOf(space))
		if !ok {
			t.Fatalf("the stream of %s is not declared", space)
		}
		stored := false
		for _, subject := range s.Subjects {
			stored = stored || subject == event.All(space)
		}
		if !stored {
			t.Errorf("%s stores %v, not %s", s.Name, s.Subjects, event.All(space))
		}
	}
	for _, c := range append(top.Consumers, event.ChannelConsumer("masto")) {
		if s, ok := top.Find(c.Stream); !ok || s.Kind != event.KindStream {
			t.Errorf("consumer %s stands on %q", c.Name, c.Stream)
		}
		if c.MaxDeliver > 0 && c.Attempts >= c.MaxDeliver {
			t.Errorf("consumer %s: the broker gives up after %d deliveries, before the handler's %d attempts", c.Name, c.MaxDeliver, c.Attempts)
		}
	}
	if _, ok := top.Find("NONE"); ok {
		t.Error("a stream that is not declared was found")
	}
}

// The whole declaration as text: a change of any setting shows in review, and asks for a new TopologyNumber.
func TestTopologyIsGolden(t *testing.T) {
	t.Parallel()
	top := topology(t, event.DefaultSettings())
	var b strings.Builder
	fmt.Fprintf(&b, "topology %d\n", top.Number)
	for _, s := range top.Streams {
		fmt.Fprintf(&b, "\n%s %s: %s\n", s.Kind, s.StreamName(), s.About)
		for _, subject := range s.StreamSubjects() {
			fmt.Fprintf(&b, "  subject %s\n", subject)
		}
		fields(&b, s, "Name", "Kind", "Subjects", "About")
	}
	for _, c := range append(top.Consumers, event.ChannelConsumer("CHANNEL")) {
		fmt.Fprintf(&b, "\nconsumer %s/%s: %s\n", c.Stream, c.Name, c.About)
		fields(&b, c, "Stream", "Name", "About")
	}
	golden(t, "testdata/topology.golden", []byte(b.String()))
}

// fields writes what is set in a struct, so that a new field shows by itself.
func fields(b *strings.Builder, v any, without ...string) {
	skip := map[string]bool{}
	for _, name := range without {
		skip[name] = true
	}
	for f, value := range reflect.ValueOf(v).Fields() {
		if !skip[f.Name] && !value.IsZero() {
			fmt.Fprintf(b, "  %s %v\n", f.Name, value)
		}
	}
}
