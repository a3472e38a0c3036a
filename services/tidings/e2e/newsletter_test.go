package e2e

import (
	"bufio"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/hosttest"
	"tidings.internal/pkg/origintest"
)

// postOffice is a mail server that keeps what it is given.
type postOffice struct {
	port int
	mu   sync.Mutex
	raw  []string
}

func newPostOffice(t *testing.T) *postOffice {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &postOffice{port: l.Addr().(*net.TCPAddr).Port}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

func (p *postOffice) serve(c net.Conn) {
	defer c.Close()
	say := func(line string) bool {
		_, err := io.WriteString(c, line+"\r\n")
		return err == nil
	}
	say("220 mail.example.org")
	var body *strings.Builder
	for in := bufio.NewScanner(c); in.Scan(); {
		line := in.Text()
		verb, _, _ := strings.Cut(line, " ")
		switch {
		case body != nil && line == ".":
			p.mu.Lock()
			p.raw = append(p.raw, body.String())
			p.mu.Unlock()
			body = nil
			say("250 taken")
		case body != nil:
			body.WriteString(strings.TrimPrefix(line, ".") + "\n")
		case verb == "DATA":
			body = &strings.Builder{}
			say("354 go on")
		default:
			if !say("250 mail.example.org") {
				return
			}
		}
	}
}

// mails are those that were taken, without the encoding of their bodies and the folding of their headers.
func (p *postOffice) mails() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]string, len(p.raw))
	for i, raw := range p.raw {
		text, _ := io.ReadAll(quotedprintable.NewReader(strings.NewReader(strings.ReplaceAll(raw, "\n ", " "))))
		list[i] = string(text)
	}
	return list
}

// send sends a form to a page, as anybody could.
func sendForm(t *testing.T, address, path string, form url.Values) (int, string) {
	t.Helper()
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.PostForm("http://"+address+path, form)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// The whole way of a reader, with a kill after each step: the page, the mail that asks, the confirmation, an article, its
// mail, the click that ends it, and no mail any more.
func TestAReaderSubscribesReadsAndLeavesThroughKills(t *testing.T) {
	t.Parallel()
	origin, office := origintest.New(t), newPostOffice(t)
	source := origin.Feed("one").Describe("One", "en").Add(item(0))
	dir, address := t.TempDir(), hosttest.Address(t)
	write(t, filepath.Join(dir, "tidings.yaml"), fmt.Sprintf(`site: {title: Test, url: "https://news.example.org", language: en}
publish: {listen: %q}
ingest: {allow_networks: [127.0.0.0/8], revision_gap: 0s, hosts: {%q: {concurrency: 4, gap: 0s}}}
sources: [{id: one, url: %q, every: 300ms}]
deliver: {readers: {key: planted-key-of-the-readers-of-this-test}}
channels: [{id: letter, network: list, title: The Letter, from: News <news@news.example.org>, smtp: {host: 127.0.0.1, port: %d, tls: none}, allow_private: true}]
`, address, origin.Addr(), source.URL(origintest.RSS), office.port))
	known := []string{item(0).Title}
	begin := func() *process {
		t.Helper()
		p := start(t, dir, []string{"TIDINGS_ADMIN__LISTEN=127.0.0.1:0"}, "run")
		p.awaitReady(t)
		titles(t, p, known...)
		return p
	}
	await := func(p *process, n int) string {
		t.Helper()
		within(t, 40*time.Second, fmt.Sprint(n, " mails"), func() (bool, string) {
			return len(office.mails()) >= n, fmt.Sprint(len(office.mails()), p.errors(), verb(t, dir, 0, "subscribers", "list", "--json"))
		})
		return office.mails()[n-1]
	}
	state := func(want string) {
		t.Helper()
		within(t, 40*time.Second, "the reader to be "+want, func() (bool, string) {
			out := verb(t, dir, 0, "subscribers", "list")
			return strings.Contains(out, " "+want+" "), out
		})
	}
	link := func(mail, kind string) string {
		t.Helper()
		found := regexp.MustCompile(`https://news\.example\.org(/newsletter/` + kind + `/[a-z0-9]+)`).FindStringSubmatch(mail)
		if found == nil {
			t.Fatalf("no link to %s in %s", kind, mail)
		}
		return found[1]
	}

	p := begin()
	if status, body := sendForm(t, address, "/newsletter/letter", url.Values{"address": {"planted@example.com"}, "period": {"immediate"}, "lang": {"en"}}); status != http.StatusOK {
		t.Fatalf("the form is answered by %d %s", status, body)
	}
	p.kill()
	p = begin()
	question := await(p, 1)
	if !strings.Contains(question, "Auto-Submitted: auto-generated") || strings.Contains(question, "List-Unsubscribe") || strings.Contains(question, item(0).Title) {
		t.Errorf("the first mail is %s", question)
	}
	if status, _ := sendForm(t, address, link(question, "confirm"), url.Values{"lang": {"en"}}); status != http.StatusOK {
		t.Fatalf("the confirmation is answered by %d", status)
	}
	p.kill()
	p = begin()
	state("confirmed")
	source.Add(item(1))
	known = append(known, item(1).Title)
	news := await(p, 2)
	if !strings.Contains(news, item(1).Title) || !strings.Contains(news, "List-Unsubscribe-Post: List-Unsubscribe=One-Click") || strings.Contains(news, item(0).Title) {
		t.Errorf("the mail is %s", news)
	}
	if status, body, _ := get("http://" + address + link(news, "preferences")); status != http.StatusOK || !strings.Contains(string(body), "p***@example.com") || strings.Contains(string(body), "planted@") {
		t.Errorf("the preferences are %d %s", status, body)
	}
	p.kill()
	p = begin()
	if status, _ := sendForm(t, address, link(news, "one-click"), url.Values{"List-Unsubscribe": {"One-Click"}}); status != http.StatusOK {
		t.Fatalf("the click is answered by %d", status)
	}
	p.kill()
	p = begin()
	state("left")
	source.Add(item(2))
	known = append(known, item(2).Title)
	titles(t, p, known...)
	within(t, 20*time.Second, "the article to be listed", func() (bool, string) {
		out := verb(t, dir, 0, "deliveries", "list", "--channel", "letter")
		return strings.Count(out, " listed ") == 3, out
	})
	if out := verb(t, dir, 0, "subscribers", "test", "letter", "other@example.com"); !strings.Contains(out, "sent") {
		t.Errorf("a test prints %q", out)
	}
	if test := await(p, 3); !strings.Contains(test, "Subject: [Test] The Letter") || !strings.Contains(test, item(2).Title) {
		t.Errorf("the test is %s", test)
	}
	if n := len(office.mails()); n != 3 {
		t.Errorf("%d mails", n)
	}
	if text := p.errors() + verb(t, dir, 0, "subscribers", "list", "--json") + verb(t, dir, 0, "status", "--json"); strings.Contains(text, "planted") {
		t.Errorf("an address or a key is shown: %s", text)
	}
}
