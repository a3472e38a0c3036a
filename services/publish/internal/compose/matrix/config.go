package matrix

import (
	_ "embed" // for example.yaml

	"tidings.internal/pkg/config"
)

//go:embed example.yaml
var example string

// Settings are the keys of a matrix channel that say what its posts look like; example.yaml is their manual.
type Settings struct {
	Kind string `yaml:"kind"`
}

// Check reports what is wrong.
func (s *Settings) Check(at config.At) { at.Key("kind").OneOf(s.Kind, "m.text", "m.notice") }

func defaults() any { return &Settings{Kind: "m.text"} }

// others are the keys of the sending side.
var others = []string{"server", "room", "token", "token_file"}
