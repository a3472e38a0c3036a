package app

import (
	"context"
	crand "crypto/rand"
	"encoding/json"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/period"
	"tidings.internal/services/deliver/internal/readers"
	newsletter "tidings.internal/services/deliver/internal/send/list"
)

// The verbs about readers that a running deliver answers, since it alone has the keys and the way to the mail servers.
const (
	verbSuppress = "suppress"
	verbMail     = "mail"
)

// SubscriberStatus is what an operator sees of a reader.
type SubscriberStatus struct {
	ID   string `json:"id"`
	List string `json:"list"`
	// Address is masked, but in an export.
	Address  string       `json:"address"`
	State    string       `json:"state"`
	Wishes   event.Wishes `json:"wishes"`
	Language string       `json:"language,omitempty"`
	// Asked and Agreed are when the list was asked for and confirmed.
	Asked  time.Time `json:"asked"`
	Agreed time.Time `json:"agreed,omitzero"`
	// Period is the last one that was dealt with, Attempts and Due tell of the mail in hand.
	Period   string    `json:"period,omitempty"`
	Attempts int       `json:"attempts,omitempty"`
	Due      time.Time `json:"due,omitzero"`
	Reason   string    `json:"reason,omitempty"`
	// Proof is how it was asked for and confirmed; an export has it.
	Proof *SubscriberProof `json:"proof,omitempty"`
}

// SubscriberProof names the texts that were agreed to, by their hash, and the network addresses that said so.
type SubscriberProof struct {
	AskedForm    string `json:"asked_form,omitempty"`
	AskedClient  string `json:"asked_client,omitempty"`
	AgreedForm   string `json:"agreed_form,omitempty"`
	AgreedClient string `json:"agreed_client,omitempty"`
}

// Subscribers lists the readers of a list, or of all lists for "". whole gives addresses and proofs.
func Subscribers(ctx context.Context, b *bus.Bus, list string, whole bool) ([]SubscriberStatus, error) {
	rows, err := readers.All(ctx, b.Bucket(event.BucketSubscribers), list)
	if err != nil {
		return nil, err
	}
	all := make([]SubscriberStatus, len(rows))
	for i, r := range rows {
		s := SubscriberStatus{
			ID: r.ID, List: r.List, Address: readers.Mask(r.Address), State: string(r.State), Wishes: r.Wishes, Language: r.Language,
			Asked: r.Asked.At, Agreed: r.Agreed.At, Period: r.Period, Reason: r.Reason,
		}
		if r.Mail != nil {
			s.Attempts, s.Due = r.Mail.Attempt, r.Mail.Due
		}
		if whole {
			s.Address = string(r.Address)
			s.Proof = &SubscriberProof{AskedForm: r.Asked.Form, AskedClient: string(r.Asked.Client), AgreedForm: r.Agreed.Form, AgreedClient: string(r.Agreed.Client)}
		}
		all[i] = s
	}
	return all, nil
}

// NewSubscriber is an address that an operator brings.
type NewSubscriber struct {
	Address  event.Hidden
	Wishes   event.Wishes
	Language string
}

// listOf finds a list that is sent.
func listOf(doc *config.Doc, list string) (*newsletter.Settings, error) {
	for _, c := range read(doc).channels {
		if l, ok := c.Settings.(*newsletter.Settings); ok && c.ID == list {
			return l, nil
		}
	}
	return nil, fault.Errorf(fault.Invalid, "there is no list %.80q in the configuration that is sent", list)
}

// Preset is what the configuration gives readers of a list who do not choose.
func Preset(doc *config.Doc, list string) (event.Wishes, error) {
	l, err := listOf(doc, list)
	if err != nil {
		return event.Wishes{}, err
	}
	return l.Preset(), nil
}

// AddSubscriber asks the owner of an address whether he wants a list: nobody is a reader before he has confirmed. An address
// that the list knows is left alone, whatever it has said. It may be repeated.
func AddSubscriber(ctx context.Context, b *bus.Bus, doc *config.Doc, list string, n NewSubscriber) error {
	if _, err := listOf(doc, list); err != nil {
		return err
	}
	r := event.ReaderRequest{
		ID: crand.Text(), Time: time.Now().UTC(), Mode: event.ReaderSubscribe, List: list, Address: n.Address, Wishes: &n.Wishes, Language: n.Language, Form: readers.ByOperator,
	}
	if err := r.Check(); err != nil {
		return err
	}
	if _, err := period.New(n.Wishes); err != nil { // the zone, too: what no calendar can be made of is left aside later, unheard
		return err
	}
	value, err := json.Marshal(r)
	if err != nil {
		return fault.Errorf(fault.Internal, "ask a reader: it has no form")
	}
	// On disk once this returns, and dealt with by whoever deals with what comes from the pages.
	return b.Bucket(event.BucketRequests).Leave(ctx, event.RequestsOfReaders+r.ID, value)
}

