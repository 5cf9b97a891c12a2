package client

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestCallsOnTheWire compares method, path, Authorization and body of every call that is not covered elsewhere.
func TestCallsOnTheWire(t *testing.T) {
	day := 24 * time.Hour
	tests := []struct {
		name   string
		answer string
		do     func(*Client) error
		want   string
	}{
		{"update queue", `{"name":"q","max_length":7}`, func(c *Client) error {
			q, err := c.UpdateQueue(t.Context(), "q", QueueUpdate{MaxLength: new(int64(7))})
			return mustBe(err, q.MaxLength == 7)
		}, `PATCH /v1/queues/q Bearer token {"max_length":7}`},
		{"queue", `{"name":"q","message_count":6,"ready":1,"leased":2,"delayed":3,"oldest_message_age":9,"created":"2026-01-02T03:04:05Z"}`, func(c *Client) error {
			q, err := c.Queue(t.Context(), "q")
			return mustBe(err, q.Ready == 1 && q.Leased == 2 && q.Delayed == 3 && q.MessageCount == 6 && q.OldestMessageAge == 9 && q.Created.Year() == 2026)
		}, `GET /v1/queues/q Bearer token `},
		{"purge", `{"name":"a/b"}`, func(c *Client) error { _, err := c.PurgeQueue(t.Context(), "a/b"); return err },
			`POST /v1/queues/a%2Fb/purge Bearer token `},
		{"change visibility", `{"message":"ok"}`, func(c *Client) error { return c.ChangeVisibility(t.Context(), "q", "h", 0) },
			`POST /v1/queue/q Bearer token {"Action":"ChangeMessageVisibility","VisibilityTimeout":0,"ReceiptHandle":"h"}`},
		{"change visibility batch", `{"Successful":[{"Id":"0"}],"Failed":[{"Id":"1","Code":"message_not_leased"}]}`, func(c *Client) error {
			r, err := c.ChangeVisibilityBatch(t.Context(), "q", []Visibility{{"h", time.Minute}, {"i", 0}})
			return mustBe(err, len(r) == 2 && r[0].Err == nil && r[1].Err != nil)
		}, `POST /v1/queue/q Bearer token {"Action":"ChangeMessageVisibilityBatch","Entries":[{"Id":"0","ReceiptHandle":"h","VisibilityTimeout":60},` +
			`{"Id":"1","ReceiptHandle":"i","VisibilityTimeout":0}]}`},
		{"delete and receive", `{"Messages":[{"MessageId":"m","Body":"b","SystemAttributes":{"ApproximateReceiveCount":"3","SentTimestamp":"1000"}}],` +
			`"DeleteResults":[{"ReceiptHandle":"h","Deleted":true},{"ReceiptHandle":"i","Deleted":false,"Code":"message_not_found"}]}`, func(c *Client) error {
			d, r, err := c.DeleteAndReceive(t.Context(), "q", []string{"h", "i", "j"}, ReceiveOptions{Max: 2, SystemAttributes: true})
			if err != nil {
				return err
			}
			refused, isError := r[1].Err.(*Error)
			missing, isMissing := r[2].Err.(*Error)
			return mustBe(nil, d[0].ReceiveCount() == 3 && d[0].Sent().Equal(time.Unix(1, 0)) && d[0].FirstReceived().IsZero() &&
				r[0].Err == nil && isError && refused.Code == CodeMessageNotFound && isMissing && missing.Outcome == Unknown)
		}, `POST /v1/queue/q Bearer token {"Action":"ReceiveMessage","MaxNumberOfMessages":2,"SystemAttributeNames":["All"],"DeleteReceiptHandles":["h","i","j"]}`},
		{"change password", `{"username":"ada"}`, func(c *Client) error { return c.ChangePassword(t.Context(), "ada", "old", "new") },
			`POST /v1/auth/change-password  {"username":"ada","old_password":"old","new_password":"new"}`},
		{"reset password", `{"username":"ada"}`, func(c *Client) error { return c.ResetPassword(t.Context(), "ada", "new") },
			`POST /v1/auth/reset-password Bearer token {"username":"ada","new_password":"new"}`},
		{"reset password locally", `{"username":"ada"}`, func(c *Client) error { return c.ResetPasswordLocally(t.Context(), "s", "ada", "new") },
			`POST /v1/auth/reset-password Local s {"username":"ada","new_password":"new"}`},
		{"delete user", `{"message":"ok"}`, func(c *Client) error { return c.DeleteUser(t.Context(), "ada", "p") },
			`POST /v1/auth/delete  {"username":"ada","password":"p"}`},
		{"set role", `{"username":"ada","role":"admin"}`, func(c *Client) error { return c.SetRole(t.Context(), "ada", RoleAdmin) },
			`PATCH /v1/auth/users/ada Bearer token {"role":"admin"}`},
		{"create API key", `{"id":"7","name":"ci","key":"fqk_x","hint":"fqk_","created":"2026-01-02T03:04:05Z","expires":"2026-01-03T03:04:05Z","last_used":null}`,
			func(c *Client) error {
				k, err := c.CreateAPIKey(t.Context(), "ci", 1)
				return mustBe(err, k.ID == "7" && k.Key == "fqk_x" && k.LastUsed == nil && k.Expires != nil && k.Expires.Equal(k.Created.Add(day)))
			}, `POST /v1/auth/api-keys Bearer token {"name":"ci","expires_in_days":1}`},
		{"delete API key", ``, func(c *Client) error { return c.DeleteAPIKey(t.Context(), "", "7") }, `DELETE /v1/auth/api-keys/7 Bearer token `},
		{"delete another's API key", ``, func(c *Client) error { return c.DeleteAPIKey(t.Context(), "a&b", "7") },
			`DELETE /v1/auth/api-keys/7?username=a%26b Bearer token `},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got string
			n := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				got = strings.Join([]string{r.Method, r.RequestURI, r.Header.Get("Authorization"), string(body)}, " ")
				says(200, test.answer)(w, r)
			}))
			defer n.Close()
			if err := test.do(newTestClient(t, n.URL)); err != nil {
				t.Error(err)
			}
			if got != test.want {
				t.Errorf("request\n%s, want\n%s", got, test.want)
			}
		})
	}
}

