package faults

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// site is a subscriber that confirms, and keeps what was pushed last.
type site struct {
	server *httptest.Server

	mu    sync.Mutex
	asked int
	last  string
	count int
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{}
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case r.Method == http.MethodGet:
			s.asked++
			_, _ = io.WriteString(w, r.URL.Query().Get("hub.challenge"))
		case err == nil: // otherwise the hub died in the middle
			s.last = string(body)
			s.count++
		}
	}))
	t.Cleanup(s.server.Close)
	return s
}

func (s *site) state() (asked, count int, last string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, s.count, s.last
}

// subscribe asks the hub for pushes to a site. It reports whether the hub said 202.
func (w *world) subscribe(ctx context.Context, s *site) bool {
	form := url.Values{"hub.mode": {"subscribe"}, "hub.topic": {"http://127.0.0.1:1/feeds/all.json"}, "hub.callback": {s.server.URL + "/cb"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+w.front+"/hub", strings.NewReader(form.Encode()))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusAccepted
}

// served is the feed as readers get it.
func (w *world) served(ctx context.Context) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.front+"/feeds/all.json", nil)
	if err != nil {
		return ""
	}
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	res, err := c.Do(req)
	if err != nil {
		return ""
	}
	defer func() { _ = res.Body.Close() }() // it is read
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}

// TestKillsOfTheHub has sites subscribe while everything is killed in turn, the broker too. Whoever was told 202 must be
// asked, and in the end have the very document that readers get.
func TestKillsOfTheHub(t *testing.T) {
	w := newWorld(t, *seedFlag, shape{publish: ", hub: true", sections: "deliver: {hub: {allow_networks: [127.0.0.0/8]}}\n", twice: []string{"deliver"}})
	ctx, cancel := context.WithCancel(t.Context())
	var promised, refused []*site
	var group sync.WaitGroup
	group.Go(func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if s := newSite(t); w.subscribe(ctx, s) {
				promised = append(promised, s)
			} else {
				refused = append(refused, s)
			}
		}
	})
	w.run(t, *killsFlag/2, time.Second)
	cancel()
	group.Wait()
	if len(promised) == 0 {
		t.Fatal("the hub took no request at all")
	}
	limit, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	w.await(limit, t, "everybody who was promised something to be asked", func() string {
		for i, s := range promised {
			if asked, _, _ := s.state(); asked == 0 {
				return fmt.Sprintf("site %d of %d was not asked", i, len(promised))
			}
		}
		return ""
	})
	w.script.add(false) // the last word
	w.await(limit, t, "everybody to have what readers get", func() string {
		now := w.served(limit)
		for i, s := range promised {
			if _, count, last := s.state(); last != now || last == "" {
				return fmt.Sprintf("site %d of %d has %d bytes after %d pushes, readers get %d", i, len(promised), len(last), count, len(now))
			}
		}
		return ""
	})
	pushes := 0
	for _, s := range promised {
		_, count, _ := s.state()
		pushes += count
	}
	kills := 0
	for _, p := range w.processes {
		kills += p.kills
	}
	t.Logf("%d kills; %d requests answered with 202, %d not; %d pushes", kills, len(promised), len(refused), pushes)
}

// await waits until there is nothing to say.
func (w *world) await(ctx context.Context, t *testing.T, what string, state func() string) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		last := state()
		if last == "" {
			return
		}
		select {
		case <-ctx.Done():
			for _, p := range w.processes {
				t.Logf("%s:\n%s", p.name, p.tail())
			}
			t.Fatalf("waited in vain for %s: %s", what, last)
		case <-tick.C:
		}
	}
}
