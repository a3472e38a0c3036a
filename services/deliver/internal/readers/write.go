package readers

import (
	"context"
	"io"
	"slices"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/bounce"
	"tidings.internal/services/deliver/internal/letter"
	"tidings.internal/services/deliver/internal/mail"
)

// Sender is from whom the mails of a list come, and what they say beside the stories.
type Sender struct {
	List, Title, Language string
	// Imprint says who sends the mails, in lines of text.
	Imprint string
	// From and ReplyTo are mailboxes of RFC 5322; ReplyTo may be empty.
	From, ReplyTo string
	// Address is that of From.
	Address string
	// Base is the address of our pages, without a slash at its end.
	Base string
	// Host ends Message-IDs and List-Ids: the domain of the sender.
	Host string
	// Keys sign the mails, none for mails that are not signed.
	Keys []mail.Key
	// Returns is the domain of the envelope's senders, each reader's own, to which bounces go; empty for Address alone.
	Returns string
}

// maxStories is how many stories a mail tells; of others it says how many there are.
const maxStories = 50

// write makes the mail in hand of a row; nil when nothing is left to tell.
func (s *shift) write(r *Reader) (*written, error) {
	if r.Mail.Confirm {
		return s.question(r)
	}
	list := s.stories.news(&r.Wishes, r.Cursor, r.Mail.To, 0)
	d := letter.Digest{List: s.Sender.frame(r.Language)}
	// The newest are told: who missed weeks is served best by them.
	slices.Reverse(list)
	for _, p := range list {
		if len(d.Entries) == maxStories {
			d.More++
			continue
		}
		story, ok, err := s.stories.read(s.ctx, p)
		if err != nil { // of the bus: the mail is none the worse for it
			return nil, fault.Errorf(fault.Unreachable, "read what a mail tells: %w", err)
		}
		if ok {
			d.Entries = append(d.Entries, entryOf(story))
		}
	}
	if len(d.Entries) == 0 {
		return nil, nil
	}
	if r.Wishes.Period != event.Immediate {
		d.Date = localDate(r)
	}
	m, err := s.news(d, r, r.Mail.Period, r.Mail.Date)
	if err != nil {
		return nil, err
	}
	return s.seal(m, r.ID, "")
}

// localDate is the instant at which the period was due, on the reader's clock.
func localDate(r *Reader) time.Time {
	if zone, err := time.LoadLocation(r.Wishes.Zone); err == nil {
		return r.Mail.Date.In(zone)
	}
	return r.Mail.Date
}

// news makes the message of a mail with stories. It is the same for every try.
func (l *List) news(d letter.Digest, r *Reader, period string, date time.Time) (mail.Message, error) {
	token := l.Keys.Token(r.List, r.ID)
	pages := l.Sender.Base + "/newsletter/"
	d.Unsubscribe, d.Preferences = pages+"unsubscribe/"+token, pages+"preferences/"+token
	text, err := letter.News(d)
	if err != nil {
		return mail.Message{}, err
	}
	if text.Heavy() && l.warnsOfWeight() {
		l.Log.Warn("wrote a mail that some programs cut, with the link at its end by which readers leave", "bytes", len(text.HTML))
	}
	m := l.Sender.message(text, string(r.Address), d.List.Language, article.Digest(article.IDLength, "mail", r.List, r.ID, period), date)
	m.ListID, m.ListName = l.Sender.List+"."+l.Sender.Host, l.Sender.Title
	m.Unsubscribe = pages + "one-click/" + token
	return m, nil
}

// heavyEvery is how often heavy mails are warned of: those of one period are much alike.
const heavyEvery = time.Hour

// warnsOfWeight reports whether the time has come to warn of a heavy mail.
func (l *List) warnsOfWeight() bool {
	now, last := l.Now().UnixNano(), l.heavy.Load()
	return (last == 0 || now-last >= int64(heavyEvery)) && l.heavy.CompareAndSwap(last, now)
}

// question makes the mail that asks for a confirmation. Each try has a token of its own, of which only the hash is kept.
func (s *shift) question(r *Reader) (*written, error) {
	secret := make([]byte, macLength)
	if _, err := io.ReadFull(s.Random, secret); err != nil {
		return nil, fault.Errorf(fault.Internal, "make a token: %w", err)
	}
	token := confirmation(r.List, r.ID, secret)
	hash := tokenHash(token)
	text, err := letter.Confirm(letter.Confirmation{
		List: s.Sender.frame(r.Language), Link: s.Sender.Base + "/newsletter/confirm/" + token, Days: int(tokenLife / day),
	})
	if err != nil {
		return nil, err
	}
	m := s.Sender.message(text, string(r.Address), s.Sender.language(r.Language), article.Digest(article.IDLength, "confirm", r.List, r.ID, hash), r.Mail.Date)
	m.Auto = true
	return s.seal(m, r.ID, hash)
}

