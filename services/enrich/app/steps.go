package app

import (
	"tidings.internal/services/enrich/internal/decode"
	"tidings.internal/services/enrich/internal/entities"
	"tidings.internal/services/enrich/internal/extract"
	"tidings.internal/services/enrich/internal/language"
	"tidings.internal/services/enrich/internal/metadata"
	"tidings.internal/services/enrich/internal/phrases"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/repeats"
	"tidings.internal/services/enrich/internal/sanitize"
	"tidings.internal/services/enrich/internal/summary"
	"tidings.internal/services/enrich/internal/tags"
	"tidings.internal/services/enrich/internal/taxonomy"
)

// Engine rises with any change of what the steps give for the same input. It is part of an article's version: after a
// rise a replay of RAW replaces what an older engine made.
const Engine = 8

// Steps lists the steps in their order. A new step is a folder below internal and a line here. The story is no step: it
// needs the broker, and an article waits for it rather than go without. Neither does [rerank.Step] stand here: it waits
// for another machine and not for a core, so it runs behind these with a budget of its own.
func Steps(matcher func() *taxonomy.Matcher, known func() *repeats.Known, hosts extract.Hosts) []pipeline.Step {
	return []pipeline.Step{
		decode.Step{},
		metadata.Step{},
		extract.Step{Hosts: hosts},
		repeats.Step{Known: known},
		sanitize.New(),
		language.NewStep().Knowing(spoken(known)),
		entities.Step{},
		phrases.Step{},
		taxonomy.Step{Matcher: matcher},
		tags.Step{Matcher: matcher},
		summary.Step{},
	}
}

// spoken tells of the knowledge in force in which languages a source writes.
func spoken(known func() *repeats.Known) func(source string) map[string]int {
	return func(source string) map[string]int {
		if known == nil {
			return nil
		}
		return known().Spoken(source)
	}
}
