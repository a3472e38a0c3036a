package feed

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/services/publish/internal/render"
)

// Token lets a reader of a private feed in. The configuration holds only its hash: whoever reads the file cannot read
// the feed.
type Token struct {
	// Name says whose token it is. It stands in no answer.
	Name   string `yaml:"name"`
	SHA256 string `yaml:"sha256"` // 64 hexadecimal digits, of the text of the token
	// Expires is from when on it does not hold any more; zero is never.
	Expires time.Time `yaml:"expires"`
	Revoked bool      `yaml:"revoked"`
}

var _ config.Checker = (*Token)(nil)

// Check reports what is wrong.
func (t *Token) Check(at config.At) {
	at.Key("name").Name(t.Name)
	if sum, err := hex.DecodeString(t.SHA256); err != nil || len(sum) != sha256.Size {
		at.Key("sha256").Problemf("is not 64 hexadecimal digits; \"tidings feeds token\" makes a token and prints them")
	}
}

func checkTokens(at config.At, tokens []Token) {
	for i, t := range tokens {
		for _, other := range tokens[:i] {
			if other.Name == t.Name {
				at.Index(i).Key("name").Problemf("%q is the name of another token", t.Name)
			}
			if strings.EqualFold(other.SHA256, t.SHA256) {
				at.Index(i).Key("sha256").Problemf("is that of another token; give each reader one of its own")
			}
		}
	}
}

// NewToken makes a token of 32 random bytes, and the hash by which the configuration knows it.
func NewToken() (token, sum string) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails
	token = base64.RawURLEncoding.EncodeToString(secret)
	hash := sha256.Sum256([]byte(token))
	return token, hex.EncodeToString(hash[:])
}

// Private reports whether the feed has no public address.
func (f *Feed) Private() bool { return f.private }

// Admission is what a token is worth.
type Admission int

// The admissions.
const (
	Refused  Admission = iota // nobody knows it
	Admitted                  // it lets in
	Past                      // it did once
)

// Admit judges a token, in a time that does not tell how much of it is right.
func (f *Feed) Admit(token string, now time.Time) Admission {
	sum := sha256.Sum256([]byte(token))
	given := []byte(hex.EncodeToString(sum[:]))
	found := Refused
	for _, t := range f.tokens {
		if subtle.ConstantTimeCompare(given, []byte(strings.ToLower(t.SHA256))) == 1 {
			found = Admitted
			if t.Revoked || !t.Expires.IsZero() && !now.Before(t.Expires) {
				found = Past
			}
		}
	}
	return found
}

// Under gives what the feed says of itself when it is served under a path, as a private one is.
func (f *Feed) Under(path string) render.Feed {
	head := f.Head
	head.Page = f.base + path + "/feeds/" + url.PathEscape(f.ID)
	head.Self = maps.Clone(f.Head.Self)
	for _, format := range render.Formats() {
		head.Self[format] = head.Page + "." + string(format)
	}
	head.Hubs = nil
	return head
}

// Public leaves out the feeds that are private.
func Public(list []*Feed) []*Feed {
	return slices.DeleteFunc(slices.Clone(list), (*Feed).Private)
}
