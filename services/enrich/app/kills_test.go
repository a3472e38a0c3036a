package app

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
)

var pairs = flag.Int("kills.pairs", 60, "pairs of copies that TestCopiesAtOneMomentTellOneStory sends")

// program is a replica as a process of its own, which is killed without a word and started again.
type program struct {
	t    *testing.T
	conf string
	dir  string

	mu  sync.Mutex
	cmd *exec.Cmd
	log strings.Builder
}

// Write collects what the process prints.
func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *program) start() {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0], "--config", p.conf)
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.dir, p, p
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends the process as a power cut would. Its error says that it was killed.
func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// stored counts the articles that are there.
func stored(t *testing.T, b *bus.Bus) int {
	t.Helper()
	state, err := b.StreamState(t.Context(), event.StreamArticles)
	if err != nil {
		t.Fatal(err)
	}
	return int(state.Messages)
}

// Two replicas get two copies of a report at one moment, again and again, while one after the other is killed and started
// anew. Every report has one story, whoever decided it and however often.
func TestCopiesAtOneMomentTellOneStory(t *testing.T) {
	t.Parallel()
	s := natstest.Listening(t)
	b := s.Bus(t, "ingest")
	conf := file(t, "tidings.yaml", fmt.Sprintf("admin: {listen: \"127.0.0.1:0\"}\nnats: {url: %q}\nenrich: {workers: 8, step_budget: 30s, article_budget: 2m}\n", s.URL()))
	replicas := []*program{{t: t, conf: conf, dir: t.TempDir()}, {t: t, conf: conf, dir: t.TempDir()}}
	for _, p := range replicas {
		p.start()
		t.Cleanup(p.kill)
	}
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	words := strings.Fields("Rat Bahnhof Umbau Gleis Brücke Schule Museum Markt Ernte Regen Strom Vertrag Urteil Verein Trainer Platz Radweg Turm Halle Preis Klage Netz Werk Lohn")
	var list []article.Raw
	const together = 20
	kills := 0
	for n := 0; n < *pairs; n += together {
		var messages []event.Message
		for i := n; i < min(n+together, *pairs); i++ {
			var text strings.Builder
			for range 90 {
				text.WriteString(words[random.IntN(len(words))] + " ")
			}
			for _, source := range []string{"eins", "zwei"} {
				r := raw(source, fmt.Sprint(i), 1, func(r *article.Raw) {
					r.Title = fmt.Sprintf("Bericht %d in %s", i, source) // so only the text is the same
					r.Content.Value = fmt.Sprintf("<p>Nummer %d. %s</p>", i, text.String())
				})
				list, messages = append(list, r), append(messages, message(t, r))
			}
		}
		have := stored(t, b)
		send(t, b, messages...)
		// In the middle of it one of them goes, at no chosen line: when some of the articles are there.
		want := have + 1 + random.IntN(len(messages)/2)
		wait(t, "some articles", func() bool { return stored(t, b) >= want })
		p := replicas[random.IntN(len(replicas))]
		p.kill()
		p.start()
		kills++
	}
	wait(t, "all articles", func() bool { return stored(t, b) == len(list) })
	told := map[string]map[string]bool{}
	for _, r := range list {
		a, _ := enriched(t, b, r)
		if told[r.GUID] == nil {
			told[r.GUID] = map[string]bool{}
		}
		told[r.GUID][a.Story.ID] = true
	}
	for guid, ids := range told {
		if len(ids) != 1 {
			t.Errorf("report %s has the stories %v", guid, ids)
		}
	}
	if state, err := b.StreamState(t.Context(), event.StreamDead); err != nil || state.Messages != 0 {
		t.Errorf("%d dead letters, %v", state.Messages, err)
	}
	t.Logf("%d reports in two copies each, %d kills", len(told), kills)
}
