package app

import (
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/natstest"
)

func TestARestoredChannelSendsNothingThatMayBeOut(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b, publisher, hook := server.Bus(t, Name), server.Bus(t, "publish"), newSink(t)
	start(t, b, document(hook, ""))
	until(t, "the channel has its row", known(t, b))
	ctx := t.Context()
	if err := Pause(ctx, b, "hook"); err != nil {
		t.Fatal(err)
	}
	emit(t, publisher, post(t, "hook", "queued in the backup", 1, time.Now()))
	until(t, "it is planned", inState(t, b, "planned", 1))
	for range 2 { // a restore that was killed is made again
		if n, _, err := Restored(ctx, b, time.Now()); err != nil || n != 1 {
			t.Fatalf("%d channels, %v", n, err)
		}
	}
	until(t, "it is skipped", inState(t, b, "skipped", 1))

	// The source is read again: what was posted between backup and loss looks new.
	emit(t, publisher, post(t, "hook", "posted after the backup", 1, time.Now()))
	until(t, "it waits", inState(t, b, "planned", 1))
	list, err := Channels(ctx, b)
	if err != nil || len(list) != 1 || list[0].Paused != "restored" {
		t.Errorf("%+v, %v; want a pause", list, err)
	}
	if err := Resume(ctx, b, "hook"); err != nil {
		t.Fatal(err)
	}
	until(t, "it is skipped", inState(t, b, "skipped", 2))

	emit(t, publisher, post(t, "hook", "news", 1, time.Now().Add(time.Second)))
	until(t, "news are sent", inState(t, b, "sent", 1))
	calls := hook.await(t, 1)
	if n := len(hook.got()); n != 1 {
		t.Errorf("%d calls, want only the one for the news: %v", n, calls)
	}
	some, err := Deliveries(ctx, b, DeliveryFilter{State: "sent"})
	if err != nil || len(some) != 1 || some[0].Story != article.NewID("blog", "news") {
		t.Errorf("sent: %+v, %v", some, err)
	}
}
