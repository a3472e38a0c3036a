package audience

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheLatestWordOfEachServiceCounts(t *testing.T) {
	t.Parallel()
	var c Counter
	for _, s := range []struct{ feed, kind, agent string }{
		{"all", "rss", "Feedly/1.0 (+http://www.feedly.com/fetcher.html; 400 subscribers; like FeedFetcher-Google)"},
		{"all", "rss", "Feedly/1.0 (+http://www.feedly.com/fetcher.html; 462 subscribers; like FeedFetcher-Google)"},
		{"all", "atom", "Feedly/1.0 (+http://www.feedly.com/fetcher.html; 8 subscribers; like FeedFetcher-Google)"},
		{"all", "rss", "Inoreader/1.0 (+http://www.inoreader.com/feed-fetcher; 1 Subscriber; )"},
		{"all", "json", "Feedbin feed-id:123 - 26 subscribers"},
		{"all", "json", "Feedbin feed-id:123 - 27 subscribers"},
		{"all", "rss", "newsboat/2.21.0 (Linux x86_64)"},
		{"all", "rss", "unsubscribers 12"},
		{"all", "rss", ""},
		{"crm", "rss", "NewsBlur Feed Fetcher - 3 subscribers - https://www.newsblur.com"},
		{"crm", "rss", "Liar/1.0 (99999999999 subscribers)"},
		{"crm", "rss", strings.Repeat("x", longest) + " 5 subscribers"},
	} {
		c.Saw(s.feed, s.kind, s.agent)
	}
	want := []Count{{Feed: "all", Services: 3, Readers: 498}, {Feed: "crm", Services: 1, Readers: 3}}
	if diff := cmp.Diff(want, c.Take()); diff != "" {
		t.Error(diff)
	}
	if again := c.Take(); again != nil {
		t.Errorf("an hour later it still says %v", again)
	}
}

func TestMadeUpNamesAreBounded(t *testing.T) {
	t.Parallel()
	var c Counter
	for n := range 2 * mostFeeds {
		c.Saw(fmt.Sprint("feed", n), "rss", "A/1 (1 subscribers)")
		c.Saw("feed0", "rss", fmt.Sprintf("B%d/1 (1 subscribers)", n))
	}
	list := c.Take()
	if len(list) != mostFeeds || list[0].Feed != "feed0" || list[0].Services != mostServices {
		t.Errorf("%d feeds, the first with %d services", len(list), list[0].Services)
	}
}
