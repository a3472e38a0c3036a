package sanitize

import (
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/html"

	"tidings.internal/services/enrich/internal/dom"
)

// players lists who may be embedded: exact host and path prefix.
var players = map[string]string{
	"www.youtube-nocookie.com": "/embed/",
	"player.vimeo.com":         "/video/",
	"open.spotify.com":         "/embed/",
	"w.soundcloud.com":         "/player/",
	"bandcamp.com":             "/EmbeddedPlayer/",
	"www.dailymotion.com":      "/embed/",
	"player.twitch.tv":         "/",
	"framatube.org":            "/videos/embed/",
}

const (
	sandbox  = "allow-scripts allow-same-origin allow-popups allow-presentation"
	referrer = "strict-origin-when-cross-origin"
)

// frameForm is the last gate's own view of the same list.
var frameForm = regexp.MustCompile(`^https://(?:www\.youtube-nocookie\.com/embed/|player\.vimeo\.com/video/|open\.spotify\.com/embed/|w\.soundcloud\.com/player/|bandcamp\.com/EmbeddedPlayer/|www\.dailymotion\.com/embed/|player\.twitch\.tv/|framatube\.org/videos/embed/)[^\s"'<>]*$`)

// frame keeps a known player, in a sandbox, and removes any other frame.
func frame(n *html.Node, base *url.URL) {
	src := dom.Attr(n, "src")
	if src == "" {
		src = dom.Attr(n, "data-src")
	}
	address, ok := player(src, base)
	if !ok {
		dom.Remove(n)
		return
	}
	kept := []html.Attribute{{Key: "src", Val: address}}
	for _, name := range []string{"width", "height"} {
		if v := strings.TrimSpace(dom.Attr(n, name)); forms[name].MatchString(v) {
			kept = append(kept, html.Attribute{Key: name, Val: v})
		}
	}
	n.Attr = append(kept,
		html.Attribute{Key: "sandbox", Val: sandbox},
		html.Attribute{Key: "loading", Val: "lazy"},
		html.Attribute{Key: "referrerpolicy", Val: referrer},
		html.Attribute{Key: "allowfullscreen"})
	for c := n.FirstChild; c != nil; c = n.FirstChild {
		n.RemoveChild(c)
	}
}

func player(src string, base *url.URL) (string, bool) {
	address, ok := link(src, base, false)
	if !ok {
		return "", false
	}
	u, err := url.Parse(address)
	if err != nil || u.Port() != "" {
		return "", false
	}
	u.Scheme, u.Fragment = "https", ""
	u.Host = strings.ToLower(u.Host)
	switch u.Host {
	case "youtube.com", "www.youtube.com", "m.youtube.com", "youtube-nocookie.com":
		u.Host = "www.youtube-nocookie.com"
	case "dailymotion.com":
		u.Host = "www.dailymotion.com"
	}
	prefix, ok := players[u.Host]
	if !ok || !strings.HasPrefix(u.Path, prefix) || strings.Contains(u.Path, "..") {
		return "", false
	}
	out := u.String()
	return out, frameForm.MatchString(out)
}
