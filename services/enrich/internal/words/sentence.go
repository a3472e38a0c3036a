package words

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Span is a part of a text, [Start, End) in bytes.
type Span struct{ Start, End int }

// Sentences returns the sentences of a text, without the white space between them. A line end closes a sentence.
func Sentences(text, lang string) []Span {
	stops := newStops(lang)
	var spans []Span
	start := 0
	add := func(end int) {
		part := text[start:end]
		lead := len(part) - len(strings.TrimLeftFunc(part, unicode.IsSpace))
		if part = strings.TrimSpace(part); part != "" {
			spans = append(spans, Span{start + lead, start + lead + len(part)})
		}
		start = end
	}
	for pos, r := range text {
		if pos < start {
			continue // a closing mark: a run of them would be read anew at each
		}
		if r == '\n' {
			add(pos)
		}
		if stops.end(text, pos, r) {
			end := pos + utf8.RuneLen(r)
			for end < len(text) { // closing marks belong to the sentence
				next, size := utf8.DecodeRuneInString(text[end:])
				if !closesQuote(next) && next != ')' && next != ']' && !strings.ContainsRune(".!?…", next) {
					break
				}
				end += size
			}
			if end > start {
				add(end)
			}
		}
	}
	add(len(text))
	return spans
}

// fullStops tells where the sentences of a language end.
type fullStops struct {
	lang  string
	short map[string]bool // abbreviations
	// capital is what was last found behind a stop. It holds for all places from from to upto, between which stands no letter
	// and no digit: a long run of stops would else be read anew at each.
	capital    bool
	from, upto int
}

func newStops(lang string) fullStops {
	lang = Base(lang)
	return fullStops{lang: lang, short: abbreviations(lang), upto: -1}
}

// end reports whether a sentence ends with the rune r at pos. It is to be asked of one text alone.
func (f *fullStops) end(text string, pos int, r rune) bool {
	switch r {
	case '!', '?', '。', '！', '？', '।', '؟':
		return true
	case '…':
		return f.followedByCapital(text, pos+len("…"))
	case '.':
		return f.stopEnds(text, pos)
	}
	return false
}

// maxShort is how many bytes before a full stop are looked at. All that it does not end a sentence behind is much shorter.
const maxShort = 64

// stopEnds reports whether the full stop at pos ends a sentence. It does not after an abbreviation, an initial, in a
// number, nor in German after an ordinal number.
func (f *fullStops) stopEnds(text string, pos int) bool {
	rest := text[pos+1:]
	if rest == "" {
		return true
	}
	next, _ := utf8.DecodeRuneInString(rest)
	if !unicode.IsSpace(next) && !closesQuote(next) && next != ')' && next != ']' {
		return false
	}
	word := text[max(0, pos-maxShort):pos]
	if i := strings.LastIndexFunc(word, func(r rune) bool { return unicode.IsSpace(r) || r == '(' || opensQuote(r) }); i >= 0 {
		_, size := utf8.DecodeRuneInString(word[i:])
		word = word[i+size:]
	}
	if word == "" {
		return false
	}
	if f.short[strings.ToLower(word)] {
		return false
	}
	if utf8.RuneCountInString(word) == 1 {
		r, _ := utf8.DecodeRuneInString(word)
		if unicode.IsUpper(r) || unicode.IsLower(r) && f.lang == "de" {
			return false // an initial, or "z. B."
		}
	}
	if f.lang != "en" && len(word) <= 2 && strings.Trim(word, "0123456789") == "" {
		return false // "14. September"
	}
	return f.followedByCapital(text, pos+1)
}

// followedByCapital reports whether the next letter from pos on is no small one.
func (f *fullStops) followedByCapital(text string, pos int) bool {
	if f.from <= pos && pos <= f.upto {
		return f.capital
	}
	f.from, f.upto, f.capital = pos, len(text), true
	for i, r := range text[pos:] {
		if letter := unicode.IsLetter(r); letter || unicode.IsDigit(r) {
			f.upto, f.capital = pos+i, !letter || !unicode.IsLower(r)
			break
		}
	}
	return f.capital
}

// abbreviations are those of a language, and of English where it has no list.
func abbreviations(lang string) map[string]bool {
	all := shortForms()
	if set, ok := all[lang]; ok {
		return set
	}
	return all["en"]
}

// The sets are constant and made once: most calls are about a text of a few words.
var shortForms = sync.OnceValue(func() map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for lang, list := range abbreviated {
		set := map[string]bool{}
		for w := range strings.FieldsSeq(list) {
			set[w] = true
		}
		all[lang] = set
	}
	return all
})

var abbreviated = map[string]string{
	"en": "dr prof mr mrs ms st vs inc ltd co corp no vol fig jr sr gen sen rep gov e.g i.e etc a.m p.m u.s u.k approx",
	"de": "dr prof st nr ca bzw art abs mio mrd usw evtl ggf inkl exkl vgl str tel hrsg jh sog u.a z.b d.h o.ä u.ä i.d.r s.o s.u v.a etc jan feb apr aug sept okt nov dez mo di mi do fr sa so dipl ing med phil jur hl rd zzgl max min geb gest verh abt bsp mind std",
	"fr": "m mm mme mmes mlle dr pr st ste p.ex etc env av bd n° art cf",
	"es": "sr sra srta dr dra d dña ud uds etc p.ej núm pág art av ee.uu",
	"it": "sig sig.ra dott dr prof ing avv on ecc art pag n es",
	"nl": "dhr mevr dr prof drs ing mr bijv o.a d.w.z enz nr blz ca jl",
	"pl": "dr prof mgr inż np tzn tj itd itp m.in ul nr pkt ok godz tys mln mld ks św r w",
	"pt": "sr sra dr dra prof av etc p.ex pág núm n.º art",
}

// EndsSentence reports whether a line ends as a sentence does, or is cut within one. A question may be a heading.
func EndsSentence(s string) bool {
	s = strings.TrimRightFunc(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`"“”»«)'`, r) })
	return strings.HasSuffix(s, ".") || strings.HasSuffix(s, "…") || strings.HasSuffix(s, ";") || strings.HasSuffix(s, ",")
}
