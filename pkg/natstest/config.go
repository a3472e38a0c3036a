package natstest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
)

// Broker is a NATS server that runs from a configuration file, on a free port of the loopback.
type Broker struct {
	URL string
	// TLS is what a client needs where the file asks for it.
	TLS bus.TLS

	seeds  map[string][]byte
	trace  *trace
	server *server.Server
}

// Keys makes a pair of keys for each user of the shipped configuration and returns the seeds by name.
func Keys(t testing.TB) map[string][]byte {
	t.Helper()
	seeds := map[string][]byte{}
	for _, u := range event.Users() {
		seeds[u.Name] = Seed(t)
	}
	return seeds
}

// Seed makes the seed of a user that no server knows.
func Seed(t testing.TB) []byte {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

// Config runs a server with a copy of the very file, beside a users.conf with the keys of the users. Address, ports and
// the folder of the store are the test's own; nothing else differs from what the file says.
func Config(t testing.TB, confFile string, users map[string][]byte) *Broker {
	t.Helper()
	conf, err := os.ReadFile(confFile)
	if err != nil {
		t.Fatal(err)
	}
	return ConfigText(t, string(conf), users)
}

// ConfigText is [Config] for a file that a test has changed.
func ConfigText(t testing.TB, conf string, users map[string][]byte) *Broker {
	t.Helper()
	b := &Broker{seeds: maps.Clone(users), trace: &trace{}}
	b.run(t, conf, func(*server.Options) {})
	return b
}

// StartError runs a server as [ConfigText] does and returns why it does not start; nil if it does.
func StartError(t testing.TB, conf string, users map[string][]byte) error {
	t.Helper()
	b := &Broker{seeds: users, trace: &trace{}}
	_, err := b.start(t, conf, func(*server.Options) {})
	return err
}

func (b *Broker) run(t testing.TB, conf string, flags func(*server.Options)) {
	t.Helper()
	var err error
	if b.server, err = b.start(t, conf, flags); err != nil {
		t.Fatalf("start NATS from its file: %v", err)
	}
	b.URL = b.server.ClientURL()
}

func (b *Broker) start(t testing.TB, conf string, flags func(*server.Options)) (*server.Server, error) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("users.conf", b.usersConf(t))
	o, err := server.ProcessConfigFile(write("nats.conf", conf))
	if err != nil {
		return nil, err
	}
	// Set here and not by flags: the server keeps its flags in a global, and tests run side by side.
	o.Host, o.Port, o.HTTPPort, o.StoreDir, o.NoSigs = "127.0.0.1", server.RANDOM_PORT, server.RANDOM_PORT, filepath.Join(dir, "data"), true
	flags(o)
	s, err := server.NewServer(o)
	if err != nil {
		return nil, err
	}
	s.SetLoggerV2(b.trace, false, true, false)
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS did not become ready within 10 s")
	}
	return s, nil
}

// usersConf is the file that goes with the keys. Where a test leaves users out, so does the file.
func (b *Broker) usersConf(t testing.TB) string {
	t.Helper()
	public := map[string]string{}
	for name, seed := range b.seeds {
		pair, err := nkeys.FromSeed(seed)
		if err != nil {
			t.Fatal(err)
		}
		if public[name], err = pair.PublicKey(); err != nil {
			t.Fatal(err)
		}
	}
	text := ""
	for _, name := range slices.Sorted(maps.Keys(public)) {
		text += event.Variable(name) + " = " + public[name] + "\n"
	}
	if len(public) == len(event.Users()) {
		// What a whole set gives is written as the product writes it.
		var err error
		if text, err = event.UsersConf(public); err != nil {
			t.Fatal(err)
		}
	}
	return text
}

// Bus connects as a user, in its role, and closes the connection when the test ends.
func (b *Broker) Bus(t testing.TB, user string) *bus.Bus {
	t.Helper()
	u, ok := event.FindUser(user)
	if !ok {
		t.Fatalf("there is no user %s", user)
	}
	return b.BusAs(t, bus.Config{Service: u.Role, URL: b.URL, Seed: b.seeds[user], TLS: b.TLS})
}

// BusAs connects with settings of the test's own.
func (b *Broker) BusAs(t testing.TB, c bus.Config) *bus.Bus {
	t.Helper()
	connected, err := bus.Connect(t.Context(), c)
	if err != nil {
		t.Fatalf("connect to NATS: %v", err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := connected.Close(ctx); err != nil {
			t.Errorf("close the bus: %v", err)
		}
	})
	if err := connected.WaitConnected(t.Context()); err != nil {
		t.Fatalf("connect to NATS as %s: %v", c.Service, err)
	}
	return connected
}

// Published lists the subjects to which clients with a connection name have published so far, each once, denied or not.
func (b *Broker) Published(name string) []string { return b.trace.published(name) }

// trace keeps what the server notes of the protocol.
type trace struct {
	mu   sync.Mutex
	seen map[string]map[string]bool // name of the connection → subjects
}

// published matches the note of a publish by a Go client that gave its connection a name.
var published = regexp.MustCompile(`:go:([^":]+)[":].*<<- \[H?PUB (\S+)`)

// Tracef implements [server.Logger].
func (l *trace) Tracef(format string, v ...any) {
	if !strings.Contains(format, "<<- %s") {
		return // what the server sends, and payloads, which are large
	}
	m := published.FindStringSubmatch(fmt.Sprintf(format, v...))
	if m == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = map[string]map[string]bool{}
	}
	if l.seen[m[1]] == nil {
		l.seen[m[1]] = map[string]bool{}
	}
	l.seen[m[1]][m[2]] = true
}

func (l *trace) published(name string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.seen[name]))
}

// Noticef and its siblings drop what the server says besides.
func (*trace) Noticef(string, ...any) {}

// Warnf implements [server.Logger].
func (*trace) Warnf(string, ...any) {}

// Fatalf implements [server.Logger].
func (*trace) Fatalf(string, ...any) {}

// Errorf implements [server.Logger].
func (*trace) Errorf(string, ...any) {}

// Debugf implements [server.Logger].
func (*trace) Debugf(string, ...any) {}
