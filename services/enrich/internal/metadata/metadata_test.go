package metadata

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/pipeline"
)

var fetched = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// described runs the step on a page of the given head and body at an address of the Mustertal Courier.
func described(t *testing.T, head, body string) article.Article {
	t.Helper()
	tree, err := html.Parse(strings.NewReader("<html><head>" + head + "</head><body>" + body + "</body></html>"))
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse("https://www.mustertalcourier.example/stadt/radweg")
	if err != nil {
		t.Fatal(err)
	}
	d := pipeline.NewDraft(&article.Raw{ID: "x", Fetched: fetched}, nil)
	d.Page = &pipeline.Part{Tree: tree, Base: base}
	if err := (Step{}).Run(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	return d.Article
}

const headline = "<main><h1>Der Radweg wird breiter</h1>"

func TestAuthors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ head, body, want string }{
		"linked data":                  {`<script type="application/ld+json">{"@type":"NewsArticle","author":[{"@type":"Person","name":"Eva Muster"},{"@type":"Person","name":"Jan Klein"}]}</script>`, "", "Eva Muster, Jan Klein"},
		"linked data by reference":     {`<script type="application/ld+json">{"@graph":[{"@type":"Article","author":{"@id":"#p1"}},{"@type":"Person","@id":"#p1","name":"Eva Muster"}]}</script>`, "", "Eva Muster"},
		"linked data of the page":      {`<script type="application/ld+json">{"@graph":[{"@type":"WebPage","author":{"@id":"#p1"}},{"@type":"Person","@id":"#p1","name":"Eva Muster"}]}</script>`, "", "Eva Muster"},
		"linked data of a publisher":   {`<script type="application/ld+json">{"@type":"Article","author":{"@type":"NewsMediaOrganization","name":"Mustertal Courier"}}</script>`, "", ""},
		"head":                         {`<meta name="author" content="Eva Muster">`, "", "Eva Muster"},
		"head with its opening":        {`<meta name="byl" content="By Eva Muster">`, "", "Eva Muster"},
		"head names the publisher":     {`<meta name="author" content="Mustertal Courier"><meta property="og:site_name" content="Mustertal Courier"><script type="application/ld+json">{"@type":"Organization","name":"Mustertal Courier"}</script>`, "", ""},
		"head of somebody's own site":  {`<meta name="author" content="Eva Muster"><meta property="og:site_name" content="Eva Muster">`, "", "Eva Muster"},
		"head holds a template":        {`<meta name="author" content="page.head.author">`, headline + `<p>By <a href="/x">Eva Muster</a></p>`, "Eva Muster"},
		"head holds an address":        {`<meta property="article:author" content="https://social.example/eva">`, "", ""},
		"label and value":              {`<meta name="twitter:label1" content="Verfasst von"><meta name="twitter:data1" content="Eva Muster">`, "", "Eva Muster"},
		"another label":                {`<meta name="twitter:label1" content="Price"><meta name="twitter:data1" content="Eva Muster">`, "", ""},
		"rel":                          {"", headline + `<address><a rel="author" href="/e">Eva Muster</a></address>`, "Eva Muster"},
		"class":                        {"", headline + `<div class="post-author"><span class="fn">Eva Muster</span><span>Redaktion</span></div>`, "Eva Muster"},
		"class with humps":             {"", headline + `<p class="authorName">Eva Muster</p>`, "Eva Muster"},
		"page of an author":            {"", `<div><a href="/team/eva-muster">Eva Muster</a></div>` + headline, "Eva Muster"},
		"line":                         {"", headline + `<p>Text: Eva Muster und Jan Klein</p>`, "Eva Muster, Jan Klein"},
		"parts of a line":              {"", headline + `<div><span>By</span><span>Eva Muster</span></div>`, "Eva Muster"},
		"only word":                    {"", headline + `<p class="author"><a href="/u/9">ibby</a></p>`, "ibby"},
		"label without a name":         {"", headline + `<p class="author">Written By</p>`, ""},
		"far, the only one":            {"", headline + strings.Repeat("<p>Ein Absatz.</p>", 60) + `<div class="author-name">Eva Muster</div>`, "Eva Muster"},
		"far, several":                 {"", headline + strings.Repeat("<p>Ein Absatz.</p>", 60) + `<div class="author-name">Eva Muster</div><div class="author-name">Jan Klein</div>`, ""},
		"comments":                     {"", headline + `<div class="comments"><b class="author">Jan Klein</b></div>`, ""},
		"other articles":               {"", headline + `<aside class="related"><p>By Jan Klein</p></aside>`, ""},
		"a sentence that begins alike": {"", headline + `<p>Von Anfang An war klar, was kommen würde.</p>`, ""},
		"several, with their work":     {"", headline + strings.Repeat("<p>Ein Absatz.</p>", 60) + `<div class="field-authors">Authors: Eva Muster and Jan Klein, gardeners</div>`, "Eva Muster, Jan Klein"},
		"a sentence about the author":  {"", headline + strings.Repeat("<p>Ein Absatz.</p>", 60) + `<div class="author-bio">This post was written by Eva Muster, Head of Marketing</div>`, "Eva Muster"},
		"name and work below":          {"", headline + strings.Repeat("<p>Ein Absatz.</p>", 60) + `<h3>Eva Muster</h3><p>Eva Muster is the Head of Marketing at a bakery.</p>`, "Eva Muster"},
		"two with their work":          {"", headline + `<h3>Eva Muster</h3><p>Eva Muster is a writer.</p><h3>Jan Klein</h3><p>Jan Klein is an editor.</p>`, ""},
		"a thing that is described":    {"", headline + `<h3>Unlimited Leave</h3><p>Unlimited Leave is a policy of some firms.</p>`, ""},
		"a name for many":              {"", headline + `<h4 class="author-name">By <a href="/editors">The Daily editors</a></h4>`, "The Daily editors"},
		"opened, only word":            {"", headline + `<p>by ibby</p>`, "ibby"},
		"opened, a phrase":             {"", headline + `<p>By the numbers</p>`, ""},
		"head before class":            {`<meta itemprop="author" content="Eva">`, headline + `<p class="author">minimalist</p>`, "Eva"},
		"head, a user's name":          {`<meta name="author" content="eva.m.muster">`, headline, "eva.m.muster"},
		"head, a host":                 {`<meta name="author" content="bakery.com">`, headline, ""},
		"script":                       {"", headline + `<script class="author">Eva Muster</script>`, ""},
	} {
		var got []string
		for _, p := range described(t, c.head, c.body).Authors {
			got = append(got, p.Name)
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: authors %q, want %q", name, s, c.want)
		}
	}
}

