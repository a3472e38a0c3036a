package pipeline

import (
	"net/url"
	"slices"
	"time"

	"golang.org/x/net/html"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/prose"
	"tidings.internal/services/enrich/internal/words"
)

// Draft is an article on its way through the steps.
//
// A step may replace what a field holds but never changes the thing that it found there: trees, slices and maps are
// shared with the copy that is kept in case the step fails, and with a step that overran its budget and still runs.
type Draft struct {
	// Raw is what ingest handed on, its blobs resolved.
	Raw *article.Raw
	// PageBody holds the bytes of the article's own web page, nil when there is none.
	PageBody []byte

	// Article is the result so far.
	Article article.Article

	// Page, Content and Summary are the parsed inputs, nil where there was none. They are decode's.
	Page, Content, Summary *Part

	// Stated is the text of the body as the page's linked data holds it, "" where it does not. It is metadata's.
	Stated string

	// Body is the root of the chosen body, not yet safe. It is extract's.
	Body *html.Node
	// Base is what relative links in Body resolve against.
	Base *url.URL
	// Masked holds names and words of byline and biography, which must not become tags. It is extract's.
	Masked []string
	// Dropped are the lines that are no part of the body, in their order. They are extract's.
	Dropped []Dropped

	// Prose is the text of title and body with its structure. It is sanitize's.
	Prose prose.Text
	// Words is the same text in words, names masked. It is language's, since stems depend on it.
	Words *words.Doc

	// Concepts are the tags that the taxonomy found.
	Concepts []article.Tag
	// Answered is what a model said of the tags when the article was stored before, nil when it was not asked.
	Answered *article.Reranked
	// Candidates are keyphrases with the reasons for them, best first. They are those of phrases.
	Candidates []article.Tag
}

// Dropped is a line that was left out of the body, and what it was taken for.
type Dropped struct{ Text, Class string }

// Part is one input after decoding: a tree, or plain text where the input was none or could not be parsed.
type Part struct {
	Tree *html.Node
	Text string
	Base *url.URL
	// Lang is the language that the input declares.
	Lang string
}

// NewDraft returns the draft of a raw article, filled with what needs no step.
func NewDraft(raw *article.Raw, page []byte) *Draft {
	source := raw.Source
	source.Filters = nil // they are between us and ingest
	return &Draft{
		Raw: raw, PageBody: page,
		Article: article.Article{
			ID: raw.ID, Revision: raw.Revision, Source: source, Backfill: raw.Backfill, Partial: raw.Partial,
			URL: raw.URL, GUID: raw.GUID, Enclosures: slices.Clone(raw.Enclosures), Media: slices.Clone(raw.Media),
			Origin: raw.Origin, Rights: raw.Rights, Licence: raw.Licence,
			FirstSeen: raw.FirstSeen, Fetched: raw.Fetched,
			Language: article.Language{Code: article.Undetermined},
		},
		Words: &words.Doc{},
	}
}

// Mark says that a step did its work in part only, and why. It is no failure: what the step found counts.
func (d *Draft) Mark(step string, reason Reason) {
	if mark := step + ":" + string(reason); !slices.Contains(d.Article.Degraded, mark) {
		d.Article.Degraded = append(slices.Clip(d.Article.Degraded), mark) // the list is shared with a copy of the draft
	}
}

// Now is the time that relative dates and dates in the future are judged by: when the article was fetched. No step
// looks at the clock, so that the same input gives the same bytes.
func (d *Draft) Now() time.Time { return d.Raw.Fetched }

// Lang returns the language code found so far, "und" when none.
func (d *Draft) Lang() string { return d.Article.Language.Code }
