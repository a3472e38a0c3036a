package entities

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/tags"
)

// nominative takes the ending of a genitive off a name: "Hessens", "Germany's".
func nominative(name string) string {
	for _, end := range []string{"'s", "’s", "s"} {
		if base, ok := strings.CutSuffix(name, end); ok {
			return base
		}
	}
	return name
}

// genitives adds the places of a name in the genitive to those of the name, where that stands in the article as well. Alone
// it stays as it is: "Lukas" is no genitive.
func (f *finder) genitives() {
	for _, id := range slices.Sorted(maps.Keys(f.found)) {
		t := f.found[id]
		name := t.Label[f.lang]
		base := f.found[tags.Slug(nominative(name))]
		if nominative(name) == name || base == nil || base == t {
			continue
		}
		base.Score += t.Score
		base.Evidence = append(base.Evidence, t.Evidence...)
		slices.SortStableFunc(base.Evidence, func(a, b article.Evidence) int {
			return cmp.Or(-cmp.Compare(a.Field, b.Field), cmp.Compare(a.Start, b.Start)) // the title first
		})
		base.Evidence = base.Evidence[:min(len(base.Evidence), maxPlaces)]
		delete(f.found, id)
	}
}

// surnames gives the persons that were found with a first name or an office, by their surnames. One that two persons have is
// nobody's, and so is one that is a place or any other word.
func (f *finder) surnames() map[string]string {
	people, shared := map[string]string{}, map[string]bool{}
	for _, t := range f.found {
		rule := t.Evidence[0].Rule
		parts := strings.Fields(t.Label[f.lang])
		if rule != "first_name" && rule != "office" || len(parts) < 2 {
			continue
		}
		surname := parts[len(parts)-1]
		shared[surname] = shared[surname] || people[surname] != ""
		people[surname] = t.Label[f.lang]
	}
	maps.DeleteFunc(people, func(surname, _ string) bool {
		return shared[surname] || f.known.places[surname] || f.known.orgs[surname] || f.known.first[surname] || f.known.heads[surname]
	})
	for surname := range people {
		delete(f.found, tags.Slug(surname)) // found alone by other patterns: its places are read again
	}
	return people
}

// articles are the words before which a surname is none: "der Rhein" is a river.
var articles = map[string]bool{"der": true, "die": true, "das": true, "den": true, "dem": true, "des": true, "ein": true, "eine": true, "einen": true,
	"einem": true, "einer": true, "am": true, "im": true, "zum": true, "zur": true, "vom": true, "the": true, "a": true, "an": true}

// surname adds the places where a surname stands alone to those of the whole name. A word that stands in small letters as
// well is none: "Cook" may be somebody, or begin a recipe.
func (f *finder) surname(at field, people map[string]string) {
	if len(people) == 0 {
		return
	}
	small := map[string]bool{}
	for i := range at.list {
		if !at.list[i].Upper() {
			small[at.list[i].Fold] = true
		}
	}
	for i := range at.list {
		w := &at.list[i]
		name := cmp.Or(people[w.Text], people[nominative(w.Text)])
		if name == "" || w.Masked || w.Glued || i+1 < len(at.list) && at.list[i+1].Glued || small[w.Fold] || f.noun(w) {
			continue
		}
		if before := i - 1; before >= 0 && !w.Break && !w.First && (articles[at.list[before].Fold] || f.known.particles[at.list[before].Text] ||
			at.list[before].Upper() && !at.list[before].Stop && !f.known.offices[at.list[before].Text]) {
			continue // the end of a whole name, or none
		}
		if i+1 < len(at.list) && !at.list[i+1].Break && f.known.forms[at.list[i+1].Text] {
			continue // a company is called so
		}
		f.note(at, i, i+1, "surname", name)
	}
}
