package app

import (
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

// The two halves of a catch-up are a post on the bus and a row of the ledger. A crash between them leaves the first alone,
// and any number of people may make the second at once.
func TestACatchUpThatBrokeOffIsMadeGood(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b, publisher, hook := server.Bus(t, Name), server.Bus(t, "publish"), newSink(t)
	start(t, b, document(hook, ""))
	until(t, "the channel has its row", known(t, b))
	ctx := t.Context()
	var posts []event.Post
	for _, item := range []string{"one", "two", "three"} {
		m := post(t, "hook", item, 1, time.Now().Add(-1000*time.Hour))
		_, p, err := event.DecodePost(m)
		if err != nil {
			t.Fatal(err)
		}
		posts = append(posts, p)
		if item != "three" { // it comes to the bus while it is planned
			emit(t, publisher, m)
		}
	}
	until(t, "both are skipped", inState(t, b, "skipped", 2))
	if list, err := CatchUp(ctx, b, config.New("tidings.yaml", document(hook, ""), nil), "hook", posts, 0, "anna", true); err != nil || len(list) != 3 || list[0].Outcome != "planned" {
		t.Errorf("a dry run tells %+v, %v", list, err)
	}
	if n := len(hook.got()); n != 0 {
		t.Fatalf("a dry run sent %d posts", n)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, err := CatchUp(ctx, b, config.New("tidings.yaml", document(hook, ""), nil), "hook", posts, 0, "anna", false); err != nil {
				t.Error(err)
			}
		})
	}
	emit(t, publisher, post(t, "hook", "three", 1, time.Now().Add(-1000*time.Hour)))
	group.Wait()
	hook.await(t, 3)
	until(t, "all are sent", inState(t, b, "sent", 3))
	list, err := CatchUp(ctx, b, config.New("tidings.yaml", document(hook, ""), nil), "hook", posts, 0, "anna", false)
	if err != nil || len(list) != 3 || list[2].Outcome != "sent" || !list[2].Due.IsZero() {
		t.Errorf("once more: %+v, %v", list, err)
	}
	if n := len(hook.got()); n != 3 {
		t.Errorf("%d posts of 3 stories", n)
	}
}

func TestACatchUpIsSpreadOverDays(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b, hook := server.Bus(t, Name), newSink(t)
	start(t, b, document(hook, ""))
	until(t, "the channel has its row", known(t, b))
	var posts []event.Post
	for _, item := range []string{"a", "b", "c", "d", "e"} {
		_, p, err := event.DecodePost(post(t, "hook", item, 1, time.Now().Add(-1000*time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		posts = append(posts, p)
	}
	list, err := CatchUp(t.Context(), b, config.New("tidings.yaml", document(hook, ""), nil), "hook", posts, 2, "anna", false)
	if err != nil || len(list) != 5 {
		t.Fatal(list, err)
	}
	for i, want := range []time.Duration{0, 0, 24 * time.Hour, 24 * time.Hour, 48 * time.Hour} {
		if got := list[i].Due.Sub(list[0].Due); got != want {
			t.Errorf("the %d. is due after %v, want %v", i+1, got, want)
		}
	}
	hook.await(t, 2)
	until(t, "two are sent", inState(t, b, "sent", 2))
	if n := len(hook.got()); n != 2 {
		t.Errorf("%d posts on the first day", n)
	}
	if _, err := CatchUp(t.Context(), b, config.New("tidings.yaml", document(hook, ""), nil), "other", posts, 0, "anna", false); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a channel that never was: %v", err)
	}
	// What it plans can be looked at, and the questions of an operator are answered for a configured channel alone.
	if d, err := ShowChannel(t.Context(), b, "hook"); err != nil || d.Policy == nil || d.Policy.Next == nil || d.Policy.Next.Delivery != "hook/"+article.NewID("blog", "c") {
		t.Errorf("%+v, %v", d.Policy, err)
	}
	if who, err := TestChannel(t.Context(), b, "hook"); err != nil || who.Asked {
		t.Errorf("a webhook tells who we are: %+v, %v", who, err)
	}
	if _, err := TestChannel(t.Context(), b, "other"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a channel that is not configured: %v", err)
	}
	_, fresh, err := event.DecodePost(post(t, "hook", "fresh", 1, time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := Judge(t.Context(), b, fresh); err != nil || v.State != "planned" || v.Known {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestACatchUpIsApprovedAsTheChannelSays(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b, hook := server.Bus(t, Name), newSink(t)
	manual := document(hook, ", approve: manual")
	start(t, b, manual)
	until(t, "the channel has its row", known(t, b))
	_, p, err := event.DecodePost(post(t, "hook", "one", 1, time.Now().Add(-1000*time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	list, err := CatchUp(t.Context(), b, config.New("tidings.yaml", manual, nil), "hook", []event.Post{p}, 0, "anna", false)
	if err != nil || len(list) != 1 || list[0].Outcome != "held" || list[0].Reason != "manual" {
		t.Fatal(list, err)
	}
	if _, err := Approve(t.Context(), b, Wish{ID: list[0].Delivery, Actor: "bert"}); err != nil {
		t.Fatal(err)
	}
	hook.await(t, 1)
	until(t, "it is sent", inState(t, b, "sent", 1))
}
