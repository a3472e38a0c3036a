package pipeline

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
)

type fake struct {
	name    string
	run     func(ctx context.Context, d *Draft) error
	degrade func(d *Draft)
}

func (f fake) Name() string                            { return f.name }
func (f fake) Run(ctx context.Context, d *Draft) error { return f.run(ctx, d) }
func (f fake) Degrade(d *Draft) {
	if f.degrade != nil {
		f.degrade(d)
	}
}

func draft() *Draft { return NewDraft(&article.Raw{ID: "x", Title: "t"}, nil) }

func TestABadStepCostsItsOwnResultOnly(t *testing.T) {
	t.Parallel()
	d := draft()
	steps := []Step{
		fake{name: "one", run: func(_ context.Context, d *Draft) error { d.Article.Title = "one"; return nil }},
		fake{name: "panics", run: func(_ context.Context, d *Draft) error { d.Article.Title = "half"; panic("x") }, degrade: func(d *Draft) { d.Article.Summary = "fallback" }},
		fake{name: "fails", run: func(_ context.Context, d *Draft) error { d.Article.Title = "half"; return Failf(TooDeep, "deep") }, degrade: func(*Draft) { panic("in degrade, too") }},
		fake{name: "errs", run: func(context.Context, *Draft) error { return errors.New("x") }},
		fake{name: "last", run: func(_ context.Context, d *Draft) error { d.Article.Text = d.Article.Title; return nil }},
	}
	if err := NewRunner(Budget{}, nil, steps...).Run(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"panics:panic", "fails:too_deep", "errs:failed"}, d.Article.Degraded); diff != "" {
		t.Error(diff)
	}
	if d.Article.Text != "one" || d.Article.Summary != "fallback" {
		t.Errorf("text %q, summary %q", d.Article.Text, d.Article.Summary)
	}
}

// What a step could do in part only is told and counted as a failure is, and its result stays.
func TestAStepMarksWhatItDidInPart(t *testing.T) {
	t.Parallel()
	d := draft()
	var told []string
	observe := func(step string, _ time.Duration, reason Reason, err error) {
		told = append(told, fmt.Sprintf("%s:%s %v", step, reason, err))
	}
	partly := fake{name: "partly", run: func(_ context.Context, d *Draft) error {
		d.Article.Title = "half"
		d.Mark("partly", TooLarge)
		d.Mark("partly", TooLarge)
		return nil
	}}
	whole := fake{name: "whole", run: func(context.Context, *Draft) error { return nil }}
	if err := NewRunner(Budget{}, observe, partly, whole).Run(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"partly:too_large"}, d.Article.Degraded); diff != "" || d.Article.Title != "half" {
		t.Errorf("title %q, %s", d.Article.Title, diff)
	}
	if diff := cmp.Diff([]string{"partly:too_large <nil>", "whole: <nil>"}, told); diff != "" {
		t.Error(diff)
	}
}

func TestAStepThatHangsIsLeftBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		hang := fake{name: "hangs", run: func(_ context.Context, d *Draft) error { <-release; d.Article.Title = "late"; return nil }}
		r := NewRunner(Budget{}, nil, hang)
		for range 2 {
			d := draft()
			if err := r.Run(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"hangs:timeout"}, d.Article.Degraded); diff != "" {
				t.Error(diff)
			}
		}
		select {
		case <-r.Stuck():
			t.Error("steps count as stuck at once")
		default:
		}
		time.Sleep(stuckAfter + time.Second) // fake time
		select {
		case <-r.Stuck():
		default:
			t.Error("two steps that hang for good are not noticed")
		}
		close(release)
		synctest.Wait()
	})
}

func TestACancelledRunIsNoFaultOfAStep(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	d := draft()
	stop := fake{name: "stops", run: func(ctx context.Context, _ *Draft) error { cancel(); <-ctx.Done(); return ctx.Err() }}
	if err := NewRunner(Budget{}, nil, stop).Run(ctx, d); !errors.Is(err, context.Canceled) || d.Article.Degraded != nil {
		t.Errorf("err %v, degraded %v", err, d.Article.Degraded)
	}
}
