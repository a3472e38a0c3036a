package app

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/mail"
	"tidings.internal/services/deliver/internal/readers"
	newsletter "tidings.internal/services/deliver/internal/send/list"
)

// letter is a newsletter that is sent, with its own way to its server.
type letter struct {
	*readers.List
	client *web.Client
}

// readNewsletters reports what the lists that are sent lack elsewhere in the configuration.
func (s *settings) readNewsletters(doc *config.Doc) {
	var publish struct {
		BaseURL string `yaml:"base_url"`
	}
	doc.Peek("publish", &publish)
	s.base = strings.TrimRight(cmp.Or(publish.BaseURL, s.site.URL), "/")
	needs := false
	for _, c := range s.channels {
		if c.network.Name != newsletter.Network.Name {
			continue
		}
		needs = true
		s.checkMailbox(c)
		if c.Settings.(*newsletter.Settings).SMTP.TLS == mail.TLSNone && !c.AllowPrivate {
			c.at.Key("smtp").Key("tls").Problemf("none is for a server on this machine, which is reached with allow_private: true of the channel alone")
		}
		if s.base != "" && !strings.HasPrefix(s.base, "https://") { // none at all publish reports
			c.at.Key("network").Problemf("list needs https in publish.base_url or site.url: mail programs end a subscription over https alone (RFC 8058)")
		}
	}
	if needs && s.deliver.Readers.Key.IsZero() {
		doc.At("deliver").Key("readers").Key("key").Problemf("is missing, and a list is sent: \"openssl rand -hex 32\" makes one for a file that key_file names")
	}
}

// checkMailbox reports a mailbox that lists share under several domains: who reads it takes the mails to one, and deletes others.
func (s *settings) checkMailbox(c channel) {
	mine := c.Settings.(*newsletter.Settings).Bounces
	for _, other := range s.channels {
		if l, ok := other.Settings.(*newsletter.Settings); ok && l.Bounces.Same(mine) && l.Bounces.Domain != mine.Domain {
			c.at.Key("bounces").Key("domain").Problemf("is not %s, that of list %s, which has the same mailbox", l.Bounces.Domain, other.ID)
			return
		}
	}
}

// readsFor names the list that reads the mailbox of a list: the first of those that share it, since a mailbox of POP3 is open
// to one at a time.
func (s *settings) readsFor(c channel) string {
	mine := c.Settings.(*newsletter.Settings).Bounces
	for _, other := range s.channels {
		if l, ok := other.Settings.(*newsletter.Settings); ok && l.Bounces.Same(mine) {
			return other.ID
		}
	}
	return c.ID
}

// language is that of the mails of a list that says nothing else: as for its pages, the site's where we speak it.
func (s *settings) language(l *newsletter.Settings) string {
	base, _, _ := strings.Cut(strings.ToLower(s.site.Language), "-")
	if base != "de" {
		base = "en"
	}
	return cmp.Or(l.Language, base)
}

// openNewsletters makes what sends the lists. It dials nobody.
func (a *App) openNewsletters(s settings, d Deps, m *metrics) error {
	languages := map[string]string{}
	for _, c := range s.channels {
		if l, ok := c.Settings.(*newsletter.Settings); ok {
			languages[c.ID] = s.language(l)
		}
	}
	ids := slices.Sorted(maps.Keys(languages))
	var keys readers.Keys
	for _, c := range s.channels {
		l, ok := c.Settings.(*newsletter.Settings)
		if !ok {
			continue
		}
		var err error
		if keys, err = readers.NewKeys([]byte(s.deliver.Readers.Key.Reveal()), s.deliver.Readers.old()...); err != nil {
			return err
		}
		one, err := a.openList(s, c, l, keys, ids, d, m)
		if err != nil {
			return err
		}
		a.lists = append(a.lists, one)
	}
	if len(a.lists) == 0 {
		return nil
	}
	a.desk = readers.NewDesk(readers.DeskOptions{
		Bus: d.Bus, Keys: keys, Lists: languages, Log: d.Log, Tick: d.Checks.Alive("newsletters", pulse).Tick, Now: time.Now, Random: crand.Reader,
	})
	return nil
}

func (a *App) openList(s settings, c channel, l *newsletter.Settings, keys readers.Keys, lists []string, d Deps, m *metrics) (*letter, error) {
	// The ports of mail are open to the server of this list, and to nothing else that we connect to.
	client, err := web.New(web.Config{UserAgent: userAgent(s.site), AllowPorts: []uint16{uint16(l.SMTP.Port), uint16(l.Bounces.Port)}})
	if err != nil {
		return nil, err
	}
	var mailers []readers.Mailer
	for range readers.Connections + 1 {
		m, err := mail.NewClient(l.Server(client, c.AllowPrivate))
		if err != nil {
			return nil, err
		}
		mailers = append(mailers, m)
	}
	sender := readers.Sender{
		List: c.ID, Title: l.Title, Language: s.language(l), Imprint: l.Imprint, From: l.From, ReplyTo: l.ReplyTo, Address: l.Address(),
		Base: s.base, Host: l.Host(), Keys: l.Keys(), Returns: l.Bounces.Domain,
	}
	var bounces readers.Bounces // an interface that holds nothing, and not one that holds no mailbox
	if box, ok := l.Mailbox(client, c.AllowPrivate); ok && s.readsFor(c) == c.ID {
		bounces = box
	}
	return &letter{client: client, List: readers.NewList(readers.ListOptions{
		Sender: sender, Bounces: bounces, Lists: lists,
		Keys: keys, Mailers: mailers[1:], Spare: mailers[0], Credential: l.Credential(c.ID), Bus: d.Bus, Ledger: book(d.Bus), Log: d.Log, Observe: m,
		Tick: d.Checks.Alive("list "+c.ID, pulse).Tick, Now: time.Now, Random: crand.Reader,
	})}, nil
}

// runNewsletters works on readers until ctx ends.
func (a *App) runNewsletters(ctx context.Context, group *errgroup.Group) {
	if a.desk == nil {
		return
	}
	group.Go(func() error { return a.desk.Run(ctx) })
	group.Go(func() error { return a.answer(ctx, event.VerbPreferences, a.preferences) })
	group.Go(func() error { return a.answer(ctx, verbSuppress, a.suppress) })
	group.Go(func() error { return a.answer(ctx, verbMail, a.mail) })
	for _, l := range a.lists {
		group.Go(func() error {
			defer l.client.Close()
			return l.Run(ctx)
		})
	}
}

// preferences answers the pages of the newsletters.
func (a *App) preferences(ctx context.Context, request []byte) (any, error) {
	var q event.PreferencesQuestion
	if err := json.Unmarshal(request, &q); err != nil {
		return nil, fault.Errorf(fault.Malformed, "read the question about a reader: it has no form")
	}
	return a.desk.Preferences(ctx, q.Token)
}
