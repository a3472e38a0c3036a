// Package linkedin composes posts for members and organisations of LinkedIn (learn.microsoft.com/linkedin, "Posts API").
//
// The text is in LinkedIn's "little" format, in which some punctuation is markup: a sign that is not escaped cuts the post
// there without a word. So everything is escaped but our own hashtags. The card is ours: LinkedIn fetches nothing.
package linkedin

import (
	_ "embed" // for example.yaml
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/clean"
	"tidings.internal/services/publish/internal/compose"
)

//go:embed example.yaml
var example string

const (
	// limit is the length of a post's text before it is escaped.
	limit = 3000
	// maxTitle and maxDescription are those of a card.
	maxTitle, maxDescription = 400, 4086
)

// Network is the network of linkedin channels.
var Network = compose.Network{
	Name:     "linkedin",
	Settings: defaults,
	Others:   others,
	Example:  example,
	Template: "{{.Title}}\n\n{{.Summary}}\n\n{{.URL}}\n\n{{hashtags .Tags}}",
	Compose:  composePost,
}

// Settings are the keys of a linkedin channel that say what its posts look like; example.yaml is their manual.
type Settings struct {
	Author string `yaml:"author"`
	Media  string `yaml:"media"`
}

// others are the keys of the sending side, which knows the author, too.
var others = []string{"server", "token", "token_file", "version"}

var authorForm = regexp.MustCompile(`^urn:li:(person|organization):[A-Za-z0-9_-]+$`)

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	if s.Author != "" && !authorForm.MatchString(s.Author) {
		at.Key("author").Problemf("%q is not urn:li:organization:ID or urn:li:person:ID", s.Author)
	}
	at.Key("media").OneOf(s.Media, "none", "image")
}

func defaults() any { return &Settings{Media: "image"} }

// post is the body of a request.
type post struct {
	Author         string       `json:"author,omitempty"`
	Commentary     string       `json:"commentary"`
	Visibility     string       `json:"visibility"`
	Distribution   distribution `json:"distribution"`
	Content        content      `json:"content"`
	LifecycleState string       `json:"lifecycleState"`
	NoReshare      bool         `json:"isReshareDisabledByAuthor"`
}

type distribution struct {
	FeedDistribution string     `json:"feedDistribution"`
	TargetEntities   []struct{} `json:"targetEntities"`
	ThirdParty       []struct{} `json:"thirdPartyDistributionChannels"`
}

type content struct {
	Article card `json:"article"`
}

type card struct {
	Source      string `json:"source"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Thumbnail   *media `json:"thumbnail,omitempty"`
}

type media struct {
	Name string `json:"$media"`
}

// patch is the body of an edit (Posts API, partial update).
type patch struct {
	Patch struct {
		Set struct {
			Commentary string `json:"commentary"`
		} `json:"$set"`
	} `json:"patch"`
}

func composePost(in compose.Input) (compose.Draft, error) {
	s, ok := in.Channel.Settings.(*Settings)
	if !ok {
		s = defaults().(*Settings)
	}
	text, used, err := compose.Fit(in, compose.NewFields(in, nil), length, limit)
	if err != nil {
		return compose.Draft{}, err
	}
	d := compose.Draft{Text: text, Count: event.Count{Used: used, Limit: limit, Unit: "utf16"}}
	d.Request = event.Request{Method: "POST", Path: "/rest/posts", Headers: map[string]string{
		"Content-Type": "application/json", "Authorization": "Bearer {token}", "X-Restli-Protocol-Version": "2.0.0",
	}}
	if in.Action == event.ActionEdit {
		var p patch
		p.Patch.Set.Commentary = little(text)
		d.Request.Path = "/rest/posts/{remote_id}"
		d.Request.Headers["X-RestLi-Method"] = "PARTIAL_UPDATE"
		d.Request.Body, err = compose.JSON(p)
		return d, err
	}
	body := post{
		Author: s.Author, Commentary: little(text), Visibility: "PUBLIC", LifecycleState: "PUBLISHED",
		Distribution: distribution{"MAIN_FEED", []struct{}{}, []struct{}{}},
		Content:      content{card{Source: in.Link, Title: clean.Shorten(in.Item.Title, maxTitle), Description: clean.Shorten(in.Item.Summary, maxDescription)}},
	}
	if m := in.Item.Image; m != nil && s.Media == "image" {
		body.Content.Article.Thumbnail = &media{"thumbnail"}
		d.Media = []event.Asset{{Name: "thumbnail", URL: m.URL, Alt: m.Alt, MaxBytes: 5 << 20, Types: []string{"image/jpeg", "image/png", "image/gif"}}}
	}
	d.Request.Body, err = compose.JSON(body)
	return d, err
}

// length counts units of UTF-16, which is never less than what LinkedIn counts.
func length(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// little escapes what the format reads as markup, everywhere but in hashtags: one of ours stands alone between space and
// has a letter.
func little(text string) string {
	var b strings.Builder
	b.Grow(len(text) + len(text)/16)
	done := 0
	for start, end := range compose.Hashtags(text) {
		if end < len(text) && !strings.ContainsRune("\t\n\f\r ", rune(text[end])) || !strings.ContainsFunc(text[start:end], unicode.IsLetter) {
			continue
		}
		_, _ = escape.WriteString(&b, text[done:start-1]) // a builder never fails
		b.WriteByte('#')
		done = start // within a tag only the underscore is a sign of the format
	}
	_, _ = escape.WriteString(&b, text[done:])
	return b.String()
}

var escape = func() *strings.Replacer {
	var pairs []string
	for _, c := range `\|{}@[]()<>#*_~` {
		pairs = append(pairs, string(c), `\`+string(c))
	}
	return strings.NewReplacer(pairs...)
}()
