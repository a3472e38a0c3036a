package demo

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings.internal/pkg/fault"
)

//go:embed articles/*.txt
var files embed.FS

// Article is a sample. Its file has "key: value" lines, an empty line, and the body.
type Article struct {
	Name     string // of the file, for ever: readers know the article by it
	Source   string
	Language string
	Title    string
	Summary  string
	Author   string
	Tags     []string
	Hours    int  // how long before the first start it was published
	Text     bool // the body is plain text, as some systems put into their feeds
	Body     string
	// at is when it came, for one that came after the start, and edited when it was changed; zero for none.
	at, edited time.Time
}

// Published is when the article came out, for a demo that was first started at a time.
func (a Article) Published(started time.Time) time.Time {
	if !a.at.IsZero() {
		return a.at
	}
	return started.UTC().Truncate(time.Second).Add(-time.Duration(a.Hours) * time.Hour)
}

// Articles returns the samples, the newest first.
func Articles() ([]Article, error) {
	names, err := fs.Glob(files, "articles/*.txt")
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "list the sample articles: %w", err)
	}
	var list []Article
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, fault.Errorf(fault.Internal, "read the sample articles: %w", err)
		}
		a, err := parse(strings.TrimSuffix(strings.TrimPrefix(name, "articles/"), ".txt"), string(text))
		if err != nil {
			return nil, fault.Errorf(fault.Internal, "read sample article %s: %w", name, err)
		}
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b Article) int { return a.Hours - b.Hours })
	return list, nil
}

func parse(name, text string) (Article, error) {
	head, body, ok := strings.Cut(text, "\n\n")
	if !ok {
		return Article{}, fmt.Errorf("no empty line after the head")
	}
	a := Article{Name: name, Body: strings.TrimSpace(body)}
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "source":
			a.Source = value
		case "lang":
			a.Language = value
		case "title":
			a.Title = value
		case "summary":
			a.Summary = value
		case "author":
			a.Author = value
		case "tags":
			a.Tags = strings.Split(value, ", ")
		case "form":
			a.Text = value == "text"
		case "hours":
			hours, err := strconv.Atoi(value)
			if err != nil {
				return Article{}, fmt.Errorf("hours: %w", err)
			}
			a.Hours = hours
		default:
			return Article{}, fmt.Errorf("unknown key %q", key)
		}
	}
	return a, nil
}
