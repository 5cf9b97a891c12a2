package main

import (
	"fmt"
	"strings"
)

// maxSlips is how many letters a word may differ from the one that was probably meant.
const maxSlips = 2

// didYouMean adds to a clause about an unknown word the word that was probably meant, or nothing.
func didYouMean(word string, known []string) string {
	if best, slips := nearest(word, known); best != "" && slips <= max(maxSlips, len(word)/3) {
		return fmt.Sprintf(" (did you mean %q?)", best)
	}
	return ""
}

// nearest returns the known word that differs least from a given one, the first of several, and by how many letters.
func nearest(word string, known []string) (best string, slips int) {
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); best == "" || d < slips {
			best, slips = k, d
		}
	}
	return best, slips
}

// distance is the number of letters to insert, delete or change to get from one word to the other (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
