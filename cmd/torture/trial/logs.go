package trial

import (
	"bytes"
	"os"
)

const (
	killedBySignal = -1
	diverged       = 77 // cluster.ExitDiverged
)

// checkEnds finds nodes that ended by themselves: of a replica that differs from two others, or of anything that no fault
// was meant to cause (I6, I9).
func (r *round) checkEnds() {
	for _, n := range r.cluster.All() {
		for _, p := range n.Lives() {
			code, ended := p.ExitCode()
			switch {
			case !ended || code == 0 || code == killedBySignal || r.scene.Expected(p):
			case code == diverged:
				r.result.violation("I6 replicas differ: %s ended itself with code %d:\n%s", n.Name, code, p.Tail())
			default:
				r.result.violation("I9 liveness: %s ended by itself with code %d:\n%s", n.Name, code, p.Tail())
			}
		}
	}
}

// checkLogs looks for secrets in what the nodes have printed (I11).
func (r *round) checkLogs() {
	for _, n := range r.cluster.All() {
		text, err := os.ReadFile(n.LogPath)
		if err != nil {
			r.result.weak("log of %s: %v", n.Name, err)
			continue
		}
		if found := secretIn(text, append(r.load.Secrets(), r.cluster.Token())); found != "" {
			r.result.violation("I11 secrecy: the log of %s holds a secret: %s", n.Name, found)
		}
	}
}

// secretIn returns the surroundings of the first secret in a text; empty if there is none.
func secretIn(text []byte, secrets []string) string {
	for _, secret := range secrets {
		if i := bytes.Index(text, []byte(secret)); secret != "" && i >= 0 {
			return string(text[max(0, i-100):min(len(text), i+len(secret)+20)])
		}
	}
	return ""
}
