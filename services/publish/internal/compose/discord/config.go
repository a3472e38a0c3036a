package discord

import (
	_ "embed" // for example.yaml
	"strings"
	"unicode/utf8"

	"tidings.internal/pkg/config"
)

//go:embed example.yaml
var example string

// maxUsername is the longest name that a message may be shown under.
const maxUsername = 80

// Settings are the keys of a discord channel that say what its posts look like; example.yaml is their manual.
type Settings struct {
	Username string `yaml:"username"`
	Preview  bool   `yaml:"preview"`
}

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	low := strings.ToLower(s.Username)
	switch {
	case utf8.RuneCountInString(s.Username) > maxUsername:
		at.Key("username").Problemf("is longer than %d characters", maxUsername)
	case strings.Contains(low, "discord") || strings.Contains(low, "clyde"):
		at.Key("username").Problemf("holds a word that Discord refuses in names: discord or clyde")
	}
}

func defaults() any { return &Settings{Preview: true} }

// others are the keys of the sending side.
var others = []string{"url", "url_file", "thread"}
