package demo

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestTheOriginTellsOneThingAfterTheOther(t *testing.T) {
	t.Parallel()
	n := news{began, newsEvery}
	for after, want := range map[time.Duration]int{-time.Hour: 0, 0: 0, newsEvery - 1: 0, newsEvery: 1, 10 * newsEvery: 10} {
		if got := n.count(began.Add(after)); got != want {
			t.Errorf("after %v there are %d, want %d", after, got, want)
		}
	}
	if got := (news{began, 0}).count(began.Add(time.Hour)); got != 0 {
		t.Errorf("without news there are %d", got)
	}
	first, again := n.article(2, 2), n.article(2, 2)
	if diff := cmp.Diff(first, again, cmp.AllowUnexported(Article{})); diff != "" {
		t.Errorf("the same article is not the same:\n%s", diff)
	}
	seen := map[string]bool{}
	for k := 1; k <= 40; k++ {
		a := n.article(k, k)
		if seen[a.Title] || len(strings.Fields(a.Body)) < 60 || strings.ContainsAny(a.Title+a.Body, "{}") {
			t.Errorf("article %d: %q\n%s", k, a.Title, a.Body)
		}
		seen[a.Title] = true
	}
}

// One is edited, one comes a second time in another source, one is taken back, and one stays as it is.
func TestWhatBecomesOfNews(t *testing.T) {
	t.Parallel()
	n := news{began, newsEvery}
	now := began
	h, err := origin("http://127.0.0.1:1", n, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	read := func(path string) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	title := func(k int) string { return n.article(k, k).Title }
	for _, c := range []struct {
		count           int
		notebook, other []string // what the documents hold
		not             string   // what the first does not
	}{
		{0, []string{"tide gauges"}, nil, newsName},
		{1, []string{title(1)}, nil, "Correction"},
		{2, []string{title(2), "Correction"}, nil, "deleted-entry"},
		{3, []string{title(3)}, []string{title(2)}, "deleted-entry"},
		{4, []string{title(4), `<at:deleted-entry ref="tag:demo.tidings.internal,2024:news-3"`}, []string{title(2)}, ">" + title(3) + "<"},
	} {
		now = began.Add(time.Duration(c.count) * n.every)
		_, atom := read("/notebook.atom")
		_, feed := read("/kaleidoskop.json")
		_, page := read("/articles/news-1")
		for _, want := range c.notebook {
			if !strings.Contains(atom+page, want) {
				t.Errorf("after %d the first source lacks %q:\n%s", c.count, want, atom)
			}
		}
		if strings.Contains(atom+page, c.not) {
			t.Errorf("after %d the first source has %q:\n%s", c.count, c.not, atom)
		}
		for k := 1; k <= c.count; k++ {
			if want := strings.Join(c.other, "") == title(k); strings.Contains(feed, `"`+title(k)+`"`) != want {
				t.Errorf("after %d the second source has %q: %v", c.count, title(k), !want)
			}
		}
	}
	for path, want := range map[string]int{"/articles/news-3": 404, "/articles/news-4": 200, "/articles/news-5": 404, "/articles/news-0": 404, "/articles/news-x": 404} {
		if code, _ := read(path); code != want {
			t.Errorf("%s: %d, want %d", path, code, want)
		}
	}
}
