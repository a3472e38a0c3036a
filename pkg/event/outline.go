package event

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"tidings.internal/pkg/article"
)

// DecodeOutline is [DecodeEnriched] without the bodies, for who reads very many articles to know what they are about: HTML
// and Text of the article stay empty, and html is the length that the former has. It refuses what [DecodeEnriched] refuses.
func DecodeOutline(m Message) (env Envelope, a article.Article, html int, err error) {
	if env, err = expect(m, TypeEnriched); err != nil {
		return env, a, 0, err
	}
	short, html, ok := outline(m.Body)
	if !ok || payload(Message{Subject: m.Subject, Body: short}, &a) != nil {
		a = article.Article{}
		if err = payload(m, &a); err != nil {
			return env, a, 0, err
		}
		html, a.HTML, a.Text = len(a.HTML), "", ""
	}
	return env, a, html, checkEnriched(m, env, &a)
}

// outline copies the JSON of an article with its html and text emptied, and tells the length of the former. encoding/json
// looks at each byte of a body twice before it copies it; so most of the time goes into what nobody asked for. ok is false
// where something is written in a way that no body of ours is: such an article has to be decoded whole.
//
// Only the two texts are looked at closely. All other bytes stay, so that what is wrong with them is found when the copy is
// decoded.
func outline(body []byte) (short []byte, html int, ok bool) {
	short = make([]byte, 0, 2<<10)
	depth, kept, lengths := 0, 0, [2]int{-1, -1}
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			begun := i + 1
			if i = closing(body, begun); i < 0 {
				return nil, 0, false
			}
			value := after(body, i+1, ':')
			if depth != 1 || value < 0 { // within another member, or no name
				continue
			}
			which := slices.Index(bodies, string(body[begun:i]))
			if which < 0 {
				if unusual(body[begun:i]) {
					return nil, 0, false
				}
				continue
			}
			from := after(body, value, '"')
			if from < 0 {
				continue // null, or a mistake
			}
			n, plain := 0, false
			if i = closing(body, from); i >= 0 {
				n, plain = length(body[from:i])
			}
			if !plain || lengths[which] >= 0 { // of two the last counts
				return nil, 0, false
			}
			lengths[which] = n
			short = append(short, body[kept:from]...)
			kept = i
		}
	}
	return append(short, body[kept:]...), max(lengths[0], 0), true
}

// bodies are the members that an outline leaves out.
var bodies = []string{"html", "text"}

// unusual reports whether a name is none of ours, but one that encoding/json might take for the name of a body.
func unusual(name []byte) bool {
	return bytes.EqualFold(name, []byte(bodies[0])) || bytes.EqualFold(name, []byte(bodies[1])) || bytes.IndexByte(name, '\\') >= 0
}

// closing finds the quotation mark that ends a string which begins at from, -1 where there is none.
func closing(body []byte, from int) int {
	for i := from; ; i++ {
		n := bytes.IndexByte(body[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		escapes := i
		for escapes > from && body[escapes-1] == '\\' {
			escapes--
		}
		if (i-escapes)%2 == 0 {
			return i
		}
	}
}

// after returns the place behind a character that is next but for white space, -1 where another comes.
func after(body []byte, i int, c byte) int {
	for ; i < len(body); i++ {
		switch body[i] {
		case c:
			return i + 1
		case ' ', '\t', '\r', '\n':
		default:
			return -1
		}
	}
	return -1
}

// length is that of a JSON string once it is decoded. plain is false for one that is broken, or written in a way that no
// body of ours is.
func length(s []byte) (n int, plain bool) {
	if !utf8.Valid(s) {
		return 0, false
	}
	n = len(s)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ':
			return 0, false
		case c == '\\':
			if i++; i == len(s) || strings.IndexByte(`"\/bfnrt`, s[i]) < 0 {
				return 0, false
			}
			n--
		}
	}
	return n, true
}
