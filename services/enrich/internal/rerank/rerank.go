// Package rerank lets a language model put the tags of an article into order, or drop some of them.
//
// The model stands in the operator's own network and is off unless one is named. It is given a closed list of tags and
// answers with ids of that list: it can neither add a tag nor change one, so the worst that instructions in an article's
// text can do is to drop tags of that article or to change their order. What an operator said, of the source or of the
// article, is not in the list. An answer stays with the article, and the same question is not asked again; without an
// answer the tags are as they were.
package rerank

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/enrich/internal/pipeline"
)

// The outcomes that [Options.Observe] is told of.
const (
	Answered = "answered" // the model's answer was taken
	Kept     = "kept"     // the stored article held the answer already
	Failed   = "failed"   // no answer came
	Odd      = "odd"      // an answer came that is none
	Budget   = "budget"   // the questions of the hour are used up
	Busy     = "busy"     // others were being asked all the while
	Resting  = "resting"  // too many failed before, or the model asked to be left alone
)

// Outcomes lists them all.
func Outcomes() []string { return []string{Answered, Kept, Failed, Odd, Budget, Busy, Resting} }

const (
	// Limit is how long an article waits for its answer, its turn included.
	Limit = 5 * time.Second
	// atOnce is how many questions are under way at once: a model on one machine answers more of them later, not sooner.
	atOnce = 4
	// agent is the user agent where none is named.
	agent = "Tidings"
)

// Options are what a ranker needs. Config and UserAgent are required.
type Options struct {
	Config
	UserAgent string
	Log       *slog.Logger
	// Observe is told the outcome for each article.
	Observe func(outcome string)
	Now     func() time.Time
}

// Ranker asks a model.
type Ranker struct {
	Options
	client *web.Client
	limit  time.Duration
	places chan struct{}

	mu sync.Mutex
	breaker
	budget budget
	told   bool // that the model is left alone
}

// New makes a ranker; none where the configuration names no model. It opens nothing.
func New(o Options) (*Ranker, error) {
	if o.URL == "" {
		return nil, nil
	}
	client, err := web.New(web.Config{UserAgent: o.UserAgent, Inside: true, Limits: web.Limits{Connect: Limit, Header: Limit, Idle: Limit, Total: Limit}, Now: o.Now})
	if err != nil {
		return nil, err
	}
	if _, err := client.CheckURL(o.URL); err != nil {
		return nil, err
	}
	return &Ranker{Options: o, client: client, limit: Limit, places: make(chan struct{}, atOnce), budget: budget{most: o.PerHour}}, nil
}

// Close gives up the kept connections.
func (r *Ranker) Close() {
	if r != nil {
		r.client.Close()
	}
}

// Probe tells that the model is left alone, and until when.
func (r *Ranker) Probe(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.told {
		return nil
	}
	return fault.Errorf(fault.Unreachable, "the model that ranks tags does not answer and is left alone until %s", r.until.UTC().Format(time.RFC3339))
}

// Step puts the tags of an article into the model's order. A nil Ranker leaves them.
type Step struct{ Ranker *Ranker }

var _ pipeline.Step = Step{}

// Name returns "rerank".
func (Step) Name() string { return "rerank" }

// Degrade does nothing: the tags are as they were.
func (Step) Degrade(*pipeline.Draft) {}

// Run fills Reranked and changes Tags, if there is an answer.
func (s Step) Run(ctx context.Context, d *pipeline.Draft) error {
	r := s.Ranker
	if r == nil {
		return nil
	}
	q := r.question(d)
	if len(q.Candidates) == 0 {
		return nil
	}
	key := q.key(r.Model)
	if was := d.Answered; was != nil && was.Key == key {
		r.Observe(Kept)
		r.take(d, *was)
		return nil
	}
	order, err := r.ask(ctx, q)
	switch {
	case ctx.Err() != nil && order == nil: // the process stops: the article comes again
		return ctx.Err()
	case err == nil:
		r.Observe(Answered)
		r.take(d, article.Reranked{Key: key, Order: order})
		return nil
	}
	if skip, ok := errors.AsType[*skipped](err); ok {
		r.Observe(skip.outcome)
		if skip.outcome == Resting {
			return pipeline.Failf(pipeline.Failed, "rerank: %w", err) // it should have been asked: let the article say so
		}
		return nil
	}
	r.Log.Debug("no answer of the model", "article", d.Article.ID, "err", err)
	var bad *odd
	if errors.As(err, &bad) {
		r.Observe(Odd)
		return pipeline.Failf(bad.reason, "rerank: %w", err)
	}
	r.Observe(Failed)
	if timedOut(err) {
		return pipeline.Failf(pipeline.Timeout, "rerank: %w", err)
	}
	return pipeline.Failf(pipeline.Failed, "rerank: %w", err)
}

// timedOut tells a model that is too slow from one that is not there.
func timedOut(err error) bool {
	e, ok := errors.AsType[*web.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && e.Reason == web.Timeout
}

// skipped is a question that was not asked.
type skipped struct{ outcome string }

func (s *skipped) Error() string { return "the model was not asked: " + s.outcome }

// ask gets an answer, if one may be asked for now.
func (r *Ranker) ask(ctx context.Context, q question) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	select {
	case r.places <- struct{}{}:
		defer func() { <-r.places }()
	case <-ctx.Done():
		return nil, &skipped{Busy}
	}
	if outcome := r.enter(); outcome != "" {
		return nil, &skipped{outcome}
	}
	order, err := r.post(ctx, q)
	r.leave(err, context.Cause(ctx))
	return order, err
}

// enter counts a question if it may be asked, and else tells why not.
func (r *Ranker) enter() (outcome string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Now()
	switch {
	case !r.closed(now):
		return Resting
	case !r.budget.take(now):
		return Budget
	}
	r.begin()
	return ""
}

// leave tells the breaker how it went. An answer that is none is no failure of the endpoint: a text may have talked the
// model into it, and other articles must not pay for that. Neither is the end of this process.
func (r *Ranker) leave(err, cause error) {
	var bad *odd
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(cause, context.Canceled):
		r.end()
	case err == nil || errors.As(err, &bad):
		r.succeeded()
		if r.told {
			r.Log.Info("the model that ranks tags answers again")
		}
		r.told = false
	default:
		wait := r.failed(r.Now(), fault.After(err))
		if wait > 0 && !r.told {
			r.Log.Warn("the model that ranks tags does not answer and is left alone", "err", err, "retry_in", wait)
			r.told = true
		}
	}
}

// take puts an answer in force.
func (r *Ranker) take(d *pipeline.Draft, answer article.Reranked) {
	var list []article.Tag
	offered := map[string]article.Tag{}
	for _, t := range d.Article.Tags {
		if decided(t) {
			list = append(list, t)
		} else {
			offered[t.ID] = t
		}
	}
	for _, id := range answer.Order {
		t, ok := offered[id]
		if !ok {
			continue
		}
		delete(offered, id)
		t.Evidence = append(slices.Clone(t.Evidence), article.Evidence{Source: "llm", Rule: "rerank:" + r.Model})
		list = append(list, t)
	}
	d.Article.Tags, d.Article.Reranked = list, &answer
}

// decided reports whether an operator gave the tag: with the source, or by a verdict on the article.
func decided(t article.Tag) bool {
	return slices.ContainsFunc(t.Evidence, func(e article.Evidence) bool { return e.Source == "source" || e.Source == "verdict" })
}
