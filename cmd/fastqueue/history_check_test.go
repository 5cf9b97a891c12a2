package main

import (
	"testing"
	"time"
)

// story builds a history by hand. Times are seconds since its beginning.
type story struct {
	h     *history
	begin time.Time
}

func newStory() *story { return &story{h: newHistory(), begin: time.Now()} }

func (s *story) at(seconds float64) time.Time {
	return s.begin.Add(time.Duration(seconds * float64(time.Second)))
}

func (s *story) send(body, id string, a answer) {
	s.h.addSend(&sendRecord{body: body, messageID: id, answer: a})
}

func (s *story) receive(body, id string, start, end float64) *receiveRecord {
	r := &receiveRecord{start: s.at(start), end: s.at(end), body: body, messageID: id, handle: "h", lease: 5 * time.Second}
	s.h.addReceive(r)
	return r
}

func (s *story) delete(r *receiveRecord, start, end float64, a answer) {
	s.h.addDelete(&deleteRecord{start: s.at(start), end: s.at(end), of: r, answer: a})
}

func TestHistoryCheckerFindsWhatIsPlanted(t *testing.T) {
	tests := []struct {
		name string
		tell func(*story)
		want func(*findings) []string // the kind that must have exactly one finding; nil: nothing at all
	}{
		{"all is well", func(s *story) {
			s.send("a", "1", answeredOK)
			s.delete(s.receive("a", "1", 1, 2), 2, 3, answeredOK)
			s.send("b", "2", answeredRefused)
		}, nil},
		{"an unknown send may be there", func(s *story) {
			s.send("a", "", answeredUnknown)
			s.delete(s.receive("a", "1", 1, 2), 2, 3, answeredOK)
		}, nil},
		{"an unknown delete may have deleted", func(s *story) {
			s.send("a", "1", answeredOK)
			s.delete(s.receive("a", "1", 1, 2), 2, 3, answeredUnknown)
		}, nil},
		{"redelivered after its lease", func(s *story) {
			s.send("a", "1", answeredOK)
			s.receive("a", "1", 1, 2)
			s.delete(s.receive("a", "1", 6, 7), 7, 8, answeredOK)
		}, nil},
		{"a receive that overlaps the delete", func(s *story) {
			s.send("a", "1", answeredOK)
			s.delete(s.receive("a", "1", 1, 2), 7, 9, answeredOK)
			s.receive("a", "1", 8, 8.5)
		}, nil},
		{"never received", func(s *story) { s.send("a", "1", answeredOK) }, func(f *findings) []string { return f.lost }},
		{"received, never deleted, gone", func(s *story) {
			s.send("a", "1", answeredOK)
			s.receive("a", "1", 1, 2)
		}, func(f *findings) []string { return f.lost }},
		{"its only delete was refused, gone", func(s *story) {
			s.send("a", "1", answeredOK)
			s.delete(s.receive("a", "1", 1, 2), 2, 3, answeredRefused)
		}, func(f *findings) []string { return f.lost }},
		{"back after its delete", func(s *story) {
			s.send("a", "1", answeredOK)
			s.delete(s.receive("a", "1", 1, 2), 2, 3, answeredOK)
			s.receive("a", "1", 20, 21)
		}, func(f *findings) []string { return f.ghost }},
		{"leased to two", func(s *story) {
			s.send("a", "1", answeredOK)
			s.receive("a", "1", 1, 2)
			s.delete(s.receive("a", "1", 2, 3), 3, 4, answeredOK)
		}, func(f *findings) []string { return f.early }},
		{"leased to two, the slower answer began first", func(s *story) {
			s.send("a", "1", answeredOK)
			s.receive("a", "1", 2, 3)
			s.delete(s.receive("a", "1", 1, 3.5), 4, 5, answeredOK)
		}, func(f *findings) []string { return f.early }},
		{"never sent", func(s *story) { s.receive("a", "1", 1, 2) }, func(f *findings) []string { return f.phantom }},
		{"send refused, received", func(s *story) {
			s.send("a", "", answeredRefused)
			s.receive("a", "1", 1, 2)
		}, func(f *findings) []string { return f.phantom }},
		{"another id than acknowledged", func(s *story) {
			s.send("a", "2", answeredOK)
			s.delete(s.receive("a", "1", 1, 2), 2, 3, answeredOK)
		}, func(f *findings) []string { return f.phantom }},
		{"stored twice", func(s *story) {
			s.send("a", "", answeredUnknown)
			s.receive("a", "1", 1, 2)
			s.receive("a", "2", 1, 2)
		}, func(f *findings) []string { return f.duplicate }},
		{"deleted with a superseded handle", func(s *story) {
			s.send("a", "1", answeredOK)
			old := s.receive("a", "1", 1, 2)
			s.receive("a", "1", 8, 9)
			s.delete(old, 10, 11, answeredOK)
		}, func(f *findings) []string { return f.superseded }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStory()
			test.tell(s)
			f := s.h.findings()
			want := 0
			if test.want != nil {
				want = 1
				if len(test.want(f)) != 1 {
					t.Error("the planted fault was not found")
				}
			}
			if all := f.all(); len(all) != want {
				t.Errorf("%d findings, want %d: %q", len(all), want, all)
			}
		})
	}
}
