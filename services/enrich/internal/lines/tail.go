package lines

import (
	"regexp"
	"strings"
)

// What the lines at the end of an article say. These are read for every line of its last third, by [phrases] and not by
// regular expressions, which took as long as the language and the names of an article together.
var (
	promos = read(`whitepaper|e-book|sonderausgabe|sonderheft|begleitheft|begleitband|begleitmagazin|leseprobe
		jetzt (bestellen|herunterladen|downloaden|lesen|kaufen|entdecken)|lesen sie (auch|mehr|hier|weiter)|mehr (dazu|zum thema|lesen)|weiterlesen
		erschienen (im|in|bei)|(dieser|der) (beitrag|artikel|text) (ist|erschien|stammt|basiert)|das (buch|heft|magazin) zum|passend (dazu|zum thema)
		read (more|also|next)|download (the|our)|first (appeared|published)|originally published|lire aussi|en savoir plus|leer más|lea también
		czytaj (też|więcej)`)
	calls = read(`newsletter|abonnieren sie|jetzt (anmelden|abonnieren|eintragen|registrieren)|melden sie sich|folgen sie uns|subscribe|sign up
		follow us|join (our|us)|stay (tuned|up to date)|abonnez-vous|inscrivez-vous|suscr(íbete|íbase|íbanse|ibirse)|zapisz się|teilen sie|share this
		bleiben sie (auf dem laufenden|informiert)`)
	bioOpens = read(`über (den|die) (gast|)autor|zum autor|zur autorin|zur person|der autor|die autorin|the author|about the author|à propos de l
		l'auteur|sobre el autor|o autorze|autoreninfo|autorenprofil`)
	labels = read(`(zum |zur |)(autoren|)profil|profil ansehen|linkedin|xing|twitter|mastodon|website|webseite|mehr von
		alle (beiträge|artikel) von|profile|view profile|all posts by|kontakt`)
	contacts = read(`pressekontakt|medienkontakt|(presse|medien)ansprechpartner|kontakt für (die presse|journalisten|medien|rückfragen)
		(press|media) (contact|contacts|enquiries|inquiries)|(contact|contacts) (presse|médias)|contacto de prensa|contatti stampa|kontakt dla mediów`)
	bioVerbs = read(`ist|war|arbeitet|leitet|berät|gründete|lehrt|studierte|schreibt|lebt|begleitet|forscht|führt|moderiert|verantwortet
		is|was|works|writes|lives|leads|teaches|founded|advises|est|travaille|dirige|es|trabaja|jest|pracuje`)
)

var (
	bioRoles = regexp.MustCompile(`(?i)(?:autor|berater|gründer|geschäftsführ|vorstand|professor|dozent|trainer|coach|expert|redakteur|journalist|speaker|redner|inhaber|founder|consultant|author|editor|director|partner|ceo|manager|chef)`)
	credits  = regexp.MustCompile(`(?i)^\s*(?:\(?(?:foto|fotos|bild|bilder|bildquelle|bildnachweis|titelbild|photo|image|crédit|quelle|source)\s*:|©|\(c\)|copyright\b)`)
)

// maxCredit is how many bytes of a line are asked whether it begins as a credit does.
const maxCredit = 200

func credit(s string) bool { return credits.MatchString(s[:min(len(s), maxCredit)]) }

const (
	// maxEnding is the length in words of the longest biography.
	maxEnding      = 150
	maxEndingBytes = 4 << 10
)

// ending returns what a line is that may stand at the end of an article, "" for anything else.
func (r *Result) ending(l *Line) Class {
	switch {
	case l.Class == Divider:
		return Divider
	case l.words > maxEnding || len(l.Text) > maxEndingBytes:
		return ""
	}
	switch low := strings.ToLower(strings.TrimSpace(l.Text)); {
	case bioOpens.open(low), r.bio(l, low):
		return Bio
	case l.words <= 60 && calls.stand(low):
		return Call
	case l.words <= 60 && promos.stand(low):
		return Promo
	case l.words <= 6 && r.author(l.Text, true):
		return Name
	case l.words <= 6 && (labels.begin(low) || contacts.begin(low)):
		return Profile
	case credit(l.Text) && l.words <= 25:
		return Credit
	}
	return ""
}

// bio reports whether a line tells about a person rather than the subject: it begins with a name, of an author where
// one is known, and goes on with what he is. low is the line in lower case.
func (r *Result) bio(l *Line, low string) bool {
	if l.words < 5 {
		return false
	}
	fields := strings.Fields(l.Text)
	opening := strings.Join(fields[:min(6, len(fields))], " ")
	if !r.author(opening, false) {
		return false
	}
	return bioVerbs.stand(low) && bioRoles.MatchString(l.Text)
}

// author reports whether a text holds the name of an author. Without a known author, with whole set, a text that is a
// name and nothing else does not count: it may be anybody's.
func (r *Result) author(text string, whole bool) bool {
	low := strings.ToLower(text)
	for _, a := range r.Authors {
		name := strings.ToLower(a.Name)
		surname := name[strings.LastIndexByte(name, ' ')+1:]
		if strings.Contains(low, name) || !whole && strings.Contains(low, surname) {
			return true
		}
	}
	return false
}

// tail finds where the article ends. Lines behind the first divider, promotion, biography or call in its last third go,
// unless a whole paragraph follows that is none of these.
func (r *Result) tail() {
	from := r.zone()
	class := make([]Class, len(r.Lines))
	alive := -1
	for i := from; i < len(r.Lines); i++ {
		if l := &r.Lines[i]; class[i] == "" {
			class[i] = r.ending(l)
		}
		r.firm(i, class)
	}
	for i := from; i < len(r.Lines); i++ {
		l := &r.Lines[i]
		if l.words >= minRest && (l.Fixed || class[i] == "") {
			alive = i
		}
	}
	for i := max(from, alive+1); i < len(r.Lines); i++ {
		l := &r.Lines[i]
		if class[i] == "" || l.Fixed || !l.Class.Body() && l.Class != Divider {
			continue
		}
		for j := i; j < len(r.Lines); j++ {
			if r.Lines[j].Class = class[j]; class[j] == "" {
				r.Lines[j].Class = Tail
			}
		}
		return
	}
}

// maxTail is how many lines an end has at most: a list of comments or of other articles is longer, but no line of it
// says so.
const maxTail = 120

// zone is the first line that may begin the end.
func (r *Result) zone() int {
	total := 0
	for i := range r.Lines {
		total += r.Lines[i].words
	}
	before, from := 0, 0
	for from < len(r.Lines) && float64(before) < tailShare*float64(total) {
		before += r.Lines[from].words
		from++
	}
	return max(from, len(r.Lines)-maxTail)
}

// minRest is the length in words of a paragraph that shows that the article goes on.
const minRest = 40
