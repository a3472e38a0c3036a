package render

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"

	"github.com/gorilla/feeds"

	"tidings.internal/services/publish/internal/item"
)

type jsonFeed struct {
	feeds.JSONFeed
	Items []*jsonItem `json:"items"` // [] when empty: the member is required
}

type jsonItem struct {
	feeds.JSONItem
	Published   string           `json:"date_published,omitempty"`
	Modified    string           `json:"date_modified,omitempty"`
	Language    string           `json:"language,omitempty"`
	Attachments []jsonAttachment `json:"attachments,omitempty"`
	Source      *jsonSource      `json:"_source,omitempty"`
}

// jsonAttachment embeds nothing: the library's type brings a MarshalJSON that writes "size" for size_in_bytes.
type jsonAttachment struct {
	URL      string  `json:"url"`
	Type     string  `json:"mime_type"`
	Title    string  `json:"title,omitempty"`
	Bytes    int64   `json:"size_in_bytes,omitempty"`
	Duration float64 `json:"duration_in_seconds,omitempty"`
}

// jsonSource is an extension of ours: where the item came from.
type jsonSource struct {
	Title   string `json:"title,omitempty"`
	FeedURL string `json:"feed_url,omitempty"`
	SiteURL string `json:"site_url,omitempty"`
	Rights  string `json:"rights,omitempty"`
	Also    []Also `json:"also,omitempty"`
}

func writeJSON(w *bytes.Buffer, f *Feed, entries []Entry) error {
	out := &jsonFeed{Items: []*jsonItem{}}
	out.Version, out.Title, out.Description = "https://jsonfeed.org/version/1.1", f.Title, f.Description
	out.HomePageUrl, out.FeedUrl, out.Language = f.Page, f.Self[JSON], f.Language
	out.Icon, out.Favicon = f.Logo, f.Icon
	out.JSONFeed.Authors = []*feeds.JSONAuthor{{Name: cmp.Or(f.Author, f.Title)}}
	if f.Older != "" {
		out.NextUrl = f.ArchivePage(f.Older, JSON)
	}
	if f.Ended {
		out.Expired = new(true)
	}
	for _, hub := range f.Hubs {
		out.Hubs = append(out.Hubs, &feeds.JSONHub{Type: "WebSub", Url: hub})
	}
	if err := encode(w, out); err != nil {
		return err
	}
	// The items are written into the list, which is the last member.
	const end = "]}\n"
	w.Truncate(w.Len() - len(end))
	var one bytes.Buffer
	for i := range entries {
		if i > 0 {
			w.WriteByte(',')
		}
		one.Reset()
		if err := encode(&one, newJSONItem(&entries[i])); err != nil {
			return err
		}
		before, after, _ := bytes.Cut(bytes.TrimSuffix(one.Bytes(), []byte("\n")), []byte(absent))
		w.Write(before)
		if entries[i].HTML != "" {
			writeQuoted(w, entries[i].HTML)
		}
		w.Write(after)
	}
	w.WriteString(end)
	return nil
}

func encode(w *bytes.Buffer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(value)
}

// HTML is most of an item. It is clean ([clean.Text]), so that there is little to escape in it, and is written several times
// faster than by encoding/json, which looks at each character on its own. Until then absent stands in its place: no clean text
// has the character, and no JSON that reference without a further backslash.
const (
	nul    = "\x00"
	absent = `"\u0000"`
)

// writeQuoted writes clean text as encoding/json does.
func writeQuoted(w *bytes.Buffer, s string) {
	for _, e := range [][2]string{{`\`, `\\`}, {"\n", `\n`}, {"\t", `\t`}, {"\u2028", `\u2028`}, {"\u2029", `\u2029`}} {
		s = strings.ReplaceAll(s, e[0], e[1]) // most are nowhere in it
	}
	w.WriteByte('"')
	for {
		before, after, found := strings.Cut(s, `"`)
		w.WriteString(before)
		if !found {
			break
		}
		w.WriteString(`\"`)
		s = after
	}
	w.WriteByte('"')
}

func newJSONItem(e *Entry) *jsonItem {
	i := &jsonItem{Published: rfc3339(e.Published), Modified: rfc3339(e.Updated), Language: e.Language}
	i.Id, i.Url, i.Title = e.ID, e.URL, e.Title
	// An item must have content of one kind or the other (JSON Feed 1.1).
	if e.HTML != "" {
		i.ContentHTML, i.Summary = nul, e.Summary
	} else {
		i.ContentText = cmp.Or(e.Summary, e.Title)
	}
	if e.Image != nil {
		i.Image = e.Image.URL
	}
	for _, a := range e.Authors {
		i.Authors = append(i.Authors, &feeds.JSONAuthor{Name: a.Name, Url: a.URL})
	}
	for _, t := range e.Tags {
		i.Tags = append(i.Tags, t.Label)
	}
	if n := e.Enclosure; n != nil {
		i.Attachments = []jsonAttachment{{n.URL, n.Type, n.Title, n.Bytes, n.Duration}}
	}
	i.Source = newJSONSource(e.Source, e.Also)
	return i
}

func newJSONSource(s item.Source, also []Also) *jsonSource {
	return &jsonSource{Title: s.Title, FeedURL: s.FeedURL, SiteURL: s.SiteURL, Rights: s.Rights, Also: also}
}
