package sendtest

import (
	"context"
	"strings"
	"sync"

	"tidings.internal/pkg/bus"
	"tidings.internal/services/deliver/internal/send"
)

// mortal is a bucket whose process dies at a point.
type mortal struct {
	*bus.Bucket
	point string

	mu     sync.Mutex
	killed bool
}

func (m *mortal) dead() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.killed }

// arm makes the point deadly from now on: intake writes rows too, and is not what is killed here.
func (m *mortal) arm(point string) { m.mu.Lock(); defer m.mu.Unlock(); m.point = point }

// kill dies here if this is the point.
func (m *mortal) kill(point string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.killed = m.killed || m.point == point
	return m.killed
}

func (m *mortal) Read(ctx context.Context, key string) (bus.Entry, bool, error) {
	if m.dead() {
		return bus.Entry{}, false, errDead
	}
	return m.Bucket.Read(ctx, key)
}

func (m *mortal) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	if m.dead() {
		return 0, errDead
	}
	return m.Bucket.Create(ctx, key, value)
}

func (m *mortal) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	before, after := "", ""
	switch text := string(value); {
	case !strings.HasPrefix(key, "p."):
	case strings.Contains(text, `"state":"sending"`):
		before, after = BeforeSending, AfterSending
	case strings.Contains(text, `"state":"sent"`) || strings.Contains(text, `"state":"deleted"`):
		before, after = AfterAnswer, AfterOutcome
	}
	if m.dead() || before != "" && m.kill(before) {
		return 0, errDead
	}
	rev, err := m.Bucket.Update(ctx, key, value, revision)
	if after != "" && m.kill(after) {
		return 0, errDead
	}
	return rev, err
}

// doomed is a sender whose process dies after a request; deft, what a network can do besides, is kept.
type doomed struct {
	send.Sender
	bucket *mortal
}

// able is a sender that can change and take back what it posted.
type able interface {
	send.Editor
	send.Deleter
}

type (
	doomedAble struct {
		doomed
		able
	}
	// doomedRemover is of a network whose posts cannot be changed.
	doomedRemover struct {
		doomed
		send.Deleter
		send.Finder
		send.Prober
	}
	doomedFinder struct {
		doomed
		able
		send.Finder
		send.Prober
	}
)

func dying(s send.Sender, bucket *mortal) send.Sender {
	d := doomed{Sender: s, bucket: bucket}
	both, ok := s.(able)
	if f, finds := s.(send.Finder); !ok && finds {
		return doomedRemover{doomed: d, Deleter: remover{s.(send.Deleter), bucket}, Finder: f, Prober: s.(send.Prober)}
	}
	if !ok {
		return d
	}
	a := deadly{able: both, bucket: bucket}
	if f, ok := s.(send.Finder); ok {
		return doomedFinder{doomed: d, able: a, Finder: f, Prober: s.(send.Prober)}
	}
	return doomedAble{doomed: d, able: a}
}

func (d doomed) Send(ctx context.Context, j send.Job) (send.Receipt, error) {
	r, err := d.Sender.Send(ctx, j)
	return after(d.bucket, r, err)
}

// deadly is the able part of a doomed sender.
type deadly struct {
	able
	bucket *mortal
}

func (d deadly) Edit(ctx context.Context, j send.Job) (send.Receipt, error) {
	r, err := d.able.Edit(ctx, j)
	return after(d.bucket, r, err)
}

func (d deadly) Delete(ctx context.Context, j send.Job) (send.Receipt, error) {
	r, err := d.able.Delete(ctx, j)
	return after(d.bucket, r, err)
}

// remover is the part of a doomed sender that takes posts back.
type remover struct {
	send.Deleter
	bucket *mortal
}

func (d remover) Delete(ctx context.Context, j send.Job) (send.Receipt, error) {
	r, err := d.Deleter.Delete(ctx, j)
	return after(d.bucket, r, err)
}

func after(m *mortal, r send.Receipt, err error) (send.Receipt, error) {
	if m.kill(AfterRequest) {
		return send.Receipt{}, errDead
	}
	return r, err
}
