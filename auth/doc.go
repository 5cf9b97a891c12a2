// Package auth turns secrets into proofs and back: passwords into argon2id hashes, what a log-in is allowed to do into
// signed tokens, and random API keys into the hashes by which they are found.
//
// It knows no user, stores nothing and decides no right: whether a user still exists, and in which version, is decided in
// the state machine. Keys, times and limits come from the caller as values, so that every node makes the same token from
// the same record. Its callers are httpd (log-in, and the check of every request) and the command line (the first
// administrator's password). It imports nothing else of FastQueue.
package auth
