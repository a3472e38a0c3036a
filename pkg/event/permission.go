package event

import (
	"slices"
	"strings"
)

// User is a user of the broker: what one of our processes may say there, and what it may hear. A user is a nkey, of which
// the server knows the public half.
type User struct {
	// Name is how the configuration of the server knows it; the variable NKEY_<NAME> holds its public key.
	Name string
	// Role is the role on the bus. It names the inbox, the notices, the dead letters and the verbs of the user.
	Role    string
	Account Account
	About   string
	// Says are the subjects that it may publish to, in groups of one purpose.
	Says []Grant
	// Hears are the subjects that it may subscribe to.
	Hears []string
	// Answers allows one reply to each request that it hears, whatever the subject of the reply.
	Answers bool
}

// Grant is a group of subjects that serve one purpose.
type Grant struct {
	For      string
	Subjects []string
	// Planned says that nothing in this version needs the grant yet; the file has it already, so that an operator
	// need not change his when the rest comes.
	Planned bool
}

// Account is an account of the server. Users of one account never hear those of another.
type Account string

// The accounts.
const (
	AccountApp Account = "APP"
	AccountSys Account = "SYS" // of the server itself
)

// The users.
const (
	UserIngest  = "ingest"
	UserEnrich  = "enrich"
	UserPublish = "publish"
	UserDeliver = "deliver"
	UserAdmin   = "admin"
	UserMonitor = "monitor"
)

// RoleAdmin is the role of the operator on the bus.
const RoleAdmin = "tidings"

// Subjects of the broker's own programming interface (nats.go, jetstream/api.go).
const (
	apiStreamInfo = "$JS.API.STREAM.INFO."
	apiDirectGet  = "$JS.API.DIRECT.GET."
	apiCreate     = "$JS.API.CONSUMER.CREATE."
	apiInfo       = "$JS.API.CONSUMER.INFO."
	apiNext       = "$JS.API.CONSUMER.MSG.NEXT."
	apiDelete     = "$JS.API.CONSUMER.DELETE."
)

// Pattern is the narrowest subject with wildcards that matches all of a space.
func Pattern(s Space) string {
	return string(s) + strings.Repeat(".*", len(Subject{Space: s}.tokens()))
}

// look: state and settings of streams ([bus.Bus.ProbeTopology], StreamState, and the first step of every subscription).
func look(streams ...string) []string {
	var list []string
	for _, s := range streams {
		list = append(list, apiStreamInfo+s)
	}
	return list
}

// emit: read the newest message of a subject and replace it.
func emit(s Space) []string {
	return []string{Pattern(s), apiDirectGet + StreamOf(s) + "." + Pattern(s)}
}

// behind: how far a consumer is behind, with the age of its oldest message.
func behind(stream, consumer string) []string {
	return []string{apiStreamInfo + stream, apiInfo + stream + "." + consumer, apiDirectGet + stream}
}

// eat: work on a durable consumer that exists. An ack has two forms: the second names domain and account, and a server
// uses it when its feature js_ack_fc_v2 is on.
func eat(stream, consumer string) []string {
	return []string{
		apiInfo + stream + "." + consumer, apiNext + stream + "." + consumer,
		"$JS.ACK." + stream + "." + consumer + ".>", "$JS.ACK.*.*." + stream + "." + consumer + ".>",
	}
}

// fold: an ordered consumer, which the library makes, renews and removes under names of its own, and a look at single
// messages, by which a stream that was rolled back is recognised.
func fold(stream, subjects string) []string {
	return []string{
		apiStreamInfo + stream, apiCreate + stream + ".*." + subjects, apiNext + stream + ".*", apiDelete + stream + ".*",
		apiDirectGet + stream, apiDirectGet + stream + "." + subjects,
	}
}

// durable: make, bind and remove consumers.
func durable(stream, subjects string) []string {
	return []string{
		apiStreamInfo + stream, apiCreate + stream + ".*." + subjects, apiInfo + stream + ".*", apiNext + stream + ".*", apiDelete + stream + ".*",
	}
}

// readKeys: read and watch the keys of a bucket that match a pattern. The library watches by a consumer that pushes, and
// answers its flow control, which has two forms as an ack has.
func readKeys(bucket, keys string) []string {
	stream, subjects := "KV_"+bucket, "$KV."+bucket+"."+keys
	return slices.Concat([]string{apiStreamInfo + stream, apiDirectGet + stream + "." + subjects}, pushed(stream, subjects))
}

func pushed(stream, subjects string) []string {
	return []string{
		apiCreate + stream + ".*." + subjects, apiDelete + stream + ".*",
		"$JS.FC." + stream + ".>", "$JS.FC.*.*." + stream + ".>",
	}
}

// guardKeys: read single keys, without watching.
func guardKeys(bucket, keys string) []string {
	return []string{apiStreamInfo + "KV_" + bucket, apiDirectGet + "KV_" + bucket + ".$KV." + bucket + "." + keys}
}

