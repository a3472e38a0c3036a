package app

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/repeats"
	"tidings.internal/services/enrich/internal/taxonomy"
)

// edition is a vocabulary in force, and what is known of hosts and sources, with all that goes by them. It does not change: an
// article that began with one ends with it. The first has no matcher, since compiling one takes longest of a start and the
// book may say something else; no article begins before there is one.
type edition struct {
	matcher  *taxonomy.Matcher
	number   int // of the vocabulary
	known    *repeats.Known
	versions article.Versions
	runner   *pipeline.Runner
}

// renew puts an edition in force that differs from the one that is. Vocabulary and knowledge change each by itself.
func (a *App) renew(change func(e *edition)) {
	a.renewing.Lock()
	defer a.renewing.Unlock()
	e := &edition{}
	if now := a.current.Load(); now != nil {
		*e = *now
	}
	change(e)
	if e.matcher != nil {
		a.equip(e)
	}
	a.current.Store(e)
}

// equip gives an edition what goes by its vocabulary and its knowledge.
func (a *App) equip(e *edition) {
	list := append(Steps(func() *taxonomy.Matcher { return e.matcher }, func() *repeats.Known { return e.known }, a.settings.hosts()), a.more...)
	e.versions = article.Versions{Engine: Engine, Vocabulary: e.number, VocabularyHash: e.matcher.Hash(), Knowledge: e.known.Version()}
	e.runner = a.runner.With(list...)
}

// vocabulary is the one in force, at the start what the files say.
func (a *App) vocabulary() *taxonomy.Vocabulary {
	if m := a.current.Load().matcher; m != nil {
		return m.Vocabulary()
	}
	return a.base
}

// book follows what operators change of the taxonomy while Tidings runs, and puts it in force.
type book struct {
	app    *App
	bucket *bus.Bucket
	// known is closed once the first edition is in force.
	known   chan struct{}
	changed chan struct{}

	// refused is the last cause for which edits were refused, so that each is told once. missing counts the tries that found
	// no part of them. Both are follow's.
	refused string
	missing int

	mu       sync.Mutex
	level    bool
	edits    bool // changed since they were read
	verdicts map[string]taxonomy.Verdict
}

func newBook(a *App) *book {
	return &book{app: a, bucket: a.bus.Bucket(event.BucketTaxonomy), known: make(chan struct{}), changed: make(chan struct{}, 1), edits: true, verdicts: map[string]taxonomy.Verdict{}}
}

// ready waits until the vocabulary in force is known, as long as the broker takes.
func (b *book) ready(ctx context.Context) error {
	tick := time.NewTicker(pulseEvery)
	defer tick.Stop()
	for {
		b.app.pulse.Tick()
		select {
		case <-b.known:
			return nil
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *book) note(e bus.Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch v, ok := taxonomy.ReadVerdict(e.Key, e.Value); {
	case e.Key == taxonomy.EditsKey:
		b.edits = true
	case e.Deleted:
		if _, was := b.verdicts[e.Key]; !was {
			return
		}
		delete(b.verdicts, e.Key)
	case ok:
		b.verdicts[e.Key] = v
	default:
		return
	}
	b.poke()
}

func (b *book) poke() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

const (
	// gather is how long further changes are waited for after one: whoever imports verdicts writes many.
	gather = 100 * time.Millisecond
	// adoptAgain is the wait after a try that failed.
	adoptAgain = time.Second
	// missingTries is how often a part of the edits is looked for that is not there, before the edits count as lost: a
	// replica of the broker may lag behind the one that was written to. From then on they are looked for in each lostAgain.
	missingTries = 5
	lostAgain    = time.Minute
)

// follow watches the bucket and adopts what changes, until ctx ends.
func (b *book) follow(ctx context.Context) error {
	watching, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- b.bucket.Watch(watching, ">", b.note, func() {
			b.mu.Lock()
			b.level = true
			b.mu.Unlock()
			b.poke()
		})
	}()
	defer func() { stop(); <-ended }() // the watch fails only by its end
	timer := time.NewTimer(0)
	defer timer.Stop()
	var edits taxonomy.Edits
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.changed:
			timer.Reset(gather)
		case <-timer.C:
			wait, err := b.adopt(ctx, &edits)
			if err != nil {
				return err
			}
			if wait > 0 {
				timer.Reset(wait)
			}
		}
	}
}

// adopt puts in force what is known, and tells when to try again if that failed. Edits that make no vocabulary change
// nothing: the former one stays in force, with what verdicts teach. The error ends the process: the book itself cannot be
// read.
func (b *book) adopt(ctx context.Context, edits *taxonomy.Edits) (again time.Duration, failed error) {
	b.mu.Lock()
	level, read := b.level, b.edits
	verdicts := slices.SortedFunc(maps.Values(b.verdicts), func(x, y taxonomy.Verdict) int {
		return cmp.Or(cmp.Compare(x.Article, y.Article), cmp.Compare(x.Concept, y.Concept))
	})
	b.edits = false
	b.mu.Unlock()
	if !level {
		return 0, nil
	}
	var lost error
	if read {
		e, _, err := taxonomy.Load(ctx, b.bucket)
		kind := fault.KindOf(err)
		switch {
		case err == nil:
			*edits, b.missing = e, 0
		case kind == fault.Malformed, kind == fault.Gone && b.missing == missingTries:
			// What was read before stays in force; at the start that is what the files say.
			lost = err
			if kind == fault.Gone {
				b.retry()
				again = lostAgain
			}
		default:
			if kind == fault.Gone {
				b.missing++
			}
			b.retry()
			b.app.log.Warn("could not read the edits of the taxonomy", "err", err, "retry_in", adoptAgain)
			return adoptAgain, nil
		}
	}
	v, err := b.app.base.With(*edits)
	if err != nil {
		v = b.app.vocabulary()
	}
	if lost != nil {
		err = lost
	}
	b.refuse(ctx, read, err)
	m := taxonomy.NewMatcher(v, verdicts...)
	if !b.first() && m.Hash() == b.app.current.Load().matcher.Hash() {
		return again, nil
	}
	number, err := taxonomy.Number(ctx, b.bucket, m.Hash())
	switch fault.KindOf(err) {
	case "":
	case fault.Conflict: // another replica adopts the same at the same moment
		return time.Millisecond, nil
	case fault.Malformed:
		return 0, err
	default:
		b.app.log.Debug("could not number the taxonomy", "err", err)
		return adoptAgain, nil
	}
	first := b.first()
	b.app.renew(func(e *edition) { e.matcher, e.number = m, number })
	if first {
		close(b.known)
	} else {
		b.app.log.Info("taxonomy changed", "n", v.Len(), "revision", number)
	}
	return again, nil
}

// retry has the edits read again at the next try.
func (b *book) retry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.edits = true
}

// refuse tells why edits are not in force, once for each cause; nil, after the edits were read, ends that.
func (b *book) refuse(ctx context.Context, read bool, err error) {
	switch {
	case err == nil:
		if read {
			b.refused = ""
		}
	case err.Error() != b.refused:
		b.refused = err.Error()
		b.app.log.Error("edits of the taxonomy are refused, the former ones stay in force", "err", err)
		b.app.bus.Notice(ctx, event.Notice{Type: "taxonomy_refused", Text: b.refused})
	}
}

// first reports whether no edition is in force yet.
func (b *book) first() bool {
	select {
	case <-b.known:
		return false
	default:
		return true
	}
}
