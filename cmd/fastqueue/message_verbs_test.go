package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/client"
)

// Settings that several verbs share may stand in the environment, where a flag that was typed would be of no use.
func TestSharedSettingsDoNotContradictEachOther(t *testing.T) {
	withoutCredentials(t)
	t.Setenv("FASTQUEUE_CONCURRENCY", "4")
	t.Setenv("FASTQUEUE_OUTPUT", "json")
	for _, line := range []string{"receive jobs", "receive jobs --exec true"} {
		if err := run(t.Context(), strings.Fields(line)); exitCode(err) != exitDenied { // it gets as far as to look for a login
			t.Errorf("%s: error %v with code %d, want %d", line, err, exitCode(err), exitDenied)
		}
	}
}

func TestALineThatIsNoTextIsNamed(t *testing.T) {
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"Successful":[{"Id":"0","MessageId":"m1"}]}`)
	}))
	defer node.Close()
	withoutCredentials(t)
	t.Setenv("FASTQUEUE_TOKEN", "t")
	err := run(t.Context(), []string{"send", "jobs", "--url", node.URL, "--lines", "--body-file", secretFile(t, "lines", "good\nbad \xff\nnever")})
	if exitCode(err) != exitPartly || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), "base64") {
		t.Errorf("error %v with code %d; want %d and the line", err, exitCode(err), exitPartly)
	}
}

// A send that is run again has the keys of the first run.
func TestSendsCanBeRunAgain(t *testing.T) {
	var keys []string
	answer := `{"MessageId":"m","Successful":[{"Id":"0","MessageId":"m"}`
	for id := 1; id < client.MaxBatch; id++ {
		answer += fmt.Sprintf(`,{"Id":"%d","MessageId":"m"}`, id)
	}
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		_, _ = io.WriteString(w, answer+"]}")
	}))
	defer node.Close()
	withoutCredentials(t)
	t.Setenv("FASTQUEUE_TOKEN", "t")
	eleven := secretFile(t, "lines", "\n"+strings.Repeat("x\n", 11))
	for range 2 {
		for _, line := range []string{"send jobs body --idempotency-key k", "send jobs --lines --idempotency-key k --body-file " + eleven, "send jobs body"} {
			if err := run(t.Context(), append(strings.Fields(line), "--url", node.URL)); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
	if len(keys) != 8 || keys[3] == keys[7] || keys[3] == "" {
		t.Fatalf("%q: want a random key for a send without one", keys)
	}
	if given := append(keys[:3:3], keys[4:7]...); strings.Join(given, " ") != "k k.2 k.12 k k.2 k.12" {
		t.Errorf("the keys were %q", given)
	}
}

// TestMessageVerbsRefuseWrongCommandLines needs no node: nothing is asked.
func TestMessageVerbsRefuseWrongCommandLines(t *testing.T) {
	withoutCredentials(t)
	t.Setenv("FASTQUEUE_TOKEN", "t")
	tests := []struct {
		line string
		says string
	}{
		{"receive jobs --max 11", "--max 11"},
		{"receive jobs --max 11 --exec true --follow", "--max 11"},
		{"receive jobs --max 0", "--max 0"},
		{"receive jobs --wait 21", "at most 20s"},
		{"receive jobs --wait 1.5s", "whole seconds"},
		{"receive jobs --exec true --delete", "--delete"},
		{"receive jobs --exec true --visibility-timeout 1", "at least 2s"},
		{"receive jobs --exec true --concurrency 0", "--concurrency 0"},
		{"receive jobs -o xml", "table or json"},
		{"receive jobs --exec=", "--exec"},
		{"receive jobs --concurrency 2", "--concurrency"},
		{"receive jobs --exec true -o json", "--output json"},
		{"receive jobs --max x", `--max "x": a whole number is needed`},
		{"receive jobs --max 99999999999999999999", "too large"},
		{"receive jobs --wait 1.5s", `--wait "1.5s": whole seconds are needed`},
		{"receive", "QUEUE is missing; usage: fastqueue receive QUEUE [flags]; for example: fastqueue receive jobs --wait 20s --delete"},
		{"receive jobs more", `"more" is one argument too many`},
		{"delete", "QUEUE and HANDLE are missing"},
		{"delete jobs", "HANDLE is missing"},
		{"send jobs a b", `"b" is one argument too many`},
		{"send jobs \xff", "base64"},
		{"send jobs body --attribute k=\xff", "base64"},
		{"auth set-role ada", "admin|user is missing"},
		{"join", "TARGET is missing"},
		{"send jobs body --body-file f", "two bodies"},
		{"send jobs body --lines", "--lines"},
		{"send jobs --body-file /absent", "--body-file"},
		{"send jobs body --attribute =v", "NAME=VALUE"},
		{"send jobs body --idempotency-key é", "--idempotency-key"},
		{"send jobs body --idempotency-key " + strings.Repeat("k", 129), "1 to 128"},
		{"send jobs --lines --idempotency-key " + strings.Repeat("k", 120), "1 to 117"},
		{"send jobs body -o xml", "table or json"},
		{"send jobs body --delay -5", "whole seconds"},
		{"queue create jobs --max-length 0", "--max-length 0"},
		{"queue update jobs", "nothing to change"},
		{"queue list -o xml", "table or json"},
		{"auth set-role ada king", "admin or user"},
		{"auth api-key create k --expires-in-days 0", "--expires-in-days 0"},
		{"auth login", "Give the user's name"},
		{"auth login ada --username bob", "two users"},
	}
	for _, tc := range tests {
		err := run(t.Context(), strings.Fields(tc.line))
		if exitCode(err) != exitUsage || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: error %v with code %d; want %d and %q", tc.line, err, exitCode(err), exitUsage, tc.says)
		}
	}
}

func TestSecondsFlag(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "90": 90 * time.Second, "1m30s": 90 * time.Second, "12h": 12 * time.Hour} {
		var s secondsFlag
		if err := s.Set(text); err != nil || s.value != want || !s.given {
			t.Errorf("%s: %v, %v", text, s.value, err)
		}
	}
	for _, text := range []string{"", "-1", "1.5s", "soon", "99999999999"} {
		var s secondsFlag
		if err := s.Set(text); err == nil {
			t.Errorf("%q was taken as %v", text, s.value)
		}
	}
}

func TestLinesFillARequest(t *testing.T) {
	half := strings.Repeat("x", maxBodyBytes/2)
	tests := []struct {
		name   string
		bodies []string
		want   int // how many fit into the first request
	}{
		{"ten", strings.Split(strings.Repeat("a ", 11), " ")[:11], client.MaxBatch},
		{"two halves", []string{half, half, "x"}, 2},
		{"one that fills it", []string{half + half, "x"}, 1},
	}
	for _, tc := range tests {
		var b lineBatch
		for i, body := range tc.bodies {
			m := client.Message{Body: body}
			if !b.fits(m) {
				break
			}
			b.add(m, i+1)
		}
		if len(b.messages) != tc.want {
			t.Errorf("%s: %d fit, want %d", tc.name, len(b.messages), tc.want)
		}
	}
	var b lineBatch
	heavy := client.Message{Body: "x", Attributes: map[string]client.Attribute{"k": client.StringAttribute(half)}}
	b.add(heavy, 1)
	if b.fits(heavy) {
		t.Error("two messages whose attributes fill a request are put into one")
	}
}

func TestABodyHasALimit(t *testing.T) {
	for n, ok := range map[int]bool{0: false, 1: true, maxBodyBytes: true, maxBodyBytes + 1: false} {
		got, err := readBody(bytes.NewReader(make([]byte, n))) // zeros are text, too
		if (err == nil) != ok || ok && len(got) != n || !ok && exitCode(err) != exitUsage {
			t.Errorf("%d bytes: read %d, %v", n, len(got), err)
		}
	}
}
