package demo

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
)

const (
	stateName = "demo.json"
	// SinkLog is the file in the data directory that holds what the webhook channel sent.
	SinkLog = "webhooks.jsonl"
	// stopLimit bounds the end of the two servers.
	stopLimit = 2 * time.Second
)

// state is kept in the data directory, so that a demo that is started again is the same demo: the same addresses, as
// they stand in the articles' links, and the same dates. Otherwise every start would look like an edit of everything.
type state struct {
	Started time.Time `json:"started"`
	Origin  string    `json:"origin"` // host:port
	Sink    string    `json:"sink"`
	Publish string    `json:"publish"`
	Key     []byte    `json:"key"` // signs the webhooks
	// Every is how often the origin tells something new; 0 for never, when only the samples are wanted.
	Every time.Duration `json:"every"`
}

// Demo is the running origin and sink.
type Demo struct {
	state   state
	environ []string
	servers [2]*http.Server
	log     *os.File
	group   sync.WaitGroup
}

// Data is the data directory of the demo within the usual one. It is apart, so that sample articles never meet the
// operator's own.
func Data(data string) string { return filepath.Join(data, "demo") }

// Channel is the id of the demo's channel.
const Channel = "sink"

// Open starts origin and sink on loopback. The data directory must be the caller's alone.
func Open(ctx context.Context, data string, environ []string) (*Demo, error) {
	st, _, err := readState(data)
	if err != nil {
		return nil, err
	}
	d := &Demo{state: st, environ: environ}
	if err := d.choosePort(ctx); err != nil {
		return nil, err
	}
	var listeners []net.Listener
	fail := func(err error) (*Demo, error) {
		for _, l := range listeners {
			err = errors.Join(err, l.Close())
		}
		if d.log != nil {
			err = errors.Join(err, d.log.Close())
		}
		return nil, err
	}
	for _, addr := range []*string{&d.state.Origin, &d.state.Sink} {
		l, err := bind(ctx, *addr)
		if err != nil {
			return fail(err)
		}
		listeners = append(listeners, l)
		*addr = l.Addr().String()
	}
	if err := writeState(data, d.state); err != nil {
		return fail(err)
	}
	pages, err := origin("http://"+d.state.Origin, news{d.state.Started, d.state.Every}, time.Now)
	if err != nil {
		return fail(err)
	}
	if d.log, err = os.OpenFile(filepath.Join(data, SinkLog), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return fail(fault.Errorf(fault.Invalid, "open the demo's log of webhooks: %w", err))
	}
	hooks := http.NewServeMux()
	hooks.Handle("POST /hook", &sink{key: d.state.Key, now: time.Now, file: d.log})
	for i, h := range []http.Handler{pages, hooks} {
		s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute}
		d.servers[i] = s
		// It ends with Close; a listener that breaks shows as a source that fails.
		d.group.Go(func() { _ = s.Serve(listeners[i]) })
	}
	return d, nil
}

// bind takes the address of the last run if it is still free, else any.
func bind(ctx context.Context, addr string) (net.Listener, error) {
	var c net.ListenConfig
	if addr != "" {
		if l, err := c.Listen(ctx, "tcp", addr); err == nil {
			return l, nil
		}
	}
	l, err := c.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "start the demo's origin on loopback: %w", err)
	}
	return l, nil
}

// readState reads the state of a data directory, or makes the first one; found tells which.
func readState(data string) (st state, found bool, err error) {
	st = state{Started: time.Now().UTC().Truncate(time.Second), Key: make([]byte, 32), Every: newsEvery}
	_, _ = rand.Read(st.Key) // never fails (crypto/rand)
	body, err := os.ReadFile(filepath.Join(data, stateName))
	if errors.Is(err, fs.ErrNotExist) {
		return st, false, nil
	}
	if err != nil {
		return st, false, fault.Errorf(fault.Invalid, "read the demo's state: %w", err)
	}
	if err := json.Unmarshal(body, &st); err != nil {
		return st, false, fault.Errorf(fault.Invalid, "read the demo's state %s: %w; remove the folder to begin anew", filepath.Join(data, stateName), err)
	}
	return st, true, nil
}

