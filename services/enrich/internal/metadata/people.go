package metadata

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/byline"
	"tidings.internal/services/enrich/internal/dom"
)

// people are the authors that a page names: the persons of its linked data, then a person in its head, then whoever
// stands by the headline, then anything in its head that is not the publisher.
func (p *page) people(now time.Time) []article.Person {
	if len(p.authors) > 0 {
		return persons(p.authors)
	}
	stated := p.stated()
	if byline.IsName(stated) && (!p.publisher(stated) || p.ownSite(stated)) {
		return persons([]string{stated})
	}
	if found := p.signed(now); len(found) > 0 {
		return found
	}
	if found := p.described(); found != "" {
		return persons([]string{found})
	}
	if stated != "" && !p.publisher(stated) && !strings.ContainsAny(stated, "@{}[]") && !address(stated) {
		return persons([]string{stated})
	}
	if name := p.handles(); name != "" {
		return persons([]string{name})
	}
	return nil
}

// address reports whether a text without white space is the name of a host or a file rather than a user's.
func address(s string) bool {
	_, ending, dotted := cutLast(s, ".")
	return strings.ContainsAny(s, "/") || dotted && endings[strings.ToLower(ending)] && !strings.Contains(s, " ")
}

// endings are those of hosts and files that stand in the place of an author.
var endings = set("com net org info biz io co de at ch uk eu us fr html php")

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// stated is the author in the page's head, "" for an address.
func (p *page) stated() string {
	s := p.first("author", "article:author", "byl", "parsely-author", "sailthru.author", "dc.creator", "dcterms.creator", "citation_author")
	if s == "" || strings.Contains(s, "://") {
		// The pair of a label and a value that chat programs show under a link: "Written by", "Verfasst von".
		if label := p.first("twitter:label1"); label != "" && byline.Unopened(label+" x") == "x" {
			s = p.first("twitter:data1")
		}
	}
	s = line(byline.Unopened(s), 200)
	if strings.Contains(s, "://") {
		return ""
	}
	return s
}

// publisher reports whether a name is that of the site and not a person's.
func (p *page) publisher(name string) bool {
	key := letters(name)
	if key == "" || key == letters(p.first("og:site_name", "application-name")) || key == letters(p.house) {
		return true
	}
	return p.base != nil && slices.Contains(hostLabels(p.base.Hostname()), key)
}

// ownSite reports whether the publisher of that name is a person: nothing in the linked data says it is an organisation.
func (p *page) ownSite(name string) bool {
	return len(strings.Fields(name)) <= 3 && !slices.ContainsFunc(p.things, func(t map[string]any) bool {
		s, _ := t["name"].(string)
		return organisation(t["@type"]) && letters(s) == letters(name)
	})
}

// letters folds a name to what two spellings of it have in common.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// signed finds the authors in elements that say they hold them and in lines that begin as bylines do, by the headline
// first. Far from it only a name counts that is the only one: several are those of other articles.
func (p *page) signed(now time.Time) []article.Person {
	var far [][]article.Person
	for _, m := range p.scene.marks {
		if m.kind != authorMark {
			continue
		}
		found := p.marked(m.n, now)
		switch {
		case len(found) == 0:
		case p.scene.near(m.block):
			return found
		case len(far) == 0 || far[0][0].Name != found[0].Name:
			far = append(far, found)
		}
	}
	for _, i := range p.scene.window() {
		if l := byline.Read(p.scene.blocks[i], now); len(l.Authors) > 0 && (l.Opened || l.Date != nil) {
			return l.Authors
		}
	}
	if len(far) == 1 {
		return far[0]
	}
	return nil
}

// handles finds a name that is no full one, by the headline alone: in an element that says it holds an author, or in a
// line that begins as only bylines do.
func (p *page) handles() string {
	for _, m := range p.scene.marks {
		if m.kind == authorMark && p.scene.near(m.block) {
			if name := p.handle(m.n); name != "" {
				return name
			}
		}
	}
	for i := max(p.scene.head, 0); i < min(p.scene.head+linesOpened, len(p.scene.blocks)); i++ {
		if m := opened.FindStringSubmatch(p.scene.blocks[i]); m != nil && !p.publisher(m[1]) && !strings.EqualFold(m[1], "admin") {
			return m[1]
		}
	}
	return ""
}

// linesOpened is how many lines behind the headline a byline without a full name may stand.
const linesOpened = 8

