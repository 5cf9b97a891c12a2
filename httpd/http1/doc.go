// Package http1 gives the requests of HTTP/1.1 connections (RFC 9112) to an http.Handler.
//
// net/http's server does so too, and a queue's requests are so small that it cost as much as their handlers: a goroutine for
// each that looks whether the client goes, five deadlines, a context, a copy of the header, and two buffers in a row. Here
// a request costs two deadlines, and a client is watched only when its request has taken a while. docs/benchmarks.md has
// the figures. Parsing stays net/http's (http.ReadRequest): the syntax of requests, the framing of bodies and everything in
// which a mistake would let requests be smuggled. What differs from net/http:
//
//   - There is neither TLS nor HTTP/2, nor are there hijacking, flushing and informational answers.
//   - The context of a request is its connection's: it ends with the connection or when the client goes, not with the request.
//     That a client goes is noticed when the request has taken watchAfter.
//   - An answer without a Content-Length ends with its connection, and nobody guesses its Content-Type.
//   - A request without a Host, or with an empty one, is refused.
package http1
