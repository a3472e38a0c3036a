package parse

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mmcdole/gofeed"
)

// documents are feeds as sites write them: 20 entries with six paragraphs each.
func documents() map[string][]byte {
	paragraph := "<p>The team answered every letter within a day, and <a href=\"/more?a=1&amp;b=2\">those who wrote twice</a> were called; most of them stayed.</p>"
	var rss, atom strings.Builder
	rss.WriteString(`<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Bench</title><link>https://example.org/</link><description>x</description>`)
	atom.WriteString(`<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><id>urn:bench</id><title>Bench</title><updated>2026-05-04T10:00:00Z</updated>`)
	for n := range 20 {
		body := strings.Repeat(paragraph, 6)
		fmt.Fprintf(&rss, `<item><title>Report %d &amp; more</title><link>https://example.org/%d?utm_source=feed</link><guid isPermaLink="false">id-%d</guid><dc:creator>Ada Example</dc:creator><pubDate>Mon, 04 May 2026 10:%02d:00 +0200</pubDate><category>care</category><category>week</category><description>What the week has shown.</description><content:encoded><![CDATA[%s]]></content:encoded></item>`, n, n, n, n, body)
		fmt.Fprintf(&atom, `<entry><id>urn:bench:%d</id><title>Report %d</title><link href="https://example.org/%d"/><author><name>Ada Example</name></author><published>2026-05-04T10:%02d:00Z</published><updated>2026-05-04T10:%02d:00Z</updated><category term="care"/><summary>What the week has shown.</summary><content type="html">%s</content></entry>`, n, n, n, n, n, strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(body))
	}
	return map[string][]byte{"rss": []byte(rss.String() + "</channel></rss>"), "atom": []byte(atom.String() + "</feed>")}
}

// BenchmarkRead reads a document by the guard, the parser's own structs and our mapping, and the same document by the
// parser's universal form, which is the baseline.
func BenchmarkRead(b *testing.B) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for format, text := range documents() {
		b.Run(format, func(b *testing.B) {
			var ours, base time.Duration
			parser := gofeed.NewParser()
			for b.Loop() {
				begun := time.Now()
				if _, err := Read(text, Options{URL: "https://example.org/feed", Now: now}); err != nil {
					b.Fatal(err)
				}
				between := time.Now()
				if _, err := parser.Parse(bytes.NewReader(text)); err != nil {
					b.Fatal(err)
				}
				ours, base = ours+between.Sub(begun), base+time.Since(between)
			}
			b.ReportMetric(ours.Seconds()/base.Seconds(), "ratio")
			b.ReportMetric(float64(len(text)*b.N)/1e6/ours.Seconds(), "ours-MB/s")
			b.ReportMetric(float64(len(text)*b.N)/1e6/base.Seconds(), "baseline-MB/s")
		})
	}
}
