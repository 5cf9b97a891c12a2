package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

// lineBatch gathers lines for one request.
type lineBatch struct {
	messages []client.Message
	names    []string // "line 17", for errors
	first    int      // number of the first line
	bytes    int
}

// add takes a line up, and says whether the request is as full as it may be.
func (b *lineBatch) add(m client.Message, line int) {
	if len(b.messages) == 0 {
		b.first = line
	}
	b.messages = append(b.messages, m)
	b.names = append(b.names, "line "+strconv.Itoa(line))
	b.bytes += len(m.Body)
}

// fits says whether a further line may go into the same request. Attributes count too, but the server knows how much: a request that
// is too large with them is refused whole.
func (b *lineBatch) fits(m client.Message) bool {
	return len(b.messages) < client.MaxBatch && (len(b.messages) == 0 || b.bytes+len(m.Body)+attributeBytes(m)*(len(b.messages)+1) <= maxBodyBytes)
}

// attributeBytes is about how much the attributes of a message count.
func attributeBytes(m client.Message) int {
	n := 0
	for name, a := range m.Attributes {
		n += len(name) + len(a.StringValue)
	}
	return n
}

// sendLines sends every line that is not empty, ten at a time, and prints the ids as they come.
func (o *sendOptions) sendLines(c *cobra.Command, api *client.Client, queue string, r io.Reader, template client.Message) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxBodyBytes+2) // and the line's end
	var batch lineBatch
	sent := 0
	flush := func() error {
		n, err := o.sendBatch(c, api, queue, &batch)
		sent += n
		batch = lineBatch{}
		return err
	}
	for number := 1; lines.Scan(); number++ {
		m := template
		if m.Body = lines.Text(); m.Body == "" {
			continue
		}
		if err := checkText("line "+strconv.Itoa(number), m.Body); err != nil {
			err = errors.Join(flush(), err)
			return afterSome(sent, err)
		}
		if !batch.fits(m) {
			if err := flush(); err != nil {
				return afterSome(sent, err)
			}
		}
		batch.add(m, number)
	}
	err := flush()
	if scanErr := lines.Err(); err == nil && scanErr != nil {
		err = fmt.Errorf("lines, after %d were sent: %w", sent, scanErr)
	}
	return afterSome(sent, err)
}

// keyOf is the key of one request with lines. The same input is split into the same requests, so that each has its key again.
func (o *sendOptions) keyOf(b *lineBatch) string {
	if o.key == "" {
		return ""
	}
	return o.key + "." + strconv.Itoa(b.first)
}

// sendBatch sends the lines and prints the ids of those that were sent.
func (o *sendOptions) sendBatch(c *cobra.Command, api *client.Client, queue string, b *lineBatch) (sent int, err error) {
	if len(b.messages) == 0 {
		return 0, nil
	}
	results, err := api.SendBatch(c.Context(), queue, b.messages, client.IdempotencyKey(o.keyOf(b)))
	if err != nil {
		return 0, fmt.Errorf("send %s and what follows to %s: %w", b.names[0], queue, err)
	}
	for _, r := range results {
		if r.Err != nil {
			continue
		}
		sent++
		if err := o.show(c, r.MessageID); err != nil {
			return sent, err
		}
	}
	return sent, entryErrors("send to "+queue, b.names, results)
}
