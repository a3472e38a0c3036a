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
	"tidings.internal/services/enrich/internal/taxonomy"
)

// edition is a vocabulary in force with everything that goes by it. It does not change: an article that began with one
// ends with it.
type edition struct {
	matcher  *taxonomy.Matcher
	versions article.Versions
	runner   *pipeline.Runner
}

// edition makes an edition of a matcher that has a number.
func (a *App) edition(m *taxonomy.Matcher, number int) *edition {
	list := append(steps(func() *taxonomy.Matcher { return m }), a.more...)
	return &edition{matcher: m, versions: article.Versions{Engine: Engine, Vocabulary: number, VocabularyHash: m.Hash()}, runner: a.runner.With(list...)}
}

// book follows what operators change of the taxonomy while Tidings runs, and puts it in force.
type book struct {
	app    *App
	bucket *bus.Bucket
	// known is closed once the first edition is in force.
	known   chan struct{}
	changed chan struct{}

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
// nothing: the former one stays in force. The error ends the process: the book itself cannot be read.
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
	retry := func() {
		b.mu.Lock()
		b.edits = true
		b.mu.Unlock()
	}
	if read {
		e, _, err := taxonomy.Load(ctx, b.bucket)
		if err != nil {
			retry()
			b.app.log.Warn("could not read the edits of the taxonomy", "err", err, "retry_in", adoptAgain)
			return adoptAgain, nil
		}
		*edits = e
	}
	v, err := b.app.base.With(*edits)
	if err != nil {
		b.app.log.Error("edits of the taxonomy are refused, the former ones stay in force", "err", err)
		b.app.bus.Notice(ctx, event.Notice{Type: "taxonomy_refused", Text: err.Error()})
		if b.first() {
			v = b.app.base // what the files say is better than nothing
		} else {
			return 0, nil
		}
	}
	m := taxonomy.NewMatcher(v, verdicts...)
	if !b.first() && m.Hash() == b.app.current.Load().matcher.Hash() {
		return 0, nil
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
	b.app.current.Store(b.app.edition(m, number))
	if first {
		close(b.known)
	} else {
		b.app.log.Info("taxonomy changed", "n", v.Len(), "revision", number)
	}
	return 0, nil
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
