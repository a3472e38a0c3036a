package bus_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

// recorder notes operations with the times between which they happened.
type recorder struct {
	began time.Time
	mu    sync.Mutex
	list  []porcupine.Operation
}

func (r *recorder) note(client int, input any, do func() any) {
	call := time.Since(r.began).Nanoseconds()
	output := do()
	back := time.Since(r.began).Nanoseconds()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, porcupine.Operation{ClientId: client, Input: input, Call: call, Output: output, Return: back})
}

// linear checks a history. A checker that runs out of time has shown nothing.
func linear(t *testing.T, m porcupine.Model, list []porcupine.Operation) {
	t.Helper()
	if got := porcupine.CheckOperationsTimeout(m, list, time.Minute); got != porcupine.Ok {
		t.Errorf("%d operations: %s", len(list), got)
	}
}

// What clients do to a key.
type (
	casInput struct {
		verb string // read, create, update, delete
		at   uint64 // revision that the caller saw
	}
	casOutput struct {
		ok  bool   // it did what it was asked
		rev uint64 // that it set, or found
	}
)

// casModel is a key with a revision: zero while there is none. Revisions only rise.
func casModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return [2]uint64{} }, // revision, highest ever
		Step: func(state, input, output any) (bool, any) {
			s, in, out := state.([2]uint64), input.(casInput), output.(casOutput)
			switch in.verb {
			case "read":
				return out.rev == s[0], s
			case "delete":
				if !out.ok {
					return s[0] != in.at, s
				}
				return s[0] == in.at, [2]uint64{0, s[1]}
			}
			free := s[0] == in.at && (in.verb == "update" || in.at == 0)
			if !out.ok {
				return !free, s
			}
			return free && out.rev > s[1], [2]uint64{out.rev, out.rev}
		},
		Equal: func(a, b any) bool { return a == b },
		DescribeOperation: func(input, output any) string {
			return fmt.Sprintf("%+v -> %+v", input, output)
		},
	}
}

// Clients race for one key of a real broker: every history must be one that a single key under one lock could give.
func TestCompareAndSetIsLinearizable(t *testing.T) {
	t.Parallel()
	server := natstest.Bare(t)
	b := server.Bus(t, "ingest")
	name := quick(t, b)
	const clients, rounds = 4, 60
	r := &recorder{began: time.Now()}
	var group sync.WaitGroup
	for c := range clients {
		k := server.Bus(t, "ingest").Bucket(name)
		group.Go(func() {
			rng, seen := rand.New(rand.NewPCG(uint64(c), 7)), uint64(0)
			for range rounds {
				in := casInput{verb: "read", at: seen}
				switch n := rng.IntN(10); {
				case n < 3:
				case n < 9 && seen == 0:
					in.verb = "create"
				case n < 9:
					in.verb = "update"
				case seen != 0:
					in.verb = "delete"
				}
				r.note(c, in, func() any { return act(t, k, in) })
				if e, ok, err := k.Read(t.Context(), "key"); err == nil && ok {
					seen = e.Revision // as a caller learns what to base its next try on
				} else {
					seen = 0
				}
			}
		})
	}
	group.Wait()
	linear(t, casModel(), r.list)
}

func act(t *testing.T, k *bus.Bucket, in casInput) casOutput {
	switch in.verb {
	case "read":
		e, _, err := k.Read(t.Context(), "key")
		if err != nil {
			t.Error(err)
		}
		return casOutput{ok: true, rev: e.Revision}
	case "delete":
		err := k.DeleteAt(t.Context(), "key", in.at)
		return casOutput{ok: granted(t, err)}
	case "create":
		rev, err := k.Create(t.Context(), "key", []byte("v"))
		return casOutput{granted(t, err), rev}
	default:
		rev, err := k.Update(t.Context(), "key", []byte("v"), in.at)
		return casOutput{granted(t, err), rev}
	}
}

// granted tells a success from a conflict. Nothing else may come of a broker that is there.
func granted(t *testing.T, err error) bool {
	if err != nil && fault.KindOf(err) != fault.Conflict {
		t.Error(err)
	}
	return err == nil
}

// What processes do with a lease.
type (
	leaseInput struct {
		verb   string // acquire, work, release
		fence  uint64
		silent bool // it will not renew: others may have the lease once it expired
	}
	leaseOutput struct {
		ok    bool
		fence uint64
	}
	leaseState struct {
		holder  uint64 // fence; zero while nobody has it
		silent  bool
		highest uint64
	}
)

// leaseModel is a lock with fences. A holder that fell silent is succeeded at some time, which the model leaves open;
// whoever works must be the holder at that moment.
func leaseModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return leaseState{} },
		Step: func(state, input, output any) (bool, any) {
			s, in, out := state.(leaseState), input.(leaseInput), output.(leaseOutput)
			switch in.verb {
			case "work":
				return s.holder == in.fence, s
			case "release":
				if s.holder == in.fence {
					s.holder = 0
				}
				return true, s
			}
			if !out.ok {
				return s.holder != 0, s
			}
			free := s.holder == 0 || s.silent
			return free && out.fence > s.highest, leaseState{out.fence, in.silent, out.fence}
		},
		Equal: func(a, b any) bool { return a == b },
	}
}

