package compose

import (
	"encoding/json"
	"errors"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/item"
)

// Network composes for one kind of channel.
type Network struct {
	Name string
	// Settings returns the keys of a channel that this network has for itself, filled with their defaults; nil when
	// there are none.
	Settings func() any
	// Others names the keys that belong to the sending side.
	Others []string
	// Example is the manual of the keys: a channel with all of them.
	Example string
	// Template is used by channels that have none of their own. It is empty when posts are no text of ours.
	Template string
	// AnyChange asks for an edit whatever changed in an article. Without it only a new title or address counts:
	// readers of a timeline are not to see a post marked as edited for a comma in the fourth paragraph.
	AnyChange bool
	// Limits gives the keys of a channel that a server may have other values for, with those in force; nil when there
	// are none.
	Limits  func(settings any) map[string]int
	Compose func(Input) (Draft, error)
}

// Input is what a network composes from.
type Input struct {
	Channel *Channel
	// Item holds no more than the channel may pass on.
	Item *item.Item
	// Link is the item's address with the channel's marks.
	Link     string
	Action   string // [event.ActionCreate] or [event.ActionEdit]
	Revision uint64
	Backfill bool
	// Words is the text that a person wrote in place of the template's; empty where nobody did. It is never shortened.
	Words string
}

// Draft is what a network makes of an input.
type Draft struct {
	Text    string
	Count   event.Count
	Request event.Request
	Media   []event.Asset
}

// JSON writes a body of a request.
func JSON(v any) (json.RawMessage, error) { return event.Marshal(v) }

// The classes of what can go wrong with a post. They are reasons of dead letters.
const (
	TemplateError = "template_error" // the template cannot be applied to this article
	PostTooLong   = "post_too_long"  // it does not fit even at its shortest
	NoLink        = "no_link"        // the article has no address, or the template leaves it out
	NoWords       = "no_words"       // a person's text is empty, or posts of the network have none
)

// Error is why there is no post.
type Error struct {
	Class string
	err   error
}

// Error gives the reason.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.err }

// Class returns the class of an error of this package, and nothing for any other.
func Class(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return ""
}
