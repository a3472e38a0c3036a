package security_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
)

// own lists who may publish to a subject. It is written by hand and not made from the table of permissions: a slip there
// must not repeat itself here. Nobody is named where only the operator may.
var own = []struct {
	subject string
	users   []string
}{
	// What the services tell one another.
	{"article.raw.0a.blog", one("ingest")},
	{"article.backfill.0a.blog", one("ingest")},
	{"article.raw.0a.blog.more", nil},
	{"article.raw.0a", nil},
	{"article.other.0a.blog", nil},
	{"article.enriched.0a.blog.aaaaaaaaaaaaaaaaaaaaaaaaaa", one("enrich")},
	{"article.enriched.0a.blog", nil},
	{"post.news.aaaaaaaaaaaaaaaaaaaaaaaaaa", one("publish")},
	{"post.news", nil},
	{"feed.changed.all", one("publish")},
	{"feed.other.all", nil},
	{"dead.ingest.malformed", one("ingest")},
	{"dead.enrich.malformed", one("enrich")},
	{"dead.publish.malformed", one("publish")},
	{"dead.deliver.malformed", one("deliver")},
	{"dead.tidings.malformed", nil},
	{"event.ingest.source_active", one("ingest")},
	{"event.enrich.taxonomy_changed", one("enrich")},
	{"event.publish.channel_suspended", one("publish")},
	{"event.deliver.channel_paused", one("deliver")},
	{"event.tidings.topology_applied", nil},

	// Buckets and stores.
	{"$KV.source_config.s1", nil},
	{"$KV.source_state.s1", one("ingest")},
	{"$KV.stories.s1", one("enrich")},
	{"$KV.taxonomy.t1", one("enrich")},
	{"$KV.deliveries.p.news.s1", one("deliver")},
	{"$KV.subscriptions.s1", one("deliver")},
	{"$KV.subscriptions.request.r1", one("deliver")},
	{"$KV.subscribers.s1", one("deliver")},
	{"$KV.requests.websub.r1", []string{"publish", "deliver"}},
	{"$KV.requests.other.r1", one("deliver")},
	{"$KV.requests.websub.r1.more", one("deliver")},
	{"$KV.subscribers.request.r1", one("deliver")},
	{"$KV.leases.ingest.17", one("ingest")},
	{"$KV.leases.deliver.channel.news", one("deliver")},
	{"$KV.leases.enrich.x", nil},
	{"$O.blobs.C.x", []string{"ingest", "enrich"}},
	{"$O.blobs.M.x", []string{"ingest", "enrich"}},
	{"$O.snapshots.C.x", []string{"enrich", "publish"}},
	{"$O.snapshots.M.x", []string{"enrich", "publish"}},

	// Reading.
	{"$JS.API.DIRECT.GET.RAW", []string{"ingest", "enrich"}},
	{"$JS.API.DIRECT.GET.ARTICLES", []string{"enrich", "publish"}},
	{"$JS.API.DIRECT.GET.ARTICLES.article.enriched.0a.blog.x", []string{"enrich", "publish"}},
	{"$JS.API.DIRECT.GET.POSTS", []string{"publish", "deliver"}},
	{"$JS.API.DIRECT.GET.FEEDS", nil},
	{"$JS.API.DIRECT.GET.DEAD", nil},
	{"$JS.API.DIRECT.GET.EVENTS", nil},
	{"$JS.API.DIRECT.GET.KV_source_state.$KV.source_state.s1", one("ingest")},
	{"$JS.API.DIRECT.GET.KV_source_state", nil},
	{"$JS.API.DIRECT.GET.KV_stories.$KV.stories.s1", one("enrich")},
	{"$JS.API.DIRECT.GET.KV_deliveries.$KV.deliveries.s1", one("deliver")},
	{"$JS.API.DIRECT.GET.KV_subscribers.$KV.subscribers.s1", one("deliver")},
	{"$JS.API.DIRECT.GET.KV_subscribers", nil},
	{"$JS.API.DIRECT.GET.KV_subscriptions.$KV.subscriptions.s1", one("deliver")},
	{"$JS.API.DIRECT.GET.KV_leases.$KV.leases.ingest.17", one("ingest")},
	{"$JS.API.DIRECT.GET.KV_leases.$KV.leases.deliver.x", one("deliver")},
	{"$JS.API.STREAM.INFO.KV_subscribers", one("deliver")},
	{"$JS.API.STREAM.INFO.KV_subscriptions", one("deliver")},
	{"$JS.API.STREAM.INFO.KV_deliveries", one("deliver")},
	{"$JS.API.STREAM.INFO.DEAD", nil},
	{"$JS.API.STREAM.INFO.EVENTS", nil},

	// Consumers.
	{"$JS.API.CONSUMER.CREATE.RAW.x.article.raw.>", nil},
	{"$JS.API.CONSUMER.CREATE.RAW.x", nil},
	{"$JS.API.CONSUMER.CREATE.RAW", nil},
	{"$JS.API.CONSUMER.DURABLE.CREATE.RAW.x", nil},
	{"$JS.API.CONSUMER.DELETE.RAW.enrich", nil},
	{"$JS.API.CONSUMER.PAUSE.RAW.enrich", nil},
	{"$JS.API.CONSUMER.RESET.RAW.enrich", nil},
	{"$JS.API.CONSUMER.MSG.NEXT.RAW.enrich", one("enrich")},
	{"$JS.API.CONSUMER.INFO.RAW.enrich", []string{"ingest", "enrich"}},
	{"$JS.API.CONSUMER.NAMES.RAW", nil},
	{"$JS.API.CONSUMER.LIST.RAW", nil},
	{"$JS.API.CONSUMER.CREATE.ARTICLES.x.article.enriched.>", []string{"enrich", "publish"}},
	{"$JS.API.CONSUMER.CREATE.ARTICLES.x", nil},
	{"$JS.API.CONSUMER.PAUSE.ARTICLES.composer", nil},
	{"$JS.API.CONSUMER.MSG.NEXT.ARTICLES.composer", []string{"enrich", "publish"}},
	{"$JS.API.CONSUMER.CREATE.POSTS.ch_news.post.news.>", one("deliver")},
	{"$JS.API.CONSUMER.MSG.NEXT.POSTS.ch_news", one("deliver")},
	{"$JS.API.CONSUMER.DELETE.POSTS.ch_news", one("deliver")},
	{"$JS.API.CONSUMER.CREATE.FEEDS.x.feed.changed.>", nil},
	{"$JS.API.CONSUMER.DELETE.FEEDS.websub", nil},
	{"$JS.API.CONSUMER.MSG.NEXT.FEEDS.websub", one("deliver")},
	{"$JS.API.CONSUMER.CREATE.DEAD.x.dead.>", nil},
	{"$JS.API.CONSUMER.CREATE.EVENTS.x.event.>", nil},
	{"$JS.API.CONSUMER.CREATE.KV_source_config.x.$KV.source_config.>", one("ingest")},
	{"$JS.API.CONSUMER.CREATE.KV_source_state.x", nil},
	{"$JS.API.CONSUMER.CREATE.KV_subscribers.x.$KV.subscribers.>", one("deliver")},
	{"$JS.API.CONSUMER.CREATE.KV_requests.x.$KV.requests.>", one("deliver")},
	{"$JS.API.DIRECT.GET.KV_requests.$KV.requests.websub.r1", one("deliver")},
	{"$JS.API.DIRECT.GET.KV_requests", nil},
	{"$JS.API.STREAM.INFO.KV_requests", one("deliver")},
	{"$JS.API.CONSUMER.CREATE.KV_subscriptions.x.$KV.subscriptions.>", one("deliver")},
	{"$JS.API.CONSUMER.CREATE.KV_deliveries.x.$KV.deliveries.>", one("deliver")},
	{"$JS.API.CONSUMER.CREATE.KV_leases.x.$KV.leases.>", nil},
	{"$JS.API.CONSUMER.CREATE.KV_leases.x.$KV.leases.deliver.>", nil},
	{"$JS.API.CONSUMER.CREATE.OBJ_blobs.x.$O.blobs.M.>", nil},

	// Acks of others, and what only the server says.
	{"$JS.ACK.RAW.enrich.1.1.1.1.0", one("enrich")},
	{"$JS.ACK._.hash.RAW.enrich.1.1.1.1.0", one("enrich")},
	{"$JS.ACK.ARTICLES.composer.1.1.1.1.0", one("publish")},
	{"$JS.ACK._.hash.ARTICLES.composer.1.1.1.1.0", one("publish")},
	{"$JS.ACK.POSTS.ch_news.1.1.1.1.0", one("deliver")},
	{"$JS.ACK.FEEDS.websub.1.1.1.1.0", one("deliver")},
	{"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.RAW.enrich", nil},
	{"$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.RAW.enrich", nil},
	{"$JS.EVENT.METRIC.CONSUMER.ACK.RAW.enrich", nil},

	// Verbs, inboxes and the server itself.
	{"adm.ingest.reload", nil},
	{"adm.enrich.reload", nil},
	{"adm.publish.reload", nil},
	{"adm.publish.document", one("deliver")},
	{"adm.publish.compose", one("deliver")},
	{"adm.deliver.resume", nil},
	{"adm.deliver.preferences", one("publish")},
	{"$SRV.PING", nil},
	{"$SRV.INFO.ingest", nil},
	{"_INBOX_ingest.x", nil},
	{"_INBOX_enrich.x", nil},
	{"_INBOX_publish.x", nil},
	{"_INBOX_deliver.x", nil},
	{"_INBOX_tidings.x", nil},
	{"_INBOX.x", nil},
	{"$SYS.REQ.SERVER.PING.VARZ", nil},
	{"$SYS.REQ.USER.INFO", nil},
	{"$JS.API.ACCOUNT.PURGE.APP", nil},
	{"$JS.API.META.LEADER.STEPDOWN", nil},
	{"$JS.API.STREAM.NAMES", nil},
	{"$JS.API.STREAM.LIST", nil},
	{"$JS.SNAPSHOT.ACK.RAW.x", nil},
}

