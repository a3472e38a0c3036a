package bluesky

import (
	_ "embed" // for example.yaml

	"tidings.internal/pkg/config"
)

//go:embed example.yaml
var example string

// Settings are the keys of a bluesky channel that say what its posts look like; example.yaml is their manual.
type Settings struct {
	Card bool `yaml:"card"`
}

// Check finds nothing wrong: both values are good.
func (s *Settings) Check(config.At) {}

func defaults() any { return &Settings{Card: true} }

// others are the keys of the sending side.
var others = []string{"server", "handle", "password", "password_file"}
