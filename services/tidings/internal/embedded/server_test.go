package embedded_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/hosttest"
	"tidings.internal/services/tidings/internal/embedded"
)

// start starts a server that ends with the test.
func start(t *testing.T, data string) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(t.Context(), embedded.Config{Data: data, SyncAlways: true, MaxFile: 1 << 30})
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func connect(t *testing.T, c bus.Config) error {
	t.Helper()
	c.Service = "tidings"
	b, err := bus.Connect(t.Context(), c)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Errorf("close the bus: %v", err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	return b.WaitConnected(ctx)
}

func TestOnlyTheHolderOfTheSeedGetsIn(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := start(t, data)
	if err := connect(t, bus.Config{InProcess: s, Seed: s.Seed()}); err != nil {
		t.Errorf("in process with the seed: %v", err)
	}
	if err := connect(t, bus.Config{URL: s.URL(), CredentialsFile: embedded.SeedFile(data)}); err != nil {
		t.Errorf("over the port with the seed's file: %v", err)
	}
	// Not in process: there a refusal takes the client 20 s to notice, on both ends of a pipe that nobody reads.
	if err := connect(t, bus.Config{URL: s.URL()}); fault.KindOf(err) != fault.Refused {
		t.Errorf("over the port without a seed: %v, want an error of kind refused", err)
	}
}

func TestSeedAndAddressAreForTheOwnerAlone(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := start(t, data)
	for _, name := range []string{"nats.seed", "nats.json"} {
		info, err := os.Stat(filepath.Join(data, name))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", name, mode)
		}
	}
	a, err := embedded.ReadAddress(data)
	if err != nil || a.URL != s.URL() {
		t.Errorf("ReadAddress = %q, %v; want %q", a.URL, err, s.URL())
	}
	if !strings.HasPrefix(s.URL(), "nats://127.0.0.1:") {
		t.Errorf("it listens at %s, want loopback", s.URL())
	}
}

func TestSeedSurvivesARestart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first, err := embedded.Start(t.Context(), embedded.Config{Data: data, MaxFile: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	seed := string(first.Seed())
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.ReadAddress(data); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("address after the stop: %v, want one of kind unreachable", err)
	}
	if second := start(t, data); string(second.Seed()) != seed {
		t.Error("the second start has another seed")
	}
}

func TestListenOpensTheServerAtThatAddress(t *testing.T) {
	t.Parallel()
	free, data := hosttest.Address(t), t.TempDir()
	s, err := embedded.Start(t.Context(), embedded.Config{Data: data, Listen: free, MaxFile: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if s.URL() != "nats://"+free {
		t.Errorf("it listens at %s, want %s", s.URL(), free)
	}
	if err := connect(t, bus.Config{URL: "nats://" + free, CredentialsFile: embedded.SeedFile(data)}); err != nil {
		t.Errorf("another process with the seed's file: %v", err)
	}
}

func TestBusyPortIsASentence(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	_, err = embedded.Start(t.Context(), embedded.Config{Data: t.TempDir(), Listen: l.Addr().String(), MaxFile: 1 << 30})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "nats.listen") || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v, want a sentence that names nats.listen and says that the address is in use", err)
	}
}

func TestStoreThatIsNoFolderIsASentence(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "nats"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := embedded.Start(t.Context(), embedded.Config{Data: data, MaxFile: 1 << 30})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), filepath.Join(data, "nats")) {
		t.Errorf("got %v, want a sentence that names the store", err)
	}
}

func TestSpoiltSeedIsNotReplacedInSilence(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if err := os.WriteFile(embedded.SeedFile(data), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := embedded.Start(t.Context(), embedded.Config{Data: data, MaxFile: 1 << 30})
	if fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "nonsense") {
		t.Errorf("got %v, want a sentence of kind invalid without the content", err)
	}
}
