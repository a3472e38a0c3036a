package websub

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

const (
	// maxDocuments is how many documents are held in memory, each up to about 2 MB.
	maxDocuments = 64
	// maxDocument is the longest document that is taken, unpacked.
	maxDocument = 8 << 20
	// documentAgain is how long to wait for a document that publish does not have yet.
	documentAgain = time.Second
	// lookEvery is how often it is looked whether the feed of a subscription is still published.
	lookEvery = time.Hour
	// missingAgain is when a feed is asked for again that has a change to be pushed and is missing.
	missingAgain = time.Minute
	// maxMissing is how often in a row a feed must be missing before its subscriptions end, and missingGap the least time
	// between two that count: a configuration that was wrong for a while must not cost all subscribers.
	maxMissing = 3
	missingGap = 10 * time.Minute
)

// document is what is pushed in a round. It is that of the row's Want when it was asked for, or a newer one.
type document struct {
	round uint64
	body  []byte
}

// fetch asks publish for the document of a topic, of which as many are in memory as there are places.
func (s *shift) fetch(t *topic) {
	s.mu.Lock()
	slot, row := t.slot, *t.row
	s.mu.Unlock()
	if !slot {
		select {
		case s.docs <- struct{}{}:
		case <-s.ctx.Done():
			return
		}
	}
	body, err := s.read(&row, false)
	gone := s.missed(t, err)
	s.mu.Lock()
	t.slot, t.fetching = true, false
	if err == nil {
		t.doc = &document{row.Round, body}
	} else {
		if fault.KindOf(err) != fault.Gone {
			t.hold = s.Now().Add(documentAgain)
		}
		if t.busy == 0 {
			t.doc, t.slot = nil, false
			<-s.docs
		}
		s.Log.Debug("could not read a document that is to be pushed", "feed", row.Feed, "kind", fault.KindOf(err), "err", err)
	}
	if !gone {
		s.pump(t)
	}
	s.mu.Unlock()
	if gone {
		s.close(t, &row)
	}
}

// read asks publish for the bytes of a document. One that is newer than what was announced is as good: its own
// announcement follows, and finds its hash. A look finds only out whether there is any.
func (s *shift) read(row *Topic, look bool) ([]byte, error) {
	var found event.DocumentReply
	done := errors.New("found")
	pending := false
	err := s.Bus.AskAll(s.ctx, event.UserPublish, event.VerbDocument, event.DocumentRequest{Look: look, Feed: row.Feed, Format: row.Format, SHA256: row.Want, Applied: row.Applied}, func(reply []byte) error {
		var r event.DocumentReply
		if err := json.Unmarshal(reply, &r); err != nil {
			return err
		}
		switch r.State {
		case event.DocumentHere:
			found = r
			return done // whatever another replica says: one that has it is right
		case event.DocumentNotYet:
			pending = true
		}
		return nil
	})
	switch {
	case errors.Is(err, done) && look:
		return nil, nil
	case errors.Is(err, done):
		return unpack(found)
	case err != nil:
		return nil, err
	case pending:
		return nil, fault.Errorf(fault.Unreachable, "read document %s of feed %s: publish does not have it yet", row.Format, row.Feed)
	}
	return nil, fault.Errorf(fault.Gone, "feed %s is not published any more", row.Feed)
}

func unpack(r event.DocumentReply) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(r.Gzip))
	if err != nil {
		return nil, fault.Errorf(fault.Malformed, "unpack a document: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(z, maxDocument+1))
	switch {
	case err != nil:
		return nil, fault.Errorf(fault.Malformed, "unpack a document: %w", err)
	case len(body) > maxDocument:
		return nil, fault.Errorf(fault.TooLarge, "unpack a document: it is longer than %d bytes", maxDocument)
	case event.Hash(body) != r.SHA256:
		return nil, fault.Errorf(fault.Malformed, "unpack a document: its hash is another one than the reply says")
	}
	return body, nil
}

// look begins a look at the feeds that are due, if none is under way. Each answer can take seconds, which nothing else
// may wait for.
func (s *shift) look(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	due := map[*topic]*Topic{}
	for _, t := range s.topics {
		if t.looked.IsZero() { // not all of them at the same time
			t.looked = now.Add(-time.Duration(s.Random() * float64(lookEvery)))
		}
		if now.Sub(t.looked) < lookEvery {
			continue
		}
		for _, sub := range t.subs {
			format := sub.row.Topic[strings.LastIndexByte(sub.row.Topic, '.')+1:]
			due[t] = &Topic{Feed: sub.row.Feed, Format: format}
			break
		}
	}
	if len(due) == 0 || s.looking {
		return
	}
	s.looking = true
	s.group.Go(func() {
		s.lookAt(due)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.looking = false
	})
}

// lookAt ends the subscriptions of feeds that are given up: of those nothing is announced any more. It ends where publish
// does not answer: the others are due again with the next sweep.
func (s *shift) lookAt(due map[*topic]*Topic) {
	for t, row := range due {
		s.mu.Lock()
		t.looked = s.Now()
		s.mu.Unlock()
		_, err := s.read(row, true)
		if s.missed(t, err) {
			s.close(t, row)
		}
		if err != nil && fault.KindOf(err) != fault.Gone {
			return
		}
	}
}

// missed counts how often in a row the feed of a topic was missing, and reports whether that is enough.
func (s *shift) missed(t *topic, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	switch {
	case fault.KindOf(err) == fault.Gone:
		t.hold = now.Add(missingAgain)
		if t.missing == 0 || now.Sub(t.missed) >= missingGap {
			t.missing++
			t.missed = now
		}
	case err == nil:
		t.missing = 0
	}
	return t.missing >= maxMissing
}

// close ends all subscriptions of a topic that is no more, and tells the sites.
func (s *shift) close(t *topic, row *Topic) {
	s.mu.Lock()
	var list []subscription
	for _, sub := range t.subs {
		list = append(list, *sub)
	}
	s.mu.Unlock()
	for _, sub := range list {
		if err := s.write(sub.key, func(*Subscription) *Subscription { return nil }); err != nil {
			return // tried again with the next look at the topic
		}
		s.tell("subscription_ended", row.Feed, "feed")
		// The row is gone first: a kill in between costs the site the word, not us the end.
		s.lanes.put(asking, sub.host, func() { s.deny(s.ctx, sub.row.Topic, sub.row.Callback, "this feed is not published any more") })
	}
}
