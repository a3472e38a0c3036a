package event

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
