package app

import (
	_ "embed" // for the examples
	"os"
	"runtime"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/rerank"
	"tidings.internal/services/enrich/internal/taxonomy"
)

//go:embed example.yaml
var example string

//go:embed taxonomy.yaml
var taxonomyExample string

// Example returns the example of a section that this service owns, which is also its manual.
func Example(section string) (text string, ok bool) {
	switch section {
	case "enrich":
		return example, true
	case "taxonomy":
		return taxonomyExample, true
	}
	return "", false
}

// Settings is the section `enrich`; example.yaml is the manual of its keys.
type Settings struct {
	Workers       int           `yaml:"workers"`
	StepBudget    time.Duration `yaml:"step_budget"`
	ArticleBudget time.Duration `yaml:"article_budget"`
	Rerank        rerank.Config `yaml:"rerank"`
}

// DefaultSettings returns the section as it is when the file has none.
func DefaultSettings() Settings {
	return Settings{StepBudget: 500 * time.Millisecond, ArticleBudget: 2 * time.Second, Rerank: rerank.Config{PerHour: rerank.DefaultPerHour}}
}

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	if s.Workers < 0 || s.Workers > 256 {
		at.Key("workers").Problemf("%d is not within 0 and 256", s.Workers)
	}
	at.Key("step_budget").Between(s.StepBudget, 10*time.Millisecond, time.Minute)
	at.Key("article_budget").Between(s.ArticleBudget, 10*time.Millisecond, 5*time.Minute)
	if s.ArticleBudget < s.StepBudget {
		at.Key("article_budget").Problemf("%s is shorter than step_budget", s.ArticleBudget)
	}
}

// workers is how many articles are under way at once: eight for each core, since most of the time of one goes into
// waiting until the broker has written to disk. How many of them compute at once is bounded by [App.slots].
func (s *Settings) workers() int {
	if s.Workers > 0 {
		return s.Workers
	}
	return 8 * runtime.GOMAXPROCS(0)
}

func (s *Settings) budget() pipeline.Budget {
	return pipeline.Budget{Step: s.StepBudget, Article: s.ArticleBudget}
}

// Taxonomy is the section `taxonomy`; taxonomy.yaml is the manual of its keys.
type Taxonomy struct {
	Files []string `yaml:"files,path"`

	vocabulary *taxonomy.Vocabulary
}

// Check reads the files, so that what is wrong in one is a problem of the configuration.
func (t *Taxonomy) Check(at config.At) {
	if len(t.Files) == 0 {
		v, err := taxonomy.Starter()
		if err != nil {
			at.Problemf("the taxonomy that ships is broken: %v", err)
		}
		t.vocabulary = v
		return
	}
	var files []taxonomy.File
	ok := true
	for i, name := range t.Files {
		data, err := os.ReadFile(name)
		if err != nil {
			at.Key("files").Index(i).Problemf("cannot read the taxonomy: %v", err)
			ok = false
			continue
		}
		files = append(files, taxonomy.File{Name: name, Data: data})
	}
	if !ok {
		return
	}
	v, err := taxonomy.Read(files...)
	if problems, is := err.(taxonomy.Problems); is {
		for _, p := range problems {
			at.Key("files").Problemf("%s", p)
		}
		return
	}
	t.vocabulary = v
}

type settings struct {
	enrich   Settings
	taxonomy Taxonomy
}

// read decodes the sections. Problems are collected in doc.
func read(doc *config.Doc) settings {
	s := settings{enrich: DefaultSettings()}
	doc.Section("enrich", &s.enrich)
	doc.Section("taxonomy", &s.taxonomy)
	return s
}

// Check decodes what enrich reads, so that all problems come together. It dials nothing.
func Check(doc *config.Doc) { read(doc) }
