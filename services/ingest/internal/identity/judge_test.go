package identity

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/services/ingest/internal/parse"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// body is text long enough to know an item by.
func body(s string) string {
	return s + " " + strings.Repeat("und noch ein Satz mit vielen Wörtern über "+s+". ", 5)
}

func item(guid, link, title, text string) parse.Item {
	return parse.Item{Raw: article.Raw{GUID: guid, Link: link, Title: title, Content: &article.Text{Value: text, Type: article.TextHTML}}}
}

func numbered(from, to int) []parse.Item {
	var list []parse.Item
	for i := from; i <= to; i++ {
		it := item(fmt.Sprintf("https://example.org/?p=%d00", i), fmt.Sprintf("https://example.org/artikel/%d", i), fmt.Sprintf("Titel %d", i), body(fmt.Sprint("Text ", i)))
		at := start.Add(time.Duration(i) * time.Hour)
		it.Published = &at
		list = append(list, it)
	}
	return list
}

// history judges documents one after the other, an hour apart, and counts the changes of each.
func history(t *testing.T, p Policy, documents ...[]parse.Item) (counts []string, m *Memory) {
	t.Helper()
	m = &Memory{}
	if p.Source == "" {
		p.Source = "s"
	}
	if p.Deletions == "" {
		p.Deletions = "honour"
	}
	for n, items := range documents {
		next := m.Clone()
		r := next.Judge(&parse.Document{Items: items}, p, start.Add(time.Duration(n)*time.Hour))
		kinds := map[Kind]int{}
		for _, c := range r.Changes {
			kinds[c.Kind]++
		}
		counts = append(counts, fmt.Sprintf("%d new %d edited %d removed", kinds[New], kinds[Edited], kinds[Removed]))
		// What is stored and read again must judge alike.
		m = &Memory{Rung: next.Rung}
		if err := m.Unpack(next.Pack()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(next, m); diff != "" {
			t.Fatalf("packing loses something:\n%s", diff)
		}
	}
	return counts, m
}

func edit(items []parse.Item, change func(i int, it *parse.Item)) []parse.Item {
	out := append([]parse.Item{}, items...)
	for i := range out {
		content := *out[i].Content
		out[i].Content = &content
		change(i, &out[i])
	}
	return out
}

func TestExactlyWhatHappenedIsPublished(t *testing.T) {
	t.Parallel()
	three := numbered(1, 3)
	reversed := []parse.Item{three[2], three[1], three[0]}
	newGUIDs := edit(three, func(i int, it *parse.Item) { it.GUID = fmt.Sprint("new-", i) })
	https := edit(three, func(_ int, it *parse.Item) { it.GUID = strings.Replace(it.GUID, "https:", "http:", 1) })
	moved := edit(three, func(_ int, it *parse.Item) {
		it.GUID = strings.Replace(it.GUID, "example.org", "news.example.net", 1)
		it.Link = strings.Replace(it.Link, "example.org", "news.example.net", 1)
	})
	renamed := edit(three, func(i int, it *parse.Item) {
		it.GUID, it.Link = fmt.Sprint("x", i), fmt.Sprint("https://other.net/", i)
	})
	edited := edit(three, func(i int, it *parse.Item) {
		if i == 1 {
			it.Title += " (aktualisiert)"
		}
	})
	dated := edit(three, func(_ int, it *parse.Item) {
		at := it.Published.Add(time.Minute)
		it.Published, it.PublishedRaw = &at, "later"
	})
	spaced := edit(three, func(_ int, it *parse.Item) {
		it.Content.Value = "<p>" + strings.ReplaceAll(it.Content.Value, " ", "\n ") + "</p><p>12 Kommentare</p>"
	})
	doubledIDs := edit(numbered(1, 10), func(_ int, it *parse.Item) { it.GUID = "same" })
	noNames := []parse.Item{item("", "", "A", body("a")), item("", "", "B", body("b"))}
	sameLink := []parse.Item{item("1", "https://example.org/", "A", body("a")), item("2", "https://example.org/", "B", body("b"))}
	for _, c := range []struct {
		name string
		docs [][]parse.Item
		want []string
	}{
		{"twice the same", [][]parse.Item{three, three}, []string{"3 new 0 edited 0 removed", "0 new 0 edited 0 removed"}},
		{"another order", [][]parse.Item{three, reversed}, []string{"3 new 0 edited 0 removed", "0 new 0 edited 0 removed"}},
		{"one more", [][]parse.Item{three, numbered(1, 4)}, []string{"3 new 0 edited 0 removed", "1 new 0 edited 0 removed"}},
		{"other guids", [][]parse.Item{three, newGUIDs, three}, []string{"3 new 0 edited 0 removed", "0 new 0 edited 0 removed", "0 new 0 edited 0 removed"}},
		{"http for https", [][]parse.Item{three, https}, []string{"3 new 0 edited 0 removed", "0 new 0 edited 0 removed"}},
		{"another host shows as one edit of each link", [][]parse.Item{three, moved, moved}, []string{"3 new 0 edited 0 removed", "0 new 3 edited 0 removed", "0 new 0 edited 0 removed"}},
		{"all names changed", [][]parse.Item{three, renamed}, []string{"3 new 0 edited 0 removed", "0 new 3 edited 0 removed"}},
		{"an edit", [][]parse.Item{three, edited, edited}, []string{"3 new 0 edited 0 removed", "0 new 1 edited 0 removed", "0 new 0 edited 0 removed"}},
		{"there and back", [][]parse.Item{three, edited, three}, []string{"3 new 0 edited 0 removed", "0 new 1 edited 0 removed", "0 new 1 edited 0 removed"}},
		{"only a date", [][]parse.Item{three, dated}, []string{"3 new 0 edited 0 removed", "0 new 0 edited 0 removed"}},
		{"only markup, space and counters", [][]parse.Item{three, spaced}, []string{"3 new 0 edited 0 removed", "0 new 0 edited 0 removed"}},
		{"dropped and shown again", [][]parse.Item{three, numbered(4, 6), three}, []string{"3 new 0 edited 0 removed", "3 new 0 edited 0 removed", "0 new 0 edited 0 removed"}},
		{"one id for all", [][]parse.Item{doubledIDs, doubledIDs}, []string{"10 new 0 edited 0 removed", "0 new 0 edited 0 removed"}},
		{"ids go bad later", [][]parse.Item{numbered(1, 10), doubledIDs, numbered(1, 11)}, []string{"10 new 0 edited 0 removed", "0 new 0 edited 0 removed", "1 new 0 edited 0 removed"}},
		{"neither id nor link", [][]parse.Item{noNames, noNames}, []string{"2 new 0 edited 0 removed", "0 new 0 edited 0 removed"}},
		{"one link for all", [][]parse.Item{sameLink, {sameLink[0], sameLink[1], item("3", "https://example.org/", "C", body("c"))}},
			[]string{"2 new 0 edited 0 removed", "1 new 0 edited 0 removed"}},
		{"one link, one item at a time", [][]parse.Item{sameLink[:1], sameLink[1:]}, []string{"1 new 0 edited 0 removed", "1 new 0 edited 0 removed"}},
		{"the very same item twice in a document", [][]parse.Item{{noNames[0], noNames[0]}}, []string{"1 new 0 edited 0 removed"}},
		{"equal paths on two hosts", [][]parse.Item{
			{item("https://a.example/2026/hello-world", "https://a.example/1", "A", body("a"))},
			{item("https://b.example/2026/hello-world", "https://b.example/1", "B", body("b"))}},
			[]string{"1 new 0 edited 0 removed", "1 new 0 edited 0 removed"}},
		{"equal short texts are no proof", [][]parse.Item{
			{item("1", "https://a.example/1", "Update", "kurz")}, {item("2", "https://a.example/2", "Update", "kurz")}},
			[]string{"1 new 0 edited 0 removed", "1 new 0 edited 0 removed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, _ := history(t, Policy{EditGap: 10 * time.Minute}, c.docs...)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestIDsAndRevisionsStayWithTheItem(t *testing.T) {
	t.Parallel()
	first := numbered(1, 1)
	m := &Memory{}
	p := Policy{Source: "blog", Deletions: "honour"}
	r := m.Judge(&parse.Document{Items: first}, p, start)
	id := r.Changes[0].Row.ID
	if want := article.NewID("blog", "id:"+first[0].GUID); id != want {
		t.Fatalf("id %s, want %s", id, want)
	}
	changed := edit(first, func(_ int, it *parse.Item) { it.GUID, it.Title = "other", "Neuer Titel" })
	r = m.Judge(&parse.Document{Items: changed}, p, start.Add(time.Hour))
	if len(r.Changes) != 1 || r.Changes[0].Row.ID != id || r.Changes[0].Row.Revision != 2 || r.Changes[0].Kind != Edited {
		t.Fatalf("changes %+v, want revision 2 of %s", r.Changes, id)
	}
	if r.Changes[0].Row.First != start.Unix() {
		t.Errorf("the time of the first sight moved to %d", r.Changes[0].Row.First)
	}
}

func TestOldestIsPublishedFirst(t *testing.T) {
	t.Parallel()
	items := numbered(1, 4)
	shuffled := []parse.Item{items[2], items[0], items[3], items[1]}
	undated := edit(items, func(i int, it *parse.Item) { it.Published = nil })
	for name, c := range map[string]struct {
		items []parse.Item
		want  []string
	}{
		"by date":                       {shuffled, []string{"Titel 1", "Titel 2", "Titel 3", "Titel 4"}},
		"undated from the end to start": {undated, []string{"Titel 4", "Titel 3", "Titel 2", "Titel 1"}},
	} {
		m := &Memory{}
		var got []string
		for _, c := range m.Judge(&parse.Document{Items: c.items}, Policy{Source: "s"}, start).Changes {
			got = append(got, c.Item.Title)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestEditsThatComeTooFastAreHeldBackAndThenPublished(t *testing.T) {
	t.Parallel()
	m := &Memory{}
	p := Policy{Source: "s", EditGap: 10 * time.Minute}
	base := numbered(1, 1)
	version := func(n int) []parse.Item {
		return edit(base, func(_ int, it *parse.Item) { it.Title = fmt.Sprint("Fassung ", n) })
	}
	steps := []struct {
		after   time.Duration
		version int
		changes int
		waiting bool
	}{
		{0, 0, 1, false},
		{time.Minute, 1, 1, false}, // a first correction is not made to wait
		{2 * time.Minute, 2, 0, true},
		{3 * time.Minute, 3, 0, true},
		{12 * time.Minute, 3, 1, false}, // the document is as it was; its change is due now
		{13 * time.Minute, 3, 0, false},
		{14 * time.Minute, 4, 0, true},
		{15 * time.Minute, 3, 0, false}, // taken back before it was published
	}
	for _, s := range steps {
		r := m.Judge(&parse.Document{Items: version(s.version)}, p, start.Add(s.after))
		if len(r.Changes) != s.changes || m.Waiting("honour") != s.waiting {
			t.Fatalf("after %v: %d changes, waiting %v; want %d, %v", s.after, len(r.Changes), m.Waiting("honour"), s.changes, s.waiting)
		}
	}
}

func TestItemThatFlapsIsLeftAloneForADay(t *testing.T) {
	t.Parallel()
	m := &Memory{}
	p := Policy{Source: "s", EditGap: 10 * time.Minute}
	published, flapping := 0, 0
	for n := range 48 {
		items := edit(numbered(1, 1), func(_ int, it *parse.Item) { it.Title = fmt.Sprint("Fassung ", n) })
		r := m.Judge(&parse.Document{Items: items}, p, start.Add(time.Duration(n)*15*time.Minute))
		published += len(r.Changes)
		flapping += r.Flapping
	}
	if published != 1+maxEdits || flapping == 0 {
		t.Errorf("%d revisions in 12 hours, %d times flapping; want %d and some", published, flapping, 1+maxEdits)
	}
	items := edit(numbered(1, 1), func(_ int, it *parse.Item) { it.Title = "Am nächsten Tag" })
	if r := m.Judge(&parse.Document{Items: items}, p, start.Add(26*time.Hour)); len(r.Changes) != 1 {
		t.Errorf("%d changes after a day, want 1", len(r.Changes))
	}
}

func TestDeletions(t *testing.T) {
	t.Parallel()
	items := numbered(1, 5)
	ref := items[2].GUID
	without := append(append([]parse.Item{}, items[:2]...), items[3:]...)
	for _, c := range []struct {
		policy  string
		docs    []*parse.Document
		removed []int // by document
	}{
		{"honour", []*parse.Document{{Items: items}, {Items: without}, {Items: without}, {Items: without}, {Items: without}}, []int{0, 0, 0, 0, 0}},
		{"honour", []*parse.Document{{Items: items}, {Items: without, Deleted: []parse.Deleted{{Ref: ref}}}, {Items: without, Deleted: []parse.Deleted{{Ref: ref}}}}, []int{0, 1, 0}},
		{"ignore", []*parse.Document{{Items: items}, {Items: without, Deleted: []parse.Deleted{{Ref: ref}}}}, []int{0, 0}},
		{"honour", []*parse.Document{{Items: items}, {Items: items, Deleted: []parse.Deleted{{Ref: ref}}}}, []int{0, 0}},
		{"honour", []*parse.Document{{Items: items}, {Items: items, Deleted: []parse.Deleted{{Ref: "unknown"}}}}, []int{0, 0}},
		{"vanished", []*parse.Document{{Items: items}, {Items: without}, {Items: without}, {Items: without}, {Items: without}}, []int{0, 0, 0, 1, 0}},
		{"vanished", []*parse.Document{{Items: items}, {Items: without, Partial: true}, {Items: without, Partial: true}, {Items: without, Partial: true}, {Items: without}}, []int{0, 0, 0, 0, 0}},
		{"vanished", []*parse.Document{{Items: items}, {Items: items[2:]}, {Items: items[2:]}, {Items: items[2:]}, {Items: items[2:]}}, []int{0, 0, 0, 0, 0}}, // the oldest made room
		{"vanished", []*parse.Document{{Items: items}, {Items: without}, {Items: without}, {Items: items}, {Items: without}, {Items: without}}, []int{0, 0, 0, 0, 0, 0}},
		{"vanished", []*parse.Document{{Items: items}, {}, {}, {}, {}}, []int{0, 0, 0, 0, 0}},
	} {
		m := &Memory{}
		var removed []int
		for n, doc := range c.docs {
			count := 0
			for _, ch := range m.Judge(doc, Policy{Source: "s", Deletions: c.policy}, start.Add(time.Duration(n)*time.Hour)).Changes {
				if ch.Kind == Removed {
					count++
					if ch.Row.Revision != 2 || !ch.Row.Deleted {
						t.Errorf("%s: tombstone %+v", c.policy, ch.Row)
					}
				}
			}
			removed = append(removed, count)
		}
		if diff := cmp.Diff(c.removed, removed); diff != "" {
			t.Errorf("%s: %s", c.policy, diff)
		}
	}
}

func TestDeletedItemThatReturnsIsANewRevision(t *testing.T) {
	t.Parallel()
	items := numbered(1, 2)
	m := &Memory{}
	p := Policy{Source: "s", Deletions: "honour"}
	m.Judge(&parse.Document{Items: items}, p, start)
	m.Judge(&parse.Document{Items: items[:1], Deleted: []parse.Deleted{{Ref: items[1].GUID}}}, p, start.Add(time.Hour))
	r := m.Judge(&parse.Document{Items: items}, p, start.Add(2*time.Hour))
	if len(r.Changes) != 1 || r.Changes[0].Row.Revision != 3 || r.Changes[0].Kind != Edited {
		t.Errorf("changes %+v, want revision 3", r.Changes)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := &Memory{}
	p := Policy{Source: "s"}
	for n := range 6 {
		m.Judge(&parse.Document{Items: numbered(n*2000, n*2000+1999)}, p, start.Add(time.Duration(n)*time.Hour))
	}
	if packed := len(m.Pack()); packed > maxPacked+1 || len(m.Rows) > maxRows || len(m.Rows) < 2000 {
		t.Errorf("%d rows in %d bytes", len(m.Rows), packed)
	}
	r := m.Judge(&parse.Document{Items: numbered(10_000, 11_999)}, p, start.Add(10*time.Hour))
	if len(r.Changes) != 0 {
		t.Errorf("%d of the newest items were forgotten", len(r.Changes))
	}
}

func TestUnpackRefusesDamage(t *testing.T) {
	t.Parallel()
	m := &Memory{}
	m.Judge(&parse.Document{Items: numbered(1, 3)}, Policy{Source: "s"}, start)
	packed := m.Pack()
	for n := 1; n < len(packed); n++ {
		var got Memory
		if err := got.Unpack(packed[:n]); err == nil && len(got.Rows) >= 3 {
			t.Errorf("%d of %d bytes give all rows", n, len(packed))
		}
	}
	var got Memory
	if err := got.Unpack([]byte{99, 1, 2}); err == nil {
		t.Error("an unknown version is read")
	}
}

func TestWordsLeaveMarkupOut(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"<p>Ein <b>Wort</b> &amp; mehr</p>": "EinWort&mehr",
		"Text <p>12 comments</p>":           "Text",
		"Kommentare (3) Text":               "Text",
	} {
		if got := Words(&article.Text{Value: in, Type: article.TextHTML}); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
	if got := Words(&article.Text{Value: "a <b> c", Type: article.TextPlain}); got != "a<b>c" {
		t.Errorf("plain text lost something: %q", got)
	}
}

// What stands in the bucket may be damaged: it is refused or read, and what is read is written and read as the same.
func FuzzUnpack(f *testing.F) {
	m := Memory{Rows: []*Row{
		{ID: article.NewID("src", "a"), Revision: 3, Keys: []uint64{1, 2}, Fingerprint: 9, First: 1000, Dated: 900, Seen: 2000, Changed: 1500, Edits: 2, EditsFrom: 1400, Absent: 1, Held: true, Old: true},
		{ID: article.NewID("src", "b"), Revision: 1, Keys: []uint64{3}, First: 1000, Dated: 1000, Seen: 1000, Deleted: true},
	}}
	f.Add(m.Pack())
	f.Add([]byte{packVersion})
	f.Add([]byte{packVersion, 255, 1, 2, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		var once, twice Memory
		if once.Unpack(data) != nil {
			return
		}
		written := once.Pack()
		if err := twice.Unpack(written); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if again := twice.Pack(); !bytes.Equal(written, again) {
			t.Errorf("%x is written again as %x", written, again)
		}
	})
}
