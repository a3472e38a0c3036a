package config

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The rules here are what checks of many sections ask, so that one mistake reads the same wherever it is made. Each
// reports whether the value is good and collects the problem when it is not.

var (
	nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,47}$`)
	// languageForm is a well-formed tag of BCP 47 as far as feeds use it: language, script, region, variants.
	languageForm = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-([0-9A-Za-z]{5,8}|[0-9][0-9A-Za-z]{3}))*$`)
	decimalForm  = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,6})?$`)
)

// IsName reports whether a text is a name as ids have: 1 to 48 of a-z, 0-9, _ and -, not beginning with a sign.
func IsName(text string) bool { return nameForm.MatchString(text) }

// Name asks for the id of a source, feed or channel: it becomes part of subjects, keys, paths and headers.
func (a At) Name(value string) bool {
	a.learn(rule{form: nameForm.String(), needed: true})
	if value == "" {
		a.Problemf("is missing; an id is 1 to 48 of a-z, 0-9, _ and -")
		return false
	}
	if !IsName(value) {
		a.Problemf("%s is no id; an id is 1 to 48 of a-z, 0-9, _ and -, and begins with a letter or digit", quote(value))
		return false
	}
	return true
}

// OneOf asks for one of some words.
func (a At) OneOf(value string, words ...string) bool {
	a.learn(rule{words: words})
	if slices.Contains(words, value) {
		return true
	}
	hint, _ := suggest(value, words)
	a.Problemf("%s is not one of %s%s", quote(value), strings.Join(words, ", "), hint)
	return false
}

// URL asks for an absolute address of one of the schemes, https and http when none is named. A user or password in it
// is refused: it would be shown wherever the address is.
func (a At) URL(value string, schemes ...string) bool {
	if len(schemes) == 0 {
		schemes = []string{"https", "http"}
	}
	a.learn(rule{form: "^ *(" + anyCase(strings.Join(schemes, "|")) + ")://"}) // a list of addresses may begin with blanks
	if value == "" {
		a.Problemf("is missing; it wants an address such as %s://example.org/", schemes[0])
		return false
	}
	u, err := url.Parse(value)
	switch {
	case hasLogin(value):
		a.Problemf("the address holds a user or a password; take them out, they have keys of their own")
	case err != nil || u.Hostname() == "" || strings.ContainsAny(value, " \t\r\n"):
		a.Problemf("%s is not an address such as %s://example.org/", quote(value), schemes[0])
	case !slices.Contains(schemes, strings.ToLower(u.Scheme)):
		a.Problemf("%s begins with none of %s://", quote(value), strings.Join(schemes, "://, "))
	default:
		return true
	}
	return false
}

// hasLogin reports whether an address holds a user or a password, or may hold one as far as can be told.
func hasLogin(value string) bool {
	u, err := url.Parse(value)
	return err == nil && u.User != nil || err != nil && strings.Contains(value, "@")
}

// Listen asks for an address to listen on, such as 127.0.0.1:8080 or :8080; port 0 takes a free one.
func (a At) Listen(value string) bool {
	a.learn(rule{form: `:[0-9]+$`})
	host, port, err := net.SplitHostPort(value)
	if err == nil {
		var n uint64
		if n, err = strconv.ParseUint(port, 10, 16); err == nil && n <= 65535 && !strings.ContainsAny(host, " /") {
			return true
		}
	}
	a.Problemf("%s is not an address to listen on, such as 127.0.0.1:8080", quote(value))
	return false
}

// Between asks for a duration within two limits, both allowed.
func (a At) Between(value, least, most time.Duration) bool {
	if value >= least && value <= most {
		return true
	}
	a.Problemf("%s is not within %s and %s", durationText(value), durationText(least), durationText(most))
	return false
}

// Language asks for a language tag such as de or de-CH.
func (a At) Language(value string) bool {
	a.learn(rule{form: languageForm.String()})
	if languageForm.MatchString(value) {
		return true
	}
	a.Problemf("%s is not a language such as de or de-CH", quote(value))
	return false
}

// each applies a rule to every entry of a list.
func each(a At, list []string, rule func(At, string) bool) {
	for i, value := range list {
		rule(a.Index(i), value)
	}
}

// filled asks for a text that is not empty.
func filled(a At, value string) bool {
	if strings.TrimSpace(value) != "" {
		return true
	}
	a.Problemf("the entry is empty")
	return false
}
