package event

import (
	"encoding/json"
	"strconv"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/fault"
)

func uitoa(n uint64) string { return strconv.FormatUint(n, 10) }

// payload reads a body that must be one JSON value.
func payload(m Message, into any) error {
	if err := json.Unmarshal(m.Body, into); err != nil {
		return fault.Errorf(fault.Malformed, "read payload on %s: %w", clip(m.Subject), err)
	}
	return nil
}

func differs(m Message, what, got, want string) error {
	return fault.Errorf(fault.Malformed, "read payload on %s: %s %q is not the %q of its envelope", clip(m.Subject), what, clip(got), clip(want))
}

// DecodeRaw reads a message of type [TypeRaw] and checks its ids against subject and envelope.
func DecodeRaw(m Message) (Envelope, article.Raw, error) {
	var raw article.Raw
	env, err := decode(m, TypeRaw, &raw)
	if err != nil {
		return env, raw, err
	}
	return env, raw, checkRaw(m, env, raw)
}

func checkRaw(m Message, env Envelope, raw article.Raw) error {
	s, err := ParseSubject(m.Subject)
	switch {
	case err != nil:
		return err
	case raw.ID != env.Article:
		return differs(m, "article", raw.ID, env.Article)
	case raw.Source.ID != s.Source:
		return differs(m, "source", raw.Source.ID, s.Source)
	case raw.Source.Partition != s.Partition:
		return differs(m, "partition", raw.Source.Partition, s.Partition)
	case raw.Revision != env.Version.Revision:
		return differs(m, "revision", uitoa(raw.Revision), uitoa(env.Version.Revision))
	}
	return nil
}

// DecodeBatch reads a message of type [TypeBatch]. Each member becomes a message as if it had come alone; one that is
// bad is left for [DecodeRaw] to refuse, so that it costs only itself.
func DecodeBatch(m Message) ([]Message, error) {
	var batch Batch
	env, err := decode(m, TypeBatch, &batch)
	if err != nil {
		return nil, err
	}
	if len(batch) > MaxBatch {
		return nil, fault.Errorf(fault.Malformed, "read batch on %s: %d articles are more than %d", clip(m.Subject), len(batch), MaxBatch)
	}
	messages := make([]Message, len(batch))
	for i, member := range batch {
		var id struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal(member.Article, &id) // a member without an id is refused by DecodeRaw
		one := env
		one.Type, one.ID, one.Article = TypeRaw, member.ID, id.ID
		one.Version = Version{Revision: member.Revision, Fence: member.Fence}
		messages[i] = EncodeBody(m.Subject, one, member.Article)
		// The member's own hash, not one made here: a spoilt member must not look whole.
		messages[i].Header.Set(HeaderHash, member.Hash)
	}
	return messages, nil
}

// DecodeEnriched reads a message of type [TypeEnriched].
func DecodeEnriched(m Message) (Envelope, article.Article, error) {
	var a article.Article
	env, err := decode(m, TypeEnriched, &a)
	if err == nil {
		err = checkEnriched(m, env, &a)
	}
	return env, a, err
}

func checkEnriched(m Message, env Envelope, a *article.Article) error {
	s, err := ParseSubject(m.Subject)
	switch {
	case err != nil:
		return err
	case a.ID != env.Article:
		return differs(m, "article", a.ID, env.Article)
	case a.Source.ID != s.Source:
		return differs(m, "source", a.Source.ID, s.Source)
	}
	return nil
}

// DecodeDeleted reads a message of type [TypeDeleted].
func DecodeDeleted(m Message) (Envelope, Deleted, error) {
	var d Deleted
	env, err := decode(m, TypeDeleted, &d)
	if err == nil && d.ID != env.Article {
		err = differs(m, "article", d.ID, env.Article)
	}
	return env, d, err
}

// DecodePost reads a message of type [TypePost].
func DecodePost(m Message) (Envelope, Post, error) {
	var p Post
	env, err := decode(m, TypePost, &p)
	if want := PostID(p.Channel, p.Story, p.Revision); err == nil && env.ID != want {
		err = differs(m, "post", want, env.ID)
	}
	return env, p, err
}

// DecodeWithdrawn reads a message of type [TypeWithdrawn].
func DecodeWithdrawn(m Message) (Envelope, Withdrawn, error) {
	var w Withdrawn
	env, err := decode(m, TypeWithdrawn, &w)
	if want := PostID(w.Channel, w.Story, w.Revision); err == nil && env.ID != want {
		err = differs(m, "post", want, env.ID)
	}
	return env, w, err
}

// DecodeFeedChanged reads a message of type [TypeFeedChanged].
func DecodeFeedChanged(m Message) (Envelope, FeedChanged, error) {
	var f FeedChanged
	env, err := decode(m, TypeFeedChanged, &f)
	if s, e := ParseSubject(m.Subject); err == nil && e == nil && f.Feed != s.Feed {
		err = differs(m, "feed", f.Feed, s.Feed)
	}
	return env, f, err
}

// DecodeNotice reads a notice of any type.
func DecodeNotice(m Message) (Envelope, Notice, error) {
	var n Notice
	env, err := Decode(m)
	if err == nil {
		err = payload(m, &n)
	}
	return env, n, err
}

func decode(m Message, typ string, into any) (Envelope, error) {
	env, err := expect(m, typ)
	if err != nil {
		return env, err
	}
	return env, payload(m, into)
}

// expect is [Decode] for a message that must be of a type.
func expect(m Message, typ string) (Envelope, error) {
	env, err := Decode(m)
	if err == nil && env.Type != typ {
		err = fault.Errorf(fault.Malformed, "read message on %s: its type is %q, not %s", clip(m.Subject), clip(env.Type), typ)
	}
	return env, err
}
