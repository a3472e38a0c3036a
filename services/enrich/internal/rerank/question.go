package rerank

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"tidings.internal/services/enrich/internal/pipeline"
)

const (
	// leadWords is how many words from the start of the text are shown, as many as the taxonomy takes for the lead, and
	// maxLead bounds them in runes: not every script parts its words.
	leadWords, maxLead = 70, 1000
	// maxText is how many runes of a text are shown in full: some 3,000 tokens, which small models take, too.
	maxText = 12_000
)

// question is what the model is asked: what it sees of an article, and the tags it may keep.
type question struct {
	Title      string      `json:"title"`
	Text       string      `json:"text"` // or its beginning
	Language   string      `json:"language"`
	Candidates []candidate `json:"candidates"`
}

type candidate struct {
	ID    string `json:"id"`
	Label string `json:"label"`
}

func (r *Ranker) question(d *pipeline.Draft) question {
	a := &d.Article
	q := question{Title: a.Title, Language: a.Language.Code}
	end := maxText
	if !r.FullText {
		end = maxLead
		if list := d.Words.Body; len(list) > leadWords {
			end = min(maxLead, list[leadWords-1].End)
		}
	}
	q.Text = first(a.Text, end)
	for _, t := range a.Tags {
		if !decided(t) {
			q.Candidates = append(q.Candidates, candidate{t.ID, t.Name(q.Language)})
		}
	}
	return q
}

// first cuts a text behind n runes.
func first(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// wording rises with any change of the question's form, so that an answer to another form is not taken for one to this.
const wording = 1

// key names the question and whom it goes to.
func (q question) key(model string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %q %q %q %q", wording, model, q.Title, q.Text, q.Language)
	for _, c := range q.Candidates {
		fmt.Fprintf(h, " %q %q", c.ID, c.Label)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
