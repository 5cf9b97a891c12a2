package history

import (
	"testing"
	"time"

	"github.com/fastqueue/fastqueue/client"
)

// story builds a history by hand. Times are seconds since its beginning.
type story struct {
	h     *History
	begin time.Time
}

func newStory() *story { return &story{h: New(), begin: time.Now()} }

func (s *story) at(seconds float64) time.Time {
	return s.begin.Add(time.Duration(seconds * float64(time.Second)))
}

func (s *story) span(start, end float64) Span { return Span{s.at(start), s.at(end)} }

func (s *story) send(body, id string, a Answer) *Send {
	send := &Send{Span: s.span(0, 0.5), Queue: "q", Body: body, MessageID: id, Answer: a}
	s.h.AddSend(send)
	return send
}

// receive is one receive that returns one message.
func (s *story) receive(body, id string, start, end float64) *Delivery {
	return s.receives(start, end, &Delivery{Body: body, MessageID: id})[0]
}

func (s *story) counted(body, id string, count int, start, end float64) *Delivery {
	return s.receives(start, end, &Delivery{Body: body, MessageID: id, Count: count})[0]
}

func (s *story) receives(start, end float64, got ...*Delivery) []*Delivery {
	r := &Receive{Span: s.span(start, end), Queue: "q", Deliveries: got}
	for _, d := range got {
		d.Of, d.Handle, d.Lease = r, "h", 5*time.Second
	}
	s.h.AddReceive(r)
	return got
}

func (s *story) delete(d *Delivery, start, end float64, a Answer) *Delete {
	del := &Delete{Span: s.span(start, end), Of: d, Answer: a}
	s.h.AddDelete(del)
	return del
}

func (s *story) change(d *Delivery, start, end float64, lease time.Duration, a Answer) {
	s.h.AddChange(&Change{Span: s.span(start, end), Of: d, Lease: lease, Answer: a})
}

func (s *story) operation(v Verb, value string, start, end float64, found bool, a Answer) {
	s.h.AddOperation(&Operation{Span: s.span(start, end), Name: "queue a", Verb: v, Value: value, Found: found, Answer: a})
}

