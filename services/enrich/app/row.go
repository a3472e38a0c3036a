package app

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/decode"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/story"
)

// row is a line of the input.
type row struct {
	ID          string   `json:"id"`
	URL         string   `json:"url"`
	HTML        string   `json:"html"`
	Text        string   `json:"text"`
	HTMLFile    string   `json:"html_file"`
	Title       string   `json:"title"`
	Summary     string   `json:"summary"`
	ContentType string   `json:"content_type"`
	Language    string   `json:"language"`
	Categories  []string `json:"categories"`
	Source      string   `json:"source"`
	GUID        string   `json:"guid"`
	Published   *moment  `json:"published"`
	Fetched     *moment  `json:"fetched"`
}

// moment is a time of the input.
type moment time.Time

// UnmarshalJSON reads it.
func (m *moment) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) == nil {
		if at, err := time.Parse(time.RFC3339, s); err == nil {
			*m = moment(at)
			return nil
		}
	}
	return fmt.Errorf("published and fetched are times such as \"2026-05-01T12:00:00Z\", and %.40s is none", text)
}

// unfit says of a line of the input what is wrong, in the words of JSON.
func unfit(err error, text []byte) error {
	if odd, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if odd.Field == "" {
			return fmt.Errorf("a row is a JSON object, and this is %s", odd.Value)
		}
		return fmt.Errorf("%s is %s, which does not belong there", odd.Field, odd.Value)
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("a row is a JSON object on one line, and this is none, or cut off: %.60q", text)
	}
	return err
}

// enrichedRow is a line of the output.
type enrichedRow struct {
	ID          string           `json:"id"`
	Title       string           `json:"title"`
	Text        string           `json:"text"`
	HTML        string           `json:"html"`
	Authors     []string         `json:"authors"`
	Bylines     []article.Person `json:"bylines,omitempty"`
	Date        string           `json:"date,omitempty"`
	Language    article.Language `json:"language"`
	Tags        []article.Tag    `json:"tags"`
	Keyphrases  []article.Phrase `json:"keyphrases"`
	Entities    []article.Tag    `json:"entities"`
	Summary     string           `json:"summary"`
	ReadingTime int              `json:"reading_time"`
	Relations   []relation       `json:"relations"`
	Story       string           `json:"story"`
	Group       string           `json:"group,omitempty"`
	Extract     string           `json:"extract"`
	Degraded    []string         `json:"degraded"`
	Versions    article.Versions `json:"versions"`
}

type relation struct {
	Kind  string `json:"kind"`
	Other string `json:"other"`
}

// failedRow stands in the place of a row that could not be read.
type failedRow struct {
	ID    string `json:"id,omitempty"`
	Line  int    `json:"line"`
	Error struct {
		Kind   string `json:"kind"`
		Detail string `json:"detail"`
	} `json:"error"`
}

// result is what became of a row.
type result struct {
	id    string
	line  int
	err   error
	draft *pipeline.Draft
}

// enrich does everything for a row but its story.
func (o *offline) enrich(ctx context.Context, number int, text []byte) *result {
	r := &result{line: number}
	var in row
	err := json.Unmarshal(text, &in)
	r.id = in.ID // what was read before the mistake stands
	if err != nil {
		r.err = unfit(err, text)
		return r
	}
	raw, page, err := o.raw(in)
	if err != nil {
		r.err = err
		return r
	}
	d := pipeline.NewDraft(raw, page)
	d.Article.Versions = article.Versions{Engine: Engine, VocabularyHash: o.matcher.Vocabulary().Hash(), Knowledge: o.known.Version()}
	if r.err = o.runner.Run(ctx, d); r.err == nil {
		r.draft = d
	}
	return r
}

