package bus_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
)

// BenchmarkBackup compares a backup with a bare read of the same streams by an ordered consumer, and a restore with a
// bare asynchronous publish of the same messages. The goal is at least half the speed of each (design, operation).
func BenchmarkBackup(b *testing.B) {
	const size = 5 << 10
	articles := *articlesFlag
	rate := func(b *testing.B) {
		b.SetBytes(int64(articles * size))
		b.ReportMetric(float64(articles*b.N)/b.Elapsed().Seconds(), "articles/s")
	}
	s := natstest.Run(b)
	from := s.Bus(b, "tidings")
	noise := make([]byte, size/2)
	if _, err := rand.Read(noise); err != nil {
		b.Fatal(err)
	}
	subject, err := event.RawSubject(pp, "blog", false)
	if err != nil {
		b.Fatal(err)
	}
	var messages []event.Message
	for n := range articles {
		id := article.NewID("blog", fmt.Sprint(n))
		m, err := event.Encode(subject, event.Envelope{Type: event.TypeRaw, ID: event.RawID(id, 1, "00000000"), Source: "ingest", Article: id, Version: event.Version{Revision: 1}},
			article.Raw{ID: id, Revision: 1, Source: article.Source{ID: "blog", Partition: pp}, Title: hex.EncodeToString(noise)})
		if err != nil {
			b.Fatal(err)
		}
		messages = append(messages, m)
	}
	if err := from.Append(b.Context(), messages); err != nil {
		b.Fatal(err)
	}
	top, err := event.NewTopology(event.DefaultSettings())
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.TempDir(), "tidings.tar")
	b.Run("backup", func(b *testing.B) {
		for b.Loop() {
			if _, err := from.Backup(b.Context(), file, "1", nil); err != nil {
				b.Fatal(err)
			}
		}
		rate(b)
	})
	b.Run("backup/baseline", func(b *testing.B) {
		for b.Loop() {
			n := 0
			if err := from.Read(b.Context(), event.StreamRaw, func(bus.Record) error { n++; return nil }); err != nil || n != articles {
				b.Fatal(n, err)
			}
		}
		rate(b)
	})
	b.Run("restore", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			to := natstest.Bare(b).Bus(b, "tidings")
			b.StartTimer()
			if _, err := to.Restore(b.Context(), file, top, nil, nil); err != nil {
				b.Fatal(err)
			}
		}
		rate(b)
	})
	b.Run("restore/baseline", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			bare := natstest.Run(b)
			b.StartTimer()
			publish(b.Context(), b, bare, messages)
		}
		rate(b)
	})
}

// publish stores messages as fast as the client library can.
func publish(ctx context.Context, b *testing.B, s *natstest.Server, messages []event.Message) {
	b.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(256))
	if err != nil {
		b.Fatal(err)
	}
	for _, m := range messages {
		if _, err := js.PublishMsgAsync(&nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Body}); err != nil {
			b.Fatal(err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-ctx.Done():
	}
}
