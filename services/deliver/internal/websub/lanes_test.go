package websub

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
)

// started counts tasks that run.
type started struct {
	mu   sync.Mutex
	list []string
}

func (s *started) task(name string, until <-chan struct{}) func() {
	return func() {
		s.mu.Lock()
		s.list = append(s.list, name)
		s.mu.Unlock()
		<-until
	}
}

func (s *started) count(host string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range s.list {
		if host == "" || name == host {
			n++
		}
	}
	return n
}

func TestLanesKeepTheirPlaces(t *testing.T) {
	t.Parallel()
	for on := range lanesInAll {
		synctest.Test(t, func(t *testing.T) {
			all, host := on.places()
			l, s, end := newLanes(), &started{}, make(chan struct{})
			for range 1000 {
				l.put(on, "crowd", s.task("crowd", end))
			}
			synctest.Wait()
			if n := s.count(""); n != host {
				t.Errorf("lane %d runs %d tasks of a host, want %d", on, n, host)
			}
			for i := range 500 {
				l.put(on, fmt.Sprint(i), s.task("other", end))
			}
			synctest.Wait()
			if n := s.count(""); n != all {
				t.Errorf("lane %d runs %d tasks, want %d", on, n, all)
			}
			other := (on + 1) % lanesInAll
			l.put(other, "crowd", s.task("elsewhere", end))
			synctest.Wait()
			if s.count("elsewhere") != 1 {
				t.Errorf("lane %d keeps lane %d from working", on, other)
			}
			close(end)
			synctest.Wait()
			if n := s.count(""); n != 1501 {
				t.Errorf("lane %d ran %d tasks of 1501", on, n)
			}
			l.stop()
			l.put(on, "late", func() { t.Error("a task runs after the stop") })
		})
	}
}

// A host with a thousand tasks does not keep another one waiting.
func TestHostsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, s, end := newLanes(), &started{}, make(chan struct{})
		all, _ := slow.places()
		for i := range all { // no place is left
			l.put(slow, fmt.Sprint("full", i), s.task("full", end))
		}
		next := make(chan struct{})
		for range 1000 {
			l.put(slow, "crowd", s.task("crowd", next))
		}
		l.put(slow, "one", s.task("one", next))
		synctest.Wait()
		close(end)
		synctest.Wait()
		if s.count("crowd") != 1 || s.count("one") != 1 {
			t.Errorf("%d of the crowd run, and the one %d times", s.count("crowd"), s.count("one"))
		}
		close(next)
		l.stop()
	})
}
