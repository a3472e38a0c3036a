package item

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/fault"
)

var seen = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

func sample() *article.Article {
	published := seen.Add(-time.Hour)
	return &article.Article{
		ID: article.NewID("blog", "1"), Revision: 1, URL: "https://blog.example.org/1", Title: "One", Summary: strings.Repeat("Short words. ", 60),
		HTML: "<p>Long</p>", Authors: []article.Person{{Name: "Jane", URL: "https://example.org/jane"}, {Name: "jane@example.org"}, {Name: "Jane"}},
		Tags:  []article.Tag{{ID: "crm", Label: map[string]string{"de": "Kundenpflege"}, Scheme: "https://example.org/tags"}, {ID: "crm"}, {ID: ""}},
		Image: &article.Image{URL: "https://blog.example.org/a.jpg?x=1"}, Language: article.Language{Code: "de"},
		Published: &published, FirstSeen: seen, Fetched: seen,
		Source: article.Source{ID: "blog", Title: "Blog", FeedURL: "https://blog.example.org/feed"},
	}
}

func TestIDsAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	// The literal pins the algorithm: with another one every reader would show every item again.
	if got, want := URN("news.example.org", "l6wugkqzo7f44npzaqtdpzpwr5"), "urn:uuid:2590fed1-e2f6-5db4-adba-bc3a406d2eb1"; got != want {
		t.Errorf("URN = %s, want %s", got, want)
	}
	if URN("a", "x") == URN("b", "x") {
		t.Error("two sites share an id")
	}
	a := sample()
	first, _ := New(a, "site")
	a.URL, a.Title, a.Revision = "https://other.example/2", "Two", 7
	if second, _ := New(a, "site"); second.ID != first.ID {
		t.Error("a new address or title gives a new id")
	}
}

func TestPolicyOfTheSourceWins(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		source, asked article.Syndicate
		summary       int
		html, image   bool
	}{
		{"", article.Full, 779, true, true},
		{article.Full, article.Excerpt, 500, false, true},
		{article.Excerpt, article.Full, 500, false, true},
		{article.Full, article.Headline, 0, false, false},
		{article.Headline, article.Full, 0, false, false},
		{article.Headline, article.Excerpt, 0, false, false},
	} {
		a := sample()
		a.Source.Syndicate = c.source
		it, err := New(a, "site")
		if err != nil {
			t.Fatal(err)
		}
		it = it.At(c.asked)
		if n := len([]rune(it.Summary)); n > c.summary || n < c.summary-40 {
			t.Errorf("%s of %s: the summary has %d characters, want about %d", c.asked, c.source, n, c.summary)
		}
		if (it.HTML != "") != c.html || (it.Image != nil) != c.image || (it.Enclosure != nil) != c.image {
			t.Errorf("%s of %s shows body %q, image %v, enclosure %v", c.asked, c.source, it.HTML, it.Image, it.Enclosure)
		}
	}
}

func TestUnlinkableIsNoItem(t *testing.T) {
	t.Parallel()
	for _, link := range []string{"", "/relative", "javascript:alert(1)", "https://u:p@example.org/"} {
		a := sample()
		a.URL = link
		if _, err := New(a, "site"); fault.KindOf(err) != fault.Invalid {
			t.Errorf("New with address %q: %v", link, err)
		}
	}
}

func TestUnsafeOrHugeBodyFallsBack(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*article.Article){
		Unsafe:   func(a *article.Article) { a.HTML = "<script>x</script>" },
		TooLarge: func(a *article.Article) { a.HTML = "<p>" + strings.Repeat("x", maxBody) },
	} {
		a := sample()
		change(a)
		it, err := New(a, "site")
		if err != nil || it.Reduced != want || it.HTML != "" || it.Summary == "" {
			t.Errorf("%s: %v, reduced %q, body of %d bytes, summary %q", want, err, it.Reduced, len(it.HTML), it.Summary)
		}
	}
	a := sample()
	a.HTMLBlob = &article.Blob{Name: "x"}
	if it, _ := New(a, "site"); it.Reduced != TooLarge {
		t.Error("a body in the object store is not taken for too large")
	}
}

func TestTimesAreCredible(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) *time.Time { return new(seen.Add(d)) }
	ancient := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name               string
		published, updated *time.Time
		revision           uint64
		fetched            time.Duration
		wantP, wantU       time.Duration
	}{
		{"as told", at(-2 * time.Hour), at(-time.Hour), 1, 0, -2 * time.Hour, -time.Hour},
		{"future", at(time.Hour), at(2 * time.Hour), 1, 0, 0, 0},
		{"ancient", &ancient, nil, 1, 0, 0, 0},
		{"none", nil, nil, 1, 0, 0, 0},
		{"updated before published", at(-time.Hour), at(-2 * time.Hour), 1, 0, -time.Hour, -time.Hour},
		{"edited without a date", at(-time.Hour), nil, 2, 3 * time.Hour, -time.Hour, 3 * time.Hour},
		{"edited with a date", at(-time.Hour), at(2 * time.Hour), 2, 3 * time.Hour, -time.Hour, 2 * time.Hour},
		{"edited with a date in the future", at(-time.Hour), at(9 * time.Hour), 2, 3 * time.Hour, -time.Hour, 3 * time.Hour},
		{"fetched again without a change", at(-time.Hour), nil, 1, 3 * time.Hour, -time.Hour, -time.Hour},
	} {
		a := &article.Article{Published: c.published, Updated: c.updated, Revision: c.revision, FirstSeen: seen, Fetched: seen.Add(c.fetched)}
		p, u := Times(a)
		if !p.Equal(seen.Add(c.wantP)) || !u.Equal(seen.Add(c.wantU)) {
			t.Errorf("%s: published %v, updated %v", c.name, p, u)
		}
	}
}

func TestPeopleTagsAndMedia(t *testing.T) {
	t.Parallel()
	a := sample()
	it, _ := New(a, "site")
	if diff := cmp.Diff([]Author{{"Jane", "https://example.org/jane"}}, it.Authors); diff != "" {
		t.Errorf("authors (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Tag{{Term: "crm", Scheme: "https://example.org/tags", Label: "Kundenpflege"}}, it.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&Enclosure{URL: "https://blog.example.org/a.jpg?x=1", Type: "image/jpeg"}, it.Enclosure); diff != "" {
		t.Errorf("the image is no enclosure (-want +got):\n%s", diff)
	}
	a.Enclosures = []article.Enclosure{{URL: "/relative.mp3", Type: "audio/mpeg"}, {URL: "https://e.org/x.pdf", Type: "application/pdf"},
		{URL: "https://e.org/x", Type: "Audio/MPEG; q=1", Length: 9, Duration: 60}, {URL: "https://e.org/y.mp4"}}
	it, _ = New(a, "site")
	if diff := cmp.Diff(&Enclosure{URL: "https://e.org/x", Type: "audio/mpeg", Bytes: 9, Duration: 60}, it.Enclosure); diff != "" {
		t.Errorf("sound goes before the image (-want +got):\n%s", diff)
	}
	a.Image.URL, a.Enclosures = "https://e.org/picture", nil
	if it, _ = New(a, "site"); it.Enclosure != nil || it.Image == nil {
		t.Error("an image of unknown type is an enclosure, which needs a type")
	}
}
