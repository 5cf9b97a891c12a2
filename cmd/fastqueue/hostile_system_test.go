//go:build system

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestSystemCredentialsOfADeletedUserEndOnEveryNode: as soon as the deletion is answered no node takes the user's access
// token, API key or refresh token any more, also those that were used there a moment before.
func TestSystemCredentialsOfADeletedUserEndOnEveryNode(t *testing.T) {
	c := startCluster(t, 3)
	c.createQueue("jobs", 0)
	var ended []string
	const account = `{"username":"mallory","password":"` + testPassword + `"}`
	for round, deletedAt := range c.nodes {
		call(t, c.nodes[0], 200, "", "POST", "/v1/auth/register", account)
		tokens := call(t, c.nodes[1], 200, "", "POST", "/v1/auth/login", account)
		access, refresh := tokens["access_token"].(string), tokens["refresh_token"].(string)
		key := call(t, c.nodes[2], 201, access, "POST", "/v1/auth/api-keys", `{"name":"worker"}`)["key"].(string)
		for _, n := range c.nodes {
			for _, credential := range []string{access, key} {
				call(t, n, 200, credential, "GET", "/v1/queues", "")
				call(t, n, 200, credential, "POST", "/v1/queue/jobs", `{"Action":"SendMessage","MessageBody":"x"}`)
			}
		}
		for _, old := range ended { // a user of the same name is another one
			call(t, c.nodes[round], 401, old, "GET", "/v1/queues", "")
		}
		call(t, deletedAt, 200, "", "POST", "/v1/auth/delete", account)
		ended = append(ended, access, key)
		for i := range c.nodes {
			n := c.nodes[(round+i+1)%len(c.nodes)] // others first
			for _, credential := range []string{access, key} {
				call(t, n, 401, credential, "GET", "/v1/queues", "")
				call(t, n, 401, credential, "POST", "/v1/queue/jobs", `{"Action":"SendMessage","MessageBody":"x"}`)
				call(t, n, 401, credential, "POST", "/v1/queue/jobs", `{"Action":"ReceiveMessage"}`)
			}
			call(t, n, 401, "", "POST", "/v1/auth/refresh", fmt.Sprintf(`{"refresh_token":%q}`, refresh))
			call(t, n, 401, "", "POST", "/v1/auth/login", account)
		}
	}
}

// call sends one request to one node and checks its status; there is no retry that could hide an answer.
func call(t *testing.T, n *testNode, want int, credential, method, path, body string) (fields map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, n.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if credential != "" {
		r.Header.Set("Authorization", "Bearer "+credential)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("%s %s on %s: %v", method, path, n.Name, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != want {
		t.Fatalf("%s %s on %s: %d %s, want %d", method, path, n.Name, response.StatusCode, text, want)
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatalf("%s %s on %s: %s: %v", method, path, n.Name, text, err)
	}
	return fields
}
