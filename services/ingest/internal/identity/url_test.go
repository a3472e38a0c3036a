package identity

import "testing"

func TestCanonical(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"HTTP://Example.ORG:80/A/b?x=1&y=2#top":                        "http://example.org/A/b?x=1&y=2",
		"https://example.org":                                          "https://example.org/",
		"https://example.org:443/":                                     "https://example.org/",
		"https://example.org:8443/":                                    "https://example.org:8443/",
		"https://example.org./a":                                       "https://example.org/a",
		"https://bücher.example/ä":                                     "https://xn--bcher-kva.example/%C3%A4",
		"https://example.org/a/./b/../c":                               "https://example.org/a/c",
		"https://example.org/a?utm_source=x&b=2&UTM_Medium=y&fbclid=z": "https://example.org/a?b=2",
		"https://example.org/a?utm_source=x":                           "https://example.org/a",
		"https://example.org/a?b=2&a=1&b=3":                            "https://example.org/a?b=2&a=1&b=3",
		"https://example.org/a?":                                       "https://example.org/a",
		"https://example.org/#!/page":                                  "https://example.org/#!/page",
		"https://example.org/a?ref=example.org&c":                      "https://example.org/a?c",
		"https://example.org/a?ref=other.org":                          "https://example.org/a?ref=other.org",
		"https://user:pw@example.org/a":                                "https://example.org/a",
		"https://example.org/%7Euser/a%2Fb":                            "https://example.org/%7Euser/a%2Fb",
		"https://[2001:DB8::1]:443/x":                                  "https://[2001:db8::1]/x",
		" https://example.org/a ":                                      "https://example.org/a",
		"https://example.org/?b &utm_source=x":                         "https://example.org/?b",
		"https://example.org/?b #top":                                  "https://example.org/?b",
		"https://example.org/?ref=example.org #top":                    "https://example.org/",
		"https://example.org/? &utm_source=x\u00a0#top":                "https://example.org/",
		"javascript:alert(1)":                                          "",
		"/relative":                                                    "",
		"":                                                             "",
	} {
		if got := Canonical(in); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
		if again := Canonical(want); again != want {
			t.Errorf("%q is not stable: %q", want, again)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	f.Add("HTTP://Example.ORG:80/A/../b?utm_source=1#x")
	f.Add("https://example.org/?b \u00a0&utm_source=x #top")
	f.Add("https://bücher.example/#!a")
	f.Fuzz(func(t *testing.T, address string) {
		once := Canonical(address)
		if twice := Canonical(once); twice != once {
			t.Errorf("%q gives %q and then %q", address, once, twice)
		}
	})
}

func TestAnOperatorsOwnParameters(t *testing.T) {
	t.Parallel()
	own := Tracking{Add: []string{"SID", "abc_*"}, Keep: []string{"utm_id", "spm"}}
	for in, want := range map[string]string{
		"https://example.org/?a=1&sid=2":                         "https://example.org/?a=1",
		"https://example.org/?abc_x=1&abcd=2&ABC_=3":             "https://example.org/?abcd=2",
		"https://example.org/?utm_id=1&utm_source=2&spm=3&gclid": "https://example.org/?utm_id=1&spm=3",
	} {
		if got := own.Canonical(in); got != want {
			t.Errorf("%s gives %s, want %s", in, got, want)
		}
		if got := Canonical(in); got == want {
			t.Errorf("%s gives %s without the operator's list, too", in, got)
		}
	}
}
