package newsletter

import (
	"bytes"
	_ "embed" // for the templates
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/page"
)

//go:embed page.html
var pageText string

// pages are the templates: "message" says something, "button" asks for a press of a button, "form" asks for more.
var pages = template.Must(template.New("page").Parse(pageText))

// view is what every page shows.
type view struct {
	Words *words
	Title string
	Text  string
	Up    string // from the page to the address of the site
	// Languages leads to the page in the other languages; pages that answer a form have none.
	Languages []*words
	Index     bool // search engines may list it
	Alert     bool // the text says what went wrong
	Button    string
	Action    string // where the button leads; the page itself when it is empty
	Leave     string // leads to the page that ends a subscription
	Form      *form
}

// form is what the page of a form shows beside that.
type form struct {
	Token                bool   // the reader is known by a token, and gives no address
	List                 string // whose choices it offers
	About                string
	Lang                 string // of the texts of the list
	Address              string
	Wrong                []problem
	Periods              []option
	Days                 []option
	Hours                []option
	Zone                 string
	Zones                []string
	Groups               []group
	Consent, ConsentLang string
	Hint                 string
	// Weekly is set where a day of the week is among the choices, Timed where a time is.
	Weekly, Timed bool
}

// Shows reports whether the form has a field that a reader can go to: one of a single choice, or of none, is not shown.
func (f *form) Shows(field string) bool {
	switch field {
	case fieldAddress:
		return !f.Token
	case fieldPeriod:
		return len(f.Periods) > 1
	case fieldWeekday:
		return f.Timed && f.Weekly
	case fieldHour, fieldZone:
		return f.Timed
	}
	return slices.ContainsFunc(f.Groups, func(g group) bool { return g.Field == field })
}

// option is something to choose.
type option struct {
	Value, Label string
	On           bool
}

// group is a set of options of which any number may be chosen.
type group struct {
	Field, Title string
	Options      []option
}

// Bad reports whether something is wrong with a field.
func (f *form) Bad(field string) bool {
	return slices.ContainsFunc(f.Wrong, func(p problem) bool { return p.Field == field })
}

// question is a form before it is shown.
type question struct {
	list    *List
	address string // as it was entered
	masked  string // of a reader who is known by a token
	chosen  event.Wishes
	wrong   []problem
}

// ask answers with a form, filled in.
func (p *Pages) ask(v *visit, status int, q question) *Answer {
	w, l := v.words, q.list
	f := &form{
		Token: v.token != "", List: l.ID, Address: q.address, Wrong: q.wrong, Zone: q.chosen.Zone, Zones: zones(l.Zone), Lang: l.Language,
		Weekly: slices.Contains(l.Periods, event.Weekly), Timed: slices.ContainsFunc(l.Periods, func(s string) bool { return s != event.Immediate }),
	}
	labels := map[string]string{event.Immediate: w.Immediate, event.Daily: w.Daily, event.Weekly: w.Weekly}
	for _, period := range l.Periods {
		on := period == q.chosen.Period || period == l.Periods[0] && !slices.Contains(l.Periods, q.chosen.Period)
		f.Periods = append(f.Periods, option{period, labels[period], on})
	}
	for i, day := range w.Weekdays {
		f.Days = append(f.Days, option{fmt.Sprint(i + 1), day, i+1 == q.chosen.Weekday})
	}
	for h := range 24 {
		f.Hours = append(f.Hours, option{fmt.Sprint(h), fmt.Sprintf("%02d:00", h), h == q.chosen.Hour})
	}
	f.group(fieldTag, w.Tags, l.Tags, q.chosen.Tags, p.Tag)
	f.group(fieldSource, w.Sources, l.Sources, q.chosen.Sources, p.Source)
	out := view{Title: l.Title, Form: f, Button: w.Subscribe, Languages: p.others(w), Index: status == http.StatusOK}
	if f.About = l.Description; !f.Token {
		f.Consent, f.ConsentLang, f.Hint = consent(l, w), w.Code, w.SubscribeHint
		if l.Consent != "" {
			f.ConsentLang = l.Language
		}
	} else {
		out.Title, out.Button, out.Index, f.About = fmt.Sprintf(w.Preferences, l.Title), w.Save, false, ""
		out.Leave = v.leave()
		if q.masked != "" {
			out.Text = fmt.Sprintf(w.PreferencesFor, q.masked)
		}
	}
	return p.render(v, status, "form", out)
}

