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
