package cli

import (
	"tidings.internal/services/tidings/internal/embedded"
)

type initVerb struct {
	Keys string `required:"" help:"Make the keys of the users of NATS below this folder. What exists is kept." placeholder:"DIR"`
	asJSON
}

// Run is the verb init.
func (v *initVerb) Run(w *world) error {
	made, err := embedded.MakeKeys(v.Keys)
	if err != nil {
		return err
	}
	if v.JSON {
		return w.encode(struct {
			Folder string `json:"folder"`
			Made   int    `json:"made"`
		}{v.Keys, made})
	}
	return w.printf("made %d keys\n", made)
}
