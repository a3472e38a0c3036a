package natstest

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
)

// Answers are what consumers say of the messages that they were given. The broker counts a message that was given back
// as one in hand, as it does one of which nobody says anything any more: here the two are told apart.
type Answers struct {
	mu   sync.Mutex
	last map[string]map[string]bool // by stream and consumer, of each message whether the last answer gave it back
}

// Listen hears the answers that reach the broker at url from now on, until the test ends.
func Listen(t testing.TB, url string) *Answers {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	a := &Answers{last: map[string]map[string]bool{}}
	if _, err := nc.Subscribe("$JS.ACK.>", a.hear); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return a
}

// hear takes an answer in. Its subject ends, in both forms of it, with stream, consumer, deliveries, sequence in the
// stream, sequence of the delivery, time and pending messages (NATS ADR-15).
func (a *Answers) hear(m *nats.Msg) {
	tokens := strings.Split(m.Subject, ".")
	if len(tokens) < 9 || bytes.HasPrefix(m.Data, []byte("+WPI")) { // work goes on
		return
	}
	tokens = tokens[len(tokens)-7:]
	consumer, sequence := tokens[0]+" "+tokens[1], tokens[3]
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last[consumer] == nil {
		a.last[consumer] = map[string]bool{}
	}
	a.last[consumer][sequence] = bytes.HasPrefix(m.Data, []byte("-NAK"))
}

// GivenBack is how many messages of a consumer were given back, and not taken since.
func (a *Answers) GivenBack(stream, consumer string) (n uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, back := range a.last[stream+" "+consumer] {
		if back {
			n++
		}
	}
	return n
}
