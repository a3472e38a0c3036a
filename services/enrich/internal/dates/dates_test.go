package dates

import (
	"testing"
	"time"
)

func TestDatesOfBylines(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"14.09.20": "2020-09-14",
		"Von Eva Beispiel | Gastautorin 14.09.20": "2020-09-14",
		"Stand: 4. 9. 2020":                       "2020-09-04",
		"Montag, 14. September 2020, 14:05 Uhr":   "2020-09-14",
		"14. Sept. 2020":                          "2020-09-14",
		"3. Jänner 2021":                          "2021-01-03",
		"September 14, 2020":                      "2020-09-14",
		"14 septembre 2020":                       "2020-09-14",
		"14 de septiembre de 2020":                "2020-09-14",
		"2020-09-14T10:00":                        "2020-09-14",
		"2020.09.14":                              "2020-09-14",
		"9/14/2020":                               "2020-09-14",
		"14/9/2020":                               "2020-09-14",
		"3/4/2020":                                "",
		"01.01.99":                                "1999-01-01",
		"31.02.2020":                              "",
		"Version 1.2.3.4":                         "",
		"14. Mustermonat 2020":                    "",
		"":                                        "",
	} {
		got := ""
		if d, _, ok := Find(text, now); ok {
			got = d.Format(time.DateOnly)
		}
		if got != want {
			t.Errorf("Find(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestTimesAndDistances(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 30, 15, 0, time.UTC)
	for text, want := range map[string]string{
		"Montag, 14. September 2020, 14:05 Uhr": "2020-09-14T12:05:00Z",
		"14.09.20, 14.05 Uhr":                   "2020-09-14T12:05:00Z",
		"14.12.20 | 0.05 Uhr":                   "2020-12-13T23:05:00Z",
		"14.09.2020, 14:05 MEZ":                 "2020-09-14T13:05:00Z",
		"14.09.2020 um 14:05 Uhr MESZ":          "2020-09-14T12:05:00Z",
		"14.09.2020 14:05 UTC":                  "2020-09-14T14:05:00Z",
		"14.09.2020, 14:05":                     "2020-09-14T00:00:00Z",
		"14.09.2020, 34:05 Uhr":                 "2020-09-14T00:00:00Z",
		"29.03.2026, 01:30 Uhr":                 "2026-03-29T00:30:00Z",
		"29.03.2026, 03:30 Uhr":                 "2026-03-29T01:30:00Z",
		"3. Feber 2021":                         "2021-02-03T00:00:00Z",
		"vor 3 Stunden":                         "2026-05-01T09:30:00Z",
		"Von Eva Muster, vor einer Stunde":      "2026-05-01T11:30:00Z",
		"vor 5 Minuten":                         "2026-05-01T12:25:00Z",
		"vor 2 Tagen":                           "2026-04-29T00:00:00Z",
		"2 hours ago":                           "2026-05-01T10:30:00Z",
		"an hour ago":                           "2026-05-01T11:30:00Z",
		"heute, 08:15 Uhr":                      "2026-05-01T06:15:00Z",
		"gestern um 23.15 Uhr":                  "2026-04-30T21:15:00Z",
		"Das Wetter heute":                      "",
		"vor 3 Jahren":                          "",
		"bevor 3 Stunden um sind":               "",
	} {
		got := ""
		if d, span, ok := Find(text, now); ok {
			got = At(d, span, text).Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	if d, _, ok := Find("vor 3 Stunden", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)); ok {
		t.Errorf("without a time it is %v", d)
	}
	for before, want := range map[string]bool{
		"Stand: ": true, "(Stand ": true, "Stand der Informationen: ": true, "Eva Muster, aktualisiert am ": true, "Mis à jour le ": true, "Stand: Montag, ": true,
		"": false, "Am Messestand: ": false, "Veröffentlicht am ": false, "updated and signed by all on the ": false,
	} {
		if got := OfChange(before); got != want {
			t.Errorf("%q of a change: %t", before, got)
		}
	}
}

func TestImplausibleDatesAreNone(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		at   time.Time
		kept bool
	}{
		{now, true}, {now.Add(23 * time.Hour), true}, {now.Add(25 * time.Hour), false}, {time.Unix(0, 0), false},
	} {
		if got := Plausible(&c.at, now); (got != nil) != c.kept {
			t.Errorf("Plausible(%v) = %v", c.at, got)
		}
	}
	if Plausible(nil, now) != nil {
		t.Error("no date became one")
	}
}
