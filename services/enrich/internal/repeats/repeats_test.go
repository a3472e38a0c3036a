package repeats

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/decode"
	"tidings.internal/services/enrich/internal/dom"
	"tidings.internal/services/enrich/internal/extract"
	"tidings.internal/services/enrich/internal/metadata"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/pipeline/pipelinetest"
)

const (
	address = "https://www.example.org/a"
	promo   = "More about our work every Thursday at the house on the market."
)

func TestConform(t *testing.T) {
	t.Parallel()
	known := taught(t, 5).Known()
	// The step runs twice: the second time it knows the host. The suite of the list of all steps gives it the huge pages.
	pipelinetest.Conform(t, Step{Known: func() *Known { return known }}, decode.Step{}, metadata.Step{}, extract.Step{}, Step{})
}

// body parses a body as extract leaves it.
func body(t *testing.T, s string) *html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader("<div>" + s + "</div>"))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// through runs the step for a body and gives what is left of its text, and its hashes.
func through(t *testing.T, known *Known, title, s string) (text string, a article.Article) {
	t.Helper()
	d := pipeline.NewDraft(&article.Raw{ID: "x", URL: address}, nil)
	d.Body, d.Article.Title = body(t, s), title
	whole := dom.Text(d.Body)
	found := d.Body
	if err := (Step{Known: func() *Known { return known }}).Run(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if dom.Text(found) != whole {
		t.Error("the tree that others may hold was changed")
	}
	return dom.Text(d.Body), d.Article
}

// own is the text of an article, unlike that of any other.
func own(n int) string {
	return fmt.Sprintf("<p>Report %s tells at some length of what nobody else has told of before.</p><p>It goes on %s and comes to an end of its own.</p>", strings.Repeat("x", n+1), strings.Repeat("y", n+1))
}

// taught is a memory of n articles of one host, each with the promotion in other numbers and spaces.
func taught(t *testing.T, n int) *Memory {
	t.Helper()
	m := NewMemory()
	for i := range n {
		_, a := through(t, nil, fmt.Sprintf("Report %s | The Example House", strings.Repeat("x", i+1)), own(i)+fmt.Sprintf("<p>%s  Call %d.</p>", promo, 10*i))
		m.Learn(Seen{Article: fmt.Sprint("a", i), Story: fmt.Sprint("s", i), Host: Host(address), Sequence: uint64(i + 1), Blocks: a.Blocks})
	}
	return m
}

func TestWhatThreeArticlesHaveInCommonGoesFromTheFourth(t *testing.T) {
	t.Parallel()
	fourth := own(9) + "<p>" + promo + " Call 99.</p>"
	for n, stays := range []bool{true, true, true, false} {
		text, a := through(t, taught(t, n).Known(), "Report nine | The Example House", fourth)
		if strings.Contains(text, promo) != stays {
			t.Errorf("after %d articles: %q", n, text)
		}
		if !strings.Contains(text, "nobody else") || !strings.Contains(text, "end of its own") {
			t.Errorf("after %d articles its own text is gone: %q", n, text)
		}
		if want := map[bool]string{true: "Report nine | The Example House", false: "Report nine"}[stays]; a.Title != want {
			t.Errorf("after %d articles the title is %q", n, a.Title)
		}
		if len(a.Blocks) != 8*4 {
			t.Errorf("after %d articles %d bytes of hashes: what goes is noted as well", n, len(a.Blocks))
		}
	}
}

func TestThePartsOfASeriesAreNoSite(t *testing.T) {
	t.Parallel()
	m := NewMemory()
	for n := range 6 {
		_, a := through(t, m.Known(), fmt.Sprintf("The series – Part %d", n), own(n))
		if want := fmt.Sprintf("The series – Part %d", n); a.Title != want {
			t.Errorf("part %d is called %q", n, a.Title)
		}
		m.Learn(Seen{Article: fmt.Sprint("a", n), Story: fmt.Sprint("s", n), Host: Host(address), Sequence: uint64(n + 1), Blocks: a.Blocks})
	}
}

func TestArticlesOfOneStoryCountOnce(t *testing.T) {
	t.Parallel()
	_, a := through(t, nil, "", own(0)+"<p>"+promo+"</p>")
	m := NewMemory()
	for i := range 6 {
		m.Learn(Seen{Article: fmt.Sprint(i), Story: fmt.Sprint("s", i/3), Host: "example.org", Sequence: uint64(i + 1), Blocks: a.Blocks})
	}
	if n := m.Known().Len(); n != 0 {
		t.Errorf("two stories in six articles make %d blocks known", n)
	}
	m.Learn(Seen{Article: "7", Story: "third", Host: "example.org", Sequence: 7, Blocks: a.Blocks})
	if n := m.Known().Len(); n != 3 {
		t.Errorf("three stories make %d blocks known", n)
	}
}

func TestOfAHostThatIsKnownWellAShareCounts(t *testing.T) {
	t.Parallel()
	m := NewMemory()
	common := hashBlock(promo)
	for i := range window {
		list := []uint64{hashBlock(own(i))}
		if i < 5 {
			list = append(list, common)
		}
		m.Learn(Seen{Article: fmt.Sprint(i), Story: fmt.Sprint(i), Host: "h", Sequence: uint64(i + 1), Blocks: pack(list)})
		if got, want := m.Known().Len() == 1, i >= 2 && i < 16; got != want { // 5 of 17 are less than 30 %
			t.Errorf("after %d articles the block of the first five is known: %v", i+1, got)
		}
	}
}

func TestNeverMoreThanFortyPercentGo(t *testing.T) {
	t.Parallel()
	a, b := "One sentence that stands in all of them, word by word.", "Two sentences that stand in all of them, word by word."
	known := &Known{hosts: map[string]map[uint64]int{"example.org": {hashBlock(a): 9, hashBlock(b): 4}}}
	mine := "<p>And this is my own, not longer than that one above.</p>"
	text, _ := through(t, known, "", "<p>"+b+"</p><p>"+a+"</p>"+mine)
	if strings.Contains(text, a) || !strings.Contains(text, b) {
		t.Errorf("what was seen most often goes, and the rest stays once the share is used up: %q", text)
	}
	if text, _ := through(t, known, "", "<p>"+a+"</p>"); text != a {
		t.Errorf("an article that has nothing else lost it: %q", text)
	}
}

func TestWhatComesBackByChanceStays(t *testing.T) {
	t.Parallel()
	blocks := "<h2>What this means for you</h2><p>Short and good.</p><ul><li>two spoons of the best olive oil</li></ul><table><tr><td>goals and points of all the teams so far in this year</td></tr></table>"
	m := NewMemory()
	for i := range 4 {
		_, a := through(t, nil, "", own(i)+blocks)
		m.Learn(Seen{Article: fmt.Sprint(i), Story: fmt.Sprint(i), Host: "example.org", Sequence: uint64(i + 1), Blocks: a.Blocks})
	}
	text, _ := through(t, m.Known(), "", blocks+own(7))
	for _, stays := range []string{"What this means", "Short and good", "olive oil", "goals and points"} {
		if !strings.Contains(text, stays) {
			t.Errorf("%q is gone", stays)
		}
	}
	// The same heading at the end has nothing below it.
	if text, _ := through(t, m.Known(), "", own(7)+"<h2>What this means for you</h2>"); strings.Contains(text, "What this means") {
		t.Errorf("a known heading above nothing stayed: %q", text)
	}
}

func TestOfABookTheEndsAreLookedAt(t *testing.T) {
	t.Parallel()
	var book strings.Builder
	for i := range 3 * maxEdge {
		fmt.Fprintf(&book, "<p>Chapter %s goes on as the one before.</p>", strings.Repeat("x", i%100+1))
	}
	text, a := through(t, taught(t, 4).Known(), "", book.String()+"<p>"+promo+" Call 3.</p>")
	if strings.Contains(text, promo) || strings.Count(text, "Chapter") != 3*maxEdge || len(a.Blocks) != 8*maxBlocks {
		t.Errorf("%d chapters, %d bytes of hashes, the promotion stayed: %v", strings.Count(text, "Chapter"), len(a.Blocks), strings.Contains(text, promo))
	}
}

func TestTheMemoryForgets(t *testing.T) {
	t.Parallel()
	m := taught(t, 3)
	m.Learn(Seen{Article: "a1", Sequence: 4}) // as a tombstone does
	if m.Known().Len() != 0 {
		t.Error("a deleted article still counts")
	}
	m = taught(t, 3)
	m.ForgetBefore(2)
	if m.Known().Len() != 0 {
		t.Error("an evicted article still counts")
	}
	m = taught(t, 3)
	m.Learn(Seen{Article: "a1", Story: "s1", Host: "example.org", Sequence: 9, Blocks: pack([]uint64{2})})
	if m.Known().Len() != 0 {
		t.Error("a former revision still counts")
	}
	m.ForgetBefore(100)
	if len(m.hosts) != 0 || len(m.where) != 0 {
		t.Errorf("%d hosts and %d articles are left of none", len(m.hosts), len(m.where))
	}
}

func TestTheMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := NewMemory()
	for i := range MaxHosts + 10 {
		m.Learn(Seen{Article: fmt.Sprint(i), Story: "s", Host: fmt.Sprint("h", i), Sequence: uint64(i + 1), Blocks: pack([]uint64{2})})
	}
	if len(m.hosts) != MaxHosts || m.hosts["h9"] != nil || m.hosts["h10"] == nil {
		t.Errorf("%d hosts; those with the oldest articles go first", len(m.hosts))
	}
	for i := range 100 {
		m.Learn(Seen{Article: fmt.Sprint("b", i), Story: fmt.Sprint(i), Host: "one", Sequence: uint64(10_000 + i), Blocks: pack([]uint64{2})})
	}
	if n := len(m.hosts["one"].list); n != window {
		t.Errorf("%d articles of one host", n)
	}
	var long []uint64
	for i := range 1000 {
		long = append(long, uint64(2*i))
	}
	if got := unpack(pack(long)); len(got) != maxBlocks || got[0] != 0 || got[maxBlocks-1] != 1998 {
		t.Errorf("%d hashes of a long article", len(got))
	}
}