// raw makes a raw article of a row.
func (o *offline) raw(in row) (*article.Raw, []byte, error) {
	given := 0
	for _, s := range []string{in.HTML, in.Text, in.HTMLFile} {
		if s != "" {
			given++
		}
	}
	if in.ID == "" || given > 1 || given == 0 && in.Title == "" && in.Summary == "" {
		return nil, nil, errors.New("a row needs an id and one of html, text, html_file, or a title or summary alone")
	}
	raw := &article.Raw{
		ID: article.NewID("", in.ID), Revision: 1, URL: in.URL, GUID: in.GUID, Title: in.Title, Language: in.Language, Published: (*time.Time)(in.Published),
		Source: article.Source{ID: in.Source},
	}
	switch {
	case !o.at.IsZero():
		raw.Fetched = o.at
	case in.Fetched != nil:
		raw.Fetched = time.Time(*in.Fetched)
	case in.Published != nil:
		raw.Fetched = time.Time(*in.Published)
	default:
		// Without any time every date must count as past: none is then taken for one in the future.
		raw.Fetched = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	raw.FirstSeen = raw.Fetched
	for _, c := range in.Categories {
		raw.Categories = append(raw.Categories, article.Category{Term: c})
	}
	if in.Summary != "" {
		raw.Summary = &article.Text{Value: in.Summary, Type: article.TextHTML}
	}
	page := []byte(nil)
	switch {
	case in.Text != "":
		raw.Content = &article.Text{Value: in.Text, Type: article.TextPlain}
	case in.HTMLFile != "":
		data, err := o.load(in.HTMLFile)
		if err != nil {
			return nil, nil, err
		}
		page = data
	case whole(in.HTML):
		page = []byte(in.HTML)
	case in.HTML != "":
		raw.Content = &article.Text{Value: in.HTML, Type: article.TextHTML}
	}
	if page != nil {
		raw.Page = &article.Page{URL: in.URL, Status: 200, ContentType: in.ContentType}
	}
	return raw, page, nil
}

// whole tells a page from a piece of one, as a feed carries it.
func whole(html string) bool {
	head := strings.ToLower(html[:min(len(html), 4096)])
	return strings.Contains(head, "<html") || strings.Contains(head, "<body") || strings.Contains(head, "<!doctype")
}

// load reads a page beside the input, at most a byte more than is parsed.
func (o *offline) load(name string) ([]byte, error) {
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("html_file %s must lie below the folder of the input", strconv.Quote(name))
	}
	f, err := os.Open(filepath.Join(o.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("html_file %s is not there; it is looked for in the folder of the input", strconv.Quote(name))
	}
	if err != nil {
		return nil, fmt.Errorf("open page: %w", err)
	}
	defer f.Close() // opened to read: nothing can be lost
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("unpack page: %w", err)
		}
		r = z
	}
	data, err := io.ReadAll(io.LimitReader(r, decode.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read page: %w", err)
	}
	return data, nil
}

func folder(name string) string { return filepath.Dir(name) }

// names holds the ids that the input gives its rows, by the ids that the articles have here: an id of the input may be any
// text, one of an article is part of keys.
type names map[string]string

// tell places the article among the stories of the run.
func (r *result) tell(ctx context.Context, stories *story.Stories, names names) error {
	a := &r.draft.Article
	names[a.ID] = r.id
	s, err := stories.Place(ctx, document(a))
	if err != nil {
		return err
	}
	// The other members and the first one came earlier in the input, so their names are known.
	s.ID, s.Group, s.Other = names[s.ID], names[s.Group], names[s.Other]
	a.ID, a.Story = r.id, s
	return nil
}

// explain writes the lines that are no part of the body, with their classes. Whoever wrote them wrote them for a page and
// not for a terminal, so they are quoted.
func (r *result) explain(w io.Writer) {
	for _, l := range r.draft.Dropped {
		_, _ = fmt.Fprintf(w, "%q %s: %q\n", r.id, l.Class, l.Text) // the result does not hang on whether anybody reads why
	}
}

// out is the line that is written.
func (r *result) out() any {
	if r.draft == nil {
		f := failedRow{ID: r.id, Line: r.line}
		f.Error.Kind, f.Error.Detail = "invalid", r.err.Error()
		return f
	}
	a := &r.draft.Article
	e := enrichedRow{
		ID: a.ID, Title: a.Title, Text: a.Text, HTML: a.HTML, Authors: []string{}, Language: a.Language, Tags: list(a.Tags),
		Keyphrases: list(a.Keyphrases), Entities: list(a.Entities), Summary: a.Summary, ReadingTime: a.ReadingTime, Relations: []relation{},
		Story: a.Story.ID, Group: a.Story.Group, Extract: a.Extract, Degraded: list(a.Degraded), Versions: a.Versions,
	}
	for _, p := range a.Authors {
		e.Authors = append(e.Authors, p.Name)
		if p.Role != "" {
			e.Bylines = append(e.Bylines, p)
		}
	}
	if a.Published != nil {
		e.Date = a.Published.Format(time.RFC3339)
		if a.Published.Equal(a.Published.Truncate(24 * time.Hour)) {
			e.Date = a.Published.Format(time.DateOnly)
		}
	}
	if a.Story.Other != "" {
		e.Relations = append(e.Relations, relation{Kind: a.Story.Relation, Other: a.Story.Other})
	}
	return e
}

// list is a list that is written as one where it is empty, so that whoever reads rows may walk it without a question.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
