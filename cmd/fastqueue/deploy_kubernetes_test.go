package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// object is what these tests read of an object of deploy/kubernetes.yaml.
type object struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		ServiceName              string `yaml:"serviceName"`
		ClusterIP                string `yaml:"clusterIP"`
		PublishNotReadyAddresses bool   `yaml:"publishNotReadyAddresses"`
		PodManagementPolicy      string `yaml:"podManagementPolicy"`
		MaxUnavailable           int    `yaml:"maxUnavailable"`
		Replicas                 int
		Selector                 map[string]any
		Ports                    []struct {
			Port       int
			TargetPort string `yaml:"targetPort"`
		}
		Template struct {
			Metadata struct{ Labels map[string]any }
			Spec     struct {
				TerminationGracePeriodSeconds int `yaml:"terminationGracePeriodSeconds"`
				SecurityContext               struct {
					RunAsNonRoot bool `yaml:"runAsNonRoot"`
					RunAsUser    int  `yaml:"runAsUser"`
					RunAsGroup   int  `yaml:"runAsGroup"`
				} `yaml:"securityContext"`
				Containers []container
			}
		}
		VolumeClaimTemplates []struct{ Metadata struct{ Name string } } `yaml:"volumeClaimTemplates"`
	}
}

type container struct {
	Args []string
	Env  []struct {
		Name, Value string
		ValueFrom   struct {
			SecretKeyRef struct{ Name, Key string } `yaml:"secretKeyRef"`
		} `yaml:"valueFrom"`
	}
	Ports           []containerPort
	StartupProbe    healthProbe `yaml:"startupProbe"`
	LivenessProbe   healthProbe `yaml:"livenessProbe"`
	ReadinessProbe  healthProbe `yaml:"readinessProbe"`
	SecurityContext struct {
		ReadOnlyRootFilesystem bool `yaml:"readOnlyRootFilesystem"`
	} `yaml:"securityContext"`
	VolumeMounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

type containerPort struct {
	Name          string
	ContainerPort int `yaml:"containerPort"`
}

type healthProbe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

// kubernetes returns the objects of deploy/kubernetes.yaml by kind and name.
func kubernetes(t *testing.T) map[string]object {
	t.Helper()
	all := map[string]object{}
	for _, o := range documents[object](t, "deploy/kubernetes.yaml") {
		all[o.Kind+" "+o.Metadata.Name] = o
	}
	return all
}

// pods returns the options of every pod of a stateful set.
func (o object) pods(t *testing.T) []nodeOptions {
	t.Helper()
	c := o.Spec.Template.Spec.Containers[0]
	var nodes []nodeOptions
	for i := range o.Spec.Replicas {
		env := maps.Clone(readImage(t).env)
		for _, e := range c.Env {
			env[e.Name] = e.Value
		}
		name := fmt.Sprintf("%s-%d", o.Metadata.Name, i)
		args := strings.Split(strings.ReplaceAll(strings.Join(c.Args, "\n"), "$(POD_NAME)", name), "\n")
		nodes = append(nodes, deployedNode{args, env}.options(t))
	}
	return nodes
}

func TestStatefulSetStartsThreeNodes(t *testing.T) {
	all := kubernetes(t)
	set := all["StatefulSet fastqueue"]
	pod := set.Spec.Template.Spec
	c := pod.Containers[0]
	nodes := set.pods(t)
	checkPeers(t, nodes)
	for i, o := range nodes {
		dns := fmt.Sprintf("%s-%d.%s:", set.Metadata.Name, i, set.Spec.ServiceName)
		if !strings.HasPrefix(o.advertiseCluster, dns) || !strings.HasPrefix(o.advertiseHTTP, dns) {
			t.Errorf("a pod advertises %s and %s, its name is %s", o.advertiseCluster, o.advertiseHTTP, dns)
		}
		if mount := c.VolumeMounts[0]; !strings.HasPrefix(o.dataDir, mount.MountPath+"/") || mount.Name != set.Spec.VolumeClaimTemplates[0].Metadata.Name {
			t.Errorf("the data goes to %s, the volume is at %s", o.dataDir, mount.MountPath)
		}
		checkStopTime(t, fmt.Sprintf("%ds", pod.TerminationGracePeriodSeconds), o)
		for _, p := range c.Ports {
			if want := map[string]string{"http": port(o.httpAddr), "cluster": port(o.clusterAddr)}[p.Name]; fmt.Sprint(p.ContainerPort) != want {
				t.Errorf("port %s is %d, the node listens on %q", p.Name, p.ContainerPort, want)
			}
		}
	}
	user := fmt.Sprintf("%d:%d", pod.SecurityContext.RunAsUser, pod.SecurityContext.RunAsGroup)
	if user != readImage(t).user || !pod.SecurityContext.RunAsNonRoot || !c.SecurityContext.ReadOnlyRootFilesystem {
		t.Errorf("the pod runs as %s, the image as %s; it must not be root and must not write to its image", user, readImage(t).user)
	}
	if set.Spec.PodManagementPolicy != "Parallel" {
		t.Error("the first pod would wait for ever for the others: podManagementPolicy must be Parallel")
	}
}

func TestStatefulSetIsReached(t *testing.T) {
	all := kubernetes(t)
	set := all["StatefulSet fastqueue"]
	c := set.Spec.Template.Spec.Containers[0]
	peers := all["Service "+set.Spec.ServiceName]
	if peers.Spec.ClusterIP != "None" || !peers.Spec.PublishNotReadyAddresses {
		t.Errorf("service %s must be headless and name pods that are not ready", set.Spec.ServiceName)
	}
	for name, o := range all {
		if o.Kind != "Service" {
			continue
		}
		if !maps.Equal(o.Spec.Selector, set.Spec.Template.Metadata.Labels) {
			t.Errorf("%s selects %v, the pods have %v", name, o.Spec.Selector, set.Spec.Template.Metadata.Labels)
		}
		for _, p := range o.Spec.Ports {
			i := slices.IndexFunc(c.Ports, func(have containerPort) bool { return have.Name == p.TargetPort })
			if i < 0 || c.Ports[i].ContainerPort != p.Port {
				t.Errorf("%s: port %d leads to %q of the pod, which has %v", name, p.Port, p.TargetPort, c.Ports)
			}
		}
	}
	for path, probes := range map[string][]healthProbe{"/livez": {c.StartupProbe, c.LivenessProbe}, "/readyz": {c.ReadinessProbe}} {
		for _, p := range probes {
			if p.HTTPGet.Path != path || p.HTTPGet.Port != "http" {
				t.Errorf("a probe asks %s on %s, want %s on http", p.HTTPGet.Path, p.HTTPGet.Port, path)
			}
		}
	}
	if all["PodDisruptionBudget fastqueue"].Spec.MaxUnavailable != 1 {
		t.Error("the budget must let go one pod at a time")
	}
	checkSecretCommand(t, c)
}

// checkSecretCommand wants the command at the top of the file to make every key that the pods ask for.
func checkSecretCommand(t *testing.T, c container) {
	t.Helper()
	text := repositoryFile(t, "deploy/kubernetes.yaml")
	for _, e := range c.Env {
		if key := e.ValueFrom.SecretKeyRef; key.Key != "" {
			if !strings.Contains(text, "create secret generic "+key.Name) || !strings.Contains(text, "--from-literal="+key.Key+"=") {
				t.Errorf("%s comes from the key %s of the secret %s, which the command in the file does not make", e.Name, key.Key, key.Name)
			}
		}
	}
}