func TestKnowledgeIsTheSameForTheSameArticles(t *testing.T) {
	t.Parallel()
	a, b := taught(t, 9), NewMemory()
	for i := 8; i >= 0; i-- {
		e := a.hosts["example.org"].list[i]
		b.Learn(Seen{Article: fmt.Sprint("a", i), Story: fmt.Sprint("s", i), Host: "example.org", Sequence: e.sequence, Blocks: pack(e.blocks)})
	}
	x, y := a.Known(), b.Known()
	if !bytes.Equal(x.Encode(), y.Encode()) || x.Version() != y.Version() || x.Version() == "" {
		t.Errorf("learnt in another order: %s, %s", x.Version(), y.Version())
	}
	z, err := Decode(x.Encode())
	if err != nil || z.Version() != x.Version() || z.Len() != x.Len() {
		t.Errorf("read again: %v, %v", z, err)
	}
	if (&Known{}).Version() != "" || (*Known)(nil).Len() != 0 {
		t.Error("no knowledge has a version")
	}
	for _, bad := range []string{"", "{}", `{"format":2}`, `{"format":1,"hosts":{"a":"AAAA"}}`} {
		if _, err := Decode([]byte(bad)); err == nil {
			t.Errorf("%q is read as knowledge", bad)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"format":1,"hosts":{"a":"AAAAAAAAAAAA"}}`))
	f.Add([]byte(`{"format":1,"hosts":{},"sources":{"s":{"de":40,"en":10}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := Decode(data)
		if err != nil {
			return
		}
		again, err := Decode(k.Encode())
		if err != nil || again.Version() != k.Version() {
			t.Errorf("what was read cannot be read again: %v", err)
		}
	})
}
