// Package history tells whether a run lost or repeated anything.
//
// A run offers items at a source while something is killed, cut off or restarted. Afterwards the streams are read from
// their first message to their last, and held with what the receiver heard against what was offered. The checker shares
// nothing with what it checks but the form of the messages, and says a sentence for every violation.
package history

import (
	"fmt"
	"slices"
	"strings"

	"tidings.internal/pkg/event"
)

// Offer is what the origin showed of an item last, and everything it ever showed.
type Offer struct {
	Key   string
	Texts []string // the titles in their order; the last is what must arrive
}

// Entry is one record of a stream, read by sequence.
type Entry struct {
	Stream   string
	Sequence uint64
	Subject  string
	ID       string // ce-id
	Type     string
	Article  string
	Story    string
	Channel  string
	Key      string // the item, as its link names it
	Title    string
	Version  event.Version
	Hash     string
}

// Call is one request that the sink accepted.
type Call struct {
	ID    string // webhook-id, the idempotency key
	Type  string // article.published, article.updated, article.removed
	Key   string
	Title string
	Body  string
}

// History is everything that the checker looks at.
type History struct {
	Offers []Offer
	Log    []Entry
	Calls  []Call
	// Dead lists dead letters: in this run nothing is poisonous, so each is a fault.
	Dead []string
	// Baseline lists the items that were offered before the channel existed and must not be posted.
	Baseline []string
}

// Check returns a sentence for every violation. It is a pure function of the history.
func Check(h History) []string {
	var bad []string
	say := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	for _, d := range h.Dead {
		say("dead letter: %s", d)
	}
	checkLoss(h, say)
	checkLog(h, say)
	checkSink(h, say)
	return bad
}

// checkLoss: the newest content of each item stands in ARTICLES, and every item that was ever offered is there.
func checkLoss(h History, say func(string, ...any)) {
	newest := map[string]Entry{}
	raw := map[string]bool{}
	for _, e := range h.Log {
		switch e.Stream {
		case event.StreamRaw:
			raw[e.Key] = true
		case event.StreamArticles:
			newest[e.Key] = e
		}
	}
	for _, o := range h.Offers {
		e, ok := newest[o.Key]
		want := o.Texts[len(o.Texts)-1]
		switch {
		case !ok && !raw[o.Key]:
			say("lost: item %s never reached RAW", o.Key)
		case !ok:
			say("lost: item %s is in RAW and not in ARTICLES", o.Key)
		case e.Title != want:
			say("lost: item %s ends as %q, the origin shows %q", o.Key, e.Title, want)
		}
	}
}

// checkLog: no version twice, none that goes back, and no two articles for one item.
func checkLog(h History, say func(string, ...any)) {
	ids := map[string]uint64{}
	articles := map[string]string{}
	last := map[string]Entry{}
	for _, e := range h.Log {
		if e.Key != "" {
			if a, ok := articles[e.Key]; ok && a != e.Article {
				say("twice: item %s is article %s and article %s", e.Key, a, e.Article)
			}
			articles[e.Key] = e.Article
		}
		if e.Stream == event.StreamRaw {
			if n, ok := ids[e.ID]; ok {
				say("twice: RAW holds %s at %d and at %d", e.ID, n, e.Sequence)
			}
			ids[e.ID] = e.Sequence
			continue
		}
		p, ok := last[e.Stream+" "+e.Subject]
		last[e.Stream+" "+e.Subject] = e
		if !ok {
			continue
		}
		switch c := e.Version.Compare(p.Version); {
		case c == 0, p.Version.Revision == e.Version.Revision && p.Hash == e.Hash:
			say("twice: %s holds %s %+v at %d and at %d", e.Stream, e.Subject, e.Version, p.Sequence, e.Sequence)
		case c < 0:
			say("back: %s goes from %+v at %d to %+v at %d on %s", e.Stream, p.Version, p.Sequence, e.Version, e.Sequence, e.Subject)
		}
	}
}

// checkSink: each story arrives, once, and again only under the same key with the same body.
func checkSink(h History, say func(string, ...any)) {
	published := map[string]Call{}
	bodies := map[string]string{}
	for _, c := range h.Calls {
		if b, ok := bodies[c.ID]; ok && b != c.Body {
			say("sink: %s came with two bodies", c.ID)
		}
		bodies[c.ID] = c.Body
		if c.Type != "article.published" {
			continue
		}
		if p, ok := published[c.Key]; ok && p.ID != c.ID {
			say("sink: item %s was posted as %s and as %s", c.Key, p.ID, c.ID)
		}
		published[c.Key] = c
	}
	for _, key := range h.Baseline {
		if c, ok := published[key]; ok {
			say("sink: item %s is older than the channel and was posted as %s", key, c.ID)
		}
	}
	for _, o := range h.Offers {
		if _, ok := published[o.Key]; !ok && !slices.Contains(h.Baseline, o.Key) {
			say("sink: item %s was never posted", o.Key)
		}
	}
	checkLatest(h, published, say)
}

// checkLatest: what the sink heard last of an item is what the origin shows. An edit may have come before the post
// itself, which then carries it.
func checkLatest(h History, published map[string]Call, say func(string, ...any)) {
	heard := map[string][]string{}
	for _, c := range h.Calls {
		heard[c.Key] = append(heard[c.Key], c.Title)
	}
	for _, o := range h.Offers {
		want := o.Texts[len(o.Texts)-1]
		if _, ok := published[o.Key]; ok && !slices.Contains(heard[o.Key], want) {
			say("sink: item %s was heard of as %s, the origin shows %q", o.Key, strings.Join(heard[o.Key], ", "), want)
		}
	}
}
