package websub

import (
	"crypto/hmac"
	"crypto/sha1" // what many hubs sign with; taken only where nothing better was ever seen
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"strings"
)

// methods are those of section 7.1, and whether each is better than SHA-1.
var methods = map[string]struct {
	hash   func() hash.Hash
	strong bool
}{
	"sha1": {sha1.New, false}, "sha256": {sha256.New, true}, "sha384": {sha512.New384, true}, "sha512": {sha512.New, true},
}

// Signed checks the signature of a push, as in the header X-Hub-Signature: "method=hex". weak allows SHA-1.
func Signed(header, secret string, body []byte, weak bool) (strong, ok bool) {
	name, digits, found := strings.Cut(strings.TrimSpace(header), "=")
	m, known := methods[strings.ToLower(strings.TrimSpace(name))]
	want, err := hex.DecodeString(strings.TrimSpace(digits))
	if !found || !known || err != nil || !m.strong && !weak {
		return false, false
	}
	mac := hmac.New(m.hash, []byte(secret))
	_, _ = mac.Write(body) // hash.Hash never fails
	return m.strong, hmac.Equal(mac.Sum(nil), want)
}
