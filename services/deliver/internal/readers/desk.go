package readers

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/period"
)

// deskLease is the lease under which one replica deals with requests. It is one for all lists, so that what is counted by
// address is counted in one place, and each request follows the one before it.
const deskLease = "deliver.newsletter"

// writeAgain is how long to wait for a bus that is away.
const writeAgain = time.Second

// DeskOptions are what a desk is made of.
type DeskOptions struct {
	Bus  *bus.Bus
	Keys Keys
	// Lists are those that are sent, by their ids, with the language of their mails.
	Lists map[string]string
	Log   *slog.Logger
	// Tick is called at least every minute while the work goes on.
	Tick   func()
	Now    func() time.Time
	Random io.Reader
}

// Desk deals with what people asked for on the pages of the newsletters.
type Desk struct {
	DeskOptions
	store    *Store
	requests Bucket
	held     atomic.Bool // this process deals with requests
}

// NewDesk makes the desk. It starts nothing.
func NewDesk(o DeskOptions) *Desk {
	if o.Tick == nil {
		o.Tick = func() {}
	}
	return &Desk{DeskOptions: o, store: NewStore(o.Bus.Bucket(event.BucketSubscribers), o.Keys), requests: o.Bus.Bucket(event.BucketRequests)}
}

// Run works whenever this process holds the lease, until ctx ends.
func (d *Desk) Run(ctx context.Context) error {
	h := holder{bus: d.Bus, name: deskLease, log: d.Log, tick: d.Tick}
	return h.run(ctx, func(ctx context.Context, _ Lease) {
		d.held.Store(true)
		defer d.held.Store(false)
		done := make(chan struct{})
		go func() {
			defer close(done)
			// One after the other, in the order in which they came: a redelivery after a kill begins with the oldest again.
			_ = d.requests.Watch(ctx, event.RequestsOfReaders+">", func(e bus.Entry) { d.take(ctx, e) }, func() {}) // it never fails
		}()
		for ctx.Err() == nil {
			d.Tick()
			pause(ctx, 10*time.Second)
		}
		<-done
	})
}

// take deals with a request that the bucket shows. It stays there until what it asks for stands in the row, so that a kill
// at any line has it shown again; and the row remembers its id, so that once more changes nothing.
func (d *Desk) take(ctx context.Context, e bus.Entry) {
	if e.Deleted {
		return
	}
	var r event.ReaderRequest
	err := json.Unmarshal(e.Value, &r)
	if err != nil {
		err = fault.Errorf(fault.Malformed, "read a request: it has no form")
	} else {
		err = r.Check() // the public port has done so, but it faces the public
	}
	keep := false
	for err == nil && ctx.Err() == nil {
		keep, err = d.serve(ctx, r)
		switch fault.KindOf(err) {
		case fault.Unreachable, fault.Throttled, fault.Conflict, fault.Uncertain: // of the bus
			d.Log.Debug("could not deal with a request of a reader", "kind", fault.KindOf(err), "err", err)
			err = nil
			pause(ctx, writeAgain)
			continue
		}
		break
	}
	switch fault.KindOf(err) {
	case "":
		if keep || ctx.Err() != nil {
			return
		}
	case fault.Invalid, fault.Malformed, fault.TooLarge, fault.Gone:
		d.Log.Warn("left a request of a reader aside", "key", e.Key, "kind", fault.KindOf(err))
	default: // a fault of ours, which loses nobody's word
		d.Log.Error("could not deal with a request of a reader, which waits for the next start", "key", e.Key, "kind", fault.KindOf(err), "err", err)
		return
	}
	d.purge(ctx, e.Key)
}

// purge removes a request, and tries until it is gone.
func (d *Desk) purge(ctx context.Context, entry string) {
	for ctx.Err() == nil {
		if err := d.requests.Purge(ctx, entry); err == nil {
			return
		}
		pause(ctx, writeAgain)
	}
}

// serve does what a request asks for. keep says that it cannot be dealt with here, and has to wait in its bucket.
func (d *Desk) serve(ctx context.Context, r event.ReaderRequest) (keep bool, err error) {
	switch r.Mode {
	case event.ReaderSubscribe:
		return d.subscribe(ctx, r)
	case event.ReaderConfirm:
		return false, d.confirm(ctx, r)
	case event.ReaderPrefer:
		return false, d.prefer(ctx, r)
	default:
		return false, d.unsubscribe(ctx, r)
	}
}

