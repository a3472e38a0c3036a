package site

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings.internal/services/publish/internal/document"
)

const allowed = "GET, HEAD, OPTIONS"

// answer is a response before it is written.
type answer struct {
	kind     string
	status   int
	header   fields
	body     []byte
	document *document.Document // what is found, before its coding is chosen
	dear     bool               // it may have been made for this request
	secluded bool               // it is for one reader alone
	feed     string             // whose current document it is, whole and for programs
}

func newAnswer(kind string, status int) *answer {
	a := &answer{kind: kind, status: status, header: make(fields, 0, 16)} // more than any answer has
	a.header.Set("X-Content-Type-Options", "nosniff")
	a.header.Set("Access-Control-Allow-Origin", "*")
	return a
}

// fields are the header of an answer by their canonical names, each once. A dozen is found sooner in a list than in a map, which
// took a third of the time of an answer.
type fields []field

type field struct{ name, value string }

func (f *fields) Set(name, value string) {
	if i := f.index(name); i >= 0 {
		(*f)[i].value = value
		return
	}
	*f = append(*f, field{name, value})
}

func (f *fields) Get(name string) string {
	if i := f.index(name); i >= 0 {
		return (*f)[i].value
	}
	return ""
}

func (f *fields) Del(name string) {
	*f = slices.DeleteFunc(*f, func(o field) bool { return o.name == name })
}

func (f *fields) index(name string) int {
	return slices.IndexFunc(*f, func(o field) bool { return o.name == name })
}

func found(kind string, d *document.Document) *answer {
	a := newAnswer(kind, http.StatusOK)
	a.document = d
	a.header.Set("Vary", "Accept-Encoding")
	return a
}

// fail is an answer that is no document but a sentence, as a rule an error that says what is wrong and what to do. Nothing
// of the request stands in it.
func (s *Site) fail(kind string, status int, format string, args ...any) *answer {
	a := newAnswer(kind, status)
	a.body = fmt.Appendf(nil, format+"\n", args...)
	a.header.Set("Content-Type", "text/plain; charset=utf-8")
	a.header.Set("Cache-Control", "no-cache")
	a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
	return a
}

// preflight answers a browser that asks for leave to read a feed from a page of another site. It has none for what is for
// one reader alone.
func preflight(to *answer) *answer {
	a := newAnswer(to.kind, http.StatusNoContent)
	a.header.Set("Allow", allowed)
	if to.secluded {
		a.header.Del("Access-Control-Allow-Origin")
		return a
	}
	a.header.Set("Access-Control-Allow-Methods", "GET, HEAD")
	a.header.Set("Access-Control-Allow-Headers", "If-None-Match, If-Modified-Since")
	a.header.Set("Access-Control-Max-Age", "86400")
	return a
}

// choose picks the coding that the client asks for and compares its validators (RFC 9110 section 13).
func (a *answer) choose(r *http.Request) *answer {
	d := a.document
	packed, tag := coded(r.Header, d.Packed), d.ETag
	if packed != nil {
		tag = packed.ETag
		a.header.Set("Content-Encoding", string(packed.Coding))
	}
	a.header.Set("Etag", tag) // as net/http writes it
	if !a.secluded {
		a.header.Set("Access-Control-Expose-Headers", "ETag, Last-Modified, Link")
	}
	if !d.Modified.IsZero() {
		a.header.Set("Last-Modified", d.Modified.Format(http.TimeFormat))
	}
	if unchanged(r.Header, tag, d.Modified) {
		a.status = http.StatusNotModified
		a.header.Del("Content-Encoding")
		return a
	}
	if packed != nil {
		a.body = packed.Body
	} else {
		a.body = d.Body()
	}
	a.header.Set("Content-Type", d.ContentType)
	a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
	return a
}

func (a *answer) write(w http.ResponseWriter, r *http.Request) {
	h, values := w.Header(), make([]string, len(a.header))
	for i, f := range a.header {
		values[i] = f.value
		h[f.name] = values[i : i+1 : i+1]
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead && len(a.body) > 0 {
		_, _ = w.Write(a.body) // the client has gone: there is nobody left to tell
	}
}

// unchanged decides whether the client has what it asks for. If-None-Match wins over If-Modified-Since, of which a date
// that cannot be read is ignored (RFC 9110 sections 13.1.2, 13.1.3).
func unchanged(h http.Header, tag string, modified time.Time) bool {
	if list, given := h["If-None-Match"]; given {
		return matches(strings.Join(list, ","), tag)
	}
	if modified.IsZero() {
		return false
	}
	text := h.Get("If-Modified-Since")
	if text == "" {
		return false
	}
	since, err := http.ParseTime(text)
	return err == nil && !modified.After(since)
}

// matches compares a list of entity tags weakly with one. Tags count as a whole: they may hold commas.
func matches(list, tag string) bool {
	for {
		list = strings.TrimLeft(list, " \t,")
		if list == "" {
			return false
		}
		if list[0] == '*' {
			return strings.Trim(list[1:], " \t,") == ""
		}
		list = strings.TrimPrefix(list, "W/")
		if list == "" || list[0] != '"' {
			return false // no list of tags
		}
		end := strings.IndexByte(list[1:], '"')
		if end < 0 {
			return false
		}
		if list[:end+2] == tag {
			return true
		}
		list = list[end+2:]
	}
}
