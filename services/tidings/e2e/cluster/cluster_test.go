package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/services/tidings/internal/ops"
)

func shipped(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "deploy", "nats.conf"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// encrypted is the shipped file with its lines about TLS in force, for clients and for routes, and the files of a test in
// place of the secrets.
func encrypted(t *testing.T, a *natstest.Authority, name string) string {
	t.Helper()
	cert, key := a.Issue(t, name)
	text := shipped(t)
	for _, c := range []struct {
		old, now string
		times    int
	}{
		{"# tls {", "tls {", 2},
		{"/run/secrets/nats_cert", cert, 2}, {"/run/secrets/nats_key", key, 2}, {"/run/secrets/nats_ca", a.File, 2},
	} {
		if n := strings.Count(text, c.old); n != c.times {
			t.Fatalf("the shipped file holds %q %d times, want %d", c.old, n, c.times)
		}
		text = strings.ReplaceAll(text, c.old, c.now)
	}
	return text
}

// operator is the operator on a cluster of three.
func operator(t *testing.T, b *bus.Bus) *ops.Ops {
	t.Helper()
	n := config.DefaultNATS()
	n.Replicas = 3
	return ops.On(b, config.New("tidings.yaml", nil, nil), n)
}

func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, tick := time.After(30*time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

func raw(t *testing.T, n int) event.Message {
	t.Helper()
	id := article.NewID("blog", fmt.Sprint(n))
	subject, err := event.RawSubject("0a", "blog", false)
	if err != nil {
		t.Fatal(err)
	}
	m, err := event.Encode(subject, event.Envelope{Type: event.TypeRaw, ID: event.RawID(id, 1, "00000000"), Source: "ingest", Article: id, Version: event.Version{Revision: 1, Fence: 1}},
		article.Raw{ID: id, Revision: 1, Source: article.Source{ID: "blog", Partition: "0a"}, Title: fmt.Sprint("Report ", n)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRoutesAndClientsAreEncrypted(t *testing.T) {
	t.Parallel()
	ours, others := natstest.NewAuthority(t), natstest.NewAuthority(t)
	seeds := natstest.Keys(t)
	var confs []string
	for n := range 3 {
		confs = append(confs, encrypted(t, ours, fmt.Sprint("server-", n)))
	}
	brokers := natstest.Members(t, confs, seeds)
	within(t, "three servers that agree over encrypted routes", func() bool { return natstest.Agreed(brokers) })
	cert, key := ours.Issue(t, "client")
	files := bus.TLS{CAFile: ours.File, CertFile: cert, KeyFile: key}
	for _, b := range brokers {
		b.TLS = files
	}
	o := operator(t, brokers[0].Bus(t, event.UserAdmin))
	if _, err := o.Apply(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	ingest := brokers[1].Bus(t, event.UserIngest)
	if err := ingest.Append(t.Context(), []event.Message{raw(t, 1)}); err != nil {
		t.Error(err)
	}

	strangerCert, strangerKey := others.Issue(t, "stranger")
	for name, c := range map[string]struct {
		files bus.TLS
		says  string
	}{
		"another authority":              {bus.TLS{CAFile: others.File, CertFile: cert, KeyFile: key}, "what nats.tls.ca_file names does not vouch for this server"},
		"no certificate":                 {bus.TLS{CAFile: ours.File}, "the server does not take our certificate, nats.tls.cert_file"},
		"a certificate of somebody else": {bus.TLS{CAFile: ours.File, CertFile: strangerCert, KeyFile: strangerKey}, "the server does not take our certificate, nats.tls.cert_file"},
	} {
		err := refused(t, bus.Config{Service: "ingest", URL: brokers[2].URL, Seed: seeds[event.UserIngest], TLS: c.files})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want it to say %q", name, err, c.says)
		}
	}
}

// refused connects in vain and returns what is said of it.
func refused(t *testing.T, c bus.Config) error {
	t.Helper()
	b, err := bus.Connect(t.Context(), c)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close(context.WithoutCancel(t.Context())) }() // it never connected
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	return b.WaitConnected(ctx)
}

// Whoever reaches a route may read and write everything, so a server that no authority of ours vouches for stays outside.
func TestAStrangerIsNoMemberOfTheCluster(t *testing.T) {
	t.Parallel()
	ours, others := natstest.NewAuthority(t), natstest.NewAuthority(t)
	brokers := natstest.Members(t, []string{encrypted(t, ours, "one"), encrypted(t, ours, "two"), encrypted(t, others, "stranger")}, natstest.Keys(t))
	within(t, "a route between two of one authority", func() bool { return brokers[0].Routes() > 0 && brokers[1].Routes() > 0 })
	if n := brokers[2].Routes(); n != 0 {
		t.Errorf("the stranger has %d routes", n)
	}
}

// A backup of one server is restored onto three. Each stream is made by the server that is chosen to lead it, which need not
// be the one that we talk to.
func TestABackupIsRestoredOntoThreeServers(t *testing.T) {
	t.Parallel()
	const articles = 200
	one := natstest.Run(t).Bus(t, ops.Role)
	var messages []event.Message
	for n := range articles {
		messages = append(messages, raw(t, n))
	}
	if err := one.Append(t.Context(), messages); err != nil {
		t.Fatal(err)
	}
	channel := fmt.Appendf(nil, `{"id": "hook", "network": "webhook", "since": %q}`, time.Now().UTC().Format(time.RFC3339))
	if _, err := one.Bucket(event.BucketDeliveries).Create(t.Context(), "c.hook", channel); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "tidings.tar")
	if _, err := one.Backup(t.Context(), file, "1", nil); err != nil {
		t.Fatal(err)
	}
	brokers := natstest.Cluster(t, shipped(t), natstest.Keys(t))
	b := brokers[0].Bus(t, event.UserAdmin)
	if half(t, b, file) {
		if _, err := operator(t, b).Restore(t.Context(), file, nil); err != nil {
			t.Fatal(err)
		}
	}
	if row, ok, err := b.Bucket(event.BucketDeliveries).Read(t.Context(), "c.hook"); err != nil || !ok || !strings.Contains(string(row.Value), `"reason":"restored"`) {
		t.Errorf("the channel is not paused, which was read from a server that holds it: %s, %v", row.Value, err)
	}
	for _, broker := range brokers {
		b := broker.Bus(t, event.UserAdmin)
		n := 0
		err := b.Read(t.Context(), event.StreamRaw, func(bus.Record) error { n++; return nil })
		if err != nil || n != articles {
			t.Errorf("a server has %d of %d articles: %v", n, articles, err)
		}
		plan, err := operator(t, b).Plan(t.Context())
		if err != nil || plan.Pending() {
			t.Errorf("the streams are not as they should be on three servers: %+v, %v", plan.Changes, err)
		}
	}
}

// half restores a backup and is killed while its streams get their copies: some have them, and none counts as complete. It
// reports whether it was killed.
func half(t *testing.T, b *bus.Bus, file string) bool {
	t.Helper()
	n := config.DefaultNATS()
	n.Replicas = 3
	top, err := ops.Topology(n)
	if err != nil {
		t.Fatal(err)
	}
	// The one that is made first gets its copies first, too.
	first := event.Topology{Number: top.Number, Streams: slices.DeleteFunc(slices.Clone(top.Streams), func(s event.Stream) bool {
		return s.StreamName() != "KV_"+event.BucketSourceConfig
	})}
	single := func() bool {
		plan, err := b.Plan(t.Context(), first)
		return err == nil && slices.ContainsFunc(plan.Changes, func(c bus.Change) bool {
			return slices.ContainsFunc(c.Details, func(d string) bool { return strings.HasPrefix(d, "replicas") })
		})
	}
	ctx, kill := context.WithCancel(t.Context())
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		for ctx.Err() == nil && !single() { // it is not there yet
		}
		for ctx.Err() == nil && single() { // it waits for the others to be read
		}
		kill()
	}()
	_, err = operator(t, b).Restore(ctx, file, nil)
	kill()
	<-looked
	if err == nil {
		t.Log("the restore had ended before it could be killed")
		return false
	}
	if err := b.ProbeTopology(t.Context(), event.StreamRaw, event.StreamArticles); err == nil {
		t.Error("killed while its streams are copied the instance counts as ready")
	}
	return true
}
