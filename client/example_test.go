package client_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/fastqueue/fastqueue/client"
)

// A worker with four jobs at a time. It stops when ctx ends, and lets its jobs finish.
func ExampleClient_Work() {
	c, err := client.New(client.Config{
		URLs:     []string{"http://10.0.0.1:9080", "http://10.0.0.2:9080", "http://10.0.0.3:9080"},
		APIKey:   "fqk_...",
		Patience: 5 * time.Second,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx, stop := context.WithTimeout(context.Background(), time.Hour)
	defer stop()
	o := client.WorkerOptions{Concurrency: 4, OnError: func(err error) { log.Print(err) }}
	err = c.Work(ctx, "orders", o, func(ctx context.Context, d client.Delivery) error {
		fmt.Println(d.MessageID, d.Body)
		return nil // the message is deleted; an error would bring it back later
	})
	if err != nil {
		log.Fatal(err)
	}
}

// A send that may be made again, also by another process after a crash: the order has one message, whatever happens. It tells
// apart what is known from what is not.
func ExampleClient_Send() {
	c, err := client.New(client.Config{URLs: []string{"http://127.0.0.1:9080"}, Username: "ada", Password: "correct horse battery staple"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	m := client.Message{Body: "hello", Delay: time.Minute}
	id, err := c.Send(context.Background(), "orders", m, client.IdempotencyKey("order-4711"))
	switch {
	case err == nil:
		fmt.Println("sent", id)
	case client.OutcomeOf(err) == client.NotApplied:
		fmt.Println("not sent:", err)
	default:
		fmt.Println("perhaps sent; within ten minutes, sending it again under its key makes no second one:", err)
	}
}
