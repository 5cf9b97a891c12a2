// Package client is the Go client of FastQueue's HTTP API.
//
// A Client knows the addresses of several nodes and talks to one of them at a time. Any node answers any request, so the
// next address is taken when the present one fails, but a request is sent again only when that cannot repeat its effect:
// nothing was sent, the node said that nothing was applied, or the request is harmless to repeat: a read, a login, a delete, and a
// send, which has an idempotency key. What no node could tell comes back as an *Error whose Outcome is Unknown, and the caller
// decides: sending the same message again may make a second copy, unless it has the caller's own IdempotencyKey; deleting again is
// safe, and a 404 then means that the message is gone. With a Patience longer than an election few outcomes stay unknown.
//
//	c, err := client.New(client.Config{URLs: []string{"http://127.0.0.1:9080"}, APIKey: key})
//	id, err := c.Send(ctx, "orders", client.Message{Body: "hello"})
//	err = c.Work(ctx, "orders", client.WorkerOptions{Concurrency: 4}, func(ctx context.Context, d client.Delivery) error {
//		return handle(ctx, d.Body) // nil deletes the message, an error brings it back later
//	})
//
// Whoever asks is an API key, a user with a password, or the tokens of an earlier login. With a password the client logs in by
// itself, renews its tokens by the refresh token, and logs in again only when that is refused.
//
// client.go and session.go say who is asked and who asks, exchange.go how one call finds a node, idempotency_key.go why a send may be
// repeated, work.go, lease.go and
// finished.go are the worker; the other files hold the calls, a noun each.
//
// A Client is safe for concurrent use and keeps its connections open.
package client
