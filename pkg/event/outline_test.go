package event_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
)

var enrichedSubject = "article.enriched.0a.blog." + someID

// outlined compares an outline with what decoding the whole message gives.
func outlined(t *testing.T, body []byte) {
	t.Helper()
	m := event.EncodeBody(enrichedSubject, event.Envelope{Type: event.TypeEnriched, ID: "x", Article: someID}, body)
	wantEnv, want, wantErr := event.DecodeEnriched(m)
	env, got, html, err := event.DecodeOutline(m)
	if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
		t.Fatalf("%s\nerror %v, want %v", body, err, wantErr)
	}
	if err != nil {
		return
	}
	if html != len(want.HTML) {
		t.Errorf("%s\nthe HTML has %d bytes, want %d", body, html, len(want.HTML))
	}
	want.HTML, want.Text = "", ""
	if diff := cmp.Diff(want, got); diff != "" || !cmp.Equal(wantEnv, env) {
		t.Errorf("%s\n(-want +got):\n%s", body, diff)
	}
}

// around is an article with some members more.
func around(members string) []byte {
	return []byte(`{"id":"` + someID + `", "source":{"id":"blog","html":"x"},` + members + `"tags":[{"id":"text","label":{"html":"\"","text":"}"}}],"title":"T \\"}`)
}

func outlines(t testing.TB) [][]byte {
	whole, err := event.Marshal(article.Article{
		ID: someID, Source: article.Source{ID: "blog"}, Title: `{"html":"x"`, HTML: "<p class=\"a\">\u2028Grüße\\\n</p>" + strings.Repeat(`<b>"x"</b>`, 50), Text: "Grüße \"x\" \\",
	})
	if err != nil {
		t.Fatal(err)
	}
	list := [][]byte{whole, whole[:len(whole)/2], []byte(`null`), []byte(`[]`), nil}
	for _, members := range []string{
		``, `"html":"<p>\"a\"</p>\n","text":"a",`, `"text" : "a" , "html"	:
		"b",`, `"html":null,`, `"html":1,`, `"html":"a","html":"bc",`, `"HTML":"a",`, `"html":"a","Html":"bc",`, `"h\u0074ml":"a",`, `"html":"\u00e4\ud83d\ude00\u2028",`,
		"\"html\":\"\xff\",", "\"text\":\"\x01\",", `"html":"\x",`, `"html":"\`, `"html":"a" "b",`, `"html" "a",`, `"html":,`, `"html":"\\","text":"\\\"",`, `"html":{"html":"a"},`,
	} {
		list = append(list, around(members))
	}
	return list
}

func TestAnOutlineIsTheArticleWithoutItsBodies(t *testing.T) {
	t.Parallel()
	for _, body := range outlines(t) {
		outlined(t, body)
	}
	if !json.Valid(around("")) {
		t.Fatal("the sample is none")
	}
}

func FuzzOutline(f *testing.F) {
	for _, body := range outlines(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) { outlined(t, body) })
}

// BenchmarkOutline decodes articles of 5 KB; the baseline decodes them whole.
func BenchmarkOutline(b *testing.B) {
	body, err := event.Marshal(article.Article{
		ID: someID, Source: article.Source{ID: "blog"}, Title: "Title", Summary: strings.Repeat("summary ", 20),
		HTML: strings.Repeat("<p>Das Team hat jeden Brief am selben Tag beantwortet.</p>\n", 85),
	})
	if err != nil {
		b.Fatal(err)
	}
	m := event.EncodeBody(enrichedSubject, event.Envelope{Type: event.TypeEnriched, ID: "x", Article: someID}, body)
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			if _, _, _, err := event.DecodeOutline(m); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("baseline", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := event.DecodeEnriched(m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
