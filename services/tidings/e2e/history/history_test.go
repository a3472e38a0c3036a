package history

import (
	"strings"
	"testing"

	"tidings.internal/pkg/event"
)

func sound() History {
	v := func(rev uint64) event.Version { return event.Version{Revision: rev} }
	return History{
		Offers: []Offer{{"a", []string{"A", "A2"}}, {"b", []string{"B"}}, {"old", []string{"O"}}},
		Log: []Entry{
			{Stream: event.StreamRaw, Sequence: 1, Article: "1", Key: "a", Title: "A", ID: "1.1.x", Version: v(1)},
			{Stream: event.StreamRaw, Sequence: 2, Article: "2", Key: "b", Title: "B", ID: "2.1.x", Version: v(1)},
			{Stream: event.StreamRaw, Sequence: 3, Article: "1", Key: "a", Title: "A2", ID: "1.2.x", Version: v(2)},
			{Stream: event.StreamArticles, Sequence: 1, Subject: "s.1", Article: "1", Key: "a", Title: "A", ID: "1", Version: v(1), Hash: "x"},
			{Stream: event.StreamArticles, Sequence: 2, Subject: "s.2", Article: "2", Key: "b", Title: "B", ID: "2", Version: v(1), Hash: "y"},
			{Stream: event.StreamArticles, Sequence: 3, Subject: "s.1", Article: "1", Key: "a", Title: "A2", ID: "3", Version: v(2), Hash: "z"},
			{Stream: event.StreamArticles, Sequence: 4, Subject: "s.3", Article: "3", Key: "old", Title: "O", ID: "4", Version: v(1), Hash: "o"},
		},
		Calls: []Call{
			{ID: "k1", Type: "article.published", Key: "a", Title: "A", Body: "1"},
			{ID: "k1", Type: "article.published", Key: "a", Title: "A", Body: "1"}, // the same key: the receiver drops it
			{ID: "k2", Type: "article.updated", Key: "a", Title: "A2", Body: "2"},
			{ID: "k3", Type: "article.published", Key: "b", Title: "B", Body: "3"},
		},
		Baseline: []string{"old"},
	}
}

func TestCheckerAcceptsASoundHistory(t *testing.T) {
	t.Parallel()
	if bad := Check(sound()); len(bad) != 0 {
		t.Errorf("the checker objects to a sound history: %q", bad)
	}
}

// A checker is worth what it sees: each seeded violation must be named.
func TestCheckerSeesEachViolation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		spoil      func(*History)
	}{
		{"item not in RAW", "never reached RAW", func(h *History) { h.Offers = append(h.Offers, Offer{"c", []string{"C"}}) }},
		{"article lost after RAW", "in RAW and not in ARTICLES", func(h *History) { h.Log = append(h.Log[:4], h.Log[5:]...) }},
		{"edit lost", `ends as "A"`, func(h *History) { h.Log = append(h.Log[:5], h.Log[6:]...) }},
		{"raw message twice", "RAW holds 1.1.x", func(h *History) { h.Log = append(h.Log, h.Log[0]) }},
		{"version twice", "twice: ARTICLES", func(h *History) { h.Log = append(h.Log, h.Log[5]) }},
		{"version back", "back: ARTICLES", func(h *History) { h.Log[3], h.Log[5] = h.Log[5], h.Log[3] }},
		{"two articles for an item", "is article 1 and article 9", func(h *History) { h.Log[5].Article = "9" }},
		{"posted twice", "posted as k1 and as k9", func(h *History) { h.Calls[1].ID = "k9" }},
		{"one key, two bodies", "two bodies", func(h *History) { h.Calls[1].Body = "other" }},
		{"never posted", "b was never posted", func(h *History) { h.Calls = h.Calls[:3] }},
		{"edit never posted", `the origin shows "A2"`, func(h *History) { h.Calls[2].Title = "A" }},
		{"older than the channel", "older than the channel", func(h *History) { h.Calls[3].Key = "old" }},
		{"dead letter", "dead letter", func(h *History) { h.Dead = []string{"x"} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := sound()
			c.spoil(&h)
			if bad := Check(h); !strings.Contains(strings.Join(bad, "\n"), c.want) {
				t.Errorf("the checker says %q, want something with %q", bad, c.want)
			}
		})
	}
}
