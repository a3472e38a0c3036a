package readers

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"strings"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/fault"
)

const (
	// MinKey is how many bytes a key has at least.
	MinKey = 32
	// idLength and macLength are bytes: 128 bits are beyond any guess.
	idLength  = 16
	macLength = 16
)

// Keys make and read tokens, and hash addresses. The zero value has none.
type Keys struct{ keys [][]byte }

// NewKeys takes the key in force and those that were before it, which are still accepted. Each has [MinKey] bytes or more.
func NewKeys(now []byte, before ...[]byte) (Keys, error) {
	k := Keys{keys: append([][]byte{now}, before...)}
	for _, key := range k.keys {
		if len(key) < MinKey {
			return Keys{}, fault.Errorf(fault.Invalid, "a key of readers has %d bytes; %d are needed", len(key), MinKey)
		}
	}
	return k, nil
}

// mac binds parts to a purpose. No part holds a NUL.
func mac(key []byte, purpose string, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(purpose + "\x00" + strings.Join(parts, "\x00")))
	return h.Sum(nil)
}

// addresses hashes an address, with the key in force first. Mail systems may tell Reader from reader, but none that is in
// use does; so both are one address here.
func (k Keys) addresses(address string) []string {
	list := make([]string, len(k.keys))
	for i, key := range k.keys {
		list[i] = hex.EncodeToString(mac(key, "address", strings.ToLower(address))[:idLength])
	}
	return list
}

// The kinds of tokens: the first byte of one.
const (
	forReader  = 'r' // lets a reader change and end a subscription; it has no expiry
	forConfirm = 'c' // confirms it, once
)

// Token is what a reader's mails carry: who has it may change what the reader wants, and end it. It has no expiry, and is
// the same as long as the key is.
func (k Keys) Token(list, id string) string { return seal(forReader, list, id, k.sign(0, list, id)) }

func (k Keys) sign(i int, list, id string) []byte {
	return mac(k.keys[i], "reader", list, id)[:macLength]
}

// confirmation makes the token of one mail. secret has 16 random bytes.
func confirmation(list, id string, secret []byte) string { return seal(forConfirm, list, id, secret) }

// tokenHash is what is kept of a confirmation token.
func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// letters writes tokens: lower case, so that a mail program that folds case spoils none.
var letters = base32.StdEncoding.WithPadding(base32.NoPadding)

func seal(kind byte, list, id string, proof []byte) string {
	raw, _ := hex.DecodeString(id) // ids are ours
	return strings.ToLower(letters.EncodeToString(append(append(append([]byte{kind}, raw...), proof...), list...)))
}

// read takes a token apart. Whether a confirmation token is good, its row tells; any other is checked here, against every
// key. An error holds no word of the token.
func (k Keys) read(token string) (kind byte, list, id string, err error) {
	token = strings.ToLower(token)
	raw, err := letters.DecodeString(strings.ToUpper(token))
	if err != nil || len(raw) <= 1+idLength+macLength || !article.ValidName(string(raw[1+idLength+macLength:])) {
		return 0, "", "", errForeign()
	}
	kind, id, list = raw[0], hex.EncodeToString(raw[1:1+idLength]), string(raw[1+idLength+macLength:])
	proof := raw[1+idLength : 1+idLength+macLength]
	if seal(kind, list, id, proof) != token { // spare bits of the last letter
		return 0, "", "", errForeign()
	}
	switch kind {
	case forConfirm:
		return kind, list, id, nil
	case forReader:
		for i := range k.keys {
			if subtle.ConstantTimeCompare(proof, k.sign(i, list, id)) == 1 {
				return kind, list, id, nil
			}
		}
	}
	return 0, "", "", errForeign()
}

func errForeign() error { return fault.Errorf(fault.Gone, "the token is none of ours") }

// The keys of the bucket.
func readerKey(list, id string) string  { return "s." + list + "." + id }
func indexKey(list, hash string) string { return "a." + list + "." + hash }
func suppressedKey(hash string) string  { return "x." + hash }
func readerKeys(list string) string     { return "s." + list + ".*" }
func everyIndexOf(hash string) string   { return "a.*." + hash }

const (
	allReaders = "s.>"
	allIndices = "a.>"
)
