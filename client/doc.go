// Package client is the Go client of FastQueue's HTTP API.
//
// A Client knows the addresses of several nodes and talks to one of them at a time. Any node answers any request, so the
// next address is taken when the present one fails, but a request is sent again only when that cannot repeat its effect:
// nothing was sent, the node said that nothing was applied, or the request is harmless to repeat (a read, a login).
// Everything else comes back as an *Error whose Outcome is Unknown, and the caller decides: sending the same message again
// may make a second copy; deleting again is safe, and a 404 then means that the message is gone.
//
//	c, err := client.New(client.Config{URLs: []string{"http://127.0.0.1:9080"}, Username: "ada", Password: password})
//	id, err := c.Send(ctx, "orders", client.Message{Body: "hello"})
//	deliveries, err := c.Receive(ctx, "orders", client.ReceiveOptions{Max: 10, Wait: 20 * time.Second})
//	err = c.Delete(ctx, "orders", deliveries[0].ReceiptHandle)
//
// A Client is safe for concurrent use and keeps its connections open.
package client
