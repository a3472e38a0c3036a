// Package trace tells where an article spent its time: one trace a poll, one span a stage, tied together by the header
// traceparent of the messages (W3C Trace Context), exported by OTLP over HTTP.
//
// Ids travel whether or not spans are exported, so that a trace may be found in logs and by "tidings articles show". What
// is exported names sources, articles and channels by their ids, and a fault by its kind. It never holds an address, a text
// or the words of an error: those may carry secrets, and a collector is not the place for them.
//
// Nothing here makes the work wait. A full queue drops spans, a collector that does not answer loses them.
package trace