func TestLeasesAreLinearizable(t *testing.T) {
	t.Parallel()
	server := natstest.Bare(t)
	name := quick(t, server.Bus(t, "ingest"))
	// It goes on until enough terms were served, some of them by holders that fell silent and were succeeded.
	const clients, terms, silences = 4, 20, 3
	var served, silenced atomic.Int32
	r := &recorder{began: time.Now()}
	var group sync.WaitGroup
	for c := range clients {
		b := server.Bus(t, "ingest")
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(c), 11))
			pace := time.NewTicker(20 * time.Millisecond)
			defer pace.Stop()
			for served.Load() < terms || silenced.Load() < silences {
				<-pace.C
				silent := rng.IntN(4) == 0
				if term(t, r, b, name, c, silent, rng) {
					served.Add(1)
					if silent {
						silenced.Add(1)
					}
				}
				if t.Failed() {
					return
				}
			}
		})
	}
	group.Wait()
	linear(t, leaseModel(), r.list)
}

// term tries for the lease and, with it, works a little and gives it back, or falls silent. It reports whether it had it.
func term(t *testing.T, r *recorder, b *bus.Bus, bucket string, client int, silent bool, rng *rand.Rand) bool {
	every, valid := 50*time.Millisecond, time.Hour
	if silent {
		every, valid = time.Hour, 300*time.Millisecond // the entry lives a second
	}
	var lease *bus.Lease
	r.note(client, leaseInput{verb: "acquire", silent: silent}, func() any {
		l, err := b.AcquireIn(t.Context(), bucket, "ingest.1", every, valid)
		if !granted(t, err) {
			return leaseOutput{}
		}
		lease = l
		return leaseOutput{true, l.Fence()}
	})
	if lease == nil {
		return false
	}
	for range 1 + rng.IntN(4) {
		if lease.Valid() {
			r.note(client, leaseInput{verb: "work", fence: lease.Fence()}, func() any { return leaseOutput{ok: true} })
		}
	}
	if silent {
		<-lease.Lost()
		return true
	}
	r.note(client, leaseInput{verb: "release", fence: lease.Fence()}, func() any {
		if err := lease.Release(t.Context()); err != nil {
			t.Error(err)
		}
		return leaseOutput{ok: true}
	})
	return true
}

// A checker that takes anything shows nothing: histories that no key and no lock can give must be refused.
func TestHistoriesThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	one := func(client int, call, back int64, in, out any) porcupine.Operation {
		return porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: back}
	}
	for name, c := range map[string]struct {
		model porcupine.Model
		list  []porcupine.Operation
	}{
		"a write that was lost": {casModel(), []porcupine.Operation{
			one(0, 0, 1, casInput{verb: "create"}, casOutput{true, 5}), one(1, 2, 3, casInput{verb: "read"}, casOutput{true, 0})}},
		"two that succeed from one revision": {casModel(), []porcupine.Operation{
			one(0, 0, 1, casInput{verb: "create"}, casOutput{true, 5}),
			one(0, 2, 5, casInput{"update", 5}, casOutput{true, 6}), one(1, 3, 6, casInput{"update", 5}, casOutput{true, 7})}},
		"a read of what was replaced": {casModel(), []porcupine.Operation{
			one(0, 0, 1, casInput{verb: "create"}, casOutput{true, 5}), one(0, 2, 3, casInput{"update", 5}, casOutput{true, 6}),
			one(1, 4, 5, casInput{verb: "read"}, casOutput{true, 5})}},
		"a revision that goes back": {casModel(), []porcupine.Operation{
			one(0, 0, 1, casInput{verb: "create"}, casOutput{true, 5}), one(0, 2, 3, casInput{"delete", 5}, casOutput{ok: true}),
			one(0, 4, 5, casInput{verb: "create"}, casOutput{true, 4})}},
		"two holders": {leaseModel(), []porcupine.Operation{
			one(0, 0, 1, leaseInput{verb: "acquire"}, leaseOutput{true, 1}), one(1, 2, 3, leaseInput{verb: "acquire"}, leaseOutput{true, 2})}},
		"work after the lease went to another": {leaseModel(), []porcupine.Operation{
			one(0, 0, 1, leaseInput{verb: "acquire", silent: true}, leaseOutput{true, 1}), one(1, 2, 3, leaseInput{verb: "acquire"}, leaseOutput{true, 2}),
			one(0, 4, 5, leaseInput{verb: "work", fence: 1}, leaseOutput{ok: true})}},
		"a fence that does not rise": {leaseModel(), []porcupine.Operation{
			one(0, 0, 1, leaseInput{verb: "acquire"}, leaseOutput{true, 3}), one(0, 2, 3, leaseInput{verb: "release", fence: 3}, leaseOutput{ok: true}),
			one(1, 4, 5, leaseInput{verb: "acquire"}, leaseOutput{true, 3})}},
	} {
		if got := porcupine.CheckOperationsTimeout(c.model, c.list, time.Minute); got != porcupine.Illegal {
			t.Errorf("%s: %s", name, got)
		}
	}
}
