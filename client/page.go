package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// pageSize is how many items one request of a list asks for; the largest that the server takes.
const pageSize = 1000

// pages goes through a list page by page; every page is as of its own moment. items takes the items out of an answer, and
// key is what the next page begins behind.
func pages[P, T any](ctx context.Context, c *Client, path string, query url.Values, items func(*P) []T, key func(T) string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		q := url.Values{"limit": {strconv.Itoa(pageSize)}}
		for name, values := range query {
			q[name] = values
		}
		for {
			var page P
			var header http.Header
			err := c.do(ctx, call{method: http.MethodGet, path: path + "?" + q.Encode(), out: &page, header: &header, repeatable: true})
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			list := items(&page)
			for _, item := range list {
				if !yield(item, nil) {
					return
				}
			}
			if len(list) == 0 || !hasNext(header) {
				return
			}
			q.Set("after", key(list[len(list)-1]))
		}
	}
}

// hasNext says whether a list goes on behind this page. The address in the header is the server's view of itself and may be
// of no use behind a proxy, so only its presence counts.
func hasNext(header http.Header) bool {
	for _, link := range header.Values("Link") {
		if strings.Contains(link, `rel="next"`) {
			return true
		}
	}
	return false
}
