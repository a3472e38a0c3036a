package websub

import "sync"

// lane is a kind of work with places of its own, so that one kind never waits for another.
type lane int

const (
	fast   lane = iota // pushes
	slow               // pushes to those who took too long the last time
	asking             // verifications and denials
	lanesInAll
)

// places gives how many tasks of a lane run at once, and how many of one host.
func (l lane) places() (all, host int) {
	switch l {
	case fast:
		return 256, 4
	case slow:
		return 32, 1
	default:
		return 32, 2
	}
}

// lanes run tasks, host by host in turn: a host with thousands of them delays another's one by no more than its own.
type lanes struct {
	mu     sync.Mutex
	group  sync.WaitGroup
	closed bool
	pools  [lanesInAll]pool
}

type pool struct {
	all, host int
	running   int
	hosts     map[string]*line
	ready     []*line // those with a task and a free place, each once
}

// line is the queue of a host.
type line struct {
	host    string
	waiting []func()
	running int
	listed  bool
}

func newLanes() *lanes {
	l := &lanes{}
	for i := range l.pools {
		p := &l.pools[i]
		p.all, p.host = lane(i).places()
		p.hosts = map[string]*line{}
	}
	return l
}

// put has a task run when it is its turn; after a stop it is dropped.
func (l *lanes) put(on lane, host string, task func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	p := &l.pools[on]
	q := p.hosts[host]
	if q == nil {
		q = &line{host: host}
		p.hosts[host] = q
	}
	q.waiting = append(q.waiting, task)
	p.list(q)
	l.start(p)
}

func (p *pool) list(q *line) {
	if !q.listed && len(q.waiting) > 0 && q.running < p.host {
		q.listed = true
		p.ready = append(p.ready, q)
	}
}

func (l *lanes) start(p *pool) {
	for !l.closed && p.running < p.all && len(p.ready) > 0 {
		q := p.ready[0]
		p.ready = p.ready[1:]
		q.listed = false
		task := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		p.running++
		q.running++
		p.list(q)
		l.group.Go(func() { l.run(p, q, task) })
	}
}

func (l *lanes) run(p *pool, q *line, task func()) {
	task()
	l.mu.Lock()
	defer l.mu.Unlock()
	p.running--
	q.running--
	if q.running == 0 && len(q.waiting) == 0 {
		delete(p.hosts, q.host)
	}
	p.list(q)
	l.start(p)
}

// stop drops what waits, and waits for what runs.
func (l *lanes) stop() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.group.Wait()
}
