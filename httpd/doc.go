// Package httpd is FastQueue's HTTP API: it turns requests into commands and queries, and results into answers.
//
//	request -> row of the route table -> limits, request id -> token -> handler: parse, validate, propose, answer
//	                                                                       |
//	                                                                     Node (package cluster)
//
// routes.go is the API at a glance; actions.go is the second table, for the Actions of POST /v1/queue/{name}. Every row
// has a handler that returns (value, error), in a file named after the command. respond.go is the only place that knows
// status numbers and writes bytes.
//
// The package decides nothing that depends on the state of the cluster. It checks the shape of a request, the signature of
// a token and the shape of an API key; whether a user, a log-in, a key, a queue or a message exists, and what a role may do,
// is decided when the command is applied, or by the leader's read. So a node whose copy of the state is old never refuses
// what another node has just accepted. A client may ask for that copy, with ?consistency=stale; routes that must answer
// without a leader look there first who is asking (check_principal.go), and so do big bodies that come with an API key,
// before memory is taken for them (body.go).
//
// A Server owns its listener, its cache of parsed tokens and its password hasher; handlers run on the goroutines of
// their connections (package http1) and share nothing else. Package cluster implements Node; cmd connects the two.
package httpd
