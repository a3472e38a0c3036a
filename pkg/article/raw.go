package article

import "time"

// Raw is an article as ingest hands it on: normalised in form, untouched in content. Its texts are hostile.
//
// Times are UTC. A nil time was absent or unreadable, and the field with the suffix Raw then keeps what stood there:
// no date is ever made up.
type Raw struct {
	ID       string `json:"id"`
	Revision uint64 `json:"rev"`
	Source   Source `json:"source"`
	// Backfill marks an article that was old when the source was first seen. It fills feeds but posts nothing.
	Backfill bool `json:"backfill,omitempty"`
	// Partial marks an article from a document that was broken and only partly read.
	Partial bool `json:"partial,omitempty"`

	// URL is the canonical address; Link is the one that the source gave.
	URL        string `json:"url,omitempty"`
	Link       string `json:"link,omitempty"`
	OriginLink string `json:"origin_link,omitempty"`
	Via        string `json:"via,omitempty"`
	Related    string `json:"related,omitempty"`
	GUID       string `json:"guid,omitempty"`
	Permalink  bool   `json:"permalink,omitempty"` // GUID is a link, too

	Title   string `json:"title,omitempty"` // plain text
	Content *Text  `json:"content,omitempty"`
	Summary *Text  `json:"summary,omitempty"`

	Authors    []Person    `json:"authors,omitempty"`
	Categories []Category  `json:"categories,omitempty"`
	Enclosures []Enclosure `json:"enclosures,omitempty"`
	Media      []Media     `json:"media,omitempty"`
	Origin     *Origin     `json:"origin,omitempty"`
	Comments   string      `json:"comments,omitempty"`
	Rights     string      `json:"rights,omitempty"`
	Licence    string      `json:"licence,omitempty"`
	Language   string      `json:"language,omitempty"` // as declared, BCP 47
	Podcast    *Podcast    `json:"podcast,omitempty"`

	Published    *time.Time `json:"published,omitempty"`
	PublishedRaw string     `json:"published_raw,omitempty"`
	Updated      *time.Time `json:"updated,omitempty"`
	UpdatedRaw   string     `json:"updated_raw,omitempty"`
	Fetched      time.Time  `json:"fetched"`
	FirstSeen    time.Time  `json:"first_seen"`

	// Page is the article's own web page where ingest was asked to fetch it.
	Page *Page `json:"page,omitempty"`
	// Truncated names the fields that were cut at a limit.
	Truncated []string `json:"truncated,omitempty"`
}

// Source is what an article carries of its source, so that no later stage has to look it up. The operator's words win
// over the feed's own.
type Source struct {
	ID        string    `json:"id"`
	Partition string    `json:"pp"`
	Title     string    `json:"title,omitempty"`
	FeedURL   string    `json:"feed_url,omitempty"`
	SiteURL   string    `json:"site_url,omitempty"`
	Language  string    `json:"language,omitempty"` // configured, else the feed's own
	Tags      []string  `json:"tags,omitempty"`     // configured; carried to every article
	Syndicate Syndicate `json:"syndicate,omitempty"`
	Rights    string    `json:"rights,omitempty"`
	// Filters are looked at again once the whole text is there. They are not handed on with the enriched article.
	Filters *Filters `json:"filters,omitempty"`
}

// Person is an author or contributor.
type Person struct {
	Name   string `json:"name,omitempty"`
	Email  string `json:"email,omitempty"`
	URL    string `json:"url,omitempty"`
	Avatar string `json:"avatar,omitempty"`
	Role   string `json:"role,omitempty"`
}

// Category is a subject word of the source.
type Category struct {
	Term   string `json:"term"`
	Scheme string `json:"scheme,omitempty"`
	Label  string `json:"label,omitempty"`
}

// Enclosure is an attached file.
type Enclosure struct {
	URL      string  `json:"url"`
	Type     string  `json:"type,omitempty"`     // media type
	Length   int64   `json:"length,omitempty"`   // bytes, 0 when unknown
	Duration float64 `json:"duration,omitempty"` // seconds, 0 when unknown
	Title    string  `json:"title,omitempty"`
}

// Media is a picture, sound or film that goes with an article.
type Media struct {
	Kind   string `json:"kind,omitempty"` // image, audio, video, thumbnail, player
	URL    string `json:"url"`
	Type   string `json:"type,omitempty"`
	Width  int    `json:"width,omitempty"`  // pixels
	Height int    `json:"height,omitempty"` // pixels
	Title  string `json:"title,omitempty"`
	Credit string `json:"credit,omitempty"`
	Rating string `json:"rating,omitempty"`
}

// Origin is the feed that an item was taken from, where the source is itself an aggregator.
type Origin struct {
	ID    string `json:"id,omitempty"`
	Title string `json:"title,omitempty"`
	URL   string `json:"url,omitempty"`
}

// Podcast holds what only episodes have.
type Podcast struct {
	Duration float64 `json:"duration,omitempty"` // seconds
	Episode  int     `json:"episode,omitempty"`
	Season   int     `json:"season,omitempty"`
	Type     string  `json:"type,omitempty"`
	Explicit bool    `json:"explicit,omitempty"`
}

// Page is a fetched web page, its bytes unconverted. Exactly one of Body, BodyB64, Blob and Error is set.
type Page struct {
	URL         string    `json:"url"`
	FinalURL    string    `json:"final_url,omitempty"`
	Status      int       `json:"status,omitempty"`
	ContentType string    `json:"content_type,omitempty"`
	Fetched     time.Time `json:"fetched"`
	Body        string    `json:"body,omitempty"`     // valid UTF-8 as it came
	BodyB64     []byte    `json:"body_b64,omitempty"` // any other encoding
	Blob        *Blob     `json:"blob,omitempty"`
	Error       string    `json:"error,omitempty"` // the reason, a closed word
}
