package fault

import (
	"errors"
	"fmt"
	"time"
)

// Error is an error with a kind. [Errorf] makes one; [errors.AsType] finds it in a chain.
type Error struct {
	Kind Kind
	// Wait is how long the other side asked us to wait, zero when it named no time.
	Wait time.Duration
	err  error
}

// Error gives the text of the cause. The kind is not part of it: a reader gets the kind's sentence beside it.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap gives the cause, so that [errors.Is] and [errors.As] see through a kind.
func (e *Error) Unwrap() error { return e.err }

// Errorf makes an error of a kind. The format follows [fmt.Errorf], %w included.
func Errorf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, err: fmt.Errorf(format, args...)}
}

// Later says that err is to be tried again after a time, and makes it [Throttled] unless it has a kind already.
// A nil err stays nil.
func Later(err error, after time.Duration) error {
	if err == nil {
		return nil
	}
	kind := Throttled
	if e, ok := errors.AsType[*Error](err); ok {
		kind = e.Kind
	}
	return &Error{Kind: kind, Wait: after, err: err}
}

// After returns how long err asks to wait: the outermost time that is not zero, else zero.
func After(err error) time.Duration {
	for err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return 0
		}
		if e.Wait > 0 {
			return e.Wait
		}
		err = e.err
	}
	return 0
}

// KindOf returns the outermost kind in the chain of err, and [Internal] when none names one: an error whose meaning
// nobody knew is a bug until shown otherwise. KindOf(nil) is empty.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Exit returns the exit code of a command that ended with err.
func Exit(err error) int {
	if err == nil {
		return ExitOK
	}
	return KindOf(err).Row().Exit
}
