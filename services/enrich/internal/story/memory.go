package story

import (
	"context"
	"sync"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/fault"
)

// Memory is a bucket that lives in the process: stories of a run without a broker. Its time is a constant, so that the
// same input gives the same stories whenever it is read.
type Memory struct {
	mu       sync.Mutex
	entries  map[string]bus.Entry
	sequence uint64
	each     func(bus.Entry)
}

var _ Bucket = (*Memory)(nil)

// NewMemory returns an empty bucket.
func NewMemory() *Memory { return &Memory{entries: map[string]bus.Entry{}} }

// Create sets a key that must not exist.
func (m *Memory) Create(_ context.Context, key string, value []byte) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.entries[key]; ok {
		return 0, fault.Errorf(fault.Conflict, "create %s: it exists already", key)
	}
	m.sequence++
	e := bus.Entry{Key: key, Value: value, Revision: m.sequence, Created: time.Unix(0, 0)}
	m.entries[key] = e
	m.show(e)
	return m.sequence, nil
}

// Read returns the value of a key.
func (m *Memory) Read(_ context.Context, key string) (bus.Entry, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[key]
	return e, ok, nil
}

// Delete removes a key.
func (m *Memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, key)
	m.sequence++
	m.show(bus.Entry{Key: key, Revision: m.sequence, Created: time.Unix(0, 0), Deleted: true})
	return nil
}

func (m *Memory) show(e bus.Entry) {
	if m.each != nil {
		m.each(e)
	}
}

// Watch shows what is there and then every change, as it is made, until ctx ends.
func (m *Memory) Watch(ctx context.Context, _ string, each func(bus.Entry), level func()) error {
	m.mu.Lock()
	for _, e := range m.entries {
		each(e)
	}
	m.each = each
	m.mu.Unlock()
	level()
	<-ctx.Done()
	return nil
}
