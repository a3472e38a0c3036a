package app

import (
	"context"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/cause"
	"tidings.internal/services/ingest/internal/discover"
	"tidings.internal/services/ingest/internal/fetch"
	"tidings.internal/services/ingest/internal/parse"
	"tidings.internal/services/ingest/internal/poll"
)

const (
	// onlineAtOnce is how many sources are tried at a time, onlineLimit how long one may take, its turn at the host included.
	onlineAtOnce = 16
	onlineLimit  = 2 * time.Minute
)

// CheckOnline fetches every source of the configuration once, as a poll would and as politely, and keeps nothing. What is no
// feed, or does not answer, becomes a problem of the source. The document was found good before. It returns how many were tried.
func CheckOnline(ctx context.Context, doc *config.Doc) (tried int, err error) {
	s := read(doc)
	client, err := newClient(s)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	fetcher, gate := fetch.New(client), web.NewGate(web.GateConfig{Hosts: hosts(s.ingest.Hosts)})
	found := make([]string, len(s.sources))
	var group errgroup.Group
	group.SetLimit(onlineAtOnce)
	for i, src := range s.sources {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, onlineLimit)
			defer cancel()
			found[i] = try(ctx, src, fetcher, gate)
			return nil
		})
	}
	_ = group.Wait() // each has its sentence in the list
	for i, text := range found {
		if text != "" {
			doc.At("sources", i, "url").Problemf("%s", text)
		}
	}
	return len(s.sources), ctx.Err()
}

// opens names the key that opens what we do not reach by ourselves.
var opens = map[web.Reason]string{web.RefusedAddress: "ingest.allow_networks", web.RefusedPort: "ingest.allow_ports"}

// try says what is wrong with a source now, "" when nothing is.
func try(ctx context.Context, src *poll.Source, fetcher *fetch.Fetcher, gate *web.Gate) string {
	a, err := fetcher.Get(ctx, fetch.Request{URL: src.URL, Options: src.Options, MaxBody: int64(src.HTTP.MaxBody), Enter: gate.Enter})
	if err == nil {
		defer a.Done()
		_, err = parse.Read(a.Text, parse.Options{
			URL: a.URL, ContentLocation: a.Header.Get("Content-Location"), ContentLanguage: a.Header.Get("Content-Language"), Now: time.Now(),
		})
	}
	if err == nil {
		return ""
	}
	reason := cause.Of(err)
	if reason == cause.Ours {
		return err.Error()
	}
	text := reason.Row().Sentence + ": " + err.Error()
	if key := opens[web.Reason(reason)]; key != "" {
		text += "; " + key + " opens it"
	}
	if reason == cause.NotAFeed && a != nil {
		var feeds []string
		for _, f := range discover.Feeds(a.Text, a.URL) {
			feeds = append(feeds, f.URL)
		}
		if len(feeds) > 0 {
			text += "; it names the feeds " + strings.Join(feeds, ", ")
		}
	}
	return text
}
