package event

import (
	"regexp"
	"strings"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/fault"
)

// MaxSubject is the longest subject in bytes.
const MaxSubject = 255

// Space is the part of the subject tree that a subject belongs to.
type Space string

// The spaces.
const (
	SpaceRaw      Space = "article.raw"
	SpaceBackfill Space = "article.backfill"
	SpaceEnriched Space = "article.enriched"
	SpacePost     Space = "post"
	SpaceFeed     Space = "feed.changed"
	SpaceDead     Space = "dead"
	SpaceEvent    Space = "event"
)

// Subject is a subject taken apart. Only the fields of its space are set.
type Subject struct {
	Space     Space
	Partition string
	Source    string
	Article   string
	Channel   string
	Story     string
	Feed      string
	Service   string
	// Word is the reason of a dead letter or the type of an event.
	Word string
}

var wordForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_]{0,63}$`)

// RawSubject is where ingest publishes an article, or with backfill one that is filled in later.
func RawSubject(partition, source string, backfill bool) (string, error) {
	space := SpaceRaw
	if backfill {
		space = SpaceBackfill
	}
	return Subject{Space: space, Partition: partition, Source: source}.text()
}

// EnrichedSubject holds the newest revision of an article.
func EnrichedSubject(partition, source, id string) (string, error) {
	return Subject{Space: SpaceEnriched, Partition: partition, Source: source, Article: id}.text()
}

// PostSubject holds the newest post of a story for a channel.
func PostSubject(channel, story string) (string, error) {
	return Subject{Space: SpacePost, Channel: channel, Story: story}.text()
}

// FeedSubject holds the last change of a feed.
func FeedSubject(feed string) (string, error) {
	return Subject{Space: SpaceFeed, Feed: feed}.text()
}

// DeadSubject is where a service puts a message that it cannot take.
func DeadSubject(service, reason string) (string, error) {
	return Subject{Space: SpaceDead, Service: service, Word: reason}.text()
}

// NoticeSubject is where a service tells of something that happened.
func NoticeSubject(service, typ string) (string, error) {
	return Subject{Space: SpaceEvent, Service: service, Word: typ}.text()
}

// AdminSubject is where a service answers a verb of the operator.
func AdminSubject(service, verb string) string { return "adm." + service + "." + verb }

// AllPosts is the filter for the posts of a channel.
func AllPosts(channel string) string { return string(SpacePost) + "." + channel + ".>" }

// OfSource is the filter for what stands in a space of a source: one of [SpaceRaw], [SpaceBackfill] and [SpaceEnriched].
func OfSource(s Space, source string) (string, error) {
	if !article.ValidName(source) {
		return "", fault.Errorf(fault.Invalid, "filter of %s: %q is no source", s, source)
	}
	filter := string(s) + ".*." + source
	if s == SpaceEnriched {
		filter += ".*"
	}
	return filter, nil
}

// All is the filter for everything in a space.
func All(s Space) string { return string(s) + ".>" }

// String gives the subject, or the reason why there is none in brackets; use the functions above to build one.
func (s Subject) String() string {
	text, err := s.text()
	if err != nil {
		return "[" + err.Error() + "]"
	}
	return text
}

func (s Subject) tokens() []string {
	var list []string
	for _, f := range s.fields() {
		list = append(list, *f)
	}
	return list
}

// fields are where the tokens belong that follow the space.
func (s *Subject) fields() []*string {
	switch s.Space {
	case SpaceRaw, SpaceBackfill:
		return []*string{&s.Partition, &s.Source}
	case SpaceEnriched:
		return []*string{&s.Partition, &s.Source, &s.Article}
	case SpacePost:
		return []*string{&s.Channel, &s.Story}
	case SpaceFeed:
		return []*string{&s.Feed}
	case SpaceDead, SpaceEvent:
		return []*string{&s.Service, &s.Word}
	}
	return nil
}

// check says which token is bad. Every token comes from a closed alphabet, so that no content of a feed can add a
// level or a wildcard.
func (s Subject) check() error {
	bad := func(name, value string) error {
		return fault.Errorf(fault.Invalid, "subject %s: %q is no %s", s.Space, value, name)
	}
	switch s.Space {
	case SpaceRaw, SpaceBackfill, SpaceEnriched:
		if !article.ValidPartition(s.Partition) {
			return bad("partition", s.Partition)
		}
		if !article.ValidName(s.Source) {
			return bad("source", s.Source)
		}
		if s.Space == SpaceEnriched && !article.ValidID(s.Article) {
			return bad("article id", s.Article)
		}
	case SpacePost:
		if !article.ValidName(s.Channel) {
			return bad("channel", s.Channel)
		}
		if !article.ValidID(s.Story) {
			return bad("story id", s.Story)
		}
	case SpaceFeed:
		if !article.ValidName(s.Feed) {
			return bad("feed", s.Feed)
		}
	case SpaceDead, SpaceEvent:
		if !wordForm.MatchString(s.Service) {
			return bad("service", s.Service)
		}
		if !wordForm.MatchString(s.Word) {
			return bad("word", s.Word)
		}
	default:
		return fault.Errorf(fault.Invalid, "%q is no space of subjects", s.Space)
	}
	return nil
}

func (s Subject) text() (string, error) {
	if err := s.check(); err != nil {
		return "", err
	}
	text := string(s.Space) + "." + strings.Join(s.tokens(), ".")
	if len(text) > MaxSubject {
		return "", fault.Errorf(fault.Invalid, "subject of %d bytes is longer than %d", len(text), MaxSubject)
	}
	return text, nil
}

// ParseSubject takes a subject apart and refuses one that this package would not have built.
func ParseSubject(text string) (Subject, error) {
	malformed := func() (Subject, error) {
		return Subject{}, fault.Errorf(fault.Malformed, "%q is no subject of Tidings", clip(text))
	}
	for _, space := range []Space{SpaceRaw, SpaceBackfill, SpaceEnriched, SpaceFeed, SpacePost, SpaceDead, SpaceEvent} {
		rest, ok := strings.CutPrefix(text, string(space)+".")
		if !ok {
			continue
		}
		s := Subject{Space: space}
		fields, tokens := s.fields(), strings.Split(rest, ".")
		if len(tokens) != len(fields) {
			return malformed()
		}
		for i, f := range fields {
			*f = tokens[i]
		}
		if err := s.check(); err != nil {
			return Subject{}, fault.Errorf(fault.Malformed, "read subject: %w", err)
		}
		return s, nil
	}
	return malformed()
}

// clip keeps hostile text short in an error.
func clip(s string) string {
	s, cut := article.Cut(s, 80)
	if cut {
		s += "…"
	}
	return s
}
