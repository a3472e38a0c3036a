// Package prose is the plain text of an article with its structure: which part is a heading, which the lead.
//
// All offsets are runes into the text that is published, so that evidence quotes it exactly. The package neither
// parses nor judges; it is what the steps that read words share.
package prose

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind is the role of a block.
type Kind string

// The kinds of blocks.
const (
	Paragraph Kind = "paragraph"
	Heading   Kind = "heading"
	Item      Kind = "item" // of a list
	Quote     Kind = "quote"
	Code      Kind = "code"
	Cell      Kind = "cell" // a row of a table
)

// Block is a run of text, [Start, End) in runes of the body.
type Block struct {
	Kind       Kind
	Start, End int
	// From and To are the same in bytes.
	From, To int
}

// Text is title and body. Blocks of the body are parted by a blank line.
type Text struct {
	Title  string
	Body   string
	Blocks []Block
}

// Builder puts blocks together.
type Builder struct {
	b      strings.Builder
	runes  int
	blocks []Block
}

// Add appends a block. Empty text is left out.
func (b *Builder) Add(kind Kind, text string) {
	if kind == Code {
		text = strings.Trim(text, "\n")
	} else {
		text = strings.TrimSpace(text)
	}
	if strings.TrimSpace(text) == "" {
		return
	}
	if b.runes > 0 {
		b.b.WriteString("\n\n")
		b.runes += 2
	}
	start, from := b.runes, b.b.Len()
	b.b.WriteString(text)
	b.runes += utf8.RuneCountInString(text)
	b.blocks = append(b.blocks, Block{Kind: kind, Start: start, End: b.runes, From: from, To: b.b.Len()})
}

// Text returns what was put together.
func (b *Builder) Text(title string) Text {
	return Text{Title: title, Body: b.b.String(), Blocks: b.blocks}
}

// FromPlain takes plain text apart at blank lines.
func FromPlain(title, text string) Text {
	var b Builder
	for p := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		b.Add(Paragraph, p)
	}
	return b.Text(title)
}

// At returns the kind of the block that holds a rune of the body.
func (t *Text) At(offset int) Kind {
	i, _ := slices.BinarySearchFunc(t.Blocks, offset, func(b Block, at int) int { return cmp.Compare(b.End, at+1) })
	if i < len(t.Blocks) {
		return t.Blocks[i].Kind
	}
	return Paragraph
}

// Rising returns what [Text.At] does for offsets that rise from call to call, without a search for each.
func (t *Text) Rising() func(offset int) Kind {
	i := 0
	return func(offset int) Kind {
		for i < len(t.Blocks) && t.Blocks[i].End <= offset {
			i++
		}
		if i < len(t.Blocks) {
			return t.Blocks[i].Kind
		}
		return Paragraph
	}
}
