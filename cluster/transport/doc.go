// Package transport is the cluster port: the one TCP port on which the members of a cluster speak to each other.
//
// Every connection is TLS 1.3 and starts with a preamble that says who calls, whom the caller means, of which cluster,
// and which service it wants. Raft itself checks none of this, so a node that was founded anew on an old address would
// otherwise be overwritten by its former leader. Three services live on the port:
//
//	raft   the byte streams of raft's own network transport (Port.RaftLayer)
//	rpc    requests between members, many callers in one frame of one gRPC stream (Port.Call, Handler)
//	join   one question and one answer for a node that has no certificate yet, only the join token (Join)
//
// raft and rpc need a certificate of the cluster's own CA, and the name in it is the raft server id. join is open to
// everybody who can reach the port, and therefore small: ten connections, 4 KiB, 10 s, and nothing is revealed or
// believed before both sides have proved with an HMAC over the TLS exporter that they know the token.
//
// The package knows members by id only. Where an id lives is asked at every dial (Options.Addresses), and names are
// resolved then, so members may change their addresses while the port is open.
//
// Ownership: a Port owns its listener, every connection on either side and every goroutine it starts; Close ends them
// all and waits. A link (one per called member) owns one stream and the calls waiting on it, under one mutex. What the
// package deliberately does not do: it decides nothing about members, leaders or retries.
package transport
