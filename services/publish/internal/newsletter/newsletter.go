// Package newsletter is the front of the mailing lists: the pages on which readers subscribe, confirm, choose and leave.
//
// It knows no reader. What somebody enters is left for deliver, which owns addresses and tokens and sends the mails; an
// answer says that a request is stored and never what becomes of it, so it is the same for addresses that are known and
// unknown. No GET changes anything, since scanners of mail open links; none sets a cookie, and no page needs a script.
//
// A token is whatever deliver put into a mail. It is taken from the address of a page and handed on, and stands in no log,
// metric or error. Nothing of the mails is known here but the addresses that they lead to.
package newsletter

import (
	"context"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/compose/list"
	"tidings.internal/services/publish/internal/limit"
	"tidings.internal/services/publish/internal/page"
)

// Path is what the addresses of all pages begin with, below that of the site.
const Path = "/newsletter/"

// The limits of a client network, an IPv4 address or a /64 of IPv6. Both count what is stored and nothing else.
//
// A subscription sends mail to whoever owns the address, and a choice is rarely changed, so the two have five an hour
// together. What a mail leads to has an account of its own, and a large one: a company, a mail provider that clicks for its users
// (RFC 8058) and a scanner of mail each have one address for many readers, and a reader who cannot leave reports the
// mail as unwanted. It bounds what somebody can write to the disk of the broker, and neither is touched by a GET.
const (
	FormsAnHour  = 5
	TokensAnHour = 600
)

// Spared reports whether a request is held back by the account of [TokensAnHour] alone. A scanner that opens every link
// of every mail uses up what its network may ask of the site, and the readers behind it must be able to confirm and to
// leave all the same.
func Spared(r *http.Request) bool {
	name, _, deeper := strings.Cut(strings.TrimPrefix(r.URL.Path, Path), "/")
	return r.Method == http.MethodPost && deeper && (name == pageConfirm || name == pageLeave || name == pageOneClick)
}

// The pages behind a token.
const (
	pageConfirm     = "confirm"
	pagePreferences = "preferences"
	pageLeave       = "unsubscribe"
	pageOneClick    = "one-click"
)

// retryAfter is what a reader is told whose request could not be stored, in seconds.
const retryAfter = 60

// List is a list that has pages.
type List struct {
	ID string
	list.Settings
}

// preset is what the form has chosen before the reader does.
func (l *List) preset() event.Wishes {
	return event.Wishes{Period: l.Periods[0], Weekday: 1, Hour: l.Hour, Zone: l.Zone}
}

// Config is what the pages are made of.
type Config struct {
	// Lists have their languages and titles filled in.
	Lists []List
	// Base is the address of the site without a slash at its end. Forms come from there, whatever a proxy makes of Host.
	Base string
	// Language is that of pages of which nobody knows the list.
	Language string
	// Leave stores a request; it returns nil once it is safe on disk.
	Leave func(ctx context.Context, r event.ReaderRequest) error
	// Ask gives what the reader of a token has chosen; [fault.Gone] for a token of nobody.
	Ask func(ctx context.Context, token event.Hidden) (event.Preferences, error)
	// Tag and Source give the labels of ids, and the id where nobody knows one.
	Tag, Source func(id string) string
	// Forms and Tokens count what networks had stored.
	Forms, Tokens *limit.Limiter
	Now           func() time.Time
}

// Pages answers what lies below [Path].
type Pages struct {
	Config
	lists map[string]*List
	words map[string]*words
	guard *http.CrossOriginProtection
}

// New makes the pages.
func New(c Config) (*Pages, error) {
	p := &Pages{Config: c, lists: map[string]*List{}, words: catalogue(), guard: http.NewCrossOriginProtection()}
	for i := range c.Lists {
		p.lists[c.Lists[i].ID] = &c.Lists[i]
	}
	u, err := url.Parse(c.Base)
	if err == nil {
		err = p.guard.AddTrustedOrigin(origin(u))
	}
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "make the pages of newsletters: %w", err)
	}
	return p, nil
}

