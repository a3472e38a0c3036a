package sanitize_test

import (
	"testing"

	"tidings.internal/services/enrich/internal/decode"
	"tidings.internal/services/enrich/internal/extract"
	"tidings.internal/services/enrich/internal/metadata"
	"tidings.internal/services/enrich/internal/pipeline/pipelinetest"
	"tidings.internal/services/enrich/internal/sanitize"
)

func TestConform(t *testing.T) {
	t.Parallel()
	pipelinetest.Conform(t, sanitize.New(), decode.Step{}, metadata.Step{}, extract.Step{})
}
