package opml

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/fault"
)

func TestReadTakesFeedsWithTheirFolders(t *testing.T) {
	t.Parallel()
	got, err := Read(strings.NewReader(`<?xml version="1.0" encoding="ISO-8859-1"?>
<opml version="1.0"><head><title>x</title></head><body>
<outline text="News"><outline title="Bahn &amp; Bus" text="K` + "\xe4" + `se" type="rss" xmlUrl=" https://example.org/a " language="de"/>
  <outline title="Tief"><outline xmlUrl="https://example.org/b" category="/rail/night, crm ,"/></outline></outline>
<outline text="oben" xmlUrl="https://example.org/c"/>
<outline text="noch einmal"><outline xmlUrl="https://example.org/c"/></outline>
<outline text="kein Feed" htmlUrl="https://example.org/"/>
<outline text="leer" type="rss" htmlUrl="https://example.org/"/>
<outline text="anderswo" type="include" url="https://example.org/list.opml"/>
<OUTLINE TEXT="gross" XMLURL="https://example.org/d"></OUTLINE>
</body></opml>`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Outline{
		{Title: "Käse", URL: "https://example.org/a", Language: "de", Tags: []string{"News"}, Line: 3},
		{Title: "example.org", URL: "https://example.org/b", Tags: []string{"News", "Tief", "night", "crm"}, Line: 4},
		{Title: "oben", URL: "https://example.org/c", Tags: []string{"noch einmal"}, Line: 5},
		{Title: "example.org", URL: "https://example.org/c", Tags: []string{"noch einmal"}, Line: 6, Skipped: "it names the feed of line 5 once more; its folders became tags there"},
		{Title: "leer", Line: 8},
		{Title: "anderswo", Line: 9, Skipped: "it points to another list, which is not followed"},
		{Title: "gross", URL: "https://example.org/d", Line: 10},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsReadIsWhatWasWritten(t *testing.T) {
	t.Parallel()
	list := []Outline{
		{Title: `Tom & "Jerry" <b>`, URL: "https://example.org/?a=1&b=2", Language: "en", Tags: []string{"crm", "Bahn und Bus"},
			Own: map[string]string{"id": "tom", "filters": "{\"drop\":[\"title ~ <\\n&\"]}", "rights": "© two\nlines"}},
		{Title: "Ünïcode 😀", URL: "https://example.org/2"},
	}
	var b bytes.Buffer
	if err := Write(&b, list); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i].Line = 0
	}
	if diff := cmp.Diff(list, got); diff != "" {
		t.Error(diff)
	}
}

func TestListsThatAreNone(t *testing.T) {
	t.Parallel()
	many := &strings.Builder{}
	many.WriteString("<opml><body>")
	for i := range MaxOutlines + 1 {
		fmt.Fprintf(many, `<outline xmlUrl="https://example.org/%d"/>`, i)
	}
	for name, c := range map[string]struct {
		text string
		kind fault.Kind
		says string
	}{
		"nothing":   {"", fault.Invalid, "no OPML"},
		"HTML":      {"<html><body/></html>", fault.Invalid, "<\"html\">"},
		"a feed":    {"<rss/>", fault.Invalid, "no OPML"},
		"a type":    {"<!DOCTYPE opml [<!ENTITY a \"b\">]><opml/>", fault.Invalid, "document type"},
		"broken":    {"<opml><body><outline text='", fault.Invalid, "line 1"},
		"too deep":  {"<opml><body>" + strings.Repeat("<outline text='x'>", maxDepth+1), fault.Invalid, "deep"},
		"too many":  {many.String(), fault.TooLarge, "more than"},
		"too large": {"<opml><body>" + strings.Repeat(" ", MaxBytes), fault.TooLarge, "larger"},
	} {
		if _, err := Read(strings.NewReader(c.text)); fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`<opml><body><outline text="a"><outline xmlUrl="https://example.org/a" category="/x/y"/></outline></body></opml>`)
	f.Add(`<?xml version="1.0" encoding="utf-16"?><opml>`)
	f.Add(`<opml><outline xmlUrl="&#0;"/><!DOCTYPE x [<!ENTITY a "b">]>`)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := Write(&b, list); err != nil {
			t.Fatal(err)
		}
		again, err := Read(&b)
		if err != nil || len(again) > len(list) {
			t.Fatalf("%d feeds were written, %d read: %v", len(list), len(again), err)
		}
	})
}
