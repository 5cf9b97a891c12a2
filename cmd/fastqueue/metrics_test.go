package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fastqueue/fastqueue/cluster"
	"github.com/fastqueue/fastqueue/httpd"
)

// family is what is known of a metric before anything has happened.
type family struct{ help, labels string }

// families is every metric that a node can show, by its name; those of the Go runtime and the process left out.
func families(t *testing.T) map[string]family {
	t.Helper()
	registry := newRegistry()
	cluster.New(cluster.Config{Metrics: cluster.NewMetrics(registry)})
	httpd.NewMetrics(registry)
	descs := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descs)
		close(descs)
	}()
	shape := regexp.MustCompile(`fqName: "(\w+)", help: "(.*)", unit: ".*", constLabels: {(.*)}, variableLabels: {(.*)}}`)
	names := regexp.MustCompile(`(\w+)="[^"]*"`)
	known := map[string]family{}
	for d := range descs {
		m := shape.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("%s has another shape", d)
		}
		if !strings.HasPrefix(m[1], "fastqueue_") {
			continue
		}
		labels := strings.Split(m[4], ",")
		for _, constant := range names.FindAllStringSubmatch(m[3], -1) {
			labels = append(labels, constant[1])
		}
		slices.Sort(labels)
		known[m[1]] = family{strings.ReplaceAll(m[2], `\"`, `"`), strings.Trim(strings.Join(labels, ", "), ", ")}
	}
	return known
}

// TestMetricsShowWhatALeakWouldTake: a node that leaks shows it in these before it fails.
func TestMetricsShowWhatALeakWouldTake(t *testing.T) {
	found, err := newRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.GetName())
	}
	wanted := []string{"go_goroutines", "go_threads", "go_memstats_heap_inuse_bytes", "go_memstats_heap_objects"}
	if runtime.GOOS == "linux" {
		wanted = append(wanted, "process_open_fds", "process_resident_memory_bytes", "process_cpu_seconds_total")
	}
	for _, name := range wanted {
		if !slices.Contains(names, name) {
			t.Errorf("no metric %s", name)
		}
	}
}

// TestAlertsAndDashboardUseMetricsThatExist: a query for a metric that nobody has is quiet for ever.
func TestAlertsAndDashboardUseMetricsThatExist(t *testing.T) {
	known := families(t)
	for _, path := range []string{"deploy/prometheus/alerts.yaml", "deploy/prometheus/alerts_test.yaml", "deploy/grafana/fastqueue.json"} {
		used := regexp.MustCompile(`\bfastqueue_\w+`).FindAllString(repositoryFile(t, path), -1)
		if len(used) < 20 {
			t.Errorf("%s uses %d metrics only", path, len(used))
		}
		for _, name := range used {
			_, ok := known[name]
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				base, cut := strings.CutSuffix(name, suffix)
				_, has := known[base]
				ok = ok || cut && has
			}
			if !ok {
				t.Errorf("%s uses %s, which no node shows", path, name)
			}
		}
	}
}

// TestDashboardShowsEveryMetric, so that none is kept for nobody.
func TestDashboardShowsEveryMetric(t *testing.T) {
	text := repositoryFile(t, "deploy/grafana/fastqueue.json")
	for name := range families(t) {
		if !regexp.MustCompile(name + `(_bucket|_sum|_count)?\W`).MatchString(text) {
			t.Errorf("no panel shows %s", name)
		}
	}
	var dashboard struct {
		Panels []struct {
			Type, Title, Description string
			Targets                  []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{"Cluster", "Raft", "Disk", "Queues", "HTTP", "Process"} {
		if !strings.Contains(text, `"title": "`+row+`"`) {
			t.Errorf("there is no row %s", row)
		}
	}
	for _, p := range dashboard.Panels {
		if p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("panel %q explains or shows nothing", p.Title)
		}
	}
}

// metricsSection is the part of docs/operations.md about metrics and alerts.
func metricsSection(t *testing.T) string {
	t.Helper()
	parts := strings.Split(repositoryFile(t, "docs/operations.md"), "<!-- metrics -->")
	if len(parts) != 3 {
		t.Fatal("docs/operations.md has no section between two <!-- metrics -->")
	}
	return parts[1]
}

// TestEveryMetricIsDocumented, with its labels and the words of its help text.
func TestEveryMetricIsDocumented(t *testing.T) {
	known := families(t)
	documented := map[string]family{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(fastqueue_\\w+)` \\| (counter|gauge|histogram) \\| ([^|]*) \\| ([^|]*) \\|$").FindAllStringSubmatch(metricsSection(t), -1) {
		documented[row[1]] = family{help: row[4], labels: strings.ReplaceAll(row[3], "`", "")}
		if counts := strings.HasSuffix(row[1], "_total"); counts != (row[2] == "counter") {
			t.Errorf("%s is documented as a %s", row[1], row[2])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if documented[name] != known[name] {
			t.Errorf("docs/operations.md does not have this row:\n| `%s` | ... | %s | %s |", name, known[name].labels, known[name].help)
		}
	}
	for name := range documented {
		if _, ok := known[name]; !ok {
			t.Errorf("docs/operations.md has %s, which no node shows", name)
		}
	}
}

// TestEveryAlertIsDocumented, with its severity and what to do.
func TestEveryAlertIsDocumented(t *testing.T) {
	rows := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(FastQueue\\w+)` \\| (\\w+) \\| [^|]+ \\|$").FindAllStringSubmatch(metricsSection(t), -1) {
		rows[row[1]] = row[2]
	}
	alerts := regexp.MustCompile(`(?s)- alert: (\w+)\s.*?severity: (\w+)`).FindAllStringSubmatch(repositoryFile(t, "deploy/prometheus/alerts.yaml"), -1)
	for _, a := range alerts {
		if rows[a[1]] != a[2] {
			t.Errorf("docs/operations.md says %q of %s, whose severity is %s", rows[a[1]], a[1], a[2])
		}
	}
	if len(alerts) == 0 || len(rows) != len(alerts) {
		t.Errorf("%d alerts are documented, %d exist", len(rows), len(alerts))
	}
}

// TestBuildInfo names the toolchain and the version that "fastqueue version" prints.
func TestBuildInfo(t *testing.T) {
	gathered, err := newRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range gathered {
		if f.GetName() != "fastqueue_build_info" {
			continue
		}
		labels := map[string]string{}
		for _, l := range f.Metric[0].Label {
			labels[l.GetName()] = l.GetValue()
		}
		if got := strings.TrimSpace(fmt.Sprint(labels["version"], " ", labels["commit"])); got != version() || !strings.HasPrefix(labels["go"], "go1.") {
			t.Errorf("build info %v, version %q", labels, version())
		}
		return
	}
	t.Error("there is no build info")
}
