package run

import (
	"fmt"
	"runtime/debug"

	"tidings.internal/pkg/fault"
)

// Guard calls f and turns a panic in it into an error of kind internal that names what was going on and where it
// broke. A goroutine that is not guarded takes the whole process with it.
func Guard(what string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fault.Errorf(fault.Internal, "%s: panic: %w", what, &panicError{value: v, stack: debug.Stack()})
		}
	}()
	return f()
}

// panicError keeps the stack out of the sentence, so that an operator reads a line and the log gets the rest.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprint(p.value) }

// Unwrap gives the error that was panicked with, if it was one.
func (p *panicError) Unwrap() error {
	err, _ := p.value.(error)
	return err
}
