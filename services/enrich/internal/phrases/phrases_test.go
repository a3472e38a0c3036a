package phrases

import (
	"slices"
	"strings"
	"testing"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/decode"
	"tidings.internal/services/enrich/internal/extract"
	"tidings.internal/services/enrich/internal/language"
	"tidings.internal/services/enrich/internal/metadata"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/pipeline/pipelinetest"
	"tidings.internal/services/enrich/internal/sanitize"
)

var before = []pipeline.Step{decode.Step{}, metadata.Step{}, extract.Step{}, sanitize.New(), language.NewStep()}

func TestConform(t *testing.T) {
	t.Parallel()
	pipelinetest.Conform(t, Step{}, before...)
}

func phrases(t *testing.T, title, text string) []string {
	t.Helper()
	d := pipeline.NewDraft(&article.Raw{ID: "x", Title: title, Content: &article.Text{Value: text, Type: article.TextPlain}, Authors: []article.Person{{Name: "Eva Muster"}}}, nil)
	for _, s := range append(before[:len(before):len(before)], Step{}) {
		if err := s.Run(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	var out []string
	for _, p := range d.Article.Keyphrases {
		out = append(out, p.Text)
	}
	return out
}

func TestPhrasesAreWhatTheTextIsAbout(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		title, text   string
		wanted, never []string
	}{
		{"Der Nachtzug kehrt nach Europa zurück", "Der Nachtzug war lange verschwunden. Nun fahren neue Nachtzüge, sagt Eva Muster. Die Österreichischen Bundesbahnen kaufen neue Schlafwagen. Schlafwagen der Österreichischen Bundesbahnen sind gefragt, denn ein Schlafwagen kostet viel. Ende der Woche folgt die nächste Frage. Gestern freute sich Eva Muster. Gestern kamen alle.",
			[]string{"Nachtzug", "Österreichischen Bundesbahnen", "Schlafwagen"}, []string{"Eva Muster", "Muster", "Gestern", "Ende", "Woche", "Frage", "war lange"}},
		{"Night trains return", "Night trains are back. The night train from Vienna is full, and sleeping cars are scarce. Sleeping cars cost a fortune, says Eva Muster of the night train lobby.",
			[]string{"night train", "Sleeping cars"}, []string{"trains", "the night", "Eva Muster"}},
	} {
		got := phrases(t, c.title, c.text)
		for _, w := range c.wanted {
			if !slices.ContainsFunc(got, func(s string) bool { return equalFold(s, w) }) {
				t.Errorf("%q is missing from %q", w, got)
			}
		}
		for _, n := range c.never {
			if slices.ContainsFunc(got, func(s string) bool { return equalFold(s, n) }) {
				t.Errorf("%q stands in %q", n, got)
			}
		}
	}
}

// Where function words are not known, or nothing stands between words, no piece of a sentence is a phrase.
func TestNoPieceOfASentenceIsAPhrase(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		title, text string
		want        []string
	}{
		"Japanese": {"京都に新しい路面電車", "京都市は月曜日、新しい路面電車の路線を承認した。路面電車の路線は中央駅を結ぶ計画で、費用は約千億円と見込まれている。市長は路面電車に期待を示した。京都の路線は三つになる。",
			[]string{"京都", "京都市", "路面電車", "路線"}},
		"Chinese": {"北京批准有轨电车", "北京市政府周一批准了新的有轨电车线路，预计二零三一年建成。北京市政府周一批准了新的有轨电车线路，总投资约九百亿元。", nil},
		"Russian": {"Трамвай свяжет Москву и Химки", "Городской совет одобрил новый трамвай в понедельник. Новый трамвай поедет в пригород, и трамвай будет дорогим. Городской совет одобрил новый трамвай еще раз.",
			[]string{"трамвай"}},
		"Arabic": {"خط ترام جديد", "وافق مجلس المدينة يوم الاثنين على إنشاء خط ترام جديد. وافق مجلس المدينة يوم الاثنين على إنشاء محطة.", []string{"جديد", "ترام"}},
	} {
		d := pipeline.NewDraft(&article.Raw{ID: "x", Title: c.title, Content: &article.Text{Value: c.text, Type: article.TextPlain}}, nil)
		for _, s := range append(before[:len(before):len(before)], Step{}) {
			if err := s.Run(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		for _, tag := range d.Candidates {
			if s := tag.Name(d.Lang()); !slices.Contains(c.want, lower(s)) && !slices.Contains(c.want, strings.ToLower(s)) {
				t.Errorf("%s: the tag %q", name, s)
			}
		}
		if name != "Chinese" && len(d.Candidates) == 0 {
			t.Errorf("%s: no tag", name)
		}
		for _, p := range d.Article.Keyphrases {
			if strings.Contains(p.Text, " ") || len([]rune(p.Text)) > 14 {
				t.Errorf("%s: the phrase %q", name, p.Text)
			}
		}
	}
}

// equalFold compares but for case and the ending of a plural.
func equalFold(a, b string) bool {
	trim := func(s string) string {
		r := []rune(s)
		if n := len(r); n > 1 && r[n-1] == 's' {
			r = r[:n-1]
		}
		return string(r)
	}
	return len(a) > 0 && (a == b || lower(trim(a)) == lower(trim(b)))
}

func lower(s string) string {
	out := []rune(s)
	for i, r := range out {
		if r >= 'A' && r <= 'Z' {
			out[i] = r + 32
		}
	}
	return string(out)
}
