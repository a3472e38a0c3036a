// Command build makes the table of letters by which languages are told apart:
//
//	go generate ./services/enrich/internal/language
//
// It reads the files of models that lingua-go v1.4.0 ships (Apache-2.0) from the module cache, and fetches them into it where
// they are missing. Nothing of that module is imported: it would add 125 MB to a binary. The models say how often each run
// of up to five letters stands in some 90 million letters of a language, and nothing of where words begin and end. That can
// be counted nevertheless: a run ends a word as often as it stands anywhere, less how often one more letter follows it.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"tidings.internal/services/enrich/internal/language/table"
	"tidings.internal/services/enrich/internal/words"
)

// What the table is made of. The sum is that of the module's content as the checksum database knows it.
const (
	module  = "github.com/pemistahl/lingua-go"
	version = "v1.4.0"
	sum     = "h1:ifYhthrlW7iO4icdubwlduYnmwU37V1sbNrwhKBR4rM="
)

// norwegian is the model of "no": its other written form is much rarer.
const norwegian = "nb"

func main() {
	out := flag.String("o", "letters", "name of the table, NAME.bin, and of what it was made of, NAME.txt")
	rows := flag.Int("rows", 120_000, "how many runs the table holds")
	flag.Parse()
	if err := build(*out, *rows); err != nil {
		panic(err) // a tool of developers: the trace does no harm
	}
}

func build(out string, rows int) error {
	dir, err := fetch()
	if err != nil {
		return err
	}
	var codes []string
	var open []func() (counts, error)
	for lang := range words.Languages() {
		name := lang
		if lang == "no" {
			name = norwegian
		}
		codes = append(codes, lang)
		open = append(open, func() (counts, error) { return read(filepath.Join(dir, "language-models", name)) })
	}
	runs, values, err := choose(open, rows)
	if err != nil {
		return err
	}
	data, err := table.Encode(codes, runs, values)
	if err != nil {
		return err
	}
	note := fmt.Sprintf("%s %s %s\nsha256:%x\n", module, version, sum, sha256.Sum256(data))
	if err := os.WriteFile(out+".bin", data, 0o644); err != nil {
		return err
	}
	return os.WriteFile(out+".txt", []byte(note), 0o644)
}

// fetch returns the folder of the module's files, and fails if they are not those that the table was made of.
func fetch() (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", module+"@"+version)
	cmd.Dir = os.TempDir() // so that it stands in no go.mod and no go.sum of ours
	cmd.Stderr = os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("fetch %s: %w", module, err)
	}
	var got struct{ Dir, Sum string }
	if err := json.Unmarshal(answer, &got); err != nil {
		return "", fmt.Errorf("fetch %s: %w", module, err)
	}
	if got.Sum != sum {
		return "", fmt.Errorf("fetch %s: its sum is %s, want %s", module, got.Sum, sum)
	}
	return got.Dir, nil
}
