package story

import (
	"bufio"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"tidings.internal/services/enrich/internal/story/copies"
)

// textsFile holds texts of one's own for [TestAlteredCopiesAreFound], each in a line with a JSON string.
var textsFile = flag.String("story.texts", "", "file with one JSON string a line, instead of generated texts")

// written are texts of the generator, or those of the file.
func written(t *testing.T, n int) []string {
	t.Helper()
	if *textsFile == "" {
		return copies.NewWriter(1).Texts(n)
	}
	f, err := os.Open(*textsFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // it was only read
	var out []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var s string
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		// Shorter ones are told by exact names only, which is not what is measured here.
		if len(tokens(s)) >= minProse {
			out = append(out, s)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAlteredCopiesAreFound(t *testing.T) {
	t.Parallel()
	got, err := copies.Measure(written(t, 1000), func() copies.Place {
		s := memory(t)
		return func(id, title, text string) (string, error) {
			return place(t, s, Document{Article: id, Title: title, Text: text}).ID, nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range got.Kinds {
		t.Logf("%-17s recall %.4f, %d of %d taken for another one", k.Name, k.Recall, k.Wrong, 2*got.Texts)
	}
	t.Logf("copies of %d texts: precision %.4f, recall %.4f", got.Texts, got.Precision, got.Recall)
	if got.Recall < 0.93 || got.Precision < 0.995 {
		t.Errorf("precision %.4f (want 0.995), recall %.4f (want 0.93)", got.Precision, got.Recall)
	}
}
