package story

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// The table finds what a plain search finds, whatever was filed and taken out before.
func TestTheTableOfBandsFindsWhatIsFiled(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var table bandTable
	filed := map[*doc]bool{}
	var list []*doc
	for step := range 6000 {
		if len(list) > 0 && (r.IntN(3) == 0 || step > 5000) {
			i := r.IntN(len(list))
			table.remove(list[i])
			delete(filed, list[i])
			list = slices.Delete(list, i, i+1)
			continue
		}
		d := &doc{sketch: &brief{n: 1}}
		for i := range d.sketch.hash {
			d.sketch.hash[i] = uint16(r.IntN(8)) // so few that many meet
		}
		table.add(d)
		filed[d] = true
		list = append(list, d)
		if step%50 != 0 {
			continue
		}
		for i := range bands {
			want, got := map[*doc]bool{}, map[*doc]bool{}
			for o := range filed {
				if o.sketch.band(i) == d.sketch.band(i) {
					want[o] = true
				}
			}
			for o := range table.in(i, d.sketch) {
				if got[o] {
					t.Fatal("an article is met twice in one band")
				}
				got[o] = true
			}
			if !maps.Equal(want, got) {
				t.Fatalf("step %d, band %d: %d articles meet, want %d", step, i, len(got), len(want))
			}
		}
	}
	for _, d := range list {
		table.remove(d)
	}
	if table.used != 0 || len(table.free) != len(table.docs) {
		t.Errorf("%d articles are left, %d of %d numbers are free", table.used, len(table.free), len(table.docs))
	}
}

// A template that many articles share must not make each of them as expensive as all.
func TestABandTakesSoManyArticlesAndNoMore(t *testing.T) {
	t.Parallel()
	var table bandTable
	var list []*doc
	for range maxBand + 50 {
		d := &doc{sketch: &brief{}}
		table.add(d)
		list = append(list, d)
	}
	if n := table.count(0, list[0].sketch); n != maxBand {
		t.Errorf("%d articles meet", n)
	}
	for _, d := range list {
		table.remove(d)
	}
	if n := table.count(0, list[0].sketch); n != 0 {
		t.Errorf("%d articles meet after all were taken out", n)
	}
}

// What a start reads and drops again leaves the same table as articles that come one by one.
func TestATableThatIsFiledAtOnceFindsTheSame(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	loaded, grown := bandTable{loading: true}, bandTable{}
	var kept []*doc
	for range 3000 {
		d := &doc{sketch: &brief{n: 1}}
		for i := range d.sketch.hash {
			d.sketch.hash[i] = uint16(r.IntN(8))
		}
		loaded.add(d)
		if r.IntN(3) == 0 {
			loaded.remove(d)
			continue
		}
		kept = append(kept, d)
	}
	if n := loaded.count(0, kept[0].sketch); n != 0 {
		t.Errorf("%d articles are found before they are filed", n)
	}
	loaded.file()
	for _, d := range kept {
		at := d.number
		grown.add(d)
		if d.number != at {
			d.number = at
			t.Fatal("the numbers differ, so the two tables cannot be compared")
		}
	}
	for _, d := range kept {
		for i := range bands {
			got, want := slices.Collect(loaded.in(i, d.sketch)), slices.Collect(grown.in(i, d.sketch))
			if !slices.Equal(got, want) {
				t.Fatalf("band %d: %d articles meet, %d where they came one by one", i, len(got), len(want))
			}
		}
	}
}
