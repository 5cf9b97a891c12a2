package fault

import (
	"os"
	"slices"
	"strings"
)

// Missing says what this machine lacks of the needs; empty if nothing. Build tags are no matter of the machine.
func (n Needs) Missing() string {
	var missing []string
	if n.Root && os.Geteuid() != 0 {
		missing = append(missing, "root")
	}
	if n.FUSE {
		if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
			missing = append(missing, "/dev/fuse")
		} else if err := f.Close(); err != nil {
			missing = append(missing, "/dev/fuse")
		}
	}
	return strings.Join(missing, ", ")
}

// Tags are the build tags that faults need together.
func Tags(faults []Fault) []string {
	var tags []string
	for _, f := range faults {
		tags = append(tags, f.Needs().Build...)
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

// Possible are the faults that this machine allows and that go together: those with proxies stand in for those with network
// namespaces where there are none.
func Possible() []Fault {
	namespaces := Needs{Root: true}.Missing() == ""
	return slices.DeleteFunc(All(), func(f Fault) bool {
		_, standIn := f.(interface{ proxied() })
		return f.Needs().Missing() != "" || standIn && namespaces
	})
}
