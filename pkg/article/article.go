package article

import "time"

// Article is an enriched article: its HTML is safe, its text plain, its tags explained. It is what feeds and posts are
// made of, and a public contract for anyone who listens.
type Article struct {
	ID       string `json:"id"`
	Revision uint64 `json:"rev"`
	Source   Source `json:"source"`
	Backfill bool   `json:"backfill,omitempty"`
	Partial  bool   `json:"partial,omitempty"`

	URL  string `json:"url,omitempty"`  // canonical
	GUID string `json:"guid,omitempty"` // the source's own id of the item

	Title   string `json:"title,omitempty"`
	Summary string `json:"summary,omitempty"` // plain text, the longest variant
	// Summaries holds shorter variants by their limit in graphemes: "140", "280", "300", "500".
	Summaries map[string]string `json:"summaries,omitempty"`
	HTML      string            `json:"html,omitempty"` // sanitised
	Text      string            `json:"text,omitempty"` // plain, paragraphs parted by a blank line
	// HTMLBlob and TextBlob stand in for bodies too long for a message.
	HTMLBlob *Blob `json:"html_blob,omitempty"`
	TextBlob *Blob `json:"text_blob,omitempty"`

	Authors    []Person    `json:"authors,omitempty"`
	Categories []Category  `json:"categories,omitempty"` // the source's own words
	Tags       []Tag       `json:"tags,omitempty"`       // best first
	Entities   []Tag       `json:"entities,omitempty"`
	Keyphrases []Phrase    `json:"keyphrases,omitempty"`
	Image      *Image      `json:"image,omitempty"`
	Enclosures []Enclosure `json:"enclosures,omitempty"`
	Media      []Media     `json:"media,omitempty"`
	Origin     *Origin     `json:"origin,omitempty"`
	Rights     string      `json:"rights,omitempty"`
	Licence    string      `json:"licence,omitempty"`

	Language Language `json:"language"`
	// ReadingTime is in seconds.
	ReadingTime int `json:"reading_time,omitempty"`

	Published *time.Time `json:"published,omitempty"`
	Updated   *time.Time `json:"updated,omitempty"`
	FirstSeen time.Time  `json:"first_seen"`
	Fetched   time.Time  `json:"fetched"`

	// Reranked is what a model said of the tags, nil where none was asked or none answered.
	Reranked *Reranked `json:"reranked,omitempty"`

	Story Story `json:"story"`

	// Blocks are hashes of the blocks of the body as it was found, eight bytes each, at most 64. Articles of one host have
	// those in common that are not theirs; a hash gives no text back.
	Blocks []byte `json:"blocks,omitempty"`
	// Extract names how the body was found: page, feed, text, summary, title.
	Extract string `json:"extract,omitempty"`
	// Degraded lists the steps that failed, as "step:reason". The article is usable without them.
	Degraded []string `json:"degraded,omitempty"`
	Versions Versions `json:"versions"`
}

// When returns the time by which articles are ordered: published, else first seen, and never later than first seen,
// so that a date in the future cannot pin an article to the top.
func (a *Article) When() time.Time {
	if a.Published != nil && a.Published.Before(a.FirstSeen) {
		return *a.Published
	}
	return a.FirstSeen
}

// Language is a language and how sure we are of it.
type Language struct {
	// Code is BCP 47, or "und" when nothing spoke clearly enough.
	Code       string  `json:"code"`
	Confidence float64 `json:"confidence"` // 0 to 1
}

// Undetermined is the language code of a text whose language is not known (BCP 47, ISO 639-2).
const Undetermined = "und"

// Image is the picture that leads an article.
type Image struct {
	URL    string `json:"url"`
	Type   string `json:"type,omitempty"`
	Bytes  int64  `json:"bytes,omitempty"`
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
	Alt    string `json:"alt,omitempty"`
	Credit string `json:"credit,omitempty"`
}

// The kinds of a [Tag].
const (
	KindConcept = "concept"
	KindPhrase  = "phrase"
	KindEntity  = "entity"
)

