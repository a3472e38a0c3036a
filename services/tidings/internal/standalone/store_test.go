package standalone

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
	"tidings.internal/services/tidings/internal/ops"
)

func document(more string) *config.Doc {
	return config.New("tidings.yaml", []byte("site: {title: Test, url: \"http://127.0.0.1:1\", language: en}\npublish: {listen: \"127.0.0.1:0\"}\nadmin: {listen: \"127.0.0.1:0\"}\n"+more), nil)
}

// begin runs the whole until it is ready and ends it; or returns why it did not start.
func begin(t *testing.T, data, more string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ready := false
	err := run.Start(ctx, Program(Options{}), run.Options{Doc: document(more), Data: data, Lock: true, Stdout: io.Discard, Stderr: io.Discard, Ready: func(string) {
		ready = true
		cancel()
	}})
	if err == nil && !ready {
		t.Error("it never was ready")
	}
	return err
}

// An operator whose disk is smaller than he thought lowers the limit, by a start or by the verb.
func TestTheStoreCanBeMadeSmaller(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if err := begin(t, data, "nats: {max_file: 4GB}"); err != nil {
		t.Fatal(err)
	}
	if err := begin(t, data, "nats: {max_file: 2GB}"); err != nil {
		t.Fatalf("a start: %v", err)
	}
	for _, again := range []bool{false, true} {
		err := WithStore(t.Context(), data, document("nats: {max_file: 1GB}"), slog.New(slog.DiscardHandler), func(o *ops.Ops) error {
			p, err := o.Apply(t.Context(), false)
			if again && p.Pending() {
				t.Errorf("it is not as small as was wanted: %+v", p.Changes)
			}
			return err
		})
		if err != nil {
			t.Fatalf("the verb: %v", err)
		}
	}
}

// A store that is gone, as with a volume that is not mounted, is no first start: all would be fetched and posted anew.
func TestAnEmptyStoreOfAUsedDirectoryIsNoFirstStart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if err := begin(t, data, ""); err != nil {
		t.Fatal(err)
	}
	if err := begin(t, data, ""); err != nil {
		t.Fatalf("a second start: %v", err)
	}
	if err := os.Rename(filepath.Join(data, "nats"), filepath.Join(data, "away")); err != nil {
		t.Fatal(err)
	}
	if err := begin(t, data, ""); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "is empty, and Tidings has run with this directory before") {
		t.Fatalf("a start without the store: %v", err)
	}
	// The store that was away is as it was.
	if err := os.RemoveAll(filepath.Join(data, "nats")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(data, "away"), filepath.Join(data, "nats")); err != nil {
		t.Fatal(err)
	}
	if err := begin(t, data, ""); err != nil {
		t.Fatalf("with its store: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(data, "nats")); err != nil {
		t.Fatal(err)
	}
	if err := WithStore(t.Context(), data, document(""), slog.New(slog.DiscardHandler), func(o *ops.Ops) error {
		_, err := o.Apply(t.Context(), false)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := begin(t, data, ""); err != nil {
		t.Fatalf("anew on purpose: %v", err)
	}
}
