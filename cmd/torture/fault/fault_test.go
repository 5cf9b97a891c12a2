package fault

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

func TestFaultsThatDoNotGoTogether(t *testing.T) {
	for _, names := range [][]string{{"cut-answers", "slow-clients"}, {"slow-clients", "forgotten-answers"}} {
		s := &Scene{Cluster: &nodes.Cluster{}, Random: rand.New(rand.NewPCG(1, 1))}
		faults, err := Named(names)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := faults[0].(Preparer).Prepare(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if _, err := faults[1].(Preparer).Prepare(t.Context(), s); err == nil || !strings.Contains(err.Error(), "do not go together") {
			t.Errorf("%s: %v, want a refusal", names, err)
		}
	}
}
