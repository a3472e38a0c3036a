package repeats

import (
	"cmp"
	"encoding/binary"
	"slices"

	"tidings.internal/pkg/article"
)

// Seen is an article as the memory keeps it.
type Seen struct {
	Article, Story, Host, Source string
	// Sequence orders the articles.
	Sequence uint64
	// Blocks are the hashes of [article.Article.Blocks].
	Blocks []byte
	// Language is the code of the one that its text tells, "" for none.
	Language string
}

// See gives what the memory keeps of an article.
func See(a *article.Article, sequence uint64) Seen {
	return Seen{
		Article: a.ID, Story: a.Story.ID, Host: Host(a.URL), Source: a.Source.ID, Sequence: sequence, Blocks: a.Blocks, Language: surely(a),
	}
}

// Memory holds the last articles of each host and of each source. It serves one goroutine.
type Memory struct {
	hosts map[string]*host
	// where is the host of each article that is held.
	where map[uint64]*host
	// voices needs no such map: an article never changes its source.
	voices voices
}

type host struct {
	name   string
	newest uint64
	list   []entry // by sequence
}

type entry struct {
	article, story, sequence uint64
	blocks                   []uint64
}

// NewMemory returns an empty memory.
func NewMemory() *Memory {
	return &Memory{hosts: map[string]*host{}, where: map[uint64]*host{}, voices: voices{}}
}

// Learn takes an article in the place of its former revision. One without a host or without blocks teaches nothing of hosts,
// one without a language nothing of its source: so one that was deleted is forgotten.
func (m *Memory) Learn(s Seen) {
	m.voices.learn(s)
	m.forget(s.Article)
	blocks := unpack(s.Blocks)
	if s.Host == "" || len(blocks) == 0 {
		return
	}
	h := m.hosts[s.Host]
	if h == nil {
		h = &host{name: s.Host}
		m.hosts[s.Host] = h
	}
	e := entry{article: sum(s.Article), story: sum(s.Story), sequence: s.Sequence, blocks: blocks}
	at, _ := slices.BinarySearchFunc(h.list, e, func(a, b entry) int { return cmp.Compare(a.sequence, b.sequence) })
	h.list = slices.Insert(h.list, at, e)
	h.newest = max(h.newest, s.Sequence)
	m.where[e.article] = h
	if len(h.list) > window {
		m.drop(h, 0)
	}
	if len(m.hosts) > MaxHosts {
		m.forgetOldest()
	}
}

// forget drops an article from its host.
func (m *Memory) forget(article string) {
	key := sum(article)
	if h := m.where[key]; h != nil {
		m.drop(h, slices.IndexFunc(h.list, func(e entry) bool { return e.article == key }))
	}
}

// ForgetBefore drops the articles whose sequence is below first.
func (m *Memory) ForgetBefore(first uint64) {
	for name, of := range m.voices {
		if of.list[0].sequence < first {
			m.voices.forget(name, func(a said) bool { return a.sequence < first })
		}
	}
	for _, h := range m.hosts {
		for len(h.list) > 0 && h.list[0].sequence < first {
			m.drop(h, 0)
		}
	}
}

func (m *Memory) drop(h *host, i int) {
	delete(m.where, h.list[i].article)
	h.list = slices.Delete(h.list, i, i+1)
	if len(h.list) == 0 {
		delete(m.hosts, h.name)
	}
}

// forgetOldest drops the host whose newest article is the oldest, the first by name of several.
func (m *Memory) forgetOldest() {
	var old *host
	for _, h := range m.hosts {
		if old == nil || cmp.Or(cmp.Compare(h.newest, old.newest), cmp.Compare(h.name, old.name)) < 0 {
			old = h
		}
	}
	for len(old.list) > 0 {
		m.drop(old, 0)
	}
}

// Known is what the memory has come to know. It does not depend on the order in which articles were learnt.
func (m *Memory) Known() *Known {
	k := &Known{hosts: map[string]map[uint64]int{}, sources: m.voices.known()}
	for name, h := range m.hosts {
		if blocks := h.known(); len(blocks) > 0 {
			k.hosts[name] = blocks
		}
	}
	return k.sealed()
}

// known gives the blocks that are not the articles' own, with the number of stories that they stand in.
func (h *host) known() map[uint64]int {
	stories := map[uint64]bool{}
	in := map[[2]uint64]bool{} // block and story
	count := map[uint64]int{}
	for _, e := range h.list {
		stories[e.story] = true
		for _, b := range e.blocks {
			if pair := [2]uint64{b, e.story}; !in[pair] {
				in[pair] = true
				count[b]++
			}
		}
	}
	wanted := often
	if n := len(stories); n >= many {
		wanted = max(often, int(share*float64(n)+0.999))
	}
	var list []uint64
	for b, n := range count {
		if n >= wanted {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, func(a, b uint64) int { return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b)) })
	out := map[uint64]int{}
	for _, b := range list[:min(len(list), maxKnown)] {
		out[b] = count[b]
	}
	return out
}

// pack writes hashes as an article carries them: eight bytes each, the highest first.
func pack(list []uint64) []byte {
	var out []byte
	for _, h := range few(list) {
		out = binary.BigEndian.AppendUint64(out, h)
	}
	return out
}

// unpack reads at most as many hashes as an article carries. What is no hash is left out.
func unpack(data []byte) []uint64 {
	var out []uint64
	for len(data) >= 8 && len(out) < maxBlocks {
		out, data = append(out, binary.BigEndian.Uint64(data)), data[8:]
	}
	return out
}
