package phrases

import (
	"testing"

	"tidings.internal/services/enrich/internal/prose"
	"tidings.internal/services/enrich/internal/words"
)

func TestEnglishNounsAreToldByTheWordsBeforeThem(t *testing.T) {
	t.Parallel()
	text := "Choose a cleaner with care. You can choose the plan that fits, and we offer each client a plan. " +
		"Choose early. The cleaner of your neighbour knows the price, and Yeti says its price is final. They offer help, to start the plan."
	list := words.Cut(text, "en")
	used := usages(list, func(int) prose.Kind { return prose.Paragraph })
	stem := words.NewStemmer("en")
	for word, want := range map[string]bool{"cleaner": true, "plan": true, "price": true, "Yeti": true, "choose": false, "offer": false, "start": false, "nowhere": false} {
		if got := used[stem.Stem(words.Fold(word))].isNoun(); got != want {
			t.Errorf("%s is a noun: %t", word, got)
		}
	}
}
