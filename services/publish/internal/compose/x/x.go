// Package x composes posts for X (docs.x.com, "Create or Edit Post"; github.com/twitter/twitter-text, configuration v3).
//
// Nothing of Tidings sends them: the API charges for each, more for one with an address. They are left on the bus for
// whoever has an account there.
package x

import (
	"iter"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/clean"
	"tidings.internal/services/publish/internal/compose"
)

const (
	// limit is the weight of a post, and link that of any address, whatever its length (twitter-text configuration v3:
	// maxWeightedTweetLength, transformedURLLength).
	limit = 280
	link  = 23
)

// Network is the network of x channels.
var Network = compose.Network{
	Name:     "x",
	Others:   []string{},
	Example:  "# An x channel has no keys of its own.\nid: x\nnetwork: x\n",
	Template: "{{.Title}}\n\n{{.URL}}\n\n{{hashtags .Tags}}",
	Compose:  composePost,
}

// post is the body of a request.
type post struct {
	Text string `json:"text"`
}

func composePost(in compose.Input) (compose.Draft, error) {
	count := func(text string) int { return weight(sent(text)) }
	text, used, err := compose.Fit(in, compose.NewFields(in, compose.Unmention), count, limit)
	if err != nil {
		return compose.Draft{}, err
	}
	text = sent(text)
	d := compose.Draft{Text: text, Count: event.Count{Used: used, Limit: limit, Unit: "weighted"}}
	// There is no edit for those who do not pay for it, so an edit is the whole post, too.
	d.Request = event.Request{Method: "POST", Path: "/2/tweets", Headers: map[string]string{"Content-Type": "application/json", "Authorization": "Bearer {token}"}}
	d.Request.Body, err = compose.JSON(post{text})
	return d, err
}

// cashtag is a sign of a share, such as $TIDE. A post with two of them is refused.
var cashtag = regexp.MustCompile(`(^|[^\pL\pN$])\$([A-Za-z]{1,6})\b`)

// sent gives a text as it is counted and sent: composed (NFC), with one cashtag at most.
func sent(text string) string {
	text = norm.NFC.String(text)
	if !strings.Contains(text, "$") { // nearly every text
		return text
	}
	first := true
	return cashtag.ReplaceAllStringFunc(text, func(m string) string {
		if first {
			first = false
			return m
		}
		return strings.Replace(m, "$", "", 1)
	})
}

// address matches what X makes a link of, and then some: addresses with a scheme, and bare names of hosts, of which
// every ending of letters is taken for a domain. What is none in truth is counted too long and never too short.
var address = regexp.MustCompile(`https?://[^\s<>"]+|(?:[\pL\pN](?:[\pL\pN-]*[\pL\pN])?\.)+\pL{2,}(?:/[^\s<>"]*)?`)

// weight counts as X does: an address as a fixed number, an emoji of however many characters as 2, characters of the
// ranges that twitter-text names as 1, all others as 2.
func weight(text string) int {
	n, at := 0, 0
	for from, word := range words(text) {
		if !strings.ContainsAny(word, ".:") { // nearly every word, and never an address
			continue
		}
		for _, m := range address.FindAllStringIndex(word, -1) {
			begin, end := from+m[0], from+m[1]
			n += plainWeight(text[at:begin])
			if strings.HasPrefix(text[begin:], "http") {
				n += link
			} else {
				n += max(link, plainWeight(text[begin:end]))
			}
			at = end
		}
	}
	return n + plainWeight(text[at:])
}

// words gives what stands between the white space of a text (\s of RE2, which no address holds), with its place.
func words(text string) iter.Seq2[int, string] {
	return func(yield func(at int, word string) bool) {
		for at := 0; at < len(text); {
			end := len(text)
			if n := strings.IndexAny(text[at:], "\t\n\f\r "); n >= 0 {
				end = at + n
			}
			if !yield(at, text[at:end]) {
				return
			}
			at = end + 1
		}
	}
}

func plainWeight(text string) int {
	n := 0
	for at, end := 0, 0; at < len(text); at = end {
		end = at + clean.Grapheme(text[at:])
		switch g := text[at:end]; {
		case len(g) == 1:
			n++
		case emoji(g):
			n += 2
		default:
			for _, r := range g {
				n += runeWeight(r)
			}
		}
	}
	return n
}

// emoji reports whether a grapheme is one that X counts as 2: a pictograph, a flag, a keycap. A sequence of more than
// seven characters is none that X knows.
func emoji(g string) bool {
	r, size := utf8.DecodeRuneInString(g)
	pictograph := r >= 0x1F000 && r <= 0x1FAFF || r >= 0x2600 && r <= 0x27BF || r >= 0x1F1E6 && r <= 0x1F1FF
	keycap := strings.ContainsRune(g[size:], '\u20E3')
	shown := strings.ContainsRune(g[size:], '\uFE0F') // asked to be shown as a picture
	return (pictograph || keycap || shown) && utf8.RuneCountInString(g) <= 11
}

func runeWeight(r rune) int {
	switch {
	case r <= 4351, 8192 <= r && r <= 8205, 8208 <= r && r <= 8223, 8242 <= r && r <= 8247:
		return 1
	}
	return 2
}
