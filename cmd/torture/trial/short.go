package trial

import (
	"fmt"
	"math/rand/v2"

	"github.com/fastqueue/fastqueue/cmd/torture/fault"
	"github.com/fastqueue/fastqueue/cmd/torture/load"
)

// ShortFaults are those of the short run, in their order: what most bugs need to show. Killed leaders leave commands whose
// outcome nobody knows, halted ones go on late; the state is sent to a process that has an older one and to one that has none,
// and both lead afterwards.
func ShortFaults() []string {
	return []string{"kill-leader", "cut-answers", "forgotten-answers", "lag-leads", "kill-leader", "wipe-leads", "pause-leader", "kill-leader"}
}

// Short is the short run: less than a minute, the shortest times, and a log that is cut all the time. What it has to show by
// figures is the same as in any other round. names are the faults in place of its own, loadName the load, and store the log
// store, unless empty; odd seeds have the wal, even ones bolt.
func Short(binary, dir string, seed uint64, names []string, loadName, store string) (Plan, error) {
	if len(names) == 0 {
		names = ShortFaults()
	}
	faults, err := fault.Named(names)
	if err != nil {
		return Plan{}, err
	}
	options, err := load.Named(loadName)
	if err != nil {
		return Plan{}, err
	}
	if store == "" {
		store = []string{"bolt", "wal"}[seed%2]
	}
	return Plan{
		Binary: binary, Dir: dir, Seed: seed, LogStore: store, Nodes: 3, Flags: cut(200, 50), Faults: faults, Strikes: len(faults),
		InOrder: true, Short: true, Load: options, Sends: Enough, Deletes: Enough,
	}, nil
}

// Tight are flags that follow from a seed: some logs are cut all the time, in others the entries last for long.
func Tight(seed uint64) []string {
	random := rand.New(rand.NewPCG(seed, 1<<62))
	choose := func(of ...int) int { return of[random.IntN(len(of))] }
	return cut(choose(100, 500, 2_000), choose(50, 500, 5_000))
}

// cut are flags for a log that is cut after so many entries, of which so many are kept.
func cut(after, keep int) []string {
	return []string{fmt.Sprintf("--snapshot-entries=%d", after), fmt.Sprintf("--trailing-logs=%d", keep), "--segment-bytes=64KiB"}
}
