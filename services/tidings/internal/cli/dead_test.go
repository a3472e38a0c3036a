package cli

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/tidings/internal/embedded"
	"tidings.internal/services/tidings/internal/ops"
)

// Read by tests after the flags are parsed.
var update = flag.Bool("update", false, "write the golden files anew")

// running starts a server with the topology in a data directory, and a bus in the role of enrich.
func running(t *testing.T) (data string, b *bus.Bus) {
	t.Helper()
	data = t.TempDir()
	n := config.DefaultNATS()
	s, err := embedded.Start(t.Context(), embedded.Config{Data: data, MaxFile: int64(n.MaxFile)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	b, err = bus.Connect(t.Context(), bus.Config{Service: "enrich", InProcess: s, Seed: s.Seed()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := b.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := ops.On(b, config.New("", nil, nil), n).Apply(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	return data, b
}

// bury puts a letter about a message of RAW into DEAD. Its content is as hostile as content may be.
func bury(t *testing.T, b *bus.Bus, sequence uint64) {
	t.Helper()
	d := &bus.Delivery{Stream: event.StreamRaw, Sequence: sequence, Deliveries: 6, Message: event.Message{
		Subject: "article.raw.0a.blog", Body: []byte(`{"title":"\u001b[2J<b>"}`),
		Header: event.Header{event.HeaderType: {event.TypeRaw}, event.HeaderID: {"x." + strings.Repeat("1", int(sequence))}, "Nats-Msg-Id": {"old"}},
	}}
	if err := b.Bury(t.Context(), d, "malformed", fault.Errorf(fault.Malformed, "read payload: unexpected \x1b[31m \u202e \U000e0001 end")); err != nil {
		t.Fatal(err)
	}
}

// command runs a command line against a data directory.
func command(t *testing.T, data string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Command(t.Context(), append(args, "--data", data), nil, &out, &errs)
	return code, out.String(), errs.String()
}

var moments = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)

func golden(t *testing.T, name, got string) {
	t.Helper()
	got = moments.ReplaceAllString(got, "TIME")
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s:\n%s", name, diff)
	}
}

func TestDeadLettersAreListedShownRetriedAndDropped(t *testing.T) {
	t.Parallel()
	data, b := running(t)
	for sequence := range uint64(3) {
		bury(t, b, sequence+1)
	}
	for name, args := range map[string][]string{
		"dead_list.json.golden": {"dead", "list", "--json"}, "dead_list.golden": {"dead", "list"},
		"dead_show.json.golden": {"dead", "show", "2", "--json"}, "dead_show.golden": {"dead", "show", "2"},
	} {
		code, out, errs := command(t, data, args...)
		if code != 0 || errs != "" {
			t.Errorf("%v: exit code %d: %s", args, code, errs)
		}
		if strings.ContainsAny(strings.ReplaceAll(out, "\n", ""), "\x1b\u202e") {
			t.Errorf("%v lets text of others steer the terminal: %q", args, out)
		}
		golden(t, name, out)
	}
	if code, out, _ := command(t, data, "dead", "list", "--reason", "gone"); code != 0 || strings.Contains(out, "malformed") {
		t.Errorf("filter by reason: exit code %d, %q", code, out)
	}

	code, out, errs := command(t, data, "dead", "retry", "1", "99", "--json")
	if code != fault.ExitPartial || !strings.Contains(errs, "done for 1, failed for 1") {
		t.Errorf("retry of a good and a wrong number: exit code %d, %q, want 4 with counts", code, errs)
	}
	golden(t, "dead_retry.json.golden", out)
	if r, err := b.Next(t.Context(), event.StreamRaw, ">", 1); err != nil || r == nil || !strings.Contains(string(r.Body), "title") {
		t.Errorf("the retried message is not in RAW: %v, %v", r, err)
	}
	if code, _, _ := command(t, data, "dead", "drop", "2", "3"); code != fault.ExitUsage {
		t.Errorf("drop without --yes: exit code %d, want 2", code)
	}
	if code, _, errs := command(t, data, "dead", "drop", "2", "3", "--yes"); code != 0 {
		t.Errorf("drop: exit code %d: %s", code, errs)
	}
	if code, out, _ := command(t, data, "dead", "list", "--json"); code != 0 || !strings.Contains(out, `"letters": []`) {
		t.Errorf("after all: exit code %d, %s", code, out)
	}
}

func TestDeadLettersAreChosenByWhatTheyHaveInCommon(t *testing.T) {
	t.Parallel()
	data, b := running(t)
	for sequence := range uint64(5) {
		bury(t, b, sequence+1)
	}
	for _, wrong := range [][]string{
		{"retry"}, {"drop", "--yes"}, {"retry", "1", "--all"}, {"retry", "1", "--stage", "enrich"}, {"retry", "--all", "--rate", "NaN"}, {"retry", "--all", "--rate", "0/s"}, {"drop", "--all"},
	} {
		if code, out, _ := command(t, data, append([]string{"dead"}, wrong...)...); code != fault.ExitUsage || out != "" {
			t.Errorf("dead %v: exit code %d, %s", wrong, code, out)
		}
	}
	for _, verb := range []string{"retry", "drop"} {
		code, out, errs := command(t, data, "dead", verb, "--all", "--dry-run", "--json")
		if code != 0 || strings.Count(out, `"outcome": "would be `) != 5 {
			t.Errorf("dead %s --dry-run: exit code %d, %s%s", verb, code, out, errs)
		}
		if code, out, _ := command(t, data, "dead", verb, "--stage", "deliver", "--yes"); verb == "drop" && (code != 0 || out != "no dead letters\n") {
			t.Errorf("dead %s of a service without any: exit code %d, %s", verb, code, out)
		}
	}
	if code, out, errs := command(t, data, "dead", "retry", "--stage", "enrich", "--reason", "malformed", "--since", "1h", "--rate", "1000/s"); code != 0 || strings.Count(out, "sent") != 5 {
		t.Errorf("retry by stage, reason and time: exit code %d, %s%s", code, out, errs)
	}
	bury(t, b, 6)
	if code, out, errs := command(t, data, "dead", "drop", "--all", "--yes"); code != 0 || strings.Count(out, "dropped") != 1 {
		t.Errorf("drop of all: exit code %d, %s%s", code, out, errs)
	}
	if code, out, _ := command(t, data, "dead", "list"); code != 0 || out != "no dead letters\n" {
		t.Errorf("after all: exit code %d, %s", code, out)
	}
}

func TestOnlyAClearWordIsAYes(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{"y\n": true, "YES\n": true, " y ": true, "": false, "\n": false, "n\n": false, "yeah\n": false, "no\ny\n": false} {
		var out bytes.Buffer
		if got := confirmed(strings.NewReader(answer), &out, "drop 3?"); got != want || out.String() != "drop 3? [y/N] " {
			t.Errorf("%q is taken for %v after %q", answer, got, out.String())
		}
	}
}

func TestTailEndsWithItsReader(t *testing.T) {
	t.Parallel()
	data, b := running(t)
	bury(t, b, 1)
	var errs bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- Command(t.Context(), []string{"tail", "dead.>", "--since", "1h", "--data", data}, nil, broken{}, &errs)
	}()
	select {
	case code := <-done:
		if code != 0 {
			t.Errorf("exit code %d: %s", code, errs.String())
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on although nobody reads")
	}
}

// broken is a closed pipe.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestCellsArePlainText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a\x1b[31mb":       "a [31mb",
		"one\n two\tthree": "one two three",
		"left\u202eright":  "left right",
		"Müller & Söhne 🎉": "Müller & Söhne 🎉",
		"zero\u200bwidth":  "zero width",
		"\x00\x7f\u0085":   "",
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
}
