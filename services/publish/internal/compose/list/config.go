package list

import (
	_ "embed" // for example.yaml
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
)

//go:embed example.yaml
var example string

// Settings are the keys of a list channel that say what its readers see and may choose on the pages of the newsletter;
// example.yaml is their manual. What its mails look like, and how they are sent, is the sending side's.
type Settings struct {
	Title       string `yaml:"title"`
	Description string `yaml:"description"`
	// Language is de or en; empty leaves it to the site.
	Language string `yaml:"language"`
	// Periods are those that readers may choose from, the preset one first.
	Periods []string `yaml:"periods"`
	// Hour and Zone are preset, too.
	Hour int    `yaml:"hour"`
	Zone string `yaml:"zone"`
	// Tags and Sources are the ids of those that readers may narrow the list to.
	Tags    []string `yaml:"tags"`
	Sources []string `yaml:"sources"`
	// Consent is what readers agree to by sending the form; empty for a text of ours.
	Consent string `yaml:"consent"`
}

// The languages that the pages and mails of lists speak.
const (
	German  = "de"
	English = "en"
)

const (
	// The most characters of the texts. A title stands in the subject of mails.
	maxTitle       = 100
	maxDescription = 1000
	maxConsent     = 2000
	// maxChoices is how many tags, and how many sources, a reader may choose (pkg/event), so more are not offered.
	maxChoices = 100
	// maxID is the longest id of a tag in bytes.
	maxID = 200
)

var _ config.Checker = (*Settings)(nil)

// Check reports what is wrong by itself. Whether the list needs a title depends on keys that all channels have.
func (s *Settings) Check(at config.At) {
	for _, t := range []struct {
		key, text string
		most      int
	}{{"title", s.Title, maxTitle}, {"description", s.Description, maxDescription}, {"consent", s.Consent, maxConsent}} {
		n := utf8.RuneCountInString(t.text)
		switch {
		case n > t.most:
			at.Key(t.key).Problemf("has %d characters; %d are allowed", n, t.most)
		case strings.ContainsFunc(t.text, unprintable):
			at.Key(t.key).Problemf("holds characters that cannot be shown")
		}
	}
	if strings.ContainsAny(s.Title, "\n\t") {
		at.Key("title").Problemf("has more than one line")
	}
	if s.Language != "" {
		at.Key("language").OneOf(s.Language, German, English)
	}
	if len(s.Periods) == 0 {
		at.Key("periods").Problemf("is empty; give at least one of daily, weekly, immediate")
	}
	for i, p := range s.Periods {
		if at.Key("periods").Index(i).OneOf(p, event.Daily, event.Weekly, event.Immediate) && slices.Contains(s.Periods[:i], p) {
			at.Key("periods").Index(i).Problemf("%s is there already", p)
		}
	}
	if s.Hour < 0 || s.Hour > 23 {
		at.Key("hour").Problemf("%d is not within 0 and 23", s.Hour)
	}
	if !ValidZone(s.Zone) {
		at.Key("zone").Problemf("%q is not a time zone such as Europe/Berlin", s.Zone)
	}
	checkChoices(at.Key("tags"), s.Tags)
	checkChoices(at.Key("sources"), s.Sources)
}

func checkChoices(at config.At, ids []string) {
	if len(ids) > maxChoices {
		at.Problemf("there are %d; %d are allowed", len(ids), maxChoices)
	}
	for i, id := range ids {
		switch {
		case strings.TrimSpace(id) != id || id == "" || len(id) > maxID || strings.ContainsFunc(id, unicode.IsControl):
			at.Index(i).Problemf("%q is no id", id)
		case slices.Contains(ids[:i], id):
			at.Index(i).Problemf("%q is there already", id)
		}
	}
}

// unprintable reports what no text for readers holds: control characters other than the ends of lines, and those that turn
// the direction of what stands behind them.
func unprintable(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError
}

// ValidZone reports whether a name is one of the IANA database. Names that mean another zone on each machine are not, nor
// are those of the second and third tree that some machines have beside it.
func ValidZone(name string) bool {
	if name == "" || name == "Local" || name == "localtime" || strings.HasPrefix(name, "posix") || strings.HasPrefix(name, "right/") {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}

func defaults() any {
	return &Settings{Periods: []string{event.Daily, event.Weekly, event.Immediate}, Hour: 7, Zone: "UTC", Tags: []string{}, Sources: []string{}}
}

// others are the keys of the sending side.
var others = []string{"from", "reply_to", "imprint", "smtp", "dkim", "bounces"}