// origin is how browsers write the origin of an address: without the port that the scheme has by itself.
func origin(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]; port != "" {
		host = strings.TrimSuffix(host, port)
	}
	return u.Scheme + "://" + host
}

// Links leads to the pages of the lists, for the index.
func (p *Pages) Links() []page.List {
	var links []page.List
	for _, l := range p.Lists {
		links = append(links, page.List{Path: strings.TrimPrefix(Path, "/") + l.ID, Title: l.Title, Description: l.Description, Language: l.Language})
	}
	return links
}

// Answer is what a request gets.
type Answer struct {
	Kind   string // for metrics: subscribe, confirm, preferences, unsubscribe, one_click, newsletter
	Status int
	Header http.Header
	Body   []byte
	// Dear answers give what another process was asked for, or have been written to disk. One that says that there is
	// nothing, or nobody to ask, counts as any other.
	Dear bool
}

// visit is a request on its way to an answer.
type visit struct {
	*http.Request
	kind  string
	list  *List // of the page for a list
	token event.Hidden
	words *words
	form  url.Values
}

// Answer answers a request.
func (p *Pages) Answer(r *http.Request) *Answer {
	v := &visit{Request: r, kind: "newsletter"}
	v.words = p.speak(r.URL.Query().Get(fieldLanguage), r.Header.Get("Accept-Language"), p.Language)
	rest := strings.Split(strings.TrimPrefix(r.URL.Path, Path), "/")
	if len(rest) == 1 && p.lists[rest[0]] != nil {
		v.kind, v.list = "subscribe", p.lists[rest[0]]
		v.words = p.speak(r.URL.Query().Get(fieldLanguage), r.Header.Get("Accept-Language"), v.list.Language)
		return p.serve(v, p.showSubscribe, p.subscribe)
	}
	if len(rest) != 2 {
		return p.fail(v, http.StatusNotFound, v.words.NotFoundTitle, v.words.UnknownList)
	}
	show, take := p.behind(v, rest[0])
	if show == nil {
		return p.fail(v, http.StatusNotFound, v.words.NotFoundTitle, v.words.UnknownList)
	}
	v.token = event.Hidden(rest[1])
	if (event.ReaderRequest{Mode: event.ReaderConfirm, Token: v.token}).Check() != nil {
		return p.fail(v, http.StatusNotFound, v.words.NotFoundTitle, v.words.UnknownToken)
	}
	return p.serve(v, show, take)
}

// behind gives what shows and takes the form of a page for the owner of a token.
func (p *Pages) behind(v *visit, name string) (show, take func(*visit) *Answer) {
	switch name {
	case pageConfirm:
		v.kind = "confirm"
		return p.button(v.words.ConfirmTitle, v.words.Confirm, v.words.ConfirmButton), p.confirm
	case pagePreferences:
		v.kind = "preferences"
		return p.showPreferences, p.prefer
	case pageLeave:
		v.kind = "unsubscribe"
		return p.button(v.words.LeaveTitle, v.words.Leave, v.words.LeaveButton), p.leave
	case pageOneClick:
		v.kind = "one_click"
		return p.button(v.words.LeaveTitle, v.words.Leave, v.words.LeaveButton), p.oneClick
	}
	return nil, nil
}

const allowed = "GET, HEAD, POST, OPTIONS"

// serve answers by the method.
func (p *Pages) serve(v *visit, show, take func(*visit) *Answer) *Answer {
	switch v.Method {
	case http.MethodGet, http.MethodHead:
		return show(v)
	case http.MethodPost:
		return p.post(v, take)
	case http.MethodOptions:
		a := p.answer(v, http.StatusNoContent, nil)
		a.Header.Set("Allow", allowed)
		return a
	}
	a := p.fail(v, http.StatusMethodNotAllowed, v.words.MethodTitle, v.words.WrongMethod)
	a.Header.Set("Allow", allowed)
	return a
}

