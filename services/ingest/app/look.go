package app

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/cause"
	"tidings.internal/services/ingest/internal/decode"
	"tidings.internal/services/ingest/internal/discover"
	"tidings.internal/services/ingest/internal/fetch"
	"tidings.internal/services/ingest/internal/identity"
	"tidings.internal/services/ingest/internal/parse"
	"tidings.internal/services/ingest/internal/schedule"
)

// look is what a document gives, as one JSON object.
type look struct {
	Source   string         `json:"source"`
	URL      string         `json:"url,omitempty"` // that answered
	Status   int            `json:"status,omitempty"`
	Encoding string         `json:"encoding,omitempty"`
	Format   string         `json:"format,omitempty"`
	Version  string         `json:"version,omitempty"`
	Partial  bool           `json:"partial,omitempty"`
	Repairs  int            `json:"repairs,omitempty"`
	Skipped  map[string]int `json:"skipped,omitempty"`
	Feed     *parse.Feed    `json:"feed,omitempty"`
	Articles []parse.Item   `json:"articles,omitempty"`
	// Interval is how long a source like this would wait between two polls, by what is known after one, and Why says so.
	Interval string `json:"interval,omitempty"`
	Why      string `json:"why,omitempty"`
	// Feeds are those that a page names which is none itself.
	Feeds    []discover.Feed `json:"feeds,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Sentence string          `json:"sentence,omitempty"`
	Error    string          `json:"error,omitempty"`
}

// TestSource fetches an address, or reads a file, and writes what it gives as JSON. A configured source may be named by
// its id or address; it is fetched with its own options. It needs no broker and remembers nothing. What is wrong with
// the document is written, too, and returned as an error.
func TestSource(ctx context.Context, doc *config.Doc, urlOrFile string, w io.Writer) error {
	s := read(doc)
	if err := doc.Err(); err != nil {
		return err
	}
	out := look{Source: urlOrFile}
	var err error
	if data, e := os.ReadFile(urlOrFile); e == nil {
		err = out.file(data, "", "")
	} else {
		err = out.fetch(ctx, s, urlOrFile)
	}
	return out.write(w, err)
}

// ParseFile reads a document from disk and writes what it gives as JSON. base stands for the address that it came from,
// contentType for what a server would have said of it.
func ParseFile(name, base, contentType string, w io.Writer) error {
	out := look{Source: name}
	data, err := os.ReadFile(name)
	if err != nil {
		return out.write(w, fault.Errorf(fault.Invalid, "read document: %w", err))
	}
	return out.write(w, out.file(data, base, contentType))
}

func (l *look) write(w io.Writer, err error) error {
	if err != nil {
		reason := cause.Of(err)
		l.Error = err.Error()
		if reason != cause.Ours {
			l.Reason, l.Sentence = string(reason), reason.Row().Sentence
		}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if e := enc.Encode(l); e != nil {
		return fault.Errorf(fault.Internal, "write what was read: %w", e)
	}
	return err
}

func (l *look) file(data []byte, base, contentType string) error {
	data, cut, err := decode.Codings(data, nil)
	if err != nil {
		return err
	}
	text, name, err := decode.Text(data, contentType)
	if err != nil {
		return err
	}
	l.Encoding = name
	return l.read(text, parse.Options{URL: base, Now: time.Now()}, cut)
}

func (l *look) fetch(ctx context.Context, s settings, address string) error {
	r := fetch.Request{URL: address, Options: web.Options{Proxy: s.ingest.Proxy}}
	for _, src := range s.sources {
		if src.ID == address || src.URL == address {
			r.URL, r.Options, r.MaxBody = src.URL, src.Options, int64(src.HTTP.MaxBody)
		}
	}
	if !strings.Contains(r.URL, "://") {
		return fault.Errorf(fault.Invalid, "there is no file, no source and no address %q", address)
	}
	client, err := newClient(s)
	if err != nil {
		return err
	}
	defer client.Close()
	a, err := fetch.New(client).Get(ctx, r)
	if err != nil {
		return err
	}
	defer a.Done()
	l.URL, l.Status, l.Encoding = a.URL, a.Status, a.Encoding
	return l.read(a.Text, parse.Options{
		URL: a.URL, ContentLocation: a.Header.Get("Content-Location"), ContentLanguage: a.Header.Get("Content-Language"), Now: time.Now(),
	}, a.Cut)
}

func (l *look) read(text []byte, o parse.Options, cut bool) error {
	doc, err := parse.Read(text, o)
	if cause.Of(err) == cause.NotAFeed {
		l.Feeds = discover.Feeds(text, o.URL)
	}
	if err != nil {
		return err
	}
	l.Format, l.Version, l.Partial, l.Repairs, l.Skipped = string(doc.Format), doc.Version, doc.Partial || cut, doc.Repairs, doc.Skipped
	l.Feed, l.Articles = &doc.Feed, doc.Items
	l.rhythm(o.Now)
	for i := range l.Articles {
		a := &l.Articles[i]
		a.URL = identity.Canonical(a.Link)
		if a.OriginLink != "" {
			a.URL = identity.Canonical(a.OriginLink)
		}
	}
	return nil
}

// rhythm tells how often a source like this would be polled. What the answer's header says comes on top of it.
func (l *look) rhythm(now time.Time) {
	var times []time.Time
	for _, it := range l.Articles {
		if it.Published != nil {
			times = append(times, *it.Published)
		}
	}
	base, floor := schedule.Base(times, now, now), schedule.Hints{TTL: l.Feed.TTL}.Floor()
	l.Interval = max(base, floor).String()
	l.Why = "half of what usually lies between its news, within 5m and 24h, and less often after a quiet week"
	switch {
	case floor > base:
		l.Why = "its publisher asks to come no more often"
	case len(times) < schedule.FewTimes:
		l.Why = "too few of its articles have a date to know its rhythm"
	}
}

// lookLimit is how long an address is looked at before it is added all the same.
const lookLimit = 15 * time.Second

// Feed is a feed that a page names.
type Feed = discover.Feed

// Feeds looks at an address that is to be added, and lists the feeds that it names where it is a page and no feed itself.
// A host that cannot be reached from here names none: ingest may reach it, or will.
func Feeds(ctx context.Context, doc *config.Doc, address string) []Feed {
	s := read(doc)
	if doc.Err() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	l := look{}
	if err := l.fetch(ctx, s, address); err == nil {
		return nil
	}
	return l.Feeds
}
