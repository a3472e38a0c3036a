package guard

import "tidings.internal/services/ingest/internal/cause"

// The limits of a document. Real feeds stay far below them; each stops one way of making the parser's work grow faster
// than the document.
const (
	maxDepth      = 200     // elements within one another: the parser recurses
	maxAttributes = 200     // of one element
	maxPrefixes   = 2000    // namespace declarations in the document
	maxScope      = 64      // namespace declarations in force at one place
	maxScopeSum   = 4 << 20 // prefixes in force, summed over all elements: the parser copies its map for each
	maxElements   = 300_000
	maxRuns       = 20_000   // pieces of text in one element
	maxRunSum     = 64 << 20 // bytes copied when the parser joins the pieces of foreign elements one by one
	maxValues     = 300_000  // values in a JSON document
	maxFields     = 64       // noted fields of one item

	// MaxItems is how many items of a document are read; what follows is cut off.
	MaxItems = 2000
	// headBytes is where the root must begin; comments before it do not count.
	headBytes = 64 << 10
)

func tooDeep() error {
	return cause.Errorf(cause.TooDeep, "scan document: elements nest deeper than %d", maxDepth)
}

func tooDense(what string, limit int) error {
	return cause.Errorf(cause.TooDense, "scan document: more than %d %s", limit, what)
}
