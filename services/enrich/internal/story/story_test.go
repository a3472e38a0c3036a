package story

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
)

// replica opens the stories of a bucket and follows it until the test ends.
func replica(t *testing.T, bucket Bucket) *Stories {
	t.Helper()
	s := New(bucket)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Watch(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

func memory(t *testing.T) *Stories {
	t.Helper()
	return replica(t, NewMemory())
}

func place(t *testing.T, s *Stories, d Document) article.Story {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if d.Revision == 0 {
		d.Revision = 1
	}
	got, err := s.Place(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

var vocabulary = strings.Fields(`Rat Stadt Bahnhof Gleis Umbau Kosten Jahr Bürger Plan Brücke Fluss Radweg Schule Klasse Lehrer Museum Bild Halle Turm Markt Händler
	Preis Ernte Bauer Feld Regen Sonne Wind Strom Netz Leitung Firma Werk Schicht Lohn Vertrag Gericht Urteil Klage Anwalt Verein Spiel Tor Trainer Platz`)

// prose makes a text of n words; the same seed makes the same text.
func prose(seed uint64, n int) []string {
	r := rand.New(rand.NewPCG(seed, 7))
	out := make([]string, n)
	for i := range out {
		out[i] = vocabulary[r.IntN(len(vocabulary))]
	}
	return out
}

// changed replaces every k-th word.
func changed(list []string, k int) []string {
	out := append([]string(nil), list...)
	for i := 0; i < len(out); i += k {
		out[i] = fmt.Sprintf("anders%d", i)
	}
	return out
}

func text(list []string) string { return strings.Join(list, " ") }

func TestRelations(t *testing.T) {
	t.Parallel()
	long := prose(1, 400)
	for _, c := range []struct {
		name string
		b    Document
		want string
	}{
		{"the same address", Document{URL: "http://www.example.org/a/", Text: "kurz"}, article.RelationExact},
		{"the same guid in the same source", Document{Source: "s", GUID: "g", Text: "kurz"}, article.RelationExact},
		{"the same guid in another source", Document{Source: "t", GUID: "g", Text: "kurz"}, article.RelationNew},
		{"the same title and text", Document{Title: "T", Text: text(long)}, article.RelationExact},
		{"a few words changed", Document{Title: "U", Text: text(changed(long, 25))}, article.RelationDuplicate},
		{"cut short", Document{Title: "U", Text: text(long[:150])}, article.RelationVersion},
		{"another text", Document{Title: "T", Text: text(prose(2, 400))}, article.RelationNew},
		{"the front page", Document{URL: "https://example.org/", Text: "kurz"}, article.RelationNew},
	} {
		s := memory(t)
		a := Document{Article: "a", Source: "s", URL: "https://example.org/a", GUID: "g", Title: "T", Text: text(long), FirstSeen: 5}
		place(t, s, a)
		c.b.Article, c.b.FirstSeen = "b", 9
		got := place(t, s, c.b)
		story, seen := "a", int64(5)
		if c.want == article.RelationNew {
			story, seen = "b", 9
		}
		if got.Relation != c.want || got.ID != story || got.FirstSeen.UnixMilli() != seen {
			t.Errorf("%s: %+v, want %s of %s", c.name, got, c.want, story)
		}
	}
}

func TestTablesAreNeverMerged(t *testing.T) {
	t.Parallel()
	s := memory(t)
	table := func(day int) string {
		var b strings.Builder
		for i := range 80 {
			fmt.Fprintf(&b, "Aktie%d %d,%d %d ", i%40, i*day, day, i)
		}
		return b.String()
	}
	for day := 1; day < 4; day++ {
		d := Document{Article: fmt.Sprint("tag", day), Title: "Kurse", Text: table(day)}
		if got := place(t, s, d); got.Relation != article.RelationNew {
			t.Errorf("day %d: %+v", day, got)
		}
	}
}

func TestSmallStepsDoNotChain(t *testing.T) {
	t.Parallel()
	s := memory(t)
	list := prose(3, 400)
	first := place(t, s, Document{Article: "n0", Text: text(list)})
	last := first
	for i := 1; i < 8; i++ {
		part := i * 50
		copy(list[part:part+50], prose(uint64(100+i), 50))
		last = place(t, s, Document{Article: fmt.Sprint("n", i), Text: text(list)})
	}
	if last.ID == first.ID {
		t.Error("a text that shares nothing with the first one tells its story")
	}
}

func TestTheLongestVersionOfAReportSpeaksForItToo(t *testing.T) {
	t.Parallel()
	s := memory(t)
	report := prose(5, 400)
	place(t, s, Document{Article: "flash", Title: "F", Text: text(report[:80])})
	for _, c := range []struct {
		id, text, story, other string
	}{
		{"short", text(report[20:150]), "flash", "flash"},
		{"report", text(report), "flash", "flash"},
		{"copy", text(report[100:]), "flash", "report"},       // nothing of the flash is in it
		{"likewise", text(report[90:330]), "flash", "report"}, // nor here, and it is more like the copy
		{"step", text(append(report[150:400:400], prose(6, 150)...)), "flash", "report"},
		{"far", text(prose(6, 150)), "far", ""}, // like a member that is neither
	} {
		if got := place(t, s, Document{Article: c.id, Title: c.id, Text: c.text}); got.ID != c.story || got.Other != c.other {
			t.Errorf("%s: story %q by %q (%s), want %q by %q", c.id, got.ID, got.Other, got.Relation, c.story, c.other)
		}
	}
}

func TestAnArticleOfTwoStoriesJoinsOneAndNamesTheOther(t *testing.T) {
	t.Parallel()
	one, two := prose(1, 300), prose(2, 200)
	for name, bridge := range map[string]Document{
		"a round-up of two reports":                     {Title: "U", Text: text(append(one[:300:300], two...))},
		"the guid of one report at the other's address": {Source: "s", GUID: "g", URL: "https://example.org/two", Text: "kurz"},
	} {
		s := memory(t)
		place(t, s, Document{Article: "one", Source: "s", GUID: "g", URL: "https://example.org/one", Title: "S", Text: text(one)})
		if got := place(t, s, Document{Article: "two", Source: "t", GUID: "g", URL: "https://example.org/two", Title: "T", Text: text(two)}); got.ID != "two" || got.Also != nil {
			t.Fatalf("the second report: %+v", got)
		}
		bridge.Article = "bridge"
		if got := place(t, s, bridge); got.ID != "one" || !slices.Equal(got.Also, []string{"two"}) {
			t.Errorf("%s: %+v, want the first story and a word of the second", name, got)
		}
		last := Document{Article: "last", Title: "V", Text: text(changed(two, 25))}
		if got := place(t, s, last); got.ID != "two" {
			t.Errorf("%s, then the second report again: %+v", name, got)
		}
	}
}

func TestAnswersAreSticky(t *testing.T) {
	t.Parallel()
	bucket := NewMemory()
	s := replica(t, bucket)
	place(t, s, Document{Article: "a", URL: "https://example.org/1"})
	place(t, s, Document{Article: "b", URL: "https://example.org/2"})
	// The second revision has the address of another article: the story stays.
	if got := place(t, s, Document{Article: "b", Revision: 2, URL: "https://example.org/1"}); got.ID != "b" {
		t.Errorf("the story of b became %s", got.ID)
	}
	if err := s.Forget(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := bucket.Read(t.Context(), claimKey("b", 1)); ok {
		t.Error("the claim of the older revision is still there")
	}
	// A replica that starts now knows the old address from the claim that is left.
	fresh := replica(t, bucket)
	if got := place(t, fresh, Document{Article: "c", URL: "https://example.org/2"}); got.ID != "b" {
		t.Errorf("an article under b's first address has the story %s", got.ID)
	}
}

func TestADeletedArticleKeepsItsNames(t *testing.T) {
	t.Parallel()
	s := memory(t)
	long := text(prose(4, 200))
	place(t, s, Document{Article: "a", URL: "https://example.org/1", Text: long})
	story, err := s.Bury(t.Context(), "a", 2)
	if err != nil || story != "a" {
		t.Fatalf("Bury = %q, %v", story, err)
	}
	if err := s.Forget(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got := place(t, s, Document{Article: "b", URL: "https://example.org/1"}); got.ID != "a" {
		t.Errorf("the same address is a new story %s", got.ID)
	}
	if got := place(t, s, Document{Article: "c", Title: "x", Text: text(changed(prose(4, 200), 40))}); got.ID != "c" {
		t.Errorf("a like text was drawn to the deleted story %s", got.ID)
	}
	if story, err := s.Bury(t.Context(), "unknown", 1); err != nil || story != "" {
		t.Errorf("Bury of an unknown article = %q, %v", story, err)
	}
}

// crashing is a bucket whose writes fail now and then, before or after they took effect, like a process that is killed
// there and a message that comes again.
type crashing struct {
	Bucket
	mu     sync.Mutex
	random *rand.Rand
}

func (c *crashing) fate() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.IntN(6)
}

func (c *crashing) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	switch c.fate() {
	case 0:
		return 0, context.DeadlineExceeded
	case 1:
		if _, err := c.Bucket.Create(ctx, key, value); err != nil {
			return 0, err
		}
		return 0, context.DeadlineExceeded
	}
	return c.Bucket.Create(ctx, key, value)
}

func TestThreeReplicasAgreeUnderCrashes(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	var replicas []*Stories
	for i := range 3 {
		bucket := server.Bus(t, "enrich").Bucket(event.BucketStories)
		replicas = append(replicas, replica(t, &crashing{Bucket: bucket, random: rand.New(rand.NewPCG(uint64(i), 1))}))
	}
	const stories, copies = 40, 3
	var mu sync.Mutex
	answers := map[string]map[string]bool{} // article -> story ids that were ever given
	var group sync.WaitGroup
	for r, s := range replicas {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(r), 2))
			for _, n := range random.Perm(stories * copies) {
				d := Document{Article: fmt.Sprintf("s%dc%d", n%stories, n/stories), Revision: 1, Title: fmt.Sprint(n), Text: text(changed(prose(uint64(n%stories), 200), 30+n/stories))}
				if n%3 == 0 {
					d.URL = fmt.Sprintf("https://example.org/%d", n%stories)
				}
				for {
					got, err := s.Place(t.Context(), d)
					if err != nil {
						if t.Context().Err() != nil {
							return
						}
						continue
					}
					mu.Lock()
					if answers[d.Article] == nil {
						answers[d.Article] = map[string]bool{}
					}
					answers[d.Article][got.ID] = true
					mu.Unlock()
					break
				}
			}
		})
	}
	group.Wait()
	told := map[string]map[string]bool{} // story number -> ids
	for id, given := range answers {
		if len(given) != 1 {
			t.Errorf("article %s was given the stories %v", id, given)
		}
		number, _, _ := strings.Cut(id, "c")
		if told[number] == nil {
			told[number] = map[string]bool{}
		}
		for s := range given {
			told[number][s] = true
		}
	}
	for number, ids := range told {
		if len(ids) != 1 {
			t.Errorf("copies of %s have the stories %v", number, ids)
		}
	}
	// A replica that starts after all this gives the same answers.
	late := replica(t, server.Bus(t, "enrich").Bucket(event.BucketStories))
	for id, given := range answers {
		if got := place(t, late, Document{Article: id}); !given[got.ID] {
			t.Errorf("after a restart %s has the story %s, was %v", id, got.ID, given)
		}
	}
}

