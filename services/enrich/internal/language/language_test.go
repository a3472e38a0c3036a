package language

import (
	"crypto/sha256"
	_ "embed" // for what the table was made of
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tidings.internal/services/enrich/internal/words"
)

// Headlines written for this test, none of whose sentences stand in the word lists.
var headlines = map[string][]string{
	"de": {"Bürgermeisterin eröffnet neues Hallenbad am Stadtrand", "Warum Chefs öfter zuhören sollten", "Zwölf Tipps für den Umgang mit schwierigen Kunden",
		"Deutsche Bahn streicht Hunderte Verbindungen", "Künstliche Intelligenz im Mittelstand", "Neues Heizungsgesetz: Was Eigentümer jetzt beachten", "Feuer in Lagerhalle",
		"Ein Jahr nach der Flut", "Wie Vertrauen im Team entsteht", "Börse schließt im Plus", "Unternehmenskultur entsteht im Alltag"},
	"en": {"Mayor opens new swimming pool on the outskirts", "Why managers should listen more often", "Twelve ways to deal with difficult customers",
		"Rail operator cancels hundreds of services", "Artificial intelligence in small firms", "House prices fall for a third month", "Fire at warehouse",
		"One year after the flood", "How trust grows within teams", "Shares close higher", "Culture is built every day"},
	"fr": {"La maire inaugure une nouvelle piscine", "Pourquoi les managers devraient écouter davantage", "Douze conseils face aux clients difficiles",
		"La SNCF supprime des centaines de trains", "L'intelligence artificielle dans les PME", "Les prix de l'immobilier reculent encore", "Incendie dans un entrepôt",
		"Un an après les inondations", "Comment naît la confiance au sein d'une équipe"},
	"es": {"La alcaldesa inaugura una nueva piscina", "Por qué los jefes deberían escuchar más", "Doce consejos para tratar con clientes difíciles",
		"Renfe cancela cientos de trenes", "La inteligencia artificial en las pymes", "El precio de la vivienda vuelve a caer", "Incendio en un almacén",
		"Un año después de las inundaciones", "Cómo nace la confianza en un equipo"},
	"pl": {"Burmistrz otwiera nowy basen na obrzeżach miasta", "Dlaczego szefowie powinni częściej słuchać", "Dwanaście sposobów na trudnych klientów",
		"Kolej odwołuje setki połączeń", "Sztuczna inteligencja w małych firmach", "Ceny mieszkań znów spadają", "Pożar hali magazynowej", "Rok po powodzi",
		"Jak rodzi się zaufanie w zespole"},
	"it": {"La sindaca inaugura una nuova piscina", "Perché i capi dovrebbero ascoltare di più", "I prezzi delle case tornano a scendere", "Incendio in un magazzino"},
	"nl": {"Burgemeester opent nieuw zwembad aan de rand van de stad", "Waarom managers vaker moeten luisteren", "Huizenprijzen dalen opnieuw", "Brand in loods"},
	"pt": {"Prefeita inaugura nova piscina na periferia", "Por que os chefes deveriam ouvir mais", "Preços das casas voltam a cair", "Incêndio em armazém"},
	"sv": {"Kommunalrådet inviger ny simhall i utkanten av staden", "Varför chefer borde lyssna oftare", "Bostadspriserna faller igen"},
	"da": {"Borgmesteren åbner ny svømmehal i udkanten af byen", "Hvorfor chefer burde lytte oftere", "Boligpriserne falder igen"},
	"no": {"Ordføreren åpner ny svømmehall i utkanten av byen", "Hvorfor sjefer burde lytte oftere", "Boligprisene faller igjen"},
	"fi": {"Pormestari avaa uuden uimahallin kaupungin laidalla", "Miksi johtajien pitäisi kuunnella useammin", "Asuntojen hinnat laskevat taas"},
	"cs": {"Starosta otevírá nový bazén na okraji města", "Proč by šéfové měli více naslouchat", "Ceny bytů opět klesají"},
	"sk": {"Primátor otvára novú plaváreň na okraji mesta", "Prečo by mali šéfovia viac počúvať", "Ceny bytov opäť klesajú"},
	"hu": {"A polgármester új uszodát nyit a város szélén", "Miért kellene a főnököknek többet figyelniük", "Ismét csökkennek a lakásárak"},
	"ro": {"Primarul deschide o nouă piscină la marginea orașului", "De ce ar trebui șefii să asculte mai des", "Prețurile locuințelor scad din nou"},
	"tr": {"Belediye başkanı yeni yüzme havuzunu açtı", "Yöneticiler neden daha çok dinlemeli", "Konut fiyatları yeniden düşüyor"},
	"ru": {"Мэр открывает новый бассейн на окраине города"}, "uk": {"Міський голова відкриває новий басейн"}, "el": {"Ο δήμαρχος εγκαινιάζει νέο κολυμβητήριο"},
	"ar": {"رئيس البلدية يفتتح مسبحا جديدا"}, "he": {"ראש העיר פותח בריכה חדשה"}, "ja": {"市長が新しいプールを開設"}, "zh": {"市长为新游泳池揭幕"}, "ko": {"시장이 새 수영장을 열다"},
}

