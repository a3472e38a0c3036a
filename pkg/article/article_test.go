package article

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestIDsAreStableAndDistinct(t *testing.T) {
	t.Parallel()
	// The literal pins the algorithm: a change of it would give every stored article a new id and post it again.
	if got, want := NewID("crm-blog", "https://blog.example.com/1"), "l6wugkqzo7f44npzaqtdpzpwr5"; got != want {
		t.Errorf("NewID = %q, want %q", got, want)
	}
	if NewID("ab", "c") == NewID("a", "bc") {
		t.Error("the border between source and key is lost")
	}
	if !ValidID(NewID("a", "b")) || ValidID("ABC") || ValidID("") {
		t.Error("ValidID does not know its own ids")
	}
	if Partition("Example.org") != Partition("example.org") || !ValidPartition(Partition("x")) {
		t.Error("a partition depends on the case of the host")
	}
	for _, host := range []string{"", "a", "example.org", "ü.example"} {
		if s := Shard(host); s < 0 || s >= Shards {
			t.Errorf("Shard(%q) = %d", host, s)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "crm-blog", "0_x", strings.Repeat("a", 48)} {
		if err := CheckName(good); err != nil {
			t.Errorf("CheckName(%q): %v", good, err)
		}
	}
	for _, bad := range []string{"", "-a", "A", "a.b", "a b", "a*", "a>", "ü", strings.Repeat("a", 49), "a\n"} {
		if CheckName(bad) == nil {
			t.Errorf("CheckName(%q) accepts it", bad)
		}
	}
}

func TestCutKeepsCharactersWhole(t *testing.T) {
	t.Parallel()
	for limit := range len("aüß€😀") + 2 {
		got, cut := Cut("aüß€😀", limit)
		if len(got) > limit || !strings.HasPrefix("aüß€😀", got) || cut != (limit < len("aüß€😀")) || strings.ContainsRune(got, '\uFFFD') {
			t.Errorf("Cut at %d = %q, %v", limit, got, cut)
		}
	}
}

func TestSyndicateTakesTheStricter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want Syndicate }{
		{Full, Headline, Headline}, {Headline, Full, Headline}, {Excerpt, Full, Excerpt}, {"", "", Full}, {"", Excerpt, Excerpt},
	} {
		if got := c.a.Lesser(c.b); got != c.want {
			t.Errorf("%q.Lesser(%q) = %q, want %q", c.a, c.b, got, c.want)
		}
	}
	var s Syndicate
	if s.UnmarshalText([]byte("all")) == nil {
		t.Error("a word of no meaning is accepted from a configuration")
	}
	if err := json.Unmarshal([]byte(`"later"`), &s); err != nil || s != "later" {
		t.Errorf("an event from a newer writer is refused: %v", err)
	}
}

func TestWhenNeverLiesInTheFuture(t *testing.T) {
	t.Parallel()
	seen := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	past, future := seen.Add(-time.Hour), seen.Add(time.Hour)
	for _, c := range []struct {
		published *time.Time
		want      time.Time
	}{{nil, seen}, {&past, past}, {&future, seen}} {
		a := Article{Published: c.published, FirstSeen: seen}
		if got := a.When(); !got.Equal(c.want) {
			t.Errorf("When with published %v = %v, want %v", c.published, got, c.want)
		}
	}
}

func TestTagNameFallsBack(t *testing.T) {
	t.Parallel()
	tag := Tag{ID: "ki", Label: map[string]string{"de": "Künstliche Intelligenz", "en": "Artificial intelligence"}}
	for lang, want := range map[string]string{"de": "Künstliche Intelligenz", "de-CH": "Künstliche Intelligenz", "fr": "Artificial intelligence"} {
		if got := tag.Name(lang); got != want {
			t.Errorf("Name(%q) = %q, want %q", lang, got, want)
		}
	}
	if got := (&Tag{ID: "x", Label: map[string]string{"pl": "b", "it": "a"}}).Name("sv"); got != "a" {
		t.Errorf("Name without the language = %q, want the first by code", got)
	}
	if got := (&Tag{ID: "x"}).Name("de"); got != "x" {
		t.Errorf("Name without labels = %q", got)
	}
}

func TestGenerationOrdersEngineBeforeVocabulary(t *testing.T) {
	t.Parallel()
	a, b, c := Versions{Engine: 1, Vocabulary: 9}, Versions{Engine: 2, Vocabulary: 1}, Versions{Engine: 2, Vocabulary: 2}
	if !(a.Generation() < b.Generation() && b.Generation() < c.Generation()) {
		t.Error("generations do not rise with engine, then vocabulary")
	}
}
