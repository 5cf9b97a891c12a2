package cluster

import (
	"fmt"
	"math"
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
	digits := strings.TrimRight(text, "BKMGTikmgtb ")
	unit, ok := bytesOf(strings.TrimSpace(text[len(digits):]))
	if !ok {
		return bad("the unit is not B, KiB, MiB, GiB, TiB, KB, MB, GB or TB")
	}
	count, err := strconv.ParseFloat(digits, 64)
	switch {
	case err != nil || math.IsNaN(count):
		return bad("the size is not a number")
	case count*unit < 1:
		return bad("a size is at least 1B")
	case count*unit >= 1<<60:
		return bad("no disk is that large")
	}
	return DiskReserve{Bytes: uint64(count * unit)}, nil
}

// bytesOf is the number of bytes in a unit; none means bytes.
func bytesOf(unit string) (bytes float64, ok bool) {
	switch strings.ToLower(unit) {
	case "", "b":
		return 1, true
	case "kib":
		return 1 << 10, true
	case "mib":
		return 1 << 20, true
	case "gib":
		return 1 << 30, true
	case "tib":
		return 1 << 40, true
	case "kb":
		return 1e3, true
	case "mb":
		return 1e6, true
	case "gb":
		return 1e9, true
	case "tb":
		return 1e12, true
	}
	return 0, false
}

// String is what ParseDiskReserve reads; empty for the default.
func (d DiskReserve) String() string {
	switch {
	case d.Percent > 0:
		return strconv.FormatFloat(d.Percent, 'f', -1, 64) + "%"
	case d.Bytes == 0:
		return ""
	case d.Bytes%(1<<30) == 0:
		return strconv.FormatUint(d.Bytes>>30, 10) + "GiB"
	case d.Bytes%(1<<20) == 0:
		return strconv.FormatUint(d.Bytes>>20, 10) + "MiB"
	}
	return strconv.FormatUint(d.Bytes, 10) + "B"
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
