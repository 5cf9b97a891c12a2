package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// sample are results of two systems under two shapes.
func sample() *results {
	r := &results{
		shapes:     []shape{{name: sendsOne, title: "sends, 1 connection", messages: 1}, {name: sends256, title: "sends <256>", messages: 1}},
		contenders: []contender{{name: fastQueueWAL, title: "FastQueue (wal)", ours: true, system: &fastQueue{release: "v1"}}, {name: natsAlways, title: "NATS", system: &natsCluster{release: "v2"}}},
		figures: map[key][]figure{
			{sendsOne, fastQueueWAL}: {{rate: 900, p50: 2 * time.Millisecond, serverCPU: 80 * time.Second}},
			{sendsOne, natsAlways}:   {{rate: 1000, p50: time.Millisecond, serverCPU: 60 * time.Second}},
			{sends256, fastQueueWAL}: {{rate: 12000}, {rate: 14000}, {rate: 20000, failed: 2}},
			{sends256, natsAlways}:   {{rate: 10000}},
		},
		waiting: map[string][]waitingFigure{fastQueueWAL: {
			{figure: figure{rate: 1500}}, {figure: figure{rate: 500}, waiting: tenMillion, filling: 3e8},
			{figure: figure{rate: 1000, anonymous: 2e8}, waiting: tenMillion, rested: 30 * time.Second, filling: 3e8, restart: 2 * time.Second},
		}},
	}
	return r
}

func TestTheReportJudgesTheGoals(t *testing.T) {
	text := report(sample(), circumstances{options: &options{rounds: 3, duration: time.Second}})
	for _, want := range []string{
		"1.40, met", "at least 1.3", // 14,000 / 10,000
		"2.00, **not met**: 100 % too much", // p50 of one connection
		"1.50, **not met**: 20 % too much",  // time of a loop behind ten million messages
		"3.00, **not met**: 140 % too much", // the same at once after they were sent
		"300.00, met",                       // MB while they were sent
		"0.75",                              // processor time of a send over one connection
		"12,000-20,000", "FastQueue (wal) v1; NATS v2.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report has no %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "rabbitmq") {
		t.Errorf("the report judges what was not measured:\n%s", text)
	}
}

func TestFailuresOfAllRoundsCount(t *testing.T) {
	r := sample()
	r.waiting[fastQueueWAL][0].failed = 1
	if n := r.failed(); n != 3 {
		t.Errorf("%d failures, want 3", n)
	}
}

func TestEveryRowOfATableHasTheSameWidth(t *testing.T) {
	tab := &table{text: 1}
	tab.add("", "näme")
	tab.add("a long text", "1")
	want := "|             | näme |\n| ----------- | ---: |\n| a long text |    1 |\n"
	if got := tab.String(); got != want {
		t.Errorf("table:\n%swant:\n%s", got, want)
	}
	if text := (&table{rows: [][]string{{"only a head"}}}).String(); text != "" {
		t.Errorf("a table without rows: %q", text)
	}
}

func TestThePlotIsXMLWithABarForEachFigure(t *testing.T) {
	svg := plot(sample())
	d := xml.NewDecoder(strings.NewReader(svg))
	bars := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the plot is no XML: %v\n%s", err, svg)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			bars++
		}
	}
	if bars != 1+4 {
		t.Errorf("%d rectangles, want the page and four bars", bars)
	}
}

func TestOnlyWhatStandsBetweenTheMarkersIsReplaced(t *testing.T) {
	old := "before\n" + documentBegin + "\nold\n" + documentEnd + "\nafter\n"
	got, err := between(old, "new\n")
	if want := "before\n" + documentBegin + "\n\nnew\n\n" + documentEnd + "\nafter\n"; err != nil || got != want {
		t.Errorf("document: %q, %v", got, err)
	}
	for _, broken := range []string{"", documentBegin, documentEnd + documentBegin} {
		if _, err := between(broken, "new"); err == nil {
			t.Errorf("%q has no place for a report, but was changed", broken)
		}
	}
}

func TestThousands(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567.8: "1,234,568"} {
		if got := thousands(v); got != want {
			t.Errorf("thousands(%g) = %s, want %s", v, got, want)
		}
	}
}
