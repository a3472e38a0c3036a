package ops

import "testing"

func TestABundleHidesWhatGrantsAccess(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		`"url": "https://me:pass@feeds.example.org/a?key=1&x=2#top",`:   `"url": "https://***@feeds.example.org/a?***#top",`,
		`poll "https://feeds.example.org/?k=1": it ended`:               `poll "https://feeds.example.org/?***": it ended`,
		`https://joe:p@ssw0rd@host.example.org/feed`:                    `https://***@host.example.org/feed`,
		`https://news.example.org/t/abcDEF-_1/feeds/all.rss`:            `https://news.example.org/t/***/feeds/all.rss`,
		`NATS at nats://token@10.0.0.1:4222, really?`:                   `NATS at nats://***@10.0.0.1:4222, really?`,
		`is this all? write to me@example.org: https://example.org/@me`: `is this all? write to me@example.org: https://example.org/@me`,
	} {
		if got := string(hide([]byte(given))); got != want {
			t.Errorf("%s became %s, want %s", given, got, want)
		}
	}
}
