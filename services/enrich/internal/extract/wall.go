package extract

import (
	"regexp"

	"golang.org/x/net/html"

	"tidings.internal/services/enrich/internal/dom"
	"tidings.internal/services/enrich/internal/words"
)

// consents are what a page says that wants consent before it shows an article, in several languages: one of each line.
var consents = []*regexp.Regexp{
	regexp.MustCompile(`(?i)cookie`),
	regexp.MustCompile(`(?i)\bpartner`),
	regexp.MustCompile(`(?i)einwillig|zustimm|\bconsen[ts]|consentimiento|toestemming|zgod[ayę]`),
	regexp.MustCompile(`(?i)akzeptier|\baccept|\baceptar|\baccett|akceptuj`),
	regexp.MustCompile(`(?i)ablehnen|reject|refuser|rechazar|rifiuta|weiger|odrzu`),
	regexp.MustCompile(`(?i)personenbezogen|personal data|données (?:personnelles|à caractère)|datos personales|dati personali|persoonsgegevens|danych osobowych`),
	regexp.MustCompile(`(?i)datenschutz|privatsphäre|privacy|confidentialité|vie privée|privacidad|prywatno`),
	regexp.MustCompile(`(?i)widerruf|withdraw|retirer|revoc|intrekken|wycofa`),
	regexp.MustCompile(`(?i)(?:auf|von) (?:ihrem|einem|ihren) gerät|on (?:your|a) device|sur votre (?:appareil|terminal)|dispositivo|apparaat|urządzeni`),
	regexp.MustCompile(`(?i)personalisier|personali[sz]ed|personnalisé|personalizad|personalizzat|gepersonaliseerd|spersonalizowan`),
}

const (
	// wallSays is how many of them a wall says at least, and maxWall the length in bytes of the longest. An article about
	// consent is longer, or has its title's words.
	wallSays = 4
	maxWall  = 3000
	// titled is the share of the title's longer words that a text has at least which belongs to it.
	titled = 0.5
	// longer is the length in bytes of a word of a title that says something.
	longer = 4
)

// wall reports whether a body is what stands before an article and wants consent.
func wall(root *html.Node, title string) bool {
	if dom.Length(root) > maxWall {
		return false
	}
	text := dom.Text(root)
	said := 0
	for _, c := range consents {
		if c.MatchString(text) {
			said++
		}
	}
	if said < wallSays {
		return false
	}
	have := map[string]bool{}
	for _, w := range words.Tokens(text) {
		have[w] = true
	}
	all, found := 0, 0
	for _, w := range words.Tokens(title) {
		if len(w) >= longer {
			all++
			if have[w] {
				found++
			}
		}
	}
	return float64(found) < titled*float64(all)
}
