package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// rabbitConnection has one channel, on which publishes are confirmed.
type rabbitConnection struct {
	conn       *amqp.Connection
	channel    *amqp.Channel
	queue      string
	deliveries <-chan amqp.Delivery // since the first loop
	message    amqp.Publishing
	unsure     [ten]*amqp.DeferredConfirmation
}

func newRabbitConnection(conn *amqp.Connection, queue string) (*rabbitConnection, error) {
	channel, err := conn.Channel()
	if err == nil {
		err = channel.Confirm(false)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	message := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: newBody()}
	return &rabbitConnection{conn: conn, channel: channel, queue: queue, message: message}, nil
}

func (c *rabbitConnection) send(ctx context.Context) error    { return c.publish(ctx, 1) }
func (c *rabbitConnection) sendTen(ctx context.Context) error { return c.publish(ctx, ten) }
func (c *rabbitConnection) loop(ctx context.Context) error    { return c.loopOf(ctx, 1) }
func (c *rabbitConnection) loopTen(ctx context.Context) error { return c.loopOf(ctx, ten) }

// close also gives back what was delivered ahead.
func (c *rabbitConnection) close() { _ = c.conn.CloseDeadline(time.Now().Add(10 * time.Second)) }

// publish sends n messages and waits until the queue has confirmed them all.
func (c *rabbitConnection) publish(ctx context.Context, n int) error {
	for i := range n {
		var err error
		if c.unsure[i], err = c.channel.PublishWithDeferredConfirm("", c.queue, false, false, c.message); err != nil {
			return err
		}
	}
	for i := range n {
		confirmed, err := c.unsure[i].WaitContext(ctx)
		if err != nil {
			return err
		}
		if !confirmed {
			return errors.New("refused")
		}
	}
	return nil
}

// loopOf acknowledges without an answer: AMQP has none.
func (c *rabbitConnection) loopOf(ctx context.Context, n int) error {
	if c.deliveries == nil {
		if err := c.consume(n); err != nil {
			return fmt.Errorf("consume: %w", err)
		}
	}
	if err := c.publish(ctx, n); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	var last uint64
	for range n {
		select {
		case d, open := <-c.deliveries:
			if !open || len(d.Body) != bodyBytes {
				return errors.New("receive: the channel was closed")
			}
			last = d.DeliveryTag
		case <-ctx.Done():
			return fmt.Errorf("receive: %w", ctx.Err())
		}
	}
	if err := c.channel.Ack(last, n > 1); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	return nil
}

// consume lets the queue deliver up to n messages ahead.
func (c *rabbitConnection) consume(n int) (err error) {
	if err := c.channel.Qos(n, 0, false); err != nil {
		return err
	}
	c.deliveries, err = c.channel.Consume(c.queue, "", false, false, false, false, nil)
	return err
}

// immediately is a deadline for connections to servers that are being ended.
func immediately() time.Time { return time.Now().Add(time.Second) }
