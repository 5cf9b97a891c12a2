package httpd

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// addRefusals documents the errors of an operation, one response for each status. What each code means is meaningOf's.
func (b *describer) addRefusals(op *operation, codes []string, errorSchema *schema) {
	byStatus := map[int][]string{}
	for _, code := range codes {
		b.codes[code] = true
		status := meaningOf(code).status
		byStatus[status] = append(byStatus[status], code)
	}
	statuses := make([]int, 0, len(byStatus))
	for status := range byStatus {
		statuses = append(statuses, status)
	}
	slices.Sort(statuses)
	for _, status := range statuses {
		r := &response{Codes: byStatus[status], Headers: headersOf(status, documentation{}), Content: documentation{}.mediaOf(errorSchema, "")}
		for _, code := range r.Codes {
			r.Description += fmt.Sprintf("- `%s`: %s\n", code, meaningOf(code).detail)
		}
		op.Responses.set(strconv.Itoa(status), r)
	}
}

// successText says what a success means.
func successText(status int) string {
	switch status {
	case http.StatusCreated:
		return "It was created."
	case http.StatusNoContent:
		return "It was done; the answer has no body."
	}
	return "It was done."
}

// headersOf documents the headers that matter of an answer.
func headersOf(status int, d documentation) object[header] {
	text := &schema{Type: "string"}
	all := object[header]{{"X-Request-Id", header{"The request's id in the logs of the nodes: the client's own, or a new one.", text}}}
	if (meaning{status: status}).later() {
		all.set("Retry-After", header{"Seconds after which the same request may succeed.", &schema{Type: "integer", Minimum: new(int64(1))}})
	}
	if status == http.StatusUnauthorized {
		all.set("WWW-Authenticate", header{"Bearer", text})
	}
	if slices.ContainsFunc(d.parameters, func(p parameter) bool { return p.Name == "after" }) {
		all.set("Link", header{`<URL of the next page>; rel="next". Without it the list ends here.`, text})
	}
	if slices.ContainsFunc(d.parameters, func(p parameter) bool { return p.Name == idempotencyHeader }) {
		all.set(replayedHeader, header{"true: the answer was given before, to the same request under the same " + idempotencyHeader + ".", text})
	}
	return all
}
