package story

import (
	"encoding/base64"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
)

func terms12(names ...string) []Term {
	var list []Term
	for i, n := range names {
		list = append(list, Term{n, 0.9 - float64(i)/50})
	}
	return list
}

var flood = []string{"Hochwasser", "Musterfluss", "Eva Muster", "Deich", "Feuerwehr", "Beispielstadt", "Pegel", "Sandsäcke"}

func TestARoundUpIsAVersionOfItsReport(t *testing.T) {
	t.Parallel()
	s := memory(t)
	report := prose(1, 150)
	place(t, s, Document{Article: "report", Title: "Hochwasser", Text: text(report), Terms: terms12(flood...), FirstSeen: 5})
	roundUp := slices.Concat(prose(31, 150), report, prose(32, 150), prose(33, 150), prose(34, 150))
	got := place(t, s, Document{Article: "roundup", Title: "Der Tag", Text: text(roundUp), Terms: terms12("Der Tag"), FirstSeen: 9})
	if got.Relation != article.RelationVersion || got.ID != "report" || got.Other != "report" {
		t.Errorf("a round-up is %+v", got)
	}
}

func TestReportsOnOneEventShareAGroupAndNoStory(t *testing.T) {
	t.Parallel()
	bucket := NewMemory()
	s := replica(t, bucket)
	place(t, s, Document{Article: "a", Title: "A", Text: text(prose(1, 200)), Terms: terms12(flood...), FirstSeen: 5})
	for _, c := range []struct {
		name  string
		d     Document
		story article.Story
	}{
		{"another report on the event", Document{Article: "b", Title: "B", Text: text(prose(2, 200)), Terms: terms12(append([]string{"HOCHWASSER", "Katastrophenfall"}, flood[1:7]...)...), FirstSeen: 9},
			article.Story{ID: "b", Relation: article.RelationRelated, Other: "a", Group: "a"}},
		{"one on what they both tell", Document{Article: "c", Title: "C", Text: text(prose(3, 200)), Terms: terms12("Katastrophenfall", flood[1], flood[2], flood[3], flood[4], flood[5]), FirstSeen: 11},
			article.Story{ID: "c", Relation: article.RelationRelated, Other: "b", Group: "a"}},
		{"a copy of the second", Document{Article: "d", Title: "D", Text: text(changed(prose(2, 200), 40)), Terms: terms12("Anderes"), FirstSeen: 12},
			article.Story{ID: "b", Relation: article.RelationDuplicate, Other: "b", Group: "a"}},
		{"one with two words in common", Document{Article: "e", Title: "E", Text: text(prose(4, 200)), Terms: terms12(flood[0], flood[1]), FirstSeen: 13},
			article.Story{ID: "e", Relation: article.RelationNew}},
		{"one on something else", Document{Article: "f", Title: "F", Text: text(prose(5, 200)), Terms: terms12("Haushalt", "Rat", "Steuer", flood[5], flood[2], flood[0], "Schulden", "Abgabe", "Gebühr", "Kämmerer"), FirstSeen: 14},
			article.Story{ID: "f", Relation: article.RelationNew}},
	} {
		got := place(t, s, c.d)
		got.FirstSeen = time.Time{}
		if diff := cmp.Diff(c.story, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	// It stays so, in a replica that starts now, and under a revision about something else.
	fresh := replica(t, bucket)
	if got := place(t, fresh, Document{Article: "b", Revision: 2, Text: text(prose(9, 200)), Terms: terms12("Ganz", "anderes", "Thema")}); got.Relation != article.RelationRelated || got.Group != "a" {
		t.Errorf("a later revision of b is %+v", got)
	}
}

func TestAnEventLastsTwoDays(t *testing.T) {
	t.Parallel()
	x := newIndex()
	x.leveled() // a start looks less often
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	show := func(seq uint64, id string, when time.Time) {
		value := fmt.Appendf(nil, `{"aliases":["x%s"],"seen":1,"terms":%s}`, id, jsonBytes(newTerms(terms12(flood...)).bytes()))
		x.apply(bus.Entry{Key: claimKey(id, 1), Value: value, Revision: seq, Created: when})
	}
	show(1, "a", begin)
	show(2, "b", begin.Add(47*time.Hour))
	if got := x.related(x.docs["b"]); len(got) != 1 || got[0].id != "a" || got[0].alike < 0.99 {
		t.Errorf("after 47 hours: %+v", got)
	}
	show(3, "c", begin.Add(49*time.Hour))
	if got := x.related(x.docs["c"]); len(got) != 1 || got[0].id != "b" {
		t.Errorf("after 49 hours: %+v", got)
	}
	show(4, "d", begin.Add(200*time.Hour))
	if len(x.terms) != len(flood) || x.docs["a"].terms != nil {
		t.Errorf("terms of old articles are held: %v", x.terms)
	}
	for i := range 3 * maxBand {
		show(uint64(5+i), fmt.Sprint("n", i), begin.Add(201*time.Hour))
	}
	for h, list := range x.terms {
		if len(list) != maxBand || list[maxBand-1].id != fmt.Sprint("n", 3*maxBand-1) {
			t.Fatalf("%d articles share the term %x", len(list), h)
		}
	}
}

func jsonBytes(b []byte) string { return fmt.Sprintf("%q", base64.StdEncoding.EncodeToString(b)) }

func TestTermsAreKeptAsBytes(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 30 {
		many = append(many, fmt.Sprint("Wort", i))
	}
	for _, list := range [][]Term{nil, terms12(flood...), terms12(many...), {{"a", 7}, {"A ", 0.1}, {" ", 1}, {"b", -1}}} {
		set := newTerms(list)
		again := readTerms(set.bytes())
		if len(again) != len(set) || len(set) > maxTerms {
			t.Errorf("%d terms became %d", len(set), len(again))
		}
		for i, one := range set {
			if d := again[i].weight - min(max(one.weight, 0), 1); d > 0.002 || d < -0.002 || again[i].hash != one.hash {
				t.Errorf("the term %v became %v", one, again[i])
			}
		}
	}
	for _, bad := range [][]byte{{1}, make([]byte, 4), make([]byte, 5*maxTerms+5)} {
		if readTerms(bad) != nil {
			t.Errorf("%d bytes are read as terms", len(bad))
		}
	}
}
