package origintest

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Format is how a feed is written, and the ending of its path.
type Format string

// The formats.
const (
	RSS  Format = "rss"
	Atom Format = "atom"
	JSON Format = "json"
)

// Formats lists all of them.
func Formats() []Format { return []Format{RSS, Atom, JSON} }

// Item is an entry of a feed. Empty fields are left out of the document.
type Item struct {
	// ID is the guid or id; empty leaves it out.
	ID       string
	URL      string
	Title    string // plain text
	Summary  string // HTML
	Content  string // HTML
	Author   string
	Language string
	Tags     []string
	// Published and Updated are written in the zone they hold.
	Published, Updated time.Time
	// Enclosure is the address of an attached image or sound, with its media type.
	Enclosure, EnclosureType string
}

// Feed is a list of items that is served as name.rss, name.atom and name.json. It is safe for concurrent use.
type Feed struct {
	origin *Origin
	name   string

	mu           sync.Mutex
	title        string
	language     string
	items        []Item
	changed      time.Time
	etag         bool
	lastModified bool
}

// Feed gives the feed of a name, made empty at first use.
func (o *Origin) Feed(name string) *Feed {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.feeds[name]
	if f == nil {
		f = &Feed{origin: o, name: name, title: name, changed: time.Now(), etag: true, lastModified: true}
		o.feeds[name] = f
	}
	return f
}

// Path is where the feed is served in a format.
func (f *Feed) Path(format Format) string { return "/" + f.name + "." + string(format) }

// URL is the address of the feed in a format.
func (f *Feed) URL(format Format) string { return f.origin.URL(f.Path(format)) }

// Describe sets title and language of the whole feed.
func (f *Feed) Describe(title, language string) *Feed {
	f.change(func() bool {
		f.title, f.language = title, language
		return true
	})
	return f
}

// Validators says which validators answers carry; both are on at first.
func (f *Feed) Validators(etag, lastModified bool) *Feed {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.etag, f.lastModified = etag, lastModified
	return f
}

// Add puts items at the head of the feed, the last one first, as blogs do.
func (f *Feed) Add(items ...Item) *Feed {
	f.change(func() bool {
		for _, it := range items {
			f.items = slices.Insert(f.items, 0, clone(it))
		}
		return len(items) > 0
	})
	return f
}

// Edit changes the item of an id and tells whether there is one.
func (f *Feed) Edit(id string, edit func(*Item)) bool {
	return f.change(func() bool {
		i := f.index(id)
		if i >= 0 {
			it := clone(f.items[i])
			edit(&it)
			f.items[i] = it
		}
		return i >= 0
	})
}

// Remove takes the item of an id out of the feed and tells whether it was there.
func (f *Feed) Remove(id string) bool {
	return f.change(func() bool {
		i := f.index(id)
		if i >= 0 {
			f.items = slices.Delete(f.items, i, i+1)
		}
		return i >= 0
	})
}

// Items gives a copy of the items, in the order of the feed.
func (f *Feed) Items() []Item {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]Item, len(f.items))
	for i, it := range f.items {
		list[i] = clone(it)
	}
	return list
}

// change runs edit and, if that changed something, notes when. The edit must not call back into f.
func (f *Feed) change(edit func() bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	changed := edit()
	if changed {
		f.changed = time.Now()
	}
	return changed
}

func (f *Feed) index(id string) int {
	return slices.IndexFunc(f.items, func(it Item) bool { return it.ID == id })
}

func clone(it Item) Item {
	it.Tags = slices.Clone(it.Tags)
	return it
}

// Sample makes the n-th of an endless row of items, each a short report with everything an item can hold. Published
// times are an hour apart, counted from a fixed day, so the same n gives the same bytes on every machine.
func Sample(origin string, n int) Item {
	at := time.Date(2026, time.January, 5, 6, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Hour)
	return Item{
		ID:      fmt.Sprintf("tag:origin.test,2026:item-%d", n),
		URL:     fmt.Sprintf("%s/articles/%d", origin, n),
		Title:   fmt.Sprintf("Report %d on customers & care", n),
		Summary: fmt.Sprintf("<p>What the %d. week of customer care has shown.</p>", n),
		Content: fmt.Sprintf("<p>Report number %d. The team answered every letter within a day.</p>"+
			"<p>Those who wrote twice were called, and most of them stayed.</p>", n),
		Author:    "Ada Example",
		Language:  "en",
		Tags:      []string{"care", fmt.Sprintf("week-%d", n%52+1)},
		Published: at,
		Updated:   at,
	}
}
