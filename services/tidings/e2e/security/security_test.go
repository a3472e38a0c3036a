package security_test

import (
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"tidings.internal/pkg/event"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The embedded server keeps a process-wide ticker (nats-server v2.15.2, server/ats).
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server/ats.init.0.func1"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"))
}

// A server writes the subject of an ack in one of two forms, by a feature that will become its default.
func TestEachUserMakesTheCallsOfItsServiceAndNoOther(t *testing.T) {
	t.Parallel()
	count := &tally{}
	for name, addition := range map[string]string{"first form of acks": "", "second form of acks": "\nfeature_flags { js_ack_fc_v2: true }\n"} {
		t.Run(name, func(t *testing.T) {
			w, x := newWorld(t, addition, count), messages(t)
			w.ingest(t, x)
			w.enrich(t, x)
			w.publish(t, x)
			w.deliver(t, x)
			w.operate(t, x)
			w.monitor(t)
			w.everyGrantWasUsed(t, addition != "")
			w.refuse(t)
		})
	}
	t.Logf("%d calls were allowed and %d were denied", count.allowed, count.denied)
	if count.allowed < 150 || count.denied < 150 {
		t.Error("that is fewer than there should be: something was not tried")
	}
}

// everyGrantWasUsed demands that the calls above needed each grant. One that nothing needs is an open door; what is
// there for a later version says so.
func (w *world) everyGrantWasUsed(t *testing.T, second bool) {
	t.Helper()
	for _, u := range event.Users() {
		if !u.Answers {
			continue // the operator's and the monitor's are wide on purpose
		}
		said := w.broker.Published(u.Role)
		for _, g := range u.Says {
			for _, pattern := range g.Subjects {
				// Flow control begins with much data; it was tried on one bucket and one store.
				isFlow, isSecond := strings.HasPrefix(pattern, "$JS.FC."), strings.HasPrefix(pattern, "$JS.ACK.*.*.") || strings.HasPrefix(pattern, "$JS.FC.*.*.")
				isFirst := !isSecond && (isFlow || strings.HasPrefix(pattern, "$JS.ACK."))
				used := slices.ContainsFunc(said, func(s string) bool { return matches(pattern, s) })
				switch {
				case used, g.Planned, isFirst && second, isSecond && !second, isFlow && !strings.Contains(pattern, "source_config") && !strings.Contains(pattern, "OBJ_"):
				default:
					t.Errorf("%s may publish to %s (%s), and nothing it does needs that", u.Name, pattern, g.For)
				}
			}
		}
	}
}

// matches reports whether a subject matches a pattern of the broker: * is one token, > the rest.
func matches(pattern, subject string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i, token := range p {
		switch {
		case token == ">":
			return i < len(s)
		case i >= len(s) || token != "*" && token != s[i]:
			return false
		}
	}
	return len(p) == len(s)
}
