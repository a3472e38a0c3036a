package event

import (
	"log/slog"
	"strconv"
)

// Hidden is a text that somebody entrusted to us: a secret, an address, a token. It is JSON as it is, for it must be
// stored, and *** everywhere else.
type Hidden string

// String hides the text.
func (h Hidden) String() string {
	if h == "" {
		return ""
	}
	return "***"
}

// GoString hides the text.
func (h Hidden) GoString() string { return strconv.Quote(h.String()) }

// LogValue hides the text.
func (h Hidden) LogValue() slog.Value { return slog.StringValue(h.String()) }