// group adds a set of options, if there are any.
func (f *form) group(field, title string, offered, chosen []string, label func(string) string) {
	g := group{Field: field, Title: title}
	for _, id := range ids(offered, chosen) {
		g.Options = append(g.Options, option{id, label(id), slices.Contains(chosen, id)})
	}
	if len(g.Options) > 0 {
		f.Groups = append(f.Groups, g)
	}
}

// zones are names that a reader may look for first; any other of the IANA database can be entered as well.
func zones(preset string) []string {
	list := []string{
		preset, "UTC", "Europe/Berlin", "Europe/Vienna", "Europe/Zurich", "Europe/London", "Europe/Paris", "Europe/Madrid", "Europe/Athens", "America/New_York",
		"America/Chicago", "America/Los_Angeles", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Singapore", "Asia/Tokyo", "Australia/Sydney",
	}
	if slices.Contains(list[1:], preset) {
		return list[1:]
	}
	return list
}

// button gives the answer with a page of one button: to press it is what changes something.
func (p *Pages) button(title, text, button string) func(*visit) *Answer {
	return func(v *visit) *Answer {
		out := view{Title: title, Text: text, Button: button, Languages: p.others(v.words)}
		if v.kind == "one_click" {
			out.Action = v.leave()
		}
		return p.render(v, http.StatusOK, "button", out)
	}
}

// leave leads from the page of a token to the one that ends the subscription. The token is letters, digits and two signs.
func (v *visit) leave() string {
	return up(v.Request) + strings.TrimPrefix(Path, "/") + pageLeave + "/" + string(v.token) + "?" + fieldLanguage + "=" + v.words.Code
}

// done answers that a request is stored.
func (p *Pages) done(v *visit, title, text string) *Answer {
	a := p.render(v, http.StatusOK, "message", view{Title: title, Text: text})
	a.Dear = true
	return a
}

// fail answers with what is wrong and what to do. Nothing of the request stands in it.
func (p *Pages) fail(v *visit, status int, title, text string) *Answer {
	return p.render(v, status, "message", view{Title: title, Text: text, Alert: true})
}

// others are the words of the languages that a page does not speak.
func (p *Pages) others(w *words) []*words {
	codes, _ := languages()
	var list []*words
	for _, code := range codes {
		if code != w.Code {
			list = append(list, p.words[code])
		}
	}
	return list
}

// up leads from the page of a request to the address of the site. It counts the steps that a browser sees: to it an escaped
// slash, as some programs make of the one before a token, is a letter.
func up(r *http.Request) string {
	return strings.Repeat("../", strings.Count(r.URL.EscapedPath(), "/")-1)
}

func (p *Pages) render(v *visit, status int, name string, out view) *Answer {
	out.Words, out.Up = v.words, up(v.Request)
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, out); err != nil { // it fails only where memory does: the tests show every page
		return p.answer(v, http.StatusInternalServerError, nil)
	}
	a := p.answer(v, status, b.Bytes())
	a.Header.Set("Content-Type", "text/html; charset=utf-8")
	a.Header.Set("Content-Language", v.words.Code)
	if out.Index {
		a.Header.Del("X-Robots-Tag")
	}
	return a
}

// answer makes an answer that nobody keeps and that tells nobody where it was.
func (p *Pages) answer(v *visit, status int, body []byte) *Answer {
	h := http.Header{}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Content-Security-Policy", page.Policy)
	h.Set("Referrer-Policy", "no-referrer")
	if v.list != nil {
		// Nothing in its address is secret, and with it browsers say of the form where it comes from (see foreign).
		h.Set("Referrer-Policy", "same-origin")
	}
	return &Answer{Kind: v.kind, Status: status, Header: h, Body: body}
}
