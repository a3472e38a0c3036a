package sanitize

import (
	"regexp"

	"github.com/microcosm-cc/bluemonday"
)

// policy is the last gate. It repeats the first one's list in its own words on purpose.
func policy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(false)
	p.AllowURLSchemes("http", "https", "mailto")
	p.AllowDataURIImages()

	p.AllowElements("p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "blockquote", "q", "em",
		"strong", "b", "i", "u", "s", "del", "ins", "mark", "small", "sub", "sup", "abbr", "time", "code", "pre", "kbd", "samp", "var",
		"cite", "figure", "figcaption", "picture", "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td",
		"details", "summary", "ruby", "rt", "rp")
	for _, name := range []string{"lang", "dir"} {
		p.AllowAttrs(name).Matching(forms[name]).Globally()
	}
	attr := func(name string, on ...string) { p.AllowAttrs(name).Matching(forms[name]).OnElements(on...) }
	attr("start", "ol")
	attr("reversed", "ol")
	attr("title", "a", "abbr")
	attr("datetime", "time")
	attr("class", "code", "pre")
	attr("srcset", "img", "source")
	attr("sizes", "img", "source")
	attr("type", "source")
	attr("media", "source")
	attr("alt", "img")
	attr("width", "img", "video", "iframe")
	attr("height", "img", "video", "iframe")
	attr("controls", "video", "audio")
	attr("colspan", "td", "th")
	attr("rowspan", "td", "th")
	attr("scope", "th")
	attr("rel", "a")
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("cite").OnElements("blockquote")
	p.AllowAttrs("poster").Matching(regexp.MustCompile(`^https?://`)).OnElements("video")
	p.AllowAttrs("src").OnElements("img")
	p.AllowAttrs("src").Matching(regexp.MustCompile(`^https?://`)).OnElements("video", "audio", "source")
	p.AllowElements("span")

	p.AllowAttrs("src").Matching(frameForm).OnElements("iframe")
	exactly := func(s string) *regexp.Regexp { return regexp.MustCompile(`^` + regexp.QuoteMeta(s) + `$`) }
	p.AllowAttrs("sandbox").Matching(exactly(sandbox)).OnElements("iframe")
	p.AllowAttrs("loading").Matching(exactly("lazy")).OnElements("iframe")
	p.AllowAttrs("referrerpolicy").Matching(exactly(referrer)).OnElements("iframe")
	p.AllowAttrs("allowfullscreen").Matching(exactly("")).OnElements("iframe")
	return p
}
