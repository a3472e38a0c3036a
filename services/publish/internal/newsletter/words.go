package newsletter

import (
	"golang.org/x/text/language"

	"tidings.internal/services/publish/internal/compose/list"
)

// words are what the pages say in one language. A text with a verb of package fmt in it is completed by the code that uses
// it.
type words struct {
	Code string // of the language
	Name string // as its speakers call it
	Home string

	Address, AddressHint            string
	Problems                        string // stands above what is wrong
	Often, Immediate, Daily, Weekly string
	When, Weekday, Hour, Zone       string
	ZoneHint                        string
	Weekdays                        [7]string // from Monday
	Tags, Sources, ChoiceHint       string
	Consent                         string // %s: the title

	Subscribe, SubscribeHint, SubscribedTitle, Subscribed string
	Preferences                                           string // %s: the title
	PreferencesFor                                        string // %s: the masked address
	Save, SavedTitle, Saved                               string
	ConfirmTitle, Confirm, ConfirmButton                  string
	ConfirmedTitle, Confirmed                             string
	LeaveTitle, Leave, LeaveButton, LeftTitle, Left       string

	WrongAddress, WrongPeriod, WrongWeekday, WrongHour, WrongZone, WrongChoice string

	NotFoundTitle, UnknownList, UnknownToken                  string
	FormTitle, WrongForm, Doubled, WrongType, TooLarge        string
	MethodTitle, WrongMethod, OneClick, ForeignTitle, Foreign string
	BusyTitle                                                 string
	Busy                                                      string // %d: minutes
	AwayTitle, Away, PreferencesAway                          string
}

// catalogue holds the words of each language.
func catalogue() map[string]*words {
	return map[string]*words{list.English: english(), list.German: german()}
}

// languages are those of the catalogue, as a matcher knows them; English first, so that it goes before the other where
// a browser likes both alike.
func languages() ([]string, language.Matcher) {
	return []string{list.English, list.German}, language.NewMatcher([]language.Tag{language.English, language.German})
}

// speak chooses the language of a page: the one that was asked for by name, else the one of ours that the browser likes
// best, else the one of the list.
func (p *Pages) speak(asked, accept, fallback string) *words {
	if w := p.words[asked]; w != nil {
		return w
	}
	codes, matcher := languages()
	if wanted, _, err := language.ParseAcceptLanguage(accept); err == nil && len(wanted) > 0 {
		if _, i, sure := matcher.Match(wanted...); sure > language.No {
			return p.words[codes[i]]
		}
	}
	if w := p.words[fallback]; w != nil {
		return w
	}
	return p.words[list.English]
}
