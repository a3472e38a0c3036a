package list

import (
	"strings"
	"testing"

	"tidings.internal/pkg/config"
)

func TestWhatReadersCannotBeOfferedIsAProblem(t *testing.T) {
	t.Parallel()
	for keys, want := range map[string]string{
		`title: "A\u0007"`:                   "title: holds characters that cannot be shown",
		`title: "A\u202e"`:                   "title: holds characters that cannot be shown",
		`title: "A\nB"`:                      "title: has more than one line",
		`title: ` + strings.Repeat("ä", 101): "title: has 101 characters; 100 are allowed",
		`language: fr`:                       `language: "fr" is not one of de, en`,
		`periods: []`:                        "periods: is empty",
		`periods: [daily, hourly]`:           `periods[1]: "hourly" is not one of`,
		`periods: [daily, daily]`:            "periods[1]: daily is there already",
		`hour: 24`:                           "hour: 24 is not within 0 and 23",
		`zone: Europe/Berlinn`:               `zone: "Europe/Berlinn" is not a time zone`,
		`zone: Local`:                        `zone: "Local" is not a time zone`,
		`zone: ""`:                           `zone: "" is not a time zone`,
		`zone: ../../etc/localtime`:          `zone: "../../etc/localtime" is not a time zone`,
		`tags: [crm, crm]`:                   `tags[1]: "crm" is there already`,
		`tags: [" "]`:                        `tags[0]: " " is no id`,
		`sources: ["a\nb"]`:                  `sources[0]: "a\nb" is no id`,
		`period: [daily]`:                    `unknown key; did you mean "periods"?`,
		// They can.
		`title: "<script>alert(1)</script> & more"`: "",
		`description: "One\nTwo"`:                   "",
		`zone: Europe/Berlin`:                       "",
		`from: "News <news@example.org>"`:           "",
	} {
		doc := config.New("tidings.yaml", []byte("channels:\n  - id: letter\n    network: list\n    "+keys+"\n"), nil)
		doc.Channels(func(string) (any, []string) { return defaults(), others })
		err := doc.Err()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", keys, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "tidings.yaml:4:") {
			t.Errorf("%s: the problem has no place: %v", keys, err)
		}
	}
}
