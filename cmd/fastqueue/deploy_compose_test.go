package main

import (
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// composeFile is what these tests read of deploy/compose.yaml.
type composeFile struct {
	Services map[string]struct {
		Image           string
		Command         []string
		Environment     map[string]string
		Ports           []string
		Volumes         []string
		Restart         string
		StopGracePeriod string `yaml:"stop_grace_period"`
	}
	Volumes map[string]any
}

// nodes returns the options of the services that run this program, by the services' names.
func (c composeFile) nodes(t *testing.T) map[string]nodeOptions {
	t.Helper()
	i := readImage(t)
	nodes := map[string]nodeOptions{}
	for name, s := range c.Services {
		if s.Image == "fastqueue" {
			env := maps.Clone(i.env)
			maps.Copy(env, s.Environment)
			nodes[name] = deployedNode{s.Command, env}.options(t)
		}
	}
	return nodes
}

func TestComposeStartsThreeNodes(t *testing.T) {
	c := documents[composeFile](t, "deploy/compose.yaml")[0]
	nodes := c.nodes(t)
	i := readImage(t)
	var ordered []nodeOptions
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		o, s := nodes[name], c.Services[name]
		ordered = append(ordered, o)
		if host, _, _ := net.SplitHostPort(o.advertiseHTTP); host != name || !strings.HasPrefix(o.advertiseCluster, name+":") {
			t.Errorf("%s advertises %s and %s: the name in the network is that of the service", name, o.advertiseHTTP, o.advertiseCluster)
		}
		for _, address := range []string{o.httpAddr, o.clusterAddr, o.advertiseHTTP, o.advertiseCluster} {
			if !slices.Contains(i.exposed, port(address)) {
				t.Errorf("%s uses the port of %s, the image exposes %q", name, address, i.exposed)
			}
		}
		if port(o.httpAddr) != port(o.advertiseHTTP) || port(o.clusterAddr) != port(o.advertiseCluster) {
			t.Errorf("%s advertises %s and %s, and listens on %s and %s", name, o.advertiseHTTP, o.advertiseCluster, o.httpAddr, o.clusterAddr)
		}
		if _, ok := c.Volumes[name]; !ok || !slices.Contains(s.Volumes, name+":"+o.dataDir) {
			t.Errorf("%s keeps its data in %s, which is no volume of its own: %q", name, o.dataDir, s.Volumes)
		}
		if s.Restart != "unless-stopped" {
			t.Errorf("%s: restart %q, want unless-stopped", name, s.Restart)
		}
		checkStopTime(t, s.StopGracePeriod, o)
	}
	checkPeers(t, ordered)
	for name := range nodes {
		if !slices.Equal(c.Services[name].Command, c.Services["n1"].Command) {
			t.Errorf("the command of %s is not the same as that of n1", name)
		}
	}
}

func TestComposeReachesTheNodes(t *testing.T) {
	c := documents[composeFile](t, "deploy/compose.yaml")[0]
	var want []string
	for _, o := range c.nodes(t) {
		want = append(want, o.advertiseHTTP)
		if !o.metricsOpen {
			t.Errorf("%s refuses Prometheus, which has no credentials", o.nodeName)
		}
	}
	slices.Sort(want)
	h := readHAProxy(t)
	for _, backend := range []string{"ready", "alive"} {
		if got := h.servers(backend); !slices.Equal(got, want) {
			t.Errorf("backend %s has the servers %q, the nodes advertise %q", backend, got, want)
		}
	}
	bind := port(h.value("frontend api", "bind"))
	if published := c.Services["haproxy"].Ports; len(published) != 1 || port(published[0]) != bind {
		t.Errorf("haproxy.cfg binds port %s, compose publishes %q", bind, published)
	}
	scraped := documents[struct {
		RuleFiles     []string `yaml:"rule_files"`
		ScrapeConfigs []struct {
			StaticConfigs []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}](t, "deploy/prometheus/prometheus.yml")[0]
	if got := scraped.ScrapeConfigs[0].StaticConfigs[0].Targets; !slices.Equal(got, want) {
		t.Errorf("Prometheus asks %q, the nodes advertise %q", got, want)
	}
	for _, rules := range scraped.RuleFiles {
		repositoryFile(t, "deploy/prometheus/"+rules)
	}
}

func TestComposeSaysWhichSecretIsMissing(t *testing.T) {
	example := environmentFile(t, "deploy/compose.env.example")
	wanted := regexp.MustCompile(`\$\{(\w+)(:\?[^}]+)?\}`).FindAllStringSubmatch(repositoryFile(t, "deploy/compose.yaml"), -1)
	if len(wanted) != len(example) {
		t.Errorf("compose.yaml wants %d variables, compose.env.example has %d", len(wanted), len(example))
	}
	for _, w := range wanted {
		if value, ok := example[w[1]]; !ok || value != "" || w[2] == "" {
			t.Errorf("%s: it must be in compose.env.example without a value, and compose.yaml must say what to do without it", w[0])
		}
	}
	checkVariables(t, example)
}
