package mail

import (
	"bytes"
	"flag"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tidings.internal/pkg/fault"
)

var update = flag.Bool("update", false, "rewrite golden files")

// sample is a mail with all that a mail can have.
func sample() Message {
	return Message{
		ID: "3n2xnxk5c222b@news.example.org", Date: time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC),
		From: "Bücher & mehr <news@example.org>", ReplyTo: "editors@example.org", To: "reader@example.net",
		Subject:  "Neues über Bücher – 29. November 2026: sechs Nachrichten aus Verlagen, Bibliotheken und Antiquariaten",
		Text:     "Grüße\n\n.Punkt am Anfang\nhttps://example.org/a?x=1&y=2\n\n" + strings.Repeat("lang ", 60) + "\n",
		HTML:     "<!DOCTYPE html>\n<html lang=\"de\"><body><p>Grüße</p><a href=\"https://example.org/a?x=1&amp;y=2\">" + strings.Repeat("lang ", 60) + "</a></body></html>\n",
		Language: "de", ListID: "letter.news.example.org", ListName: "Bücher & mehr",
		Unsubscribe: "https://news.example.org/newsletter/one-click/" + strings.Repeat("abcdefgh", 10), Auto: true,
	}
}

func compose(t testing.TB, m Message) []byte {
	t.Helper()
	raw, err := Compose(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestMailIsTheGolden(t *testing.T) {
	t.Parallel()
	got := compose(t, sample())
	name := filepath.Join("testdata", "mail.golden")
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("mail (-want +got):\n%s", diff)
	}
}

func TestEqualMessagesAreEqualBytes(t *testing.T) {
	t.Parallel()
	one, two := compose(t, sample()), compose(t, sample())
	if !bytes.Equal(one, two) {
		t.Error("two runs differ")
	}
	other := sample()
	other.Date = other.Date.In(time.FixedZone("", 3600))
	if !bytes.Equal(one, compose(t, other)) {
		t.Error("another zone of the same instant is another mail")
	}
}

func TestBoundaryStandsInNoPart(t *testing.T) {
	t.Parallel()
	m := sample()
	first := m.boundary()
	m.Text += "--" + first + "--\n"
	m.HTML += "<p>--" + m.boundary() + "</p>\n"
	if _, parts := read(t, compose(t, m)); len(parts) != 2 || parts["text/plain; charset=UTF-8"] != m.Text || parts["text/html; charset=UTF-8"] != m.HTML {
		t.Errorf("parts %q", parts)
	}
}

// read takes a mail apart with the standard library.
func read(t testing.TB, raw []byte) (netmail.Header, map[string]string) {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %q: %v", kind, err)
	}
	parts := map[string]string{}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return m.Header, parts
		}
		if err != nil {
			t.Fatal(err)
		}
		if enc := p.Header.Get("Content-Transfer-Encoding"); enc != "quoted-printable" {
			t.Errorf("encoding %q", enc)
		}
		data, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		parts[p.Header.Get("Content-Type")] = strings.ReplaceAll(string(data), "\r\n", "\n")
	}
}

func TestMailReadsBackAsItWas(t *testing.T) {
	t.Parallel()
	m := sample()
	raw := compose(t, m)
	h, parts := read(t, raw)
	words := new(mime.WordDecoder)
	decoded := func(name string) string {
		text, err := words.DecodeHeader(h.Get(name))
		if err != nil {
			t.Error(err)
		}
		return text
	}
	want := map[string]string{
		"Subject": m.Subject, "From": "Bücher & mehr <news@example.org>", "To": "<reader@example.net>", "Reply-To": "<editors@example.org>",
		"Message-Id": "<" + m.ID + ">", "Date": "Sun, 29 Nov 2026 06:00:00 +0000", "Mime-Version": "1.0", "Content-Language": "de",
		"List-Id": "Bücher & mehr <letter.news.example.org>", "List-Unsubscribe": "<" + m.Unsubscribe + ">",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "Auto-Submitted": "auto-generated",
	}
	got := map[string]string{}
	for name := range h {
		if name != "Content-Type" {
			got[name] = decoded(name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"text/plain; charset=UTF-8": m.Text, "text/html; charset=UTF-8": m.HTML}, parts); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	for line := range strings.SplitSeq(string(raw), "\r\n") {
		if len(line) > 78 && !strings.Contains(line, "https://") || !ascii(line) {
			t.Errorf("line of %d bytes: %q", len(line), line)
		}
	}
}

func TestMailOfNoListHasNoHeadersOfOne(t *testing.T) {
	t.Parallel()
	m := sample()
	m.ListID, m.ListName, m.Unsubscribe, m.Auto, m.ReplyTo, m.Language = "", "", "", false, "", ""
	h, _ := read(t, compose(t, m))
	for name := range h {
		if strings.HasPrefix(name, "List-") || name == "Auto-Submitted" || name == "Reply-To" || name == "Precedence" || name == "User-Agent" {
			t.Errorf("there is a header %s", name)
		}
	}
}

func TestHostileTextEndsNoHeader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ subject, want string }{
		{"a\r\nBcc: all@example.org", "a Bcc: all@example.org"},
		{"a\nb\tc\u2028d\u0000e\u202ef", "a b c def"},
		{"=?utf-8?q?Your_bank?=", "= ?utf-8?q?Your_bank?="},
		{"what =? does", "what =? does"},
		{"a\xffb", "a\uFFFDb"},
		{strings.Repeat("ä", 390), strings.Repeat("ä", 390)},
	} {
		m := sample()
		m.Subject = c.subject
		h, _ := read(t, compose(t, m))
		got, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
		if err != nil || got != c.want || len(h) != 13 {
			t.Errorf("%q became %q (%v) among %d headers", c.subject, got, err, len(h))
		}
	}
}

func TestMessagesThatAreNoMailAreRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Message){
		"id with a break":         func(m *Message) { m.ID = "a@b\r\nBcc: x" },
		"id without a domain":     func(m *Message) { m.ID = "a" },
		"no date":                 func(m *Message) { m.Date = time.Time{} },
		"from with a break":       func(m *Message) { m.From = "News\r\nBcc: x@example.org <news@example.org>" },
		"from without an address": func(m *Message) { m.From = "News" },
		"two in from":             func(m *Message) { m.From = "a@example.org, b@example.org" },
		"reply to nobody":         func(m *Message) { m.ReplyTo = "nobody" },
		"no recipient":            func(m *Message) { m.To = "" },
		"two recipients":          func(m *Message) { m.To = "a@example.org, b@example.org" },
		"recipient with a break":  func(m *Message) { m.To = "a@example.org\r\nBcc: b@example.org" },
		"no subject":              func(m *Message) { m.Subject = " \n" },
		"endless subject":         func(m *Message) { m.Subject = strings.Repeat("x", 801) },
		"no text":                 func(m *Message) { m.Text = "" },
		"no html":                 func(m *Message) { m.HTML = "\n" },
		"list id with a bracket":  func(m *Message) { m.ListID = "a.b> <c.d" },
		"language with a break":   func(m *Message) { m.Language = "de\r\nX: y" },
		"unsubscribe over http":   func(m *Message) { m.Unsubscribe = "http://example.org/x" },
		"unsubscribe by script":   func(m *Message) { m.Unsubscribe = "javascript:x" },
		"unsubscribe with more":   func(m *Message) { m.Unsubscribe = "https://example.org/x>, <mailto:a@example.org" },
		"unsubscribe and a break": func(m *Message) { m.Unsubscribe = "https://example.org/x\r\nBcc: a@example.org" },
	} {
		m := sample()
		change(&m)
		_, err := Compose(m)
		if fault.KindOf(err) != fault.Invalid || err != nil && strings.Contains(err.Error(), "@example") && !strings.Contains(err.Error(), "write it as") {
			t.Errorf("%s: %v, want invalid and no address", name, err)
		}
	}
}

// Whatever a feed says, it stands in its own header or part and nowhere else.
func TestNoTextChangesTheFormOfAMail(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		m := sample()
		m.Subject = rapid.StringN(1, 100, 400).Draw(r, "subject")
		m.ListName = rapid.StringN(0, 60, 200).Draw(r, "list")
		m.Text = rapid.String().Draw(r, "text")
		m.HTML = rapid.String().Draw(r, "html")
		raw, err := Compose(m)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				r.Fatal(err)
			}
			return
		}
		h, parts := read(t, raw)
		if len(h) != 13 || len(parts) != 2 {
			r.Fatalf("%d headers and %d parts:\n%s", len(h), len(parts), raw)
		}
		for line := range bytes.SplitSeq(raw, []byte("\r\n")) {
			if len(line) > 998 || bytes.ContainsAny(line, "\r\n") {
				r.Fatalf("line %q", line)
			}
		}
	})
}

func TestDomainBeyondASCIINeedsNoSpecialServer(t *testing.T) {
	t.Parallel()
	m := sample()
	m.To = "reader@bücher.example"
	h, _ := read(t, compose(t, m))
	if got := h.Get("To"); got != "<reader@xn--bcher-kva.example>" {
		t.Errorf("To is %s", got)
	}
}
