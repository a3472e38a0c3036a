package event

import "time"

// ConsumerReplay is a consumer of RAW that an operator makes to have articles enriched again, and removes when that is
// done. There is one at a time.
const ConsumerReplay = "replay"

// MetaReplay is the metadata of that consumer which holds the [Replay], as JSON.
const MetaReplay = "tidings-replay"

// Replay says which raw articles are enriched again.
type Replay struct {
	Since time.Time `json:"since"`
	// Until is the time of the last message that is meant; the zero time for everything that is stored by now.
	Until time.Time `json:"until,omitzero"`
	// Source limits the replay to one source; empty for all.
	Source string `json:"source,omitempty"`
	// Rate is how many messages a second each replica of enrich takes; 0 for as many as it can.
	Rate float64 `json:"rate,omitempty"`
	// Goal is the place in RAW of the last message that is meant. The bus fills it.
	Goal uint64 `json:"goal,omitempty"`
	// Done tells that nothing is left of it: who consumes lets go before the consumer goes.
	Done bool `json:"done,omitempty"`
}

// Consumer is the consumer of the replay. It begins with what was stored at Since.
func (r Replay) Consumer() Consumer {
	// Both lanes, of one source or of all.
	filter := "article.*.>"
	if r.Source != "" {
		filter = "article.*.*." + r.Source
	}
	return Consumer{Stream: StreamRaw, Name: ConsumerReplay, Filter: filter, MaxDeliver: crashes, Attempts: 6, MaxAckPending: 100, AckWait: AckWait, About: "enrich, again"}
}

// AnyArticle is the filter that finds an article by its id alone, whatever its source.
func AnyArticle(id string) string { return string(SpaceEnriched) + ".*.*." + id }

// AnyPost is the filter for the posts of a story in all channels.
func AnyPost(story string) string { return string(SpacePost) + ".*." + story }

// RawSubjects are the subjects of a source, of both lanes.
func RawSubjects(partition, source string) ([]string, error) {
	var list []string
	for _, backfill := range []bool{false, true} {
		s, err := RawSubject(partition, source, backfill)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// HeaderTTL gives a message a life of its own; with TTLNever it outlives the age limit of its stream.
const (
	HeaderTTL = "Nats-TTL"
	TTLNever  = "never"
)