// seal makes the bytes of a message that are handed in.
func (l *List) seal(m mail.Message, id, hash string) (*written, error) {
	raw, err := mail.Compose(m)
	if err == nil {
		raw, err = mail.Sign(raw, l.Sender.Keys)
	}
	if err != nil {
		return nil, err
	}
	from := l.Sender.Address
	if l.Sender.Returns != "" {
		if from, err = bounce.Address(l.Keys.Return(l.id, id), l.Sender.Returns); err != nil {
			return nil, err
		}
	}
	return &written{raw: raw, from: from, hash: hash}, nil
}

func (s *Sender) message(text letter.Letter, to, language, id string, date time.Time) mail.Message {
	return mail.Message{
		ID: id + "@" + s.Host, Date: date, From: s.From, ReplyTo: s.ReplyTo, To: to, Language: language,
		Subject: text.Subject, Text: text.Text, HTML: text.HTML,
	}
}

// frame is the list as a reader knows it.
func (s *Sender) frame(language string) letter.List {
	return letter.List{Title: s.Title, Language: s.language(language), Imprint: s.Imprint, Home: s.Base}
}

func (s *Sender) language(readers string) string {
	if readers != "" {
		return readers
	}
	return s.Language
}

func entryOf(s Story) letter.Entry {
	e := letter.Entry{
		Title: s.Title, Summary: s.Summary, HTML: s.HTML, URL: s.URL, Source: s.Source.Title, Authors: s.Authors, Language: s.Language,
	}
	if e.Source == "" {
		e.Source = s.Source.ID
	}
	return e
}

// Sample makes a mail as a reader of the list would get it, marked as a test, and returns its bytes before they are signed. It
// tells the newest stories of the list. Its links are those of nobody.
func (l *List) Sample(ctx context.Context, address string) ([]byte, error) {
	m, err := l.sample(ctx, address)
	if err != nil {
		return nil, err
	}
	return mail.Compose(m)
}

// sampleStories is how many stories a test tells.
const sampleStories = 5

func (l *List) sample(ctx context.Context, address string) (mail.Message, error) {
	rows, err := l.Ledger.Rows(ctx, l.id)
	if err != nil {
		return mail.Message{}, err
	}
	all := newStories(l.Ledger, l.id)
	for _, r := range rows {
		_ = all.show(r, 0) // what cannot be read is not told
	}
	now := l.Now().UTC().Truncate(time.Second)
	d := letter.Digest{List: l.Sender.frame(""), Date: now}
	places := all.news(&event.Wishes{}, 0, ^uint64(0), 0)
	slices.Reverse(places)
	for _, p := range places[:min(len(places), sampleStories)] {
		story, ok, err := all.read(ctx, p)
		if err != nil {
			return mail.Message{}, err
		}
		if ok {
			d.Entries = append(d.Entries, entryOf(story))
		}
	}
	if len(d.Entries) == 0 {
		d.Entries = []letter.Entry{{Title: "Test", Summary: "The list holds no story yet.", URL: l.Sender.Base}}
	}
	nobody := &Reader{List: l.id, ID: "00000000000000000000000000000000", Address: event.Hidden(address)}
	m, err := l.news(d, nobody, "test "+now.Format(time.RFC3339), now)
	m.Subject = "[Test] " + m.Subject
	return m, err
}

// Test sends such a mail, if this process works on the list; sent is false where another one does.
func (l *List) Test(ctx context.Context, address string) (sent bool, err error) {
	if l.shift.Load() == nil {
		return false, nil
	}
	m, err := l.sample(ctx, address)
	if err != nil {
		return true, err
	}
	letter, err := l.seal(m, "00000000000000000000000000000000", "")
	if err != nil {
		return true, err
	}
	l.testing.Lock()
	defer l.testing.Unlock()
	defer l.Spare.Close()
	err = l.Spare.Send(ctx, letter.from, address, letter.raw, func(context.Context) error { return nil })
	outcome := Sent
	if err != nil {
		outcome = Failed
	}
	l.Observe.Mailed(l.id, "test", outcome)
	return true, err
}
