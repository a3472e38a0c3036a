package bus_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

func TestFiltersAreNarrowedToAStream(t *testing.T) {
	t.Parallel()
	rawSubjects := []string{"article.raw.>", "article.backfill.>"}
	for _, c := range []struct {
		filter   string
		subjects []string
		want     []string
	}{
		{">", rawSubjects, rawSubjects},
		{"article.>", rawSubjects, rawSubjects},
		{"article.*.0a.blog", rawSubjects, []string{"article.raw.0a.blog", "article.backfill.0a.blog"}},
		{"*.raw.>", rawSubjects, []string{"article.raw.>"}},
		{"*.>", rawSubjects, rawSubjects},
		{"article.raw", rawSubjects, nil},
		{"post.>", rawSubjects, nil},
		{"article.raw.0a.*", []string{"article.raw.0a.blog"}, []string{"article.raw.0a.blog"}},
		{"a.*", []string{"*.b"}, []string{"a.b"}},
	} {
		if diff := cmp.Diff(c.want, bus.Narrow(c.filter, c.subjects)); diff != "" {
			t.Errorf("%s in %v (-want +got):\n%s", c.filter, c.subjects, diff)
		}
	}
}

func matches(pattern, subject []string) bool {
	for i, p := range pattern {
		switch {
		case p == ">":
			return len(subject) > i
		case i >= len(subject), p != "*" && p != subject[i]:
			return false
		}
	}
	return len(pattern) == len(subject)
}

// A narrowed filter matches exactly what the filter and the stream's subject both match.
func TestNarrowedFiltersMatchWhatBothMatch(t *testing.T) {
	t.Parallel()
	pattern := rapid.Custom(func(t *rapid.T) []string {
		tokens := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "*"}), 1, 4).Draw(t, "tokens")
		if rapid.Bool().Draw(t, "open") {
			tokens = append(tokens, ">")
		}
		return tokens
	})
	rapid.Check(t, func(t *rapid.T) {
		filter, stream := pattern.Draw(t, "filter"), pattern.Draw(t, "stream")
		subject := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 6).Draw(t, "subject")
		narrowed := bus.Narrow(strings.Join(filter, "."), []string{strings.Join(stream, ".")})
		got := slices.ContainsFunc(narrowed, func(n string) bool { return matches(strings.Split(n, "."), subject) })
		if want := matches(filter, subject) && matches(stream, subject); got != want {
			t.Errorf("%v and %v give %v, which matches %v: %v", filter, stream, narrowed, subject, got)
		}
	})
}

func TestATailShowsWhatWasAndWhatComes(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "tidings")
	appendRaw(t, b, "1")
	store(t, b, 1, "1")
	var mu sync.Mutex
	var subjects []string
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- b.Tail(ctx, "article.*.0a.>", time.Time{}, func(r bus.Record) {
			mu.Lock()
			defer mu.Unlock()
			subjects = append(subjects, r.Stream+" "+r.Subject)
		})
	}()
	shows := func(want ...string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			got := slices.Sorted(slices.Values(subjects))
			return slices.Equal(got, want)
		}
	}
	one, two := "ARTICLES article.enriched.0a.blog."+id("1"), "RAW article.raw.0a.blog"
	eventually(t, "what was there", shows(one, two))
	b.Notice(t.Context(), event.Notice{Type: "not_shown"})
	s.Stop()
	s.Start(t)
	eventually(t, "what came after an outage to be stored", func() bool {
		return b.Append(t.Context(), []event.Message{raw(t, article.NewID("blog", "2"), 1, "2")}) == nil
	})
	eventually(t, "what came after an outage", shows(one, two, two)) // and nothing twice
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Tail ended with %v", err)
	}
	if err := natstest.Bare(t).Bus(t, "tidings").Tail(t.Context(), "", time.Time{}, nil); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("without streams: %v", err)
	}
}

// The time since which is asked for hides what was stored before it.
func TestATailBeginsAtATime(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	appendRaw(t, b, "old")
	state, err := b.StreamState(t.Context(), event.StreamRaw)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan uint64, 10)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.Tail(ctx, event.All(event.SpaceRaw), state.FirstAt.Add(time.Nanosecond), func(r bus.Record) { got <- r.Sequence }) // nil by its contract
	}()
	appendRaw(t, b, "new")
	if seq := <-got; seq != 2 {
		t.Errorf("the first record shown is %d, want 2", seq)
	}
	cancel()
	<-done
}
