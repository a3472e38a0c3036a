package projection

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/services/publish/internal/feed"
)

// Automatic says which feeds come into being by themselves: one for each tag, source and language that enough articles
// have. They are known by their prefixes, which no configured feed has.
type Automatic struct {
	Tags, Phrases, Sources, Languages bool
	// Least is the number of items from which such a feed exists.
	Least int
	// Make makes the feed of an id.
	Make func(id string) (*feed.Feed, error)
}

// maxAutomatic bounds how many such feeds exist at a time. Of more the largest do, and of equal ones the first by id, so
// that replicas agree.
const maxAutomatic = 1000

// The prefixes of ids.
const (
	tagPrefix    = "tag-"
	sourcePrefix = "source-"
	langPrefix   = "lang-"
)

// of lists the ids of the automatic feeds that take an article.
func (c Automatic) of(a *article.Article) []string {
	if c.Make == nil {
		return nil
	}
	var ids []string
	add := func(prefix, name string) {
		id := prefix + strings.ToLower(name)
		if plainID(id) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for i := range a.Tags {
		t := &a.Tags[i]
		if t.Kind == article.KindConcept && c.Tags || t.Kind == article.KindPhrase && c.Phrases {
			add(tagPrefix, t.ID)
			for _, b := range t.Broader {
				add(tagPrefix, b)
			}
		}
	}
	if c.Sources {
		add(sourcePrefix, a.Source.ID)
	}
	if code := a.Language.Code; c.Languages && code != "" && code != article.Undetermined {
		base, _, _ := strings.Cut(code, "-")
		add(langPrefix, base)
		add(langPrefix, code)
	}
	return ids
}

// could reports whether an id may become an automatic feed.
func (c Automatic) could(id string) bool {
	return c.Make != nil && plainID(id) && (strings.HasPrefix(id, tagPrefix) && (c.Tags || c.Phrases) ||
		strings.HasPrefix(id, sourcePrefix) && c.Sources || strings.HasPrefix(id, langPrefix) && c.Languages)
}

// plainID reports whether an id can stand in an address and a subject as it is.
func plainID(id string) bool {
	return len(id) <= 100 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// widen makes the automatic shelves that a row wants and that are not there. A feed that cannot be made is left out.
func (p *Projection) widen(x *index, r *row, serving bool) {
	r.automatic = slices.DeleteFunc(r.automatic, func(id string) bool {
		if x.automatic[id] != nil {
			return false
		}
		f, err := p.Automatic.Make(id)
		if err != nil {
			p.Log.Warn("could not make an automatic feed", "feed", id, "err", err)
			return true
		}
		s := newShelf(f)
		s.sorted = serving
		x.automatic[id] = s
		return false
	})
}

// all lists every shelf.
func (x *index) all() []*shelf {
	list := slices.Clone(x.shelves)
	for _, s := range x.automatic {
		list = append(list, s)
	}
	return list
}

// touched notes that the bytes of what a shelf shows may be others.
func (x *index) touched(s *shelf, stored time.Time) {
	x.changes++
	s.changes = x.changes // of the index, so that a shelf that goes and comes again never repeats a number
	if stored.After(s.moved) {
		s.moved = stored
	}
}

// grown returns the automatic shelf of an id when it is large enough to be a feed.
func (x *index) grown(id string, least int) *shelf {
	s := x.automatic[id]
	if s == nil || len(s.stories) < least {
		return nil
	}
	if len(x.automatic) <= maxAutomatic {
		return s
	}
	larger := 0
	for _, o := range x.automatic {
		if cmp.Or(cmp.Compare(len(s.stories), len(o.stories)), cmp.Compare(o.feed.ID, s.feed.ID)) < 0 {
			larger++
		}
	}
	if larger >= maxAutomatic {
		return nil
	}
	return s
}

// label is what the tag, source or language of an automatic shelf is called: by the newest message that names it. It is looked
// for once after each change: the form of a newsletter asks for all of its tags.
func (s *shelf) label() string {
	tag, isTag := strings.CutPrefix(s.feed.ID, tagPrefix)
	if !isTag {
		_, name, _ := strings.Cut(s.feed.ID, "-")
		return name
	}
	if s.called == "" || s.calledAt != s.changes {
		s.called, s.calledAt = s.newestLabel(tag), s.changes
	}
	return s.called
}

func (s *shelf) newestLabel(tag string) string {
	text, newest := tag, uint64(0)
	for _, r := range s.rows {
		for _, l := range r.labels {
			if l.tag == tag && l.text != "" && r.sequence > newest {
				text, newest = l.text, r.sequence
			}
		}
	}
	return text
}

// Tag is what a tag is called in the language of the site, and its id where no article tells. Only tags that have an
// automatic feed, however small, are known.
func (p *Projection) Tag(id string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live == nil || p.live.automatic[tagPrefix+strings.ToLower(id)] == nil {
		return id
	}
	return p.live.automatic[tagPrefix+strings.ToLower(id)].label()
}
