package bus

import (
	"context"
	"encoding/json"

	"tidings.internal/pkg/fault"
)

// holder is the value of a lease: who has it.
type holder struct {
	Name string `json:"holder"`
	// Process names the process for good, where the system lets us tell ([thisProcess]); else it is empty.
	Process string `json:"process,omitempty"`
}

// inherit takes over a lease whose holder is certainly dead: a process of this very machine, boot and process namespace
// that does not exist any more. It spares a service that was killed the wait for its own leases to expire. The new
// revision is a new fence, as with any new holder. The error is a conflict in every other case.
func (b *Bucket) inherit(ctx context.Context, name string, value []byte) (uint64, error) {
	held := fault.Errorf(fault.Conflict, "acquire lease %s: another holds it", name)
	e, ok, err := b.Read(ctx, name)
	if err != nil {
		return 0, err
	}
	var h holder
	if !ok || json.Unmarshal(e.Value, &h) != nil || h.Process == "" || !ended(h.Process) {
		return 0, held
	}
	// Of several heirs the compare-and-set lets one win.
	return b.Update(ctx, name, value, e.Revision)
}