func writeKeys(bucket, keys string) []string { return []string{"$KV." + bucket + "." + keys} }

// readObjects: find an object by its name and read its chunks.
func readObjects(store string) []string {
	stream, base := "OBJ_"+store, "$O."+store
	return slices.Concat([]string{apiStreamInfo + stream, apiDirectGet + stream + "." + base + ".M.*"}, pushed(stream, base+".C.*"))
}

// writeObjects: look for an object and store it where there is none. To replace one needs the right to purge the
// stream, which could empty the store.
func writeObjects(store string) []string {
	stream, base := "OBJ_"+store, "$O."+store
	return []string{apiStreamInfo + stream, apiDirectGet + stream + "." + base + ".M.*", base + ".C.*", base + ".M.*"}
}

// service fills in what all services have: notices and dead letters to write; an inbox, verbs and the discovery of
// services to hear.
func service(name, about string, says ...Grant) User {
	says = append(says, Grant{For: "notices and dead letters", Subjects: []string{
		string(SpaceEvent) + "." + name + ".*", string(SpaceDead) + "." + name + ".*",
	}})
	return User{
		Name: name, Role: name, Account: AccountApp, About: about, Says: says, Answers: true,
		Hears: slices.Concat([]string{inbox(name), AdminSubject(name, ">")}, discovery(name)),
	}
}

// discovery: by these an operator finds services (nats.go, micro). Each is named, since the server takes the star of an
// allowed "$SRV.*" for any one token, ">" too, and so would allow a subscription to "$SRV.>".
func discovery(name string) []string {
	var list []string
	for _, verb := range []string{"PING", "INFO", "STATS"} {
		list = append(list, "$SRV."+verb, "$SRV."+verb+"."+name, "$SRV."+verb+"."+name+".*")
	}
	return list
}

func inbox(role string) string { return "_INBOX_" + role + ".>" }

