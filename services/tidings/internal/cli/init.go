package cli

import (
	"cmp"

	"tidings.internal/services/tidings/internal/bundle"
	"tidings.internal/services/tidings/internal/embedded"
)

type initVerb struct {
	Dir    string `arg:"" optional:"" help:"Folder for the bundle. Else this one; none where only keys are asked for."`
	Keys   string `help:"Make the keys of the users of NATS below this folder. What exists is kept." placeholder:"DIR"`
	Rotate bool   `help:"With --keys: make new keys for all. NATS and all services must start anew with them."`
	asJSON
}

// bundled tells of the files of a bundle.
type bundled struct {
	Folder string        `json:"folder"`
	Files  []bundle.File `json:"files"`
}

// keysMade tells of keys.
type keysMade struct {
	Folder string `json:"folder"`
	Made   int    `json:"made"`
}

// Run is the verb init.
func (v *initVerb) Run(w *world) error {
	if v.Rotate && v.Keys == "" {
		return &usageError{"--rotate goes with --keys DIR"}
	}
	var done struct {
		Bundle *bundled  `json:"bundle,omitempty"`
		Keys   *keysMade `json:"keys,omitempty"`
	}
	if v.Dir != "" || v.Keys == "" {
		dir := cmp.Or(v.Dir, ".")
		files, err := bundle.Write(dir)
		if err != nil {
			return err
		}
		done.Bundle = &bundled{dir, files}
	}
	if v.Keys != "" {
		made, err := embedded.MakeKeys(v.Keys, v.Rotate)
		if err != nil {
			return err
		}
		done.Keys = &keysMade{v.Keys, made}
	}
	if v.JSON {
		return w.encode(done)
	}
	if done.Bundle != nil {
		if err := w.bundled(*done.Bundle); err != nil {
			return err
		}
	}
	if done.Keys != nil {
		return w.printf("made %d keys\n", done.Keys.Made)
	}
	return nil
}

func (w *world) bundled(b bundled) error {
	rows := make([][]string, len(b.Files))
	for i, f := range b.Files {
		rows[i] = []string{f.Name, f.Outcome}
	}
	if err := w.table([]string{"FILE", "OUTCOME"}, rows); err != nil {
		return err
	}
	return w.printf("Put your sources into tidings.yaml, then in %s: docker-compose up -d\nThe images must be there already, or in the registry that .env names: only the source has what they are built of.\n", plain(b.Folder))
}