// onlyDate is what a system says that keeps one date of its documents.
const onlyDate = `<script type="application/ld+json">{"@type":"Article","dateModified":"2026-04-20T08:00:00Z","datePublished":"2026-04-20T08:00:00Z"}</script>`

func TestPublished(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ head, body, want string }{
		"linked data":                        {`<script type="application/ld+json">{"@type":"Article","dateModified":"2026-04-30","datePublished":"2026-04-01T08:00:00+02:00"}</script>`, headline + `<time datetime="2026-03-01">`, "2026-04-01T06:00:00Z"},
		"linked data of the page":            {`<script type="application/ld+json">{"@type":"WebPage","datePublished":"2026-04-01"}</script>`, "", "2026-04-01T00:00:00Z"},
		"linked data in an attribute":        {`<meta name="script:ld+json" content="{&quot;@type&quot;:&quot;Article&quot;,&quot;datePublished&quot;:&quot;2026-04-01&quot;}">`, "", "2026-04-01T00:00:00Z"},
		"head":                               {`<meta property="article:published_time" content="2026-04-01T08:00:00Z">`, headline + `<p>Stand: 2. April 2026</p>`, "2026-04-01T08:00:00Z"},
		"clock":                              {"", headline + `<time datetime="2026-04-01T08:00:00Z">gestern</time>`, "2026-04-01T08:00:00Z"},
		"clock of a change":                  {"", headline + `<p>Last updated <time datetime="2026-04-01">1.4.</time></p>`, ""},
		"clock after its label":              {"", headline + `<div>Updated</div><div><time datetime="2026-04-02"></time></div><div>Published</div><div><time datetime="2026-04-01"></time></div>`, "2026-04-01T00:00:00Z"},
		"clock far away":                     {"", headline + strings.Repeat("<p>Ein Absatz.</p>", 60) + `<time datetime="2026-04-01">`, ""},
		"class":                              {"", headline + `<span class="details-date">Apr 1, 2026</span>`, "2026-04-01T00:00:00Z"},
		"class, far, the only one":           {"", headline + strings.Repeat("<p>Ein Absatz.</p>", 60) + `<b class="published-date">Published On: 1 April 2026</b>`, "2026-04-01T00:00:00Z"},
		"class, far, two":                    {"", headline + strings.Repeat("<p>Ein Absatz.</p>", 60) + `<b class="published">1 April 2026</b><b class="published">2 April 2026</b>`, ""},
		"line":                               {"", headline + `<p>Von Eva Muster | 1. April 2026</p>`, "2026-04-01T00:00:00Z"},
		"line, far, the only one":            {"", headline + strings.Repeat("<p>Ein Absatz.</p>", 60) + `<p>Posted on the 15/04/2026 at 19:00 by Eva</p>`, "2026-04-15T00:00:00Z"},
		"line, far, two":                     {"", headline + strings.Repeat("<p>Ein Absatz.</p>", 60) + `<p>Posted on April 1, 2026</p><p>Posted on April 2, 2026</p>`, ""},
		"the reader's day":                   {"", `<div class="block-date"><p class="todays-date">April 29, 2026</p></div>` + headline + `<p>01.04.2026</p>`, "2026-04-01T00:00:00Z"},
		"layout with a sidebar":              {"", `<section class="article--sidebar-right">` + headline + `<p>by Eva on April 1, 2026</p></section>`, "2026-04-01T00:00:00Z"},
		"line of a change":                   {"", headline + `<p>Aktualisiert am 1. April 2026</p>`, ""},
		"line, then its change":              {"", headline + `<p>April 1, 2026 - Updated April 20, 2026</p>`, "2026-04-01T00:00:00Z"},
		"line of a state":                    {"", headline + `<p>Stand: 1. April 2026</p>`, ""},
		"line of a state and a day":          {"", headline + `<p>Stand: 20.04.2026</p><p>Von Eva Muster, 1. April 2026</p>`, "2026-04-01T00:00:00Z"},
		"line with a time":                   {"", headline + `<p>Von Eva Muster | 1. April 2026, 9:30 Uhr</p>`, "2026-04-01T07:30:00Z"},
		"line with a distance":               {"", headline + `<p>Von Eva Muster | vor 3 Stunden</p>`, fetched.Add(-3 * time.Hour).Format(time.RFC3339)},
		"long line":                          {"", headline + `<p>` + strings.Repeat("Worte ", 20) + `am 1. April 2026</p>`, ""},
		"of the last change, and shown":      {onlyDate, headline + `<p class="post-date">April 1, 2026</p>`, "2026-04-01T00:00:00Z"},
		"likewise, in the head":              {`<meta property="article:published_time" content="2026-04-20T08:00:00Z"><meta property="article:modified_time" content="2026-04-20T10:00:00+02:00">`, headline + `<time datetime="2026-04-01">`, "2026-04-01T00:00:00Z"},
		"likewise, shown later":              {onlyDate, headline + `<p class="post-date">April 29, 2026</p>`, "2026-04-20T08:00:00Z"},
		"likewise, the evening before":       {onlyDate, headline + `<time datetime="2026-04-19T20:00:00Z">`, "2026-04-20T08:00:00Z"},
		"likewise, shown in a mere line":     {onlyDate, headline + `<p>The bridge fell on April 1, 2026</p>`, "2026-04-20T08:00:00Z"},
		"ahead":                              {`<meta property="article:published_time" content="2036-04-01T08:00:00Z">`, "", ""},
		"unreadable":                         {`<meta property="article:published_time" content="soon">`, "", ""},
		"other articles":                     {"", headline + `<div class="related"><time datetime="2026-04-01"></time></div>`, ""},
		"Dublin Core, if the rest is silent": {`<meta name="dc.date" content="2026-04-01">`, "", "2026-04-01T00:00:00Z"},
	} {
		got := ""
		if at := described(t, c.head, c.body).Published; at != nil {
			got = at.Format(time.RFC3339)
		}
		if got != c.want {
			t.Errorf("%s: published %q, want %q", name, got, c.want)
		}
	}
}

