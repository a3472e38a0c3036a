package compose

import (
	"fmt"
	"strings"

	"tidings.internal/services/publish/internal/clean"
)

// minTitle is the shortest that a title is cut to, in graphemes.
const minTitle = 40

// maxRenders bounds the work on one post.
const maxRenders = 12

// Fit applies the channel's template and shortens what goes into it until the text is within a limit by the network's
// own count: less of the summary (whole sentences, then words, then none), fewer hashtags, then a shorter title. The
// address is never cut, and neither is anything that the template wrote itself: markup that is cut in the middle is
// worse than none.
func Fit(in Input, f Fields, count func(string) int, limit int) (text string, used int, err error) {
	if in.Words != "" {
		return given(in.Words, count, limit)
	}
	t := &fitting{in: in, count: count, limit: limit}
	if done := t.try(f); done {
		return t.text, t.used, t.err
	}
	if t.summary(&f) || t.hashtags(&f) || t.title(&f) {
		return t.text, t.used, t.err
	}
	return "", 0, &Error{PostTooLong, fmt.Errorf("it has %d of %d even without summary and hashtags", t.used, limit)}
}

// given takes a person's text as it is, or not at all: what to leave out is for the person to say.
func given(words string, count func(string) int, limit int) (string, int, error) {
	if used := count(words); used > limit {
		return "", 0, &Error{PostTooLong, fmt.Errorf("the text has %d of %d", used, limit)}
	}
	return words, count(words), nil
}

type fitting struct {
	in    Input
	count func(string) int
	limit int

	renders int
	text    string
	used    int
	err     error
}

// try renders and reports whether that settles it: the text fits, or there is an error.
func (t *fitting) try(f Fields) bool {
	if t.renders++; t.renders > maxRenders {
		t.err = &Error{PostTooLong, fmt.Errorf("it does not fit after %d tries", maxRenders)}
		return true
	}
	if t.text, t.err = t.in.Channel.apply(f); t.err != nil {
		return true
	}
	if !strings.Contains(t.text, f.URL) {
		t.err = &Error{NoLink, fmt.Errorf("the template leaves out the address")}
		return true
	}
	t.used = t.count(t.text)
	return t.used <= t.limit
}

// over is by how much the last text was too long.
func (t *fitting) over() int { return t.used - t.limit }

// summary shortens the summary. When nothing of it can stay it is empty afterwards.
func (t *fitting) summary(f *Fields) bool {
	full := f.Summary
	size := clean.Length(full)
	for range 4 {
		size -= t.over()
		if size < 20 {
			break // less than that tells nothing
		}
		f.Summary = shorterSummary(full, size)
		if t.try(*f) {
			return true
		}
		size = min(size, clean.Length(f.Summary))
	}
	if full == "" {
		return false
	}
	f.Summary = ""
	return t.try(*f)
}

// shorterSummary gives the sentences that fit into a size if they fill half of it, else as many words as do.
func shorterSummary(s string, size int) string {
	end, length := 0, 0
	for {
		next := sentenceEnd(s, end)
		if next < 0 {
			break
		}
		longer := length + clean.Length(s[end:next])
		if longer > size {
			break
		}
		end, length = next, longer
	}
	if end > 0 && length >= size/2 {
		return s[:end]
	}
	return clean.Shorten(s, size)
}

// hashtags halves the number of hashtags, down to none.
func (t *fitting) hashtags(f *Fields) bool {
	tags := f.Tags
	n := min(len(tags), max(t.in.Channel.Hashtags, 1))
	for n > 0 {
		n /= 2
		f.Tags = first(tags, n)
		if t.try(*f) {
			return true
		}
	}
	return false
}

// title shortens the title, but not below [minTitle].
func (t *fitting) title(f *Fields) bool {
	full := f.Title
	size := clean.Length(full)
	for range 3 {
		if size <= minTitle {
			return false
		}
		size = max(size-max(t.over(), 1), minTitle)
		f.Title = clean.Shorten(full, size)
		if t.try(*f) {
			return true
		}
	}
	return false
}
