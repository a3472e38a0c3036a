package natstest

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"tidings.internal/pkg/hosttest"
)

const (
	members   = 3
	agreeWait = 30 * time.Second
)

// Cluster runs three servers as [ConfigText] does, with the names and routes that flags would give them, and returns when
// they agree on who leads. The URL of each names all three, of which the library takes any.
func Cluster(t testing.TB, conf string, users map[string][]byte) []*Broker {
	t.Helper()
	brokers := Members(t, slices.Repeat([]string{conf}, members), users)
	deadline, tick := time.After(agreeWait), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !Agreed(brokers) {
		select {
		case <-deadline:
			t.Fatalf("the servers did not become a cluster within %v", agreeWait)
		case <-tick.C:
		}
	}
	return brokers
}

// Members is [Cluster] with a file for each server, and without waiting for them to agree: perhaps they never do.
func Members(t testing.TB, confs []string, users map[string][]byte) []*Broker {
	t.Helper()
	routes := places(t, len(confs))
	var brokers []*Broker
	var urls []string
	for i, conf := range confs {
		b := &Broker{seeds: maps.Clone(users), trace: &trace{}}
		b.run(t, conf, func(o *server.Options) {
			at := routes[i]
			o.ServerName, o.Routes = fmt.Sprint("nats-", i+1), routes
			o.Cluster.Name, o.Cluster.Host, o.Cluster.Port, o.Cluster.NoAdvertise = "tidings", "127.0.0.1", port(t, at), true
		})
		brokers, urls = append(brokers, b), append(urls, b.URL)
	}
	for i, b := range brokers {
		b.URL = strings.Join(append(slices.Clone(urls[i:]), urls[:i]...), ",")
	}
	return brokers
}

// Agreed reports whether servers know each other and one of them leads.
func Agreed(brokers []*Broker) bool {
	leads := 0
	for _, b := range brokers {
		if !b.server.JetStreamIsCurrent() || len(b.server.JetStreamClusterPeers()) != len(brokers) && b.server.JetStreamIsLeader() {
			return false
		}
		if b.server.JetStreamIsLeader() {
			leads++
		}
	}
	return leads == 1
}

// Routes is how many connections to other servers a server of a cluster has.
func (b *Broker) Routes() int { return b.server.NumRoutes() }

// places are free addresses: each server must know those of the others before any of them listens.
func places(t testing.TB, n int) (list []*url.URL) {
	t.Helper()
	for range n {
		list = append(list, &url.URL{Scheme: "nats", Host: hosttest.Address(t)})
	}
	return list
}

func port(t testing.TB, at *url.URL) int {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", at.Host)
	if err != nil {
		t.Fatal(err)
	}
	return a.Port
}
