package event

import "time"

// VerbDocument is the verb by which deliver asks publish for a document that is to be pushed. Its request is a
// [DocumentRequest], its reply a [DocumentReply].
const VerbDocument = "document"

// DocumentRequest names a document of a feed.
type DocumentRequest struct {
	// Look asks for the state alone.
	Look   bool   `json:"look,omitempty"`
	Feed   string `json:"feed"`
	Format string `json:"format"`
	SHA256 string `json:"sha256,omitempty"`
	// Applied is the place in ARTICLES that the document shows. One that shows a later one is as good.
	Applied Applied `json:"applied"`
}

// The states of a [DocumentReply].
const (
	DocumentHere   = "here"
	DocumentNotYet = "not_yet" // this replica lags behind; ask another, or again
	DocumentGone   = "gone"    // this replica publishes no such document
)

// DocumentReply is a document, or why there is none.
type DocumentReply struct {
	State  string `json:"state"`
	SHA256 string `json:"sha256,omitempty"`
	// Gzip is the document, packed.
	Gzip []byte `json:"gzip,omitempty"`
}

// VerbFeed is the verb by which an operator asks publish for a document of a feed as it is served, of a private one, too.
// Its request is a [FeedRequest], its reply a [FeedReply].
const VerbFeed = "feed"

// FeedRequest names a document of a feed.
type FeedRequest struct {
	// Look asks for everything but the bytes.
	Look   bool   `json:"look,omitempty"`
	Feed   string `json:"feed"`
	Format string `json:"format"`
}

// FeedReply is a document as it is served now.
type FeedReply struct {
	// Self is its address; that of a private feed has the word TOKEN where the token of a reader stands.
	Self   string `json:"self"`
	SHA256 string `json:"sha256"`
	ETag   string `json:"etag"`
	// Changed is when its content changed last; zero when that is not known.
	Changed time.Time `json:"changed,omitzero"`
	// Bytes is its size, Packed that of it packed with gzip.
	Bytes  int `json:"bytes"`
	Packed int `json:"packed"`
	// Gzip is the document, packed.
	Gzip []byte `json:"gzip,omitempty"`
}
