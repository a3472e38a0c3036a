package security_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// The server publishes the answer to a direct get wherever the asker wants (nats-server #8274), so ingest can have a
// body of its own stored as if enrich had written it. Permissions cannot prevent that; every reader finds it out.
func TestAnInjectedMessageEndsAsADeadLetter(t *testing.T) {
	t.Parallel()
	w, x := newWorld(t, "", &tally{}), messages(t)
	intruder := w.broker.Line(t, event.UserIngest)
	// A perfect forgery, hash and all, but for the way by which it comes.
	forged := x.enriched.Clone()
	forged.Subject = "$KV.source_state.forged"
	if err := intruder.Publish(forged, ""); err != nil {
		t.Fatal(err)
	}
	if err := intruder.Publish(event.Message{Subject: "$JS.API.DIRECT.GET.KV_source_state." + forged.Subject}, x.enriched.Subject); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the forgery to be stored", func() bool {
		r, err := w.admin.Last(t.Context(), x.enriched.Subject)
		return err == nil && r != nil
	})

	publish := w.caller(t, event.UserPublish)
	last, err := publish.Last(t.Context(), x.enriched.Subject)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := event.DecodeEnriched(last.Message); fault.KindOf(err) != fault.Malformed || !strings.Contains(err.Error(), "injected") {
		t.Errorf("the forgery is read as %v", err)
	}
	publish.consume(event.StreamArticles, event.ConsumerComposer, 1, func(_ context.Context, d *bus.Delivery) error {
		_, _, err := event.DecodeEnriched(d.Message)
		return err
	})
	letters, err := w.admin.DeadList(t.Context(), bus.DeadFilter{Service: "publish"})
	if err != nil || len(letters) != 1 || letters[0].Reason != string(fault.Malformed) || !strings.Contains(letters[0].Error, "Nats-") {
		t.Errorf("the dead letters are %+v, %v", letters, err)
	}

	// What enrich has to say takes the place of the forgery, although that claims the same version.
	enrich := w.caller(t, event.UserEnrich)
	if outcome, err := enrich.Emit(t.Context(), x.enriched); err != nil || outcome != bus.Stored {
		t.Errorf("enrich emits over the forgery: %s, %v", outcome, err)
	}
	last, err = publish.Last(t.Context(), x.enriched.Subject)
	if err != nil {
		t.Fatal(err)
	}
	if _, a, err := event.DecodeEnriched(last.Message); err != nil || a.Title != "One" {
		t.Errorf("afterwards the subject holds %q, %v", a.Title, err)
	}
}

