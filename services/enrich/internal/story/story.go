package story

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/fault"
)

const (
	relationNew       = article.RelationNew
	relationExact     = article.RelationExact
	relationDuplicate = article.RelationDuplicate
	relationVersion   = article.RelationVersion
	relationRelated   = article.RelationRelated
)

// Bucket is the table of keys and values that decides: the bucket stories, or one in memory.
type Bucket interface {
	Create(ctx context.Context, key string, value []byte) (uint64, error)
	Read(ctx context.Context, key string) (bus.Entry, bool, error)
	Delete(ctx context.Context, key string) error
	Watch(ctx context.Context, filter string, each func(bus.Entry), level func()) error
}

var _ Bucket = (*bus.Bucket)(nil)

// Stories knows the stories of all articles.
type Stories struct {
	bucket Bucket
	index  *index
}

// New returns the stories of a bucket. [Stories.Watch] must run for them to be known.
func New(bucket Bucket) *Stories { return &Stories{bucket: bucket, index: newIndex()} }

// Watch follows the bucket until ctx ends.
func (s *Stories) Watch(ctx context.Context) error {
	return s.bucket.Watch(ctx, ">", s.index.apply, s.index.leveled)
}

// Ready returns an error until everything that the bucket holds was read.
func (s *Stories) Ready() error {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	if !s.index.level {
		return fault.Errorf(fault.Unreachable, "read stories: the bucket has not been read to its end yet")
	}
	return nil
}

// Len is the number of articles known.
func (s *Stories) Len() int {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	return len(s.index.docs)
}

// Place returns the story of an article. It writes the article's claim and its member record; everything may be
// repeated, by anyone, at any time.
func (s *Stories) Place(ctx context.Context, in Document) (article.Story, error) {
	if err := s.await(ctx, 0); err != nil {
		return article.Story{}, err
	}
	if m := s.known(in.Article, in.Revision); m != nil {
		return m.story(), nil
	}
	list := tokens(in.Text)
	sequence, err := s.claim(ctx, in, in.aliases(list), newSketch(list))
	if err != nil {
		return article.Story{}, err
	}
	// A kill up to here leaves a claim that the redelivery finds; nobody has used it for an answer but through the
	// member record below.
	if err := s.await(ctx, sequence); err != nil {
		return article.Story{}, err
	}
	m, err := s.decide(ctx, in.Article)
	if err != nil {
		return article.Story{}, err
	}
	return m.story(), nil
}

func (m member) story() article.Story {
	return article.Story{ID: m.Story, Relation: m.Relation, Other: m.Other, Also: m.Also, Group: m.Group, FirstSeen: time.UnixMilli(m.Seen).UTC()}
}

// known returns the member record of an article whose claim for this revision or a later one stands already.
func (s *Stories) known(id string, revision uint64) *member {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	d := s.index.docs[id]
	if d == nil || d.member == nil {
		return nil
	}
	for _, c := range d.claims {
		if c.revision >= revision {
			return d.member
		}
	}
	return nil
}

// claim creates the claim of a revision and returns its sequence, also when it was there before.
func (s *Stories) claim(ctx context.Context, in Document, aliases []string, text *sketch) (uint64, error) {
	s.index.mu.Lock()
	c := claim{Aliases: aliases, Seen: in.FirstSeen, Sketch: text.bytes(), Terms: newTerms(in.Terms).bytes()}
	if d := s.index.docs[in.Article]; d != nil {
		c.Aliases, c.First = union(aliases, d.aliases), d.first
	}
	s.index.mu.Unlock()
	value, err := json.Marshal(c)
	if err != nil {
		return 0, fault.Errorf(fault.Internal, "encode claim of %s: %w", in.Article, err)
	}
	key := claimKey(in.Article, in.Revision)
	sequence, err := s.bucket.Create(ctx, key, value)
	if fault.KindOf(err) != fault.Conflict {
		return sequence, err
	}
	e, ok, err := s.bucket.Read(ctx, key)
	if err == nil && !ok {
		err = fault.Errorf(fault.Conflict, "claim %s: it went while it was read", in.Article)
	}
	return e.Revision, err
}

// await waits until the own watch has seen everything up to a sequence.
func (s *Stories) await(ctx context.Context, sequence uint64) error {
	for {
		s.index.mu.Lock()
		done := s.index.level && s.index.applied >= sequence
		moved := s.index.moved
		s.index.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fault.Errorf(fault.Unreachable, "wait for the stories up to sequence %d: %w", sequence, ctx.Err())
		}
	}
}

