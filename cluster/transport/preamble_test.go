package transport

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestPreambleRoundTrip(t *testing.T) {
	long := strings.Repeat("x", maxText)
	for _, p := range []preamble{
		{service: serviceJoin},
		{service: serviceRaft, group: 1 << 31, cluster: "c", sender: "a", receiver: "b"},
		{service: serviceRPC, cluster: long, sender: long, receiver: long},
	} {
		b := must(p.encode())(t)
		r := bytes.NewReader(append(b, "next"...))
		got := must(readPreamble(r))(t)
		if got != p {
			t.Errorf("read %+v, wrote %+v", got, p)
		}
		if r.Len() != len("next") {
			t.Errorf("%d bytes are left behind the preamble, want %d", r.Len(), len("next"))
		}
	}
}

func TestPreambleRefusesLongNames(t *testing.T) {
	if _, err := (preamble{sender: strings.Repeat("x", maxText+1)}).encode(); err == nil {
		t.Error("a name of 256 bytes was encoded")
	}
}

func TestAnswerRoundTrip(t *testing.T) {
	var b bytes.Buffer
	if err := writeAnswer(&b, nil); err != nil {
		t.Fatal(err)
	}
	if err := readAnswer(&b); err != nil {
		t.Errorf("ok was read as %v", err)
	}
	if err := writeAnswer(&b, refuse("%s", strings.Repeat("y", 300))); err != nil {
		t.Fatal(err)
	}
	var r *refusal
	if err := readAnswer(&b); !errors.As(err, &r) || r.code != answerRefused || len(r.text) != maxText {
		t.Errorf("a refusal was read as %v", err)
	}
	if err := readAnswer(strings.NewReader("HTTP/1.1 400 Bad Request\r\n")); !errors.Is(err, errNotPreamble) {
		t.Errorf("an HTTP server was read as %v", err)
	}
}

func FuzzPreamble(f *testing.F) {
	whole, err := preamble{service: serviceRPC, cluster: "c", sender: "a", receiver: "b"}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:9])
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		p, err := readPreamble(r)
		if err != nil {
			return
		}
		again, err := p.encode()
		if err != nil {
			t.Fatal(err)
		}
		if used := b[:len(b)-r.Len()]; !bytes.Equal(again, used) {
			t.Errorf("%x was read as %+v, which is %x", used, p, again)
		}
	})
}
