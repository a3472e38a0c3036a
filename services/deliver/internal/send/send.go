package send

import (
	"context"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/ledger"
)

// Network is a kind of channel.
type Network struct {
	// Name is the value of a channel's key `network`.
	Name string
	// Settings returns a pointer to the network's own keys with their defaults.
	Settings func() any
	// Others are the keys of this network that belong to the composing side.
	Others []string
	// Example is the commented configuration that is the manual of these keys.
	Example string
	Traits  Traits
	// Open makes the sender of a channel. It dials nothing.
	Open func(Options) (Sender, error)
}

// Completer is implemented by settings that must be there when a channel sends, and need not when its posts are only
// left on the bus.
type Completer interface{ Complete(at config.At) }

// Traits are what dispatch must know of a network.
type Traits struct {
	// Repeatable says that a create whose outcome is unknown is simply sent again: the receiver drops the repeat by
	// the key it carries.
	Repeatable bool
	// AnyChange makes every change of an article worth an edit, not only one of title, URL or text.
	AnyChange bool
	// Listed says that posts are kept for mails of many stories, and that none is sent by itself.
	Listed bool
	// Retries are the waits after the first, second ... failed attempt, after the last of which the row fails; each is
	// spread by a tenth. Empty for the common backoff without an end.
	Retries []time.Duration
	// GiveUp pauses a channel that has failed for so long; zero never.
	GiveUp time.Duration
}

// Options are what a sender is made of.
type Options struct {
	Channel config.Channel
	Client  *web.Client
	Now     func() time.Time
}

// Job is one operation on one story.
type Job struct {
	Channel, Story string
	Op             ledger.Op
	// Key is the same for every try of the operation.
	Key      string
	Revision uint64
	// Started is when the last try began: what a reconciliation looks for is not much older.
	Started time.Time
	// Post is the payload. That of a deletion may hold nothing but ids.
	Post *event.Post
	// URL is the article's, known also where Post is empty.
	URL    string
	Remote ledger.Remote
}

// Receipt is what a network said to an operation it accepted.
type Receipt struct {
	// Remote is empty when the answer could not be read: it was accepted all the same.
	Remote ledger.Remote
	// Wait asks that nothing be sent for so long; zero when the network does not.
	Wait time.Duration
	// Dropped names the pictures that the post went without.
	Dropped []string
}

// Sender posts. The kind of its error says what is known: uncertain when the post may have been accepted, anything else
// when it surely was not.
type Sender interface {
	Send(ctx context.Context, j Job) (Receipt, error)
	// Account names where posts go, without credentials: the ledger refuses to go on with another one.
	Account() string
	// Credential is a digest by which credentials can be told apart.
	Credential() string
}

// Editor is a sender that can change what it posted. Repeating an edit must be harmless.
type Editor interface {
	Edit(ctx context.Context, j Job) (Receipt, error)
}

// Deleter is a sender that can take back what it posted. Deleting what is not there succeeds.
type Deleter interface {
	Delete(ctx context.Context, j Job) (Receipt, error)
}

// Finder is a sender that can tell whether a create whose outcome is unknown was accepted.
type Finder interface {
	Find(ctx context.Context, j Job) (remote ledger.Remote, found bool, err error)
}

// Prober is a sender that can ask who it is without posting anything.
type Prober interface {
	Probe(ctx context.Context) (Identity, error)
}

// Measurer is a sender whose server tells what it takes.
type Measurer interface {
	// Limits are the server's, by the names of the channel's keys on the composing side.
	Limits(ctx context.Context) (map[string]int, error)
}

// Parallel is a sender that takes several requests of different stories at once. That is used only where a create may be
// repeated ([Traits.Repeatable]), since the order of the stories is lost then.
type Parallel interface {
	// Concurrency is how many.
	Concurrency() int
}

// Dated is a sender that speaks a version of an API by its month, which the network refuses some day.
type Dated interface {
	// Age is how long ago the version's month began.
	Age(now time.Time) time.Duration
}

// Identity is who the network takes us for.
type Identity struct {
	ID   string
	Name string
}

// Do runs the operation of a job with the part of the sender that can do it.
func Do(ctx context.Context, s Sender, j Job) (Receipt, error) {
	switch j.Op {
	case ledger.Edit:
		if e, ok := s.(Editor); ok {
			return e.Edit(ctx, j)
		}
	case ledger.Delete:
		if d, ok := s.(Deleter); ok {
			return d.Delete(ctx, j)
		}
	default:
		return s.Send(ctx, j)
	}
	return Receipt{}, errUnable(j)
}