// EraseSubscriber removes every row of an address, or the one that an id names, and tells how many there were.
func EraseSubscriber(ctx context.Context, b *bus.Bus, who string) (int, error) {
	n, err := readers.Erase(ctx, b.Bucket(event.BucketSubscribers), who)
	if err == nil && n == 0 {
		return 0, fault.Errorf(fault.Invalid, "there is no reader of that address or id")
	}
	return n, err
}

// aboutReader is what an operator asks a running deliver.
type aboutReader struct {
	List    string       `json:"list,omitempty"`
	Address event.Hidden `json:"address"`
	Dry     bool         `json:"dry,omitempty"`
	Lift    bool         `json:"lift,omitempty"`
}

// mailed is the answer to a test.
type mailed struct {
	// Mine says that the replica works on the list.
	Mine bool   `json:"mine"`
	Mail []byte `json:"mail,omitempty"`
}

// SuppressSubscriber has an address not written to any more; lift takes that back.
func SuppressSubscriber(ctx context.Context, b *bus.Bus, address string, lift bool) error {
	if err := event.CheckAddress(address); err != nil {
		return err
	}
	return withList(b.Ask(ctx, Name, verbSuppress, aboutReader{Address: event.Hidden(address), Lift: lift}, nil))
}

// PreviewMail returns the bytes of a test mail of a list before they are signed. Nothing is sent.
func PreviewMail(ctx context.Context, b *bus.Bus, list, address string) ([]byte, error) {
	if err := event.CheckAddress(address); err != nil {
		return nil, err
	}
	var m mailed
	err := b.Ask(ctx, Name, verbMail, aboutReader{List: list, Address: event.Hidden(address), Dry: true}, &m)
	return m.Mail, withList(err)
}

// TestMail has the replica that works on a list send a mail that is marked as a test.
func TestMail(ctx context.Context, b *bus.Bus, list, address string) error {
	if err := event.CheckAddress(address); err != nil {
		return err
	}
	sent := false
	err := b.AskAll(ctx, Name, verbMail, aboutReader{List: list, Address: event.Hidden(address)}, func(reply []byte) error {
		var m mailed
		err := json.Unmarshal(reply, &m)
		sent = sent || m.Mine
		return err
	})
	if err == nil && !sent {
		err = fault.Errorf(fault.Unreachable, "no deliver works on list %s at the moment; try again in half a minute", list)
	}
	return withList(err)
}

// withList says what is missing where nobody answers.
func withList(err error) error {
	if fault.KindOf(err) == fault.Unreachable {
		return fault.Errorf(fault.Unreachable, "%w; readers are the matter of a running deliver that sends a list", err)
	}
	return err
}

// suppress answers an operator.
func (a *App) suppress(ctx context.Context, request []byte) (any, error) {
	var q aboutReader
	if err := json.Unmarshal(request, &q); err != nil {
		return nil, fault.Errorf(fault.Malformed, "read the question about a reader: it has no form")
	}
	if q.Lift {
		return mailed{}, a.desk.Lift(ctx, q.Address)
	}
	return mailed{}, a.desk.Suppress(ctx, q.Address)
}

// mailLimit is how long a test may take: less than an operator waits for our answer.
const mailLimit = 4 * time.Second

// mail answers an operator who tests a list.
func (a *App) mail(ctx context.Context, request []byte) (any, error) {
	var q aboutReader
	if err := json.Unmarshal(request, &q); err != nil {
		return nil, fault.Errorf(fault.Malformed, "read the question about a list: it has no form")
	}
	if err := event.CheckAddress(string(q.Address)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, mailLimit)
	defer cancel()
	for _, l := range a.lists {
		if l.ID() != q.List {
			continue
		}
		if q.Dry {
			raw, err := l.Sample(ctx, string(q.Address))
			return mailed{Mail: raw}, err
		}
		mine, err := l.Test(ctx, string(q.Address))
		return mailed{Mine: mine}, err
	}
	return nil, fault.Errorf(fault.Invalid, "there is no list %.80q that is sent", q.List)
}
