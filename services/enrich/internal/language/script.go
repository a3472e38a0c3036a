package language

import "unicode"

// script names the language of a text that is written, in its greater part, in letters which say so by themselves.
// It returns "" for Latin letters.
func script(text string) (string, float64) {
	count := map[string]int{}
	var ukrainian, bulgarian, persian, total int
	for _, r := range text {
		if !unicode.IsLetter(r) {
			continue
		}
		total++
		switch {
		case r < unicode.MaxASCII, unicode.Is(unicode.Latin, r): // most are, and none of them decides
		case unicode.Is(unicode.Cyrillic, r):
			count["ru"]++
			switch r {
			case 'і', 'ї', 'є', 'ґ', 'І', 'Ї', 'Є', 'Ґ':
				ukrainian++
			case 'ъ', 'Ъ':
				bulgarian++
			case 'ы', 'э', 'ё', 'Ы', 'Э', 'Ё':
				bulgarian -= 100
			}
		case unicode.Is(unicode.Greek, r):
			count["el"]++
		case unicode.Is(unicode.Arabic, r):
			count["ar"]++
			if r == 'پ' || r == 'چ' || r == 'گ' || r == 'ژ' || r == 'ی' || r == 'ک' {
				persian++
			}
		case unicode.Is(unicode.Hebrew, r):
			count["he"]++
		case unicode.Is(unicode.Thai, r):
			count["th"]++
		case unicode.Is(unicode.Hiragana, r), unicode.Is(unicode.Katakana, r):
			count["ja"]++
		case unicode.Is(unicode.Hangul, r):
			count["ko"]++
		case unicode.Is(unicode.Han, r):
			count["zh"]++
		case unicode.Is(unicode.Devanagari, r):
			count["hi"]++
		case unicode.Is(unicode.Georgian, r):
			count["ka"]++
		case unicode.Is(unicode.Armenian, r):
			count["hy"]++
		}
	}
	if count["ja"]*10 > count["zh"] && count["ja"] > 0 {
		// Japanese mixes its syllables with Chinese characters; Chinese has none of them.
		count["ja"] += count["zh"]
		count["zh"] = 0
	}
	for _, lang := range []string{"ru", "el", "ar", "he", "th", "ja", "ko", "zh", "hi", "ka", "hy"} {
		n := count[lang]
		if n*2 <= total {
			continue
		}
		share := float64(n) / float64(total)
		switch {
		case lang == "ru" && ukrainian*50 > n:
			lang = "uk"
		case lang == "ru" && bulgarian*60 > n:
			lang = "bg"
		case lang == "ar" && persian*15 > n:
			lang = "fa"
		}
		return lang, share
	}
	return "", 0
}
