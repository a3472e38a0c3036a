package config

// Selection says which articles a feed or a channel takes. Kinds are joined by AND, the values of one by OR, and what
// is excluded stays out. The empty Selection takes all.
type Selection struct {
	Tags      []string `yaml:"tags"`
	AllTags   []string `yaml:"all_tags"`
	Languages []string `yaml:"languages"`
	Sources   []string `yaml:"sources"`
	Authors   []string `yaml:"authors"`
	Query     string   `yaml:"query"`

	ExcludeTags      []string `yaml:"exclude_tags"`
	ExcludeLanguages []string `yaml:"exclude_languages"`
	ExcludeSources   []string `yaml:"exclude_sources"`
	ExcludeAuthors   []string `yaml:"exclude_authors"`
	ExcludeQuery     string   `yaml:"exclude_query"`
}

var _ Checker = (*Selection)(nil)

// maxQuery is the length of a query in bytes.
const maxQuery = 200

// Check reports what is wrong by itself. Whether a source or a concept exists is known to publish.
func (s *Selection) Check(at At) {
	for _, l := range []struct {
		key  string
		list []string
		rule func(At, string) bool
	}{
		{"tags", s.Tags, filled}, {"all_tags", s.AllTags, filled}, {"exclude_tags", s.ExcludeTags, filled},
		{"authors", s.Authors, filled}, {"exclude_authors", s.ExcludeAuthors, filled},
		{"languages", s.Languages, At.Language}, {"exclude_languages", s.ExcludeLanguages, At.Language},
		{"sources", s.Sources, At.Name}, {"exclude_sources", s.ExcludeSources, At.Name},
	} {
		each(at.Key(l.key), l.list, l.rule)
	}
	for _, q := range []struct{ key, text string }{{"query", s.Query}, {"exclude_query", s.ExcludeQuery}} {
		if len(q.text) > maxQuery {
			at.Key(q.key).Problemf("the query has %d bytes; %d are allowed", len(q.text), maxQuery)
		}
	}
}
