package cluster

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes that people write with a unit, such as 512MiB or 20GB.
type Size uint64

// ParseSize reads a size from 1 byte to 1 EiB. A number without a unit counts bytes.
func ParseSize(text string) (Size, error) {
	text = strings.TrimSpace(text)
	digits := strings.TrimRight(text, "BKMGTikmgtb ")
	unit, ok := bytesOf(strings.TrimSpace(text[len(digits):]))
	if !ok {
		return 0, errors.New("the unit is not B, KiB, MiB, GiB, TiB, KB, MB, GB or TB")
	}
	count, err := strconv.ParseFloat(digits, 64)
	switch {
	case err != nil || math.IsNaN(count):
		return 0, errors.New("the size is not a number")
	case count*unit < 1:
		return 0, errors.New("a size is at least 1B")
	case count*unit >= 1<<60:
		return 0, errors.New("no disk is that large")
	}
	return Size(count * unit), nil
}

// String is what ParseSize reads.
func (s Size) String() string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for len(units) > 1 && s > 0 && s%1024 == 0 {
		s, units = s/1024, units[1:]
	}
	return strconv.FormatUint(uint64(s), 10) + units[0]
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