// Config returns the configuration of the demo that runs, or ran last, in a data directory; found is false when none
// ever did. It starts nothing.
func Config(data string, environ []string) (doc *config.Doc, found bool, err error) {
	st, found, err := readState(data)
	if err != nil || !found {
		return nil, false, err
	}
	return (&Demo{state: st, environ: environ}).Config(), true, nil
}

// writeState replaces the file by a rename: a kill leaves the old one or the new one.
func writeState(data string, st state) error {
	body, err := json.Marshal(st)
	if err != nil {
		return fault.Errorf(fault.Internal, "keep the demo's state: %w", err)
	}
	file := filepath.Join(data, stateName)
	if err := os.WriteFile(file+".new", append(body, '\n'), 0o600); err != nil {
		return fault.Errorf(fault.Invalid, "keep the demo's state: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fault.Errorf(fault.Invalid, "keep the demo's state: %w", err)
	}
	return nil
}

func languages() []string { return []string{"de", "en", "fr", "es", "pl"} }

const (
	listenName  = "TIDINGS_PUBLISH__LISTEN"
	usualListen = "127.0.0.1:8080"
)

// choosePort settles where the feeds are, since they name their own address. Port 0 means any: one that is free now is
// taken, and the same one again at the next start.
func (d *Demo) choosePort(ctx context.Context) error {
	listen := usualListen
	for _, e := range d.environ {
		if value, ok := strings.CutPrefix(e, listenName+"="); ok {
			listen = value
		}
	}
	if host, port, err := net.SplitHostPort(listen); err == nil && port == "0" {
		wish := net.JoinHostPort(host, "0")
		if h, _, err := net.SplitHostPort(d.state.Publish); err == nil && h == host {
			wish = d.state.Publish
		}
		l, err := bind(ctx, wish)
		if err != nil {
			return err
		}
		listen = l.Addr().String()
		if err := l.Close(); err != nil {
			return fault.Errorf(fault.Internal, "choose a port for the feeds: %w", err)
		}
	}
	d.state.Publish = listen
	d.environ = append(slices.Clone(d.environ), listenName+"="+listen)
	return nil
}

// Config is the configuration of the demo, with the environment laid over it as over any file.
func (d *Demo) Config() *config.Doc {
	return config.New("demo.yaml", []byte(d.yaml()), d.environ)
}

// yaml is what an operator would have written. Every text in it is ours.
func (d *Demo) yaml() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("site: {id: demo.tidings.internal, title: Tidings demo, url: \"%s/\", language: en, author: Tidings}", run.BaseURL(d.state.Publish))
	line("log: {level: warn}")
	line("ingest:")
	line("  allow_networks: [\"%s\"]", strings.Replace(d.state.Origin, ":", "/32:", 1))
	line("  revision_gap: 1s # an edit shows at once")
	line("  hosts: {\"%s\": {concurrency: 4, gap: 0s}} # pages beside feeds, without a second between two", d.state.Origin)
	line("sources:")
	for _, s := range sources() {
		line("  - {id: %s, url: \"http://%s%s\", every: 5s}", s.id, d.state.Origin, s.path)
	}
	line("feeds:")
	line("  - {id: all, title: All articles}")
	names := map[string]string{"de": "Deutsch", "en": "English", "fr": "Français", "es": "Español", "pl": "Polski"}
	for _, l := range languages() {
		line("  - {id: %s, title: %s, language: %s, select: {languages: [%s]}}", l, names[l], l, l)
	}
	line("channels:")
	line("  - id: %s", Channel)
	line("    network: webhook")
	line("    url: \"http://%s/hook\"", d.state.Sink)
	line("    secret: whsec_%s", base64.StdEncoding.EncodeToString(d.state.Key))
	line("    allow_private: true # for this one address")
	return b.String()
}

// Close stops both servers. Requests under way may end.
func (d *Demo) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	var errs []error
	for _, s := range d.servers {
		if err := s.Shutdown(ctx); err != nil {
			errs = append(errs, s.Close())
		}
	}
	d.group.Wait()
	return errors.Join(append(errs, d.log.Close())...)
}