func (d *Desk) subscribe(ctx context.Context, r event.ReaderRequest) (keep bool, err error) {
	language, known := d.Lists[r.List]
	if !known {
		// A list that publish was told of before us. The bucket forgets the request when nobody learns of the list in time.
		d.Log.Warn("left a request for a list that is not sent here; it waits for one who sends it", "list", r.List)
		return true, nil
	}
	if r.Language == "" {
		r.Language = language
	}
	if _, err := period.New(*r.Wishes); err != nil {
		return false, err
	}
	address := string(r.Address)
	if _, barred, err := d.store.suppressed(ctx, address); err != nil || barred {
		return false, err
	}
	rows, err := d.store.everywhere(ctx, address)
	if err != nil {
		return false, err
	}
	now, told, here := d.Now(), 0, false
	for _, row := range rows {
		told += row.toldToday(now)
		here = here || row.List == r.List
	}
	if !here && told >= mailsPerDay {
		return false, nil
	}
	id, err := d.newID()
	if err != nil {
		return false, err
	}
	// A kill behind the claim leaves a name without a row. The request comes again, and makes the row under that name.
	if id, err = d.store.claim(ctx, r.List, address, id); err != nil {
		return false, err
	}
	_, _, _, err = d.store.change(ctx, r.List, id, func(old *Reader) *Reader {
		return subscribe(old, r, id, d.Keys.addresses(address)[0], told, now)
	})
	return false, err // the mail waits in the row, for whoever sends the list
}

func (d *Desk) newID() (string, error) {
	raw := make([]byte, idLength)
	if _, err := io.ReadFull(d.Random, raw); err != nil {
		return "", fault.Errorf(fault.Internal, "make an id: %w", err)
	}
	return hex.EncodeToString(raw), nil
}

func (d *Desk) confirm(ctx context.Context, r event.ReaderRequest) error {
	kind, list, id, err := d.Keys.read(string(r.Token))
	if err != nil || kind != forConfirm {
		return nil // guessed, or of another instance
	}
	// What was posted until now is no news to who begins now. What is posted from now on has a higher place.
	posts, err := d.Bus.StreamState(ctx, event.StreamPosts)
	if err != nil {
		return err
	}
	_, _, changed, err := d.store.change(ctx, list, id, func(old *Reader) *Reader { return confirm(old, r, posts.Last, d.Now()) })
	if changed {
		d.tell(ctx, list, "subscriber_confirmed")
	}
	return err
}

func (d *Desk) prefer(ctx context.Context, r event.ReaderRequest) error {
	list, id, ok := d.reader(r.Token)
	if !ok {
		return nil
	}
	_, _, _, err := d.store.change(ctx, list, id, func(old *Reader) *Reader { return prefer(old, r, d.Now()) })
	return err
}

func (d *Desk) unsubscribe(ctx context.Context, r event.ReaderRequest) error {
	list, id, ok := d.reader(r.Token)
	if !ok {
		return nil
	}
	_, _, changed, err := d.store.change(ctx, list, id, func(old *Reader) *Reader { return unsubscribe(old, r.ID, d.Now()) })
	if changed {
		d.tell(ctx, list, "subscriber_left")
	}
	return err
}

// reader reads the token of a reader's mails.
func (d *Desk) reader(token event.Hidden) (list, id string, ok bool) {
	kind, list, id, err := d.Keys.read(string(token))
	return list, id, err == nil && kind == forReader
}

// tell sends a notice, which names no reader: best effort.
func (d *Desk) tell(ctx context.Context, list, typ string) {
	d.Bus.Notice(ctx, event.Notice{Time: d.Now().UTC(), Type: typ, Channel: list})
}

// Preferences tells what the reader of a token has chosen. A token of nobody, and that of somebody who gets no mails, is
// [fault.Gone].
func (d *Desk) Preferences(ctx context.Context, token event.Hidden) (event.Preferences, error) {
	list, id, ok := d.reader(token)
	if !ok {
		return event.Preferences{}, errForeign()
	}
	r, _, err := d.store.Reader(ctx, list, id)
	switch {
	case err != nil:
		return event.Preferences{}, err
	case r == nil || r.State != Confirmed:
		return event.Preferences{}, fault.Errorf(fault.Gone, "the token is of nobody who is sent the list")
	}
	return event.Preferences{List: list, Address: Mask(r.Address), Wishes: r.Wishes, Language: r.Language}, nil
}
