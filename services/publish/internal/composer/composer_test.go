package composer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
	"tidings.internal/services/publish/internal/compose"
	"tidings.internal/services/publish/internal/compose/composetest"
	"tidings.internal/services/publish/internal/compose/mastodon"
	"tidings.internal/services/publish/internal/compose/webhook"
)

// recorder passes everything on to the bus and notes what was stored. It can fail after a number of emissions.
type recorder struct {
	*bus.Bus
	mu     sync.Mutex
	stored []string
	fail   int // the emission that fails after it was stored, counted from 1
	count  int
	before func() // runs once, before an emission: what another replica does in between
}

var errKilled = errors.New("killed")

func (r *recorder) EmitAfter(ctx context.Context, m event.Message, last *bus.Record) (bus.Outcome, error) {
	if between := r.before; between != nil {
		r.before = nil
		between()
	}
	outcome, err := r.Bus.EmitAfter(ctx, m, last)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && outcome == bus.Stored {
		r.stored = append(r.stored, m.Header.Value(event.HeaderID)+" "+m.Header.Value(event.HeaderType))
	}
	if r.count++; r.count == r.fail {
		return "", errKilled
	}
	return outcome, err
}

func (r *recorder) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.stored
	r.stored = nil
	return list
}

func channel(t *testing.T, id string, n compose.Network, change func(*config.Channel)) *compose.Channel {
	t.Helper()
	return composetest.Channel(t, n, func(c *config.Channel) {
		c.ID = id
		if change != nil {
			change(c)
		}
	})
}

func newComposer(t *testing.T, s *natstest.Server, channels ...*compose.Channel) (*Composer, *recorder) {
	t.Helper()
	r := &recorder{Bus: s.Bus(t, "publish")}
	return New(Config{
		Channels: channels, Site: "news.example.org", Bus: r, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Composed: func(string, string, string) {}, Reduced: func(string) {}, Wrote: func(int) {},
	}), r
}

