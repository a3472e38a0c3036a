package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

func TestAVerbIsAnswered(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b, operator := s.Bus(t, "enrich"), s.Bus(t, "tidings")
	type question struct{ N int }
	answer := map[string]func(context.Context, []byte) (any, error){
		"double": func(_ context.Context, request []byte) (any, error) {
			var q question
			if err := json.Unmarshal(request, &q); err != nil {
				return nil, fault.Errorf(fault.Malformed, "read the question: %w", err)
			}
			return question{2 * q.N}, nil
		},
		"refuse": func(context.Context, []byte) (any, error) { return nil, fault.Errorf(fault.Conflict, "not now") },
		"fail":   func(context.Context, []byte) (any, error) { return nil, errors.New("no kind") },
		"panic":  func(context.Context, []byte) (any, error) { panic("boom") },
		"word":   func(context.Context, []byte) (any, error) { return "a word", nil },
	}
	for verb, handle := range answer {
		stop, err := b.Serve(t.Context(), "1.0.0", verb, handle)
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
	}
	var got question
	if err := operator.Ask(t.Context(), "enrich", "double", question{21}, &got); err != nil || got.N != 42 {
		t.Errorf("Ask = %+v, %v", got, err)
	}
	if err := operator.Ask(t.Context(), "enrich", "double", question{1}, nil); err != nil {
		t.Errorf("an answer that nobody reads: %v", err)
	}
	for verb, want := range map[string]fault.Kind{"refuse": fault.Conflict, "fail": fault.Internal, "panic": fault.Internal, "word": fault.Malformed, "none": fault.Unreachable} {
		if err := operator.Ask(t.Context(), "enrich", verb, question{1}, &got); fault.KindOf(err) != want {
			t.Errorf("%s: %v is %q, want %q", verb, err, fault.KindOf(err), want)
		}
	}
	if err := operator.Ask(t.Context(), "enrich", "double", "no question", &got); fault.KindOf(err) != fault.Malformed {
		t.Errorf("a question that cannot be read: %v", err)
	}
	if err := operator.Ask(t.Context(), "deliver", "double", question{1}, &got); fault.KindOf(err) != fault.Unreachable || err.Error() != "no deliver is running" {
		t.Errorf("nobody there: %v", err)
	}
	if err := operator.Ask(t.Context(), "enrich", "double", func() {}, &got); fault.KindOf(err) != fault.Internal {
		t.Errorf("a question that cannot be written: %v", err)
	}
}

func TestAStoppedVerbIsSilent(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	stop, err := b.Serve(t.Context(), "1.0.0", "check", func(context.Context, []byte) (any, error) { return true, nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Ask(t.Context(), "enrich", "check", nil, nil); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := b.Ask(t.Context(), "enrich", "check", nil, nil); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("after the stop: %v", err)
	}
	if _, err := b.Serve(t.Context(), "not a version", "check", nil); err == nil {
		t.Error("a service without a version was made")
	}
}

// Every replica is asked, and each one's answer is heard.
func TestEveryReplicaAnswers(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	for _, name := range []string{"a", "b", "c"} {
		stop, err := s.Bus(t, "enrich").Serve(t.Context(), "1.0.0", "who", func(context.Context, []byte) (any, error) { return name, nil })
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
	}
	var names []string
	err := s.Bus(t, "tidings").AskAll(t.Context(), "enrich", "who", nil, func(reply []byte) error {
		names = append(names, string(reply))
		return nil
	})
	slices.Sort(names)
	if want := []string{`"a"`, `"b"`, `"c"`}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%v answered, want %v: %v", names, want, err)
	}
}
