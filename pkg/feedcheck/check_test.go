package feedcheck

import (
	"os"
	"strings"
	"testing"
	"time"
)

// broken is the good document with one change, and the rule that the change breaks.
type broken struct{ rule, old, new string }

func TestEveryRuleSeesItsBrokenDocument(t *testing.T) {
	t.Parallel()
	for format, list := range map[string][]broken{
		"rss": {
			{"NotWellFormed", "</item>", ""},
			{"NotWellFormed", `length="0"`, `length="0" length="0"`},
			{"BadCharacters", "Short", "Sh\x1bort"},
			{"BadCharacters", "Short", "Sh\xffort"},
			{"BadCharacters", "Short", "Sh\u0085ort"},
			{"NotRSS", `version="2.0"`, `version="3.0"`},
			{"UnknownNamespace", "http://search.yahoo.com/mrss/", "http://example.org/media"},
			{"MissingElement", "<description>All is well</description>", ""},
			{"DuplicateElement", "<guid", "<guid>urn:two</guid><guid"},
			{"DuplicateElement", "<enclosure", `<enclosure url="https://example.org/b.mp3" length="1" type="audio/mpeg"/><enclosure`},
			{"UndefinedElement", "<category>", "<managingEditor>x</managingEditor><category>"},
			{"UndefinedElement", "<ttl>60</ttl>", "<pubdate>60</pubdate>"},
			{"RelativeURI", "<link>https://example.org/1<", "<link>/1<"},
			{"InvalidURI", "<link>https://example.org/1<", "<link>https://example.org/ü<"},
			{"InvalidURI", "<link>https://example.org/1<", "<link>javascript:alert(1)<"},
			{"AuthorWithoutAddress", "<category>", "<author>Jane</author><category>"},
			{"MissingAttribute", ` url="https://origin.example/feed"`, ""},
			{"MissingAttribute", ` length="0"`, ""},
			{"BadMediaType", `type="audio/mpeg"`, `type="sound"`},
			{"MissingId", `<guid isPermaLink="false">urn:one</guid>`, ""},
			{"DuplicateId", "</channel>", `<item><title>x</title><guid isPermaLink="false">urn:one</guid></item></channel>`},
			{"FalsePermalink", ` isPermaLink="false"`, ""},
			{"BadAttribute", `isPermaLink="false"`, `isPermaLink="no"`},
			{"BadDate", "Mon, 02 Nov 2026 09:00:00 GMT", "2026-11-02"},
			{"BadWeekday", "Mon, 02 Nov 2026 09:00:00 GMT", "Tue, 02 Nov 2026 09:00:00 GMT"},
			{"FutureDate", "Mon, 02 Nov 2026 09:00:00 GMT", "Mon, 01 Nov 2027 09:00:00 GMT"},
			{"ImplausibleDate", "Mon, 02 Nov 2026 09:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"},
			{"ItemMustHaveTitleOrDescription", "</channel>", "<item><guid isPermaLink=\"false\">urn:two</guid></item></channel>"},
			{"BadLanguage", "<dc:language>de<", "<dc:language>deutsch!<"},
			{"BadNumber", "<ttl>60<", "<ttl>often<"},
			{"ImageTooLarge", "<width>88<", "<width>200<"},
			{"ImageDiffers", "<title>Good</title><link>https://example.org/feeds/good</link><width>", "<title>Logo</title><link>https://example.org/feeds/good</link><width>"},
			{"MissingSelf", `rel="self"`, `rel="via"`},
			{"BadHistory", "<ttl>60</ttl>", `<ttl>60</ttl><atom:link rel="next-archive" href="https://example.org/a.rss"/>`},
			{"BadHistory", "<ttl>60</ttl>", `<ttl>60</ttl><fh:archive xmlns:fh="http://purl.org/syndication/history/1.0"/>`},
			{"BadHistory", "<ttl>60</ttl>", `<ttl>60</ttl><atom:link rel="prev-archive" href="https://example.org/feeds/good.rss"/>`},
			{"WrongSelf", `href="https://example.org/feeds/good.rss"`, `href="https://example.org/feeds/bad.rss"`},
			{"DescriptionAfterContent", "<description>Short</description>", ""},
			{"ContainsHTML", "One &#x26; &#x3C;two", "One &#x3C;b>two"},
			{"ContainsHTML", "One &#x26; &#x3C;two", "One &amp;amp; two"},
			{"SecurityRisk", "<p>Long", "<script>x</script><p>Long"},
			{"SecurityRisk", "<p>Long", "<p onclick='x'>Long"},
			{"SecurityRisk", "<p>Long", "<iframe src='https://example.org/'></iframe><p>Long"},
			{"DangerousStyle", "<p>Long", "<p style='x'>Long"},
			{"RelativeReference", `href="https://example.org/x"`, `href="x.html"`},
			{"TooDeep", "<p>Long", strings.Repeat("<div>", 10) + "<p>Long"},
		},
		"atom": {
			{"NotAtom", "<feed xmlns=\"http://www.w3.org/2005/Atom\"", "<feed xmlns=\"http://purl.org/atom/ns#\""},
			{"MissingElement", "<id>urn:uuid:2</id>", ""},
			{"MissingElement", "<updated>2026-11-02T10:00:00Z</updated><author>", "<author>"},
			{"MissingElement", "<name>Joe</name>", ""},
			{"MissingAuthor", "<author><name>Jane</name></author>", ""},
			{"DuplicateId", "<id>urn:uuid:2</id>", "<id>urn:uuid:1</id>"},
			{"RelativeURI", "<id>urn:uuid:2</id>", "<id>two</id>"},
			{"MissingAttribute", `term="crm" `, ""},
			{"BadDate", "2026-11-02T09:00:00Z", "2026-11-02"},
			{"FutureDate", "2026-11-02T09:00:00Z", "2027-11-02T09:00:00Z"},
			{"DuplicateAlternate", "<content", `<link href="https://example.org/2" rel="alternate" type="text/html" hreflang="de"/><content`},
			{"MissingAlternate", `<content type="html"><![CDATA[<p>Long</p>]]></content>`, ""},
			{"BadLanguage", `<entry xml:lang="de"`, `<entry xml:lang="d"`},
			{"BadAttribute", `<content type="html"`, `<content type="markdown"`},
			{"WrongSelf", "feeds/good.atom", "feeds/x.atom"},
			{"ContainsHTML", "<summary>Short", "<summary>&lt;b>Short"},
			{"InvalidURI", "https://example.org/joe", "https://example.org/j oe"},
			{"MissingElement", "<title>Origin</title>", ""},
		},
		"json": {
			{"NotWellFormed", `]}]}`, `]}]`},
			{"NotJSONFeed", "version/1.1", "version/2"},
			{"UndefinedElement", `"tags"`, `"categories"`},
			{"MissingElement", `"content_html":"<p>Long</p>",`, ""},
			{"MissingElement", `"title":"Good",`, ""},
			{"MissingElement", `,"mime_type":"audio/mpeg"`, ""},
			{"MissingElement", `{"name":"Jane"}`, `{}`},
			{"MissingElement", `"items":[`, `"_items":[`},
			{"MissingId", `"id":"urn:one",`, ""},
			{"RelativeURI", `"url":"https://example.org/1"`, `"url":"/1"`},
			{"BadDate", "2026-11-02T09:00:00Z", "yesterday"},
			{"BadTag", `["CRM"]`, `[""]`},
			{"BadLanguage", `"language":"de","_source"`, `"language":"d","_source"`},
			{"WrongSelf", "feeds/good.json", "feeds/x.json"},
			{"SecurityRisk", "<p>Long", "<p onload='x'>Long"},
			{"ContainsHTML", `"title":"One"`, `"title":"<b>One</b>"`},
		},
	} {
		good, err := os.ReadFile("testdata/good." + format)
		if err != nil {
			t.Fatal(err)
		}
		check := map[string]func([]byte, Expect) []Problem{"rss": RSS, "atom": Atom, "json": JSON}[format]
		expect := Expect{Self: "https://example.org/feeds/good." + format, Now: time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)}
		for _, p := range check(good, expect) {
			t.Errorf("%s: the good document breaks %s", format, p)
		}
		for _, b := range list {
			t.Run(format+" "+b.rule, func(t *testing.T) {
				if !strings.Contains(string(good), b.old) {
					t.Fatalf("the good document does not hold %q", b.old)
				}
				doc := strings.Replace(string(good), b.old, b.new, 1)
				if b.rule == "DescriptionAfterContent" {
					doc = strings.Replace(doc, "</content:encoded>", "</content:encoded><description>Short</description>", 1)
				}
				if b.rule == "MissingAlternate" {
					doc = strings.Replace(doc, `<link href="https://example.org/1" rel="alternate" type="text/html" hreflang="de"/>`, "", 1)
				}
				if b.rule == "MissingAuthor" {
					doc = strings.Replace(doc, "<author><name>Joe</name><uri>https://example.org/joe</uri></author>", "", 1)
				}
				problems := check([]byte(doc), expect)
				for _, p := range problems {
					if p.Rule == b.rule {
						return
					}
				}
				t.Errorf("the rule sees nothing; found %v", problems)
			})
		}
	}
}