func delivery(t *testing.T, a article.Article, typ string, payload any) *bus.Delivery {
	t.Helper()
	v := event.Version{Revision: a.Revision, Fence: 1}
	subject, err := event.EnrichedSubject(article.Partition("x"), a.Source.ID, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	m, err := event.Encode(subject, event.Envelope{Type: typ, ID: event.EnrichedID(a.ID, v), Source: "enrich", Time: time.Now(), Article: a.ID, Version: v}, payload)
	if err != nil {
		t.Fatal(err)
	}
	return &bus.Delivery{Message: m, Stream: event.StreamArticles, Consumer: event.ConsumerComposer, Sequence: a.Revision, Deliveries: 1}
}

func (c *Composer) take(t *testing.T, a article.Article) error {
	t.Helper()
	return c.Handle(t.Context(), delivery(t, a, event.TypeEnriched, a))
}

func german() article.Article { return composetest.Articles()["german"] }

func TestLifeOfAPost(t *testing.T) {
	t.Parallel()
	c, r := newComposer(t, natstest.Run(t), channel(t, "hook", webhook.Network, nil), channel(t, "masto", mastodon.Network, nil),
		channel(t, "still", webhook.Network, func(c *config.Channel) { c.OnUpdate, c.OnRemove = "ignore", "ignore" }),
		channel(t, "english", webhook.Network, func(c *config.Channel) { c.Select.Languages = []string{"en"} }))
	a := german()
	story := a.Story.ID
	step := func(name string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, r.taken()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	id := func(channel string, revision uint64, typ string) string {
		return event.PostID(channel, story, revision) + " " + typ
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.take(t, a))
	step("the first revision", id("hook", 1, event.TypePost), id("masto", 1, event.TypePost), id("still", 1, event.TypePost))
	must(c.take(t, a))
	step("the same again")
	a.Revision, a.HTML = 2, "<p>Ein anderer Text</p>"
	must(c.take(t, a))
	step("another body", id("hook", 2, event.TypePost))
	a.Revision, a.Title = 3, "Ein anderer Titel"
	must(c.take(t, a))
	step("another title", id("hook", 3, event.TypePost), id("masto", 3, event.TypePost))
	old := german()
	must(c.take(t, old))
	step("an old revision, late")
	other := composetest.Articles()["english"]
	other.Story.ID, other.Language.Code, other.Revision = story, "de", 9
	must(c.take(t, other))
	step("another article of the story")
	gone := a
	gone.Revision = 4
	must(c.Handle(t.Context(), delivery(t, gone, event.TypeDeleted, event.Deleted{ID: a.ID, Source: a.Source.ID, Revision: 4, Reason: event.DeletedBySource, Story: story})))
	step("its tombstone", id("hook", 4, event.TypeWithdrawn), id("masto", 4, event.TypeWithdrawn))
	must(c.Handle(t.Context(), delivery(t, gone, event.TypeDeleted, event.Deleted{ID: a.ID, Source: a.Source.ID, Revision: 4, Story: story})))
	step("its tombstone again")
	a.Revision = 5
	must(c.take(t, a))
	step("it comes back")
}

// A poller that is killed between publishing and recording leaves a number that the next one gives to other content.
func TestTheSourceGoesOnUnderOneRevision(t *testing.T) {
	t.Parallel()
	c, r := newComposer(t, natstest.Run(t), channel(t, "hook", webhook.Network, nil), channel(t, "masto", mastodon.Network, nil))
	a := german()
	take := func(name string, v event.Version, want ...uint64) {
		t.Helper()
		a.Revision = v.Revision
		m, err := event.Encode(delivery(t, a, event.TypeEnriched, a).Message.Subject,
			event.Envelope{Type: event.TypeEnriched, ID: event.EnrichedID(a.ID, v), Source: "enrich", Time: time.Now(), Article: a.ID, Version: v}, a)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Handle(t.Context(), &bus.Delivery{Message: m, Stream: event.StreamArticles, Consumer: event.ConsumerComposer, Deliveries: 1}); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, revision := range want {
			for _, ch := range []string{"hook", "masto"} {
				ids = append(ids, event.PostID(ch, a.Story.ID, revision)+" "+event.TypePost)
			}
		}
		if diff := cmp.Diff(ids, r.taken(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	take("the first content", event.Version{Revision: 1, Fence: 20, RawSequence: 138, Generation: 1}, 1)
	take("the same by another poller", event.Version{Revision: 1, Fence: 24, RawSequence: 140, Generation: 1})
	a.Title = "Ein anderer Titel"
	take("another content by another poller", event.Version{Revision: 1, Fence: 25, RawSequence: 142, Generation: 1}, 2)
	take("the same, delivered again", event.Version{Revision: 1, Fence: 25, RawSequence: 142, Generation: 1})
	a.Title = "Ein Titel mit anderen Schlagworten"
	take("enriched anew", event.Version{Revision: 1, Fence: 25, RawSequence: 142, Generation: 2})
	take("the next revision", event.Version{Revision: 2, Fence: 25, RawSequence: 150, Generation: 2}, 3)
	gone := delivery(t, a, event.TypeDeleted, event.Deleted{ID: a.ID, Source: a.Source.ID, Revision: 3, Reason: event.DeletedBySource, Story: a.Story.ID})
	env, _, err := event.DecodeDeleted(gone.Message)
	if err != nil {
		t.Fatal(err)
	}
	env.Version = event.Version{Revision: 3, Fence: 25}
	env.ID = event.EnrichedID(a.ID, env.Version)
	if gone.Message, err = event.Encode(gone.Subject, env, event.Deleted{ID: a.ID, Source: a.Source.ID, Revision: 3, Reason: event.DeletedBySource, Story: a.Story.ID}); err != nil {
		t.Fatal(err)
	}
	if err := c.Handle(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	want := []string{event.PostID("hook", a.Story.ID, 4) + " " + event.TypeWithdrawn, event.PostID("masto", a.Story.ID, 4) + " " + event.TypeWithdrawn}
	if diff := cmp.Diff(want, r.taken()); diff != "" {
		t.Errorf("its tombstone, whose number a post has (-want +got):\n%s", diff)
	}
}

// Two replicas have two contents of one article in hand, and both have read the same post before them. Numbered alike,
// the second would take the place of the first, and whoever sends would take it for what it has sent already.
func TestTwoReplicasNumberOnePostAfterTheOther(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	one, first := newComposer(t, server, channel(t, "hook", webhook.Network, nil))
	two, second := newComposer(t, server, channel(t, "hook", webhook.Network, nil))
	a := german()
	content := func(title string, v event.Version) *bus.Delivery {
		a := a
		a.Title, a.Revision = title, v.Revision
		m, err := event.Encode(delivery(t, a, event.TypeEnriched, a).Message.Subject,
			event.Envelope{Type: event.TypeEnriched, ID: event.EnrichedID(a.ID, v), Source: "enrich", Time: time.Now(), Article: a.ID, Version: v}, a)
		if err != nil {
			t.Fatal(err)
		}
		return &bus.Delivery{Message: m, Stream: event.StreamArticles, Consumer: event.ConsumerComposer, Deliveries: 1}
	}
	handle := func(c *Composer, d *bus.Delivery) {
		if err := c.Handle(t.Context(), d); err != nil {
			t.Error(err)
		}
	}
	handle(one, content("Das Erste", event.Version{Revision: 1, Fence: 1, RawSequence: 1}))
	// One poller gave the number of a revision twice; each replica has one of the two in hand.
	first.before = func() { handle(two, content("Das Zweite", event.Version{Revision: 2, Fence: 2, RawSequence: 5})) }
	handle(one, content("Das Dritte", event.Version{Revision: 2, Fence: 3, RawSequence: 9}))
	// And a change is in hand while another replica takes the article back.
	first.before = func() {
		last := a
		last.Revision = 3
		gone := delivery(t, last, event.TypeDeleted, event.Deleted{ID: a.ID, Source: a.Source.ID, Revision: 3, Reason: event.DeletedBySource, Story: a.Story.ID})
		handle(two, gone)
	}
	handle(one, content("Das Vierte", event.Version{Revision: 3, Fence: 3, RawSequence: 12}))
	id := func(revision uint64, typ string) string {
		return event.PostID("hook", a.Story.ID, revision) + " " + typ
	}
	if diff := cmp.Diff([]string{id(1, event.TypePost), id(3, event.TypePost)}, first.taken()); diff != "" {
		t.Errorf("the one emitted (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{id(2, event.TypePost), id(4, event.TypeWithdrawn)}, second.taken()); diff != "" {
		t.Errorf("the other emitted (-want +got):\n%s", diff)
	}
}

func TestBackfillComposesNothing(t *testing.T) {
	t.Parallel()
	c, r := newComposer(t, natstest.Run(t), channel(t, "hook", webhook.Network, nil))
	for i := range 20 {
		a := german()
		a.ID = article.NewID("blog", fmt.Sprint(i))
		a.Story.ID, a.Backfill = a.ID, true
		if err := c.take(t, a); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.taken(); len(got) > 0 {
		t.Errorf("composed %v", got)
	}
}

func TestKillBetweenChannelsRepeatsNothing(t *testing.T) {
	t.Parallel()
	for kill := 1; kill <= 3; kill++ {
		c, r := newComposer(t, natstest.Run(t), channel(t, "a", webhook.Network, nil), channel(t, "b", webhook.Network, nil), channel(t, "c", webhook.Network, nil))
		r.fail = kill
		if err := c.take(t, german()); !errors.Is(err, errKilled) {
			t.Fatalf("kill %d: %v", kill, err)
		}
		if err := c.take(t, german()); err != nil {
			t.Fatal(err)
		}
		if got := r.taken(); len(got) != 3 {
			t.Errorf("kill %d: stored %v", kill, got)
		}
	}
}

func TestTwoReplicasComposeOncePerStory(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	one, first := newComposer(t, server, channel(t, "hook", webhook.Network, nil))
	two, second := newComposer(t, server, channel(t, "hook", webhook.Network, nil))
	var wg sync.WaitGroup
	const stories = 30
	for i := range stories {
		a, b := german(), composetest.Articles()["english"]
		a.ID, b.ID = article.NewID("blog", fmt.Sprint("a", i)), article.NewID("blog", fmt.Sprint("b", i))
		a.Story.ID, b.Story.ID, b.Revision = a.ID, a.ID, 5
		for c, x := range map[*Composer]article.Article{one: a, two: b} {
			wg.Go(func() {
				if err := c.take(t, x); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	seen := map[string]int{}
	for _, line := range append(first.taken(), second.taken()...) {
		seen[line[:len("hook:")+article.IDLength]]++
	}
	for story, n := range seen {
		if n != 1 {
			t.Errorf("%s was composed %d times", story, n)
		}
	}
	if len(seen) != stories {
		t.Errorf("%d stories were composed, want %d", len(seen), stories)
	}
}

func TestOneBadTemplateDoesNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	c, r := newComposer(t, server, channel(t, "bad", mastodon.Network, func(c *config.Channel) {
		c.Template = `{{.URL}}{{if eq .Language "de"}}{{index .Tags 99}}{{end}}`
	}), channel(t, "good", mastodon.Network, nil))
	a := german()
	if err := c.take(t, a); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{event.PostID("good", a.Story.ID, 1) + " " + event.TypePost}, r.taken()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	letters, err := server.Bus(t, "tidings").DeadList(t.Context(), bus.DeadFilter{})
	if err != nil || len(letters) != 1 || letters[0].Reason != compose.TemplateError {
		t.Errorf("letters %+v, %v", letters, err)
	}
}

func TestWhatCannotBeTakenIsRefusedByKind(t *testing.T) {
	t.Parallel()
	c, r := newComposer(t, natstest.Run(t), channel(t, "hook", webhook.Network, nil))
	a := german()
	a.URL = "relative"
	if err := c.take(t, a); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no link: %v", err)
	}
	bad := delivery(t, german(), event.TypeEnriched, german())
	bad.Body = append(bad.Body, ' ')
	if err := c.Handle(t.Context(), bad); fault.KindOf(err) != fault.Malformed {
		t.Errorf("a spoilt body: %v", err)
	}
	marker := &bus.Delivery{Message: event.Message{Subject: bad.Subject, Header: event.Header{event.HeaderMarker: {"MaxAge"}}}}
	if err := c.Handle(t.Context(), marker); err != nil {
		t.Errorf("the mark of an expired article: %v", err)
	}
	if got := r.taken(); len(got) > 0 {
		t.Errorf("composed %v", got)
	}
}
