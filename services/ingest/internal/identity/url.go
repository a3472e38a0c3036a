package identity

import (
	"net/url"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// tracking are parameters that name a campaign, a click or a mailing, and never a page. A name that ends in an asterisk
// stands for all that begin so.
var tracking = []string{
	"utm_*", "mtm_*", "pk_*", "piwik_*", "hsa_*", "matomo_*", "fbclid", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "twclid",
	"ttclid", "igshid", "igsh", "li_fat_id", "mc_cid", "mc_eid", "_hsenc", "_hsmi", "__hstc", "__hssc", "__hsfp", "hsctatracking", "mkt_tok",
	"wt_mc", "wt_zmc", "wt.mc_id", "wt.mc_ev", "oly_anon_id", "oly_enc_id", "vero_id", "vero_conv", "_openstat", "s_cid", "s_kwcid", "ef_id",
	"elqtrackid", "elqtrack", "trk_contact", "trk_msg", "trk_module", "trk_sid", "ml_subscriber", "ml_subscriber_hash", "rb_clickid", "epik",
	"srsltid", "_ga", "_gl", "at_medium", "at_campaign", "at_custom*", "cmpid", "ncid", "sc_cid", "spm", "scm", "irclickid", "irgwc", "awc",
	"zanpid", "ito", "__twitter_impression", "guce_referrer", "guce_referrer_sig", "guccounter",
}

// Tracking is what an operator adds to the parameters that only track, and which of them are to stay. A name may end in
// an asterisk. The zero value is the list as it ships.
type Tracking struct {
	Add, Keep []string
}

func (t Tracking) tracks(name string) bool {
	name = strings.ToLower(name)
	match := func(list []string) bool {
		return slices.ContainsFunc(list, func(n string) bool {
			n = strings.ToLower(n)
			if stem, ok := strings.CutSuffix(n, "*"); ok {
				return strings.HasPrefix(name, stem)
			}
			return name == n
		})
	}
	return !match(t.Keep) && (match(tracking) || match(t.Add))
}

// SameFeed is what two spellings of the address of one feed have in common.
func SameFeed(address string) string {
	if c := Canonical(address); c != "" {
		return c
	}
	return address
}

// Canonical gives the form of an address by which two links to one page are equal: scheme and host in lower case, the
// host in ASCII, no default port, no dot segments, no fragment but a hash-bang, no parameters that only track. The
// order of the query and the case of the path stay, since servers tell them apart. What is no http address gives "".
func Canonical(address string) string { return Tracking{}.Canonical(address) }

// Canonical is the function of that name with the operator's own list.
func (t Tracking) Canonical(address string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Host == "" {
		return ""
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	u.User = nil
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = ascii
	}
	host = strings.TrimSuffix(host, ".")
	if host == "" || strings.HasPrefix(host, ".") || strings.HasSuffix(host, ".") || strings.Contains(host, "..") {
		return ""
	}
	u.Host = host
	if strings.Contains(host, ":") {
		u.Host = "[" + host + "]"
	}
	if port != "" && !(u.Scheme == "http" && port == "80") && !(u.Scheme == "https" && port == "443") {
		u.Host += ":" + port
	}
	if !strings.HasPrefix(u.Fragment, "!") {
		u.Fragment, u.RawFragment = "", ""
	}
	u = u.ResolveReference(&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery, Fragment: u.Fragment, RawFragment: u.RawFragment})
	if u.Path == "" {
		u.Path = "/"
	}
	u.RawQuery = t.settled(u.RawQuery, host)
	u.ForceQuery = false
	return u.String()
}

// settled takes tracking parameters and spaces at the end out of a query until there are none: each may hide the other,
// as in "?b &utm_source=x", and the result must be its own canonical form.
func (t Tracking) settled(query, host string) string {
	for {
		less := t.untracked(strings.TrimRightFunc(query, unicode.IsSpace), host)
		if less == query {
			return less
		}
		query = less
	}
}

// untracked takes the tracking parameters out of a query and leaves every other byte. A parameter "ref" goes where it
// names the page's own host.
func (t Tracking) untracked(query, host string) string {
	if query == "" {
		return ""
	}
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		if pair == "" || t.tracks(name) || strings.EqualFold(name, "ref") && strings.EqualFold(value, host) {
			continue
		}
		kept = append(kept, pair)
	}
	return strings.Join(kept, "&")
}
