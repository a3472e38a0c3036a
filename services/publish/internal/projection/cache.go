package projection

import (
	"container/list"
	"sync"
)

// maxVariants is the memory that documents made on demand may take, in bytes.
const maxVariants = 64 << 20

// cache keeps documents made on demand; those that were not asked for longest go first.
type cache struct {
	mu    sync.Mutex
	max   int
	bytes int
	order *list.List // of *kept, the newest first
	by    map[string]*list.Element
}

type kept struct {
	key     string
	changes uint64 // of the shelf when it was made
	variant *Rendered
	size    int
}

func newCache(limit int) *cache {
	return &cache{max: limit, order: list.New(), by: map[string]*list.Element{}}
}

// read returns what is kept under a key, and whether it is still right.
func (c *cache) read(key string, changes uint64) (r *Rendered, current bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.by[key]
	if e == nil {
		return nil, false
	}
	c.order.MoveToFront(e)
	k := e.Value.(*kept)
	return k.variant, k.changes == changes
}

func (c *cache) keep(key string, changes uint64, r *Rendered) {
	d := r.Document
	size := len(key) + d.Held()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(c.by[key])
	if size > c.max {
		return
	}
	c.by[key] = c.order.PushFront(&kept{key, changes, r, size})
	for c.bytes += size; c.bytes > c.max; {
		c.drop(c.order.Back())
	}
}

func (c *cache) drop(e *list.Element) {
	if e == nil {
		return
	}
	k := c.order.Remove(e).(*kept)
	delete(c.by, k.key)
	c.bytes -= k.size
}

// clear forgets everything: the index it was made from is no more.
func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.order.Init()
	clear(c.by)
	c.bytes = 0
}
