package faults

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/hosttest"
	"tidings.internal/pkg/origintest"
	"tidings.internal/services/tidings/e2e/history"
)

var (
	killsFlag = flag.Int("faults.kills", 20, "how many kills the run makes, one each second")
	seedFlag  = flag.Uint64("faults.seed", 1, "seed of the killer and the script")
)

// maxItems bounds what the origin offers in a run, so that a long one does not grow its feeds past the limit of items.
const maxItems = 1500

// world is one run: origin, sink, NATS and the four services.
type world struct {
	script    *script
	sink      *sink
	bus       *bus.Bus
	processes []*process
	rng       *rand.Rand
	front     string // the public port
}

// shape is how a world differs from the usual one.
type shape struct {
	tags     string           // of the build
	maxBytes map[string]int64 // of streams
	sections string           // further lines of the configuration
	channels string           // further channels, as lines of YAML
	ingest   string           // further keys of the section ingest
	publish  string           // and of publish, each with a comma before it
	twice    []string         // services that run as two replicas
}

func newWorld(t *testing.T, seed uint64, s shape) *world {
	t.Helper()
	w := &world{script: newScript(t, seed), sink: newSink(t), rng: rand.New(rand.NewPCG(seed, 2))}
	for range 2 * len(w.script.feeds) {
		w.script.add(true)
	}
	binaries, dir := build(t, s.tags), t.TempDir()
	addr := hosttest.Address(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	nats := &process{name: "nats", path: self, env: []string{natsDir + "=" + filepath.Join(dir, "nats"), natsAddr + "=" + addr}, ready: addr, log: filepath.Join(dir, "nats.log")}
	w.processes = []*process{nats}
	t.Cleanup(func() {
		for _, p := range w.processes {
			if p.cmd != nil {
				p.kill()
			}
		}
	})
	nats.start(t)
	nats.awaitReady(t, 30*time.Second)
	w.connect(t, addr, s.maxBytes)
	file := w.config(t, dir, addr, s)
	for _, name := range append(services(), s.twice...) {
		admin, replica := hosttest.Address(t), name
		if slices.ContainsFunc(w.processes, func(p *process) bool { return p.name == name }) {
			replica += "-2"
		}
		p := &process{name: replica, path: filepath.Join(binaries, name), args: []string{"--config", file}, env: []string{"TIDINGS_ADMIN__LISTEN=" + admin}, ready: "http://" + admin + "/readyz", log: filepath.Join(dir, replica+".log")}
		w.processes = append(w.processes, p)
		p.start(t)
	}
	for _, p := range w.processes[1:] {
		p.awaitReady(t, 30*time.Second)
	}
	w.awaitChannel(t)
	return w
}

// awaitChannel waits until the channel is older than anything that is added from now on: times of articles are whole
// seconds, and what is not younger than its channel is not posted.
func (w *world) awaitChannel(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		row, ok, err := w.bus.Bucket(event.BucketDeliveries).Read(ctx, "c.sink")
		if err == nil && ok && time.Since(row.Created) > 2*time.Second {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the channel was not made: %v\n%s", err, w.processes[len(w.processes)-1].tail())
		case <-tick.C:
		}
	}
}

// connect opens the checker's own connection and applies the topology. ARTICLES and POSTS keep every version here, not
// only the newest, so that the checker can read the whole history at the end.
func (w *world) connect(t *testing.T, addr string, maxBytes map[string]int64) {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Config{Service: "tidings", URL: "nats://" + addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = b.Close(ctx) // the broker may be dead by now
	})
	if err := b.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.bus = b
	w.apply(t, maxBytes)
}

// apply makes the streams as the run needs them. Some may be smaller than usual.
func (w *world) apply(t *testing.T, maxBytes map[string]int64) {
	t.Helper()
	top, err := event.NewTopology(event.DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	for i := range top.Streams {
		if n, ok := maxBytes[top.Streams[i].Name]; ok {
			top.Streams[i].MaxBytes = n
		}
	}
	if err := history.Keep(t.Context(), w.bus, top); err != nil {
		t.Fatal(err)
	}
}

func (w *world) config(t *testing.T, dir, addr string, s shape) string {
	t.Helper()
	var b strings.Builder
	origin, err := url.Parse(w.script.origin.URL("/"))
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="), 0o600); err != nil {
		t.Fatal(err)
	}
	w.front = hosttest.Address(t)
	fmt.Fprintf(&b, "site: {title: Faults, url: \"http://127.0.0.1:1\", language: en}\nnats: {url: \"nats://%s\"}\nlog: {level: info}\npublish: {listen: %q%s}\n", addr, w.front, s.publish)
	fmt.Fprintf(&b, "ingest:\n  allow_networks: [127.0.0.0/8]\n  revision_gap: 0s\n  hosts: {%q: {concurrency: 4, gap: 0s}}\n%ssources:\n", origin.Host, s.ingest)
	for i, format := range origintest.Formats() {
		fmt.Fprintf(&b, "  - {id: %s, url: %q, every: 300ms, tags: [faults]}\n", sourceNames()[i], w.script.feeds[i].URL(format))
	}
	fmt.Fprintf(&b, "channels:\n  - {id: sink, network: webhook, url: %q, secret_file: %q, allow_private: true}\n%s%s", w.sink.server.URL, secret, s.channels, s.sections)
	file := filepath.Join(dir, "tidings.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// run lets the script play while the killer works, then brings everything up again.
func (w *world) run(t *testing.T, kills int, every time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { w.play(ctx, max(50*time.Millisecond, time.Duration(kills)*every/maxItems)) })
	tick := time.NewTicker(every)
	defer tick.Stop()
	for range kills {
		<-tick.C
		p := w.processes[w.rng.IntN(len(w.processes))]
		p.kill()
		p.start(t)
	}
	cancel()
	group.Wait()
	for _, p := range w.processes {
		p.awaitReady(t, 60*time.Second)
	}
}

func (w *world) play(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		w.script.add(false)
		if n%5 == 4 {
			w.script.edit()
		}
		if n%10 == 9 {
			heard := map[string]bool{}
			for _, c := range w.sink.Log() {
				heard[c.Title] = true
			}
			w.script.remove(func(title string) bool { return heard[title] })
		}
	}
}

