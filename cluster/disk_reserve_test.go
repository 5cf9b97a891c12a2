package cluster

import (
	"strings"
	"testing"
)

func TestDiskReserveIsASizeOrAShare(t *testing.T) {
	for text, want := range map[string]DiskReserve{
		"":         {},
		"  ":       {},
		"10GiB":    {Bytes: 10 << 30},
		"10 gib":   {Bytes: 10 << 30},
		"1.5GiB":   {Bytes: 3 << 29},
		"20GB":     {Bytes: 20e9},
		"512MiB":   {Bytes: 512 << 20},
		"4096":     {Bytes: 4096},
		"1B":       {Bytes: 1},
		"5%":       {Percent: 5},
		"0.5 %":    {Percent: 0.5},
		" 12.5%  ": {Percent: 12.5},
	} {
		got, err := ParseDiskReserve(text)
		if err != nil || got != want {
			t.Errorf("%q is %+v, %v; want %+v", text, got, err, want)
		}
		if again, err := ParseDiskReserve(got.String()); err != nil || again != got {
			t.Errorf("%q is written %q, which is %+v, %v", text, got.String(), again, err)
		}
	}
	for _, text := range []string{"0", "0%", "-5%", "91%", "NaN%", "%", "GiB", "five GiB", "10XiB", "10G", "-1GiB", "Inf", "9999999TiB", "5%%", "10GiB extra"} {
		_, err := ParseDiskReserve(text)
		if err == nil || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "10GiB") {
			t.Errorf("%q: %v; want a refusal that repeats it and says what is allowed", text, err)
		}
	}
}

func TestTheReserveOfADisk(t *testing.T) {
	for _, test := range []struct {
		reserve DiskReserve
		total   uint64
		want    uint64
	}{
		{DiskReserve{}, 10 << 30, 1 << 30},
		{DiskReserve{}, 100 << 30, 5 << 30},
		{DiskReserve{Bytes: 7}, 100 << 30, 7},
		{DiskReserve{Percent: 10}, 1000, 100},
		{DiskReserve{Percent: 10, Bytes: 500}, 1000, 500},
	} {
		if got := test.reserve.of(test.total); got != test.want {
			t.Errorf("%+v of %d is %d, want %d", test.reserve, test.total, got, test.want)
		}
	}
}
