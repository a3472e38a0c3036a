package newsletter

import (
	"fmt"
	"net/http"
	"strings"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// showSubscribe answers with the form of a list.
func (p *Pages) showSubscribe(v *visit) *Answer {
	return p.ask(v, http.StatusOK, question{list: v.list, chosen: v.list.preset()})
}

// subscribe takes the form of a list. What is answered does not tell whether the address is known: nobody here knows it.
func (p *Pages) subscribe(v *visit) *Answer {
	q := question{list: v.list, address: strings.TrimSpace(v.form.Get(fieldAddress))}
	q.chosen, q.wrong = wishes(v.form, v.list, v.words, false)
	if event.CheckAddress(q.address) != nil {
		q.wrong = append([]problem{{fieldAddress, v.words.WrongAddress}}, q.wrong...)
	}
	if len(q.wrong) > 0 {
		return p.ask(v, http.StatusBadRequest, q)
	}
	chosen := settled(q.chosen)
	if a := p.store(v, p.Forms, event.ReaderRequest{
		Mode: event.ReaderSubscribe, List: v.list.ID, Address: event.Hidden(q.address), Wishes: &chosen,
		Form: formName("subscribe", v.words, consent(v.list, v.words)),
	}); a != nil {
		return a
	}
	return p.done(v, v.words.SubscribedTitle, v.words.Subscribed)
}

// consent is what a reader agrees to by sending the form.
func consent(l *List, w *words) string {
	if l.Consent != "" {
		return l.Consent
	}
	return fmt.Sprintf(w.Consent, l.Title)
}

// confirm takes the word of whoever reads the mails of an address. Whether the token still holds is known to deliver.
func (p *Pages) confirm(v *visit) *Answer {
	a := p.store(v, p.Tokens, event.ReaderRequest{Mode: event.ReaderConfirm, Form: formName("confirm", v.words, v.words.Confirm)})
	if a != nil {
		return a
	}
	return p.done(v, v.words.ConfirmedTitle, v.words.Confirmed)
}

// leave takes the end of a subscription from the page.
func (p *Pages) leave(v *visit) *Answer {
	if a := p.store(v, p.Tokens, event.ReaderRequest{Mode: event.ReaderUnsubscribe}); a != nil {
		return a
	}
	return p.done(v, v.words.LeftTitle, v.words.Left)
}

// oneClick takes it from a mail program (RFC 8058): by what the form says alone, without a cookie, and without leading
// anywhere else. Sent twice it says the same twice.
func (p *Pages) oneClick(v *visit) *Answer {
	if v.form.Get(fieldOneClick) != "One-Click" {
		return p.fail(v, http.StatusBadRequest, v.words.FormTitle, v.words.OneClick)
	}
	return p.leave(v)
}

// showPreferences answers with what a reader has chosen. It is the one page that needs deliver.
func (p *Pages) showPreferences(v *visit) *Answer {
	known, err := p.Ask(v.Context(), v.token)
	switch {
	case fault.KindOf(err) == fault.Gone:
		return p.fail(v, http.StatusNotFound, v.words.NotFoundTitle, v.words.UnknownToken)
	case err != nil:
		return p.away(v, view{Text: v.words.PreferencesAway, Leave: v.leave()})
	}
	// The language that the reader's mails speak goes before that of the browser: by the form it is changed, too.
	v.words = p.speak(v.URL.Query().Get(fieldLanguage), "", known.Language)
	l := p.chosenFrom(known.List)
	a := p.ask(v, http.StatusOK, question{list: l, masked: known.Address, chosen: unsettled(known.Wishes, l)})
	a.Dear = true
	return a
}

// prefer takes what a reader has chosen anew.
func (p *Pages) prefer(v *visit) *Answer {
	q := question{list: p.chosenFrom(v.form.Get(fieldList))}
	if q.chosen, q.wrong = wishes(v.form, q.list, v.words, true); len(q.wrong) > 0 {
		return p.ask(v, http.StatusBadRequest, q)
	}
	chosen := settled(q.chosen)
	if a := p.store(v, p.Forms, event.ReaderRequest{Mode: event.ReaderPrefer, Wishes: &chosen}); a != nil {
		return a
	}
	return p.done(v, v.words.SavedTitle, v.words.Saved)
}

// chosenFrom is the list whose choices a reader has. One that is not in this configuration any more offers nothing but the
// periods.
func (p *Pages) chosenFrom(id string) *List {
	if l := p.lists[id]; l != nil {
		return l
	}
	l := &List{}
	l.Title, l.Periods, l.Zone = "Newsletter", []string{event.Daily, event.Weekly, event.Immediate}, "UTC"
	return l
}