func one(user string) []string { return []string{user} }

// streamVerbs change or read a stream as a whole, or single messages of it.
var streamVerbs = []string{"CREATE", "UPDATE", "DELETE", "PURGE", "SNAPSHOT", "RESTORE", "MSG.GET", "MSG.DELETE", "LEADER.STEPDOWN"}

// unheard are what no service may subscribe to: messages come by consumers alone, and nobody reads along.
var unheard = []string{
	">", "*", "*.>", "article.>", "article.raw.>", "article.raw.*.*", "article.enriched.>", "post.>", "feed.>", "dead.>", "event.>",
	"adm.>", "adm.*.reload", "_INBOX.>", "_INBOX_*.>", "$JS.>", "$JS.API.>", "$JS.ACK.>", "$JS.FC.>", "$JS.EVENT.>", "$KV.>", "$O.>",
	"$SYS.>", "$SYS.SERVER.>", "$SRV.>", "$SRV.*.*", "$SRV.*.other",
}

var services = []string{event.UserIngest, event.UserEnrich, event.UserPublish, event.UserDeliver}

func (w *world) refuse(t *testing.T) {
	t.Helper()
	top, err := event.NewTopology(event.DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range services {
		line := w.broker.Line(t, user)
		for _, o := range own {
			if !slices.Contains(o.users, user) {
				w.mayNotSay(t, line, user, o.subject)
			}
		}
		for _, s := range top.Streams {
			for _, verb := range streamVerbs {
				w.mayNotSay(t, line, user, "$JS.API.STREAM."+verb+"."+s.StreamName())
			}
		}
		for _, subject := range unheard {
			w.mayNotHear(t, line, user, subject)
		}
		for _, other := range append(services, event.RoleAdmin) {
			if other != user {
				w.mayNotHear(t, line, user, "_INBOX_"+other+".>")
				w.mayNotHear(t, line, user, event.AdminSubject(other, ">"))
				w.mayNotHear(t, line, user, "$SRV.PING."+other)
			}
		}
	}
	w.refuseOperators(t)
	w.refuseStrangers(t)
}

func (w *world) mayNotSay(t *testing.T, line *natstest.Line, user, subject string) {
	t.Helper()
	w.tally.add(0, 1)
	if err := line.Publish(event.Message{Subject: subject, Body: []byte("{}")}, ""); !errors.Is(err, natstest.ErrDenied) {
		t.Errorf("%s may publish to %s: %v", user, subject, err)
	}
}

func (w *world) mayNotHear(t *testing.T, line *natstest.Line, user, subject string) {
	t.Helper()
	w.tally.add(0, 1)
	if err := line.Hear(subject); !errors.Is(err, natstest.ErrDenied) {
		t.Errorf("%s may subscribe to %s: %v", user, subject, err)
	}
}

// refuseOperators: the operator does not speak for the server or a service, and the monitor only reads.
func (w *world) refuseOperators(t *testing.T) {
	t.Helper()
	admin := w.broker.Line(t, event.UserAdmin)
	for _, subject := range []string{
		"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.RAW.enrich", "$SYS.REQ.SERVER.PING.VARZ", "event.ingest.x", "_INBOX_ingest.x", "_INBOX_tidings.x", "feed.other.x",
	} {
		w.mayNotSay(t, admin, event.UserAdmin, subject)
	}
	for _, subject := range []string{">", "article.>", "post.>", "_INBOX_ingest.>", "adm.>", "$SYS.>", "$KV.>"} {
		w.mayNotHear(t, admin, event.UserAdmin, subject)
	}
	monitor := w.broker.Line(t, event.UserMonitor)
	reply, err := monitor.Request(t.Context(), "$SYS.REQ.SERVER.PING.IDZ", nil)
	if err != nil {
		t.Fatal(err)
	}
	var id struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(reply.Body, &id); err != nil || id.ID == "" {
		t.Fatalf("the server does not name itself: %s", reply.Body)
	}
	for _, verb := range []string{"RELOAD", "LDM", "KICK", "PROFILEZ"} {
		w.mayNotSay(t, monitor, event.UserMonitor, "$SYS.REQ.SERVER."+id.ID+"."+verb)
		w.mayNotSay(t, monitor, event.UserMonitor, "$SYS.REQ.SERVER.PING."+verb)
	}
	for _, subject := range []string{
		"$SYS.REQ.CLAIMS.UPDATE", "$SYS.REQ.ACCOUNT.APP.CLAIMS.UPDATE", "$SYS.REQ.CLAIMS.DELETE", "$SYS.ACCOUNT.APP.DISCONNECT", "article.raw.0a.blog", "$JS.API.INFO",
		"$JS.API.STREAM.DELETE.RAW", "adm.ingest.reload", "$SYS.REQ.SERVER." + id.ID + ".VARZ.more",
	} {
		w.mayNotSay(t, monitor, event.UserMonitor, subject)
	}
	for _, subject := range []string{">", "article.>", "$SYS.>", "$SYS.REQ.>", "_INBOX_tidings.>", "$SYS._INBOX.>"} {
		w.mayNotHear(t, monitor, event.UserMonitor, subject)
	}
}

// refuseStrangers: nobody comes in without a key that the file names.
func (w *world) refuseStrangers(t *testing.T) {
	t.Helper()
	for who, seed := range map[string][]byte{"anonymous": nil, "an unknown key": natstest.Seed(t)} {
		for _, inbox := range []string{"ingest", "tidings"} {
			w.tally.add(0, 1)
			if _, err := w.broker.Dial(t, seed, inbox); err == nil || !strings.Contains(err.Error(), "Authorization") {
				t.Errorf("%s is let in: %v", who, err)
			}
		}
	}
	// A key gives the rights of its user, whatever role its holder claims.
	line, err := w.broker.Dial(t, w.seeds[event.UserIngest], event.RoleAdmin)
	if err != nil {
		t.Fatal(err)
	}
	w.mayNotHear(t, line, "ingest in the role of the operator", "_INBOX_tidings.>")
	w.mayNotSay(t, line, "ingest in the role of the operator", "adm.deliver.pause")
}
