package readers

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
)

func storyID(n int) string { return article.Digest(article.IDLength, "story", fmt.Sprint(n)) }

// publish posts a story to the list.
func (w *world) publish(n int, revision uint64, title string, tags ...string) {
	w.t.Helper()
	entry := map[string]any{
		"title": title, "summary": "About " + title, "url": fmt.Sprintf("https://example.org/%d", n), "source": map[string]string{"id": "wire", "title": "The Wire"},
		"published": w.now().Format(time.RFC3339),
	}
	var list []map[string]string
	for _, tag := range tags {
		list = append(list, map[string]string{"id": tag, "label": tag})
	}
	entry["tags"] = list
	body, err := json.Marshal(entry)
	if err != nil {
		w.t.Fatal(err)
	}
	p := event.Post{
		Channel: "letter", Network: "list", Story: storyID(n), Article: storyID(n), Revision: revision, Action: event.ActionCreate, FirstSeen: w.now(),
		Published: w.now(), Title: title, URL: fmt.Sprintf("https://example.org/%d", n), Text: title, Request: event.Request{Body: body}, Hash: event.Hash(body),
	}
	w.emit(event.TypePost, p.Revision, p.Story, p)
	w.taken()
}

// withdraw takes a story back.
func (w *world) withdraw(n int, revision uint64) {
	w.emit(event.TypeWithdrawn, revision, storyID(n), event.Withdrawn{Channel: "letter", Network: "list", Story: storyID(n), Article: storyID(n), Revision: revision})
	w.taken()
}

func (w *world) emit(typ string, revision uint64, story string, payload any) {
	w.t.Helper()
	subject, err := event.PostSubject("letter", story)
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := event.Encode(subject, event.Envelope{
		Type: typ, ID: event.PostID("letter", story, revision), Source: "publish", Time: w.now(), Article: story, Version: event.Version{Revision: revision},
	}, payload)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.bus.Emit(w.t.Context(), m); err != nil {
		w.t.Fatal(err)
	}
}

// taken waits until all posts stand in the ledger.
func (w *world) taken() {
	w.t.Helper()
	b := w.server.Bus(w.t, "deliver")
	until(w.t, "the posts in the ledger", func() bool {
		l, err := b.Backlog(w.t.Context(), event.StreamPosts, event.ChannelConsumer("letter").Name)
		return err == nil && l.Lag() == 0
	})
}

// titles are the stories that a mail tells, in its order.
func titles(text string) (list []string) {
	for _, found := range regexp.MustCompile(`(?m)story-\w+`).FindAllString(text, -1) {
		if !slices.Contains(list, found) {
			list = append(list, found)
		}
	}
	return list
}
