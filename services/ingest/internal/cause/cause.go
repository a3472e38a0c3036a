// Package cause names why a poll of a source failed, one word of a closed list each.
//
// The word is a metric label and what an operator filters by; [Table] gives each its weight for the backoff, its kind
// of package fault and a sentence. The reasons of the way out (names, connections, statuses) are those of package web;
// this package adds the reasons of reading a document. It decides nothing about retries: package schedule does.
package cause

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
)

// Reason is why a poll failed.
type Reason string

// The reasons that package web does not know.
const (
	NotAFeed           Reason = "not_a_feed"
	UnsupportedFormat  Reason = "unsupported_format"
	UnsupportedCharset Reason = "unsupported_charset"
	Malformed          Reason = "malformed"
	TooDense           Reason = "too_dense"
	TooDeep            Reason = "too_deep"
	// Ours is trouble on this side: the broker is down, or a bug. It never counts against a source.
	Ours Reason = "ours"
)

// The reasons of package web that are given here, too.
const (
	TooLarge  = Reason(web.TooLarge)
	Truncated = Reason(web.Truncated)
	Blocked   = Reason(web.Blocked)
)

// Row is what follows from a reason.
type Row struct {
	Reason Reason
	// Weight is how much one failure adds to the sum that stretches the interval: 1 for what only the publisher can
	// repair, 0.5 for what often passes by itself, 0.25 for what usually does, 0 for what is not the source's fault.
	Weight float64
	Kind   fault.Kind
	// Sentence tells an operator what happened, without a full stop.
	Sentence string
}

var own = []Row{
	{NotAFeed, 1, fault.Malformed, "the address answers with something that is not a feed"},
	{UnsupportedFormat, 1, fault.Malformed, "the document is of a format that is not read"},
	{UnsupportedCharset, 1, fault.Malformed, "the document uses a character encoding that is not read"},
	{Malformed, 1, fault.Malformed, "the document is broken and no item of it could be saved"},
	{TooDense, 1, fault.TooLarge, "the document packs more elements, attributes or pieces of text than any real feed does"},
	{TooDeep, 1, fault.TooLarge, "the document nests its elements deeper than any real feed does"},
	{Ours, 0, fault.Internal, "Tidings could not finish the poll for a reason of its own; the source is not to blame"},
}

// light lists the reasons of package web that weigh less than 1.
var light = map[web.Reason]float64{
	web.DNSTemporary: 0.25,
	web.DNSUnknown:   0.5, web.Connect: 0.5, web.TLSFailed: 0.5, web.Timeout: 0.5, web.NotFound: 0.5,
	web.ServerError: 0.5, web.RateLimited: 0.5, web.Truncated: 0.5,
}

// Table lists every reason with its consequences. The slice is a copy.
func Table() []Row {
	rows := slices.Clone(own)
	for _, r := range web.Reasons() {
		weight, ok := light[r.Reason]
		if !ok {
			weight = 1
		}
		rows = append(rows, Row{Reason(r.Reason), weight, r.Kind, r.Sentence})
	}
	return rows
}

// Row returns the consequences of r, and those of [Ours] for a reason that nobody declared.
func (r Reason) Row() Row {
	rows := Table()
	if i := slices.IndexFunc(rows, func(row Row) bool { return row.Reason == r }); i >= 0 {
		return rows[i]
	}
	return Ours.Row()
}

// Error is a failed poll.
type Error struct {
	Reason Reason
	err    error
}

// Errorf makes an error of a reason with the kind that follows from it.
func Errorf(r Reason, format string, args ...any) *Error {
	return &Error{Reason: r, err: fault.Errorf(r.Row().Kind, format, args...)}
}

// Error gives the reason and the text of the cause.
func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Reason, e.err) }

// Unwrap gives the fault, and below it the cause.
func (e *Error) Unwrap() error { return e.err }

// Of returns the reason of err: that of an [Error], else that of a *web.Error, else [Ours]. Of nil it is empty.
func Of(err error) Reason {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	if e, ok := errors.AsType[*web.Error](err); ok {
		return Reason(e.Reason)
	}
	return Ours
}

// Ended reports whether err only says that the process is told to stop.
func Ended(err error) bool { return errors.Is(err, context.Canceled) }
