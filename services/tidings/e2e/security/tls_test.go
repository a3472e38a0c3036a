package security_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

// encrypted is the shipped file with its TLS line for clients in force and the files of a test in place of the secrets. That
// for routes stays a comment.
func encrypted(t *testing.T, a *natstest.Authority) string {
	t.Helper()
	cert, key := a.Issue(t, "server")
	text := shipped(t)
	for old, now := range map[string]string{
		"\n# tls {": "\ntls {", "/run/secrets/nats_cert": cert, "/run/secrets/nats_key": key, "/run/secrets/nats_ca": a.File,
	} {
		if !strings.Contains(text, old) {
			t.Fatalf("the shipped file does not hold %q", old)
		}
		text = strings.ReplaceAll(text, old, now)
	}
	return text
}

func TestTheShippedFileSpeaksTLSWithClientCertificates(t *testing.T) {
	t.Parallel()
	ours, others := natstest.NewAuthority(t), natstest.NewAuthority(t)
	seeds := natstest.Keys(t)
	broker := natstest.ConfigText(t, encrypted(t, ours), seeds)
	cert, key := ours.Issue(t, "client")
	broker.TLS = bus.TLS{CAFile: ours.File, CertFile: cert, KeyFile: key}
	apply(t, broker.Bus(t, event.UserAdmin))
	ingest := broker.Bus(t, event.UserIngest)
	if err := ingest.Append(t.Context(), []event.Message{messages(t).raw}); err != nil {
		t.Error(err)
	}
	if err := ingest.Probe(t.Context()); err != nil {
		t.Error(err)
	}

	// A certificate is no key: the user still has to prove who it is, and has its own rights only.
	if _, err := broker.Dial(t, nil, "ingest"); err == nil || !strings.Contains(err.Error(), "Authorization") {
		t.Errorf("a certificate alone lets in: %v", err)
	}
	if err := broker.Line(t, event.UserIngest).Hear("article.>"); err == nil {
		t.Error("ingest hears articles when it has a certificate")
	}

	strangerCert, strangerKey := others.Issue(t, "stranger")
	for name, files := range map[string]bus.TLS{
		"no certificate":                 {CAFile: ours.File},
		"a certificate of somebody else": {CAFile: ours.File, CertFile: strangerCert, KeyFile: strangerKey},
		"a server that nobody vouches":   {CAFile: others.File, CertFile: cert, KeyFile: key},
		"the authorities of the system":  {CertFile: cert, KeyFile: key},
		"no TLS":                         {},
	} {
		t.Run(name, func(t *testing.T) {
			if err := connects(t, broker.URL, seeds[event.UserIngest], files); err == nil {
				t.Error("the connection stands")
			}
		})
	}
}

// connects says whether a connection comes up within the time that a refusal takes many times over.
func connects(t *testing.T, url string, seed []byte, files bus.TLS) error {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Config{Service: "ingest", URL: url, Seed: seed, TLS: files})
	if err != nil {
		return err
	}
	defer func() {
		if err := b.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	return b.WaitConnected(ctx)
}

// A client that was told to encrypt never talks in the clear, whatever the server offers.
func TestTLSIsAMustForAClientThatHasIt(t *testing.T) {
	t.Parallel()
	ours, seeds := natstest.NewAuthority(t), natstest.Keys(t)
	broker := natstest.ConfigText(t, shipped(t), seeds)
	if err := connects(t, broker.URL, seeds[event.UserIngest], bus.TLS{CAFile: ours.File}); err == nil {
		t.Error("a client with an authority talks to a server without TLS")
	}
}

func TestFilesOfTLSThatCannotBeReadAreNamed(t *testing.T) {
	t.Parallel()
	ours := natstest.NewAuthority(t)
	cert, key := ours.Issue(t, "client")
	noise := filepath.Join(t.TempDir(), "noise.pem")
	if err := os.WriteFile(noise, []byte("noise"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]bus.TLS{
		"missing authority":   {CAFile: filepath.Join(t.TempDir(), "missing.pem")},
		"authority of noise":  {CAFile: noise},
		"missing certificate": {CertFile: filepath.Join(t.TempDir(), "missing.pem"), KeyFile: key},
		"key of noise":        {CertFile: cert, KeyFile: noise},
		"certificate alone":   {CertFile: cert},
		"key alone":           {KeyFile: key},
	} {
		_, err := bus.Connect(t.Context(), bus.Config{Service: "ingest", URL: "nats://127.0.0.1:1", TLS: files})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), "nats.tls") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A renewed certificate is taken without a restart: the files are read at each connect.
func TestARenewedCertificateNeedsNoRestart(t *testing.T) {
	t.Parallel()
	ours, seeds := natstest.NewAuthority(t), natstest.Keys(t)
	cert, key := ours.Issue(t, "client")
	good := map[string][]byte{}
	for _, file := range []string{cert, key} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		good[file] = data
	}
	// The pair that is there at the start is of another authority.
	otherCert, otherKey := natstest.NewAuthority(t).Issue(t, "client")
	for from, to := range map[string]string{otherCert: cert, otherKey: key} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	broker := natstest.ConfigText(t, encrypted(t, ours), seeds)
	b, err := bus.Connect(t.Context(), bus.Config{Service: "ingest", URL: broker.URL, Seed: seeds[event.UserIngest], TLS: bus.TLS{CAFile: ours.File, CertFile: cert, KeyFile: key}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	if err := b.Probe(t.Context()); err == nil {
		t.Fatal("a certificate of another authority is taken")
	}
	for file, data := range good {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the renewed certificate to be used", func() bool { return b.Probe(t.Context()) == nil })
}

// The traps of the file: a key that is missing and one that is not used both stop the server.
func TestAServerStartsWithTheKeysOfItsFileOnly(t *testing.T) {
	t.Parallel()
	missing, extra := natstest.Keys(t), natstest.Keys(t)
	delete(missing, event.UserDeliver)
	extra["console"] = natstest.Seed(t)
	for name, c := range map[string]struct {
		keys map[string][]byte
		word string
	}{"missing": {missing, "NKEY_DELIVER"}, "not used": {extra, "NKEY_CONSOLE"}} {
		err := natstest.StartError(t, shipped(t), c.keys)
		if err == nil || !strings.Contains(fmt.Sprint(err), c.word) {
			t.Errorf("%s: the server says %v", name, err)
		}
	}
	if err := natstest.StartError(t, shipped(t), natstest.Keys(t)); err != nil {
		t.Errorf("with its own keys: %v", err)
	}
}

// What keeps a power cut from losing articles, and a dead letter from being refused, is in force and not only written.
func TestTheServerRunsAsItsFileSays(t *testing.T) {
	t.Parallel()
	broker := natstest.Config(t, filepath.Join("..", "..", "..", "..", "deploy", "nats.conf"), natstest.Keys(t))
	monitor := broker.Line(t, event.UserMonitor)
	for question, want := range map[string][]string{
		"JSZ":  {`"sync_always":true`, fmt.Sprintf(`"max_storage":%d`, event.DefaultSettings().MaxFile)},
		"VARZ": {`"max_payload":1048576`, `"http_host":"127.0.0.1"`, `"system_account":"SYS"`},
	} {
		answer, err := monitor.Request(t.Context(), "$SYS.REQ.SERVER.PING."+question, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(string(answer.Body), w) {
				t.Errorf("%s lacks %s:\n%s", question, w, answer.Body)
			}
		}
	}
}
