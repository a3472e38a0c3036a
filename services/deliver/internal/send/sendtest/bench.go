package sendtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
)

// Channel decodes the configuration of a channel at base.
func Channel(t testing.TB, n send.Network, keys []string, more ...string) config.Channel {
	t.Helper()
	lines := append([]string{"channels:", "  - id: ch", "    network: " + n.Name}, indent(keys)...)
	lines = append(lines, indent(more)...)
	doc := config.New("tidings.yaml", []byte(strings.Join(lines, "\n")+"\n"), nil)
	list := doc.Channels(func(string) (any, []string) { return n.Settings(), n.Others }, n.Name)
	if err := doc.Err(); err != nil {
		t.Fatalf("the channel of the test is wrong: %v", err)
	}
	return list[0]
}

func indent(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = "    " + l
	}
	return out
}

// Open makes a sender for a fake.
func Open(t testing.TB, n send.Network, f Fake, clock *Clock, more ...string) send.Sender {
	t.Helper()
	keys, _ := f.Keys(f.Server().URL)
	if len(more) == 0 {
		more = []string{"allow_private: true"}
	}
	return OpenChannel(t, n, Channel(t, n, keys, more...), clock)
}

// OpenChannel makes the sender of a channel.
func OpenChannel(t testing.TB, n send.Network, c config.Channel, clock *Clock) send.Sender {
	t.Helper()
	client, err := web.New(web.Config{UserAgent: "Tidings/test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s, err := n.Open(send.Options{Channel: c, Client: client, Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Job makes the job of a payload.
func Job(f Fake, story string, revision uint64, op ledger.Op, text string, remote ledger.Remote, clock *Clock) send.Job {
	p := f.Post(story, revision, op, text)
	j := send.Job{
		Channel: "ch", Story: story, Op: op, Revision: revision, Started: clock.Now(), Post: &p, URL: p.URL, Remote: remote,
		Key: ledger.CreateKey("ch", story),
	}
	if op != ledger.Create {
		j.Key = ledger.EditKey("ch", story, op, revision)
	}
	return j
}

// Story is the id of a story by a number.
func Story(n int) string { return article.NewID("blog", fmt.Sprint("item ", n)) }

// bench is one sender with its fake.
type bench struct {
	Fake
	send.Sender
	clock   *Clock
	secrets []string
}

func (c Case) bench(t *testing.T, more ...string) *bench {
	t.Helper()
	clock := NewClock()
	f := c.New(t, clock)
	_, secrets := f.Keys(f.Server().URL)
	return &bench{Fake: f, Sender: Open(t, c.Network, f, clock, more...), clock: clock, secrets: secrets}
}

func (b *bench) job(n int, op ledger.Op, remote ledger.Remote) send.Job {
	return Job(b, Story(n), map[ledger.Op]uint64{ledger.Create: 1, ledger.Edit: 2, ledger.Delete: 3}[op], op, fmt.Sprint("text ", n, " ", op), remote, b.clock)
}

// await polls a condition that nobody can wait for otherwise.
func await(t testing.TB, what string, met func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !met() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
