package letter

import (
	"strconv"
	"time"
)

// words are what we say ourselves, in one language.
type words struct {
	Language string

	ConfirmSubject, ConfirmHello, ConfirmDo, ConfirmButton, ConfirmIgnore string
	// ConfirmDays stands before the number of days, ConfirmDaysAfter behind it.
	ConfirmDays, ConfirmDaysAfter string

	More, MoreAfter     string
	Why                 string
	Change, Unsubscribe string
	months              [12]string
	dayDot              string
}

func wordsOf(language string) words {
	if language == "de" {
		return german()
	}
	return english()
}

func english() words {
	return words{
		Language:         "en",
		ConfirmSubject:   "Please confirm:",
		ConfirmHello:     "Somebody, we hope you, asked that this newsletter be sent to this address.",
		ConfirmDo:        "If it was you, open this page and press the button there:",
		ConfirmButton:    "Confirm the subscription",
		ConfirmDays:      "The link can be used for",
		ConfirmDaysAfter: "days.",
		ConfirmIgnore:    "If it was not you, do nothing. Nothing more will be sent then.",
		More:             "and", MoreAfter: "more",
		Why:         "You get this mail because you subscribed to it with this address.",
		Change:      "Change what you get",
		Unsubscribe: "Unsubscribe",
		months: [12]string{
			"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
		},
	}
}

func german() words {
	return words{
		Language:         "de",
		ConfirmSubject:   "Bitte bestätigen:",
		ConfirmHello:     "Jemand, hoffentlich Sie selbst, hat diesen Newsletter für diese Adresse bestellt.",
		ConfirmDo:        "Wenn Sie es waren, öffnen Sie diese Seite und drücken Sie dort den Knopf:",
		ConfirmButton:    "Bestellung bestätigen",
		ConfirmDays:      "Der Link gilt",
		ConfirmDaysAfter: "Tage.",
		ConfirmIgnore:    "Wenn Sie es nicht waren, tun Sie nichts. Dann kommt auch nichts weiter.",
		More:             "und", MoreAfter: "weitere",
		Why:         "Sie bekommen diese E-Mail, weil Sie sie mit dieser Adresse bestellt haben.",
		Change:      "Einstellungen ändern",
		Unsubscribe: "Abbestellen",
		months: [12]string{
			"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember",
		},
		dayDot: ".",
	}
}

// date writes a day as in "29 November 2026" or "29. November 2026".
func (w words) date(t time.Time) string {
	return strconv.Itoa(t.Day()) + w.dayDot + " " + w.months[t.Month()-1] + " " + strconv.Itoa(t.Year())
}
