package app

import (
	"testing"

	"tidings.internal/services/enrich/internal/pipeline/pipelinetest"
	"tidings.internal/services/enrich/internal/taxonomy"
)

// Whatever is in the list passes the suite, each step behind those that it builds on.
func TestEveryStepConforms(t *testing.T) {
	t.Parallel()
	v, err := taxonomy.Starter()
	if err != nil {
		t.Fatal(err)
	}
	matcher := taxonomy.NewMatcher(v)
	list := Steps(func() *taxonomy.Matcher { return matcher }, nil, nil)
	for i, s := range list {
		t.Run(s.Name(), func(t *testing.T) {
			t.Parallel()
			pipelinetest.Conform(t, s, list[:i]...)
		})
	}
}
