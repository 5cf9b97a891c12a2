package httpd

import "time"

// timestamp is a time in JSON: RFC 3339, UTC, to the second.
type timestamp string

// timestampOf writes milliseconds since 1970.
func timestampOf(ms int64) timestamp {
	return timestamp(time.UnixMilli(ms).UTC().Format(time.RFC3339))
}

// timestampOrNull is timestampOf, but 0 is null: never, or not known.
func timestampOrNull(ms int64) *timestamp {
	if ms == 0 {
		return nil
	}
	return new(timestampOf(ms))
}
