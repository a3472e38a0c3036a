package metadata

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html"

	"tidings.internal/services/enrich/internal/dates"
	"tidings.internal/services/enrich/internal/dom"
)

// published is the first date that says when the article was published, never when it was changed.
func (p *page) published(now time.Time) *time.Time {
	head := []string{p.first("article:published_time", "og:article:published_time"), p.first("datepublished")}
	for _, s := range slices.Concat(p.dates, head, p.webPage) {
		if t := moment(s, now); t != nil {
			return p.beforeChange(*t, now)
		}
	}
	for _, find := range []func(time.Time) *time.Time{p.clock, p.dated, p.inLine, p.far} {
		if t := find(now); t != nil {
			return t
		}
	}
	if t := moment(p.first("dc.date.issued", "dc.date", "dcterms.created", "citation_publication_date", "date", "pubdate", "publish-date", "parsely-pub-date", "sailthru.date"), now); t != nil {
		return t
	}
	return p.inPath(now)
}

// beforeChange is a stated date, unless it is that of the last change to the second and an earlier day stands in an element
// that says it holds a date: a system that keeps one date of its documents states it for both.
func (p *page) beforeChange(stated, now time.Time) *time.Time {
	changes := append([]string{p.first("article:modified_time", "og:updated_time"), p.first("datemodified")}, p.changes...)
	if !slices.ContainsFunc(changes, func(s string) bool { t := moment(s, now); return t != nil && t.Equal(stated) }) {
		return &stated
	}
	for _, find := range []func(time.Time) *time.Time{p.clock, p.dated, p.far} {
		if t := find(now); t != nil && stated.Sub(*t) > 24*time.Hour {
			return t
		}
	}
	return &stated
}

func moment(s string, now time.Time) *time.Time {
	s = strings.TrimSpace(s)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05-0700", "2006-01-02T15:04:05", "2006-01-02T15:04-07:00", "2006-01-02 15:04:05", time.RFC1123Z, time.RFC1123} {
		if t, err := time.Parse(layout, s); err == nil {
			return dates.Plausible(&t, now)
		}
	}
	if t, _, ok := dates.Find(s, now); ok && utf8.RuneCountInString(s) < 60 {
		return dates.Plausible(&t, now)
	}
	return nil
}

// changed reports whether words say that a date is that of a change.
func changed(s string) bool { return has(humps(s), changeWords) || dates.OfChange(s) }

// clock is the machine-readable date of a <time> by the headline.
func (p *page) clock(now time.Time) *time.Time {
	for _, m := range p.scene.beside(dateMark) {
		v := dom.Attr(m.n, "datetime")
		if v == "" || p.ofChange(m) {
			continue
		}
		if t := moment(v, now); t != nil {
			return t
		}
	}
	return nil
}

// ofChange reports whether the names of a marked element, or the words before it, say that its date is of a change, or that
// of the reader's day.
func (p *page) ofChange(m mark) bool {
	return has(names(m.n, "class", "itemprop", "id"), changeWords) || ofToday(m.n) || changed(m.lead) || m.lead == "" && changed(p.scene.before(m.block))
}

// ofToday reports whether an element, or one of the few within it, shows the reader's day.
func ofToday(n *html.Node) bool {
	few := 0
	for c := range dom.Elements(n) {
		if few++; few > maxElements {
			return false
		}
		if has(names(c, "class", "id"), todayWords) {
			return true
		}
	}
	return false
}

// dated is the date written in an element by the headline that says it holds one.
func (p *page) dated(now time.Time) *time.Time {
	for _, m := range p.scene.beside(dateMark) {
		if p.ofChange(m) {
			continue
		}
		if t := written(short(m.n), now); t != nil {
			return t
		}
	}
	return nil
}

// far is the date far from the headline, in an element that is called one of publication or in a line that begins as such
// ("Posted on"), when there is only one such date.
func (p *page) far(now time.Time) (found *time.Time) {
	var list []*time.Time
	for _, m := range p.scene.marks {
		if m.kind == dateMark && !p.scene.near(m.block) && !p.ofChange(m) && has(names(m.n, "class", "itemprop", "id"), publishWords) {
			list = append(list, written(short(m.n), now))
		}
	}
	for i, b := range p.scene.blocks {
		if len(b) <= maxLine && !p.scene.near(i) && posted.MatchString(b) {
			list = append(list, written(b, now))
		}
	}
	for _, t := range list {
		switch {
		case t == nil:
		case found != nil && !found.Equal(*t):
			return nil
		default:
			found = t
		}
	}
	return found
}

// posted begins a line that says when an article was published.
var posted = regexp.MustCompile(`(?i)^(?:posted|published|first published|originally published|veröffentlicht|erschienen|publié|publicado|pubblicato)(?: on| am| le| el| il)?(?: the)?:? `)

// inLine is the date in a short line by the headline.
func (p *page) inLine(now time.Time) *time.Time {
	for _, i := range p.scene.window() {
		text := p.scene.blocks[i]
		if utf8.RuneCountInString(text) > 100 || changed(p.scene.before(i)) {
			continue
		}
		if t := written(text, now); t != nil {
			return t
		}
	}
	return nil
}

// written is the first date of a line, unless words before it say that it is that of a change.
func written(text string, now time.Time) *time.Time {
	t, span, ok := dates.Find(text, now)
	if !ok {
		return nil
	}
	if before, _, _ := strings.Cut(text, span); changed(before) {
		return nil
	}
	t = dates.At(t, span, text)
	return dates.Plausible(&t, now)
}

// dayPath is a whole date in the path of an address: /2026/03/14/. A year and a month are none.
var dayPath = regexp.MustCompile(`/((?:19|20)\d\d)[/-](\d{1,2})[/-](\d{1,2})(?:/|-|$)`)

func (p *page) inPath(now time.Time) *time.Time {
	if p.base == nil {
		return nil
	}
	m := dayPath.FindStringSubmatch(p.base.Path)
	if m == nil {
		return nil
	}
	t, err := time.Parse("2006-1-2", m[1]+"-"+m[2]+"-"+m[3])
	if err != nil {
		return nil
	}
	return dates.Plausible(&t, now)
}
