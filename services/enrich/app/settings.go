package app

import (
	_ "embed" // for the examples
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/services/enrich/internal/extract"
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
	Workers       int             `yaml:"workers"`
	StepBudget    time.Duration   `yaml:"step_budget"`
	ArticleBudget time.Duration   `yaml:"article_budget"`
	Hosts         map[string]Host `yaml:"hosts"`
	Rerank        rerank.Config   `yaml:"rerank"`
}

// Host says what of the pages of a host is the body, by selectors of CSS.
type Host struct {
	Keep []string `yaml:"keep"`
	Drop []string `yaml:"drop"`
}

var (
	_ config.Checker = (*Settings)(nil)
	_ config.Checker = (*Host)(nil)
)

// Check reports selectors that are none.
func (h *Host) Check(at config.At) {
	for key, list := range map[string][]string{"keep": h.Keep, "drop": h.Drop} {
		for i, text := range list {
			if _, err := extract.ParseSelector(text); err != nil {
				at.Key(key).Index(i).Problemf("%v", err)
			}
		}
	}
	if len(h.Keep) == 0 && len(h.Drop) == 0 {
		at.Problemf("says nothing; it wants keep, drop or both, such as keep: [\"div.article-text\"]")
	}
}

// hosts makes the selectors, which were checked.
func (s *Settings) hosts() extract.Hosts {
	hosts := extract.Hosts{}
	for name, h := range s.Hosts {
		if selectors, err := extract.NewSelectors(h.Keep, h.Drop); err == nil {
			hosts[extract.HostName(name)] = selectors
		}
	}
	return hosts
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
	for _, name := range slices.Sorted(maps.Keys(s.Hosts)) {
		if host := extract.HostName(name); host == "" || strings.ContainsAny(host, "/ *") || !strings.Contains(host, ".") && host != "localhost" {
			at.Key("hosts").Key(name).Problemf("%q is no host such as www.example.org", name)
		}
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
