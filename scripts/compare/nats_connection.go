package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

// natsConnection speaks JetStream's protocol itself: every answer comes to one inbox. It is what the library's Publish,
// Fetch and DoubleAck send, without a subscription, a timer and decoded JSON for each.
type natsConnection struct {
	conn     *nats.Conn
	stream   string // also its subject
	inbox    string
	answers  *nats.Subscription
	body     []byte
	received []string // subjects that acknowledge the messages in hand
}

func newNATSConnection(conn *nats.Conn, stream string) (*natsConnection, error) {
	c := &natsConnection{conn: conn, stream: stream, inbox: conn.NewInbox(), body: newBody()}
	var err error
	if c.answers, err = conn.SubscribeSync(c.inbox); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *natsConnection) send(ctx context.Context) error    { return c.publish(ctx, 1) }
func (c *natsConnection) sendTen(ctx context.Context) error { return c.publish(ctx, ten) }
func (c *natsConnection) loop(ctx context.Context) error    { return c.loopOf(ctx, 1) }
func (c *natsConnection) loopTen(ctx context.Context) error { return c.loopOf(ctx, ten) }
func (c *natsConnection) close()                            { c.conn.Close() }
func (c *natsConnection) request(subject, body string) error {
	return c.conn.PublishRequest(subject, c.inbox, []byte(body))
}

func (c *natsConnection) loopOf(ctx context.Context, n int) error {
	if err := c.publish(ctx, n); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if err := c.fetch(ctx, n); err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if err := c.acknowledge(ctx); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	return nil
}

// publish sends n messages and waits until the stream has confirmed them all.
func (c *natsConnection) publish(ctx context.Context, n int) error {
	for range n {
		if err := c.conn.PublishRequest(c.stream, c.inbox, c.body); err != nil {
			return err
		}
	}
	for range n {
		answer, err := c.answer(ctx)
		if err != nil {
			return err
		}
		if !bytes.Contains(answer.Data, []byte(`"seq":`)) || bytes.Contains(answer.Data, []byte(`"error"`)) {
			return fmt.Errorf("refused: %.200s", answer.Data)
		}
	}
	return nil
}

// fetch pulls n messages.
func (c *natsConnection) fetch(ctx context.Context, n int) error {
	if err := c.request("$JS.API.CONSUMER.MSG.NEXT."+c.stream+"."+natsConsumer, fmt.Sprintf(`{"batch":%d,"expires":5000000000}`, n)); err != nil {
		return err
	}
	c.received = c.received[:0]
	for range n {
		m, err := c.answer(ctx)
		if err != nil {
			return err
		}
		if len(m.Data) != bodyBytes {
			return fmt.Errorf("no message: %v %.200s", m.Header, m.Data)
		}
		c.received = append(c.received, m.Reply)
	}
	return nil
}

// acknowledge deletes the messages in hand and waits until the consumer has confirmed it.
func (c *natsConnection) acknowledge(ctx context.Context) error {
	for _, subject := range c.received {
		if err := c.request(subject, "+ACK"); err != nil {
			return err
		}
	}
	for range c.received {
		answer, err := c.answer(ctx)
		if err != nil {
			return err
		}
		if len(answer.Data) > 0 {
			return fmt.Errorf("refused: %.200s", answer.Data)
		}
	}
	return nil
}

// answer waits for what comes to the inbox next.
func (c *natsConnection) answer(ctx context.Context) (*nats.Msg, error) {
	m, err := c.answers.NextMsgWithContext(ctx)
	if err != nil {
		return nil, err
	}
	if status := m.Header.Get("Status"); status != "" {
		return nil, errors.New("status " + status + " " + m.Header.Get("Description"))
	}
	return m, nil
}
