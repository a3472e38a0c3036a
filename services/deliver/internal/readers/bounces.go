package readers

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"strings"
	"time"

	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/bounce"
)

// Bounces reads what came back; a [bounce.Mailbox] does.
type Bounces interface {
	Poll(ctx context.Context, handle func(context.Context, bounce.Note) error) (bounce.Tally, error)
}

// pollEvery is how often a mailbox of bounces is read.
const pollEvery = 2 * time.Minute

// Return is the token of the envelope's sender of a reader's mails. It has 52 letters and digits, since a local part has at
// most 64.
func (k Keys) Return(list, id string) string {
	raw, _ := hex.DecodeString(id) // ids are ours
	return strings.ToLower(letters.EncodeToString(append(raw, k.signReturn(0, list, id)...)))
}

func (k Keys) signReturn(i int, list, id string) []byte {
	return mac(k.keys[i], "bounce", list, id)[:macLength]
}

// returned reads such a token, which is of one of some lists: it has no room for a name. Anybody may write to such an address,
// so a token that no key made is of nobody.
func (k Keys) returned(lists []string, token string) (list, id string, ok bool) {
	raw, err := letters.DecodeString(strings.ToUpper(token))
	if err != nil || len(raw) != idLength+macLength {
		return "", "", false
	}
	id = hex.EncodeToString(raw[:idLength])
	for _, list := range lists {
		for i := range k.keys {
			if subtle.ConstantTimeCompare(raw[idLength:], k.signReturn(i, list, id)) == 1 {
				return list, id, true
			}
		}
	}
	return "", "", false
}

// readBounces reads the mailbox again and again.
func (s *shift) readBounces() {
	troubled := false
	for s.ctx.Err() == nil {
		_, err := s.Bounces.Poll(s.ctx, s.returned)
		switch {
		case err != nil && !troubled && s.ctx.Err() == nil:
			s.Log.Warn("began to fail reading bounces", "kind", fault.KindOf(err), "err", err)
		case err == nil && troubled:
			s.Log.Info("reads bounces again")
		}
		troubled = err != nil
		pause(s.ctx, pollEvery)
	}
}

// returned takes a note of what came back, be it to another list that shares the mailbox. Its mail is removed when this
// returns nil; a kill before that has it come again, and the row remembers it.
func (s *shift) returned(ctx context.Context, n bounce.Note) error {
	list, id, ours := s.Keys.returned(s.Lists, n.Token)
	if !ours {
		return nil
	}
	now := s.Now()
	row, _, err := s.store.Reader(ctx, list, id)
	if err != nil || row == nil || row.State != Confirmed && row.State != Pending || row.dealt(n.ID) {
		return err
	}
	switch n.Verdict {
	case bounce.Hard, bounce.Complaint:
		if err := s.bar(row, string(n.Verdict), now); err != nil {
			return err
		}
	case bounce.Soft:
		row, revision, changed, err := s.store.change(ctx, list, id, func(r *Reader) *Reader { return r.bounced(n.ID, now) })
		if err != nil {
			return err
		}
		if !changed {
			return nil
		}
		if list == s.id {
			s.note(row, revision)
		}
		if row.State == Suppressed {
			s.tellOf(list, "subscriber_suppressed", row.Reason)
			if err := s.bar(row, row.Reason, now); err != nil {
				return err
			}
		}
	}
	s.Observe.Bounced(list, string(n.Verdict))
	return nil
}
