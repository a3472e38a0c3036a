package dates

import (
	"testing"
	"time"
)

func TestDatesThatFeedsWrite(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		// RFC 822, 1123, 2822 and slips
		"Mon, 02 Jan 2006 15:04:05 GMT":            "2006-01-02T15:04:05Z",
		"Mon, 2 Jan 2006 15:04:05 +0100":           "2006-01-02T14:04:05Z",
		"Mon,02 Jan 2006 15:04:05 EST":             "2006-01-02T20:04:05Z",
		"Mon, 02 Jan 06 15:04 PDT":                 "2006-01-02T22:04:00Z",
		"02 Jan 2006 15:04:05 Z":                   "2006-01-02T15:04:05Z",
		"2 January 2006 15:04 UT":                  "2006-01-02T15:04:00Z",
		"Monday, 02-Jan-06 15:04:05 GMT":           "2006-01-02T15:04:05Z",
		"Monday, 02 January 2006 15:04:05 CEST":    "2006-01-02T13:04:05Z",
		"Mon, 02 Jan 2006 15:04:05 MET":            "2006-01-02T14:04:05Z",
		"Mon, 02 Jan 2006 15:04:05 MEST":           "2006-01-02T13:04:05Z",
		"Mon, 02 Jan 2006 15:04:05 +0100 (CET)":    "2006-01-02T14:04:05Z",
		"Mon, 02 Jan 2006 15:04:05 GMT+0200":       "2006-01-02T13:04:05Z",
		"Mon, 02 Jan 2006 15:04:05 GMT +0200":      "2006-01-02T13:04:05Z",
		"Mon, 02 Jan 2006 15:04:05 UTC+2":          "2006-01-02T13:04:05Z",
		"Mon, 02 Jan 2006 15:04:05 +01:00":         "2006-01-02T14:04:05Z",
		"Mon, 02 Jan 2006 15:04:05 -1130":          "2006-01-03T02:34:05Z",
		"Mon, 02 Jan 2006 15:04:05":                "2006-01-02T15:04:05Z",
		"Mon, 02 Jan 2006":                         "2006-01-02T00:00:00Z",
		"Sun, 02 Jan 2006 15:04:05 GMT":            "2006-01-02T15:04:05Z", // it was a Monday
		"Thurs, 05 Jan 2006 15:04:05 GMT":          "2006-01-05T15:04:05Z",
		"Mon, 02 Jan 2006 24:00:00 GMT":            "2006-01-03T00:00:00Z",
		"Sat, 31 Dec 2016 23:59:60 GMT":            "2017-01-01T00:00:00Z",
		"Mon, 02 Jan 2006 3:04 PM EST":             "2006-01-02T20:04:00Z",
		"Mon, 02 Jan 2006 12:04 AM GMT":            "2006-01-02T00:04:00Z",
		"Mon, 02 Jan 2006 3:04:05pm GMT":           "2006-01-02T15:04:05Z",
		" Mon,  02\n Jan\t2006 15:04:05\u00a0GMT ": "2006-01-02T15:04:05Z",
		"Mon Jan 2 15:04:05 2006":                  "2006-01-02T15:04:05Z",
		"Mon Jan 02 15:04:05 GMT 2006":             "2006-01-02T15:04:05Z",
		"Mon Jan 02 15:04:05 +0100 2006":           "2006-01-02T14:04:05Z",
		"January 2, 2006":                          "2006-01-02T00:00:00Z",
		"January 2nd, 2006 15:04":                  "2006-01-02T15:04:00Z",
		"Jan 2, 2006 3:04 PM":                      "2006-01-02T15:04:00Z",
		"1st of March 2006":                        "2006-03-01T00:00:00Z",
		"Jan. 2, 2006":                             "2006-01-02T00:00:00Z",
		"02-Jan-2006":                              "2006-01-02T00:00:00Z",
		"02Jan2006 15:04 GMT":                      "2006-01-02T15:04:00Z",
		"Fri, 3 Sept 2021 08:00:00 NZST":           "2021-09-02T20:00:00Z",
		"Fri, 3 Sep 2021 08:00:00 AEDT":            "2021-09-02T21:00:00Z",
		"Fri, 3 Sep 2021 08:00:00 KST":             "2021-09-02T23:00:00Z",
		"Fri, 3 Sep 2021 08:00:00 MSK":             "2021-09-03T05:00:00Z",
		"Fri, 3 Sep 121 08:00:00 GMT":              "2021-09-03T08:00:00Z", // years since 1900

		// RFC 3339, W3C, ISO 8601
		"2006-01-02T15:04:05Z":           "2006-01-02T15:04:05Z",
		"2006-01-02t15:04:05z":           "2006-01-02T15:04:05Z",
		"2006-01-02T15:04:05.123456789Z": "2006-01-02T15:04:05.123456789Z",
		"2006-01-02T15:04:05.5+01:00":    "2006-01-02T14:04:05.5Z",
		"2006-01-02T15:04:05+0100":       "2006-01-02T14:04:05Z",
		"2006-01-02T15:04:05+01":         "2006-01-02T14:04:05Z",
		"2006-01-02T15:04-08:00":         "2006-01-02T23:04:00Z",
		"2006-01-02T15:04:05":            "2006-01-02T15:04:05Z",
		"2006-01-02 15:04:05":            "2006-01-02T15:04:05Z",
		"2006-01-02 15:04:05 +0100":      "2006-01-02T14:04:05Z",
		"2006-01-02 15:04:05 UTC":        "2006-01-02T15:04:05Z",
		"2006-01-02 15:04:05.0":          "2006-01-02T15:04:05Z",
		"2006-01-02 15:04":               "2006-01-02T15:04:00Z",
		"2006-01-02T15:04:05 CET":        "2006-01-02T14:04:05Z",
		"2006-01-02":                     "2006-01-02T00:00:00Z",
		"2006-1-2":                       "2006-01-02T00:00:00Z",
		"2006/01/02":                     "2006-01-02T00:00:00Z",
		"2006/01/02 15:04:05":            "2006-01-02T15:04:05Z",
		"2006-01":                        "2006-01-01T00:00:00Z",
		"20060102":                       "2006-01-02T00:00:00Z",
		"20060102150405":                 "2006-01-02T15:04:05Z",
		"20060102T15:04:05Z":             "2006-01-02T15:04:05Z",

		// German
		"02.01.2006":                              "2006-01-02T00:00:00Z",
		"2.1.2006 15:04":                          "2006-01-02T15:04:00Z",
		"02.01.2006 15:04:05 MEZ":                 "2006-01-02T14:04:05Z",
		"02.01.2006, 15:04 Uhr":                   "2006-01-02T15:04:00Z",
		"02.01.06 15:04":                          "2006-01-02T15:04:00Z",
		"Mo, 2. Januar 2006 15:04:05 MESZ":        "2006-01-02T13:04:05Z",
		"Montag, den 2. Januar 2006 um 15:04 Uhr": "2006-01-02T15:04:00Z",
		"2. März 2006":                            "2006-03-02T00:00:00Z",
		"Di, 5. Dez 2006 15:04:05 +0100":          "2006-12-05T14:04:05Z",
		"Mi, 4 Okt 2006 15:04:05 GMT":             "2006-10-04T15:04:05Z",
		"5. Mai 2006":                             "2006-05-05T00:00:00Z",
		"So, 12. Jänner 2020":                     "2020-01-12T00:00:00Z",

		// three numbers that decide themselves
		"13/02/2006":          "2006-02-13T00:00:00Z",
		"02/13/2006":          "2006-02-13T00:00:00Z",
		"02/13/2006 15:04:05": "2006-02-13T15:04:05Z",
		"13-02-2006":          "2006-02-13T00:00:00Z",
		"05/05/2006":          "2006-05-05T00:00:00Z",
	} {
		got, ok := Parse(text, Unknown)
		if !ok {
			t.Errorf("%q is not read, want %s", text, want)
			continue
		}
		if s := got.Format(time.RFC3339Nano); s != want {
			t.Errorf("%q is read as %s, want %s", text, s, want)
		}
	}
}

func TestWhatIsNotCertainIsNotRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "now", "gestern", "0", "-", ":", "T", "2006", "15:04", "Monday",
		"03/04/2020", "3-4-20",
		"Mon, 02 Jan 2006 15:04:05 IST", "Mon, 02 Jan 2006 15:04:05 XYZ", "2006-01-02T15:04:05 Europe/Berlin",
		"Mon, 32 Jan 2006 15:04:05 GMT", "Mon, 31 Feb 2006 15:04:05 GMT", "2006-13-01", "2006-00-10",
		"Mon, 02 Jan 2006 25:04:05 GMT", "Mon, 02 Jan 2006 15:64:05 GMT", "Mon, 02 Jan 2006 15:04:05 +9900",
		"Mon, 02 Jan 2006 15:04:05 GMT and more", "Mon, 02 Feb Jan 2006", "1136214245",
		"2006-01-02T15:04:05Z 2006-01-02T15:04:05Z",
		"Mon, 02 Jan 2006 15:04:05 GMT                                                                                          .",
	} {
		if got, ok := Parse(text, Unknown); ok {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestAnotherDateOfTheDocumentDecidesTheOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		texts []string
		want  Order
	}{
		{[]string{"03/04/2020", "Mon, 02 Jan 2006"}, Unknown},
		{[]string{"03/04/2020", "23/04/2020 10:00"}, DayFirst},
		{[]string{"03/04/2020", "04/23/2020"}, MonthFirst},
		{[]string{"04/23/2020", "23/04/2020"}, Unknown},
	} {
		if got := OrderOf(c.texts); got != c.want {
			t.Errorf("%v: %v, want %v", c.texts, got, c.want)
		}
	}
	day, _ := Parse("03/04/2020", DayFirst)
	month, _ := Parse("03/04/2020", MonthFirst)
	if day.Month() != time.April || month.Month() != time.March {
		t.Errorf("day first %v, month first %v", day, month)
	}
}

func TestPlausible(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for date, want := range map[time.Time]bool{
		now: true, now.Add(23 * time.Hour): true, now.Add(25 * time.Hour): false,
		time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC): false, time.Date(1995, 1, 1, 0, 0, 0, 0, time.UTC): true,
	} {
		if Plausible(date, now) != want {
			t.Errorf("%v: %v", date, !want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"Mon, 02 Jan 2006 15:04:05 GMT", "2006-01-02T15:04:05.5+01:00", "2. März 2006", "03/04/2020", "02Jan2006", "2006-01-02T24:00:00Z", "2006-06-30T23:59:60Z", "0099-01-02T15:04:05+23:59"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := Parse(text, Unknown)
		if !ok {
			return
		}
		if got.Location() != time.UTC {
			t.Fatalf("%q is not in UTC", text)
		}
		if y := got.Year(); y < -1 || y > 10000 {
			t.Fatalf("%q is read as %v", text, got)
		}
		if slow, ok := read(text, Unknown); ok && !slow.Equal(got) {
			t.Fatalf("%q is %v at once and %v word by word", text, got, slow)
		}
	})
}
