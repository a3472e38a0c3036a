package parse

import (
	"regexp"
	"slices"
	"strings"

	"tidings.internal/pkg/article"
)

const mail = `[^\s@<>()"]+@[^\s@<>()"]+`

var (
	mailThenName  = regexp.MustCompile(`^(?:mailto:)?(` + mail + `)\s*\((.+)\)$`)
	nameThenMail  = regexp.MustCompile(`^(.+?)\s*\((?:mailto:)?(` + mail + `)\)$`)
	nameAngleMail = regexp.MustCompile(`^"?(.+?)"?\s*<(?:mailto:)?(` + mail + `)>$`)
	onlyMail      = regexp.MustCompile(`^<?(?:mailto:)?(` + mail + `)>?$`)
)

// person reads a name and an address in the forms that RSS uses: mail (name), name (mail), name <mail>, or one of them.
func person(s, role string) (article.Person, bool) {
	s = oneLine(title(s))
	if s == "" || len(s) > 4*maxName {
		return article.Person{}, false
	}
	p := article.Person{Role: role}
	if m := mailThenName.FindStringSubmatch(s); m != nil {
		p.Email, p.Name = m[1], m[2]
	} else if m := nameThenMail.FindStringSubmatch(s); m != nil {
		p.Name, p.Email = m[1], m[2]
	} else if m := nameAngleMail.FindStringSubmatch(s); m != nil {
		p.Name, p.Email = m[1], m[2]
	} else if m := onlyMail.FindStringSubmatch(s); m != nil {
		p.Email = m[1]
	} else {
		p.Name = s
	}
	return p, true
}

// people collects persons and names each once.
type people []article.Person

func (l *people) add(p article.Person) {
	if p.Name == "" && p.Email == "" && p.URL == "" || len(*l) > article.MaxAuthors {
		return
	}
	i := slices.IndexFunc(*l, func(o article.Person) bool {
		return strings.EqualFold(o.Name, p.Name) && (o.Email == "" || p.Email == "" || strings.EqualFold(o.Email, p.Email))
	})
	if i < 0 || p.Name == "" {
		if !slices.Contains(*l, p) {
			*l = append(*l, p)
		}
		return
	}
	o := &(*l)[i]
	o.Email, o.URL, o.Avatar, o.Role = first(o.Email, p.Email), first(o.URL, p.URL), first(o.Avatar, p.Avatar), first(o.Role, p.Role)
}

func (l *people) read(role string, texts ...string) {
	for _, s := range texts[:min(len(texts), article.MaxAuthors+1)] {
		if p, ok := person(s, role); ok {
			l.add(p)
		}
	}
}

// first gives the first text that is not empty.
func first(texts ...string) string {
	for _, s := range texts {
		if s = strings.TrimSpace(s); s != "" {
			return s
		}
	}
	return ""
}
