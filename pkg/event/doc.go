// Package event is the contract between the services of Tidings and with everyone else who listens: the subjects, the
// headers, the payloads, and the streams, consumers and buckets as data.
//
//	article.raw.<pp>.<source>                   article.raw.v1        ingest   → enrich
//	article.backfill.<pp>.<source>              article.raw.v1        ingest   → enrich, when it has time
//	                                            article.batch.v1
//	article.enriched.<pp>.<source>.<article>    article.enriched.v1   enrich   → publish, anyone
//	                                            article.deleted.v1
//	post.<channel>.<story>                      post.composed.v1      publish  → deliver, anyone
//	                                            post.withdrawn.v1
//	feed.changed.<feed>                         feed.changed.v1       publish  → deliver
//	dead.<service>.<reason>                     as the message was    any      → operator
//	event.<service>.<type>                      event.<type>.v1       any      → operator
//
// pp is the partition of a source ([article.Partition]). Nothing outside this package spells a subject, a header or
// the name of a stream. The package does not know the broker: it turns values into [Message] and back, and package bus
// carries them. Payloads are JSON that only grows; a reader ignores what it does not know, and a breaking change is a
// new version written beside the old one for a release.
package event
