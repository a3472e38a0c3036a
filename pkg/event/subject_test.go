package event_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

var (
	someID  = article.NewID("crm-blog", "1")
	otherID = article.NewID("crm-blog", "2")
)

func TestSubjectsRoundTrip(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("a", 48)
	for _, c := range []struct {
		text  string
		want  event.Subject
		build func() (string, error)
	}{
		{"article.raw.0a.crm-blog", event.Subject{Space: event.SpaceRaw, Partition: "0a", Source: "crm-blog"},
			func() (string, error) { return event.RawSubject("0a", "crm-blog", false) }},
		{"article.backfill.ff.a_b", event.Subject{Space: event.SpaceBackfill, Partition: "ff", Source: "a_b"},
			func() (string, error) { return event.RawSubject("ff", "a_b", true) }},
		{"article.enriched.0a." + longest + "." + someID, event.Subject{Space: event.SpaceEnriched, Partition: "0a", Source: longest, Article: someID},
			func() (string, error) { return event.EnrichedSubject("0a", longest, someID) }},
		{"post.masto." + someID, event.Subject{Space: event.SpacePost, Channel: "masto", Story: someID},
			func() (string, error) { return event.PostSubject("masto", someID) }},
		{"feed.changed.kultur", event.Subject{Space: event.SpaceFeed, Feed: "kultur"},
			func() (string, error) { return event.FeedSubject("kultur") }},
		{"dead.enrich.bad_link", event.Subject{Space: event.SpaceDead, Service: "enrich", Word: "bad_link"},
			func() (string, error) { return event.DeadSubject("enrich", "bad_link") }},
		{"event.deliver.channel_paused", event.Subject{Space: event.SpaceEvent, Service: "deliver", Word: "channel_paused"},
			func() (string, error) { return event.NoticeSubject("deliver", "channel_paused") }},
	} {
		text, err := c.build()
		if err != nil || text != c.text {
			t.Errorf("built %q, %v; want %q", text, err, c.text)
		}
		got, err := event.ParseSubject(c.text)
		if err != nil {
			t.Errorf("ParseSubject(%q): %v", c.text, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("ParseSubject(%q) (-want +got):\n%s", c.text, diff)
		}
		if got.String() != c.text {
			t.Errorf("%q comes back as %q", c.text, got)
		}
		if len(text) > event.MaxSubject {
			t.Errorf("%q is longer than a subject may be", text)
		}
	}
}

// A token that adds a level, a wildcard, a line or a blank would let content reach another subject.
func TestHostileTokensAreRefused(t *testing.T) {
	t.Parallel()
	hostile := []string{"", ".", "a.b", "*", ">", "a*", "a>", " ", "a b", "a\n", "a\r\nPUB x", "\x00", "A", "ü", "../a", "$JS", "-a", strings.Repeat("a", 300)}
	for _, bad := range hostile {
		for name, build := range map[string]func() (string, error){
			"partition":     func() (string, error) { return event.RawSubject(bad, "blog", false) },
			"source":        func() (string, error) { return event.RawSubject("0a", bad, true) },
			"article":       func() (string, error) { return event.EnrichedSubject("0a", "blog", bad) },
			"channel":       func() (string, error) { return event.PostSubject(bad, someID) },
			"story":         func() (string, error) { return event.PostSubject("masto", bad) },
			"feed":          func() (string, error) { return event.FeedSubject(bad) },
			"service":       func() (string, error) { return event.DeadSubject(bad, "malformed") },
			"reason":        func() (string, error) { return event.DeadSubject("enrich", bad) },
			"type":          func() (string, error) { return event.NoticeSubject("enrich", bad) },
			"type's writer": func() (string, error) { return event.NoticeSubject(bad, "x") },
		} {
			if text, err := build(); fault.KindOf(err) != fault.Invalid || text != "" {
				t.Errorf("%s %q gives %q, %v; want nothing and invalid", name, bad, text, err)
			}
		}
	}
	if text := (event.Subject{Space: "article"}).String(); !strings.HasPrefix(text, "[") {
		t.Errorf("an unknown space gives the subject %q", text)
	}
}

func TestForeignSubjectsAreMalformed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "article", "article.raw", "article.raw.", "article.raw.0a", "article.raw.0a.*", "article.raw.>", "article.raw.*.blog", "article.raw.0A.blog",
		"article.raw.0a.blog.more", "article.raw.0a..", "article.enriched.0a.blog", "article.enriched.0a.blog.short", "article.enriched.0a.blog.>",
		"post.masto", "post.masto.>", "post.*." + someID, "feed.changed", "feed.changed.>", "feed.kultur", "dead.enrich", "dead.enrich.a-b", "event.x.Y",
		"$JS.API.STREAM.INFO.RAW", "$KV.leases.x", "adm.ingest.check", "_INBOX.x", "article.raw.0a.blog\r\n", strings.Repeat("a.", 5000),
	} {
		_, err := event.ParseSubject(text)
		if fault.KindOf(err) != fault.Malformed {
			t.Errorf("ParseSubject(%q) = %v; want malformed", text, err)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("the error about a long subject has %d bytes", len(err.Error()))
		}
	}
}

func FuzzParseSubject(f *testing.F) {
	for _, seed := range []string{"article.raw.0a.blog", "article.backfill.00.x", "article.enriched.0a.blog." + someID, "post.masto." + someID, "feed.changed.all",
		"dead.enrich.malformed", "event.ingest.source_failing", "article.raw.0a.*", "post.>.>", "feed.changed.a.b", "a\x00b", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := event.ParseSubject(text)
		if err != nil {
			return
		}
		if s.String() != text {
			t.Errorf("%q was taken and comes back as %q", text, s)
		}
		if strings.ContainsAny(text, "*> \t\r\n\x00") || len(text) > event.MaxSubject {
			t.Errorf("%q was taken", text)
		}
		if event.StreamOf(s.Space) == "" {
			t.Errorf("no stream stores %q", text)
		}
	})
}
