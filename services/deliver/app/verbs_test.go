package app

import (
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

func TestVerbsOfTheOperator(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b, publisher, hook := server.Bus(t, Name), server.Bus(t, "publish"), newSink(t)
	start(t, b, document(hook, ", approve: manual"))
	until(t, "the channel has its row", known(t, b))
	ctx := t.Context()
	if err := Pause(ctx, b, "hook"); err != nil {
		t.Fatal(err)
	}
	for _, item := range []string{"one", "two"} {
		emit(t, publisher, post(t, "hook", item, 1, time.Now()))
	}
	until(t, "both are held", inState(t, b, "held", 2))
	one, two := "hook/"+article.NewID("blog", "one"), "hook/"+article.NewID("blog", "two")
	for range 2 { // twice is as good
		if err := Approve(ctx, b, Wish{ID: one, Actor: "anna"}); err != nil {
			t.Fatal(err)
		}
		if err := Reject(ctx, b, Wish{ID: two, Actor: "anna"}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := Channels(ctx, b)
	if err != nil || len(list) != 1 || list[0].Paused != "operator" || list[0].Deliveries["approved"] != 1 || list[0].Deliveries["skipped"] != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if n := len(hook.got()); n != 0 {
		t.Errorf("%d calls while the channel is paused", n)
	}
	if err := Resume(ctx, b, "hook"); err != nil {
		t.Fatal(err)
	}
	hook.await(t, 1)
	until(t, "the approved one is sent", inState(t, b, "sent", 1))
	some, err := Deliveries(ctx, b, DeliveryFilter{Channel: "hook", Last: 1})
	if err != nil || len(some) != 1 || some[0].State != "sent" || some[0].Remote == "" || some[0].Changed.IsZero() {
		t.Errorf("the newest: %+v, %v", some, err)
	}
	if none, err := Deliveries(ctx, b, DeliveryFilter{Since: time.Now().Add(time.Hour)}); err != nil || len(none) != 0 {
		t.Errorf("from the future: %+v, %v", none, err)
	}
	emit(t, publisher, post(t, "hook", "three", 1, time.Now()))
	until(t, "the third is held", inState(t, b, "held", 1))
	three := Wish{ID: "hook/" + article.NewID("blog", "three"), Actor: "anna"}
	for range 2 {
		if err := Skip(ctx, b, three); err != nil {
			t.Fatal(err)
		}
	}
	if d, err := Delivery(ctx, b, three.ID); err != nil || d.State != "skipped" || d.Reason != "operator" || d.Version == 0 {
		t.Errorf("%+v, %v", d, err)
	}
	for what, err := range map[string]error{
		"a sent one is resolved":     Resolve(ctx, b, Wish{ID: one}, true, ""),
		"a sent one is approved":     Approve(ctx, b, Wish{ID: one, Actor: "anna"}),
		"a sent one is retried":      Retry(ctx, b, Wish{ID: one, Actor: "anna"}),
		"what is not there":          Retry(ctx, b, Wish{ID: "hook/aaaaaaaaaaaaaaaaaaaaaaaaaa"}),
		"no id":                      Approve(ctx, b, Wish{ID: "hook/*"}),
		"a channel that never was":   Resume(ctx, b, "other"),
		"a channel of no valid name": Pause(ctx, b, "a.b"),
	} {
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
}
