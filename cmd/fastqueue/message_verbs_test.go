package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/client"
)

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
		{"send jobs body --body-file f", "two bodies"},
		{"send jobs body --lines", "--lines"},
		{"send jobs --body-file /absent", "--body-file"},
		{"send jobs body --attribute =v", "NAME=VALUE"},
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
		got, err := readBody(bytes.NewReader(make([]byte, n)))
		if (err == nil) != ok || ok && len(got) != n || !ok && exitCode(err) != exitUsage {
			t.Errorf("%d bytes: read %d, %v", n, len(got), err)
		}
	}
}
