package teams

import (
	_ "embed" // for example.yaml

	"tidings.internal/pkg/config"
)

//go:embed example.yaml
var example string

// Settings are the keys of a teams channel that say what its posts look like; example.yaml is their manual.
type Settings struct {
	Button bool `yaml:"button"`
}

// Check reports what is wrong.
func (s *Settings) Check(config.At) {}

func defaults() any { return &Settings{Button: true} }

// others are the keys of the sending side.
var others = []string{"url", "url_file"}