func TestPublishedInTheAddress(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"/2026/03/14/radweg": "2026-03-14", "/2026-3-4/": "2026-03-04", "/2026/03/radweg": "", "/2026/13/14/": "", "/120261/03/14": ""} {
		p := &page{base: &url.URL{Scheme: "https", Host: "example.org", Path: path}}
		got := ""
		if at := p.inPath(fetched); at != nil {
			got = at.Format(time.DateOnly)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestTitles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ head, body, want string }{
		"headline of linked data":  {`<title>x</title><script type="application/ld+json">{"@type":"Article","headline":"Der Radweg | Mustertal Courier","publisher":{"name":"Mustertal Courier"}}</script>`, "", "Der Radweg"},
		"h1 that begins the title": {`<title>Der Radweg wird breiter - alles dazu</title>`, headline, "Der Radweg wird breiter"},
		"site by name":             {`<title>Der Radweg – Der Bote</title><meta property="og:site_name" content="Der Bote">`, "", "Der Radweg"},
		"site by host":             {`<title>Der Radweg | mustertalcourier.example</title>`, "", "Der Radweg"},
		"site by part of the host": {`<title>Der Radweg | Mustertal Courier</title>`, "", "Der Radweg"},
		"no site":                  {`<title>Radweg – breiter als gedacht</title>`, "", "Radweg – breiter als gedacht"},
		"only h1":                  {"", headline, "Der Radweg wird breiter"},
	} {
		if got := described(t, c.head, c.body).Title; got != c.want {
			t.Errorf("%s: title %q, want %q", name, got, c.want)
		}
	}
}

// A page may name everything "author": the walk stays bounded and finds nothing that is no name.
func TestAPageOfMarks(t *testing.T) {
	t.Parallel()
	body := strings.Repeat(`<div class="author date">`, 400) + strings.Repeat("x ", 100_000)
	if a := described(t, "", headline+body); len(a.Authors) > 0 || a.Published != nil {
		t.Errorf("authors %v, published %v", a.Authors, a.Published)
	}
}
