package config_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"tidings.internal/pkg/config"
)

const planted = "hunter2-planted"

// holder keeps secrets in every way a program may.
type holder struct {
	Token  config.Secret
	Ptr    *config.Secret
	List   []config.Secret
	Map    map[string]config.Secret
	Any    any
	hidden config.Secret
	deep   struct{ inner config.Secret }
}

type encoded struct{ S config.Secret }

func TestASecretIsSeenNowhere(t *testing.T) {
	t.Parallel()
	s := config.NewSecret(planted)
	h := holder{Token: s, Ptr: &s, List: []config.Secret{s}, Map: map[string]config.Secret{"a": s}, Any: s, hidden: s}
	h.deep.inner = s
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "% x", "%10s", "%w"} {
		for _, value := range []any{s, &s, h, &h, h.List, h.Map, h.deep, []any{h}} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
	}
	fmt.Fprintln(&out, s, h, errors.New("wrap "+s.String()))
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("done", "token", s, "holder", h, slog.Group("g", "s", &s))
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, xml.Marshal, func(v any) ([]byte, error) { return yaml.Dump(v) }} {
		for _, value := range []any{s, &s, encoded{s}} {
			data, err := marshal(value)
			if err != nil {
				t.Error(err)
			}
			out.Write(data)
			if !bytes.Contains(data, []byte("***")) {
				t.Errorf("encoded as %s, want ***", data)
			}
		}
	}
	if keyed, err := json.Marshal(map[config.Secret]int{s: 1}); err != nil || strings.Contains(string(keyed), planted) {
		t.Errorf("as a key: %s, %v", keyed, err)
	}
	for _, form := range []string{planted, fmt.Sprintf("%x", planted), fmt.Sprintf("%X", planted), fmt.Sprintf("% x", planted)} {
		if i := strings.Index(out.String(), form); i >= 0 {
			t.Fatalf("the secret is seen: …%s…", out.String()[max(0, i-80):i+len(form)])
		}
	}
	if s.Reveal() != planted || s.String() != "***" || fmt.Sprintf("%#v", s) != "***" {
		t.Errorf("Reveal %q, String %q, %%#v %#v", s.Reveal(), s.String(), s)
	}
	var none config.Secret
	if none.String() != "" || !none.IsZero() || none.Reveal() != "" || config.NewSecret("") != none {
		t.Error("no secret looks like one")
	}
	if !s.Equal(config.NewSecret(planted)) || s.Equal(none) {
		t.Error("Equal does not compare texts")
	}
}

// The texts of a configuration in which everything is wrong, and its list of values, must not show a secret.
func TestNoSecretInProblemsAndValues(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"ingest: {token: " + planted + ", entries: [{id: a, token: " + planted + ", token_file: x}]}",
		"ingest: {token: [" + planted + "], inner: " + planted + ", other: [" + planted + "], hosts: {a: " + planted + "}}",
		"sources: [{id: a, url: 'https://u:" + planted + "@example.org/', http: {basic: " + planted + ", bearer: " + planted + "}}]",
		"nats: {url: 'nats://u:" + planted + "@ho st', listen: 7}",
		"nats: {url: 'nats://u:" + planted + "@host:port:port'}",
		"channels: [{id: a, network: mastodon, server: https://example.org, token: " + planted + "}]",
		"ingest: {token: *" + planted + "}",
		"ingest: {token: '" + planted + "\n",
		planted,
		"- " + planted,
	} {
		doc, s := load("tidings.yaml", text, "TIDINGS_INGEST__TOKEN="+planted, "TIDINGS_INGEST__TOKEN__X="+planted, "TIDINGS_LOG__LEVEL=info")
		var shown strings.Builder
		shown.WriteString(strings.Join(problems(doc), "\n"))
		for v := range doc.Values() {
			fmt.Fprintf(&shown, "\n%v", v)
		}
		fmt.Fprintf(&shown, "%#v", s)
		if strings.Contains(shown.String(), planted) {
			t.Errorf("%s\nshows the secret:\n%s", text, shown.String())
		}
	}
}
