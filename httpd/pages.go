package httpd

import (
	"net/url"
	"strconv"
)

// maxPage is the most items that one answer has if the request names a limit, and that one query asks for in any case.
const maxPage = 1000

// maxAfterBytes bounds ?after: no name is as long.
const maxAfterBytes = 256

// span is the part of a list that a request asks for.
type span struct {
	limit int    // 0: to the end of the list
	after string // the name or id that ended the page before; empty: from the beginning
}

func spanOf(p parameters) (span, error) {
	at := span{after: p.Get("after")}
	if len(at.after) > maxAfterBytes {
		return at, invalid("after", "be the name or id that ended the page before, as in the Link header of its answer")
	}
	if !p.Has("limit") {
		return at, nil
	}
	n, err := strconv.ParseUint(p.Get("limit"), 10, 16)
	if err != nil || n < 1 || n > maxPage {
		return at, invalid("limit", "be a whole number from 1 to %d", maxPage)
	}
	at.limit = int(n)
	return at, nil
}

// list reads what every list takes: limit, after and consistency, and the parameters of its own.
func (s *Server) list(r *request, own ...string) (parameters, span, reader, error) {
	p, err := r.parameters(append([]string{"limit", "after", "consistency"}, own...)...)
	if err != nil {
		return p, span{}, nil, err
	}
	at, err := spanOf(p)
	if err != nil {
		return p, at, nil, err
	}
	read, err := s.reader(p)
	return p, at, read, err
}

// collect reads the items of a span, query by query: each is as of its own moment. key is what the next query begins behind;
// next is the key of the last item if the list goes on behind it, else empty.
func collect[T any](at span, ask func(after string, limit uint32) (items []T, more bool, err error), key func(T) string) (all []T, next string, err error) {
	limit := uint32(maxPage)
	if at.limit > 0 {
		limit = uint32(at.limit)
	}
	for after := at.after; ; {
		items, more, err := ask(after, limit)
		if err != nil {
			return nil, "", err
		}
		all = append(all, items...)
		if !more || len(items) == 0 {
			return all, "", nil
		}
		after = key(items[len(items)-1])
		if at.limit > 0 {
			return all, after, nil
		}
	}
}

// listAnswer is the answer to a list that may go on: respond.go writes the value, and the Link header.
type listAnswer struct {
	value any
	next  string // the URL of the next page, relative to the request's; empty: there is none
}

// pageOf makes the answer of a page; next is the key behind which the next one begins, empty if there is none.
func pageOf(r *request, p parameters, value any, next string) listAnswer {
	if next == "" {
		return listAnswer{value: value}
	}
	query := url.Values{}
	for name, values := range p.Values {
		query[name] = values
	}
	query.Set("after", next)
	return listAnswer{value: value, next: r.http.URL.EscapedPath() + "?" + query.Encode()}
}
