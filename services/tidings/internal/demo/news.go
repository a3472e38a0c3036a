package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

const (
	// newsEvery is how often the origin tells something new.
	newsEvery = 30 * time.Second
	// newsShown is how many of the newest articles stand in a document.
	newsShown = 8
	newsName  = "news-"
)

// What becomes of an article when the next one comes, in turn.
const (
	stays = iota
	edited
	repeated // by a second source
	deleted
	fates
)

// news is what the origin tells as time goes by. It is a function of the time alone, so a demo that is started again goes on
// where it would be.
type news struct {
	started time.Time
	every   time.Duration // 0 for none
}

// count is how many articles came until now.
func (n news) count(now time.Time) int {
	if n.every <= 0 {
		return 0
	}
	return max(0, int(now.Sub(n.started)/n.every))
}

// fate is what became of an article when there are so many.
func fate(k, count int) int {
	if k >= count {
		return stays
	}
	return k % fates
}

// of lists what a source shows, the newest first, and the names of what it has deleted.
func (n news) of(source string, count int) (list []Article, gone []Article) {
	for k := count; k >= 1 && k > count-newsShown; k-- {
		a := n.article(k, count)
		switch f := fate(k, count); {
		case source == a.Source && f == deleted:
			gone = append(gone, a)
		case source == a.Source, source == "kaleidoskop" && f == repeated:
			list = append(list, a)
		}
	}
	return list, gone
}

// article is the one of a number, as it stands when there are so many.
func (n news) article(k, count int) Article {
	r := rand.New(rand.NewPCG(uint64(k), uint64(newsShown)))
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	fill := func(text string) string {
		return strings.NewReplacer("{place}", pick(places), "{who}", pick(people), "{thing}", pick(things), "{n}", fmt.Sprint(2+r.IntN(97))).Replace(text)
	}
	a := Article{Name: fmt.Sprint(newsName, k), Source: "notebook", Language: "en", Author: pick(writers), at: n.started.Add(time.Duration(k) * n.every)}
	title := fill(pick(titles))
	a.Title = strings.ToUpper(title[:1]) + title[1:]
	order := r.Perm(len(sentences))
	for from := 0; from < 9; from += 3 {
		var text []string
		for _, i := range order[from : from+3] {
			text = append(text, fill(sentences[i]))
		}
		a.Body += "<p>" + strings.Join(text, " ") + "</p>\n"
	}
	if fate(k, count) == edited {
		// In front, where also the source shows it that gives no more than how an article begins.
		a.Body = "<p>Correction: an earlier version of this article named the wrong day. " + strings.TrimPrefix(a.Body, "<p>")
		a.edited = a.at.Add(n.every)
	}
	return a
}

// What articles are made of. Every text is ours.
var (
	places  = []string{"Porthcarn", "Saltmarsh Lane", "the old ropewalk", "Lower Quay", "the north mole", "Gannet Street", "the lifeboat house", "Mussel Row", "the tram depot", "Kettle Hill", "the fish market", "Pilot Yard", "the dry dock", "St Brannock"}
	people  = []string{"the harbour master", "a retired signalman", "two apprentices", "the night baker", "the school's physics club", "a crane driver", "the librarian", "a ferry captain", "the beekeepers", "the chess circle", "an oyster farmer", "the town clerk"}
	things  = []string{"a brass barometer", "the weather buoy", "a box of tide tables", "the market bell", "a hand-painted sign", "the lamp of the pier", "a bread oven", "the tool library", "a diving helmet", "the ticket machine", "a mended sail", "the rain gauge", "an oak bench", "the puppet stage"}
	writers = []string{"Owen Prichard", "Mara Holt", "Ines Calder", "Tom Askew"}
	titles  = []string{
		"Why {who} kept {thing} for {n} years", "{n} volunteers repair {thing} at {place}", "How {place} got {thing} back", "{who} and the quarrel about {thing}", "A second life for {thing} near {place}",
		"What {who} found below {place}", "{place} votes on {thing}", "The morning when {thing} fell silent at {place}", "{n} letters to {who}", "No more waiting at {place}, says {who}",
	}
	sentences = []string{
		"It began when {who} noticed that {thing} had been left outside {place} in the rain.", "Nobody at {place} remembers who paid the {n} pounds that the work cost.",
		"For {n} weeks {who} opened the doors before sunrise and swept the floor.", "The council had planned to sell {thing}, and changed its mind after one meeting.",
		"A notebook with {n} pages of measurements turned up in a drawer.", "Children from {place} drew maps of every leak that they could hear.",
		"Since then {thing} has been lent out {n} times and always came back.", "One visitor offered to buy {thing} and was sent away with a cup of tea.",
		"The engineers shook their heads, then asked whether they might help.", "At low water you can still see the posts on which {place} once stood.",
		"Spare parts are made in a shed behind {place}, from whatever the tide brings.", "The oldest member, who is {n}, still climbs the ladder on Thursdays.",
		"According to {who} the secret is patience and a great deal of tallow.", "A grant covered the timber; the varnish was swapped for {n} loaves.",
		"Twice the storm took the roof, and twice the neighbours carried it home.", "Schools as far away as {place} have copied the plan and improved it.",
		"Every evening somebody writes the temperature of the water on a slate.", "The insurance company sent an inspector, who stayed for the concert.",
		"Some call it stubborn; {who} calls it an honest use of a winter.", "From spring on, {thing} is to stand where everybody passes on the way to the ferry.",
		"There was a leak in the ledger too: {n} names had been counted double.", "Fog delayed the opening, so the speeches were read out twice.",
		"Only the gulls complained, and they have complained since the pier was built.", "The next step is a roof garden above {place}, with herbs for the canteen.",
	}
)