// Tag is a concept of the taxonomy or a free phrase, with the reasons why the article has it.
type Tag struct {
	// ID is the slug by which feeds select the tag.
	ID string `json:"id"`
	// Label is the name by language code.
	Label map[string]string `json:"label,omitempty"`
	Kind  string            `json:"kind"`
	// Scheme is the taxonomy that a concept belongs to, empty for phrases.
	Scheme string `json:"scheme,omitempty"`
	// Broader lists the ids of all wider concepts, nearest first; a feed that selects one of them gets this tag too.
	Broader  []string   `json:"broader,omitempty"`
	Score    float64    `json:"score"` // 0 to 1
	Hashtag  string     `json:"hashtag,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Name returns the label in a language, else in English, else in the first language by code, else the id.
func (t *Tag) Name(lang string) string {
	for _, l := range []string{lang, base(lang), "en"} {
		if s := t.Label[l]; s != "" {
			return s
		}
	}
	best := ""
	for l := range t.Label {
		if best == "" || l < best {
			best = l
		}
	}
	if best != "" {
		return t.Label[best]
	}
	return t.ID
}

func base(lang string) string {
	for i := range len(lang) {
		if lang[i] == '-' {
			return lang[:i]
		}
	}
	return lang
}

// Evidence is one reason for a tag.
type Evidence struct {
	// Source says where it comes from: rule, label, stat, entity, feed, source, model, llm, verdict.
	Source string `json:"source"`
	// Text is the very span; Field names the text it stands in: title, text, category.
	Text  string `json:"text,omitempty"`
	Field string `json:"field,omitempty"`
	// Start and End are offsets in runes into Field of the article as published; the span is [Start, End).
	Start  int     `json:"start"`
	End    int     `json:"end"`
	Kind   string  `json:"kind,omitempty"` // pref, alt, hidden, stem, compound, ...
	Rule   string  `json:"rule,omitempty"`
	Weight float64 `json:"weight,omitempty"`
}

// Phrase is a keyphrase in its most frequent spelling.
type Phrase struct {
	Text  string  `json:"text"`
	Score float64 `json:"score"`
}

// Reranked is the answer of a model that was asked to put tags into order. It stays with the article so that the same
// question is not asked again.
type Reranked struct {
	// Key is a hash of the question: what the model saw of the article, the tags it could choose from, and its name.
	Key string `json:"key"`
	// Order lists the ids of the tags that it kept, best first. Those it was offered and left out are dropped.
	Order []string `json:"order"`
}

// The relations of an article to its story.
const (
	RelationNew       = "new"
	RelationExact     = "exact"
	RelationDuplicate = "duplicate"
	RelationVersion   = "version"
	RelationRelated   = "related" // another report on the same event, with a story of its own
)

// Story is the report that an article tells. What is posted once is the story.
type Story struct {
	// ID is the article id of the story's first member, for ever.
	ID       string `json:"id"`
	Relation string `json:"relation,omitempty"`
	Other    string `json:"other,omitempty"` // the article it was matched with
	// Also are other stories, at most four, that the article belongs to as well, such as a round-up of two reports: stories are
	// never merged, since posts hang on them.
	Also      []string  `json:"also,omitempty"`
	FirstSeen time.Time `json:"first_seen,omitzero"`
	// Group ties stories about one event together and suppresses nothing: the id of the first of them, which itself has none.
	Group string `json:"group,omitempty"`
}

// Versions say what made an enriched article, so that the same input and versions give the same bytes.
type Versions struct {
	// Engine rises with any change of output.
	Engine int `json:"engine"`
	// Vocabulary rises with any change of the taxonomy; VocabularyHash names its content.
	Vocabulary     int    `json:"vocabulary"`
	VocabularyHash string `json:"vocabulary_hash,omitempty"`
	Knowledge      string `json:"knowledge,omitempty"`
	Table          string `json:"table,omitempty"`
}

// Generation is the order of enrich's own changes: a replay with a newer engine or vocabulary counts as newer.
// Engine and vocabulary share one number, the engine in the upper half.
func (v Versions) Generation() uint64 {
	return uint64(uint32(v.Engine))<<32 | uint64(uint32(v.Vocabulary))
}
