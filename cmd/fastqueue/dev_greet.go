package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// greet prints how to reach the cluster, with a credential that works.
func (d *devCluster) greet(ctx context.Context) error {
	body, err := json.Marshal(map[string]string{"username": adminName, "password": d.password})
	if err != nil {
		return fmt.Errorf("log-in request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+d.http(0)+"/v1/auth/login", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("log-in request: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	defer resp.Body.Close()
	var tokens struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&tokens); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("log in as %s: status %d; a data directory of an earlier run has its own password in %s", adminName, resp.StatusCode, adminPasswordFile)
	}
	fmt.Printf("FastQueue runs on %d nodes, data in %s. Ctrl-C stops it.\n\n", d.nodes, d.dataDir)
	for i := range d.nodes {
		fmt.Printf("  %s  http://%s/v1  process %d\n", d.name(i), d.http(i), d.pids[i].Load())
	}
	fmt.Printf("  user   %s, password %s\n\nIn another terminal:\n\n", adminName, d.password)
	fmt.Print(d.quickStart(program()))
	fmt.Printf("\nThe same with curl (the token is good for 15 minutes):\n\n")
	fmt.Printf("  TOKEN=%s\n", tokens.Access)
	fmt.Printf("  curl -s http://%s/v1/queues -H \"Authorization: Bearer $TOKEN\" -d '{\"name\": \"jobs\"}'\n\n", d.http(0))
	return nil
}

// quickStart is what to type to send and receive a first message.
func (d *devCluster) quickStart(program string) string {
	var urls []string
	for i := range d.nodes {
		urls = append(urls, "http://"+d.http(i))
	}
	return fmt.Sprintf(`  export %s=%s
  export %s=%s FASTQUEUE_PASSWORD=%s
  %[6]s cluster status
  %[6]s queue create jobs
  %[6]s send jobs "hello"
  %[6]s receive jobs --delete
`, variableName("url"), strings.Join(urls, ","), variableName("username"), adminName, shellWord(d.password), program)
}

// shellWord quotes a text for a POSIX shell if it needs that.
func shellWord(s string) string {
	special := func(r rune) bool {
		return !strings.ContainsRune("-_./:,=+@%", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	if s != "" && !strings.ContainsFunc(s, special) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
