package dates

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	// clock is the time behind a date, on the clock of the place: only "Uhr" or the name of a zone makes it one.
	clock = regexp.MustCompile(`(?i)^[\s,|–-]*(?:um\s+)?(\d{1,2})[:.](\d{2})(?::\d{2})?\s*(uhr)?(?:\s*\(?(mesz|mez|cest|cet|utc|gmt)\b)?`)
	ago   = regexp.MustCompile(`(?i)(?:^|\P{L})(?:vor\s+(\d{1,3}|einem|einer)\s+(minuten?|stunden?|tag(?:en)?)|(\d{1,3}|an?|one)\s+(minutes?|hours?|days?)\s+ago)(?:$|\P{L})`)
	// today needs a time behind it: "heute" alone may be the name of a programme or of the weather.
	today = regexp.MustCompile(`(?i)(?:^|\P{L})(heute|gestern|today|yesterday)(?:\s*,|\s+um|\s+at)?\s+\d{1,2}[:.]\d{2}(?:$|\D)`)
)

// relative returns the date that a text names by its distance from now, and the part of the text that it is. Without a now
// there is none.
func relative(text string, now time.Time) (date time.Time, span string, ok bool) {
	if now.Year() > lastYear {
		return time.Time{}, "", false
	}
	if m := ago.FindStringSubmatchIndex(text); m != nil {
		first := max(m[2], m[6])
		last := max(m[5], m[9])
		fields := strings.Fields(strings.ToLower(text[first:last]))
		n, err := strconv.Atoi(fields[0])
		if err != nil {
			n = 1
		}
		span := text[first:last]
		switch fields[1][0] {
		case 'm':
			return now.Add(-time.Duration(n) * time.Minute).Truncate(time.Minute), span, true
		case 's', 'h':
			return now.Add(-time.Duration(n) * time.Hour).Truncate(time.Minute), span, true
		}
		return day(now.In(berlin(now)).AddDate(0, 0, -n)), span, true
	}
	if m := today.FindStringSubmatchIndex(text); m != nil {
		span := text[m[2]:m[3]]
		d := day(now.In(berlin(now)))
		if low := strings.ToLower(span); low == "gestern" || low == "yesterday" {
			d = d.AddDate(0, 0, -1)
		}
		return d, span, true
	}
	return time.Time{}, "", false
}

// lastYear is the last one that can be now: who knows no time of an article says a year far ahead.
const lastYear = 9000

// At adds the time that stands behind a date in a text, as "14. September 2020, 14:05 Uhr" has it. Without one it is the date.
func At(date time.Time, span, text string) time.Time {
	_, behind, ok := strings.Cut(text, span)
	m := clock.FindStringSubmatch(behind)
	if !ok || m == nil || m[3] == "" && m[4] == "" || !date.Equal(day(date)) {
		return date
	}
	hour, _ := strconv.Atoi(m[1])
	minute, _ := strconv.Atoi(m[2])
	if hour > 23 || minute > 59 {
		return date
	}
	local := date.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	switch strings.ToLower(m[4]) {
	case "utc", "gmt":
		return local
	case "mez", "cet":
		return local.Add(-time.Hour)
	case "mesz", "cest":
		return local.Add(-2 * time.Hour)
	}
	_, ahead := local.Add(-time.Hour).In(berlin(local.Add(-time.Hour))).Zone()
	return local.Add(-time.Duration(ahead) * time.Second)
}

func day(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

// berlin is the zone of Berlin at an instant, by the rule of the European Union since 1996 (Directive 2000/84/EC): an hour
// more from the last Sunday of March, 01:00 UTC, to that of October. So no table of zones is needed, which machines have in
// different states.
func berlin(at time.Time) *time.Location {
	lastSunday := func(m time.Month) time.Time {
		last := time.Date(at.UTC().Year(), m, 31, 1, 0, 0, 0, time.UTC)
		return last.AddDate(0, 0, -int(last.Weekday()))
	}
	if !at.Before(lastSunday(time.March)) && at.Before(lastSunday(time.October)) {
		return time.FixedZone("MESZ", 2*3600)
	}
	return time.FixedZone("MEZ", 3600)
}

// ofChange ends the words before a date that is not the day on which something came out.
var ofChange = regexp.MustCompile(`(?i)(?:^|\P{L})(?:(?:stand|rechtsstand|redaktionsstand)(?:\s+der\s+\p{L}+)?|aktualisier(?:t|ung)|geändert|änderung|updated|modified|revised|` +
	`mis\s+à\s+jour|mise\s+à\s+jour|actualizado|actualización|aggiornato|aggiornamento|bijgewerkt|zaktualizowano|aktualizacja|atualizado)` +
	`(?:[\s:(,–-]+(?:vom|am|on|le|el|il|op|em|dnia))?[\s:(,–-]*(?:\p{L}{3,10},\s*)?$`)

// OfChange reports whether the words before a date say that it is the day of a change, or of the state of what stands there,
// and not that of publication.
func OfChange(before string) bool { return ofChange.MatchString(before) }
