package config_test

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample stands for a section of a service: one key of each kind.
type sample struct {
	Word     string            `yaml:"word"`
	On       bool              `yaml:"on"`
	Count    int               `yaml:"count"`
	Small    int8              `yaml:"small"`
	Natural  uint16            `yaml:"natural"`
	Ratio    float64           `yaml:"ratio"`
	Wait     time.Duration     `yaml:"wait"`
	Day      time.Time         `yaml:"day"`
	Size     config.Size       `yaml:"size"`
	Net      netip.Prefix      `yaml:"net"`
	Networks []netip.Prefix    `yaml:"networks"`
	Words    []string          `yaml:"words"`
	File     string            `yaml:"file,path"`
	Token    config.Secret     `yaml:"token"`
	Labels   map[string]string `yaml:"labels"`
	Hosts    map[string]host   `yaml:"hosts"`
	Inner    inner             `yaml:"inner"`
	Other    *inner            `yaml:"other"`
	Entries  []entry           `yaml:"entries"`
	Embedded `yaml:",inline"`
	hidden   int
	Ignored  int `yaml:"-"`
}

type Embedded struct {
	Plain string `yaml:"plain"`
}

type host struct {
	Concurrency int           `yaml:"concurrency"`
	Gap         time.Duration `yaml:"gap"`
}

func (h *host) SetDefaults() { *h = host{Concurrency: 1, Gap: time.Second} }

func (h *host) Check(at config.At) {
	if h.Concurrency < 1 {
		at.Key("concurrency").Problemf("%d is too few", h.Concurrency)
	}
}

type inner struct {
	Deep  int           `yaml:"deep"`
	Quiet time.Duration `yaml:"quiet"`
}

func (i *inner) SetDefaults() { i.Deep = 7 }

type entry struct {
	ID    string        `yaml:"id"`
	Need  string        `yaml:"need"`
	Token config.Secret `yaml:"token"`
}

func (e *entry) Check(at config.At) {
	if e.Need == "" {
		at.Key("need").Problemf("is missing")
	}
}

// load decodes everything that this package knows, and sample as the section of a service.
func load(name, text string, environ ...string) (*config.Doc, *sample) {
	doc := config.New(name, []byte(text), environ)
	return doc, decodeAll(doc)
}

func decodeAll(doc *config.Doc) *sample {
	site, nats, log, admin := config.DefaultSite(), config.DefaultNATS(), config.DefaultLog(), config.DefaultAdmin()
	s := &sample{Word: "default", Count: 1}
	var sources []config.Source
	doc.Section("site", &site)
	doc.Section("nats", &nats)
	doc.Section("log", &log)
	doc.Section("admin", &admin)
	doc.Section("sources", &sources)
	doc.Section("ingest", s)
	doc.Channels(network, "webhook", "mastodon")
	return s
}

type mastodon struct {
	Server string        `yaml:"server"`
	Token  config.Secret `yaml:"token"`
}

func (m *mastodon) Check(at config.At) { at.Key("server").URL(m.Server) }

func network(name string) (settings any, others []string) {
	switch name {
	case "mastodon":
		return &mastodon{}, []string{"visibility", "spoiler"}
	case "webhook":
		return nil, []string{"*"}
	}
	return nil, nil
}

func problems(doc *config.Doc) []string {
	var list []string
	if p, ok := errors.AsType[*config.Problems](doc.Err()); ok {
		for _, one := range p.List {
			list = append(list, one.String())
		}
	}
	return list
}

// Each file of testdata/problems is variables of the environment, a configuration after a line of dashes, and the
// problems that it must have after another. This is where the sentences are held.
func TestProblemsReadAsWritten(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/problems/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			const line = "\n----------\n"
			parts := strings.SplitN("\n"+string(data), line, 3)
			if len(parts) < 2 {
				t.Fatal("the case has no line of dashes")
			}
			doc, _ := load("tidings.yaml", parts[1]+"\n", strings.Fields(parts[0])...)
			got := strings.Join(problems(doc), "\n") + "\n"
			if *update {
				text := strings.TrimPrefix(parts[0]+line+parts[1]+line+got, "\n")
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want := ""
			if len(parts) == 3 {
				want = parts[2]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			for _, word := range []string{"struct", "config.", "strconv", "time.", "netip", " yaml:", "go-yaml", "reflect", "int8", "uint"} {
				if strings.Contains(got, word) {
					t.Errorf("the problems speak of %q:\n%s", word, got)
				}
			}
		})
	}
}
