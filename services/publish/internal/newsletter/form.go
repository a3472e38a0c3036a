package newsletter

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose/list"
)

// maxForm is the longest form in bytes.
const maxForm = 16 << 10

// The fields of the forms.
const (
	fieldAddress  = "address"
	fieldPeriod   = "period"
	fieldWeekday  = "weekday"
	fieldHour     = "hour"
	fieldZone     = "zone"
	fieldTag      = "tag"    // any number
	fieldSource   = "source" // any number
	fieldLanguage = "lang"   // of the page that the form stood on
	fieldList     = "list"   // of the choices that the form offered
	fieldOneClick = "List-Unsubscribe"
)

// The reasons for which a form is not read.
var (
	errType    = errors.New("no form")
	errLarge   = errors.New("too long")
	errForm    = errors.New("not readable")
	errDoubled = errors.New("a field is there twice")
)

// read gives the fields of a form. parts allows the type multipart/form-data, too, in which mail programs send theirs
// (RFC 8058 section 3.2).
func read(r *http.Request, parts bool) (url.Values, error) {
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" && !(parts && kind == "multipart/form-data") {
		return nil, errType
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	switch {
	case err != nil:
		return nil, errForm
	case len(body) > maxForm:
		return nil, errLarge
	}
	var form url.Values
	if kind == "multipart/form-data" {
		form, err = readParts(body, parameters["boundary"])
	} else {
		form, err = url.ParseQuery(string(body))
	}
	if err != nil {
		return nil, errForm
	}
	for name, values := range form {
		if slices.ContainsFunc(append(values, name), func(s string) bool { return !utf8.ValidString(s) || strings.ContainsRune(s, 0) }) {
			return nil, errForm
		}
		if len(values) > 1 && name != fieldTag && name != fieldSource {
			return nil, errDoubled
		}
	}
	return form, nil
}

// readParts reads a form of parts. It is held in memory: its length is bounded.
func readParts(body []byte, boundary string) (url.Values, error) {
	form, err := multipart.NewReader(bytes.NewReader(body), boundary).ReadForm(maxForm)
	if err != nil {
		return nil, err
	}
	defer func() { _ = form.RemoveAll() }() // there are no files of it: all of it fits into memory
	return form.Value, nil
}

// problem is what is wrong with a field, for the reader who filled it in.
type problem struct{ Field, Text string }

// wishes reads what a reader chose. Fields that are not there take what the list presets. more allows tags and sources
// that the list does not offer: a reader keeps those that were offered when they were chosen.
func wishes(form url.Values, l *List, w *words, more bool) (event.Wishes, []problem) {
	var wrong []problem
	complain := func(field, text string) { wrong = append(wrong, problem{field, text}) }
	chosen := l.preset()
	if v := form.Get(fieldPeriod); v != "" {
		chosen.Period = v
	}
	if !slices.Contains(l.Periods, chosen.Period) {
		complain(fieldPeriod, w.WrongPeriod)
	}
	number := func(field string, least, most int, into *int, text string) {
		if v := form.Get(field); v != "" {
			n, err := strconv.Atoi(v)
			if err != nil || n < least || n > most {
				complain(field, text)
				return
			}
			*into = n
		}
	}
	number(fieldWeekday, 1, 7, &chosen.Weekday, w.WrongWeekday)
	number(fieldHour, 0, 23, &chosen.Hour, w.WrongHour)
	if v := strings.TrimSpace(form.Get(fieldZone)); v != "" {
		if chosen.Zone = v; len(v) > maxZone || !list.ValidZone(v) {
			complain(fieldZone, w.WrongZone)
		}
	}
	var ok, good bool
	chosen.Tags, ok = choices(form[fieldTag], l.Tags, more)
	chosen.Sources, good = choices(form[fieldSource], l.Sources, more)
	switch {
	case !ok:
		complain(fieldTag, w.WrongChoice)
	case !good:
		complain(fieldSource, w.WrongChoice)
	}
	return chosen, wrong
}

// maxZone is more than the longest name of a zone, as pkg/event has it.
const maxZone = 64

// choices gives those of the chosen ids that may be chosen, each once and in the order of the list.
func choices(chosen, offered []string, more bool) (ids []string, ok bool) {
	for _, id := range offered {
		if slices.Contains(chosen, id) {
			ids = append(ids, id)
		}
	}
	ok = true
	for _, id := range chosen {
		if !slices.Contains(offered, id) && !slices.Contains(ids, id) {
			ids, ok = append(ids, id), ok && more
		}
	}
	return ids, ok
}

// settled leaves out what has no meaning for the period.
func settled(w event.Wishes) event.Wishes {
	switch w.Period {
	case event.Immediate:
		w.Weekday, w.Hour, w.Zone = 0, 0, ""
	case event.Daily:
		w.Weekday = 0
	}
	return w
}

// unsettled presets what has no meaning for the period, for a form in which another one may be chosen.
func unsettled(w event.Wishes, l *List) event.Wishes {
	if w.Period == event.Immediate {
		w.Hour, w.Zone = l.Hour, l.Zone
	}
	w.Weekday, w.Zone = max(w.Weekday, 1), cmp.Or(w.Zone, "UTC")
	return w
}
