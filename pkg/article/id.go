package article

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

// IDLength is the length of an article id and of a story id: 26 characters of base32 carry 130 bits, so that two ids
// meet by chance only among about 2^65 articles.
const IDLength = 26

var (
	lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	nameForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,47}$`)
	idForm      = regexp.MustCompile(`^[a-z2-7]{26}$`)
	partForm    = regexp.MustCompile(`^[0-9a-f]{2}$`)
)

// NewID returns the id of the article that a source first showed under an item key. It is minted once and stored;
// later changes of the item's guid or link leave it alone.
func NewID(source, itemKey string) string {
	return Digest(IDLength, source, itemKey)
}

// Digest returns the first n characters of the lower-case base32 form of the SHA-256 of the parts, a NUL byte between
// each two, so that ("a", "bc") and ("ab", "c") differ. n is at most 52.
func Digest(n int, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return lowerBase32.EncodeToString(sum[:])[:n]
}

// RunTimeSource returns the id of a source that was added at run time without one: 16 characters from its canonical
// URL, so that adding the same URL twice gives the same source.
func RunTimeSource(canonicalURL string) string { return Digest(16, canonicalURL) }

// Partition returns the two hex digits that spread articles over 256 subjects. It is taken from the first host of a
// source and stored, so that a source that moves keeps its subjects.
func Partition(firstHost string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(firstHost)))
	return hex.EncodeToString(sum[:1])
}

// Shards is the number of polling shards. All sources of a host lie in one, so that politeness is a local matter of
// the replica that owns it.
const Shards = 64

// Shard returns the polling shard, 0 to 63, of the host that a source has now.
func Shard(host string) int {
	sum := sha256.Sum256([]byte(strings.ToLower(host)))
	return int(sum[0] >> 2)
}

// ValidName reports whether s may be the id of a source, a feed or a channel: lower-case letters, digits, underscore
// and hyphen, at most 48 of them, the first a letter or digit. Such an id is safe in a subject, a key, a path and a
// header.
func ValidName(s string) bool { return nameForm.MatchString(s) }

// ValidID reports whether s has the form of an article or story id.
func ValidID(s string) bool { return idForm.MatchString(s) }

// ValidPartition reports whether s has the form of a partition.
func ValidPartition(s string) bool { return partForm.MatchString(s) }

// CheckName returns an error that says what is wrong with an id that an operator chose.
func CheckName(s string) error {
	if ValidName(s) {
		return nil
	}
	return fmt.Errorf("%q is no id: use 1 to 48 lower-case letters, digits, hyphens or underscores, the first a letter or digit", s)
}