func TestCheckerFindsWhatIsPlanted(t *testing.T) {
	tests := []struct {
		name string
		tell func(*story)
		want Kind // the kind of which there must be exactly one finding; empty: nothing at all
	}{
		{"all is well", func(s *story) {
			s.send("a", "1", OK)
			s.delete(s.receive("a", "1", 1, 2), 2, 3, OK)
			s.send("b", "2", Refused)
		}, ""},
		{"an unknown send may be there", func(s *story) {
			s.send("a", "", Unknown)
			s.delete(s.receive("a", "1", 1, 2), 2, 3, OK)
		}, ""},
		{"an unknown delete may have deleted", func(s *story) {
			s.send("a", "1", OK)
			s.delete(s.receive("a", "1", 1, 2), 2, 3, Unknown)
		}, ""},
		{"redelivered after its lease", func(s *story) {
			s.send("a", "1", OK)
			s.receive("a", "1", 1, 2)
			s.delete(s.receive("a", "1", 6, 7), 7, 8, OK)
		}, ""},
		{"a receive that overlaps the delete", func(s *story) {
			s.send("a", "1", OK)
			s.delete(s.receive("a", "1", 1, 2), 7, 9, OK)
			s.receive("a", "1", 8, 8.5)
		}, ""},
		{"never received", func(s *story) { s.send("a", "1", OK) }, Lost},
		{"received, never deleted, gone", func(s *story) {
			s.send("a", "1", OK)
			s.receive("a", "1", 1, 2)
		}, Lost},
		{"its only delete was refused, gone", func(s *story) {
			s.send("a", "1", OK)
			s.delete(s.receive("a", "1", 1, 2), 2, 3, Refused)
		}, Lost},
		{"back after its delete", func(s *story) {
			s.send("a", "1", OK)
			s.delete(s.receive("a", "1", 1, 2), 2, 3, OK)
			s.receive("a", "1", 20, 21)
		}, Ghost},
		{"leased to two", func(s *story) {
			s.send("a", "1", OK)
			s.receive("a", "1", 1, 2)
			s.delete(s.receive("a", "1", 2, 3), 3, 4, OK)
		}, Early},
		{"leased to two, the slower answer began first", func(s *story) {
			s.send("a", "1", OK)
			s.receive("a", "1", 2, 3)
			s.delete(s.receive("a", "1", 1, 3.5), 4, 5, OK)
		}, Early},
		{"a lease that was made longer ends early", func(s *story) {
			s.send("a", "1", OK)
			s.change(s.receive("a", "1", 1, 2), 3, 4, 20*time.Second, OK)
			s.delete(s.receive("a", "1", 9, 10), 11, 12, OK)
		}, Early},
		{"a lease that was perhaps made longer ends early", func(s *story) {
			s.send("a", "1", OK)
			s.change(s.receive("a", "1", 1, 2), 3, 4, 20*time.Second, Unknown)
			s.delete(s.receive("a", "1", 9, 10), 11, 12, OK)
		}, ""},
		{"a lease that was given up", func(s *story) {
			s.send("a", "1", OK)
			s.change(s.receive("a", "1", 1, 2), 2, 2.5, 0, Unknown)
			s.delete(s.receive("a", "1", 2.6, 3), 3, 4, OK)
		}, ""},
		{"giving up a lease was refused", func(s *story) {
			s.send("a", "1", OK)
			s.change(s.receive("a", "1", 1, 2), 2, 2.5, 0, Refused)
			s.delete(s.receive("a", "1", 2.6, 3), 3, 4, OK)
		}, Early},
		{"received before its delay is over", func(s *story) {
			s.send("a", "1", OK).Delay = 10 * time.Second
			s.delete(s.receive("a", "1", 1, 2), 2, 3, OK)
		}, Early},
		{"never sent", func(s *story) { s.receive("a", "1", 1, 2) }, Phantom},
		{"send refused, received", func(s *story) {
			s.send("a", "", Refused)
			s.receive("a", "1", 1, 2)
		}, Phantom},
		{"another id than acknowledged", func(s *story) {
			s.send("a", "2", OK)
			s.delete(s.receive("a", "1", 1, 2), 2, 3, OK)
		}, Phantom},
		{"another body than before", func(s *story) {
			s.send("a", "1", OK)
			s.receive("a", "1", 1, 2)
			s.delete(s.receive("b", "1", 7, 8), 8, 9, OK)
		}, Phantom},
		{"stored twice", func(s *story) {
			s.send("a", "", Unknown)
			s.receive("a", "1", 1, 2)
			s.receive("a", "2", 1, 2)
		}, Duplicate},
		{"deleted with a superseded handle", func(s *story) {
			s.send("a", "1", OK)
			old := s.receive("a", "1", 1, 2)
			s.receive("a", "1", 8, 9)
			s.delete(old, 10, 11, OK)
		}, Superseded},
		{"deleted with a superseded handle before its holder could", func(s *story) {
			s.send("a", "1", OK)
			old, holder := s.receive("a", "1", 1, 2), s.receive("a", "1", 8, 9)
			s.delete(old, 10, 11, OK)
			s.delete(holder, 12, 13, Refused)
		}, Superseded},
		{"gone by its holder, as the second try with a superseded handle found", func(s *story) {
			s.send("a", "1", OK)
			old, holder := s.receive("a", "1", 1, 2), s.receive("a", "1", 8, 9)
			s.delete(holder, 9, 10, OK)
			s.delete(old, 9.5, 11, OK)
		}, ""},
		{"deleted with a handle superseded by count", func(s *story) {
			s.send("a", "1", OK)
			old := s.counted("a", "1", 1, 1, 7)
			s.counted("a", "1", 2, 6.5, 7)
			s.delete(old, 10, 11, OK)
		}, Superseded},
		{"a lease changed with a superseded handle", func(s *story) {
			s.send("a", "1", OK)
			old := s.receive("a", "1", 1, 2)
			last := s.receive("a", "1", 8, 9)
			s.change(old, 10, 11, time.Minute, OK)
			s.delete(last, 12, 13, OK)
		}, Superseded},
		{"told that it does not exist", func(s *story) {
			s.send("a", "", Unknown)
			s.delete(s.receive("a", "1", 1, 2), 2, 3, Refused).Code = client.CodeMessageNotFound
		}, Denied},
		{"told that it does not exist after an unknown delete", func(s *story) {
			s.send("a", "1", OK)
			d := s.receive("a", "1", 1, 2)
			s.delete(d, 2, 3, Unknown)
			s.delete(d, 3, 4, Refused).Code = client.CodeMessageNotFound
		}, ""},
		{"counted twice", func(s *story) {
			s.send("a", "1", OK)
			s.counted("a", "1", 1, 1, 2)
			s.delete(s.counted("a", "1", 1, 8, 9), 9, 10, OK)
		}, Count},
		{"counted down", func(s *story) {
			s.send("a", "1", OK)
			s.counted("a", "1", 2, 1, 2)
			s.delete(s.counted("a", "1", 1, 8, 9), 9, 10, Unknown)
			s.h.AddFault(s.span(1, 2))
		}, Count},
		{"a delivery that nobody saw", func(s *story) {
			s.send("a", "1", OK)
			s.delete(s.counted("a", "1", 2, 1, 2), 2, 3, OK)
		}, Count},
		{"a delivery that a failed receive explains", func(s *story) {
			s.send("a", "1", OK)
			s.h.AddFailure(&Failure{s.span(0, 1), "q"})
			s.delete(s.counted("a", "1", 2, 1, 2), 2, 3, OK)
		}, ""},
		{"out of place within one answer", func(s *story) {
			s.send("a", "1", OK)
			s.send("b", "2", OK)
			for _, d := range s.receives(1, 2, &Delivery{Body: "b", MessageID: "2"}, &Delivery{Body: "a", MessageID: "1"}) {
				s.delete(d, 2, 3, OK)
			}
		}, Order},
		{"overtaken", func(s *story) {
			s.send("a", "1", OK)
			s.send("b", "2", OK)
			s.delete(s.counted("b", "2", 1, 1, 2), 2, 3, OK)
			s.delete(s.counted("a", "1", 1, 3, 4), 4, 5, OK)
		}, Order},
		{"overtaken, when a failed receive may have had it", func(s *story) {
			s.send("a", "1", OK)
			s.send("b", "2", OK)
			s.h.AddFailure(&Failure{s.span(0, 1), "q"})
			s.delete(s.counted("b", "2", 1, 1, 2), 2, 3, OK)
			s.delete(s.counted("a", "1", 1, 3, 4), 4, 5, OK)
		}, ""},
		{"not overtaken, both receives at once", func(s *story) {
			s.send("a", "1", OK)
			s.send("b", "2", OK)
			s.delete(s.counted("b", "2", 1, 1, 2), 2, 3, OK)
			s.delete(s.counted("a", "1", 1, 1, 4), 4, 5, OK)
		}, ""},
		{"empty though ready", func(s *story) {
			s.send("a", "1", OK)
			s.receives(1, 2)
			s.delete(s.counted("a", "1", 1, 3, 4), 4, 5, OK)
		}, Empty},
		{"empty while it is sent", func(s *story) {
			s.send("a", "1", OK)
			s.receives(0.2, 2)
			s.delete(s.counted("a", "1", 1, 3, 4), 4, 5, OK)
		}, ""},
		{"created twice", func(s *story) {
			s.operation(Create, "1", 1, 2, false, OK)
			s.operation(Create, "2", 3, 4, false, OK)
		}, Register},
		{"an old value is read", func(s *story) {
			s.operation(Create, "1", 1, 2, false, OK)
			s.operation(Update, "2", 3, 4, true, OK)
			s.operation(Read, "1", 5, 6, true, OK)
		}, Register},
		{"a deletion that was perhaps made later", func(s *story) {
			s.operation(Create, "1", 1, 2, false, OK)
			s.operation(Remove, "", 3, 4, false, Unknown)
			s.operation(Read, "1", 5, 6, true, OK)
			s.operation(Read, "", 7, 8, false, OK)
		}, ""},
		{"gone without a deletion", func(s *story) {
			s.operation(Create, "1", 1, 2, false, OK)
			s.operation(Remove, "", 3, 4, false, Refused)
			s.operation(Read, "", 7, 8, false, OK)
		}, Register},
		{"an answer that must not be", func(s *story) { s.h.AddFinding(Odd, "418") }, Odd},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStory()
			test.tell(s)
			all, _ := s.h.Findings()
			switch {
			case test.want == "" && len(all) > 0:
				t.Errorf("%d findings, want none: %q", len(all), all)
			case test.want != "" && (len(all) != 1 || all[0].Kind != test.want):
				t.Errorf("findings %q, want one of kind %s", all, test.want)
			}
		})
	}
}
