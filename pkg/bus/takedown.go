package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// TakenDown is what a takedown found and removed.
type TakenDown struct {
	Article string `json:"article"`
	Source  string `json:"source"`
	Story   string `json:"story,omitempty"`
	// Already tells that the tombstone stood before; the rest was looked for all the same.
	Already bool `json:"already,omitempty"`
	Raw     int  `json:"raw"`     // raw messages
	Batches int  `json:"batches"` // batches that were published again without it
	Dead    int  `json:"dead"`    // dead letters
	Blobs   int  `json:"blobs"`
	// Shared names bodies that another article has as well; they stay with it.
	Shared []string `json:"shared,omitempty"`
	// InHand tells that enrich still had one of the messages in hand when the wait for it ended: taking the article
	// down once more removes what that may have left.
	InHand bool `json:"in_hand,omitempty"`
}

const (
	// handWait is how long a takedown waits for a handler that holds one of its messages. It is above the deadline of
	// a handler.
	handWait = 30 * time.Second
	// handLook is how often it looks.
	handLook = 50 * time.Millisecond
	// orphanAge is how old a body must be that nothing refers to: its writer stores it first and the message after.
	orphanAge = time.Hour
)

// takedown is one under way.
type takedown struct {
	bus     *Bus
	id      string
	subject string // of the article in ARTICLES
	result  TakenDown
}

// Takedown removes an article for good: a tombstone that nothing can outdo takes its place for ever, and its messages,
// dead letters and bodies are erased. Publish withdraws its posts when it meets the tombstone.
//
// It may be repeated, and must be after a crash: each step looks for itself what there is to do, and nothing goes before
// what it alone leads to. So bodies are erased before the messages that name them, and the tombstone stands before RAW
// is touched, so that whatever is still under way there ends without effect.
func (b *Bus) Takedown(ctx context.Context, id string) (TakenDown, error) {
	t := &takedown{bus: b, id: id, result: TakenDown{Article: id}}
	if !article.ValidID(id) {
		return t.result, fault.Errorf(fault.Invalid, "%q is no article id", id)
	}
	for _, step := range []func(context.Context) error{t.find, t.replace, t.raw, t.bodies, t.dead, t.snapshots} {
		if err := step(ctx); err != nil {
			return t.result, err
		}
	}
	return t.result, nil
}

// find learns the subject of the article, from wherever something of it is left.
func (t *takedown) find(ctx context.Context) error {
	subject, err := t.bus.ArticleSubject(ctx, t.id)
	if err != nil {
		return err
	}
	s, err := event.ParseSubject(subject)
	t.subject, t.result.Source = subject, s.Source
	return err
}

