package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/fsm"
)

// sendOptions are the flags of the send verb.
type sendOptions struct {
	to         connection
	out        output
	bodyFile   string
	lines      bool
	attributes []string
	delay      secondsFlag
	key        string
}

const sendLong = `Send a message and print its id, once it is on the disks of a majority.

The body is the argument, the content of --body-file, or standard input: with - in its place, or without any when standard
input is a pipe or a file. All of standard input is one message, or with --lines each of its lines is one, sent ten at a time.
When sending lines fails in between, the ids of the lines that were sent are printed, and the exit code is 7.

With --idempotency-key the same command can be run again within ten minutes: what it had sent is not sent a second time, and
its ids are printed again. Use a new key for every message. With --lines it is a key for the whole input: each request of up to
ten lines has a key made of it and the number of its first line.`

func newSendCommand() *cobra.Command {
	var o sendOptions
	c := &cobra.Command{
		Use:   "send QUEUE [BODY]",
		Short: "Send messages",
		Long:  sendLong,
		Example: `  fastqueue send jobs hello
  fastqueue send jobs --attribute customer=17 --delay 1m --body-file order.json
  fastqueue send jobs --idempotency-key order-4711 --body-file order.json
  cat jobs.txt | fastqueue send jobs --lines`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error { return o.send(c, args[0], args[1:]) },
	}
	o.to.addFlags(c.Flags())
	o.out.addFlags(c.Flags())
	c.Flags().StringVar(&o.bodyFile, "body-file", "", "file with the body")
	c.Flags().BoolVar(&o.lines, "lines", false, "every line of --body-file or standard input is a message")
	c.Flags().StringArrayVar(&o.attributes, "attribute", nil, "attribute of the messages, as NAME=VALUE; repeatable")
	c.Flags().Var(&o.delay, "delay", "how long nobody receives the messages, at most 15m")
	c.Flags().StringVar(&o.key, "idempotency-key", "", "name of this send, under which it can be run again; 1 to 128 visible ASCII characters (default: a random one)")
	return c
}

func (o *sendOptions) send(c *cobra.Command, queue string, body []string) error {
	template, err := o.template()
	if err != nil {
		return usage(err)
	}
	source, err := o.source(c, body)
	if err != nil {
		return usage(err)
	}
	defer source.Close()
	api, err := openFor(&o.to, &o.out)
	if err != nil {
		return err
	}
	defer api.Close()
	if o.lines {
		return o.sendLines(c, api, queue, source, template)
	}
	if template.Body, err = readBody(source); err != nil {
		return err
	}
	id, err := api.Send(c.Context(), queue, template, client.IdempotencyKey(o.key))
	if err != nil {
		return fmt.Errorf("send to %s: %w", queue, err)
	}
	return o.show(c, id)
}

// show prints the id of a message.
func (o *sendOptions) show(c *cobra.Command, id string) error {
	sent := map[string]string{"MessageId": id, "status": "sent"}
	return o.out.print(c.OutOrStdout(), sent, func(t *tabwriter.Writer) { fmt.Fprintln(t, id) })
}

// template is a message without its body.
func (o *sendOptions) template() (client.Message, error) {
	m := client.Message{Delay: o.delay.value}
	if err := o.checkKey(); err != nil {
		return m, err
	}
	for _, a := range o.attributes {
		name, value, ok := strings.Cut(a, "=")
		if !ok || name == "" {
			return m, fmt.Errorf("--attribute %q: want NAME=VALUE", a)
		}
		if m.Attributes == nil {
			m.Attributes = map[string]client.Attribute{}
		}
		if !utf8.ValidString(a) {
			return m, fmt.Errorf("--attribute %q: only UTF-8 text can be sent: encode the value, for example with base64", name)
		}
		m.Attributes[name] = client.StringAttribute(value)
	}
	return m, nil
}

// checkKey refuses what no node would take as a key.
func (o *sendOptions) checkKey() error {
	longest := fsm.MaxIdempotencyKeyBytes
	if o.lines {
		longest -= len(".1000000000") // see keyOf
	}
	if len(o.key) > longest || strings.ContainsFunc(o.key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("--idempotency-key %q: 1 to %d visible ASCII characters without spaces are allowed", o.key, longest)
	}
	return nil
}

// source is where the body comes from.
func (o *sendOptions) source(c *cobra.Command, body []string) (io.ReadCloser, error) {
	argument := len(body) == 1 && body[0] != "-"
	switch {
	case argument && o.bodyFile != "":
		return nil, errors.New("the argument and --body-file are two bodies: give one")
	case argument && o.lines:
		return nil, errors.New("--lines splits --body-file or standard input, not an argument")
	case argument:
		return io.NopCloser(strings.NewReader(body[0])), nil
	case o.bodyFile != "" && o.bodyFile != "-":
		f, err := os.Open(o.bodyFile)
		if err != nil {
			return nil, fmt.Errorf("--body-file: %w", err)
		}
		return f, nil
	}
	stdin, ok := c.InOrStdin().(*os.File)
	if ok && len(body) == 0 && o.bodyFile == "" && term.IsTerminal(int(stdin.Fd())) {
		return nil, errors.New("no body: give it as an argument, in --body-file, or on standard input (- reads what you type)")
	}
	return io.NopCloser(c.InOrStdin()), nil
}

// maxBodyBytes is the server's limit for a message.
const maxBodyBytes = 1 << 20

// readBody reads one message, and no more than could be sent.
func readBody(r io.Reader) (string, error) {
	var b bytes.Buffer
	if _, err := b.ReadFrom(io.LimitReader(r, maxBodyBytes+1)); err != nil {
		return "", fmt.Errorf("body: %w", err)
	}
	switch {
	case b.Len() > maxBodyBytes:
		return "", usage(fmt.Errorf("the body is longer than %d bytes: keep it elsewhere and send its address, or send lines with --lines", maxBodyBytes))
	case b.Len() == 0:
		return "", usage(errors.New("the body is empty: a message has at least one byte"))
	}
	return b.String(), checkText("the body", b.String())
}

// checkText refuses what the API can't carry, since JSON is text.
func checkText(what, text string) error {
	if utf8.ValidString(text) {
		return nil
	}
	return usage(fmt.Errorf("%s is not UTF-8 text, and only that can be sent: encode it, for example: base64 -w0 FILE | fastqueue send QUEUE", what))
}