// post reads the form before it is taken.
func (p *Pages) post(v *visit, take func(*visit) *Answer) *Answer {
	oneClick := v.kind == "one_click"
	if !oneClick && p.foreign(v) {
		return p.fail(v, http.StatusForbidden, v.words.ForeignTitle, v.words.Foreign)
	}
	var err error
	switch v.form, err = read(v.Request, oneClick); err {
	case nil:
	case errType:
		return p.fail(v, http.StatusUnsupportedMediaType, v.words.FormTitle, v.words.WrongType)
	case errLarge:
		return p.fail(v, http.StatusRequestEntityTooLarge, v.words.FormTitle, v.words.TooLarge)
	case errDoubled:
		return p.fail(v, http.StatusBadRequest, v.words.FormTitle, v.words.Doubled)
	default:
		return p.fail(v, http.StatusBadRequest, v.words.FormTitle, v.words.WrongForm)
	}
	if w := p.words[v.form.Get(fieldLanguage)]; w != nil {
		v.words = w // the answer speaks as the form did
	}
	return take(v)
}

// foreign reports whether a form was sent from a page of another site.
//
// Pages with a token in their address send no referrer, and then browsers send the origin "null" with the form, too (Fetch
// section 3.2). Where they say Sec-Fetch-Site beside it that decides; they do on https. On plain http "null" is let
// through there: whoever sends the form has the token, so a page of another site gains nothing by having it sent.
func (p *Pages) foreign(v *visit) bool {
	if v.token != "" && v.Header.Get("Origin") == "null" && v.Header.Get("Sec-Fetch-Site") == "" {
		return false
	}
	return p.guard.Check(v.Request) != nil
}

// store leaves a request for deliver and gives nil, or the answer that says why that was not possible.
//
// The answer to the reader follows the ack of the broker: a kill before it leaves them without an answer, so that they send
// the form again, and one after it loses nothing. Asked twice is harmless in every mode.
func (p *Pages) store(v *visit, account *limit.Limiter, r event.ReaderRequest) *Answer {
	r.ID, r.Time, r.Language, r.Token = crand.Text(), p.Now().UTC(), v.words.Code, v.token
	if address, ok := account.Address(v.Request); ok {
		r.Client = event.Hidden(address.String())
	}
	if r.Check() != nil { // the handlers have looked at each field; this is the word of the contract
		return p.fail(v, http.StatusBadRequest, v.words.FormTitle, v.words.WrongForm)
	}
	network, counted := account.Client(v.Request)
	if counted {
		if wait := account.Take(network); wait > 0 {
			a := p.fail(v, http.StatusTooManyRequests, v.words.BusyTitle, fmt.Sprintf(v.words.Busy, int((wait+time.Minute-1)/time.Minute)))
			a.Header.Set("Retry-After", fmt.Sprint(int(wait.Seconds())))
			return a
		}
	}
	if err := p.Leave(v.Context(), r); err != nil {
		if counted {
			account.Spend(network, -limit.Whole)
		}
		return p.away(v, view{Text: v.words.Away})
	}
	return nil
}

// away is the answer while the broker or deliver is away.
func (p *Pages) away(v *visit, out view) *Answer {
	out.Title, out.Alert = v.words.AwayTitle, true
	a := p.render(v, http.StatusServiceUnavailable, "message", out)
	a.Header.Set("Retry-After", fmt.Sprint(retryAfter))
	return a
}

// formName names what somebody agreed to: the form, its language, and the text by its hash.
func formName(form string, w *words, text string) string {
	sum := sha256.Sum256([]byte(text))
	return form + "/" + w.Code + "/sha256:" + hex.EncodeToString(sum[:])
}

// ids lists the ids of a list's choices, and those of a reader that are not offered any more.
func ids(offered, chosen []string) []string {
	all := slices.Clone(offered)
	for _, id := range chosen {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}
