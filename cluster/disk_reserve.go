package cluster

import (
	"fmt"
	"strconv"
	"strings"
)

// The default of DiskReserve is the larger of these two.
const (
	defaultReservePercent = 5
	defaultReserveBytes   = 1 << 30
)

// DiskReserve is how much of the file system of its data directory a node wants to leave free: the larger of a number of
// bytes and a share in percent. The zero value means the default, the larger of 5 % and 1 GiB.
type DiskReserve struct {
	Bytes   uint64
	Percent float64
}

// ParseDiskReserve reads what --disk-reserve says: a size such as 10GiB, a share such as 5%, or nothing for the default.
func ParseDiskReserve(text string) (DiskReserve, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return DiskReserve{}, nil
	}
	bad := func(why string) (DiskReserve, error) {
		return DiskReserve{}, fmt.Errorf("disk reserve %q: %s; give a size (512MiB, 10GiB, 20GB) or a share of the disk (5%%), or leave it out for "+
			"the larger of %d%% and 1GiB", text, why, defaultReservePercent)
	}
	number, percent := strings.CutSuffix(text, "%")
	if percent {
		share, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil {
			return bad("the share is not a number")
		}
		if !(share > 0 && share <= 90) { // false for NaN, too
			return bad("a share is more than 0% and at most 90%")
		}
		return DiskReserve{Percent: share}, nil
	}
	size, err := ParseSize(text)
	if err != nil {
		return bad(err.Error())
	}
	return DiskReserve{Bytes: uint64(size)}, nil
}

// String is what ParseDiskReserve reads; empty for the default.
func (d DiskReserve) String() string {
	switch {
	case d.Percent > 0:
		return strconv.FormatFloat(d.Percent, 'f', -1, 64) + "%"
	case d.Bytes == 0:
		return ""
	}
	return Size(d.Bytes).String()
}

// of is the reserve on a file system of a size, in bytes.
func (d DiskReserve) of(total uint64) uint64 {
	if d == (DiskReserve{}) {
		d = DiskReserve{Bytes: defaultReserveBytes, Percent: defaultReservePercent}
	}
	return max(d.Bytes, uint64(d.Percent/100*float64(total)))
}

// inBytes writes a size for people.
func inBytes(n uint64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
