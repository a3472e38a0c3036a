// Package audience counts the readers of feeds by what those say who fetch for many of them.
//
// A reader's own program asks for itself. A service asks once for all its readers and says in its User-Agent how many
// those are, "Feedly/1.0 (…; 462 subscribers)". Anybody may say anything there: the figures are claims, they are kept in
// memory for an hour, and of the text nothing is handed on.
package audience

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const (
	// longest is how much of a User-Agent is looked at, in bytes.
	longest = 512
	// mostServices and mostFeeds bound what a client that makes names up can have remembered.
	mostServices = 200
	mostFeeds    = 10_000
	// mostReaders is the most that is believed: more people than there are read no feed.
	mostReaders = 10_000_000_000
)

// said finds a count in a User-Agent.
var said = regexp.MustCompile(`(?i)\b([0-9]{1,11}) (?:subscribers?|readers?)\b`)

// Count is what services said of a feed since the last [Counter.Take].
type Count struct {
	Feed     string
	Services int // that said something
	Readers  int // of all of them together
}

// Counter remembers the latest word of each service for each feed. The zero value is ready, and safe for concurrent use.
type Counter struct {
	mu    sync.Mutex
	feeds map[string]map[service]int
}

// service is one that fetches a document. It may fetch a feed in several formats, each for readers of its own.
type service struct{ name, kind string }

// Saw notes that a document of a feed was asked for. kind is its format.
func (c *Counter) Saw(feed, kind, userAgent string) {
	userAgent = userAgent[:min(len(userAgent), longest)]
	found := said.FindStringSubmatchIndex(userAgent)
	if found == nil {
		return
	}
	readers, err := strconv.Atoi(userAgent[found[2]:found[3]])
	if err != nil || readers > mostReaders {
		return
	}
	// What stands before the count stays when the count changes. The rest of the request is not kept alive.
	s := service{strings.Clone(userAgent[:found[0]]), kind}
	c.mu.Lock()
	defer c.mu.Unlock()
	services := c.feeds[feed]
	if services == nil {
		if len(c.feeds) >= mostFeeds {
			return
		}
		if c.feeds == nil {
			c.feeds = map[string]map[service]int{}
		}
		services = map[service]int{}
		c.feeds[feed] = services
	}
	if _, known := services[s]; known || len(services) < mostServices {
		services[s] = readers
	}
}

// Take gives what was said, sorted by the feed, and begins anew.
func (c *Counter) Take() []Count {
	c.mu.Lock()
	feeds := c.feeds
	c.feeds = nil
	c.mu.Unlock()
	var list []Count
	for feed, services := range feeds {
		n, names := Count{Feed: feed}, map[string]bool{}
		for s, readers := range services {
			names[s.name] = true
			n.Readers += readers
		}
		n.Services = len(names)
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b Count) int { return cmp.Compare(a.Feed, b.Feed) })
	return list
}
