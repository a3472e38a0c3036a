package item

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"tidings.internal/pkg/article"
	"tidings.internal/services/publish/internal/clean"
)

// types are the media types of addresses by their ending, for files whose type nobody told. It is a list of ours, not
// the one of the machine: that would differ from replica to replica.
func types() map[string]string {
	return map[string]string{
		".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp",
		".avif": "image/avif", ".svg": "image/svg+xml",
		".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".ogg": "audio/ogg", ".opus": "audio/ogg", ".wav": "audio/wav",
		".flac": "audio/flac", ".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime",
	}
}

// mediaType returns the media type of a file without parameters: the one told if it is of one of the kinds, else the
// one of the address's ending, else nothing.
func mediaType(told, link string, kinds ...string) string {
	told, _, _ = strings.Cut(strings.ToLower(clean.Line(told)), ";")
	told = strings.TrimSpace(told)
	guess := ""
	if u, err := url.Parse(link); err == nil {
		guess = types()[strings.ToLower(path.Ext(u.Path))]
	}
	for _, t := range []string{told, guess} {
		kind, sub, ok := strings.Cut(t, "/")
		if !ok || sub == "" || strings.ContainsAny(sub, " /,\"") {
			continue
		}
		if slices.Contains(kinds, kind) {
			return t
		}
	}
	return ""
}

func image(m *article.Image, title string) *Image {
	if m == nil {
		return nil
	}
	link, ok := clean.Link(m.URL)
	if !ok {
		return nil
	}
	alt := clean.Line(m.Alt)
	if alt == "" {
		alt = title
	}
	return &Image{
		URL: link, Type: mediaType(m.Type, link, "image"), Alt: clean.Shorten(alt, 1000), Credit: clean.Title(m.Credit, ""),
		Bytes: max(m.Bytes, 0), Width: max(m.Width, 0), Height: max(m.Height, 0),
	}
}

// enclosure chooses the one file that is attached: RSS readers take only the first, and validators warn of a second.
func enclosure(a *article.Article, lead *Image) *Enclosure {
	for _, e := range a.Enclosures {
		link, ok := clean.Link(e.URL)
		if !ok {
			continue
		}
		if t := mediaType(e.Type, link, "audio", "video"); t != "" {
			return &Enclosure{URL: link, Type: t, Title: clean.Title(e.Title, ""), Bytes: max(e.Length, 0), Duration: max(e.Duration, 0)}
		}
	}
	if lead != nil && lead.Type != "" {
		return &Enclosure{URL: lead.URL, Type: lead.Type, Bytes: lead.Bytes}
	}
	return nil
}
