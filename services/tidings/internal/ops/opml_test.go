package ops

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/services/tidings/internal/opml"
)

// What an export says of a source an import understands as the same, through the file between them.
func TestAnExportIsReadBackAsItWas(t *testing.T) {
	t.Parallel()
	list := []SourceDefinition{
		{ID: "plain", URL: "https://example.org/feed"},
		{
			ID: "full", URL: "https://example.org/feed?a=1&b=<2>", Title: "Ä & \"B\"", Tags: []string{"a,b", "c/d", "e"}, Syndicate: "headline", Rights: "© X\nY",
			Language: "de", Fulltext: "always", Every: "15m0s", WebSub: "off", Deletions: "vanished",
			Filters: &SourceFilters{Drop: []string{`title ~ (?i)<b>|\bx`, "tag ~ y"}, Keep: []string{"url ~ ."}},
		},
	}
	var outlines []opml.Outline
	for _, d := range list {
		o, err := outline(d, "what the feed calls itself")
		if err != nil {
			t.Fatal(err)
		}
		outlines = append(outlines, o)
	}
	var file bytes.Buffer
	if err := opml.Write(&file, outlines); err != nil {
		t.Fatal(err)
	}
	read, err := opml.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	var got []SourceDefinition
	for _, o := range read {
		d, err := definition(o)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, d)
	}
	if diff := cmp.Diff(list, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnAttributeThatNoExportWrote(t *testing.T) {
	t.Parallel()
	if _, err := definition(opml.Outline{URL: "https://example.org/", Own: map[string]string{"id": "x", "filters": "title"}}); err == nil {
		t.Error("a broken attribute was taken")
	}
}