func TestHeadlines(t *testing.T) {
	t.Parallel()
	d := New()
	wrong, all := 0, 0
	for lang, list := range headlines {
		for _, h := range list {
			all++
			if got := d.Detect(h); got.Code != lang {
				wrong++
				t.Logf("%q is %s (%.2f), want %s", h, got.Code, got.Confidence, lang)
				if lang == "de" || lang == "en" || lang == "fr" || lang == "es" || lang == "pl" {
					t.Errorf("a headline in one of the first five languages is taken for another")
				}
			}
		}
	}
	if wrong*20 > all {
		t.Errorf("%d of %d headlines are wrong", wrong, all)
	}
}

func TestDeclaredLanguageIsAPriorOnly(t *testing.T) {
	t.Parallel()
	d := New()
	if got := d.Detect("Nobody knows why managers should listen to their teams every single day", "de"); got.Code != "en" {
		t.Errorf("an English sentence declared German is %s", got.Code)
	}
	if got := d.Detect("Update 2.0", "pl"); got.Code != "pl" {
		t.Errorf("a text that says nothing, declared Polish, is %s (%.2f)", got.Code, got.Confidence)
	}
	if got := d.Detect("2024 — 17:30", "", "de-AT"); got.Code != "de" || got.Confidence != 0.5 {
		t.Errorf("a text without words is %+v", got)
	}
	if got := d.Detect(""); got.Code != "und" {
		t.Errorf("an empty text is %+v", got)
	}
}

func BenchmarkDetect(b *testing.B) {
	d := New()
	for b.Loop() {
		d.Detect(headlines["de"][5])
	}
}

func BenchmarkDetectABody(b *testing.B) {
	d := New()
	body := strings.Repeat(strings.Join(headlines["de"], ". ")+".\n", 10)
	for b.Loop() {
		d.Detect(body)
	}
}

//go:embed letters.txt
var madeOf string

func TestTheTableIsThatOfItsInput(t *testing.T) {
	t.Parallel()
	input, hash, _ := strings.Cut(strings.TrimSpace(madeOf), "\n")
	if got := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(letterTable))); got != hash {
		t.Errorf("letters.bin has %s, and letters.txt says %s: go generate makes both", got, hash)
	}
	if len(letterTable) > 8<<20 {
		t.Errorf("the table has %d bytes", len(letterTable))
	}
	if got, want := New().langs, slices.Collect(words.Languages()); !slices.Equal(got, want) {
		t.Errorf("languages %v, want %v", got, want)
	}
	f := strings.Fields(input)
	if len(f) != 3 {
		t.Fatalf("letters.txt names no module with version and sum: %q", input)
	}
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(cache)), "cache", "download", f[0], "@v", f[1]+".ziphash"))
	switch {
	case os.IsNotExist(err):
		t.Logf("%s is not in the module cache: its sum was not compared", f[0])
	case err != nil:
		t.Error(err)
	case strings.TrimSpace(string(sum)) != f[2]:
		t.Errorf("the module cache has %s of %s, and the table was made of %s", sum, f[0], f[2])
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		if data, err := os.ReadFile(filepath.Join("..", "..", name)); err != nil || strings.Contains(string(data), f[0]) {
			t.Errorf("%s needs the module of the table (%v): its files are read, never linked", name, err)
		}
	}
}