// The other way to make the server speak is a consumer that pushes. It finds no listener on a subject that only a
// stream takes, so nothing is stored.
func TestAPushingConsumerStoresNothing(t *testing.T) {
	t.Parallel()
	w, x := newWorld(t, "", &tally{}), messages(t)
	intruder := w.broker.Line(t, event.UserIngest)
	forged := x.enriched.Clone()
	forged.Subject = "$KV.source_state.forged"
	if err := intruder.Publish(forged, ""); err != nil {
		t.Fatal(err)
	}
	request, err := json.Marshal(map[string]any{"stream_name": "KV_source_state", "config": map[string]any{
		"name": "forger", "deliver_subject": x.enriched.Subject, "filter_subject": forged.Subject, "ack_policy": "none", "deliver_policy": "all",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := intruder.Request(t.Context(), "$JS.API.CONSUMER.CREATE.KV_source_state.forger."+forged.Subject, request); err != nil {
		t.Fatal(err)
	}
	// The next message of enrich is the first of the stream: nothing came between.
	if _, err := w.caller(t, event.UserEnrich).Emit(t.Context(), x.enriched); err != nil {
		t.Fatal(err)
	}
	if last, err := w.admin.Last(t.Context(), x.enriched.Subject); err != nil || last.Sequence != 1 {
		t.Errorf("the article stands at %+v, %v; want 1", last, err)
	}
	reply, err := w.broker.Line(t, event.UserAdmin).Request(t.Context(), "$JS.API.CONSUMER.INFO.KV_source_state.forger", nil)
	if err != nil {
		t.Fatal(err)
	}
	var info struct {
		Pending int `json:"num_pending"`
	}
	if err := json.Unmarshal(reply.Body, &info); err != nil || info.Pending != 1 {
		t.Errorf("the consumer is not waiting: %s", reply.Body)
	}
}

// A permission names a subject; that the body asks for the same thing is the server's to compare.
func TestTheBodyOfARequestCannotReachBeyondItsSubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", &tally{})
	line := w.broker.Line(t, event.UserIngest)
	for name, c := range map[string]struct{ stream, filter string }{
		"another stream":  {"KV_subscribers", "$KV.subscribers.>"},
		"another filter":  {"KV_leases", "$KV.leases.>"},
		"no filter":       {"KV_leases", ""},
		"another service": {"KV_leases", "$KV.leases.deliver.>"},
	} {
		request, err := json.Marshal(map[string]any{"stream_name": c.stream, "config": map[string]any{
			"name": "spy", "deliver_subject": "_INBOX_ingest.spy", "filter_subject": c.filter, "ack_policy": "none",
		}})
		if err != nil {
			t.Fatal(err)
		}
		reply, err := line.Request(t.Context(), "$JS.API.CONSUMER.CREATE.KV_leases.spy.$KV.leases.ingest.>", request)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Error *struct {
				Description string `json:"description"`
			} `json:"error"`
		}
		if err := json.Unmarshal(reply.Body, &answer); err != nil || answer.Error == nil {
			t.Errorf("%s: the server answers %s", name, reply.Body)
		}
	}
}

// Who may write one key of a bucket may empty it, by a header. That is why a bucket belongs to one service, why publish
// has none, and why the leases, which two services share, may be lost: the holder notices, and nothing depends on them
// alone.
func TestARollUpReachesItsOwnBucketOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", &tally{})
	deliver := w.caller(t, event.UserDeliver)
	lease, err := deliver.Acquire(t.Context(), "deliver.channel.news")
	if err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{event.BucketDeliveries, event.BucketSubscribers, event.BucketSubscriptions} {
		if _, err := deliver.Bucket(bucket).Put(t.Context(), "row", []byte("1")); err != nil {
			t.Fatal(err)
		}
	}
	for _, user := range []string{event.UserIngest, event.UserEnrich, event.UserPublish} {
		line := w.broker.Line(t, user)
		for _, subject := range []string{"$KV.deliveries.row", "$KV.subscribers.request.r", "$KV.subscriptions.request.r", "$KV.leases." + user + ".x", "$KV.source_state.x", "$KV.stories.x"} {
			// Denied or not: what counts is what is left.
			_ = line.Publish(event.Message{Subject: subject, Header: event.Header{"Nats-Rollup": {"all"}}}, "")
		}
	}
	for _, bucket := range []string{event.BucketDeliveries, event.BucketSubscribers, event.BucketSubscriptions} {
		if _, ok, err := deliver.Bucket(bucket).Read(t.Context(), "row"); err != nil || !ok {
			t.Errorf("%s was emptied by another: %t, %v", bucket, ok, err)
		}
	}
	// ingest, which has leases too, emptied that bucket.
	if _, ok, err := deliver.Bucket(event.BucketLeases).Read(t.Context(), "deliver.channel.news"); err != nil || ok {
		t.Errorf("the lease is there: %t, %v; if the server has learned to refuse roll-ups, say so in pkg/event", ok, err)
	}
	select {
	case <-lease.Lost():
	case <-time.After(20 * time.Second):
		t.Error("the holder did not notice that its lease is gone")
	}
}

// A denied publish gives its caller nothing but a time-out. The check of readiness names the subject.
func TestAViolationIsAFailedCheckWithItsSubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", &tally{})
	b := w.caller(t, event.UserPublish)
	if err := b.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, _, err := b.Bucket(event.BucketSubscribers).Read(ctx, "row")
	if kind := fault.KindOf(err); err == nil || kind != fault.Unreachable && kind != fault.Refused && kind != fault.Internal {
		t.Errorf("publish reads a subscriber: %v", err)
	}
	eventually(t, "the check to fail", func() bool { return b.Probe(t.Context()) != nil })
	err = b.Probe(t.Context())
	if fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "$JS.API.STREAM.INFO.KV_subscribers") || !strings.Contains(err.Error(), "publish") {
		t.Errorf("the check says %v", err)
	}
}

// A key that the server does not know is told as what it is.
func TestAnUnknownKeyIsRefusedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", &tally{})
	b, err := bus.Connect(t.Context(), bus.Config{Service: "ingest", URL: w.broker.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	err = b.WaitConnected(t.Context())
	if fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "ingest") {
		t.Errorf("a connection without a key: %v", err)
	}
}
