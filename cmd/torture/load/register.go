package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/history"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

const (
	registerNames = 3                      // queues, and as many users
	registerPause = 100 * time.Millisecond // between two operations of a worker: the checker's work grows fast with their number
)

// operate carries out one operation on a queue or a user, by one request to one node.
func (w *worker) operate(ctx context.Context) {
	nodes.Pause(ctx, registerPause)
	name := fmt.Sprintf("register-%d", w.random.IntN(registerNames))
	verb := []history.Verb{history.Create, history.Update, history.Remove, history.Read, history.Read}[w.random.IntN(5)]
	api := w.single[w.random.IntN(len(w.single))]
	o := &history.Operation{Worker: w.number, Verb: verb}
	var do func(context.Context) error
	if w.random.IntN(2) == 0 {
		o.Name = "queue " + name
		do = w.onQueue(api, name, o)
	} else {
		o.Name = "user " + name
		do = w.onUser(api, name, o)
	}
	var err error
	o.Span, err = w.request(ctx, do)
	o.Answer, _ = w.answerOf(o.Name+" "+string(verb), err, expected{client.CodeUserChanged: true}) // two may delete a user at once
	w.history.AddOperation(o)
}

// onQueue makes an operation on a queue whose value is its length limit.
func (w *worker) onQueue(api *client.Client, name string, o *history.Operation) func(context.Context) error {
	limit := 1 + w.random.Int64N(1_000)
	value := strconv.FormatInt(limit, 10)
	switch o.Verb {
	case history.Create:
		o.Value = value
		return func(ctx context.Context) error {
			_, err := api.CreateQueue(ctx, name, client.QueueSettings{MaxLength: limit})
			o.Found = hasCode(err, client.CodeQueueExists)
			return unless(o.Found, err)
		}
	case history.Update:
		o.Value = value
		return func(ctx context.Context) error {
			_, err := api.UpdateQueue(ctx, name, client.QueueUpdate{MaxLength: &limit})
			return found(o, err, client.CodeQueueNotFound)
		}
	case history.Remove:
		return func(ctx context.Context) error { return found(o, api.DeleteQueue(ctx, name), client.CodeQueueNotFound) }
	}
	return func(ctx context.Context) error {
		q, err := api.Queue(ctx, name)
		o.Value = strconv.FormatInt(q.MaxLength, 10)
		return found(o, err, client.CodeQueueNotFound)
	}
}

// onUser makes an operation on a user whose value is its role.
func (w *worker) onUser(api *client.Client, name string, o *history.Operation) func(context.Context) error {
	password := w.secret + " of " + name
	switch o.Verb {
	case history.Create:
		o.Value = string(client.RoleUser)
		return func(ctx context.Context) error {
			err := api.Register(ctx, name, password)
			o.Found = hasCode(err, client.CodeUserExists)
			return unless(o.Found, err)
		}
	case history.Update:
		role := []client.Role{client.RoleUser, client.RoleAdmin}[w.random.IntN(2)]
		o.Value = string(role)
		return func(ctx context.Context) error {
			return found(o, api.SetRole(ctx, name, role), client.CodeUserNotFound)
		}
	case history.Remove:
		return func(ctx context.Context) error {
			return found(o, api.DeleteUser(ctx, name, password), client.CodeInvalidCredentials)
		}
	}
	return func(ctx context.Context) error {
		for u, err := range api.Users(ctx) {
			if err != nil {
				return err
			}
			if u.Username == name {
				o.Found, o.Value = true, string(u.Role)
			}
		}
		return nil
	}
}

// found notes whether a name existed: it did unless the operation was refused for its absence, which is an answer.
func found(o *history.Operation, err error, absent string) error {
	missing := hasCode(err, absent)
	o.Found = err == nil
	return unless(missing, err)
}

func unless(expected bool, err error) error {
	if expected {
		return nil
	}
	return err
}

func hasCode(err error, code string) bool {
	e, ok := errors.AsType[*client.Error](err)
	return ok && e.Code == code && e.Status < http.StatusInternalServerError
}
