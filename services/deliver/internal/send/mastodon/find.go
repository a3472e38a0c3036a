package mastodon

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
)

const (
	// findMost bounds a search. 40 is the most that the API gives at once; findFew fit into any answer.
	findMost  = 200
	findLimit = "40"
	findFew   = "5"
	// findBefore is how much the server's clock may be behind ours.
	findBefore = 2 * time.Minute
)

// Find looks for the post of a job among the account's own, newest first, back to just before its request began.
func (m *sender) Find(ctx context.Context, j send.Job) (ledger.Remote, bool, error) {
	m.mu.Lock()
	id := m.id
	m.mu.Unlock()
	if id == "" {
		who, err := m.Probe(ctx)
		if err != nil {
			return ledger.Remote{}, false, err
		}
		id = who.ID
	}
	wanted := newWanted(j)
	query := url.Values{"limit": {findLimit}, "exclude_reblogs": {"true"}}
	var byLink *status
	for seen := 0; seen < findMost; {
		page, err := m.page(ctx, id, query)
		if err != nil {
			return ledger.Remote{}, false, fmt.Errorf("look for post of channel %s: %w", m.Channel, err)
		}
		reached := len(page) == 0
		for _, s := range page {
			if s.Created.Before(j.Started.Add(-findBefore)) {
				reached = true
				continue // a pinned or an imported post may stand out of order
			}
			if wanted.text(s) {
				return s.remote(), true, nil
			}
			if byLink == nil && wanted.link(s) {
				byLink = new(s)
			}
		}
		if reached || !idForm.MatchString(page[len(page)-1].ID) {
			break
		}
		query.Set("max_id", page[len(page)-1].ID)
		seen += len(page)
	}
	if byLink != nil {
		return byLink.remote(), true, nil
	}
	return ledger.Remote{}, false, nil
}

// page reads one page of the account's posts. When it is longer than an answer may be, what was cut off might be the
// very post: it is asked again in smaller pages.
func (m *sender) page(ctx context.Context, account string, query url.Values) ([]status, error) {
	path := "/api/v1/accounts/" + account + "/statuses"
	answer, err := m.call(ctx, http.MethodGet, path, query, nil, "")
	if err == nil && answer.Partial {
		query.Set("limit", findFew)
		answer, err = m.call(ctx, http.MethodGet, path, query, nil, "")
	}
	if err != nil {
		return nil, err
	}
	var page []status
	if err := json.Unmarshal(answer.Body, &page); err != nil {
		return nil, fault.Errorf(fault.Malformed, "the answer is no list of posts")
	}
	return page, nil
}

// wanted is what a post of ours looks like.
type wanted struct {
	words string
	links []string
}

var (
	linkForm = regexp.MustCompile(`https?://[^\s<>"]+`)
	hrefForm = regexp.MustCompile(`href="([^"]*)"`)
	tagForm  = regexp.MustCompile(`<[^>]*>`)
	breaks   = strings.NewReplacer("</p>", " ", "<br>", " ", "<br/>", " ", "<br />", " ")
)

func newWanted(j send.Job) wanted {
	text := j.Post.Text
	w := wanted{words: letters(text), links: linkForm.FindAllString(text, -1)}
	if j.Post.URL != "" {
		w.links = append(w.links, j.Post.URL)
	}
	return w
}

// text reports whether a status says the same. Servers shorten links and wrap mentions and hashtags in markup, so the
// shown text is compared without white space.
func (w wanted) text(s status) bool {
	shown := letters(html.UnescapeString(tagForm.ReplaceAllString(breaks.Replace(s.Content), "")))
	return w.words != "" && shown == w.words
}

// link reports whether a status links to the same article.
func (w wanted) link(s status) bool {
	for _, m := range hrefForm.FindAllStringSubmatch(s.Content, -1) {
		if slices.Contains(w.links, html.UnescapeString(m[1])) {
			return true
		}
	}
	return false
}

// letters leaves white space out.
func letters(s string) string { return strings.Join(strings.Fields(s), "") }
