package readers

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/period"
	"tidings.internal/services/deliver/internal/schedule"
)

const (
	// Connections is how many mails of a list may be on their way at once.
	Connections = 10
	// perDomain is how many of them may be to one domain of recipients.
	perDomain = 2
	// mailsPerSecond and mailsPerHour bound a list. What may go at once counts to the hour, so that none has more.
	mailsPerSecond = 10
	mailsPerHour   = 10_000
	atOnce         = 1_000
	// lookAgain is how long the loop sleeps at most: a clock that jumps delays by so much and repeats nothing.
	lookAgain = 30 * time.Second
	// lookNews is how often the place is asked for up to which the ledger is complete, and whether the list is paused.
	lookNews = time.Second
	// lookSoon is the wait for the index to be level.
	lookSoon = 20 * time.Millisecond
	// planners is how many rows are moved to their next period at once.
	planners = 16
)

// shift is the work of one holding of the lease of a list, with an index of its readers.
type shift struct {
	*List
	ctx     context.Context
	lease   Lease
	group   sync.WaitGroup // tries and plans
	stories *stories
	wake    chan struct{}
	second  *rate.Limiter
	hour    *rate.Limiter

	mu       sync.Mutex
	seats    map[string]*seat // by the reader's id
	mailers  []Mailer         // those that are free
	domains  map[string]int   // mails on their way
	planning int
	floor    uint64    // up to here all that was posted stands in the ledger, and in our index of it
	known    bool      // the floor is
	level    time.Time // when it was
	coming   uint64    // is the floor once the index has seen the revision mark; 0 for none
	mark     uint64
	asked    time.Time // when the coming one was
	looked   time.Time
	paused   bool
	wait     time.Time // the server could not be reached: nothing is tried before
	failures int       // in a row, of the server
	refused  int       // mails in a row that were refused after their dot
	errors   []time.Time
	told     map[string]*tally // what was sent since the last time that nothing was left to do
}

// tally counts the mails of a period.
type tally struct {
	kind string
	sent int
}

// seat is what is kept in memory of a reader.
type seat struct {
	row      Reader // without its history
	revision uint64
	calendar period.Calendar
	broken   bool // its wishes cannot be read
	busy     bool
	next     time.Time // nothing is to be done before
}

func newShift(ctx context.Context, l *List, lease Lease) *shift {
	return &shift{
		List: l, ctx: ctx, lease: lease, stories: newStories(l.Ledger, l.id), wake: make(chan struct{}, 1), seats: map[string]*seat{},
		mailers: slices.Clone(l.Mailers), domains: map[string]int{}, told: map[string]*tally{},
		second: rate.NewLimiter(rate.Limit(l.pace), max(1, int(l.pace))),
		hour:   rate.NewLimiter(rate.Limit(float64(l.hourly-atOnce)/time.Hour.Seconds()), atOnce),
	}
}

// show takes note of a row that the bucket shows.
func (s *shift) show(e bus.Entry) {
	if e.Deleted {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.seats, e.Key[strings.LastIndexByte(e.Key, '.')+1:])
		return
	}
	r, err := decode(e)
	if err != nil {
		s.Log.Error("could not read a row of a reader, who is sent nothing", "err", err)
		return
	}
	s.note(r, e.Revision)
}

// note takes note of a row at a revision. Rows are read again before anything is done with them.
func (s *shift) note(r *Reader, revision uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.seats[r.ID]
	if at == nil {
		at = &seat{}
		s.seats[r.ID] = at
	}
	if at.revision >= revision {
		return
	}
	at.row, at.revision, at.next = *r, revision, time.Time{}
	at.row.History, at.row.Tokens, at.row.Told = nil, nil, nil
	var err error
	at.calendar, err = period.New(r.Wishes)
	if at.broken = err != nil; at.broken && r.State == Confirmed {
		s.Log.Warn("could not read what a reader wants, who is sent nothing", "reader", r.ID, "kind", fault.KindOf(err))
	}
	s.poke()
}

// listed takes note of a row of the ledger.
func (s *shift) listed(r *ledger.Row, revision uint64) {
	if err := s.stories.show(r, revision); err != nil {
		s.Log.Warn("could not read a story, which is not told", "story", r.Story, "kind", fault.KindOf(err))
	}
	s.poke()
}

func (s *shift) broken(story string, err error) {
	s.Log.Error("could not read a row of the ledger", "story", story, "err", err)
}

func (s *shift) poke() {
	select {
	case s.wake <- struct{}{}:
	default: // it is awake already
	}
}

// loop starts what is due.
func (s *shift) loop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		case <-s.wake:
		}
		s.Tick()
		if !s.lease.Valid() {
			return
		}
		least := time.Duration(0)
		if err := s.look(); err != nil && s.ctx.Err() == nil {
			s.Log.Debug("could not look what is new on a list", "kind", fault.KindOf(err), "err", err)
			least = lookNews
		}
		timer.Reset(max(s.start(), least))
	}
}

