package cli

import (
	"tidings.internal/services/tidings/internal/embedded"
)

type initVerb struct {
	Keys string `required:"" help:"Make the keys of the users of NATS below this folder. What exists is kept." placeholder:"DIR"`
}

// Run is the verb init.
func (v *initVerb) Run(w *world) error {
	made, err := embedded.MakeKeys(v.Keys)
	if err != nil {
		return err
	}
	return w.printf("made %d keys\n", made)
}
