package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/origintest"
	"tidings.internal/services/tidings/internal/embedded"
)

// Every verb prints what its golden file holds: testdata/golden/VERB.golden is the transcript of its calls against a small
// instance, each with its exit code, and with "!" before what it says on stderr. The verbs come from the grammar, so a new
// one fails here until it is called. "go test ./services/tidings/internal/cli -run Golden -update" writes them anew.
func TestGoldenOutputOfEveryVerb(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.beforeTheStart()
	i.start()
	i.look()
	i.act()
	i.stop()
	i.restore()
	i.compare()
}

// Only run has no --json: it is the process itself, and its log is JSON already.
func TestEveryVerbPrintsJSON(t *testing.T) {
	t.Parallel()
	for path, flags := range leaves(t) {
		if path != "run" && !slices.Contains(flags, "json") {
			t.Errorf("tidings %s has no --json", path)
		}
	}
}

// leaves are the verbs of the grammar that do something, with the names of their flags.
func leaves(t *testing.T) map[string][]string {
	t.Helper()
	parser, err := kong.New(&grammar{}, kong.Name("tidings"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, n := range parser.Model.Leaves(false) {
		var words, flags []string
		for at := n; at != nil && at.Type == kong.CommandNode; at = at.Parent {
			words = append([]string{at.Name}, words...)
		}
		for _, f := range n.Flags {
			flags = append(flags, f.Name)
		}
		all[strings.Join(words, " ")] = flags
	}
	if len(all) < 40 {
		t.Fatalf("only %d verbs: %v", len(all), slices.Sorted(maps.Keys(all)))
	}
	return all
}

// instance is a Tidings with one source of two articles and two channels: the posts of "held" wait for a person, the
// address of "dead" answers 400.
type instance struct {
	*testing.T
	dir, config, data string
	origin            *origintest.Origin
	sink              *httptest.Server
	verbs             map[string][]string
	transcripts       map[string]*bytes.Buffer
	names             []string // pairs of a text and what stands for it
	admin             string
	end               func()
}

func newInstance(t *testing.T) *instance {
	i := &instance{T: t, dir: t.TempDir(), origin: origintest.New(t), verbs: leaves(t), transcripts: map[string]*bytes.Buffer{}}
	i.config, i.data = filepath.Join(i.dir, "tidings.yaml"), filepath.Join(i.dir, "data")
	i.sink = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	t.Cleanup(i.sink.Close)
	i.origin.Feed("news").Describe("News", "en")
	i.origin.Feed("more").Describe("More", "en")
	i.write("crm.csv", "id,lang,pref\ncrm,en,customer relationship management\ncrm,de,Kundenpflege\n")
	i.write("more.csv", "id,lang,pref\nbakery,en,rye\n")
	i.write("bad.yaml", "site: {titel: Example}\nsources: [{id: A, url: nowhere}]\n")
	i.write("away.yaml", "sources: [{id: news, url: http://127.0.0.1:1/feed}]\nchannels: [{id: hook, network: webhook, url: http://127.0.0.1:1/in}]\nnats: {url: nats://127.0.0.1:1}\n")
	i.write("list.opml", fmt.Sprintf(`<opml version="2.0"><body><outline text="bread"><outline text="More" xmlUrl=%q/></outline><outline text="bad" xmlUrl="gopher://example.org/"/></body></opml>`, i.origin.Feed("more").URL(origintest.Atom)))
	mail := busyMailServer(t)
	i.write("tidings.yaml", fmt.Sprintf(`site: {title: Example, url: "https://feeds.example.org/", language: en}
publish: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
log: {level: error}
ingest: {allow_networks: [127.0.0.0/8], hosts: {%q: {concurrency: 1, gap: 0s}}}
enrich: {workers: 1}
taxonomy: {files: [crm.csv]}
sources: [{id: news, url: %q, every: 1h, fulltext: never}]
feeds: [{id: private, title: Private, private: true, tokens: [{name: eve, sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855}]}]
channels:
  - {id: dead, network: webhook, url: %q, allow_private: true, secret: whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}
  - {id: held, network: webhook, url: %[3]q, allow_private: true, approve: manual}
  - {id: letter, network: list, title: Letter, from: news@example.org, smtp: {host: 127.0.0.1, port: %d, tls: none}, allow_private: true, select: {tags: [nothing]}}
deliver: {readers: {key: a-key-of-the-tests-that-is-long-enough}}
`, i.origin.Addr(), i.origin.Feed("news").URL(origintest.RSS), i.sink.URL+"/in", mail))
	i.names = []string{i.dir, "DIR", i.origin.Addr(), "ORIGIN", i.sink.Listener.Addr().String(), "SINK", strconv.Itoa(mail), "MAIL"}
	return i
}

// busyMailServer greets, and takes no mail. It returns its port.
func busyMailServer(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.WriteString(c, "220 mail.example.org\r\n")
				for in := bufio.NewScanner(c); in.Scan(); {
					answer := "451 4.3.2 busy"
					if strings.HasPrefix(in.Text(), "EHLO") {
						answer = "250 mail.example.org"
					}
					if _, err := io.WriteString(c, answer+"\r\n"); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// publish puts the two articles into the feed, one after the other, so that everything has its number for sure.
func (i *instance) publish() {
	texts := []string{"The harbour crane lifts customer relationship management containers before dawn, and the crew sings. ", "Bakers measure rye against spelt, and the oven of the old mill hums through the night. "}
	for n, title := range []string{"Crane <b>lifts</b> at dawn", "Bakers measure rye"} {
		i.origin.Feed("news").Add(origintest.Item{
			ID: fmt.Sprint("item-", n), URL: fmt.Sprint("https://news.example.org/", n), Title: title, Content: "<p>" + strings.Repeat(texts[n], 6) + "</p>",
			Published: time.Now().Add(time.Duration(n-60) * time.Minute), // an old one would be a backfill, of which nothing is posted
		})
		i.quietly("sources refresh news")
		i.until("its posts to be held and failed", func() (bool, string) {
			list, letters := i.quietly("deliveries list"), i.quietly("dead list")
			done := strings.Count(list, " held ") == n+1 && strings.Count(list, " failed ") == n+1 && strings.Count(letters, "deliver ") == n+1
			return done, list + letters + i.quietly("status")
		})
	}
}

func (i *instance) write(name, text string) {
	i.Helper()
	if err := os.WriteFile(filepath.Join(i.dir, name), []byte(text), 0o600); err != nil {
		i.Fatal(err)
	}
}

// file is where a file of the instance lies.
func (i *instance) file(name string) string { return filepath.Join(i.dir, name) }

// call runs a verb, writes the transcript and returns what went to stdout.
func (i *instance) call(want int, line string, more ...string) string {
	i.Helper()
	args := append(strings.Fields(line), more...)
	verb := ""
	for n := range args {
		if path := strings.Join(args[:n+1], " "); i.verbs[path] != nil {
			verb = path
		}
	}
	if verb == "" {
		i.Fatalf("%q is no verb", line)
	}
	var out, errs bytes.Buffer
	code := Command(i.Context(), append(slices.Clone(args), "--config", i.config, "--data", i.data), nil, &out, &errs)
	if code != want {
		i.Errorf("tidings %v: exit code %d, want %d\n%s%s", args, code, want, out.String(), errs.String())
	}
	i.record(verb, args, code, out.String(), errs.String())
	return out.String()
}

func (i *instance) record(verb string, args []string, code int, out, errs string) {
	b := i.transcripts[verb]
	if b == nil {
		b = new(bytes.Buffer)
		i.transcripts[verb] = b
	}
	fmt.Fprintf(b, "$ tidings %s\n%s", strings.Join(args, " "), out)
	for line := range strings.Lines(errs) {
		b.WriteString("! " + line)
	}
	if code != 0 {
		fmt.Fprintf(b, "exit %d\n", code)
	}
	b.WriteString("\n")
}

// both calls a verb that changes nothing for people and for programs.
func (i *instance) both(want int, line string, more ...string) {
	i.Helper()
	i.call(want, line, more...)
	i.call(want, line, append(more, "--json")...)
}

// beforeTheStart calls what needs no running instance, and each exit code of one that is away.
func (i *instance) beforeTheStart() {
	i.both(0, "version")
	i.call(0, "init", i.file("bundle"))
	i.call(0, "init --json", i.file("bundle"))
	i.call(0, "init --keys", i.file("keys"))
	i.call(0, "init --json --rotate --keys", i.file("keys"))
	i.call(2, "init --rotate")
	i.call(1, "init", i.file("tidings.yaml"))
	i.both(0, "check")
	i.both(1, "check", i.file("bad.yaml"))
	i.both(0, "check --online")
	i.both(1, "check --online", i.file("away.yaml"))
	i.both(0, "config show channels")
	i.both(0, "config example log")
	i.call(0, "config schema")
	i.both(0, "feeds list")
	i.both(0, "feeds token private ada")
	i.call(0, "feeds token all")
	i.call(2, "feeds token private Ada")
	i.both(3, "feeds show private")
	i.both(0, "posts preview --channel dead")
	i.both(0, "topology plan")
	i.both(0, "topology apply")
	i.both(3, "status")
	i.call(2, "dead drop 1")
	i.call(2, "status --wat")
}

// start runs the instance, and waits until everything has come as far as it can.
func (i *instance) start() {
	i.Helper()
	ctx, cancel := context.WithCancel(i.Context())
	var out, errs lines
	var running sync.WaitGroup
	running.Go(func() {
		code := Command(ctx, []string{"run", "--config", i.config, "--data", i.data}, nil, &out, &errs)
		i.record("run", []string{"run"}, code, out.String(), errs.String())
	})
	i.end = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	i.Cleanup(i.end)
	i.until("ready", func() (bool, string) {
		return strings.Contains(out.String(), "ready in "), out.String() + errs.String()
	})
	i.admin = regexp.MustCompile(`admin: (\S+)`).FindStringSubmatch(out.String())[1]
	i.names = append(i.names, strings.TrimPrefix(i.admin, "http://"), "ADMIN")
	// A channel posts nothing that was seen before it.
	i.until("the channels", func() (bool, string) {
		s := i.quietly("channels list")
		return strings.Count(s, " sending") == 3, s
	})
	i.publish()
}

// quietly runs a verb that the transcripts do not show.
func (i *instance) quietly(line string) string {
	var out, errs bytes.Buffer
	Command(i.Context(), append(strings.Fields(line), "--config", i.config, "--data", i.data), nil, &out, &errs)
	return out.String() + errs.String()
}

func (i *instance) until(what string, try func() (bool, string)) {
	i.Helper()
	deadline, tick := time.After(time.Minute), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for {
		ok, state := try()
		if ok {
			return
		}
		select {
		case <-deadline:
			i.Fatalf("waited in vain for %s; last seen: %s", what, state)
		case <-tick.C:
		}
	}
}

// one and two are the articles of the source.
func (i *instance) one() string { return article.NewID("news", "id:item-0") }
func (i *instance) two() string { return article.NewID("news", "id:item-1") }

// look calls what changes nothing.
func (i *instance) look() {
	i.both(0, "health", i.admin)
	i.both(0, "health --alive", i.admin)
	i.both(1, "health", "http://127.0.0.1:1")
	i.both(0, "status")
	i.both(0, "sources test", i.origin.Feed("news").URL(origintest.RSS))
	i.both(0, "sources list")
	i.both(0, "sources show news")
	i.both(1, "sources show nowhere")
	i.both(0, "articles list")
	i.both(0, "articles list --source nowhere")
	i.both(0, "articles show", i.one())
	i.both(1, "articles show", article.NewID("news", "unknown"))
	i.both(0, "feeds show all")
	i.both(0, "feeds show private")
	i.both(1, "feeds show nowhere")
	i.both(0, "feeds check all")
	i.both(0, "feeds check private")
	i.both(1, "feeds check nowhere")
	i.both(0, "channels list")
	i.both(0, "channels show held")
	i.both(1, "channels show nowhere")
	i.both(0, "channels test dead")
	i.both(1, "channels test nowhere")
	i.both(0, "channels catchup held --last 2 --dry-run")
	i.both(0, "posts list")
	i.both(0, "posts show", "held/"+i.one())
	i.both(0, "posts preview --channel held --article", i.one())
	i.both(0, "deliveries list --channel held")
	i.both(0, "deliveries show", "dead/"+i.one())
	i.both(0, "subscriptions list")
	i.both(1, "subscriptions end", "nothing")
	i.both(0, "subscribers list")
	i.both(0, "taxonomy list")
	i.both(0, "taxonomy show crm")
	i.both(0, "taxonomy test", i.file("more.csv"))
	i.both(0, "taxonomy test --text", "Good customer relationship management\nA shop that knows what its customers bought.")
	i.both(0, "taxonomy test --language de --text", "Kundenpflege im Handwerk")
	i.call(0, "taxonomy test --text", "Nothing of that")
	i.call(2, "taxonomy test")
	i.call(2, "taxonomy test --language de", i.file("more.csv"))
	i.both(0, "taxonomy why", i.one())
	i.both(0, "taxonomy export")
	i.both(0, "taxonomy inbox")
	i.both(0, "replay --since 1h --dry-run")
	i.tail()
	i.both(0, "dead list")
}

// tail reads the two articles and has seen enough.
func (i *instance) tail() {
	for _, flag := range []string{"--body=false", "--json"} {
		ctx, stop := context.WithCancel(i.Context())
		out, errs := &counting{mark: "article.enriched.v1", done: stop}, new(bytes.Buffer)
		args := []string{"tail", "article.enriched.>", "--since", "1h", flag}
		code := Command(ctx, append(slices.Clone(args), "--config", i.config, "--data", i.data), nil, out, errs)
		i.record("tail", args, code, out.String(), errs.String())
		stop()
	}
}

// act calls what changes something.
func (i *instance) act() {
	b := i.bus()
	for n := range uint64(6) {
		bury(i.T, b, 1000+n)
	}
	i.both(0, "dead list")
	i.both(0, "dead show 2")
	i.both(1, "dead show 99")
	i.both(0, "dead retry --stage enrich --dry-run")
	i.both(0, "dead drop --stage publish --yes")
	i.call(0, "dead drop 1 --yes")
	i.call(4, "dead drop 2 99 --yes --json")
	i.call(0, "dead retry 3")
	i.call(4, "dead retry 4 99 --json")

	more := i.origin.Feed("more").URL(origintest.RSS)
	i.call(0, "sources add --id more --tags bread", more)
	i.call(0, "sources add --json", more)
	i.call(1, "sources add", "ftp://example.org/feed")
	for _, what := range []string{"pause", "resume", "refresh"} {
		i.both(0, "sources "+what+" more")
		i.both(1, "sources "+what+" nowhere")
	}
	i.call(0, "sources edit more every=2h")
	i.call(0, "sources edit more every=3h --json")
	i.both(0, "sources export")
	i.call(0, "sources remove more")
	i.call(4, "sources import --dry-run", i.file("list.opml"))
	id := regexp.MustCompile(`"id": "([a-z2-7]{16})"`).FindStringSubmatch(i.call(4, "sources import --dry-run --json", i.file("list.opml")))[1]
	i.names = append(i.names, id, "SOURCE") // made of the address
	i.call(4, "sources import", i.file("list.opml"))
	i.call(0, "sources remove --json", id)

	i.both(0, "channels pause dead")
	i.both(0, "channels resume dead")
	i.both(1, "channels pause nowhere")
	i.call(2, "channels rebind dead")
	i.both(0, "channels rebind dead --yes")
	i.call(0, "deliveries hold", "held/"+i.two())
	i.call(4, "deliveries hold --json", "held/"+i.two(), "dead/"+i.one())
	i.both(1, "deliveries now", "held/"+i.two())
	i.write("words.txt", "Other words.\n")
	i.both(1, "deliveries edit --file", i.file("words.txt"), "held/"+i.two())
	i.call(2, "deliveries delete", "dead/"+i.one())
	i.both(1, "deliveries delete --yes", "dead/"+i.one())
	i.call(0, "deliveries reject", "held/"+i.one())
	i.call(4, "deliveries reject --json", "held/"+i.one(), "held/aaaaaaaaaaaaaaaaaaaaaaaaaa")
	i.both(1, "deliveries approve", "held/"+i.one())
	i.both(1, "deliveries resolve --not-sent", "held/"+i.one())
	i.call(2, "deliveries resolve", "held/"+i.one())
	i.call(0, "deliveries skip", "held/"+i.two())
	i.call(0, "deliveries skip --json", "held/"+i.two())
	i.both(1, "deliveries retry", "held/"+i.one())

	i.readers()

	i.both(0, "taxonomy import --dry-run", i.file("more.csv"))
	i.call(0, "taxonomy import", i.file("more.csv"))
	i.both(0, "taxonomy accept crm", i.one())
	i.both(0, "taxonomy reject crm", i.two())
	i.call(0, "taxonomy unsay crm", i.two())
	i.call(0, "taxonomy unsay crm --json", i.one())
	i.call(0, "taxonomy inbox --adopt dawn --as crm")
	i.call(0, "taxonomy inbox --ignore crew --json")
	i.call(0, "taxonomy revert bakery")
	i.call(0, "taxonomy revert --all --json")

	i.both(0, "replay --since 1h --source nothing")
	i.both(0, "replay --stop")
	i.both(0, "reload", i.admin)
	i.both(1, "reload")
	i.call(0, "support", i.file("one.zip"), "--process", i.admin)
	i.call(1, "support", i.file("one.zip"))
	i.call(0, "support --json", i.file("two.zip"), "--process", i.admin)
	i.call(0, "articles takedown --reason court", i.one())
	i.until("the withdrawal of all posts", func() (bool, string) {
		out := i.quietly("articles show " + i.one())
		return strings.Count(out, event.TypeWithdrawn) == 2 && !strings.Contains(out, event.TypePost), out
	})
	i.call(0, "articles show", i.one())
	i.both(1, "posts show", "held/"+i.one())
	i.call(4, "articles takedown --reason court --json", i.two(), article.NewID("news", "unknown"))
	i.call(0, "backup", i.file("one.tar"))
	i.call(0, "backup --json", i.file("two.tar"))
}

// readers asks addresses whether they want the list, of which no mail server hears.
func (i *instance) readers() {
	i.call(0, "subscribers add letter one@example.org --period weekly --weekday 5")
	i.call(0, "subscribers add letter two@example.org --json")
	i.call(1, "subscribers add letter three@example.org --zone Mars/Olympus")
	i.both(1, "subscribers add nowhere one@example.org")
	i.write("people.csv", "address,period,hour,zone,state\nthree@example.org,daily,6,Europe/Berlin,confirmed\nnobody,,,,\nfour@example.org,,,,left\n")
	i.call(4, "subscribers import letter", i.file("people.csv"))
	i.call(4, "subscribers import letter --json", i.file("people.csv"))
	i.until("the readers", func() (bool, string) {
		s := i.quietly("subscribers list")
		return strings.Count(s, " pending ") == 3, s
	})
	for n, row := range regexp.MustCompile(`"id": "([0-9a-f]{32})"`).FindAllStringSubmatch(i.quietly("subscribers list --json"), -1) {
		i.names = append(i.names, row[1], fmt.Sprint("READER", n))
	}
	i.call(0, "subscribers list --list letter")
	i.call(0, "subscribers list --json --state pending")
	i.both(0, "subscribers export letter")
	i.both(0, "subscribers suppress two@example.org")
	i.call(0, "subscribers list --state suppressed")
	i.both(0, "subscribers suppress --lift three@example.org")
	i.both(1, "subscribers suppress nobody")
	i.call(0, "subscribers erase one@example.org")
	i.call(0, "subscribers erase --json two@example.org")
	i.both(1, "subscribers erase two@example.org")
	i.both(1, "subscribers test --dry-run nowhere one@example.org")
	i.both(1, "subscribers test letter nobody")
}

func (i *instance) stop() { i.end() }

// restore puts a backup into an empty directory.
func (i *instance) restore() {
	i.data = filepath.Join(i.dir, "other")
	i.call(0, "restore", i.file("one.tar"))
	i.data = filepath.Join(i.dir, "third")
	i.call(0, "restore --json", i.file("two.tar"))
	i.call(1, "restore", i.file("two.tar"))
}

// bus is a further connection to the server of the instance.
func (i *instance) bus() *bus.Bus {
	i.Helper()
	return joined(i.T, i.data, "enrich")
}

// joined is a connection of a service to the server of a data directory.
func joined(t *testing.T, data, service string) *bus.Bus {
	t.Helper()
	address, err := embedded.ReadAddress(data)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := os.ReadFile(embedded.SeedFile(data))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Connect(t.Context(), bus.Config{Service: service, URL: address.URL, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = b.Close(ctx) // its server may have ended before
	})
	if err := b.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// volatile is what differs from run to run, and the name that stands for it. The rules go in this order, over the whole
// transcript; the columns of tables are two spaces apart afterwards.
var volatile = []struct{ pattern, name string }{
	{`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC|[+-]\d\d:\d\d)`, "TIME"},
	{`\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d (GMT|\+0000)`, "DATE"},
	{`(?m)^\d\d:\d\d:\d\d\.\d{3}`, "CLOCK"},
	{`127\.0\.0\.1:\d{4,5}`, "ADDRESS"},
	{`00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]`, "TRACEPARENT"},
	{`go1\.\d+\.\d+`, "GOVERSION"},
	{`ready in [\d.]+s`, "ready in SECONDS"},
	{`(\S)  +`, "$1  "},
	{`(?m) +$`, ""},
	// What is counted in bytes, nanoseconds and messages of the store changes with every field that a message gets.
	{`"(bytes|packed|max_bytes|size|took|took_ms|messages|first|last|last_seq|first_seq|num_subjects|num_deleted|consumer_count|fence)": ?\d+`, `"$1": NUMBER`},
	{`(?m)^((?:! )?\w+)  \d+( messages)?  [\d.]+ (?:B|KB|MB)(  [\d.]+ %)?$`, "$1  NUMBER$2  SIZE"},
	{`(?m)^(rss|atom|json)(  \S+)  [\d.]+ K?B(  valid)?(?:  [\d.]+ K?B)?`, "$1$2  SIZE$3"},
	{`(unchanged|ok|new)  [\d.]+(?:ms|s)  `, "$1  DURATION  "},
	// Hashes and random names; the version of an article ends in the generation of the vocabulary.
	{`\b[0-9a-f]{64}\b`, "SHA256"},
	{`\b[0-9a-f]{32}\b`, "TRACE"},
	{`"([0-9a-f]{16})\\?"`, "ETAG"},
	{`/t/[\w-]{43}/`, "/t/TOKEN/"},
	{`"token": "[\w-]{43}"`, `"token": "TOKEN"`},
	{`"engine": \d+`, `"engine": NUMBER`},
	// That of a delivery counts every write of its bucket, of which some happen in any order.
	{`(?m)^(version  |  "version": )\d+\b`, "${1}NUMBER"},
	{`"tidings-epoch": "\w+"`, `"tidings-epoch": "EPOCH"`},
	{`it was used, \w+ holds \d+ messages`, "it was used, SOME holds NUMBER messages"},
	{`\.1\.\d+\.\d+\.\d{8,}`, ".VERSION"},
	{`\b\d{11}\b`, "GENERATION"},                   // of engine and vocabulary
	{`("Tidings-Fence": \[\s+)"\d+"`, `$1"FENCE"`}, // of the leases, which are taken in any order
}

// few leaves two objects of each list in indented JSON: the further ones look the same.
func few(text string) string {
	var b strings.Builder
	seen, indent := map[int]int{}, func(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
	skip := -1
	for line := range strings.Lines(text) {
		at, words := indent(line), strings.TrimSpace(line)
		switch {
		case skip >= 0 && (at > skip || at == skip && strings.HasPrefix(words, "}")):
			continue
		case skip >= 0 && at == skip && words == "{":
			continue
		case skip >= 0:
			b.WriteString(strings.Repeat(" ", skip) + "...\n")
			skip = -1
		}
		switch {
		case strings.HasSuffix(words, "["):
			seen[at+2] = 0
		case words == "{" && at > 0:
			if seen[at]++; seen[at] > 2 {
				skip = at
				continue
			}
		}
		b.WriteString(line)
	}
	return b.String()
}

// compare holds every verb to its file.
func (i *instance) compare() {
	i.Helper()
	folder := filepath.Join("testdata", "golden")
	for _, verb := range slices.Sorted(maps.Keys(i.verbs)) {
		b := i.transcripts[verb]
		if b == nil {
			i.Errorf("nothing calls tidings %s: add it to this test", verb)
			continue
		}
		got := few(b.String())
		if verb == "config schema" { // its keys change with every part; a test of the whole holds it to what the program takes
			got = regexp.MustCompile(`(?m)^ {6,}.*\n`).ReplaceAllString(got, "")
		}
		for n := 0; n < len(i.names); n += 2 {
			got = strings.ReplaceAll(got, i.names[n], i.names[n+1])
		}
		for _, v := range volatile {
			got = regexp.MustCompile(v.pattern).ReplaceAllString(got, v.name)
		}
		file := filepath.Join(folder, strings.ReplaceAll(verb, " ", "_")+".golden")
		if *update {
			if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(file, []byte(got), 0o644)); err != nil {
				i.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			i.Errorf("%v; -update writes it", err)
			continue
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			i.Errorf("tidings %s prints something else; -update writes the golden file, then read the diff (-golden +now):\n%s", verb, diff)
		}
	}
}

// lines is a buffer that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

var _ io.Writer = (*lines)(nil)

// Write appends.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all so far.
func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
