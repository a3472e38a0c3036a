package app

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/compose/list"
	"tidings.internal/services/publish/internal/limit"
	"tidings.internal/services/publish/internal/newsletter"
)

// preferencesWait is how long a reader waits for deliver to say what they have chosen.
const preferencesWait = 2 * time.Second

// mailed returns the list of a channel whose posts are mailed, nil for any other: only such a list has pages.
func mailed(c config.Channel) *list.Settings {
	l, ok := c.Settings.(*list.Settings)
	if !ok || c.Emit == "only" {
		return nil
	}
	return l
}

// checkList reports what a list lacks that has pages. home tells whether they have an address.
func checkList(c config.Channel, at config.At, home bool, sources []string) {
	l := mailed(c)
	if l == nil {
		return
	}
	if strings.TrimSpace(l.Title) == "" {
		at.Key("title").Problemf("is missing; it is what readers know the newsletter by")
	}
	if c.Approve.Mode != config.ApproveAuto {
		at.Key("approve").Problemf("%s has no meaning for a list, whose mails are made of many posts; take it out, or write emit: only", c.Approve.Mode)
	}
	if !home {
		at.Key("network").Problemf("list needs publish.base_url or site.url, the address that the links of its mails lead to")
	}
	checkSources(at.Key("sources"), l.Sources, sources)
}

// lists gives those that have pages, with the language of the site where they have none.
func (s *settings) lists() []newsletter.List {
	var all []newsletter.List
	for _, c := range s.channels {
		if l := mailed(c.Channel); l != nil {
			one := newsletter.List{ID: c.ID, Settings: *l}
			one.Language = cmp.Or(one.Language, s.spoken())
			all = append(all, one)
		}
	}
	return all
}

// spoken is the language of the pages of newsletters that say nothing else: the site's, if there are pages in it.
func (s *settings) spoken() string {
	base, _, _ := strings.Cut(strings.ToLower(s.site.Language), "-")
	if base == list.German {
		return list.German
	}
	return list.English
}

// newsletters makes the pages of lists.
func (a *App) newsletters(s settings, lists []newsletter.List) (*newsletter.Pages, error) {
	return newsletter.New(newsletter.Config{
		Lists: lists, Base: a.base, Language: s.spoken(), Leave: a.leaveReader, Ask: a.preferences,
		Tag: a.projection.Tag,
		Source: func(id string) string {
			i := slices.IndexFunc(s.sources, func(one source) bool { return one.ID == id })
			if i < 0 || s.sources[i].Title == "" {
				return id
			}
			return s.sources[i].Title
		},
		Forms:  limit.New(newsletter.FormsAnHour, time.Hour, s.publish.proxies(), time.Now),
		Tokens: limit.New(newsletter.TokensAnHour, time.Hour, s.publish.proxies(), time.Now),
		Now:    time.Now,
	})
}

// leaveReader stores what a reader asked for, for deliver. Nil means that it is on disk.
func (a *App) leaveReader(ctx context.Context, r event.ReaderRequest) error {
	value, err := json.Marshal(r)
	if err == nil {
		err = a.bus.Bucket(event.BucketRequests).Leave(ctx, event.RequestsOfReaders+r.ID, value)
	}
	if err != nil {
		a.log.Debug("could not leave a request of a reader for deliver", "mode", r.Mode, "kind", fault.KindOf(err))
	}
	return err
}

// preferences asks deliver what the reader of a token has chosen. What went wrong is told by its kind alone: the token
// must stand in no log.
func (a *App) preferences(ctx context.Context, token event.Hidden) (p event.Preferences, err error) {
	ctx, cancel := context.WithTimeout(ctx, preferencesWait)
	defer cancel()
	err = a.bus.Ask(ctx, event.UserDeliver, event.VerbPreferences, event.PreferencesQuestion{Token: token}, &p)
	if kind := fault.KindOf(err); err != nil && kind != fault.Gone {
		a.log.Debug("could not ask deliver for what a reader has chosen", "kind", kind)
	}
	return p, err
}
