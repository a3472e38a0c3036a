// Package outage tells whether it is us who are cut off, when one source after the other cannot be reached.
//
// Then no source is to blame: nothing counts against them, what was counted since it began is taken back, and one poll
// now and then looks whether the network is there again. It knows nothing of sources but names and weights; who polls is
// decided elsewhere.
package outage

import (
	"slices"
	"sync"
	"time"
)

const (
	// window is how many polls are looked at, and few how many where few hosts are polled.
	window = 50
	few    = 10
	// manyHosts is from when on four in five lost polls are proof; fewer hosts have to be lost all, and one alone proves
	// nothing.
	manyHosts = 10
	lostShare = 0.8
	// probeEvery is how often it is looked whether the network is back. Where few hosts are polled they may simply all be
	// dead: then it is looked less and less often, by a twentieth of the time since, and at least every mostProbe.
	probeEvery = 15 * time.Second
	probePart  = 20
	mostProbe  = 5 * time.Minute
)

// Blame is what counted against a source for polls that were lost.
type Blame struct {
	Polls  int
	Weight float64
}

type look struct {
	source, host string
	kind         kind
	weight       float64
}

type kind int

const (
	reached kind = iota // the host answered
	lost                // there was no way to it
	unsure              // it did not answer, which may be its fault or the network's
)

// Detector watches the polls of a replica. It is safe for concurrent use.
type Detector struct {
	now func() time.Time

	mu     sync.Mutex
	looks  []look // oldest first
	since  time.Time
	many   bool // hosts were polled when it began
	probed time.Time
	blamed map[string]Blame
}

// New makes a detector that believes the network to be there.
func New(now func() time.Time) *Detector {
	return &Detector{now: now, blamed: map[string]Blame{}}
}

// Offline reports whether we are cut off.
func (d *Detector) Offline() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.since.IsZero()
}

// Reached accounts for a poll to which a host answered anything at all. It reports whether that ends an outage.
func (d *Detector) Reached(source, host string) (ended bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ended = !d.since.IsZero()
	if ended {
		d.since, d.looks = time.Time{}, nil
	}
	d.add(look{source: source, host: host, kind: reached})
	return ended
}

// Lost accounts for a poll that found no way to its host, and tells whether we are cut off: then it must not count
// against the source. began says that this poll is what showed it.
func (d *Detector) Lost(source, host string, weight float64) (offline, began bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.since.IsZero() {
		return true, false
	}
	d.add(look{source, host, lost, weight})
	if !d.cut() {
		return false, false
	}
	d.since, d.probed = d.now(), d.now()
	for _, l := range d.looks[:len(d.looks)-1] { // the last one has not been counted yet
		if l.kind != reached {
			b := d.blamed[l.source]
			d.blamed[l.source] = Blame{b.Polls + 1, b.Weight + l.weight}
		}
	}
	d.looks = nil
	return true, true
}

// Unsure accounts for a poll whose host did not answer over a connection that it had, and tells whether we are cut off. It
// proves nothing, and is taken back with the rest.
func (d *Detector) Unsure(source, host string, weight float64) (offline bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.since.IsZero() {
		return true
	}
	d.add(look{source, host, unsure, weight})
	return false
}

func (d *Detector) add(l look) { d.looks = append(d.looks[max(0, len(d.looks)-window+1):], l) }

// cut reports whether the looks prove that we are cut off.
func (d *Detector) cut() bool {
	sure := slices.DeleteFunc(slices.Clone(d.looks), func(l look) bool { return l.kind == unsure })
	if len(sure) < few {
		return false
	}
	hosts, n := tally(sure)
	if hosts >= manyHosts {
		d.many = true
		return float64(n) > lostShare*float64(len(sure))
	}
	d.many = false
	hosts, n = tally(sure[len(sure)-few:])
	return hosts > 1 && n == few
}

// tally counts the hosts, and the polls that were lost.
func tally(looks []look) (hosts, n int) {
	seen := map[string]bool{}
	for _, l := range looks {
		seen[l.host] = true
		if l.kind == lost {
			n++
		}
	}
	return len(seen), n
}

// May reports whether a poll may start: any while the network is there, else one now and then to look whether it is.
func (d *Detector) May() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.since.IsZero() {
		return true
	}
	now := d.now()
	wait := probeEvery
	if !d.many {
		wait = min(max(wait, now.Sub(d.since)/probePart), mostProbe)
	}
	if now.Sub(d.probed) < wait {
		return false
	}
	d.probed = now
	return true
}

// Blamed gives what counted against sources since the last call and must be taken back.
func (d *Detector) Blamed() map[string]Blame {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.blamed) == 0 {
		return nil
	}
	b := d.blamed
	d.blamed = map[string]Blame{}
	return b
}

// Again puts back what could not be taken back yet.
func (d *Detector) Again(source string, b Blame) {
	d.mu.Lock()
	defer d.mu.Unlock()
	more := d.blamed[source]
	d.blamed[source] = Blame{b.Polls + more.Polls, b.Weight + more.Weight}
}
