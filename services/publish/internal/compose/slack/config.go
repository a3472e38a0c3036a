package slack

import (
	_ "embed" // for example.yaml

	"tidings.internal/pkg/config"
)

//go:embed example.yaml
var example string

// Settings are the keys of a slack channel that say what its posts look like; example.yaml is their manual.
type Settings struct {
	Preview bool `yaml:"preview"`
}

// Check reports what is wrong.
func (s *Settings) Check(config.At) {}

func defaults() any { return &Settings{} }

// others are the keys of the sending side.
var others = []string{"server", "room", "token", "token_file"}