type unexpected struct{}

func (unexpected) Error() string { return "the answer was not read as it was written" }

func mustBe(err error, ok bool) error {
	if err == nil && !ok {
		return unexpected{}
	}
	return err
}

func TestListsGoOnPageByPage(t *testing.T) {
	var asked []string
	n := newFakeNode(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		if r.URL.Query().Get("after") == "" {
			w.Header().Set("Link", `</v1/queues?limit=1000&after=b>; rel="next"`)
			says(200, `{"queues":[{"name":"a"},{"name":"b"}]}`)(w, r)
			return
		}
		says(200, `{"queues":[{"name":"c"}]}`)(w, r)
	})
	c := newTestClient(t, n.URL)
	var names string
	for q, err := range c.EachQueue(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names += q.Name
	}
	if want := "limit=1000 after=b&limit=1000"; names != "abc" || strings.Join(asked, " ") != want {
		t.Errorf("queues %s, asked for %v, want %s", names, asked, want)
	}
	for range c.EachQueue(t.Context()) {
		break
	}
	if len(asked) != 3 {
		t.Errorf("%d requests after a loop that was left early, want 3", len(asked))
	}
}

func TestAListEndsAfterAnError(t *testing.T) {
	n := newFakeNode(t, says(403, `{"code":"forbidden"}`))
	rounds := 0
	for _, err := range newTestClient(t, n.URL).Users(t.Context()) {
		if rounds++; err == nil {
			t.Error("no error")
		}
	}
	if rounds != 1 {
		t.Errorf("%d rounds, want 1", rounds)
	}
}

func TestPatienceHidesAnElection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		requests := 0
		election := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if requests++; time.Since(start) < 2*time.Second {
				says(503, `{"code":"no_leader","outcome":"not_applied"}`)(w, r)
				return
			}
			says(200, sentAnswer)(w, r)
		})
		for patience, hidden := range map[time.Duration]bool{0: false, 3 * time.Second: true} {
			requests, start = 0, time.Now()
			c, err := New(Config{URLs: []string{"http://a:1", "http://b:1"}, APIKey: "key", Patience: patience, Transport: handlerTransport{election}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Send(t.Context(), "q", Message{Body: "b"}); (err == nil) != hidden {
				t.Errorf("patience %s: error %v after %d requests", patience, err, requests)
			}
		}
		unknown := http.HandlerFunc(says(503, `{"code":"timeout","outcome":"unknown"}`))
		c, err := New(Config{URLs: []string{"http://a:1"}, APIKey: "key", Patience: time.Hour, Transport: handlerTransport{unknown}})
		if err != nil {
			t.Fatal(err)
		}
		start = time.Now()
		if _, err := c.CreateQueue(t.Context(), "q", QueueSettings{}); err == nil || time.Since(start) > 0 {
			t.Errorf("a queue of which nobody knows: %v after %s, want an error at once", err, time.Since(start))
		}
	})
}
