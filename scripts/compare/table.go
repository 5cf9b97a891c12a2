package main

import (
	"strings"
	"unicode/utf8"
)

// table is written as Markdown whose columns also stand below each other in a terminal. Its first row is the head.
type table struct {
	rows [][]string
	text int // columns from the left that are text; the others are numbers and end below each other
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) String() string {
	if len(t.rows) < 2 {
		return ""
	}
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), len("---"))
		}
	}
	var b strings.Builder
	for n, row := range t.rows {
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < t.text {
				b.WriteString("| " + cell + space + " ")
			} else {
				b.WriteString("| " + space + cell + " ")
			}
		}
		b.WriteString("|\n")
		if n == 0 {
			t.writeRule(&b, widths)
		}
	}
	return b.String()
}

func (t *table) writeRule(b *strings.Builder, widths []int) {
	for i, width := range widths {
		if i < t.text {
			b.WriteString("| " + strings.Repeat("-", width) + " ")
		} else {
			b.WriteString("| " + strings.Repeat("-", width-1) + ": ")
		}
	}
	b.WriteString("|\n")
}