// decide returns the member record of an article that has a claim, and creates it if there is none. An article that it
// depends on is decided first; each of those was claimed earlier, so this ends.
func (s *Stories) decide(ctx context.Context, id string) (member, error) {
	s.index.mu.Lock()
	d := s.index.docs[id]
	if d == nil {
		s.index.mu.Unlock()
		return member{}, fault.Errorf(fault.Conflict, "place %s: its claim is not known", id)
	}
	if d.member != nil {
		m := *d.member
		s.index.mu.Unlock()
		return m, nil
	}
	m := member{Story: id, Relation: relationNew, Seen: d.seen, First: d.first}
	list, event := s.index.candidates(d), s.index.related(d)
	s.index.mu.Unlock()

	longest := map[string]string{} // by story: a template has hundreds of candidates of one
	for _, c := range list {
		if len(m.Also) == maxAlso {
			break
		}
		other, err := s.decide(ctx, c.id)
		if err != nil {
			return member{}, err
		}
		if c.relation != relationExact && other.Story != c.id {
			is, known := longest[other.Story]
			if !known {
				if is, err = s.longest(ctx, other.Story, d); err != nil {
					return member{}, err
				}
				longest[other.Story] = is
			}
			if is != c.id {
				continue
			}
		}
		// A second story that it belongs to is noted and no more: posts hang on both.
		if m.Relation == relationNew {
			m.Story, m.Relation, m.Other, m.Group, m.Seen = other.Story, c.relation, c.id, other.Group, other.Seen
		} else if other.Story != m.Story && !slices.Contains(m.Also, other.Story) {
			m.Also = append(m.Also, other.Story)
		}
	}
	if m.Relation != relationNew {
		return s.record(ctx, id, m)
	}
	// A report of its own on an event that another story tells of: it suppresses nothing, and is suppressed by nothing.
	for _, c := range event {
		other, err := s.decide(ctx, c.id)
		if err != nil {
			return member{}, err
		}
		if other.Story == c.id {
			m.Relation, m.Other, m.Group = relationRelated, c.id, cmp.Or(other.Group, other.Story)
			break
		}
	}
	return s.record(ctx, id, m)
}

// longest names the longest article of those before d whose text is like that of the first of a story, and that belong to
// it, "" for none. A text counts only against these two: the first may be three lines, of which the whole report has copies;
// with all members small steps would chain different reports together.
func (s *Stories) longest(ctx context.Context, story string, d *doc) (string, error) {
	s.index.mu.Lock()
	list := s.index.like(story, d.first)
	s.index.mu.Unlock()
	for _, o := range list {
		m, err := s.decide(ctx, o)
		if err != nil {
			return "", err
		}
		if m.Story == story {
			return o, nil
		}
	}
	return "", nil
}

// record creates a member record, or takes the one that is there: the first answer stands.
func (s *Stories) record(ctx context.Context, id string, m member) (member, error) {
	value, err := json.Marshal(m)
	if err != nil {
		return member{}, fault.Errorf(fault.Internal, "encode member %s: %w", id, err)
	}
	_, err = s.bucket.Create(ctx, memberKey(id), value)
	if fault.KindOf(err) == fault.Conflict {
		e, ok, rerr := s.bucket.Read(ctx, memberKey(id))
		if rerr != nil {
			return member{}, rerr
		}
		if !ok {
			return member{}, fault.Errorf(fault.Conflict, "place %s: its record went while it was read", id)
		}
		if err := json.Unmarshal(e.Value, &m); err != nil || m.Story == "" {
			return member{}, fault.Errorf(fault.Malformed, "read member %s: the record is no record", id)
		}
		err = nil
	}
	if err != nil {
		return member{}, err
	}
	s.index.mu.Lock()
	s.index.learn(id, m)
	s.index.mu.Unlock()
	return m, nil
}

// Forget removes the claims that the newest one has made superfluous. It is called after the article was published: a
// kill before leaves old claims, which say nothing wrong, and the next revision removes them.
func (s *Stories) Forget(ctx context.Context, id string) error {
	s.index.mu.Lock()
	var newest uint64
	var covered []uint64
	if d := s.index.docs[id]; d != nil && d.member != nil {
		for _, c := range d.claims {
			newest = max(newest, c.revision)
		}
		var have []string
		if c := d.claim(newest); c != nil {
			have = c.aliases
		}
		for _, c := range d.claims {
			missing := slices.ContainsFunc(c.aliases, func(a string) bool { return !slices.Contains(have, a) })
			if c.revision != newest && (!missing || len(have) == maxAliases) {
				covered = append(covered, c.revision)
			}
		}
	}
	s.index.mu.Unlock()
	slices.Sort(covered)
	for _, r := range covered {
		if err := s.bucket.Delete(ctx, claimKey(id, r)); err != nil {
			return err
		}
	}
	return nil
}

// Bury notes that an article was deleted and returns its story, "" when it never had one. The sketch goes: an article
// that is gone must not draw new ones to it. The aliases stay, so that the same report does not come back as a new story.
func (s *Stories) Bury(ctx context.Context, id string, revision uint64) (string, error) {
	if err := s.await(ctx, 0); err != nil {
		return "", err
	}
	s.index.mu.Lock()
	d := s.index.docs[id]
	var m *member
	var seen int64
	if d != nil {
		m, seen = d.member, d.seen
	}
	s.index.mu.Unlock()
	if d == nil {
		return "", nil
	}
	if _, err := s.claim(ctx, Document{Article: id, Revision: revision, FirstSeen: seen}, nil, nil); err != nil {
		return "", err
	}
	if m == nil {
		return "", nil
	}
	return m.Story, nil
}
