package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/origintest"
	"tidings.internal/services/tidings/e2e/history"
)

// script drives the origin: it adds, edits and removes items, and remembers what was offered.
type script struct {
	origin *origintest.Origin
	feeds  []*origintest.Feed
	rng    *rand.Rand

	mu       sync.Mutex
	offers   []history.Offer
	feedOf   map[string]*origintest.Feed
	shown    map[string]bool // still in its feed
	baseline []string
}

func newScript(t *testing.T, seed uint64) *script {
	t.Helper()
	s := &script{origin: origintest.New(t), rng: rand.New(rand.NewPCG(seed, 1)), feedOf: map[string]*origintest.Feed{}, shown: map[string]bool{}}
	for _, name := range sourceNames() {
		s.feeds = append(s.feeds, s.origin.Feed(name).Describe("Feed "+name, "en"))
	}
	return s
}

func sourceNames() []string { return []string{"one", "two", "three"} }

// words makes texts that have nothing in common, so that no two items tell one story.
func (s *script) words(n int) string {
	words := make([]string, n)
	for i := range words {
		words[i] = fmt.Sprintf("w%07x", s.rng.Uint32()>>4)
	}
	return strings.Join(words, " ")
}

func (s *script) add(baseline bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := fmt.Sprintf("item-%04d", len(s.offers))
	title := fmt.Sprintf("Report %s first %s", key, s.words(3))
	feed := s.feeds[len(s.offers)%len(s.feeds)]
	published := time.Now().UTC().Truncate(time.Second)
	if baseline { // too old to be news when its source is first read
		published = published.Add(-72 * time.Hour)
	}
	feed.Add(origintest.Item{ID: "urn:item:" + key, URL: s.origin.URL("/" + key), Title: title, Content: "<p>" + s.words(80) + "</p>", Published: published})
	s.offers = append(s.offers, history.Offer{Key: key, Texts: []string{title}})
	s.feedOf[key], s.shown[key] = feed, true
	if baseline {
		s.baseline = append(s.baseline, key)
	}
}

// edit changes one item that is still shown and was never edited.
func (s *script) edit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range 10 {
		if len(s.offers) == 0 {
			return
		}
		o := &s.offers[s.rng.IntN(len(s.offers))]
		if len(o.Texts) > 1 || !s.shown[o.Key] || slices.Contains(s.baseline, o.Key) {
			continue
		}
		title := fmt.Sprintf("Report %s second %s", o.Key, s.words(3))
		s.feedOf[o.Key].Edit("urn:item:"+o.Key, func(i *origintest.Item) { i.Title = title; i.Content = "<p>" + s.words(80) + "</p>" })
		o.Texts = append(o.Texts, title)
		return
	}
}

// remove takes out one item whose last text has arrived: what was never fetched may be lost with its feed.
func (s *script) remove(arrived func(title string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.offers {
		if s.shown[o.Key] && !slices.Contains(s.baseline, o.Key) && arrived(o.Texts[len(o.Texts)-1]) {
			s.feedOf[o.Key].Remove("urn:item:" + o.Key)
			s.shown[o.Key] = false
			return
		}
	}
}

func (s *script) state() (offers []history.Offer, baseline []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.offers {
		offers = append(offers, history.Offer{Key: o.Key, Texts: slices.Clone(o.Texts)})
	}
	return offers, slices.Clone(s.baseline)
}
