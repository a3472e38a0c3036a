package app

import (
	"context"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
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
	for n := range 2 { // twice is as good
		if already, err := Approve(ctx, b, Wish{ID: one, Actor: "anna"}); err != nil || already != (n > 0) {
			t.Fatal(already, err)
		}
		if err := Reject(ctx, b, Wish{ID: two, Actor: "anna"}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := Channels(ctx, b)
	if err != nil || len(list) != 1 || list[0].Paused != "operator" || list[0].Waiting != 1 || list[0].Deliveries["approved"] != 1 || list[0].Deliveries["skipped"] != 1 {
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
	why := Wish{ID: "hook/" + article.NewID("blog", "four"), Actor: "anna", Why: "not ours"}
	emit(t, publisher, post(t, "hook", "four", 1, time.Now()))
	until(t, "the fourth is held", inState(t, b, "held", 1))
	for range 2 {
		if err := Reject(ctx, b, why); err != nil {
			t.Fatal(err)
		}
	}
	if d, err := Delivery(ctx, b, why.ID); err != nil || d.Reason != "rejected" || d.Text != "not ours" {
		t.Errorf("%+v, %v", d, err)
	}
	if already, err := Approve(ctx, b, Wish{ID: one, Actor: "anna"}); err != nil || !already {
		t.Errorf("approved again after it was sent: %v, %v", already, err)
	}
	approve := func(id string) error {
		_, err := Approve(ctx, b, Wish{ID: id, Actor: "anna"})
		return err
	}
	for what, err := range map[string]error{
		"a sent one is resolved":     Resolve(ctx, b, Wish{ID: one}, true, ""),
		"a sent one is retried":      Retry(ctx, b, Wish{ID: one, Actor: "anna"}),
		"what is not there":          Retry(ctx, b, Wish{ID: "hook/aaaaaaaaaaaaaaaaaaaaaaaaaa"}),
		"no id":                      approve("hook/*"),
		"a skipped one is approved":  approve(three.ID),
		"a channel that never was":   Resume(ctx, b, "other"),
		"a channel of no valid name": Pause(ctx, b, "a.b"),
	} {
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// told counts the notices of deliver by type.
func told(t *testing.T, b *bus.Bus) map[string]int {
	t.Helper()
	state, err := b.StreamState(t.Context(), event.StreamEvents)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for n := state.First; n <= state.Last; n++ {
		m, err := b.At(t.Context(), event.StreamEvents, n)
		if err != nil || m == nil {
			t.Fatal(m, err)
		}
		if _, notice, err := event.DecodeNotice(m.Message); err == nil {
			counts[notice.Type]++
		}
	}
	return counts
}

func TestWhatAPersonDecidesIsToldOnce(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b, publisher, hook := server.Bus(t, Name), server.Bus(t, "publish"), newSink(t)
	stop := start(t, b, document(hook, ", approve: manual"))
	until(t, "the channel has its row", known(t, b))
	ctx := t.Context()
	wish := func(item string) Wish { return Wish{ID: "hook/" + article.NewID("blog", item), Actor: "anna"} }
	items := []string{"one", "two", "three"}
	for i, item := range items {
		emit(t, publisher, post(t, "hook", item, 1, time.Now()))
		until(t, item+" is held", inState(t, b, "held", i+1))
	}
	if err := Pause(ctx, b, "hook"); err != nil { // else what is approved is sent, and the last step another's
		t.Fatal(err)
	}
	approve := func(ctx context.Context, b *bus.Bus, w Wish) error {
		_, err := Approve(ctx, b, w)
		return err
	}
	for range 2 {
		for i, verb := range []func(context.Context, *bus.Bus, Wish) error{approve, Reject, Skip} {
			if err := verb(ctx, b, wish(items[i])); err != nil {
				t.Fatal(err)
			}
		}
	}
	until(t, "all three decisions are told", func() bool {
		n := told(t, b)
		return n["approved"] == 1 && n["rejected"] == 1 && n["skipped"] == 1 && n["held"] == 3
	})
	stop()
	start(t, b, document(hook, ", approve: manual")) // reads the rows anew, and tells nothing of them
	emit(t, publisher, post(t, "hook", "four", 1, time.Now()))
	until(t, "the fourth is held and told", func() bool { return told(t, b)["held"] == 4 })
	if n := told(t, b); n["approved"] != 1 || n["rejected"] != 1 || n["skipped"] != 1 {
		t.Errorf("a restart tells of old decisions: %v", n)
	}
}

func TestAPersonHoldsHurriesEditsAndDeletes(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b, publisher, hook := server.Bus(t, Name), server.Bus(t, "publish"), newSink(t)
	stop := start(t, b, document(hook, ", max_per_day: 1, approve: hold 1h"))
	until(t, "the channel has its row", known(t, b))
	ctx := t.Context()
	wish := func(item string) Wish { return Wish{ID: "hook/" + article.NewID("blog", item), Actor: "anna"} }
	for i, item := range []string{"one", "two", "three"} {
		emit(t, publisher, post(t, "hook", item, 1, time.Now()))
		until(t, item+" is held", inState(t, b, "held", i+1))
	}
	for range 2 {
		if err := Hold(ctx, b, wish("one"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if d, err := Delivery(ctx, b, wish("one").ID); err != nil || d.Reason != "operator" || !d.Due.IsZero() || d.History[len(d.History)-1].Actor != "anna" {
		t.Errorf("held: %+v, %v", d, err)
	}
	if err := Now(ctx, b, wish("two")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a held one was sent now: %v", err)
	}
	for _, item := range []string{"two", "three"} { // the day has one post
		if _, err := Approve(ctx, b, wish(item)); err != nil {
			t.Fatal(err)
		}
	}
	hook.await(t, 1)
	until(t, "one of two is sent", inState(t, b, "sent", 1))
	rest, err := Deliveries(ctx, b, DeliveryFilter{State: "approved"})
	if err != nil || len(rest) != 1 {
		t.Fatalf("%+v, %v", rest, err)
	}
	for range 2 {
		err = Now(ctx, b, Wish{ID: rest[0].Channel + "/" + rest[0].Story, Actor: "anna"})
		if err != nil && fault.KindOf(err) != fault.Invalid { // it may be out by now
			t.Fatal(err)
		}
	}
	hook.await(t, 2)
	until(t, "both are sent", inState(t, b, "sent", 2))

	p := event.Post{
		Article: article.NewID("blog", "one"), Network: "webhook", Revision: 1, Text: "other words", Hash: "other",
		Request: event.Request{Body: []byte(`{"id":"msg_one","type":"article.published","data":{"title":"other words"}}`)},
	}
	if err := Edit(ctx, b, wish("two"), p); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a sent one was edited, or another's words were taken: %v", err)
	}
	if err := Edit(ctx, b, wish("one"), p); err != nil {
		t.Fatal(err)
	}
	emit(t, publisher, post(t, "hook", "one", 2, time.Now()))
	until(t, "the newer revision is marked", func() bool {
		d, err := Delivery(ctx, b, wish("one").ID)
		return err == nil && d.Newer == 2 && d.Post == "other words" && d.EditedBy == "anna"
	})
	stop() // what a person decided stands in the ledger
	start(t, b, document(hook, ", max_per_day: 1, approve: hold 1h"))
	if _, err := Approve(ctx, b, wish("one")); err != nil {
		t.Fatal(err)
	}
	if err := Now(ctx, b, wish("one")); err != nil {
		t.Fatal(err)
	}
	if calls := hook.await(t, 3); !strings.Contains(string(calls[2].Body), "other words") {
		t.Errorf("sent %s", calls[2].Body)
	}
	until(t, "all are sent", inState(t, b, "sent", 3))
	for range 2 {
		if err := Delete(ctx, b, wish("one")); err != nil {
			t.Fatal(err)
		}
	}
	calls := hook.await(t, 4)
	until(t, "it is deleted", inState(t, b, "deleted", 1))
	if !strings.Contains(string(calls[3].Body), `"type":"article.removed"`) || len(hook.got()) != 4 {
		t.Errorf("%d calls, the last %s", len(hook.got()), calls[3].Body)
	}
	if err := Delete(ctx, b, Wish{ID: "hook/aaaaaaaaaaaaaaaaaaaaaaaaaa"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("what is not there was deleted: %v", err)
	}
}