func TestOldTextsLeaveTheWindow(t *testing.T) {
	t.Parallel()
	x := newIndex()
	x.leveled() // a start looks less often
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	show := func(seq uint64, id string, when time.Time) {
		value := fmt.Sprintf(`{"aliases":["x%s"],"seen":1,"sketch":%q}`, id, encode(newSketch(tokens(text(prose(9, 100))))))
		x.apply(bus.Entry{Key: claimKey(id, 1), Value: []byte(value), Revision: seq, Created: when})
	}
	show(1, "a", at)
	show(2, "b", at.Add(8*24*time.Hour))
	if got := x.candidates(x.docs["b"]); len(got) != 0 {
		t.Errorf("an article of eight days ago is a candidate: %v", got)
	}
	if x.docs["a"].sketch != nil {
		t.Error("its sketch is still held")
	}
	show(3, "c", at.Add(70*24*time.Hour))
	if x.docs["a"] != nil || x.aliases.one["xa"] != nil {
		t.Error("an article that the bucket forgot is still held")
	}
}

func encode(s *sketch) string { return base64.StdEncoding.EncodeToString(s.bytes()) }

func BenchmarkPlace(b *testing.B) {
	list := tokens(text(prose(5, 800)))
	for b.Loop() {
		newSketch(list)
	}
}
