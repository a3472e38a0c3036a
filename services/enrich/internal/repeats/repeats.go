// Package repeats knows which blocks come back in the articles of a host, and takes them out of new ones: the paragraph
// that promotes a newsletter, the note about the editors, the site's name behind a title. No list names them; they are
// known by standing in several articles that tell different stories. It knows as well which languages come back in the
// articles of a source.
//
// [Memory] is the fold: the last articles of each host with the hashes of their blocks, and the languages of the last ones of
// each source. [Known] is what follows from it, a value that never changes. [Step] uses it, and writes down the hashes of
// every article. A hash gives no text back. The package knows no broker and no clock.
package repeats

import (
	"hash/fnv"
	"io"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"tidings.internal/services/enrich/internal/space"
)

// The limits of what is remembered. All hosts at their limit hold 50 MB; ordinary ones hold a third.
const (
	// MaxHosts is how many hosts are remembered, those with the newest articles.
	MaxHosts = 4096
	// window is how many articles of each host: what a site put into all its pages last year and no more goes by itself.
	window = 20
	// maxBlocks is how many blocks of an article: of a longer one the first and the last, where what comes back stands.
	maxBlocks = 64
	// maxKnown is how many blocks of a host are known at most, those that were seen most often.
	maxKnown = 256
)

const (
	// often is in how many articles of a host a block stands that is not theirs.
	often = 3
	// many is the number of articles of a host from which a share counts instead, and share is that share: of a site
	// that is known well, three articles may cite the same law.
	many  = 10
	share = 0.3
)

// A hash names a block, or the end of a title: these have the lowest bit set.
const titleBit = 1

// normal is a text as it is compared: lower case, every number the same, white space collapsed.
func normal(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	digit := false
	for _, r := range space.One(text) {
		if unicode.IsDigit(r) {
			if !digit {
				b.WriteByte('0')
			}
			digit = true
			continue
		}
		digit = false
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func sum(text string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, text) // a hash takes everything
	return h.Sum64()
}

// hashBlock names a block.
func hashBlock(text string) uint64 { return sum(normal(text)) &^ titleBit }

// hashTitle names the end of a title.
func hashTitle(suffix string) uint64 { return sum("title\x00"+normal(suffix)) | titleBit }

// Host is the host whose articles an address stands among, "" when there is none.
func Host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
}

// separators stand between a title and the name of its site.
var separators = []string{" | ", " - ", " – ", " — ", " · ", " • ", " « "}

// split parts a title from what stands behind its last separator, "" without one.
func split(title string) (rest, suffix string) {
	at, length := -1, 0
	for _, sep := range separators {
		if i := strings.LastIndex(title, sep); i > at {
			at, length = i, len(sep)
		}
	}
	if at <= 0 {
		return title, ""
	}
	return strings.TrimSpace(title[:at]), strings.TrimSpace(title[at+length:])
}

// few keeps the first and the last hashes of a list, each once.
func few(list []uint64) []uint64 {
	var out []uint64
	seen := map[uint64]bool{}
	for _, h := range list {
		if !seen[h] {
			seen[h] = true
			out = append(out, h)
		}
	}
	if len(out) <= maxBlocks {
		return out
	}
	return slices.Concat(out[:maxBlocks/2], out[len(out)-maxBlocks/2:])
}
