package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// noData is what a row says when its sample is missing.
const noData = "no sample"

// sample is a page with what people expect of it.
type sample struct {
	ID, URL, File, Type string
	Gold                struct {
		Body, Title, Date string
		Author            string
		Authors           []string
		With, Without     []string
	}
	html []byte
}

// text is one of a set with the keyphrases that people chose.
type text struct {
	ID, Lang, Text string
	Keys           []string
}

// sentence is one of the sample of names: its words with their labels.
type sentence struct{ words, labels []string }

// samples is what the folder holds; what it does not is empty.
type samples struct {
	pages     []sample
	sets      map[string][]text
	sentences []sentence
	topics    []byte // IPTC Media Topics, JSON
}

// maxSample bounds a sample when unpacked: a page of five megabytes a thousand times.
const maxSample = 5 << 30

func open(dir string) (samples, error) {
	s := samples{sets: map[string][]text{}}
	if dir == "" {
		return s, nil
	}
	if _, err := os.Stat(dir); err != nil {
		return s, fmt.Errorf("open samples: %w", err)
	}
	files, err := unpack(filepath.Join(dir, "extract-dev.tar.gz"))
	if err == nil && files != nil {
		s.pages, err = readPages(files)
	}
	if err != nil {
		return s, err
	}
	if files, err = unpack(filepath.Join(dir, "keyphrases-dev.tar.gz")); err != nil {
		return s, err
	}
	for name, data := range files {
		if set, ok := strings.CutSuffix(path.Base(name), ".jsonl"); ok {
			if s.sets[set], err = lines[text](data); err != nil {
				return s, fmt.Errorf("read %s: %w", name, err)
			}
		}
	}
	names, err := gunzip(filepath.Join(dir, "ner-de-dev.tsv.gz"))
	if err != nil {
		return s, err
	}
	s.sentences = readSentences(string(names))
	s.topics, err = gunzip(filepath.Join(dir, "iptc-mediatopics.json.gz"))
	return s, err
}

func readPages(files map[string][]byte) ([]sample, error) {
	for name, data := range files {
		if path.Base(name) != "pages.jsonl" {
			continue
		}
		list, err := lines[sample](data)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		for i := range list {
			p := &list[i]
			if p.html = files[path.Join(path.Dir(name), p.File)]; p.html == nil {
				return nil, fmt.Errorf("read %s: page %s of row %s is missing", name, p.File, p.ID)
			}
			if p.Gold.Author != "" {
				p.Gold.Authors = append(p.Gold.Authors, p.Gold.Author)
			}
		}
		return list, nil
	}
	return nil, nil
}

// readSentences reads lines of number, word, label, each sentence ended by an empty line.
func readSentences(data string) []sentence {
	var out []sentence
	var s sentence
	for line := range strings.Lines(data + "\n\n") {
		if strings.HasPrefix(line, "#\t") {
			continue
		}
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		switch {
		case len(f) >= 3:
			s.words, s.labels = append(s.words, f[1]), append(s.labels, f[2])
		case len(s.words) > 0:
			out, s = append(out, s), sentence{}
		}
	}
	return out
}

func lines[T any](data []byte) ([]T, error) {
	var out []T
	dec := json.NewDecoder(bytes.NewReader(data))
	for {
		var row T
		if err := dec.Decode(&row); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
}

// gunzip reads a packed file, nothing when it does not exist.
func gunzip(name string) ([]byte, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open sample: %w", err)
	}
	defer f.Close() // opened to read: nothing can be lost
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", name, err)
	}
	data, err := io.ReadAll(io.LimitReader(z, maxSample))
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", name, err)
	}
	return data, nil
}

// unpack reads the files of an archive into memory, nil when it does not exist.
func unpack(name string) (map[string][]byte, error) {
	data, err := gunzip(name)
	if err != nil || data == nil {
		return nil, err
	}
	files := map[string][]byte{}
	for archive := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("unpack %s: %w", name, err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if files[path.Clean(h.Name)], err = io.ReadAll(archive); err != nil {
			return nil, fmt.Errorf("unpack %s: %w", name, err)
		}
	}
}
