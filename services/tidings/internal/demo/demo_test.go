package demo

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T, data string) *Demo {
	t.Helper()
	d, err := Open(t.Context(), data, []string{"TIDINGS_PUBLISH__LISTEN=127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func closed(t *testing.T, d *Demo) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func get(t *testing.T, url string) (body []byte, etag string) {
	t.Helper()
	c := &http.Client{Timeout: 10 * time.Second}
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // it is read
	body, err = io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %v", url, res.Status, err)
	}
	return body, res.Header.Get("ETag")
}

func TestSamplesAreWhatTheDemoPromises(t *testing.T) {
	t.Parallel()
	list, err := Articles()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 14 {
		t.Errorf("%d samples, want at least 14", len(list))
	}
	languages := map[string]int{}
	for _, a := range list {
		if a.Hours >= 24 {
			t.Errorf("%s is %d hours old; from 24 on it would be no news, and no channel would get it", a.Name, a.Hours)
		}
		languages[a.Language]++
		words := len(strings.Fields(a.Body))
		if want := 300; words < 80 || words > want && a.Name != "guest" {
			t.Errorf("%s has %d words, want 80 to %d", a.Name, words, want)
		}
		if a.Title == "" || a.Author == "" || a.Source == "" || len(a.Tags) == 0 {
			t.Errorf("%s lacks a title, an author, a source or tags", a.Name)
		}
	}
	for _, l := range []string{"fr", "es", "pl"} {
		if languages[l] == 0 {
			t.Errorf("no sample in %s", l)
		}
	}
	if n := languages["de"] + languages["en"]; n <= len(list)/2 {
		t.Errorf("%d of %d samples are German or English, want most", n, len(list))
	}
}

func TestSourcesAreWellFormed(t *testing.T) {
	t.Parallel()
	d := open(t, t.TempDir())
	defer closed(t, d)
	base := "http://" + d.state.Origin
	for path, count := range map[string]string{"/rundschau.rss": "item", "/notebook.atom": "entry"} {
		body, _ := get(t, base+path)
		items, dec := 0, xml.NewDecoder(bytes.NewReader(body))
		for {
			token, err := dec.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if s, ok := token.(xml.StartElement); ok && s.Name.Local == count {
				items++
			}
		}
		if items < 5 {
			t.Errorf("%s has %d items, want at least 5", path, items)
		}
	}
	var doc jsonDocument
	body, _ := get(t, base+"/kaleidoskop.json")
	if err := json.Unmarshal(body, &doc); err != nil || len(doc.Items) < 5 {
		t.Errorf("kaleidoskop.json: %v, %d items", err, len(doc.Items))
	}
}

// Otherwise every start would look like an edit of everything, and every channel would hear of it.
func TestRestartServesTheSameBytesAtTheSameAddress(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first := open(t, data)
	url := "http://" + first.state.Origin + "/rundschau.rss"
	body, etag := get(t, url)
	yaml := first.yaml()
	closed(t, first)
	second := open(t, data)
	defer closed(t, second)
	again, tag := get(t, url)
	if diff := cmp.Diff(string(body), string(again)); diff != "" || etag != tag {
		t.Errorf("the document changed (ETag %s, then %s):\n%s", etag, tag, diff)
	}
	if diff := cmp.Diff(yaml, second.yaml()); diff != "" {
		t.Error(diff)
	}
}

func TestUnchangedSourceIsAnsweredShort(t *testing.T) {
	t.Parallel()
	d := open(t, t.TempDir())
	defer closed(t, d)
	url := "http://" + d.state.Origin + "/notebook.atom"
	_, etag := get(t, url)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("If-None-Match", etag)
	res, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusNotModified {
		t.Errorf("got %s, %v; want 304", res.Status, err)
	}
}

func TestSinkKeepsEveryCallAndRefusesAWrongSignature(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	d := open(t, data)
	defer closed(t, d)
	body := []byte(`{"id":"a"}`)
	call := func(key []byte) int {
		mac := hmac.New(sha256.New, key)
		_, _ = fmt.Fprintf(mac, "msg_1.17.%s", body)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+d.state.Sink+"/hook", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Webhook-Id", "msg_1")
		req.Header.Set("Webhook-Timestamp", "17")
		req.Header.Set("Webhook-Signature", "v1,bm90aGluZw== v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		res, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode
	}
	if got := call(d.state.Key); got != http.StatusNoContent {
		t.Errorf("a good signature gets %d, want 204", got)
	}
	if got := call([]byte("another key")); got != http.StatusUnauthorized {
		t.Errorf("a wrong signature gets %d, want 401", got)
	}
	kept, err := os.ReadFile(filepath.Join(data, SinkLog))
	if err != nil {
		t.Fatal(err)
	}
	var valid []bool
	for line := range strings.Lines(string(kept)) {
		var c Call
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		valid = append(valid, c.Valid)
	}
	if diff := cmp.Diff([]bool{true, false}, valid); diff != "" {
		t.Error(diff)
	}
}
