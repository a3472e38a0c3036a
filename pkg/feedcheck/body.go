package feedcheck

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// body checks HTML as the validator does: nothing that runs, loads or restyles, nothing relative, nothing it has not
// heard of.
func (c *checker) body(where, value string) {
	z := html.NewTokenizer(strings.NewReader(value))
	depth := 0
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return
		}
		if kind == html.EndTagToken {
			depth--
		}
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			continue
		}
		token := z.Token()
		if !slices.Contains(htmlElements(), token.Data) {
			c.add("SecurityRisk", where, "element %s", token.Data)
		}
		if kind == html.StartTagToken && !slices.Contains([]string{"br", "hr", "img", "col"}, token.Data) {
			if depth++; depth >= 10 {
				c.add("TooDeep", where, "elements lie %d deep", depth)
			}
		}
		for _, a := range token.Attr {
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "srcset", a.Key == "srcdoc":
				c.add("SecurityRisk", where, "attribute %s", a.Key)
			case a.Key == "style":
				c.add("DangerousStyle", where, "attribute style")
			case a.Key == "href", a.Key == "src", a.Key == "poster", a.Key == "cite":
				if a.Val != "" && !strings.HasPrefix(a.Val, "data:image/") {
					c.reference(where, a.Val)
				}
			}
		}
	}
}

func (c *checker) reference(where, value string) {
	if scheme, _, ok := strings.Cut(value, ":"); !ok || strings.ContainsAny(scheme, "/?#.") {
		c.add("RelativeReference", where, "%q", value)
		return
	}
	c.link(where, value, "http", "https", "mailto")
}

func htmlElements() []string {
	return strings.Fields(`a abbr acronym address area article aside audio b big blockquote br caption center cite code col
		colgroup dd del details dfn dir div dl dt em fieldset figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img
		ins kbd li map menu nav ol p pre q s samp section small span strike strong sub sup table tbody td tfoot th thead time
		tr tt u ul var video`)
}
