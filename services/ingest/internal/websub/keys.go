package websub

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"strings"
)

// Keys makes the token and the secret of each subscription from one key. They change when the hub or the topic of a
// source does, which its generation counts, and with nothing else.
type Keys struct {
	key       []byte
	publicURL string
}

// MinKey is the least length of a key in bytes.
const MinKey = 32

// NewKeys returns the keys of an instance. publicURL is the address under which hubs reach its listener.
func NewKeys(key []byte, publicURL string) *Keys {
	return &Keys{key: key, publicURL: strings.TrimRight(publicURL, "/")}
}

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func (k *Keys) derive(purpose, source string, generation int) string {
	mac := hmac.New(sha256.New, k.key)
	// The parts cannot run into each other: a NUL stands in none of them.
	_, _ = mac.Write([]byte(purpose + "\x00" + source + "\x00" + strconv.Itoa(generation))) // hash.Hash never fails
	return encoding.EncodeToString(mac.Sum(nil))
}

// Token is what nobody can guess who was not told the callback of a subscription.
func (k *Keys) Token(source string, generation int) string { return k.derive("cb", source, generation) }

// Secret is what the hub signs its pushes with; it has 52 bytes, and at most 200 are allowed (section 5.1).
func (k *Keys) Secret(source string, generation int) string {
	return k.derive("secret", source, generation)
}

// Path is where callbacks begin.
const Path = "/websub/"

// Callback is the address that a hub is given. The id of the source stands in it beside the token, so that a replica
// finds the source of a callback without knowing the generations of all of them.
func (k *Keys) Callback(source string, generation int) string {
	return k.publicURL + Path + source + "/" + k.Token(source, generation)
}

// generation finds the generation of a token, up to the one that is in use. A token of before is one of a subscription
// that ended.
func (k *Keys) generation(source, token string, now int) (generation int, ok bool) {
	for g := now; g >= 0 && g > now-oldGenerations; g-- {
		if hmac.Equal([]byte(token), []byte(k.Token(source, g))) {
			return g, true
		}
	}
	return 0, false
}

// oldGenerations is how many generations are remembered as such.
const oldGenerations = 16
