package repeats

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"

	"tidings.internal/pkg/fault"
)

// Known says which blocks of which host are not its articles' own, and in which languages which source writes. The zero value
// knows nothing.
type Known struct {
	hosts   map[string]map[uint64]int // with the number of stories that each block stands in
	sources map[string]map[string]int // with the number of articles in each language
	version string
}

// format is that of an encoded [Known]. A reader takes its own alone: what it misses is learnt within the hour.
const format = 1

type stored struct {
	Format int `json:"format"`
	// Hosts holds nine bytes for each block: its hash, highest byte first, and the number of stories.
	Hosts map[string][]byte `json:"hosts"`
	// Sources holds the number of articles in each language. Older snapshots have none, and older readers pass them over.
	Sources map[string]map[string]int `json:"sources,omitempty"`
}

// Version names the content: the same for the same knowledge, "" for none.
func (k *Known) Version() string {
	if k == nil {
		return ""
	}
	return k.version
}

// Len is the number of blocks known of all hosts.
func (k *Known) Len() int {
	n := 0
	if k != nil {
		for _, blocks := range k.hosts {
			n += len(blocks)
		}
	}
	return n
}

// of gives the blocks known of a host.
func (k *Known) of(host string) map[uint64]int {
	if k == nil {
		return nil
	}
	return k.hosts[host]
}

// Encode writes the knowledge; the same gives the same bytes.
func (k *Known) Encode() []byte {
	s := stored{Format: format, Hosts: map[string][]byte{}, Sources: k.sources}
	for name, blocks := range k.hosts {
		var data []byte
		for _, b := range slices.Sorted(maps.Keys(blocks)) {
			data = append(binary.BigEndian.AppendUint64(data, b), byte(min(blocks[b], 255)))
		}
		s.Hosts[name] = data
	}
	out, err := json.Marshal(s) // sorts the names
	if err != nil {
		panic(err) // numbers, texts and bytes: cannot fail
	}
	return out
}

func (k *Known) sealed() *Known {
	if len(k.hosts)+len(k.sources) > 0 {
		hash := sha256.Sum256(k.Encode())
		k.version = hex.EncodeToString(hash[:8])
	}
	return k
}

// Decode reads knowledge that was encoded, by this version or another one.
func Decode(data []byte) (*Known, error) {
	var s stored
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fault.Errorf(fault.Malformed, "read knowledge: %w", err)
	}
	if s.Format != format {
		return nil, fault.Errorf(fault.Malformed, "read knowledge: its format is %d, this version reads %d", s.Format, format)
	}
	if err := checkSpoken(s.Sources); err != nil {
		return nil, err
	}
	const size = 9
	k := &Known{hosts: map[string]map[uint64]int{}, sources: s.Sources}
	for name, data := range s.Hosts {
		if len(data)%size != 0 || len(data) == 0 || len(data) > size*maxKnown {
			return nil, fault.Errorf(fault.Malformed, "read knowledge: the blocks of a host have %d bytes", len(data))
		}
		blocks := map[uint64]int{}
		for ; len(data) > 0; data = data[size:] {
			blocks[binary.BigEndian.Uint64(data)] = int(data[size-1])
		}
		k.hosts[name] = blocks
	}
	return k.sealed(), nil
}

// order sorts what may go: what stands in most articles first.
func order(list []int, seen func(i int) int) {
	slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(seen(b), seen(a)) })
}
