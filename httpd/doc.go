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
// The package decides nothing that depends on the state of the cluster. It checks the shape of a request and the signature
// of a token; whether a user, a queue or a message exists is decided when the command is applied, or by the leader's read.
// So a node whose copy of the state is old never refuses what another node has just accepted.
//
// A Server owns its listener, its cache of parsed tokens and its password hasher; handlers run on net/http's goroutines and
// share nothing else. Package cluster implements Node; cmd connects the two.
package httpd