// ArticleSubject returns the subject that an article has in ARTICLES, or would have: one that enrich has not handled yet
// is found in RAW, one that it could not handle in DEAD.
func (b *Bus) ArticleSubject(ctx context.Context, id string) (string, error) {
	r, err := b.Next(ctx, event.StreamArticles, event.AnyArticle(id), 1)
	if err != nil || r != nil {
		return subjectOfRecord(r), err
	}
	var subject string
	for _, from := range []string{event.StreamRaw, event.StreamDead} {
		err = b.sweep(ctx, from, nil, func(r Record) error {
			if !concerns(r.Message, id) {
				return nil
			}
			origin := r.Subject
			if from == event.StreamDead {
				origin = r.Header.Value(event.HeaderDeadSubject)
			}
			s, err := event.ParseSubject(origin)
			if err != nil || s.Source == "" {
				return nil // a dead post names no source
			}
			if subject, err = event.EnrichedSubject(s.Partition, s.Source, id); err != nil {
				return err
			}
			return errFound
		})
		if errors.Is(err, errFound) {
			return subject, nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", fault.Errorf(fault.Invalid, "there is no article %s", id)
}

// errFound ends a sweep that has what it looked for.
var errFound = errors.New("found")

func subjectOfRecord(r *Record) string {
	if r == nil {
		return ""
	}
	return r.Subject
}

// concerns says whether a message is about an article or holds it in a batch.
func concerns(m event.Message, id string) bool {
	return m.Header.Value(event.HeaderArticle) == id || strings.HasPrefix(m.Header.Value(event.HeaderID), id+".") ||
		m.Header.Value(event.HeaderType) == event.TypeBatch && bytes.Contains(m.Body, []byte(id))
}

// replace puts the tombstone where the article stands and erases the bodies of what stood there before.
func (t *takedown) replace(ctx context.Context) error {
	for round := 1; ; round++ {
		last, err := t.bus.last(ctx, event.StreamArticles, t.subject)
		if err != nil {
			return err
		}
		if err := t.bodies(ctx); err != nil {
			return err
		}
		if t.look(last); t.result.Already {
			return nil
		}
		// A version that came in between has bodies of its own: they are looked for before it is replaced.
		if err = t.entomb(ctx, last); fault.KindOf(err) != fault.Conflict || round == maxConflicts {
			return err
		}
	}
}

// look learns from what stands on the article's subject.
func (t *takedown) look(last *Record) {
	if last == nil {
		return
	}
	if _, a, err := event.DecodeEnriched(last.Message); err == nil {
		t.result.Story = a.Story.ID
	}
	if env, d, err := event.DecodeDeleted(last.Message); err == nil {
		t.result.Story, t.result.Already = d.Story, env.Version.Revision >= event.TakedownRevision
	}
}

// entomb stores the tombstone if the article still stands as it was seen. Its revision is above all that can come, and
// it has no age.
func (t *takedown) entomb(ctx context.Context, last *Record) error {
	v, now, expected := event.Version{Revision: event.TakedownRevision}, time.Now().UTC(), uint64(0)
	if last != nil {
		expected = last.Sequence
	}
	m, err := event.Encode(t.subject, event.Envelope{
		Type: event.TypeDeleted, ID: event.EnrichedID(t.id, v), Source: t.bus.service, Time: now, Subject: t.id, Article: t.id, Version: v,
	}, event.Deleted{ID: t.id, Source: t.result.Source, Revision: v.Revision, Reason: event.DeletedTakedown, Time: now, Story: t.result.Story})
	if err != nil {
		return err
	}
	return t.bus.publish(ctx, m, func(h nats.Header) {
		// Without this the tombstone would go with the age of the stream, and the source's next offer would be taken.
		h[event.HeaderTTL] = []string{event.TTLNever}
		h[jetstream.ExpectedLastSubjSeqHeader] = []string{strconv.FormatUint(expected, 10)}
		h[jetstream.ExpectedStreamHeader] = []string{event.StreamArticles}
	})
}

// last place of each article in RAW, to know what a batch need not repeat.
type place struct{ revision, sequence uint64 }

// raw erases the messages of RAW that hold the article. A batch is first published again without it.
func (t *takedown) raw(ctx context.Context) error {
	s, err := event.ParseSubject(t.subject)
	if err != nil {
		return err
	}
	subjects, err := event.RawSubjects(s.Partition, s.Source)
	if err != nil {
		return err
	}
	var victims []Record
	latest := map[string]place{}
	err = t.bus.sweep(ctx, event.StreamRaw, subjects, func(r Record) error {
		for id, revision := range revisions(r.Message) {
			latest[id] = place{revision, r.Sequence}
		}
		if !concerns(r.Message, t.id) {
			return nil
		}
		if r.Header.Value(event.HeaderType) != event.TypeBatch {
			r.Body = nil // it can be large, and only its place is needed
		}
		victims = append(victims, r)
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range victims {
		if err := t.unbatch(ctx, r, latest); err != nil {
			return err
		}
		if err := t.bus.erase(ctx, event.StreamRaw, r.Sequence); err != nil {
			return err
		}
		t.result.Raw++
	}
	return t.settled(ctx, victims)
}

// revisions lists the articles of a raw message with their revisions.
func revisions(m event.Message) map[string]uint64 {
	list := map[string]uint64{}
	messages := []event.Message{m}
	if m.Header.Value(event.HeaderType) == event.TypeBatch {
		messages, _ = event.DecodeBatch(m) // one that cannot be read orders nothing
	}
	for _, m := range messages {
		if env, err := event.Decode(m); err == nil && env.Article != "" {
			list[env.Article] = env.Version.Revision
		}
	}
	return list
}

// unbatch publishes a batch again without the article. The id of the new message is made of what it holds, so that a
// repeat after a crash is dropped, or at worst enriched once more to the same bytes. A member that RAW holds again
// further on is left out: in its new place it would count as the later of two contents under one revision.
func (t *takedown) unbatch(ctx context.Context, r Record, latest map[string]place) error {
	if r.Header.Value(event.HeaderType) != event.TypeBatch {
		return nil
	}
	m, _, rest := without(r.Message, t.id, func(id string, revision uint64) bool {
		l := latest[id]
		return l.sequence > r.Sequence && l.revision >= revision
	})
	if rest == 0 {
		return nil
	}
	t.result.Batches++
	return t.bus.publish(ctx, m, func(h nats.Header) { h[event.HeaderMsgID] = []string{m.Header.Value(event.HeaderID)} })
}

// without returns a batch without an article and without the members that are stale, the bytes that were taken out
// for the article, and how many members are left. What is left keeps its bytes. A batch that cannot be read has none.
func without(m event.Message, id string, stale func(id string, revision uint64) bool) (out event.Message, taken []byte, rest int) {
	var members []json.RawMessage
	if json.Unmarshal(m.Body, &members) != nil {
		return event.Message{}, m.Body, 0
	}
	var kept [][]byte
	first := ""
	for _, raw := range members {
		var member event.BatchMember
		var named struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(raw, &member) == nil {
			_ = json.Unmarshal(member.Article, &named) // a member without an id is kept for enrich to refuse
		}
		switch {
		case named.ID == id || strings.HasPrefix(member.ID, id+"."):
			taken = append(taken, raw...)
			continue
		case named.ID != "" && stale(named.ID, member.Revision):
			continue
		}
		if len(kept) == 0 {
			first = member.ID
		}
		kept = append(kept, raw)
	}
	out = m.Clone()
	for name := range out.Header {
		if strings.HasPrefix(name, "Nats-") {
			delete(out.Header, name)
		}
	}
	out.Body = append(append([]byte{'['}, bytes.Join(kept, []byte{','})...), ']')
	hash := event.Hash(out.Body)
	out.Header.Set(event.HeaderHash, hash)
	out.Header.Set(event.HeaderID, first+"."+hash[:8])
	return out, taken, len(kept)
}

// fresh keeps every member of a batch.
func fresh(string, uint64) bool { return false }

// erase overwrites a message in its stream. One that is gone is no error.
func (b *Bus) erase(ctx context.Context, stream string, sequence uint64) error {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	s, err := b.js.Stream(ctx, stream)
	if err == nil {
		err = s.SecureDeleteMsg(ctx, sequence)
	}
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		if r, lost := b.At(ctx, stream, sequence); lost == nil && r == nil {
			return nil
		}
	}
	return classify(err, "erase message %d of %s", sequence, stream)
}

// settled waits until no handler of enrich holds one of the erased messages: it could still write a dead letter or a
// body, which the steps behind this one look for.
func (t *takedown) settled(ctx context.Context, victims []Record) error {
	if len(victims) == 0 {
		return nil
	}
	first, last := victims[0].Sequence, victims[len(victims)-1].Sequence
	limit := time.NewTimer(handWait)
	defer limit.Stop()
	tick := time.NewTicker(handLook)
	defer tick.Stop()
	for _, name := range []string{event.ConsumerEnrich, event.ConsumerBackfill, event.ConsumerReplay} {
		for {
			held, err := t.held(ctx, name, first, last)
			if err != nil {
				return err
			}
			if !held {
				break
			}
			select {
			case <-tick.C:
			case <-limit.C:
				t.result.InHand = true
				return nil
			case <-ctx.Done():
				return classify(ctx.Err(), "wait for consumer %s", name)
			}
		}
	}
	return nil
}

func (t *takedown) held(ctx context.Context, consumer string, first, last uint64) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	c, err := t.bus.js.Consumer(ctx, event.StreamRaw, consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return false, nil
	}
	if err != nil {
		return false, classify(err, "look at consumer %s of %s", consumer, event.StreamRaw)
	}
	info := c.CachedInfo()
	return info.NumAckPending > 0 && info.Delivered.Stream >= first && info.AckFloor.Stream < last, nil
}

// dead erases the dead letters of the article. A batch that died whole is kept without it.
func (t *takedown) dead(ctx context.Context) error {
	var victims []Record
	err := t.bus.sweep(ctx, event.StreamDead, []string{event.All(event.SpaceDead)}, func(r Record) error {
		if concerns(r.Message, t.id) {
			victims = append(victims, r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range victims {
		if r.Header.Value(event.HeaderType) == event.TypeBatch {
			m, _, rest := without(r.Message, t.id, fresh)
			if rest > 0 {
				err := t.bus.publish(ctx, m, func(h nats.Header) { h[event.HeaderMsgID] = []string{"takedown:" + m.Header.Value(event.HeaderID)} })
				if err != nil {
					return err
				}
			}
		}
		if err := t.bus.erase(ctx, event.StreamDead, r.Sequence); err != nil {
			return err
		}
		t.result.Dead++
	}
	return nil
}
