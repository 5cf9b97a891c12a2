package main

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/fastqueue/fastqueue/client"
)

// shownTime is a time in a table; one that is absent is a dash.
func shownTime(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// times says how often a message was received: "1st time".
func times(n int) string {
	suffix := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix + " time"
}

func sortedNames(attributes map[string]client.Attribute) []string {
	return slices.Sorted(maps.Keys(attributes))
}

// shownAttribute is an attribute's value in a table; bytes are base64, as in JSON.
func shownAttribute(a client.Attribute) string {
	if a.BinaryValue != nil {
		return base64.StdEncoding.EncodeToString(a.BinaryValue)
	}
	return a.StringValue
}
