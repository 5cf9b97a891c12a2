package main

import (
	"runtime"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// newRegistry makes the one registry of this process, with what is true of the process as a whole. The node and its API
// add what they measure.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	number, commit, _ := strings.Cut(version(), " ")
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "fastqueue_build_info", Help: "Always 1; the labels say what this process was built of.",
		ConstLabels: prometheus.Labels{"version": number, "commit": commit, "go": runtime.Version()},
	})
	build.Set(1)
	registry.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}