// Users returns the users of the shipped configuration of the server with what each may do.
//
// They keep an honest process with a fault from spoiling what is another's, and an intruder from most of it; they are
// no proof of who wrote a message. The server can be made to publish in a user's name: whoever may read a message
// directly chooses where the answer goes (nats-server #8274), to a stream or to a verb. Readers of streams therefore check
// every message ([Decode]).
//
// The right to write one key of a bucket is the right to empty the bucket: the header "Nats-Rollup: all" asks for it, and
// a server that allows roll-ups, as buckets need, looks at no more than the subject. So a bucket is written by one service
// alone. Only the leases are shared: whoever loses one finds out at its next renewal, and the compare-and-set on the
// state is the true fence. What a public process leaves for another has a bucket of its own, [BucketRequests].
func Users() []User {
	return []User{
		service(UserIngest, "polls sources",
			Grant{For: "articles as they were found", Subjects: []string{Pattern(SpaceRaw), Pattern(SpaceBackfill)}},
			Grant{For: "admission: how far enrich is behind", Subjects: behind(StreamRaw, "*")},
			Grant{For: "bodies too long for a message", Subjects: writeObjects(StoreBlobs)},
			Grant{For: "sources that an operator added", Subjects: readKeys(BucketSourceConfig, ">")},
			Grant{For: "what it knows of each source", Subjects: slices.Concat(readKeys(BucketSourceState, ">"), writeKeys(BucketSourceState, ">"))},
			Grant{For: "leases", Subjects: slices.Concat(readKeys(BucketLeases, "ingest.>"), writeKeys(BucketLeases, "ingest.>"))},
		),
		service(UserEnrich, "cleans, tags and clusters; has no other network",
			Grant{For: "raw articles", Subjects: slices.Concat(look(StreamRaw), eat(StreamRaw, "*"), []string{apiDirectGet + StreamRaw})},
			Grant{For: "enriched articles, and what they teach", Subjects: slices.Concat(emit(SpaceEnriched), fold(StreamArticles, All(SpaceEnriched)))},
			Grant{For: "what was learnt of them, hour by hour", Subjects: slices.Concat(readObjects(StoreSnapshots), writeObjects(StoreSnapshots))},
			Grant{For: "bodies too long for a message", Subjects: slices.Concat(readObjects(StoreBlobs), writeObjects(StoreBlobs))},
			Grant{For: "which article tells which story", Subjects: slices.Concat(readKeys(BucketStories, ">"), writeKeys(BucketStories, ">"))},
			Grant{For: "the taxonomy", Subjects: slices.Concat(readKeys(BucketTaxonomy, ">"), writeKeys(BucketTaxonomy, ">"))},
		),
		service(UserPublish, "serves feeds to the public and composes posts; neither reads nor writes subscribers",
			Grant{For: "articles: the projection, and the composer's consumer", Subjects: slices.Concat(fold(StreamArticles, All(SpaceEnriched)), eat(StreamArticles, ConsumerComposer))},
			Grant{For: "posts, and how far each channel is behind", Subjects: slices.Concat(emit(SpacePost), behind(StreamPosts, "*"))},
			Grant{For: "changes of feeds", Subjects: slices.Concat(look(StreamFeeds), emit(SpaceFeed))},
			Grant{For: "requests of subscribing sites, left for deliver without reading any", Subjects: writeKeys(BucketRequests, RequestsOfSites+"*")},
			Grant{For: "requests of readers, left likewise", Subjects: writeKeys(BucketRequests, RequestsOfReaders+"*")},
			Grant{For: "bodies too long for a message", Subjects: readObjects(StoreBlobs)},
			Grant{For: "short cuts for the projection", Subjects: slices.Concat(readObjects(StoreSnapshots), writeObjects(StoreSnapshots)), Planned: true},
			Grant{For: "a reader's preferences", Subjects: []string{AdminSubject(UserDeliver, VerbPreferences)}},
		),
		service(UserDeliver, "sends posts; the only one with credentials of networks",
			Grant{For: "posts: a consumer for each channel", Subjects: slices.Concat(durable(StreamPosts, All(SpacePost)), eat(StreamPosts, "*"), emit(SpacePost)[1:], []string{apiDirectGet + StreamPosts})},
			Grant{For: "changes of feeds, for subscribing sites", Subjects: slices.Concat(
				look(StreamFeeds), eat(StreamFeeds, ConsumerWebSub), emit(SpaceFeed)[1:], []string{AdminSubject(UserPublish, "document")})},
			Grant{For: "posts that a person has changed", Planned: true, Subjects: []string{AdminSubject(UserPublish, "compose")}},
			Grant{For: "bodies too long for a message", Subjects: readObjects(StoreBlobs), Planned: true},
			Grant{For: "the ledger", Subjects: slices.Concat(readKeys(BucketDeliveries, ">"), writeKeys(BucketDeliveries, ">"))},
			Grant{For: "subscriptions, and the requests for them", Subjects: slices.Concat(
				readKeys(BucketSubscriptions, ">"), writeKeys(BucketSubscriptions, ">"), readKeys(BucketRequests, ">"), writeKeys(BucketRequests, ">"))},
			Grant{For: "readers of newsletters", Subjects: slices.Concat(readKeys(BucketSubscribers, ">"), writeKeys(BucketSubscribers, ">"))},
			Grant{For: "leases", Subjects: slices.Concat(guardKeys(BucketLeases, "deliver.>"), writeKeys(BucketLeases, "deliver.>"))},
		),
		{
			Name: UserAdmin, Role: RoleAdmin, Account: AccountApp, About: "the operator: topology, command line, console",
			Says: []Grant{
				{For: "streams, consumers, buckets and stores", Subjects: []string{"$JS.API.>", "$JS.ACK.>", "$JS.FC.>", "$JS.SNAPSHOT.>", "$KV.>", "$O.>"}},
				{For: "verbs, and the discovery of services", Subjects: []string{"$SRV.>", AdminSubject("*", ">")}},
				{For: "what goes back from the dead letters", Subjects: []string{"article.>", All(SpacePost), All(SpaceFeed), All(SpaceDead)}},
				{For: "notices", Subjects: []string{string(SpaceEvent) + "." + RoleAdmin + ".*"}},
			},
			Hears: []string{inbox(RoleAdmin), "$JS.EVENT.>", All(SpaceEvent)},
		},
		{
			Name: UserMonitor, Role: UserMonitor, Account: AccountSys, About: "reads the figures of the server; cannot reload or stop it, or disconnect anybody",
			Says:  []Grant{{For: "figures", Subjects: figures()}},
			Hears: []string{inbox(UserMonitor), "$SYS.ACCOUNT.>", "$SYS.SERVER.>"},
		},
	}
}

// figures names each question that reads, of one server (its id in place of the star) or of all (PING). A wider pattern
// would hold RELOAD, LDM and KICK, which stand beside them (nats-server, server/events.go).
func figures() []string {
	list := []string{"$SYS.REQ.SERVER.PING"}
	for _, z := range []string{"ACCOUNTZ", "CONNZ", "HEALTHZ", "IDZ", "JSZ", "LEAFZ", "ROUTEZ", "STATSZ", "SUBSZ", "VARZ"} {
		list = append(list, "$SYS.REQ.SERVER.*."+z)
	}
	for _, z := range []string{"CONNZ", "INFO", "JSZ", "STATZ", "SUBSZ"} {
		list = append(list, "$SYS.REQ.ACCOUNT.*."+z)
	}
	return list
}

// FindUser returns a user by its name.
func FindUser(name string) (User, bool) {
	list := Users()
	i := slices.IndexFunc(list, func(u User) bool { return u.Name == name })
	if i < 0 {
		return User{}, false
	}
	return list[i], true
}

// Publishes lists the subjects that the user may publish to, each once.
func (u User) Publishes() []string {
	var list []string
	for _, g := range u.Says {
		list = append(list, g.Subjects...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
