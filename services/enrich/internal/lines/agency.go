package lines

import (
	"strings"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/byline"
)

// agencies are the codes by which news agencies sign.
var agencies = func() map[string]bool {
	set := map[string]bool{}
	for code := range strings.FieldsSeq("dpa dpa-afx afp ap reuters rtr apa sda keystone-sda epd kna sid ansa efe tass xinhua upi lusa belga anp pap ritzau ntb stt dts") {
		set[code] = true
	}
	return set
}()

// maxSigned is the length in words of the longest line that an agency signs with.
const maxSigned = 8

// signed reads a line that holds nothing but codes of agencies, and names beside them: "(dpa/Eva Muster)", "/sda/afp".
func signed(l *Line) (names []string, ok bool) {
	text := strings.TrimSpace(l.Text)
	if l.words == 0 || l.words > maxSigned {
		return nil, false
	}
	inside := strings.Trim(text, "()[]/–-. ")
	marked := inside != text
	for part := range strings.FieldsFuncSeq(inside, func(r rune) bool { return r == '/' || r == ',' || r == '|' || r == ';' }) {
		part = strings.TrimSpace(part)
		switch {
		case agencies[strings.ToLower(part)] && (marked || part == strings.ToLower(part)):
			ok = true
		case byline.IsName(part):
			names = append(names, part)
		case marked && len(part) <= 4 && part == strings.ToLower(part): // a bureau of the agency
		default:
			return nil, false
		}
	}
	return names, ok
}

// agency drops the lines in which agencies sign. Whoever stands there beside them wrote the article, if nobody else did.
func (r *Result) agency() {
	for i := 1; i < len(r.Lines); i++ {
		l := &r.Lines[i]
		if l.Class != Paragraph || l.Fixed || l.Marked {
			continue
		}
		names, ok := signed(l)
		if !ok {
			continue
		}
		l.Class = Credit
		r.Masked = append(r.Masked, names...)
		if len(r.Authors) == 0 {
			for _, name := range names {
				r.Authors = append(r.Authors, article.Person{Name: name})
			}
		}
	}
}