// start starts what is due and can be done now, and returns how long nothing else will be.
func (s *shift) start() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	if s.paused {
		return lookNews
	}
	wait := s.List.look
	var due []*seat
	for _, at := range s.seats {
		if at.busy {
			continue
		}
		if at.next.IsZero() {
			at.next = s.due(at, now)
		}
		if left := at.next.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		due = append(due, at)
	}
	slices.SortFunc(due, func(a, b *seat) int { return cmp.Or(a.next.Compare(b.next), cmp.Compare(a.row.ID, b.row.ID)) })
	for _, at := range due {
		if at.row.Mail == nil {
			switch {
			case s.known && (!at.calendar.Scheduled() || !s.level.Before(at.next)):
				s.plan(at)
			case s.known: // what was posted before the period began is its news
				s.looked = time.Time{}
				wait = min(wait, lookSoon)
			}
			continue
		}
		if left := s.wait.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		if free := s.mail(at); free > 0 {
			wait = min(wait, free)
		}
	}
	if len(due) == 0 && len(s.mailers) == len(s.Mailers) && s.planning == 0 {
		s.rest()
	}
	if s.coming > 0 || !s.known || s.someImmediate() { // news is looked for while anybody waits for it
		wait = min(wait, lookNews)
	}
	return wait
}

// someImmediate reports whether anybody is sent each story as it comes. It is called with the lock.
func (s *shift) someImmediate() bool {
	for _, at := range s.seats {
		if at.row.State == Confirmed && !at.calendar.Scheduled() {
			return true
		}
	}
	return false
}

// farOff is when nothing is to be done before the row changes.
const farOff = 365 * 24 * time.Hour

// due says when there is something to do for a reader. It is called with the lock.
func (s *shift) due(at *seat, now time.Time) time.Time {
	r := &at.row
	switch {
	case r.State != Confirmed && r.State != Pending:
		return now.Add(farOff)
	case r.Mail != nil && !r.Mail.Sending.IsZero():
		return r.Mail.Sending.Add(dotLimit) // somebody else's try; its outcome may still be written
	case r.Mail != nil:
		return r.Mail.Due
	case r.State == Pending || at.broken:
		return now.Add(farOff)
	case !at.calendar.Scheduled():
		if len(s.stories.news(&r.Wishes, r.Cursor, s.floor, 1)) > 0 {
			return now
		}
		return now.Add(farOff)
	}
	if p, ok := at.calendar.Due(r.Since, r.Period, now); ok {
		return p.Due
	}
	return at.calendar.Next(r.Period, now).Due
}

// rest is called with the lock when nothing is left to do: connections are closed, and what was sent is told.
func (s *shift) rest() {
	if len(s.told) == 0 {
		return
	}
	told := s.told
	s.told = map[string]*tally{}
	mailers := slices.Clone(s.mailers)
	s.mailers = nil // nobody uses them meanwhile
	s.group.Go(func() {
		for _, m := range mailers {
			m.Close()
		}
		s.mu.Lock()
		s.mailers = append(s.mailers, mailers...)
		s.mu.Unlock()
		s.poke()
		s.tellDigests(told)
	})
}

// counts gives the readers by state.
func (s *shift) counts() map[State]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := map[State]int{}
	for _, at := range s.seats {
		m[at.row.State]++
	}
	return m
}

// rewind brings readers back whose place lies behind the end of the posts: the stream was made anew, and nothing would be
// news to them for a long time. The stories that lie there were told, and would be news once more when the posts get so far.
func (s *shift) rewind() error {
	posts, err := s.Bus.StreamState(s.ctx, event.StreamPosts)
	if err != nil {
		return err
	}
	s.mu.Lock()
	var ahead []string
	for id, at := range s.seats {
		if at.row.Cursor > posts.Last {
			ahead = append(ahead, id)
		}
	}
	s.mu.Unlock()
	for _, id := range ahead {
		row, revision, _, err := s.store.change(s.ctx, s.id, id, func(r *Reader) *Reader {
			if r == nil || r.Cursor <= posts.Last {
				return nil
			}
			n := r.clone()
			n.Cursor = posts.Last
			if n.Mail != nil && !n.Mail.Confirm {
				n.Mail.To = min(n.Mail.To, posts.Last)
			}
			return n
		})
		if err != nil {
			return err
		}
		if row != nil {
			s.note(row, revision)
		}
	}
	for _, story := range s.stories.which(func(p *place) bool { return p.ordinal > posts.Last }) {
		if err := s.fade(story); err != nil {
			return err
		}
	}
	return nil
}

// failed makes the list wait for its server, ever longer. It is called with the lock.
func (s *shift) failed(now time.Time) {
	s.failures++
	s.wait = now.Add(schedule.Backoff(s.failures, 0.5))
}