// history is what is known of the run so far.
func (w *world) history(ctx context.Context) (history.History, error) {
	offers, baseline := w.script.state()
	h := history.History{Offers: offers, Baseline: baseline, Calls: w.sink.Log()}
	var err error
	h.Log, h.Dead, err = history.Read(ctx, w.bus)
	return h, err
}

// settle waits until the checker has nothing to say, or for the limit, and returns what it says then.
func (w *world) settle(t *testing.T, limit time.Duration, enough func(bad []string) bool) (history.History, []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	var h history.History
	bad := []string{"the streams could not be read"}
	for {
		next, err := w.history(ctx)
		if err == nil {
			if h, bad = next, history.Check(next); enough(bad) {
				return h, bad
			}
		} else if ctx.Err() == nil {
			bad = []string{"the streams could not be read: " + err.Error()}
		}
		select {
		case <-ctx.Done():
			return h, bad
		case <-tick.C:
		}
	}
}

func (w *world) report(t *testing.T, h history.History) {
	t.Helper()
	var kills []string
	total := 0
	for _, p := range w.processes {
		kills = append(kills, fmt.Sprintf("%s %d", p.name, p.kills))
		total += p.kills
	}
	ids := map[string]int{}
	repeats := 0
	for _, c := range h.Calls {
		if ids[c.ID]++; ids[c.ID] > 1 {
			repeats++
		}
	}
	count := map[string]int{}
	for _, e := range h.Log {
		count[e.Stream]++
	}
	t.Logf("%d kills (%s); %d items offered; %d raw, %d enriched, %d posts stored; %d calls at the sink, %d of them repeats with the same key",
		total, strings.Join(kills, ", "), len(h.Offers), count[event.StreamRaw], count[event.StreamArticles], count[event.StreamPosts], len(h.Calls), repeats)
}

// trail tells all that is known of the first items that a violation names.
func (w *world) trail(t *testing.T, h history.History, bad []string) {
	t.Helper()
	shown := map[string]bool{}
	for _, sentence := range bad {
		for _, o := range h.Offers {
			if len(shown) == 3 || shown[o.Key] || !strings.Contains(sentence, o.Key) {
				continue
			}
			shown[o.Key] = true
			t.Logf("%s was offered as %q", o.Key, o.Texts)
			for _, e := range h.Log {
				if e.Key == o.Key {
					t.Logf("  %s %d: %s %+v %q, story %s", e.Stream, e.Sequence, e.Type, e.Version, e.Title, e.Story)
				}
				if e.Key == o.Key && e.Stream == event.StreamPosts {
					row, _, err := w.bus.Bucket(event.BucketDeliveries).Read(t.Context(), "p."+e.Channel+"."+e.Story)
					t.Logf("  row %d: %.600s %v", row.Revision, row.Value, err)
				}
			}
		}
	}
}

func (w *world) fail(t *testing.T, h history.History, bad []string) {
	t.Helper()
	w.trail(t, h, bad)
	for _, b := range bad[:min(len(bad), 20)] {
		t.Error(b)
	}
	if len(bad) > 20 {
		t.Errorf("and %d more", len(bad)-20)
	}
	for _, p := range w.processes {
		t.Logf("%s:\n%s", p.name, p.tail())
	}
}

// reload has every service take its configuration over anew while it works.
func (w *world) reload(t *testing.T) {
	t.Helper()
	for _, p := range w.processes[1:] {
		p.awaitReady(t, 30*time.Second)
		cmd := exec.CommandContext(t.Context(), p.path, append([]string{"reload"}, p.args...)...)
		cmd.Env = append(os.Environ(), p.env...)
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "reloaded\n" {
			t.Errorf("%s reload: %v %s\n%s", p.name, err, out, p.tail())
		}
	}
}

func TestKills(t *testing.T) {
	w := newWorld(t, *seedFlag, shape{twice: []string{"ingest", "enrich"}}) // all sources are of one host, so the shard changes hands
	w.run(t, *killsFlag, time.Second)
	w.reload(t)
	h, bad := w.settle(t, 2*time.Minute, func(bad []string) bool { return len(bad) == 0 })
	w.report(t, h)
	if len(bad) > 0 {
		w.fail(t, h, bad)
	}
}

// The negative control: with message ids and compare-and-set switched off the same run must be red.
func TestNegativeControl(t *testing.T) {
	w := newWorld(t, *seedFlag, shape{tags: "tidings_unsafe"})
	repeats := func(bad []string) bool {
		return slices.ContainsFunc(bad, func(s string) bool {
			return strings.HasPrefix(s, "twice") || strings.HasPrefix(s, "back") || strings.Contains(s, "was posted as")
		})
	}
	var h history.History
	var bad []string
	// Where a kill falls is chance, so a round may do no harm by luck; several in a row do not.
	for range 6 {
		w.run(t, 20, 500*time.Millisecond)
		if h, bad = w.settle(t, 20*time.Second, repeats); repeats(bad) {
			break
		}
	}
	w.report(t, h)
	if !repeats(bad) {
		t.Errorf("the checker sees nothing wrong without message ids and compare-and-set: %q", bad)
	}
}
