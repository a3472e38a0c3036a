package telegram

import (
	_ "embed" // for example.yaml
	"regexp"

	"tidings.internal/pkg/config"
)

//go:embed example.yaml
var example string

// Settings are the keys of a telegram channel that say where in Telegram its posts go and what they look like;
// example.yaml is their manual.
type Settings struct {
	Chat    string `yaml:"chat"`
	Thread  int64  `yaml:"thread"`
	Preview bool   `yaml:"preview"`
	Silent  bool   `yaml:"silent"`
}

// chatForm is the name of a public chat, or the number of any.
var chatForm = regexp.MustCompile(`^(@[A-Za-z]\w{3,31}|-?\d{1,20})$`)

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	if !chatForm.MatchString(s.Chat) {
		at.Key("chat").Problemf("%q is no chat; it wants the name of a public one such as @example_news, or a number such as -1001234567890", s.Chat)
	}
	if s.Thread < 0 {
		at.Key("thread").Problemf("%d is negative; it wants the number of a topic, or 0 for none", s.Thread)
	}
}

func defaults() any { return &Settings{Chat: "@example_news", Preview: true} }

// others are the keys of the sending side.
var others = []string{"server", "token", "token_file"}