// opened is a line that names somebody who writes under another name than a full one, "by ibby", "By The Daily Editors". A
// phrase, "By the numbers", goes on in lower case.
var opened = regexp.MustCompile(`^(?:[Ww]ritten |[Pp]osted |[Pp]ublished )?[Bb]y:? ([\p{L}\d._-]+|\p{Lu}[\p{L}’'.-]*(?: [\p{L}’'.-]+){1,3})$`)

// described finds the one person whose name stands in a line of its own and whose work is told in another, as below an
// article: "Eva Muster", "Eva Muster is the head of the archive".
func (p *page) described() string {
	alone := map[string]bool{}
	for _, b := range p.scene.blocks {
		if len(b) <= maxName && byline.IsName(b) && !p.publisher(b) {
			alone[b] = true
		}
	}
	found := ""
	for _, b := range p.scene.blocks {
		if len(alone) == 0 {
			return ""
		}
		m := describing.FindStringSubmatch(b)
		switch {
		case m == nil || !alone[m[1]] || !has(humps(beginning(m[2], maxWork)), works):
		case found == "" || found == m[1]:
			found = m[1]
		default:
			return ""
		}
	}
	return found
}

// beginning is the first words of a text.
func beginning(text string, words int) string {
	list := strings.Fields(text)
	return strings.Join(list[:min(len(list), words)], " ")
}

// maxName is the length in bytes of the longest name that is looked for, maxWork how many words tell somebody's work.
const (
	maxName = 60
	maxWork = 10
)

// describing parts a name from what is told of it.
var describing = regexp.MustCompile(`^(.{3,60}?) (?:is|ist|est|was|war) (?:(?:an?|the|our|one of|eine?|der|die|une?|la|le) )?(.*)`)

// works are what people who write are.
var works = set(`head president vice director manager writer author editor founder cofounder ceo cto cfo owner journalist reporter columnist correspondent
	consultant adviser advisor specialist professor lecturer teacher nutritionist dietitian physician doctor psychologist photographer engineer developer
	designer analyst scientist researcher blogger historian economist lawyer attorney strategist marketer leiter leiterin geschäftsführer
	geschäftsführerin redakteur redakteurin journalist journalistin autor autorin berater beraterin gründer gründerin professorin vorstand sprecher
	sprecherin fotograf fotografin ingenieur ingenieurin rédacteur rédactrice auteur autrice directeur directrice fondateur fondatrice`)

// parts are where in an element that says it holds an author the name may stand: what is called a name, a link, all of it.
func parts(n *html.Node) []*html.Node {
	return slices.DeleteFunc([]*html.Node{called(n), dom.First(n, atom.A), n}, func(n *html.Node) bool { return n == nil })
}

// marked reads the full names in an element that says it holds an author.
func (p *page) marked(n *html.Node, now time.Time) []article.Person {
	for _, part := range parts(n) {
		if l := byline.Read(short(part), now); len(l.Authors) > 0 && !p.publisher(l.Authors[0].Name) {
			return l.Authors
		}
	}
	return nil
}

// handle reads the name that somebody writes under, of an element that says it holds an author.
func (p *page) handle(n *html.Node) string {
	found := parts(n)
	for _, part := range found {
		name := strings.Trim(byline.Unopened(line(short(part), 200)), " :,|·•-–—")
		if (part != n || len(found) == 1) && p.isHandle(name) {
			return name
		}
	}
	return ""
}

// isHandle reports whether a text can be a name that is no first name with a surname. It must not be a label, a count or
// a date.
func (p *page) isHandle(name string) bool {
	n := utf8.RuneCountInString(name)
	if n < 2 || n > 40 || len(strings.Fields(name)) > 3 || strings.ContainsAny(name, ":/@0123456789?!…|") || p.publisher(name) {
		return false
	}
	return !has(humps(name), labels)
}

// labels are the words that stand in an author's element without being a name.
var labels = set(`by von par por author authors autor autoren autorin written about bio more posts articles view profile follow share read
	min minutes published posted updated date reviewed contributor editor staff team company founder ceo writer avatar photo image twitter linkedin
	facebook instagram website email home blog news the our der die das und and`)

// called returns the first element in n that says it is a name, among the first few: a byline is no larger.
func called(n *html.Node) *html.Node {
	few := 0
	for c := range dom.Elements(n) {
		if few++; few > maxElements {
			return nil
		}
		if has(names(c, "itemprop", "class"), nameWords) {
			return c
		}
	}
	return nil
}

// maxElements is how many elements of a byline are looked at.
const maxElements = 40

var nameWords = set("name fn authorname")

func persons(names []string) []article.Person {
	var out []article.Person
	for _, n := range names {
		out = append(out, article.Person{Name: n})
	}
	return out
}
