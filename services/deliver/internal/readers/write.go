package readers

import (
	"io"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/mail"
)

// Sender is from whom the mails of a list come, and what they say beside the stories.
type Sender struct {
	List, Title, Language string
	// From and ReplyTo are mailboxes of RFC 5322; ReplyTo may be empty.
	From, ReplyTo string
	// Base is the address of our pages, without a slash at its end.
	Base string
	// Host ends Message-IDs and List-Ids: the domain of the sender.
	Host string
}

// write makes the mail in hand of a row; nil when nothing is left to tell.
func (s *shift) write(r *Reader, now time.Time) (*written, error) {
	m := mail.Message{Date: r.Mail.Date, From: s.Sender.From, ReplyTo: s.Sender.ReplyTo, To: string(r.Address), Language: r.Language}
	hash := ""
	if r.Mail.Confirm {
		secret := make([]byte, macLength)
		if _, err := io.ReadFull(s.Random, secret); err != nil {
			return nil, fault.Errorf(fault.Internal, "make a token: %w", err)
		}
		token := confirmation(r.List, r.ID, secret)
		hash = tokenHash(token)
		m.ID = article.Digest(article.IDLength, "confirm", r.List, r.ID, hash) + "@" + s.Sender.Host
		m.Subject, m.Text, m.HTML, m.Auto = "confirm", s.Sender.Base+"/newsletter/confirm/"+token, "x", true
	} else {
		list := s.stories.news(&r.Wishes, r.Cursor, r.Mail.To, 0)
		if len(list) == 0 {
			return nil, nil
		}
		m.ID = article.Digest(article.IDLength, "mail", r.List, r.ID, r.Mail.Period) + "@" + s.Sender.Host
		token := s.Keys.Token(r.List, r.ID)
		m.Unsubscribe = s.Sender.Base + "/newsletter/one-click/" + token
		m.Subject, m.HTML = s.Sender.Title, "x"
		for _, p := range list {
			story, ok, err := s.stories.read(s.ctx, p)
			if err != nil {
				return nil, err
			}
			if ok {
				m.Text += story.Title + "\n" + story.URL + "\n"
			}
		}
		if m.Text == "" {
			return nil, nil
		}
	}
	raw, err := mail.Compose(m)
	if err != nil {
		return nil, err
	}
	_ = now
	return &written{raw: raw, from: "bounce@" + s.Sender.Host, hash: hash}, nil
}
